"""A model of a PyTorch module whose forward calls layers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gpucnn.backends.window import Pair
from gpucnn.errors import GpucnnError, InvalidTypeError, InvalidValueError, printable
from gpucnn.models.exchange.channels_first import ChannelsFirst
from gpucnn.models.exchange.draft import blaming
from gpucnn.models.exchange.imported import Imported
from gpucnn.models.exchange.torch.calls import CALLS, MODULES, pair
from gpucnn.utils import arguments


def from_torch(module: Any, input_shape: Sequence[int]) -> Imported:
    """Read the model that a module is, of float32.

    The order of what it does is that in which `torch.fx` traces its forward.

    Args:
        module: a `torch.nn.Module`.
        input_shape: of one image, (channels, rows, columns), or of a vector.

    Raises:
        GpucnnError: PyTorch is not installed.
        InvalidTypeError: `module` is no module.
        InvalidValueError: `input_shape` is no shape, the forward cannot be traced, or it has what
            is not understood, which is named.
    """
    shape = arguments.image_shape(input_shape, "input_shape")
    return _Reading(_trace(module), shape).read()


def _trace(module: Any) -> Any:
    """What the forward of a module does, as `torch.fx` has it."""
    try:
        from torch import fx, nn
    except ImportError as error:
        raise GpucnnError(
            "modules of PyTorch need the package torch, which is not installed: pip install torch"
        ) from error
    if not isinstance(module, nn.Module):
        raise InvalidTypeError(
            f"the module is of type {type(module).__name__}: give a torch.nn.Module"
        )
    try:
        # Within another module, so that one of PyTorch's own is called too, and not traced into.
        with _in_eval_mode(module):
            return fx.symbolic_trace(nn.Sequential(module))
    except Exception as error:
        raise InvalidValueError(
            f"torch.fx cannot trace the module ({printable(error)}): give one whose forward calls "
            "the same for any images"
        ) from error


@contextmanager
def _in_eval_mode(module: Any) -> Iterator[None]:
    """Have a forward do what it does in inference, and then leave each module as it was."""
    training = [each for each in module.modules() if each.training]
    for each in training:
        each.training = False
    try:
        yield
    finally:
        for each in training:
            each.training = True


class _Tensor:
    """The output of an operation, while a module is read."""


class _Reading:
    """A module that is read, from its input on, call by call.

    Args:
        traced: a `torch.fx.GraphModule` of a Sequential of one module.
        shape: of one image.
    """

    def __init__(self, traced: Any, shape: tuple[int, ...]) -> None:
        self._traced = traced
        self._draft = ChannelsFirst(shape, channels_first=len(shape) == 3, keeps_names=True)
        self._values: dict[Any, Any] = {}  # by node: numbers, parameters, or a _Tensor
        self._last: _Tensor | None = None
        self._cropping: Any = None  # the node that cuts off what the last one was told to leave out

    def read(self) -> Imported:
        for node in self._traced.graph.nodes:
            if node.op == "output":
                self._check_is_last(self._value(node.args[0]))
            else:
                with blaming(self._what(node)):
                    self._values[node] = self._read(node)
        return self._draft.finish()

    def _check_is_last(self, value: Any) -> None:
        if value is not self._last:
            raise InvalidValueError(
                "the module gives something else than what its last layer does: give one that "
                "returns that alone"
            )

    def _what(self, node: Any) -> str:
        """A node in words."""
        if node.op == "call_module":
            kind = type(self._traced.get_submodule(node.target)).__name__
            return f"the module {_name(node)} ({printable(kind)})"
        return f"the call {printable(node.name)} ({printable(_name_of_call(node))})"

    def _read(self, node: Any) -> Any:
        """What a node gives; a tensor that follows from images is appended to the draft."""
        if node.op == "placeholder":
            return self._input()
        if node.op == "get_attr":
            return _attribute(self._traced, node.target)
        args = [self._value(each) for each in node.args]
        options = {name: self._value(each) for name, each in node.kwargs.items()}
        tensors = [each for each in (*args, *options.values()) if isinstance(each, _Tensor)]
        if node.op == "call_module":
            return self._call_module(node, tensors)
        if not tensors:
            return _call(node, args, options)
        if _name_of_call(node) in ("getattr", "size", "dim"):
            return self._shape(node, args, options)
        return self._call_function(node, tensors, args, options)

    def _value(self, argument: Any) -> Any:
        """An argument of a node, with what other nodes gave in their places."""
        from torch import fx

        return fx.node.map_arg(argument, lambda node: self._values[node])

    def _input(self) -> _Tensor:
        if self._last is not None:
            raise InvalidValueError("it is a second input, but models of gpucnn have one")
        self._last = _Tensor()
        return self._last

    def _call_module(self, node: Any, tensors: Sequence[_Tensor]) -> _Tensor:
        module = self._traced.get_submodule(node.target)
        name, attributes = MODULES.get(_kind(module), ("", ""))
        if not name:
            raise InvalidValueError(
                f"gpucnn has no layer that is PyTorch's {_kind(module)}: leave it out, or write it "
                "by others"
            )
        if module._forward_hooks or module._forward_pre_hooks:
            raise InvalidValueError(
                "it has hooks, which may change its weights, or what it takes or gives: remove them"
            )
        self._check_place(tensors)
        if node is self._cropping:
            return tensors[0]
        self._draft.enter(_name(node))
        pairs = [each.partition("=") for each in attributes.split()]
        values = {first: getattr(module, attribute or first) for first, _, attribute in pairs}
        if name in ("max_pool2d", "avg_pool2d"):
            self._cropping, values["cut"] = self._crops(node, module)
        return self._append(name, [], values)

    def _crops(self, node: Any, pooling: Any) -> tuple[Any, Pair]:
        """The module after one of pooling if it cuts off the first windows, and how many.

        So PyTorch pools as Keras with padding="same", where windows are of an even size and have
        strides of one pixel: there is one pixel more of padding at the end than at the beginning.
        """
        after = next(iter(node.users))
        is_followed = len(node.users) == 1 and after.op == "call_module"
        module: Any = self._traced.get_submodule(after.target) if is_followed else None
        if _kind(module) == "ZeroPad2d":
            left, right, top, bottom = module.padding
            padded = zip(pair(pooling.padding), pair(pooling.stride), (-top, -left), strict=True)
            if right == bottom == 0 and all(
                cut == 0 or (cut == 1 <= padding and stride == 1) for padding, stride, cut in padded
            ):
                return after, (-top, -left)
        return None, (0, 0)

    def _call_function(
        self, node: Any, tensors: Sequence[_Tensor], args: list[Any], options: dict[str, Any]
    ) -> _Tensor:
        name = _name_of_call(node)
        if name not in CALLS:
            raise InvalidValueError(
                f"gpucnn has no layer that is PyTorch's {printable(name)}: leave it out, or write "
                "it by others"
            )
        self._check_place(tensors)
        self._draft.enter("")
        given = {key: each for key, each in options.items() if not isinstance(each, _Tensor)}
        if name in ("sub", "truediv", "div") and args and not isinstance(args[0], _Tensor):
            name = f"r{name}"  # from, or by, what the draft gives
        return self._append(name, [each for each in args if not isinstance(each, _Tensor)], given)

    def _append(self, name: str, args: list[Any], options: dict[str, Any]) -> _Tensor:
        """Append what a function is to the draft."""
        try:
            CALLS[name](self._draft, *args, **options)
        except GpucnnError:
            raise
        except (IndexError, RuntimeError, TypeError, ValueError) as error:
            raise InvalidValueError(
                f"its arguments are not understood ({printable(error)}): leave out those that are "
                "not needed"
            ) from error
        self._last = _Tensor()
        return self._last

    def _check_place(self, tensors: Sequence[_Tensor]) -> None:
        """Check that a call takes what the last one gave, once."""
        if len(tensors) != 1 or tensors[0] is not self._last:
            raise InvalidValueError(
                "it takes something beside or instead of what the call before it gives, but models "
                "of gpucnn are chains of layers: give one without branches, such as those around "
                "the blocks of a ResNet"
            )

    def _shape(self, node: Any, args: list[Any], options: dict[str, Any]) -> Any:
        """The shape of a tensor, of a batch of one image, or what is asked of it."""
        self._check_place(args[:1])
        shape = 1, *self._draft.shape
        if node.op == "call_function" and args[1] not in ("shape", "ndim"):
            raise InvalidValueError(f"it asks for {printable(args[1])}: leave it out")
        if _name_of_call(node) == "dim" or args[1:] == ["ndim"]:
            return len(shape)
        axis = options.get("dim", args[1] if node.op == "call_method" and args[1:] else None)
        return shape if axis is None else shape[axis]


def _name(node: Any) -> str:
    """The name of a module, without that of the Sequential around it."""
    return str(node.target).partition(".")[2]


def _kind(module: Any) -> str:
    """The name of a class of PyTorch's; of another that of its class, which is none of them."""
    kind = type(module)
    is_own = kind.__module__.startswith("torch.nn.")
    return str(kind.__name__ if is_own else kind.__qualname__ + " of your own")


def _name_of_call(node: Any) -> str:
    """The name of a function or method, without the "_" of those that work in place.

    That of a function that is neither PyTorch's nor Python's is none of theirs, as for `_kind`.
    """
    if isinstance(node.target, str):
        return node.target.rstrip("_")
    place = node.target.__module__ or "torch"  # which some of its functions do not tell
    is_own = place.partition(".")[0] not in ("_operator", "builtins", "torch")
    return str(node.target.__name__.rstrip("_") + is_own * " of your own")


def _attribute(traced: Any, target: str) -> Any:
    """A parameter or buffer by its name with dots."""
    value = traced
    for each in target.split("."):
        value = getattr(value, each)
    return value


def _call(node: Any, args: list[Any], options: dict[str, Any]) -> Any:
    """What a call gives of numbers and parameters alone."""
    try:
        if node.op == "call_method":
            return getattr(args[0], node.target)(*args[1:], **options)
        return node.target(*args, **options)
    except Exception as error:
        raise InvalidValueError(f"it cannot be computed ({printable(error)})") from error

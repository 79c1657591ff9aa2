"""A model of a PyTorch module whose forward calls layers."""

from collections.abc import Callable, Sequence
from typing import Any

from gpucnn.backends.window import Pair
from gpucnn.errors import GpucnnError, InvalidValueError, printable
from gpucnn.models.exchange.channels_first import ChannelsFirst
from gpucnn.models.exchange.draft import Output, blaming
from gpucnn.models.exchange.imported import Imported
from gpucnn.models.exchange.torch.calls import CALLS, MERGERS, MODULES, pair
from gpucnn.models.exchange.torch.forward import (
    SHAPES,
    Forward,
    is_shared,
    kind,
    name_of_call,
    name_of_module,
)
from gpucnn.utils import arguments

CHANGED = object()
"""What stands for a tensor that a call has changed through a view of it."""


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
    return _Reading(Forward(module), shape).read()


class _Reading:
    """A module that is read, from its input on, call by call.

    Args:
        forward: of the module.
        shape: of one image.
    """

    def __init__(self, forward: Forward, shape: tuple[int, ...]) -> None:
        self._forward = forward
        self._draft = ChannelsFirst(shape, channels_first=len(shape) == 3, keeps_names=True)
        self._values: dict[Any, Any] = {}  # by node: numbers, parameters, or an Output
        self._cropping: Any = None  # the node that cuts off what the last one was told to leave out

    def read(self) -> Imported:
        *nodes, output = self._forward.nodes
        for node in nodes:
            with blaming(self._forward.what(node)):
                self._values[node] = self._read(node)
            if self._forward.is_in_place(node) and isinstance(self._values[node], Output):
                self._change(node)
        with blaming("the output"):
            given = self._value(output.args[0])
        self._end(given)
        return self._draft.finish()

    def _read(self, node: Any) -> Any:
        """What a node gives; a tensor that follows from images is appended to the draft."""
        if node.op == "placeholder":
            return self._draft.output
        if node.op == "get_attr":
            return self._forward.attribute(node)
        args = [self._value(each) for each in node.args]
        options = {name: self._value(each) for name, each in node.kwargs.items()}
        outputs = _outputs([*args, *options.values()])
        if node.op == "call_module":
            return self._call_module(node, outputs)
        if not outputs:
            return _call(node, args, options)
        if name_of_call(node) in SHAPES:
            return _shape(node, args, options)
        return self._call_function(node, outputs, args, options)

    def _value(self, argument: Any) -> Any:
        """An argument of a node, with what other nodes gave in their places."""
        from torch import fx

        return fx.node.map_arg(argument, self._value_of)

    def _value_of(self, node: Any) -> Any:
        if self._values[node] is CHANGED:
            raise InvalidValueError(
                f"it takes {printable(node.name)}, a view of which another call has changed in its "
                "place: let that not work in place"
            )
        return self._values[node]

    def _change(self, node: Any) -> None:
        """Note what a call has made of the tensor that it takes, and of what lies in its memory."""
        taken, memory = node.all_input_nodes[0], self._forward.memory
        before, after = self._values[taken], self._values[node]
        self._draft.resume(after, is_shared=is_shared(taken))
        for other, value in self._values.items():
            if memory[other] is memory[node] and value is not after:
                self._values[other] = after if value is before else CHANGED

    def _end(self, value: Any) -> None:
        if not isinstance(value, Output):
            given = type(value).__name__.removeprefix("immutable_")  # as torch.fx has lists
            raise InvalidValueError(
                f"the module gives {printable(given)}: give one that returns a single tensor, "
                "which follows from its images"
            )
        self._draft.resume(value, is_shared=True)

    # Calls

    def _call_module(self, node: Any, outputs: Sequence[Output]) -> Output:
        module = self._forward.module(node)
        name, attributes = MODULES.get(kind(module), ("", ""))
        if not name:
            raise InvalidValueError(
                f"gpucnn has no layer that is PyTorch's {kind(module)}: leave it out, or write it "
                "by others"
            )
        if module._forward_hooks or module._forward_pre_hooks:
            raise InvalidValueError(
                "it has hooks, which may change its weights, or what it takes or gives: remove them"
            )
        if not outputs:
            raise InvalidValueError("it takes nothing that follows from the images: leave it out")
        if node is self._cropping:
            return outputs[0]
        pairs = [each.partition("=") for each in attributes.split()]
        values = {first: getattr(module, attribute or first) for first, _, attribute in pairs}
        if name in ("max_pool2d", "avg_pool2d"):
            self._cropping, values["cut"] = self._crops(node, module)
        self._enter(node, outputs, name_of_module(node))
        return self._append(CALLS[name], [], values)

    def _crops(self, node: Any, pooling: Any) -> tuple[Any, Pair]:
        """The module after one of pooling if it cuts off the first windows, and how many.

        So PyTorch pools as Keras with padding="same", where windows are of an even size and have
        strides of one pixel: there is one pixel more of padding at the end than at the beginning.
        """
        after = next(iter(node.users))
        is_followed = len(node.users) == 1 and after.op == "call_module"
        module: Any = self._forward.module(after) if is_followed else None
        if kind(module) == "ZeroPad2d":
            left, right, top, bottom = module.padding
            padded = zip(pair(pooling.padding), pair(pooling.stride), (-top, -left), strict=True)
            if right == bottom == 0 and all(
                cut == 0 or (cut == 1 <= padding and stride == 1) for padding, stride, cut in padded
            ):
                return after, (-top, -left)
        return None, (0, 0)

    def _call_function(
        self, node: Any, outputs: list[Output], args: list[Any], options: dict[str, Any]
    ) -> Output:
        name = name_of_call(node)
        if name not in CALLS.keys() | MERGERS.keys():
            raise InvalidValueError(
                f"gpucnn has no layer that is PyTorch's {printable(name)}: leave it out, or write "
                "it by others"
            )
        others = [each for each in args if not _outputs([each])]
        given = {key: each for key, each in options.items() if not _outputs([each])}
        self._enter(node, outputs, "")
        if len(outputs) == 1 and name in CALLS:
            if name in ("sub", "truediv", "div") and others and args[0] is others[0]:
                name = f"r{name}"  # from, or by, what the draft gives
            return self._append(CALLS[name], others, given)
        if name not in MERGERS:
            raise InvalidValueError(
                f"it takes {len(outputs)} tensors that follow from the images, but of gpucnn's "
                "layers Add and Concatenate alone take several: write it by these"
            )
        return self._append(MERGERS[name], [outputs, *others], given)

    def _enter(self, node: Any, outputs: Sequence[Output], name: str) -> None:
        """Have the draft go on from the first tensor that a node takes, by a layer of a name."""
        taken = [each for each in node.all_input_nodes if self._values[each] is outputs[0]]
        self._draft.resume(outputs[0], is_shared=any(map(is_shared, taken)))
        self._draft.enter(name)

    def _append(
        self, function: Callable[..., None], args: list[Any], options: dict[str, Any]
    ) -> Output:
        """Append what a function is to the draft."""
        try:
            function(self._draft, *args, **options)
        except GpucnnError:
            raise
        except (IndexError, RuntimeError, TypeError, ValueError) as error:
            raise InvalidValueError(
                f"its arguments are not understood ({printable(error)}): leave out those that are "
                "not needed"
            ) from error
        return self._draft.output


def _outputs(values: Sequence[Any]) -> list[Output]:
    """The tensors that follow from images among values, and in lists among them."""
    found: list[Output] = []
    for each in values:
        if isinstance(each, Output):
            found.append(each)
        elif isinstance(each, (list, tuple)):
            inside = _outputs(each)
            if inside and len(inside) < len(each):
                raise InvalidValueError(
                    "it merges what follows from the images with what does not, which no layer of "
                    "gpucnn does: leave that out"
                )
            found += inside
    return found


def _shape(node: Any, args: list[Any], options: dict[str, Any]) -> Any:
    """The shape of a tensor, of a batch of one image, or what is asked of it."""
    shape = 1, *args[0].places.shape
    if node.op == "call_function" and args[1] not in ("shape", "ndim"):
        raise InvalidValueError(f"it asks for {printable(args[1])}: leave it out")
    if name_of_call(node) == "dim" or args[1:] == ["ndim"]:
        return len(shape)
    axis = options.get("dim", args[1] if node.op == "call_method" and args[1:] else None)
    return shape if axis is None else shape[axis]


def _call(node: Any, args: list[Any], options: dict[str, Any]) -> Any:
    """What a call gives of numbers and parameters alone."""
    try:
        if node.op == "call_method":
            return getattr(args[0], node.target)(*args[1:], **options)
        return node.target(*args, **options)
    except Exception as error:
        raise InvalidValueError(f"it cannot be computed ({printable(error)})") from error

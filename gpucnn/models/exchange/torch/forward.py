"""The forward of a module, as `torch.fx` traces it: a graph of nodes, each of which is a call."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gpucnn.errors import GpucnnError, InvalidTypeError, InvalidValueError, printable
from gpucnn.models.exchange.torch.calls import MODULES, VIEWS

SHAPES = {"getattr", "size", "dim"}
"""What asks for the shape of a tensor."""

IN_PLACE = {"iadd", "imul", "isub", "itruediv"}
"""What changes the tensor that it takes, besides methods and functions whose names end in "_"."""


class Forward:
    """What a module computes in inference, call by call.

    Args:
        module: a `torch.nn.Module`.

    Attributes:
        nodes: those by which the output is computed, in order, and that last.
        memory: of each node the first that gives what lies in the same memory.

    Raises:
        GpucnnError: PyTorch is not installed.
        InvalidTypeError: `module` is no module.
        InvalidValueError: it cannot be traced.
    """

    def __init__(self, module: Any) -> None:
        self._traced = _trace(module)
        nodes = list(self._traced.graph.nodes)
        self.memory = self._memories(nodes)
        self.nodes = self._needed(nodes)

    def _memories(self, nodes: list[Any]) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for node in nodes:
            taken = node.all_input_nodes
            is_same = taken and (self.is_in_place(node) or self._function(node) in VIEWS)
            found[node] = found[taken[0]] if is_same else node
        return found

    def _needed(self, nodes: list[Any]) -> list[Any]:
        """What the output takes, and what changes such in its place."""
        *others, output = nodes
        found, wanted = [output], set(output.all_input_nodes)
        for node in reversed(others):
            in_place = self.is_in_place(node) and self.memory[node]
            if node in wanted or any(self.memory[each] is in_place for each in wanted):
                found.append(node)
                wanted.update(node.all_input_nodes)
        return found[::-1]

    def _function(self, node: Any) -> str:
        """The name of the function that a node calls; "" for none."""
        if node.op == "call_module":
            return MODULES.get(kind(self.module(node)), ("",))[0]
        return name_of_call(node) if node.op.startswith("call") else ""

    def is_in_place(self, node: Any) -> bool:
        """Whether a call changes the first tensor that it takes."""
        if node.op == "call_module":
            return bool(getattr(self.module(node), "inplace", False))
        if not node.op.startswith("call"):
            return False
        name = _full_name_of_call(node)
        is_named_so = name in IN_PLACE or (name.endswith("_") and not name.startswith("_"))
        return is_named_so or bool(node.kwargs.get("inplace"))

    def module(self, node: Any) -> Any:
        """The module that a node calls."""
        return self._traced.get_submodule(node.target)

    def attribute(self, node: Any) -> Any:
        """The parameter or buffer that a node gets."""
        value = self._traced
        for each in node.target.split("."):
            value = getattr(value, each)
        return value

    def what(self, node: Any) -> str:
        """A node in words."""
        if node.op == "call_module":
            of_kind = type(self.module(node)).__name__
            return f"the module {name_of_module(node)} ({printable(of_kind)})"
        return f"the call {printable(node.name)} ({printable(name_of_call(node))})"


def _trace(module: Any) -> Any:
    """A `torch.fx.GraphModule` of a Sequential of the module."""
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


def is_shared(node: Any) -> bool:
    """Whether several calls take what a node gives, and not its shape alone."""
    return sum(name_of_call(each) not in SHAPES for each in node.users) > 1


def name_of_module(node: Any) -> str:
    """The name of a module, without that of the Sequential around it."""
    return str(node.target).partition(".")[2]


def kind(module: Any) -> str:
    """The name of a class of PyTorch's; of another that of its class, which is none of them."""
    of_module = type(module)
    is_own = of_module.__module__.startswith("torch.nn.")
    return str(of_module.__name__ if is_own else of_module.__qualname__ + " of your own")


def name_of_call(node: Any) -> str:
    """The name of a function or method, without the "_" of those that work in place.

    That of a function that is neither PyTorch's nor Python's is none of theirs, as for `kind`.
    """
    name = _full_name_of_call(node).rstrip("_")
    if isinstance(node.target, str):
        return name
    place = node.target.__module__ or "torch"  # which some of its functions do not tell
    is_own = place.partition(".")[0] not in ("_operator", "builtins", "torch")
    return name + is_own * " of your own"


def _full_name_of_call(node: Any) -> str:
    return node.target if isinstance(node.target, str) else str(node.target.__name__)

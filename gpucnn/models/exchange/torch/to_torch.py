"""A model as a `torch.nn.Sequential`."""

from collections.abc import Sequence
from typing import Any

from gpucnn.errors import GpucnnError
from gpucnn.layers import AUGMENTATION
from gpucnn.models.exchange.exported import Exported
from gpucnn.models.exchange.torch.layers import modules_of
from gpucnn.models.exchange.torch.modules import Module, Weight, are_chain
from gpucnn.models.exchange.torch.state_dict import to_state_dict
from gpucnn.models.graph import IMAGES
from gpucnn.models.network import unroll
from gpucnn.utils.warn import warn


def modules_of_model(exported: Exported) -> list[Module]:
    """The modules of a model, see `modules_of`."""
    layers, graph = unroll(exported.layers), exported.graph.unrolled(exported.layers)
    return modules_of(layers, graph, exported.input_shape, softmax=exported.softmax)


def to_sequential(exported: Exported) -> Any:
    """A `torch.nn.Sequential` of modules of torch.nn alone, in evaluation, on the CPU.

    Those of a network that branches, but for softmax at its end, are in a `torch.fx.GraphModule`,
    which is the first module of it.

    Raises:
        InvalidTypeError: a layer is not one of the library's.
        InvalidValueError: PyTorch has no module for a layer's input of so many axes.
        GpucnnError: PyTorch is not installed.

    Warns:
        GpucnnWarning: layers that vary images are left out.
    """
    try:
        import torch
    except ImportError as error:
        raise GpucnnError(
            "a module of PyTorch needs the package torch, which is not installed: pip install torch"
        ) from error

    described = modules_of_model(exported)
    left_out = [each.name for each in exported.layers if isinstance(each, AUGMENTATION)]
    if left_out:
        warn(
            f"{', '.join(left_out)} vary images in training, for which torch.nn has no module, and "
            "are left out: vary the images as they are loaded, such as by torchvision"
        )
    state = to_state_dict(described, exported.weights, exported.dtype)
    with torch.random.fork_rng(devices=[]):  # of the initial weights, which are overwritten
        modules = [_made(each) for each in described]
    made = torch.nn.Sequential(*_in_a_row(described, modules, softmax=exported.softmax))
    made.to(getattr(torch, exported.dtype))
    made.load_state_dict({name: torch.from_numpy(values) for name, values in state.items()})
    for module, parameters in zip(described, modules, strict=True):
        for name, parameter in parameters.named_parameters() if parameters else ():
            parameter.requires_grad_(isinstance(module.tensors[name], Weight))
    return made.eval()


def _made(module: Module) -> Any:
    """A module of torch.nn; None for a function."""
    from torch import nn

    return None if module.is_function else getattr(nn, module.kind)(**module.arguments)


def _in_a_row(described: Sequence[Module], modules: Sequence[Any], *, softmax: bool) -> list[Any]:
    """Modules each of which takes the output of the one before it."""
    if are_chain(described):
        return list(modules)
    last = len(modules) - softmax
    return [_joined(described[:last], modules[:last]), *modules[last:]]


def _joined(described: Sequence[Module], modules: Sequence[Any]) -> Any:
    """Modules in one, under their numbers, whose forward calls them, and functions, on each other.

    It is one of `torch.fx`, which can be pickled, and printed as a program (`code`).
    """
    import torch
    from torch import fx

    graph = fx.Graph()
    outputs = {IMAGES: graph.placeholder("images")}
    for number, each in enumerate(described):
        taken = [outputs[before] for before in each.inputs]
        if each.is_function:
            given = taken if each.kind == "add" else [taken]
            function = getattr(torch, each.kind)
            outputs[number] = graph.call_function(function, tuple(given), dict(each.arguments))
        else:
            outputs[number] = graph.call_module(str(number), tuple(taken))
    graph.output(outputs[len(described) - 1])
    numbered = {str(number): each for number, each in enumerate(modules) if each is not None}
    return fx.GraphModule(numbered, graph)

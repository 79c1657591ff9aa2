"""A model as a `torch.nn.Sequential`."""

from typing import Any

from gpucnn.errors import GpucnnError
from gpucnn.layers import AUGMENTATION
from gpucnn.models.exchange.exported import Exported, check_is_chain
from gpucnn.models.exchange.torch.layers import modules_of
from gpucnn.models.exchange.torch.modules import Module, Weight
from gpucnn.models.exchange.torch.state_dict import to_state_dict
from gpucnn.models.network import unroll
from gpucnn.utils.warn import warn


def modules_of_model(exported: Exported) -> list[Module]:
    """The modules of a model, with the errors of `modules_of`.

    Raises:
        InvalidValueError: the model branches.
    """
    check_is_chain(exported.graph, "a Sequential of PyTorch")
    layers = unroll(exported.layers)
    return modules_of(layers, exported.input_shape, softmax=exported.softmax)


def to_sequential(exported: Exported) -> Any:
    """A `torch.nn.Sequential` of modules of torch.nn alone, in evaluation, on the CPU.

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
        made = torch.nn.Sequential(
            *(getattr(torch.nn, each.kind)(**each.arguments) for each in described)
        )
    made.to(getattr(torch, exported.dtype))
    made.load_state_dict({name: torch.from_numpy(values) for name, values in state.items()})
    for module, parameters in zip(described, made, strict=True):
        for name, parameter in parameters.named_parameters():
            parameter.requires_grad_(isinstance(module.tensors[name], Weight))
    return made.eval()

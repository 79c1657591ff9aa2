"""State dicts: the tensors of modules, as arrays under PyTorch's names."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Shape
from gpucnn.errors import InvalidValueError
from gpucnn.models.exchange.torch.modules import Module, Tensor, Weight, are_chain

Arrays = Mapping[str, NDArray[Any]]

GRAPH = 0
"""The number of the module that has all others of a network that branches, but for softmax."""

COUNTER = "num_batches_tracked"
"""The buffer of a batch norm that says how many batches its averages are of."""


# To PyTorch


def to_state_dict(
    modules: Sequence[Module], weights: Arrays, dtype: str
) -> dict[str, NDArray[Any]]:
    """The state dict of a `torch.nn.Sequential` of modules, see `to_torch.to_sequential`.

    Args:
        modules: in order.
        weights: by name.
        dtype: of the tensors.
    """
    within = "" if are_chain(modules) else f"{GRAPH}."
    return {
        f"{within}{number}.{name}": _values(tensor, weights, dtype)
        for number, module in enumerate(modules)
        for name, tensor in module.tensors.items()
    }


def _values(tensor: Tensor, weights: Arrays, dtype: str) -> NDArray[Any]:
    if isinstance(tensor, Weight):
        return np.ascontiguousarray(tensor.to_torch(weights[tensor.name]))
    return tensor if tensor.dtype.kind == "i" else tensor.astype(dtype)


# From PyTorch

Signature = tuple[tuple[str, Shape], ...]
"""The names and shapes of a module's tensors."""


def from_state_dict(modules: Sequence[Module], state: Arrays) -> dict[str, NDArray[Any]]:
    """The weights, by name, of the model that modules stand for.

    A state dict's modules may have any names. They are told apart by the shapes of their tensors,
    and those with the same by their names, if these are those of the layers, or by the numbers in
    them; or, where names differ in more than numbers, by that of the module before each, as in
    `layer2.0.conv1` and `layer2.0.bn1`, or `shortcut.0` and `shortcut.1`.

    Args:
        modules: in order.
        state: the state dict.

    Raises:
        InvalidValueError: tensors are missing or left over, or are of another shape, or it cannot
            be told which are whose, or numbers that are not trained are others.
    """
    weights: dict[str, NDArray[Any]] = {}
    for module, name, tensors in _paired(modules, _by_module(state)):
        for key, tensor in module.tensors.items():
            if isinstance(tensor, Weight):
                weights[tensor.name] = tensor.from_torch(tensors[key])
            elif key != COUNTER and not np.allclose(tensor, tensors[key], rtol=1e-6, atol=0):
                raise InvalidValueError(
                    f"{_full(name, key)} has other numbers than the model, in which they are not "
                    "trained"
                )
    return weights


def _by_module(state: Arrays) -> dict[str, dict[str, NDArray[Any]]]:
    """The tensors of each module by their names, by that of the module."""
    found: dict[str, dict[str, NDArray[Any]]] = defaultdict(dict)
    for name, tensor in state.items():
        module, _, key = name.rpartition(".")
        if key != COUNTER:
            found[module][key] = tensor
    return found


def _paired(
    modules: Sequence[Module], found: Mapping[str, Arrays]
) -> Iterator[tuple[Module, str, Arrays]]:
    """Each module that has weights with the name and the tensors of its counterpart.

    Raises:
        InvalidValueError: they cannot be paired.
    """
    of_model: dict[Signature, list[int]] = defaultdict(list)
    of_state: dict[Signature, list[str]] = defaultdict(list)
    for number, module in enumerate(modules):
        if module.tensors:
            of_model[_signature(module.tensors)].append(number)
    for name in sorted(found, key=_numbers):
        of_state[_signature(found[name])].append(name)
    for signature, numbers in of_model.items():
        if len(numbers) > len(of_state[signature]):  # of the model's own preprocessing
            of_model[signature] = [each for each in numbers if modules[each].has_weights]
    _check_alike(of_model, of_state)
    for number, name in _named(modules, of_model, of_state).items():
        yield modules[number], name, found[name]


def _named(
    modules: Sequence[Module],
    of_model: Mapping[Signature, Sequence[int]],
    of_state: Mapping[Signature, Sequence[str]],
) -> dict[int, str]:
    """The names of modules by their numbers.

    Raises:
        InvalidValueError: it is not clear which is whose.
    """
    named: dict[int, str] = {}
    unclear = []
    for signature, names in of_state.items():
        layers = [modules[number].layer for number in of_model[signature]]
        if sorted(layers) == sorted(names):  # as those of a model that `from_torch` made
            named |= zip(of_model[signature], layers, strict=True)
        elif len({re.sub(r"\d+", "", name) for name in names}) == 1:
            named |= zip(of_model[signature], names, strict=True)
        else:
            unclear.append(signature)
    for signature in unclear:
        numbers, names = of_model[signature], of_state[signature]
        before = [named.get(modules[number].inputs[0]) for number in numbers]
        after = [[name for name in names if _comes_after(each, name)] for each in before]
        if sorted(after) != sorted([name] for name in names):
            raise InvalidValueError(
                f"{' and '.join(names)} have tensors of the same shapes, so that their order is "
                "not clear: name them by numbers, such as 0 and 2"
            )
        named |= zip(numbers, chain(*after), strict=True)
    return named


def _comes_after(first: str | None, second: str) -> bool:
    """Whether names tell that one module comes after another: of one number, or of the next."""
    if first is None:
        return False
    (above, _, one), (above_second, _, other) = first.rpartition("."), second.rpartition(".")
    if above != above_second:
        return False
    is_next = one.isdecimal() and other.isdecimal() and int(other) == int(one) + 1
    return is_next or _numbers(one) == _numbers(other)


def _signature(tensors: Mapping[str, Any]) -> Signature:
    return tuple(sorted((key, _shape(each)) for key, each in tensors.items() if key != COUNTER))


def _shape(tensor: Tensor) -> Shape:
    return tensor.places.shape if isinstance(tensor, Weight) else tensor.shape


def _full(module: str | int, key: str) -> str:
    """The name of a tensor; those of a module itself have no dot."""
    return key if module == "" else f"{module}.{key}"


def _numbers(name: str) -> list[int]:
    return [int(each) for each in re.findall(r"\d+", name)]


def _check_alike(
    of_model: Mapping[Signature, Sequence[int]], of_state: Mapping[Signature, Sequence[str]]
) -> None:
    """Check that there are as many modules of each signature here and there.

    Raises:
        InvalidValueError: it is not so.
    """
    alike = {each for each in of_state if len(of_state[each]) == len(of_model.get(each, ()))}
    theirs, mine = (
        ", ".join(
            f"{_full(name, key)} {shape}"
            for signature, names in group.items()
            if signature not in alike
            for name in names
            for key, shape in signature
        )
        for group in (of_state, of_model)
    )
    if theirs or mine:
        raise InvalidValueError(
            f"it has {theirs or 'nothing'}, where the model's modules have {mine or 'nothing'}"
        )

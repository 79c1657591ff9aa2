"""Arrays as kernels for single elements and reductions are given them: a pointer and a layout."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from gpucnn.simulator.cupy.calls import Handle
from gpucnn.simulator.cupy.kernels.signature import Parameter, Types, ctype, dtype_of

Text = list[str]


def layout(shape: Sequence[int], strides: Sequence[int]) -> Any:
    """`Layout` of carray.cuh."""
    size = prod(shape)
    numbers = [size, *(shape or (0,)), *(strides or (0,))]
    return np.array(numbers, np.int64).view(f"V{8 * len(numbers)}")[0]


def scalar(value: Any, dtype: np.dtype[Any]) -> Any:
    """A number as that of a dtype, as C converts it."""
    with np.errstate(all="ignore"):
        return np.asarray(value).astype(dtype)[()]


class Bound:
    """Parameters with their arguments: what is declared, read and passed for them."""

    def __init__(
        self,
        parameters: Sequence[Parameter],
        arguments: Sequence[Any],
        views: Sequence[Any],
        types: Types,
        constant: bool,
    ) -> None:
        self.parameters: Text = []
        self.arrays: Text = []
        self.elements: list[tuple[str, str]] = []  # a declaration, and the array
        self.passed: list[Any] = []
        for parameter, argument, view in zip(parameters, arguments, views, strict=True):
            self._bind(parameter, argument, view, dtype_of(parameter, types), constant)

    def _bind(
        self, parameter: Parameter, argument: Any, view: Any, dtype: np.dtype[Any], constant: bool
    ) -> None:
        name, kind = parameter.name, ctype(dtype)
        if not isinstance(argument, Handle):
            self.parameters.append(f"const {kind} {name}")
            self.passed.append(scalar(argument, dtype))
            return
        const = "const " if constant else ""
        dimensions = view.ndim
        self.parameters += [f"{const}{kind}* _data_{name}", f"Layout<{dimensions}> _layout_{name}"]
        self.passed += [_Whole(argument, view), layout(view.shape, view.strides)]
        array = name if parameter.is_raw else f"_raw_{name}"
        self.arrays.append(
            f"const CArray<{const}{kind}, {dimensions}> {array}(_data_{name}, _layout_{name});"
        )
        if not parameter.is_raw:
            self.elements.append((f"{const}{kind}& {name}", array))

    def read(self, index: str) -> str:
        """Declarations of the elements at an index."""
        return " ".join(f"{declared} = {array}[{index}];" for declared, array in self.elements)


class _Whole(Handle):
    """A view of an argument, passed as an array of its own."""

    def __init__(self, argument: Handle, view: Any) -> None:
        self.host, self._argument = view, argument

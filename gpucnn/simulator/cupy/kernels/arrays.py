"""Arrays as kernels for single elements and reductions are given them: memory and a layout."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from gpucnn.simulator.cupy.calls import Handle
from gpucnn.simulator.cupy.kernels.signature import Parameter, Types, ctype, dtype_of

Text = list[str]


class Layouts:
    """The layouts of a launch, as one array of the device.

    In structures by themselves they would be taken for what may hide addresses, and the launch
    would be free to access any.
    """

    declared = "const long long* _layouts"

    def __init__(self) -> None:
        self._numbers: list[int] = []

    def shape(self, shape: Sequence[int]) -> str:
        """Add a shape; return where it is, for a `CIndexer`."""
        return self._add(prod(shape), *shape, *(0,) * len(shape))

    def array(self, array: Any, origin: int) -> str:
        """Add an array that begins `origin` bytes behind its memory; for a `CArray`."""
        return self._add(origin, array.size, *array.shape, *array.strides)

    @property
    def passed(self) -> Handle:
        """The argument that is `declared`."""
        return _OnDevice(np.array(self._numbers, np.int64))

    def _add(self, *numbers: int) -> str:
        place = len(self._numbers)
        self._numbers += numbers
        return f"_layouts + {place}"


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
        layouts: Layouts,
        *,
        constant: bool,
    ) -> None:
        self.parameters: Text = []
        self.arrays: Text = []
        self.elements: list[tuple[str, str]] = []  # a declaration, and the array
        self.passed: list[Any] = []
        self._layouts = layouts
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
        memory, origin = _memory_of(view)
        self.parameters.append(f"{const}{kind}* _data_{name}")
        self.passed.append(_OnDevice(memory))
        array = name if parameter.is_raw else f"_raw_{name}"
        layout = self._layouts.array(view, origin)
        self.arrays.append(
            f"const CArray<{const}{kind}, {view.ndim}> {array}(_data_{name}, {layout});"
        )
        if not parameter.is_raw:
            self.elements.append((f"{const}{kind}& {name}", array))

    def read(self, index: str) -> str:
        """Declarations of the elements at an index."""
        return " ".join(f"{declared} = {array}[{index}];" for declared, array in self.elements)


class _OnDevice(Handle):
    """What lies on the device and no user sees, as an argument."""

    def __init__(self, host: Any) -> None:
        self.host = host


def _memory_of(view: Any) -> tuple[Any, int]:
    """A view that begins with the lowest element of another, and the bytes to the other's first."""
    forward = tuple(slice(None, None, -1 if stride < 0 else 1) for stride in view.strides)
    lowest = view[(*forward, ...)]  # an array even without dimensions
    return lowest, view.ctypes.data - lowest.ctypes.data

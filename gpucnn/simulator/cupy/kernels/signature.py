"""The parameters of kernels for single elements and of reductions, and the types they take."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpucnn.simulator.cupy.calls import Handle

CTYPES = {
    "bool": "bool",
    "int8": "signed char",
    "int16": "short",
    "int32": "int",
    "int64": "long long",
    "uint8": "unsigned char",
    "uint16": "unsigned short",
    "uint32": "unsigned int",
    "uint64": "unsigned long long",
    "float16": "__half",
    "float32": "float",
    "float64": "double",
    "complex64": "complex<float>",
    "complex128": "complex<double>",
}
"""The type of CUDA C for each dtype of NumPy."""

_PARAMETER = re.compile(r"(?:(raw)\s+)?(?:_non_const\s+)?(\w+)\s+(\w+)")


@dataclass(frozen=True)
class Parameter:
    """A parameter: `raw T x`."""

    type: str
    """A dtype of NumPy, or a letter that stands for any."""

    name: str
    is_raw: bool

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """Its dtype; None if it is that of the argument."""
        return None if len(self.type) == 1 else np.dtype(self.type)


Types = dict[str, np.dtype[Any]]
"""What the letters stand for."""


def parse(text: str) -> tuple[Parameter, ...]:
    """The parameters of a text.

    Raises:
        ValueError: one is not a type and a name.
        TypeError: its type is neither a letter nor a dtype.
    """
    return tuple(_parse(each.strip()) for each in text.split(",") if each.strip())


def _parse(text: str) -> Parameter:
    found = _PARAMETER.fullmatch(text)
    if not found:
        raise ValueError(
            f"Invalid parameter: {text!r}: give a type and a name, such as 'float32 x'"
        )
    raw, kind, name = found.groups()
    parameter = Parameter(kind, name, bool(raw))
    _ = parameter.dtype  # NumPy has to know it
    return parameter


def resolve(
    parameters: Sequence[Parameter], arguments: Sequence[Any], known: Types | None = None
) -> Types:
    """What the letters stand for, by the dtypes of the arrays among the arguments.

    Raises:
        TypeError: an array is of another dtype than its parameter, or than others of its letter.
    """
    types = dict(known or {})
    for parameter, argument in zip(parameters, arguments, strict=True):
        if not isinstance(argument, Handle):
            continue
        dtype = argument.host.dtype
        expected = parameter.dtype or types.setdefault(parameter.type, dtype)
        if dtype != expected:
            raise TypeError(f"Type is mismatched. {parameter.name} {dtype} {expected}")
    return types


def dtype_of(parameter: Parameter, types: Types) -> np.dtype[Any]:
    """The dtype of a parameter.

    Raises:
        TypeError: no array tells what its letter stands for.
    """
    found = parameter.dtype or types.get(parameter.type)
    if found is None:
        raise TypeError(
            f"the type {parameter.type} of {parameter.name} is not known: give an array of it"
        )
    return found


def ctype(dtype: np.dtype[Any]) -> str:
    """The type of CUDA C for a dtype."""
    return CTYPES[dtype.name]


def typedefs(parameters: Sequence[Parameter], types: Types) -> str:
    """Declarations of what the letters, and names such as float32, stand for."""
    named = {each.type: ctype(dtype_of(each, types)) for each in parameters}
    return "".join(
        f"typedef {kind} {name};\n"
        for name, kind in named.items()
        if name not in ("bool", "float", "int", "double")
    )


def checked(arguments: Sequence[Any]) -> list[Any]:
    """Arguments that are arrays of the device or numbers.

    Raises:
        TypeError: one is neither.
    """
    for each in arguments:
        if not isinstance(each, Handle | np.generic | bool | int | float | complex):
            raise TypeError(f"Unsupported type {type(each)}")
    return list(arguments)

"""The arguments of a launch, checked against the kernel's parameters."""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gpucnn.simulator.errors import SimulatorError

Argument = npt.NDArray[Any] | np.generic | int | float | bool | None
"""An array, passed as a pointer, None for a null pointer, or a value."""

_NUMPY = {"f": "float", "i": "int", "u": "uint"}


class Parameter(ctypes.Structure):
    """A parameter of a kernel, as in runtime.hpp."""

    _fields_ = (
        ("type", ctypes.c_char_p),
        ("pointer", ctypes.c_int),
        ("constant", ctypes.c_int),
        ("kind", ctypes.c_int),
        ("size", ctypes.c_int),
        ("alignment", ctypes.c_int),
    )

    def __str__(self) -> str:
        const = "const " if self.constant else ""
        return f"{const}{self.type.decode()}{'*' if self.pointer else ''}"

    @property
    def dtype(self) -> str:
        """The dtype that an argument has to have, for people."""
        if self.kind == ord("b"):
            return "bool"
        if self.kind == ord("V"):
            return f"structured dtype of {self.size} bytes"
        return f"{_NUMPY[chr(self.kind)]}{8 * self.size}"

    def matches(self, dtype: np.dtype[Any]) -> bool:
        """Whether elements of `dtype` are what this parameter is or points to."""
        if self.kind == 0:
            return True
        return dtype.kind == chr(self.kind) and dtype.itemsize == self.size and dtype.isnative


class Arguments:
    """Arguments as a kernel takes them: an array of pointers to what each parameter is to be.

    Raises:
        SimulatorError: one is not what its parameter takes.
    """

    def __init__(
        self, kernel: str, parameters: Sequence[Parameter], arguments: Sequence[Argument]
    ) -> None:
        if len(arguments) != len(parameters):
            takes = ", ".join(map(str, parameters)) or "none"
            raise SimulatorError(
                f"{kernel} is given {len(arguments)} arguments and takes {len(parameters)}: give "
                f"one for each parameter ({takes})"
            )
        self.values = [
            _value(f"argument {i} of {kernel}", parameter, argument)
            for i, (parameter, argument) in enumerate(zip(parameters, arguments, strict=True))
        ]
        addresses = [value.ctypes.data for value in self.values]
        self.pointers = (ctypes.c_void_p * len(addresses))(*addresses)


def _value(where: str, parameter: Parameter, argument: Argument) -> npt.NDArray[Any]:
    """What the parameter is to be, as an array of one element."""
    if parameter.pointer:
        return np.array([_address(where, parameter, argument)], dtype=np.uintp)
    if isinstance(argument, np.ndarray | None):
        given = "None" if argument is None else "an array"
        raise SimulatorError(
            f"{where} is {given}, and its parameter {parameter}: give a NumPy scalar of "
            f"{parameter.dtype}"
        )
    value = argument if isinstance(argument, np.generic) else _scalar(parameter, argument)
    if value is None or not parameter.matches(value.dtype):
        given = str(value.dtype) if value is not None else f"the Python number {argument}"
        raise SimulatorError(
            f"{where} is {given}, and its parameter {parameter}: give a NumPy scalar of "
            f"{parameter.dtype}"
        )
    return np.array([value])


def _scalar(parameter: Parameter, argument: int | float) -> np.generic | None:
    """A Python number as CuPy passes it, in 64 bits; None if the parameter is something else."""
    dtype = {bool: "bool", int: f"{chr(parameter.kind)}8", float: "f8"}.get(type(argument))
    if dtype is None or not parameter.matches(np.dtype(dtype)):
        return None
    try:
        return np.dtype(dtype).type(argument)  # type: ignore[no-any-return]
    except OverflowError:
        return None


def _address(where: str, parameter: Parameter, argument: Argument) -> int:
    if argument is None:
        return 0
    needs = f"and its parameter {parameter}"
    if not isinstance(argument, np.ndarray):
        raise SimulatorError(f"{where} is {argument!r}, {needs}: give an array, or None for null")
    if not parameter.matches(argument.dtype):
        raise SimulatorError(
            f"{where} is an array of {argument.dtype}, {needs}: give one of {parameter.dtype}"
        )
    if not argument.flags.c_contiguous:
        raise SimulatorError(f"{where} is not C-contiguous: give np.ascontiguousarray of it")
    if not (argument.flags.writeable or parameter.constant):
        raise SimulatorError(f"{where} is read-only, {needs}: give an array that may be written")
    if argument.ctypes.data % parameter.alignment:
        raise SimulatorError(
            f"{where} begins at no multiple of {parameter.alignment} bytes, {needs}: give an array "
            "that does"
        )
    return argument.ctypes.data

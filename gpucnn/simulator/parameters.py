"""The arguments of a launch: checking them against the kernel's parameters, and passing them."""

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

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
        """The required dtype of an argument, for messages."""
        if self.kind == ord("b"):
            return "bool"
        if self.kind == ord("V"):
            return f"structured dtype of {self.size} bytes"
        return f"{_NUMPY[chr(self.kind)]}{8 * self.size}"

    @property
    def may_hold_pointers(self) -> bool:
        """Whether it is, or points to, a struct with room for an address.

        One that begins at multiples of 2 or 4 bytes has none; one of any alignment may be packed.
        """
        has_room = self.size >= ctypes.sizeof(ctypes.c_void_p)
        return self.type == b"struct" and has_room and self.alignment not in (2, 4)

    def _is_real_of(self, size: int) -> bool:
        return (self.kind, self.size) == (ord("f"), size)

    def matches(self, dtype: np.dtype[Any]) -> bool:
        """Whether `dtype` is that of this parameter, or of the elements that it points to."""
        if self.kind == 0:
            return True
        if self.pointer and dtype.kind == "c":  # pairs of reals, as float2 or a struct of two
            return self.kind == ord("V") or self._is_real_of(dtype.itemsize // 2)
        return dtype.kind == chr(self.kind) and dtype.itemsize == self.size and dtype.isnative


class Memory(NamedTuple):
    """Where an array lies: its address, and the bytes of it and of an element."""

    address: int
    size: int
    element: int


class Arguments:
    """Arguments in the form that a kernel takes: an array of pointers to their values.

    Attributes:
        values: an array of one element for each argument: its value, or the address for a pointer.
        pointers: the addresses of `values`.
        arrays: where each array lies, by its place.
        hides_pointers: whether the kernel may be given addresses of memory besides `arrays`: in a
            structure, or in an array of them.

    Raises:
        SimulatorError: an argument does not match its parameter.
    """

    def __init__(
        self, kernel: str, parameters: Sequence[Parameter], arguments: Sequence[Argument]
    ) -> None:
        check_count(kernel, parameters, arguments)
        self.values = [
            _value(f"argument {i} of {kernel}", parameter, argument)
            for i, (parameter, argument) in enumerate(zip(parameters, arguments, strict=True))
        ]
        self.arrays = {
            i: Memory(argument.ctypes.data, argument.nbytes, max(1, argument.itemsize))
            for i, (parameter, argument) in enumerate(zip(parameters, arguments, strict=True))
            if parameter.pointer and isinstance(argument, np.ndarray)
        }
        self.hides_pointers = any(
            _hides_pointers(parameter, argument)
            for parameter, argument in zip(parameters, arguments, strict=True)
        )
        addresses = [value.ctypes.data for value in self.values]
        self.pointers = (ctypes.c_void_p * len(addresses))(*addresses)


def check_count(
    kernel: str,
    parameters: Sequence[Parameter],
    arguments: Sequence[Any],
    error: type[SimulatorError] = SimulatorError,
) -> None:
    """Check that there is an argument for each parameter.

    Raises:
        error: there are fewer or more.
    """
    if len(arguments) != len(parameters):
        takes = ", ".join(map(str, parameters)) or "none"
        raise error(
            f"{kernel} is given {len(arguments)} arguments and takes {len(parameters)}: give one "
            f"for each parameter ({takes})"
        )


def _hides_pointers(parameter: Parameter, argument: Argument) -> bool:
    if parameter.pointer and not (argument is None or isinstance(argument, np.ndarray)):
        return True
    return parameter.type == b"pointer" or parameter.may_hold_pointers


def _value(where: str, parameter: Parameter, argument: Argument) -> npt.NDArray[Any]:
    """The value to pass for a parameter, as an array of one element."""
    if parameter.pointer:
        return np.array([_address(where, parameter, argument)], dtype=np.uintp)
    value = argument if isinstance(argument, np.generic) else _scalar(parameter, argument)
    if value is None or not parameter.matches(value.dtype):
        raise SimulatorError(
            f"{where} is {_described(argument)}, and its parameter {parameter}: give a NumPy "
            f"scalar of {parameter.dtype}"
        )
    return np.array([value])


def _scalar(parameter: Parameter, argument: object) -> np.generic | None:
    """A struct, or a Python number in 64 bits, as CuPy passes them; None for anything else."""
    if isinstance(argument, np.ndarray) and argument.dtype.kind == "V" and argument.size == 1:
        return argument.flat[0]  # type: ignore[no-any-return]
    if isinstance(argument, bool):
        return np.bool_(argument)
    if isinstance(argument, float):
        return np.float64(argument)
    integer = np.uint64 if parameter.kind == ord("u") else np.int64
    limits = np.iinfo(integer)
    if isinstance(argument, int) and limits.min <= argument <= limits.max:
        return integer(argument)
    return None


def _described(argument: object) -> str:
    if isinstance(argument, np.ndarray):
        return "an array"
    if isinstance(argument, np.generic):
        return str(argument.dtype)
    return "None" if argument is None else f"{argument!r}, a Python {type(argument).__name__}"


def _address(where: str, parameter: Parameter, argument: Argument) -> int:
    if argument is None:
        return 0
    needs = f"and its parameter {parameter}"
    if not isinstance(argument, np.ndarray):
        raise SimulatorError(
            f"{where} is {_described(argument)}, {needs}: give an array, or None for null"
        )
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

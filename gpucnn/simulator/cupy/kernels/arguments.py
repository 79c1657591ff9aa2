"""The arguments of a launch, as CuPy passes them.

CuPy checks no type: it hands over the address of an array, whatever its dtype and strides, and the
bytes of a number, of which the kernel takes as many as its parameter has. Where it would take bytes
that mean something else, as those of a double for a float, the launch is refused here.
"""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from gpucnn.simulator.cupy.calls import Handle
from gpucnn.simulator.cupy.errors import CUDADriverError
from gpucnn.simulator.cupy.memory import MemoryPointer, pointer_at
from gpucnn.simulator.cupy.textures import SurfaceObject, TextureObject
from gpucnn.simulator.parameters import Parameter, check_count

_WHOLE = "biu"  # kinds of whole numbers


def passed(kernel: str, parameters: Sequence[Parameter], args: Sequence[Any]) -> tuple[Any, ...]:
    """The arguments that the simulator takes for those that CuPy is given.

    Raises:
        TypeError: CuPy does not take an argument of that type.
        CUDADriverError: the kernel would read other bytes than it was given, or bytes of another
            meaning.
    """
    check_count(kernel, parameters, args, CUDADriverError)
    return tuple(
        _pointer(f"argument {i} of {kernel}", parameter, argument)
        if parameter.pointer
        else _value(f"argument {i} of {kernel}", parameter, argument)
        for i, (parameter, argument) in enumerate(zip(parameters, args, strict=True))
    )


def _pointer(where: str, parameter: Parameter, argument: Any) -> Any:
    """An array of the parameter's dtype, or None for a null pointer."""
    if argument is None or (isinstance(argument, int) and argument == 0):
        return None
    if isinstance(argument, Handle):
        return _from(argument.host, parameter)
    if isinstance(argument, int | np.integer):
        argument = pointer_at(int(argument))
    if isinstance(argument, MemoryPointer):
        return _from(argument.contents, parameter)
    _refuse_array(argument)
    raise CUDADriverError(
        f"{where} is {argument!r}, of {type(argument).__name__}, which the kernel would take for "
        f"the address of its {parameter}: give an array of the device"
    )


def _from(host: Any, parameter: Parameter) -> Any:
    """What lies from an array's first element to its end, whatever its strides, as a vector."""
    dtype = _dtype(parameter)
    if host.dtype == dtype and host.flags.c_contiguous and host.flags.writeable:
        return host
    end = np.lib.array_utils.byte_bounds(host)[1] if host.size else host.ctypes.data
    count = (end - host.ctypes.data) // dtype.itemsize
    memory = (ctypes.c_char * (count * dtype.itemsize)).from_address(host.ctypes.data)
    memory.owner = host
    return np.frombuffer(memory, dtype)


def _dtype(parameter: Parameter) -> np.dtype[Any]:
    kind = chr(parameter.kind) if parameter.kind else "u"
    return np.dtype(f"{kind}{parameter.size}")


def _value(where: str, parameter: Parameter, argument: Any) -> np.generic:
    """A number or a struct, of which the kernel takes as many bytes as its parameter has."""
    number = _number(argument)
    dtype = _dtype(parameter)
    size = number.dtype.itemsize
    if dtype.kind == "V" and size == dtype.itemsize:
        return _first(number, dtype)
    if dtype.kind in _WHOLE and number.dtype.kind in _WHOLE and size >= dtype.itemsize:
        if _fits(int(number), dtype.itemsize):
            return _first(number, dtype)
    elif number.dtype == dtype:
        return number
    raise CUDADriverError(
        f"{where} is {argument!r}, which is passed as {number.dtype}, and the kernel reads the "
        f"bytes of {parameter}: give numpy.{parameter.dtype}"
        if dtype.kind != "V"
        else f"{where} has {size} bytes, and its parameter {dtype.itemsize}: give a struct of that"
    )


def _number(argument: Any) -> np.generic:
    """The scalar whose bytes CuPy passes."""
    if isinstance(argument, Handle):
        return np.uint64(argument.host.ctypes.data)
    if isinstance(argument, MemoryPointer | TextureObject | SurfaceObject):
        return np.uint64(argument.ptr)
    if isinstance(argument, np.ndarray):
        _refuse_array(argument)
        return argument.reshape(1)[0]  # type: ignore[no-any-return]
    if isinstance(argument, np.generic):
        return argument
    if isinstance(argument, bool):
        return np.bool_(argument)
    if isinstance(argument, int):
        return np.int64(argument) if argument < 2**63 else np.uint64(argument)
    if isinstance(argument, float):
        return np.float64(argument)
    if isinstance(argument, complex):
        return np.complex128(argument)
    raise TypeError(f"Unsupported type {type(argument)}")


def _refuse_array(argument: Any) -> None:
    if isinstance(argument, np.ndarray) and argument.size != 1:
        raise TypeError(
            f"You are trying to pass a numpy.ndarray of shape {argument.shape} as a kernel "
            "parameter. Only numpy.ndarrays of size one can be passed by value. If you meant to "
            "pass a pointer to __global__ memory, you need to pass a cupy.ndarray instead."
        )


def _first(number: np.generic, dtype: np.dtype[Any]) -> np.generic:
    """The scalar of `dtype` in the first bytes of `number`, as a little-endian device reads it."""
    return np.frombuffer(number.tobytes(), dtype, 1)[0]  # type: ignore[no-any-return]


def _fits(number: int, size: int) -> bool:
    return -(1 << 8 * size - 1) <= number < 1 << 8 * size

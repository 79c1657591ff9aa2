"""Launching kernels by the table: arguments checked, scalars cast, modules compiled once."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gpucnn.cuda.runtime import Function, Runtime
from gpucnn.cuda.sources import REALS, compile_options, source
from gpucnn.cuda.table import KERNELS, ArrayParameter, Kernel, value
from gpucnn.errors import InvalidTypeError, InvalidValueError

Arguments = Mapping[str, Any]
Values = dict[str, Any]  # of dimensions and of scalar parameters, by name

LARGEST_GRID = (2**31 - 1, 65535, 65535)  # CUDA's limits, of all architectures since 3.0


class Launcher:
    """Launches the kernels of the table on a runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._functions: dict[tuple[str, str], Function] = {}

    def __call__(self, name: str, **arguments: Any) -> None:
        """Launch a kernel; nothing happens where it would have nothing to write.

        Args:
            name: the kernel's in the table.
            arguments: its parameters by name; scalars that follow from the arrays' shapes, and
                dimensions that do not, may be left out or given.

        Raises:
            InvalidTypeError: an argument is not an array of the device, or of another dtype.
            InvalidValueError: a shape does not fit the others, an array is not contiguous, or the
                launch is larger than a device can run.
        """
        kernel = KERNELS[name]
        arrays = {
            key: parameter
            for key, parameter in kernel.parameters.items()
            if isinstance(parameter, ArrayParameter)
            and not (parameter.optional and arguments[key] is None)
        }
        for key in arrays:
            self._check_device(f"the argument {key} of the kernel {name}", arguments[key])
        real = _real(arrays, arguments)
        values = {key: given for key, given in arguments.items() if _is_number(given)}
        for key, parameter in arrays.items():
            what = f"the argument {key} of the kernel {name}"
            _check_memory(what, arguments[key], _dtype(parameter.dtype, real))
            _check_shape(what, arguments[key], parameter.shape, values)
        grid = kernel.grid(values)
        _check_size(kernel, grid, values)
        if 0 in grid:
            return
        passed = tuple(
            arguments[key]
            if isinstance(parameter, ArrayParameter)
            else _dtype(parameter.dtype, real).type(values[key])
            for key, parameter in kernel.parameters.items()
        )
        with self._runtime.active():
            self._function(kernel, real)(grid, (kernel.threads,), passed)

    def _function(self, kernel: Kernel, real: str) -> Function:
        key = kernel.name, real
        if key not in self._functions:
            options = compile_options(kernel, real)
            module = self._runtime.load(source(kernel.file), options)
            self._functions[key] = module.get_function(kernel.function)
        return self._functions[key]

    def _check_device(self, what: str, array: Any) -> None:
        if not self._runtime.holds(array):
            raise InvalidTypeError(
                f"{what} is of the type {type(array).__name__}, or on another device: give an "
                f"array on {self._runtime.device}"
            )


def _is_number(argument: Any) -> bool:
    return isinstance(argument, (int, float, np.number))


def _dtype(name: str, real: str) -> "np.dtype[Any]":
    return np.dtype(real if name == "real" else name)


def _real(arrays: Mapping[str, ArrayParameter], arguments: Arguments) -> str:
    """The dtype of the launch's reals: that of the first array of reals, float32 without any."""
    of_reals = (arguments[key] for key, each in arrays.items() if each.dtype == "real")
    first = next(of_reals, None)
    return str(first.dtype) if first is not None and str(first.dtype) in REALS else "float32"


def _check_memory(what: str, array: Any, dtype: "np.dtype[Any]") -> None:
    if array.dtype != dtype:
        raise InvalidTypeError(f"{what} has the dtype {array.dtype}, not {dtype}")
    if not array.flags.c_contiguous:
        raise InvalidValueError(f"{what} is not C-contiguous: give a contiguous copy")


def _check_shape(what: str, array: Any, expected: tuple[str, ...], values: Values) -> None:
    """Hold an array's shape to the table's, and learn the dimensions that it is the first to tell.

    Raises:
        InvalidValueError: the shapes differ.
    """
    shape = array.shape
    if expected[0].startswith("*"):
        shape, expected = (array.size,), (expected[0][1:],)
    if len(shape) == len(expected):
        for dimension, length in zip(expected, shape, strict=True):
            if dimension.isidentifier():
                values.setdefault(dimension, length)
        lengths = tuple(value(each, values) for each in expected)
        if shape == lengths:
            return
        expected = tuple(map(str, lengths))
    raise InvalidValueError(f"{what} has the shape {array.shape}, not ({', '.join(expected)})")


def _check_size(kernel: Kernel, grid: tuple[int, ...], values: Values) -> None:
    """Refuse what a device cannot run, or a kernel cannot count."""
    if any(blocks > most for blocks, most in zip(grid, LARGEST_GRID, strict=False)):
        raise InvalidValueError(
            f"the kernel {kernel.name} would need a grid of {grid} blocks, but a device runs at "
            f"most {LARGEST_GRID}: use smaller images or batches"
        )
    for product in kernel.small:
        if value(product, values) >= 2**31:
            raise InvalidValueError(
                f"{product} is {value(product, values)} for the kernel {kernel.name}, which counts "
                "to 2^31 - 1: use smaller images or windows"
            )

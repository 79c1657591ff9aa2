"""Launching kernels: arguments are checked, scalars cast and modules compiled, all once."""

from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from math import prod
from threading import get_ident
from typing import Any, NamedTuple

import numpy as np

from gpucnn.backends.cuda.kernel import REALS, Constants, Form, Kernel, value
from gpucnn.backends.cuda.runtime import Function, Runtime
from gpucnn.backends.cuda.sources import REAL, KernelParameter, source
from gpucnn.backends.window import Window
from gpucnn.errors import InvalidTypeError, InvalidValueError

Arguments = dict[str, Any]
Values = dict[str, Any]  # the values of sizes and scalar parameters, by name

LARGEST_GRID = (2**31 - 1, 65535, 65535)
"""CUDA's limits on blocks along each axis, for all architectures since 3.0."""


MOST_PLANS = 10_000
"""The launches that a launcher remembers at once."""


class Launcher:
    """Launches kernels on a runtime.

    What a launch needs is worked out once: later launches whose arrays have the same shapes and
    dtypes, and whose scalars are the same, follow the plan of the first.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._traits = runtime.traits
        self._plans: dict[Hashable, _Plan] = {}
        self._noted: dict[int, list[Any]] = {}  # by thread, see `noting_arrays`
        self._functions: dict[tuple[Kernel, str, tuple[int, ...]], Function] = {}

    def __call__(self, form: Form, values: tuple[Any, ...]) -> None:
        """Launch a kernel; do nothing if its grid is empty.

        Args:
            form: the kernel, and the names of its arguments, with those of the sizes that do not
                follow from the shapes of its arrays. Scalars that follow may be left out.
            values: of the arguments.

        Raises:
            InvalidTypeError: an argument is not an array on the device, or has a wrong dtype.
            InvalidValueError: a shape does not fit the others, an array is not contiguous, or the
                launch is larger than a device can run.
        """
        plan = self._known(form, values) or self._plan(form, values)
        if plan.function is None:
            return
        passed = plan.scalars.copy()
        for index, place in plan.arrays:
            passed[index] = values[place]
        if self._noted and (noted := self._noted.get(get_ident())) is not None:
            noted += (values[place] for _, place in plan.arrays)
        with self._runtime.active():
            plan.function(plan.grid, plan.block, tuple(passed))

    @contextmanager
    def noting_arrays(self) -> Iterator[list[Any]]:
        """Collect the arrays of all launches by this thread in this context."""
        thread = get_ident()
        arrays: list[Any] = []
        self._noted[thread] = arrays
        try:
            yield arrays
        finally:
            del self._noted[thread]

    def _known(self, form: Form, values: tuple[Any, ...]) -> "_Plan | None":
        """The plan of an earlier launch like this one."""
        try:
            return self._plans.get(self._key(form, values))
        except (AttributeError, TypeError):  # no arrays, or values that cannot be a key
            return None

    def _key(self, form: Form, values: tuple[Any, ...]) -> Hashable:
        """All that the plan of a launch depends on."""
        key: list[Any] = [form, *values]
        traits = self._traits
        for place in form.arrays:
            if values[place] is not None:
                key[place + 1] = traits(values[place])
        for place in form.reals:
            key[place + 1] = values[place] or repr(values[place])  # since 0.0 == -0.0
        return tuple(key)

    def _plan(self, form: Form, values: tuple[Any, ...]) -> "_Plan":
        """Check a launch and plan it, for later ones like it too."""
        kernel, arguments = form.kernel, dict(zip(form.names, values, strict=True))
        arrays = list(_given_arrays(kernel, arguments))
        for given in arrays:
            self._check_device(given)
        real = _real(arrays)
        sizes = _values(arguments)
        _check_arrays(arrays, real, sizes)
        grid = kernel.grid(sizes)
        _check_size(kernel, grid, sizes)
        function = None if 0 in grid else self._function(kernel, real, sizes)
        scalars = list(_scalars(kernel, arguments, sizes, real))
        plan = _Plan(function, grid, (kernel.threads,), scalars, list(_places(form, arguments)))
        if len(self._plans) == MOST_PLANS:
            self._plans.clear()
        self._plans[self._key(form, values)] = plan
        return plan

    def _function(self, kernel: Kernel, real: str, values: Values) -> Function:
        key = kernel, real, tuple(values[name] for name in kernel.constants)
        if key not in self._functions:
            with self._runtime.active():
                module = self._runtime.load(source(kernel.file), kernel.options(real, values))
                self._functions[key] = module.get_function(kernel.function)
        return self._functions[key]

    def _check_device(self, given: "_Given") -> None:
        if not self._runtime.holds(given.array):
            raise InvalidTypeError(
                f"{given.what} is of the type {type(given.array).__name__}, or on another device: "
                f"give an array on {self._runtime.device}"
            )


class _Plan(NamedTuple):
    """A launch without its arrays.

    Attributes:
        function: the loaded kernel; None if there is nothing to do.
        grid: the number of blocks along each axis.
        block: the number of threads.
        scalars: what the kernel is passed, in order, with None in the place of each array.
        arrays: the index there, and among the arguments, of each array that is not a null pointer.
    """

    function: Function | None
    grid: tuple[int, ...]
    block: tuple[int, ...]
    scalars: list[Any]
    arrays: list[tuple[int, int]]


class _Given(NamedTuple):
    """An array argument of a launch, its parameter, and the shape that the kernel declares."""

    what: str
    array: Any
    parameter: KernelParameter
    shape: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the sizes in the declared shape."""
        return tuple(name.removeprefix("*") for name in self.shape)

    @property
    def lengths(self) -> tuple[int, ...]:
        """The array's value for each of these sizes; a star takes all remaining axes."""
        shape: tuple[int, ...] = self.array.shape
        if not self.shape[-1].startswith("*"):
            return shape
        before = len(self.shape) - 1
        return *shape[:before], prod(shape[before:])


def sizes_of(kernel: Kernel, arguments: Arguments) -> Values:
    """The values of the sizes and scalars of a launch, by name.

    Args:
        kernel: what is launched.
        arguments: those of the launch, by name, which fit the kernel.
    """
    values = _values(arguments)
    for given in _given_arrays(kernel, arguments):
        _add_sizes(given, values)
    return values


def _given_arrays(kernel: Kernel, arguments: Arguments) -> Iterator[_Given]:
    for name, parameter in kernel.parameters.items():
        if parameter.is_array and not (parameter.is_optional and arguments[name] is None):
            what = f"the argument {name} of the kernel {kernel.name}"
            yield _Given(what, arguments[name], parameter, kernel.shapes[name])


def _values(arguments: Arguments) -> Values:
    """The scalars among the arguments, the fields of a window, and constants, by name."""
    values = {name: number for name, number in arguments.items() if _is_number(number)}
    for argument in arguments.values():
        if isinstance(argument, Window):
            values |= argument.fields
        elif isinstance(argument, Constants):
            values |= argument.values
    return values


def _is_number(argument: Any) -> bool:
    return isinstance(argument, (int, float, np.number, np.bool_))


def _dtype(dtype: "str | np.dtype[np.void]", real: str) -> "np.dtype[Any]":
    return np.dtype(real if dtype == REAL else dtype)


def _real(arrays: Iterable[_Given]) -> str:
    """The dtype of the reals of a launch, taken from the first array of reals, else float32."""
    of_reals = (str(each.array.dtype) for each in arrays if each.parameter.dtype == REAL)
    first = next(of_reals, "float32")
    return first if first in REALS else "float32"


def _check_arrays(arrays: Iterable[_Given], real: str, values: Values) -> None:
    """Check arrays against the declared shapes, and add the sizes that follow to `values`."""
    for given in arrays:
        _check_memory(given, _dtype(given.parameter.dtype, real))
        _add_sizes(given, values)
    for given in arrays:
        expected = tuple(value(name, values) for name in given.names)
        if given.lengths != expected:
            raise InvalidValueError(
                f"{given.what} has the shape {given.array.shape}, not {expected}"
            )


def _check_memory(given: _Given, dtype: "np.dtype[Any]") -> None:
    if given.array.dtype != dtype:
        raise InvalidTypeError(f"{given.what} has the dtype {given.array.dtype}, not {dtype}")
    if not given.array.flags.c_contiguous:
        raise InvalidValueError(f"{given.what} is not C-contiguous: give a contiguous copy")


def _add_sizes(given: _Given, values: Values) -> None:
    """Add the sizes that follow from the array to `values`, where they are not known yet."""
    if len(given.names) != len(given.lengths):
        names = ", ".join(given.names)
        raise InvalidValueError(f"{given.what} has the shape {given.array.shape}, not ({names})")
    for name, length in zip(given.names, given.lengths, strict=True):
        if name.isidentifier():
            values.setdefault(name, length)


def _scalars(kernel: Kernel, arguments: Arguments, values: Values, real: str) -> Iterator[Any]:
    """The kernel's parameters in order: scalars cast to their types, None for each array."""
    for name, parameter in kernel.parameters.items():
        argument = arguments.get(name)
        if parameter.is_array:
            yield None
        elif isinstance(argument, Window):
            yield argument.struct
        else:
            yield _dtype(parameter.dtype, real).type(values[name])


def _places(form: Form, arguments: Arguments) -> Iterator[tuple[int, int]]:
    """The index among the parameters, and among the arguments, of each array that is given."""
    for index, (name, parameter) in enumerate(form.kernel.parameters.items()):
        if parameter.is_array and arguments[name] is not None:
            yield index, form.names.index(name)


def _check_size(kernel: Kernel, grid: tuple[int, ...], values: Values) -> None:
    """Refuse a launch that a device cannot run, or whose sizes overflow in the kernel."""
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

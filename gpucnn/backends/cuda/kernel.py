"""Kernels as attributes of a backend, which describe what their sources do not say.

A shape is a list of sizes, each a name or a product of names, such as "rows*columns". A name has
one value in all shapes of a launch, in the scalar parameter of that name, and in the field of a
window, so most scalars follow from the arrays and need not be given. A last size with a leading
star stands for all remaining axes: "*size" is any shape of `size` elements in all.

A kernel may be compiled for the values that some of these names have in a launch: its constants.
Then loops over them unroll, divisions by them are multiplications, and arrays of that many elements
lie in registers.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from inspect import Parameter as Argument
from inspect import signature
from math import prod
from types import MethodType
from typing import Any, Protocol

from gpucnn.backends.cuda.sources import KernelParameter, signatures
from gpucnn.utils.arithmetic import ceil_div

Sizes = Mapping[str, int]
Grid = Callable[[Sizes], tuple[int, ...]]
Samples = Callable[[str], Sequence[Sizes]]

WARP = 32
"""Threads that run in lockstep."""

THREADS = 256
"""Threads per block, unless a kernel says otherwise."""

MULTIPROCESSORS = 132
"""The multiprocessors that work is shared out over, an H100's: the same for every device, so that a
sum is split the same way on each."""

ITEMS = {"ITEMS": 4}
"""The macros of kernels that include elements.cuh: the elements per thread."""

PER_BLOCK = THREADS * ITEMS["ITEMS"]
"""Elements per block of such a kernel."""

REALS = {"float32": "float", "float64": "double"}
"""The C types of reals, by dtype."""


class Constants:
    """The values of a kernel's constants, by name, given to a launch as one argument.

    Launches with one object are alike without a look at its values; so it is to be kept from launch
    to launch.
    """

    def __init__(self, values: Sizes) -> None:
        self.values = dict(values)


class Form:
    """A form of call of a kernel: which arguments are given, in which order.

    Attributes:
        kernel: the kernel.
        names: the names of the arguments.
        defaults: the values of the last ones, where the call leaves them out.
    """

    def __init__(self, kernel: "Kernel", names: tuple[str, ...], defaults: tuple[Any, ...]) -> None:
        self.kernel, self.names, self.defaults = kernel, names, defaults

    @cached_property
    def arrays(self) -> tuple[int, ...]:
        """The indices of arrays among the arguments."""
        return self._indices(lambda parameter: parameter.is_array)

    @cached_property
    def reals(self) -> tuple[int, ...]:
        """The indices of real scalars among the arguments."""
        return self._indices(lambda parameter: not parameter.is_array and parameter.is_real)

    def _indices(self, are: Callable[[KernelParameter], bool]) -> tuple[int, ...]:
        parameters = self.kernel.parameters
        given = [name in parameters and are(parameters[name]) for name in self.names]
        return tuple(index for index, is_one in enumerate(given) if is_one)


class Launching(Protocol):
    """An object whose class has kernels as attributes."""

    def launch(self, form: Form, values: tuple[Any, ...]) -> None:
        """Launch a kernel with the values of its arguments, in the order of the form of call."""


def no_constants(real: str) -> Sequence[Sizes]:
    """The samples of a kernel without constants: one, of no values."""
    return ({},)


class Kernel:
    """A kernel, made by `kernel` as an attribute of a class: a method that launches it.

    Attributes:
        name: the name of the attribute, without leading underscores.
        file: the source file, in `kernels/`.
        threads: the threads per block.
        constants: the names whose values in a launch are macros of the compilation.
        samples: values of the constants by the dtype of reals, for what compiles kernels without a
            launch.
    """

    name = ""

    def __init__(
        self,
        file: str,
        shapes: Mapping[str, str],
        grid: Grid,
        threads: int,
        macros: Mapping[str, int],
        small: tuple[str, ...],
        function: str | None,
        constants: tuple[str, ...] = (),
        samples: Samples = no_constants,
    ) -> None:
        self.file, self.grid, self.threads = file, grid, threads
        self.shapes = {name: tuple(shape.split()) for name, shape in shapes.items()}
        self.small = small
        self.constants, self.samples = constants, samples
        self._macros, self._function = macros, function
        self._arguments: tuple[str, ...] = ()  # those of the operation that it overrides
        self._positional: tuple[str, ...] = ()
        self._defaults: dict[str, Any] = {}
        self._forms: dict[tuple[object, ...], Form] = {}  # by arguments in order, and by name

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name.lstrip("_")
        definition = next((vars(c)[name] for c in owner.__mro__[1:] if name in vars(c)), None)
        if definition is not None:  # the operation that it overrides
            self.__signature__ = signature(definition)
            given = list(self.__signature__.parameters.values())[1:]
            self._arguments = tuple(each.name for each in given)
            self._positional = tuple(e.name for e in given if e.kind is not Argument.KEYWORD_ONLY)
            self._defaults = {e.name: e.default for e in given if e.default is not Argument.empty}

    def __get__(self, backend: object, owner: type | None = None) -> Any:
        return self if backend is None else MethodType(self, backend)

    def __call__(self, backend: Launching, *arguments: Any, **named: Any) -> None:
        """Launch it with the arguments of the operation that it overrides, or all by name.

        Raises:
            TypeError: the arguments are not those of the operation.
        """
        key = len(arguments), *named
        form = self._forms.get(key)
        if form is None:
            form = self._forms[key] = self._form(arguments, named)
        backend.launch(form, (*arguments, *named.values(), *form.defaults))

    def _form(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> Form:
        given = dict(zip(self._positional, arguments, strict=False)) | named
        left_out = {name: value for name, value in self._defaults.items() if name not in given}
        is_once = len(given) == len(arguments) + len(named)
        if not is_once or not self._are_all(given | left_out):
            self._refuse(arguments, named)
        return Form(self, (*given, *left_out), tuple(left_out.values()))

    def _are_all(self, given: dict[str, Any]) -> bool:
        """Whether arguments are those of the operation; or else parameters, sizes and constants."""
        return given.keys() == self._known if self._arguments else given.keys() <= self._known

    def _refuse(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        if self._arguments:
            self.__signature__.bind(None, *arguments, **named)  # which takes longer than a check
        raise TypeError(f"the kernel {self.name} takes its parameters by name, not {[*named]}")

    @cached_property
    def _known(self) -> frozenset[str]:
        """The arguments of the operation; or else the parameters, sizes and constants."""
        if self._arguments:
            return frozenset(self._arguments)
        sizes = (size.removeprefix("*") for shape in self.shapes.values() for size in shape)
        names = (name for size in sizes for name in size.split("*"))
        return frozenset(self.parameters).union(names, self.constants, ["constants"])

    @property
    def function(self) -> str:
        """The name of the kernel in the source."""
        return self._function or self.name

    @cached_property
    def parameters(self) -> Mapping[str, KernelParameter]:
        """The parameters by name, in order, read from the source."""
        return signatures(self.file)[self.function]

    def options(self, real: str, values: Sizes) -> tuple[str, ...]:
        """The compiler's options for reals of dtype `real` and the constants' `values`."""
        constants = {name.upper(): values[name] for name in self.constants}
        macros = {"REAL": REALS[real], "THREADS": self.threads, **self._macros, **constants}
        return tuple(f"-D{name}={value}" for name, value in macros.items())


def kernel(
    file: str,
    shapes: Mapping[str, str],
    grid: Grid,
    *,
    threads: int = THREADS,
    macros: Mapping[str, int] | None = None,
    small: tuple[str, ...] = (),
    function: str | None = None,
    constants: tuple[str, ...] = (),
    samples: Samples = no_constants,
) -> Any:
    """Make a kernel as an attribute of a class, where it overrides the method of its name, if any.

    Args:
        file: the source file, in `kernels/`.
        shapes: the shapes of the array parameters, by name, as described above.
        grid: computes the number of blocks along up to three axes from the sizes of a launch.
        threads: the threads per block.
        macros: the macros that it is compiled with, besides REAL and THREADS.
        small: products of sizes that the kernel computes in 32 bits, which must be below 2^31.
        function: the name of the kernel in the source; None for the name of the attribute.
        constants: sizes, scalars and fields of a window, all integers, for whose values in a launch
            the kernel is compiled: each is a macro, in upper case. Those that are not parameters of
            the kernel are given by name like those that are, or together as `constants`.
        samples: gives values of the constants, by the dtype of reals, for which the kernel is
            compiled where it is not launched, to learn which resources it needs.

    Returns:
        A `Kernel`, typed as Any since it overrides methods of various signatures.
    """
    return Kernel(file, shapes, grid, threads, macros or {}, small, function, constants, samples)


def value(size: str, sizes: Sizes) -> int:
    """The value of a size: an integer, a name, or a product of these."""
    factors = size.split("*")
    return prod(int(each) if each.isdigit() else sizes[each] for each in factors)


def over_elements(sizes: Sizes) -> tuple[int, ...]:
    """The grid over `size` elements of a kernel that includes elements.cuh."""
    return (ceil_div(sizes["size"], PER_BLOCK),)


def over_parts(sizes: Sizes) -> tuple[int, ...]:
    """The grid over parts of the `pixels` elements of each of `images` images, likewise."""
    return sizes["images"], ceil_div(sizes["pixels"], PER_BLOCK)


def elementwise(file: str, arrays: str, function: str | None = None) -> Any:
    """Make a kernel that includes elements.cuh over arrays of one shape, listed by name.

    Args:
        file: the source file, in `kernels/`.
        arrays: the names of the array parameters.
        function: see `kernel`.
    """
    shapes = dict.fromkeys(arrays.split(), "*size")
    return kernel(file, shapes, over_elements, macros=ITEMS, function=function)


IMAGES = "images image_height image_width channels"
PATCHES = "images rows*columns height*width*channels"
OUTPUTS = "images rows columns channels"
"""The shapes of arrays of a kernel that takes a window: the input, the patches, the output."""


def windowed(file: str, shapes: Mapping[str, str], over: str, *small: str) -> Any:
    """Make a kernel that takes a window, with a block for each image and row of its output.

    Args:
        file: the source file, in `kernels/`.
        shapes: the shapes of the array parameters, by name.
        over: the size that is the number of rows of the output.
        small: see `kernel`; the size of a row of the images is always one of them.
    """
    return kernel(
        file,
        shapes,
        lambda sizes: (sizes["images"], sizes[over]),
        small=("image_width*channels", *small),
    )

"""Kernels as attributes of a backend: described by what their sources do not say.

A shape is told in sizes, each a name or a product of names, such as "rows*columns". A name has one
value in all shapes of a launch, in the scalar parameter of that name, and in the field of a window:
so most scalars need not be given, they follow from the arrays. A last size that begins with a star
stands for all axes from there on: "*size" is any shape of `size` elements in all.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from inspect import Parameter as Argument
from inspect import signature
from math import prod
from types import MethodType
from typing import Any, Protocol

from gpucnn.backends.cuda.sources import Parameter, signatures
from gpucnn.utils.arithmetic import ceil_div

Sizes = Mapping[str, int]
Grid = Callable[[Sizes], tuple[int, ...]]

WARP = 32
"""Threads that run in lockstep."""

THREADS = 256
"""Threads of a block, where nothing else is said."""

ITEMS = {"ITEMS": 4}
"""What the kernels that include elements.cuh are compiled with."""

PER_BLOCK = THREADS * ITEMS["ITEMS"]
"""Elements that a block of such a kernel works on."""

REALS = {"float32": "float", "float64": "double"}


class Launching(Protocol):
    """What kernels are attributes of."""

    def launch(self, kernel: "Kernel", arguments: dict[str, Any]) -> None:
        """Launch a kernel with arguments by name."""


class Kernel:
    """A kernel; `kernel` makes one as an attribute of a class that launches it.

    Attributes:
        name: the attribute's, without leading underscores.
        file: of its source, in `kernels/`.
        threads: of a block.
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
    ) -> None:
        self.file, self.grid, self.threads = file, grid, threads
        self.shapes = {name: tuple(shape.split()) for name, shape in shapes.items()}
        self.small = small
        self._macros, self._function = macros, function
        self._arguments: dict[str, Any] = {}

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name.lstrip("_")
        definition = next((vars(c)[name] for c in owner.__mro__[1:] if name in vars(c)), None)
        if definition is not None:  # of the operation whose place it takes
            self.__signature__ = signature(definition)
            given = list(self.__signature__.parameters.values())[1:]
            self._arguments = {each.name: each.default for each in given}

    def __get__(self, backend: object, owner: type | None = None) -> Any:
        return self if backend is None else MethodType(self, backend)

    def __call__(self, backend: Launching, *arguments: Any, **named: Any) -> None:
        """Launch it, with the arguments of the operation whose place it takes, or all by name."""
        given = dict(zip(self._arguments, arguments, strict=False)) | named
        defaults = {k: v for k, v in self._arguments.items() if v is not Argument.empty}
        backend.launch(self, defaults | given)

    @property
    def function(self) -> str:
        """Its name in the source."""
        return self._function or self.name

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """Its parameters by name, in order, read from the source."""
        return signatures(self.file)[self.function]

    def options(self, real: str) -> tuple[str, ...]:
        """The compiler's options, for reals of dtype `real`."""
        macros = {"REAL": REALS[real], "THREADS": self.threads, **self._macros}
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
) -> Any:
    """A kernel as an attribute: the method of that name, if the class's bases define one.

    Args:
        file: of its source, in `kernels/`.
        shapes: of its array parameters, by name.
        grid: the number of blocks along up to three axes, for the sizes of a launch.
        threads: of a block.
        macros: that it is compiled with, besides REAL and THREADS.
        small: products of sizes that the kernel computes in 32 bits, which must be below 2^31.
        function: its name in the source; the attribute's if None.

    Returns:
        A `Kernel`. Its type is any, since it stands where a method of some signature does.
    """
    return Kernel(file, shapes, grid, threads, macros or {}, small, function)


def value(size: str, sizes: Sizes) -> int:
    """The value of a size: a number, a name or a product of names."""
    factors = size.split("*")
    return prod(int(each) if each.isdigit() else sizes[each] for each in factors)


def over_elements(sizes: Sizes) -> tuple[int, ...]:
    """The grid of a kernel over `size` elements that includes elements.cuh."""
    return (ceil_div(sizes["size"], PER_BLOCK),)


def elementwise(file: str, arrays: str) -> Any:
    """A kernel over arrays of one shape, whose names are given, that includes elements.cuh."""
    return kernel(file, dict.fromkeys(arrays.split(), "*size"), over_elements, macros=ITEMS)


IMAGES = "images image_height image_width channels"
PATCHES = "images rows*columns height*width*channels"
OUTPUTS = "images rows columns channels"
"""The shapes of a kernel that takes a window: its input, what the window sees, its output."""


def windowed(file: str, shapes: Mapping[str, str], over: str, *small: str) -> Any:
    """A kernel over windows, with a block for each image and each row of its outputs.

    Args:
        file: of its source.
        shapes: of its array parameters.
        over: the size that counts the rows of the outputs.
        small: see `kernel`; a row of the images always is.
    """
    return kernel(
        file,
        shapes,
        lambda sizes: (sizes["images"], sizes[over]),
        small=("image_width*channels", *small),
    )

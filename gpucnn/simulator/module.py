"""Kernels that are compiled and launched as CuPy does it, on the CPU."""

import ctypes
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Literal

import numpy as np
import numpy.typing as npt

from gpucnn.simulator.compiler import Compiler, cached, find_compiler
from gpucnn.simulator.errors import SimulatorError
from gpucnn.simulator.parameters import Argument, Arguments, Parameter
from gpucnn.simulator.sanitizers import FLAGS, RUNTIME_FLAGS, chosen_sanitizer
from gpucnn.simulator.source import LANGUAGE, RUNTIME, Source, preprocess, translate

LARGEST_GRID = (2**31 - 1, 65535, 65535)
LARGEST_BLOCK = (1024, 1024, 64)
MOST_THREADS = 1024
MOST_STATIC_SHARED = 48 * 1024
MOST_SHARED = 227 * 1024

# Code as a device has it: no fused multiplications but those asked for, no use made of the types of
# what is accessed, and functions of mathematics that set no errno.
_CODE = (
    "-fPIC",
    "-fvisibility=hidden",
    "-ffp-contract=off",
    "-fno-strict-aliasing",
    "-fno-math-errno",
    "-fno-threadsafe-statics",
)

Order = Literal["forward", "reversed"] | int
"""In which the blocks of a grid and the threads of a block run."""


class _SharedMemory(ctypes.Structure):
    _fields_ = (("begin", ctypes.c_void_p), ("end", ctypes.c_void_p))


class _Kernel(ctypes.Structure):
    """As in runtime.hpp."""

    _fields_ = (
        ("call", ctypes.c_void_p),
        ("parameters", ctypes.POINTER(Parameter)),
        ("parameter_count", ctypes.c_int),
        ("largest_block", ctypes.c_int),
        ("shared", _SharedMemory * 2),
    )


class _Launch(ctypes.Structure):
    """As in runtime.cpp."""

    _fields_ = (
        ("kernel", ctypes.POINTER(_Kernel)),
        ("name", ctypes.c_char_p),
        ("arguments", ctypes.POINTER(ctypes.c_void_p)),
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("dynamic_shared", ctypes.c_size_t),
        ("order", ctypes.c_int),
        ("seed", ctypes.c_ulonglong),
        ("blocks", ctypes.c_void_p),
        ("block_count", ctypes.c_ulonglong),
        ("message", ctypes.c_char_p),
        ("message_size", ctypes.c_size_t),
    )


_ORDERS = {"forward": 0, "reversed": 1}
_SHUFFLED = 2


@dataclass(frozen=True)
class _Library:
    """A compiled source; its kernels are launched one at a time."""

    code: ctypes.CDLL
    kernels: tuple[str, ...]
    lock: Lock = field(default_factory=Lock)


class Module:
    """The kernels of a CUDA C source, compiled for the CPU.

    What is compiled is kept in the user's cache folder, so that it is compiled once. Modules of the
    same source and options share their `__device__` variables.

    Args:
        source: CUDA C, or the path of a file of it, whose folder is searched for what it includes.
        options: of the compiler: -DNAME=VALUE, -UNAME, -IFOLDER, -std=c++17 or -std=c++20.
        order: in which the blocks of a grid and the threads of a block run, and are resumed after
            each barrier: "forward", "reversed", or the seed of a shuffled order. A kernel that is
            correct gives the same in each.

    Raises:
        SimulatorError: the source does not compile, no compiler is installed, or an option or order
            is not known.
    """

    def __init__(
        self, source: str | Path, options: Sequence[str] = (), order: Order = "forward"
    ) -> None:
        if isinstance(order, str) and order not in _ORDERS:
            raise SimulatorError(
                f"the order {order!r} is not known: give forward, reversed, or a whole number as "
                "the seed of a shuffled one"
            )
        self._order = order
        self._library = _load(_compile(source, options))

    def get_function(self, name: str) -> "Function":
        """The kernel of a name.

        Raises:
            SimulatorError: there is none.
        """
        if name not in self._library.kernels:
            names = ", ".join(self._library.kernels) or "none"
            raise SimulatorError(f"there is no kernel {name}: choose one of the source's, {names}")
        return Function(self._library, name, self._order)


class Function:
    """A kernel that can be launched; `Module.get_function` gives it."""

    def __init__(self, library: _Library, name: str, order: Order) -> None:
        self.name = name
        self._library = library
        self._order = order
        self._kernel = _Kernel.in_dll(library.code, f"gpucnn_kernel_{name}")

    def __call__(
        self,
        grid: Sequence[int],
        block: Sequence[int],
        args: Sequence[Argument],
        *,
        shared_mem: int = 0,
        blocks: Iterable[int] | None = None,
    ) -> None:
        """Launch the kernel, and wait for its end.

        Args:
            grid: the number of blocks, in 1 to 3 dimensions.
            block: the number of threads of a block, in 1 to 3 dimensions.
            args: for each parameter, an array (C-contiguous, of the parameter's dtype, or of the
                components' for a vector) or None for a pointer, and a NumPy scalar of exactly its
                type for a value. As CuPy passes them, a Python int is 64 bits wide, and a float a
                double: so they suit only parameters that are.
            shared_mem: bytes of dynamic shared memory.
            blocks: the linear indices, x + gridDim.x * (y + gridDim.y * z), of the blocks that run;
                all if None. So single blocks of a grid can be tried that would take too long.

        Raises:
            SimulatorError: the launch is not one that CUDA allows, an argument does not match, or
                threads wait for others that do not come.
        """
        sizes = self._checked(grid, block, shared_mem)
        parameters = self._kernel.parameters[: self._kernel.parameter_count]
        arguments = Arguments(self.name, parameters, args)
        chosen = None if blocks is None else self._chosen(blocks, prod(sizes[0]))
        if chosen is not None and chosen.size == 0:
            return
        message = ctypes.create_string_buffer(1000)
        launch = _Launch(
            kernel=ctypes.pointer(self._kernel),
            name=self.name.encode(),
            arguments=arguments.pointers,
            grid=sizes[0],
            block=sizes[1],
            dynamic_shared=shared_mem,
            order=_ORDERS.get(str(self._order), _SHUFFLED),
            seed=0 if isinstance(self._order, str) else self._order % 2**64,
            blocks=None if chosen is None else chosen.ctypes.data,
            block_count=prod(sizes[0]) if chosen is None else chosen.size,
            message=ctypes.cast(message, ctypes.c_char_p),
            message_size=len(message),
        )
        with self._library.lock:
            failed = self._library.code.gpucnn_launch(ctypes.byref(launch))
        if failed:
            raise SimulatorError(message.value.decode(errors="replace"))

    def _checked(
        self, grid: Sequence[int], block: Sequence[int], shared_mem: int
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The sizes of the grid and of its blocks in 3 dimensions."""
        sizes = (
            self._sizes("grid", grid, LARGEST_GRID),
            self._sizes("block", block, LARGEST_BLOCK),
        )
        most = self._kernel.largest_block or MOST_THREADS
        if prod(block) > most:
            bound = "its __launch_bounds__" if self._kernel.largest_block else "a device"
            raise SimulatorError(
                f"{self.name} is launched with {prod(block)} threads a block, and {bound} allows "
                f"{most}: launch smaller blocks"
            )
        own = self._kernel.shared[0]
        static = (own.end or 0) - (own.begin or 0)
        if static > MOST_STATIC_SHARED:
            raise SimulatorError(
                f"{self.name} has {static} bytes of static shared memory, and a device allows "
                f"{MOST_STATIC_SHARED}: make its arrays smaller"
            )
        if not 0 <= shared_mem <= MOST_SHARED - static:
            raise SimulatorError(
                f"{self.name} is launched with {shared_mem} bytes of dynamic shared memory, and a "
                f"device has {MOST_SHARED}, {static} of them for its static arrays: launch it with "
                "less"
            )
        return sizes

    def _sizes(self, what: str, sizes: Sequence[int], largest: tuple[int, ...]) -> tuple[int, ...]:
        good = 1 <= len(sizes) <= 3 and all(
            1 <= size <= most for size, most in zip(sizes, largest, strict=False)
        )
        if not good:
            raise SimulatorError(
                f"{self.name} is launched with a {what} of {tuple(sizes)}: give 1 to 3 numbers "
                f"from 1 to {largest[0]}, {largest[1]} and {largest[2]}"
            )
        return (*map(int, sizes), *(1,) * (3 - len(sizes)))

    def _chosen(self, blocks: Iterable[int], count: int) -> npt.NDArray[np.int64]:
        chosen = np.array(list(blocks), dtype=np.int64)
        wrong = chosen[(chosen < 0) | (chosen >= count)]
        if wrong.size:
            raise SimulatorError(
                f"{self.name} has no block {wrong[0]} in a grid of {count}: give indices from 0 to "
                f"{count - 1}"
            )
        return chosen


def _compile(source: str | Path, options: Sequence[str]) -> tuple[Path, tuple[str, ...]]:
    """The shared library of a source, and the names of its kernels."""
    sanitizer = chosen_sanitizer()
    compiler = find_compiler()
    with TemporaryDirectory(prefix="gpucnn-simulator-") as name:
        folder = Path(name)
        translated = translate(preprocess(compiler, source, options, folder))
        flags = (*LANGUAGE, *_CODE, *FLAGS[sanitizer], *options)
        scheduler = _scheduler(compiler, sanitizer)
        return _library(compiler, flags, translated, scheduler, folder), translated.kernels


def _library(
    compiler: Compiler, flags: Sequence[str], source: Source, scheduler: Path, folder: Path
) -> Path:

    def build(path: Path) -> None:
        text = folder / "source.ii"
        text.write_text(source.text)
        compiler.run(
            [*flags, "-shared", "-x", "c++-cpp-output", text, "-x", "none", scheduler, "-o", path]
        )

    return cached("module.so", [source.text, *flags, compiler.version, scheduler.name], build)


def _scheduler(compiler: Compiler, sanitizer: str) -> Path:
    """The scheduler's object file."""
    flags = (*LANGUAGE, *_CODE, *RUNTIME_FLAGS[sanitizer], "-c")
    names = ("runtime.hpp", "runtime.cpp")
    contents = [(RUNTIME / name).read_text() for name in names]

    def build(path: Path) -> None:
        compiler.run([*flags, RUNTIME / "runtime.cpp", "-o", path])

    return cached("runtime.o", [*contents, *flags, compiler.version], build)


_libraries: dict[Path, _Library] = {}


def _load(compiled: tuple[Path, tuple[str, ...]]) -> _Library:
    path, kernels = compiled
    if path not in _libraries:
        _libraries.setdefault(path, _Library(ctypes.CDLL(str(path)), kernels))
    return _libraries[path]

"""Kernels as shared libraries: compiling, loading, and launching them by the scheduler."""

import ctypes
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from threading import RLock

from gpucnn.simulator.cache import cached_library
from gpucnn.simulator.compiler import Compiler, find_compiler
from gpucnn.simulator.counting import Counting
from gpucnn.simulator.errors import SimulatorError
from gpucnn.simulator.listing import KernelDescription, Listing, read_listing
from gpucnn.simulator.sanitizers import FLAGS, RUNTIME_FLAGS, chosen_sanitizer
from gpucnn.simulator.source import LANGUAGE, preprocess, translate

RUNTIME = Path(__file__).parent / "runtime"

# Semantics of device code: fused multiply-add only where it is called, no strict aliasing, and no
# errno from mathematical functions.
_CODE = (
    "-fPIC",
    "-fvisibility=hidden",
    "-ffp-contract=off",
    "-fno-strict-aliasing",
    "-fno-math-errno",
    "-fno-threadsafe-statics",
)

_COUNTED = ("-O1", "-fno-exceptions", "-fsanitize=thread")
"""Compiler flags for kernels whose accesses are counted."""


class Launch(ctypes.Structure):
    """The description of a launch, as in runtime.cpp."""

    _fields_ = (
        ("kernel", ctypes.POINTER(KernelDescription)),
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
        ("counting", ctypes.POINTER(Counting)),
    )


@dataclass(frozen=True)
class Library:
    """The compiled and loaded kernels of a source, and the scheduler that launches them."""

    text: str
    """The translated source."""

    options: tuple[str, ...]
    scheduler: ctypes.CDLL
    listing: Listing

    @cached_property
    def counted(self) -> "Library":
        """The same kernels, compiled so that their accesses to memory are counted."""
        return _load(find_compiler(), self.text, _COUNTED, self.options, _build_counted)

    def launch(self, launch: Launch) -> None:
        """Run a launch to its end; launches from several host threads run one after another.

        Raises:
            SimulatorError: a thread of the kernel did what CUDA does not allow.
        """
        message = ctypes.create_string_buffer(1000)
        launch.message = ctypes.cast(message, ctypes.c_char_p)
        launch.message_size = len(message)
        with _lock:
            failed = self.scheduler.gpucnn_launch(ctypes.byref(launch))
        if failed:
            raise SimulatorError(message.value.decode(errors="replace"))


# One thread at a time loads or launches, since the process has one scheduler. A fork waits for it,
# so that the child finds the scheduler idle and the lock free.
_lock = RLock()
if hasattr(os, "register_at_fork"):  # a POSIX system
    os.register_at_fork(
        before=_lock.acquire,
        after_in_parent=_lock.release,
        after_in_child=_lock.release,
    )


def load(
    source: str | Path, options: Sequence[str], name_expressions: Sequence[str] = ()
) -> Library:
    """Load the kernels of a CUDA C source or file, from the cache or else compiled.

    Raises:
        SimulatorError: the source does not compile, an option is unknown, or there is no compiler
            or sanitizer.
    """
    flags = FLAGS[chosen_sanitizer()]
    compiler = find_compiler()
    text = translate(preprocess(compiler, source, options), name_expressions)
    return _load(compiler, text, flags, tuple(options), _build)


def _load(
    compiler: Compiler,
    text: str,
    flags: tuple[str, ...],
    options: tuple[str, ...],
    build: "_Build",
) -> Library:
    """Load a translated source, from the cache or else built by `build` with `flags`."""
    every = (*LANGUAGE, *_CODE, *flags, *options)
    contents = [text, *every, *compiler.key]
    with _lock:
        scheduler = _scheduler()  # first: the kernels' libraries link to it
        code = cached_library(
            "module.so", contents, lambda path: build(compiler, text, every, path)
        )
        return Library(text, options, scheduler, read_listing(code))


_Build = Callable[[Compiler, str, tuple[str, ...], Path], None]
"""Compiles a text with flags, to a library of that path."""


def _build(compiler: Compiler, text: str, flags: tuple[str, ...], path: Path) -> None:
    compiler.run([*flags, "-shared", "-x", "c++-cpp-output", "-", "-o", path], text)


def _build_counted(compiler: Compiler, text: str, flags: tuple[str, ...], path: Path) -> None:
    """As assembly first, in which the calls for the sanitizer become those of counting.hpp."""
    assembly = compiler.run([*flags, "-S", "-x", "c++-cpp-output", "-", "-o", "-"], text)
    counted = assembly.replace("__tsan_", "gpucnn_count_")
    compiler.run(["-shared", "-x", "assembler", "-", "-o", path], counted)


@cache
def _scheduler() -> ctypes.CDLL:
    """The scheduler, one for all modules of the process, whichever compiler built them."""
    compiler = find_compiler()
    flags = (*LANGUAGE, *_CODE, *RUNTIME_FLAGS[chosen_sanitizer()])
    contents = [path.read_text() for path in sorted(RUNTIME.glob("*.?pp"))]

    def build(path: Path) -> None:
        compiler.run([*flags, "-shared", RUNTIME / "runtime.cpp", "-o", path])

    return cached_library(
        "runtime.so", [*contents, *flags, *compiler.key], build, ctypes.RTLD_GLOBAL
    )

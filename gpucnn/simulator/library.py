"""Kernels as shared libraries: compiling, loading, and launching them by the scheduler."""

import ctypes
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import RLock

from gpucnn.simulator.cache import cached_library
from gpucnn.simulator.compiler import find_compiler
from gpucnn.simulator.errors import SimulatorError
from gpucnn.simulator.parameters import Parameter
from gpucnn.simulator.sanitizers import FLAGS, RUNTIME_FLAGS, chosen_sanitizer
from gpucnn.simulator.source import LANGUAGE, RUNTIME, preprocess, translate

# Semantics of device code: fused multiply-add only where it is called, no strict aliasing, and no
# errno from mathematical functions.
_CODE = (
    "-shared",
    "-fPIC",
    "-fvisibility=hidden",
    "-ffp-contract=off",
    "-fno-strict-aliasing",
    "-fno-math-errno",
    "-fno-threadsafe-statics",
)


class SharedMemory(ctypes.Structure):
    """A range of memory, as in runtime.hpp."""

    _fields_ = (("begin", ctypes.c_void_p), ("end", ctypes.c_void_p))


class Kernel(ctypes.Structure):
    """The description of a kernel in its library, as in runtime.hpp."""

    _fields_ = (
        ("call", ctypes.c_void_p),
        ("parameters", ctypes.POINTER(Parameter)),
        ("parameter_count", ctypes.c_int),
        ("largest_block", ctypes.c_int),
        ("shared", ctypes.POINTER(SharedMemory)),
        ("shared_count", ctypes.c_int),
    )

    @property
    def static_shared(self) -> int:
        """Bytes of static shared memory, without that of functions it may call."""
        own = self.shared[0]
        return (own.end or 0) - (own.begin or 0)


class Launch(ctypes.Structure):
    """The description of a launch, as in runtime.cpp."""

    _fields_ = (
        ("kernel", ctypes.POINTER(Kernel)),
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


@dataclass(frozen=True)
class Library:
    """The compiled and loaded kernels of a source, and the scheduler that launches them."""

    code: ctypes.CDLL
    kernels: tuple[str, ...]
    scheduler: ctypes.CDLL

    def kernel(self, name: str) -> Kernel:
        """The description of a kernel."""
        return Kernel.in_dll(self.code, f"gpucnn_kernel_{name}")

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


def load(source: str | Path, options: Sequence[str]) -> Library:
    """Load the kernels of a CUDA C source or file, from the cache or else compiled.

    Raises:
        SimulatorError: the source does not compile, an option is unknown, or there is no compiler
            or sanitizer.
    """
    sanitizer = chosen_sanitizer()
    compiler = find_compiler()
    flags = (*LANGUAGE, *_CODE, *FLAGS[sanitizer], *options)
    translated = translate(preprocess(compiler, source, options))

    def build(path: Path) -> None:
        compiler.run([*flags, "-x", "c++-cpp-output", "-", "-o", path], translated.text)

    contents = [translated.text, *flags, *compiler.key]
    with _lock:
        scheduler = _scheduler()  # first: the kernels' libraries link to it
        code = cached_library("module.so", contents, build)
    return Library(code, translated.kernels, scheduler)


@cache
def _scheduler() -> ctypes.CDLL:
    """The scheduler, one for all modules of the process, whichever compiler built them."""
    compiler = find_compiler()
    flags = (*LANGUAGE, *_CODE, *RUNTIME_FLAGS[chosen_sanitizer()])
    contents = [path.read_text() for path in sorted(RUNTIME.glob("*.?pp"))]

    def build(path: Path) -> None:
        compiler.run([*flags, RUNTIME / "runtime.cpp", "-o", path])

    return cached_library(
        "runtime.so", [*contents, *flags, *compiler.key], build, ctypes.RTLD_GLOBAL
    )

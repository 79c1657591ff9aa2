"""Kernels as shared libraries: compiled, loaded, and launched by the scheduler."""

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

# Code as a device has it: no fused multiplications but those asked for, no use made of the types of
# what is accessed, and functions of mathematics that set no errno.
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
    """Memory between two addresses, as in runtime.hpp."""

    _fields_ = (("begin", ctypes.c_void_p), ("end", ctypes.c_void_p))


class Kernel(ctypes.Structure):
    """What a library tells of a kernel, as in runtime.hpp."""

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
        """Bytes of its own static shared memory."""
        own = self.shared[0]
        return (own.end or 0) - (own.begin or 0)


class Launch(ctypes.Structure):
    """What is to be launched, as in runtime.cpp."""

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
    """A source's kernels, compiled and loaded, and the scheduler that launches them."""

    code: ctypes.CDLL
    kernels: tuple[str, ...]
    scheduler: ctypes.CDLL

    def kernel(self, name: str) -> Kernel:
        """What the library tells of a kernel."""
        return Kernel.in_dll(self.code, f"gpucnn_kernel_{name}")

    def launch(self, launch: Launch) -> None:
        """Run a launch to its end; launches from several threads wait for each other.

        Raises:
            SimulatorError: a thread did what CUDA does not allow.
        """
        message = ctypes.create_string_buffer(1000)
        launch.message = ctypes.cast(message, ctypes.c_char_p)
        launch.message_size = len(message)
        with _alone:
            failed = self.scheduler.gpucnn_launch(ctypes.byref(launch))
        if failed:
            raise SimulatorError(message.value.decode(errors="replace"))


# One thread at a time loads or launches: the scheduler is one for the process. And none does while
# the process is forked, so that the child finds the scheduler at rest and the lock free.
_alone = RLock()
if hasattr(os, "register_at_fork"):  # a POSIX system
    os.register_at_fork(
        before=_alone.acquire, after_in_parent=_alone.release, after_in_child=_alone.release
    )


def load(source: str | Path, options: Sequence[str]) -> Library:
    """The kernels of a CUDA C source or of a file of it, compiled if they have not been before.

    Raises:
        SimulatorError: the source does not compile, an option is not known, or there is no compiler
            or sanitizer.
    """
    sanitizer = chosen_sanitizer()
    compiler = find_compiler()
    flags = (*LANGUAGE, *_CODE, *FLAGS[sanitizer], *options)
    translated = translate(preprocess(compiler, source, options))

    def build(path: Path) -> None:
        compiler.run([*flags, "-x", "c++-cpp-output", "-", "-o", path], translated.text)

    contents = [translated.text, *flags, *compiler.key]
    with _alone:
        scheduler = _scheduler()  # before the modules that refer to it
        code = cached_library("module.so", contents, build)
    return Library(code, translated.kernels, scheduler)


@cache
def _scheduler() -> ctypes.CDLL:
    """The scheduler, one for all modules of the process, whichever compiler they are made by."""
    compiler = find_compiler()
    flags = (*LANGUAGE, *_CODE, *RUNTIME_FLAGS[chosen_sanitizer()])
    contents = [path.read_text() for path in sorted(RUNTIME.glob("*.?pp"))]

    def build(path: Path) -> None:
        compiler.run([*flags, RUNTIME / "runtime.cpp", "-o", path])

    return cached_library(
        "runtime.so", [*contents, *flags, *compiler.key], build, ctypes.RTLD_GLOBAL
    )

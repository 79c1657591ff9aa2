"""Running kernels under the compiler's sanitizers.

`address` finds out-of-bounds accesses to global and shared memory and, with the undefined behaviour
sanitizer, which it includes, misaligned vector accesses and signed integer overflow.
`thread` finds data races: two threads access an element, at least one writes it, and there is
neither a barrier between the accesses nor an atomic operation. Races between threads of different
blocks are found within 2,048 threads.
Either ends the process with a report that names the line.

A sanitizer must be loaded when the process starts. So start another Python for it, in the
environment that `sanitizer_environment` returns.
"""

import ctypes
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from gpucnn.simulator.compiler import Compiler, find_compiler
from gpucnn.simulator.errors import SimulatorError

VARIABLE = "GPUCNN_SANITIZER"

FAILED = 66
"""The exit status of a process that a sanitizer ended."""

# Lines for reports, and no more of what debuggers read. The libraries are those that are loaded
# when the process starts: to link to them again would take a third of the time of a compilation.
_REPORTED = ("-O1", "-g1", "-nodefaultlibs")

FLAGS = {
    "": ("-O3", "-g1"),
    "address": (
        *_REPORTED,
        "-fno-omit-frame-pointer",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
    ),
    "thread": (*_REPORTED, "-fsanitize=thread"),
}
"""Compiler flags for kernels, by the kind of sanitizer, "" for none."""

RUNTIME_FLAGS = {
    "": ("-O3", "-g1"),
    "address": ("-O1", "-g", "-DGPUCNN_ADDRESS"),
    "thread": ("-O1", "-g", "-DGPUCNN_THREAD"),
}
"""Compiler flags for the scheduler, which is not instrumented itself."""

_LIBRARIES = {
    "address": ("libasan.so", "libubsan.so", "libstdc++.so"),
    "thread": ("libtsan.so", "libstdc++.so"),
}
_SYMBOLS = {"address": "__asan_init", "thread": "__tsan_init"}


def chosen_sanitizer() -> str:
    """The value of GPUCNN_SANITIZER: "address", "thread", or "".

    Raises:
        SimulatorError: another value, or the sanitizer was not loaded when the process started.
    """
    kind = os.environ.get(VARIABLE, "")
    if kind not in FLAGS:
        raise SimulatorError(f"{VARIABLE}={kind} is not known: set it to address or thread")
    if kind and not hasattr(ctypes.CDLL(None), _SYMBOLS[kind]):
        raise SimulatorError(
            f"{VARIABLE}={kind}, but its library was not loaded when Python started: start Python "
            f"in the environment that gpucnn.simulator.sanitizer_environment({kind!r}) gives"
        )
    return kind


def sanitizer_environment(kind: str) -> dict[str, str]:
    """The environment in which to start a Python that runs its kernels under a sanitizer.

    It is this process's environment, with the sanitizer's variables added. A process that the
    sanitizer ends has exit status 66.

    Args:
        kind: `address` or `thread`.

    Raises:
        SimulatorError: `kind` is unknown, or a library of the sanitizer is missing.
    """
    if kind not in _LIBRARIES:
        raise SimulatorError(f"there is no sanitizer {kind!r}: choose address or thread")
    compiler = find_compiler()
    libraries = [_library(compiler, name) for name in _LIBRARIES[kind]]
    ending = f"halt_on_error=1:exitcode={FAILED}"
    return {
        **os.environ,
        VARIABLE: kind,
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": f"{ending}:detect_leaks=0",
        "UBSAN_OPTIONS": f"{ending}:print_stacktrace=1",
        "TSAN_OPTIONS": ending,
        "PYTHONMALLOC": "malloc",  # Python's own allocator would hide overruns of small arrays
    }


def _library(compiler: Compiler, name: str) -> str:
    path = Path(compiler.run([f"-print-file-name={name}"]).strip())
    if not path.is_absolute():
        raise SimulatorError(
            f"{name} of the compiler {' '.join(compiler.command)} is missing: install the "
            "sanitizers of the compiler, or set CXX to g++"
        )
    return str(path.resolve())


def with_fixed_addresses(command: Sequence[str]) -> list[str]:
    """`command`, run without address space layout randomisation where the system allows it.

    The thread sanitizer of older compilers fails with "unexpected memory mapping" where the
    randomisation uses too many bits.
    """
    return [*_prefix(), *command]


@cache
def _prefix() -> tuple[str, ...]:
    prefix = ("setarch", platform.machine(), "-R")
    if shutil.which(prefix[0]) is None:
        return ()
    done = subprocess.run([*prefix, "true"], capture_output=True)
    return prefix if done.returncode == 0 else ()

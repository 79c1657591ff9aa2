"""The compilers' sanitizers, which watch a kernel's memory while it runs.

`address` finds accesses beyond arrays in global and in shared memory and, with the undefined
behaviour sanitizer that comes with it, misaligned vectors and overflows of signed integers.
`thread` finds races: two threads that access one element, one of them to write it, with neither a
barrier between them nor atomics; threads of different blocks only where the kernel has no static
shared memory, and within 2,048 threads. Either ends the process with a report that names the line.

A sanitizer has to be there from the start of the process: so it takes a Python of its own, whose
environment `sanitizer_environment` gives.
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
from gpucnn.simulator.source import SECTION

VARIABLE = "GPUCNN_SANITIZER"

FAILED = 66
"""The exit status of a process that a sanitizer has ended."""

FLAGS = {
    "": ("-O3",),
    "address": (
        "-O1",
        "-g",
        "-fno-omit-frame-pointer",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
        f"-fsanitize-sections={SECTION}*",
    ),
    "thread": ("-O1", "-g", "-fsanitize=thread"),
}
"""The compiler's for each kind, "" for none."""

RUNTIME_FLAGS = {
    "": ("-O3",),
    "address": ("-O1", "-g", "-DGPUCNN_ADDRESS"),
    "thread": ("-O1", "-g", "-DGPUCNN_THREAD"),
}
"""Those for the scheduler, which is not watched itself."""

_LIBRARIES = {
    "address": ("libasan.so", "libubsan.so", "libstdc++.so"),
    "thread": ("libtsan.so", "libstdc++.so"),
}
_SYMBOLS = {"address": "__asan_init", "thread": "__tsan_init"}


def chosen_sanitizer() -> str:
    """What GPUCNN_SANITIZER says: address, thread, or nothing.

    Raises:
        SimulatorError: it says something else, or the sanitizer was not there from the start.
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
    """The environment in which to start a Python whose kernels are watched.

    It is this process's, with what `kind` needs; the exit status of a process that the sanitizer
    ends is 66.

    Args:
        kind: `address` or `thread`.

    Raises:
        SimulatorError: another kind, or a library of the sanitizer is missing.
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
        "PYTHONMALLOC": "malloc",  # so that small arrays have neighbours that may not be touched
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
    """`command`, run without the system placing its memory at random, if that can be done here.

    The thread sanitizer of older compilers ends with "unexpected memory mapping" where memory is
    placed too much at random.
    """
    return [*_prefix(), *command]


@cache
def _prefix() -> tuple[str, ...]:
    prefix = ("setarch", platform.machine(), "-R")
    if shutil.which(prefix[0]) is None:
        return ()
    done = subprocess.run([*prefix, "true"], capture_output=True)
    return prefix if done.returncode == 0 else ()

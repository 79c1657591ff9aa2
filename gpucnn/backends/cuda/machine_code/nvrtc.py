"""Compiling kernels without a GPU, to learn whether they compile and which resources they need.

NVRTC is the compiler that CuPy uses. Here it is loaded on its own, found as CuPy finds it: in the
package nvidia-cuda-nvrtc or a CUDA toolkit, by cuda-pathfinder. It is asked for machine code in the
way of CuPy; the assembler reports the resources of each kernel.
"""

import ctypes
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path

from gpucnn.errors import GpucnnError, MissingExtraError

ARCHITECTURES = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120")
"""The architectures of GPUs since 2018: Turing, Ampere (two), Ada, Hopper and Blackwell (two)."""

# What CuPy 14.2 adds to the options of a RawModule, in cupy/cuda/compiler.py: the first in
# `_compile_with_cache_cuda`, the second in `_compile_using_nvrtc_no_warning`, besides -arch.
CUPY_OPTIONS = ("-ftz=true", "--device-as-default-execution-space")

_Chars = ctypes.POINTER(ctypes.c_char_p)
_Program = ctypes.c_void_p  # nvrtcProgram, which is a pointer
_ARGUMENTS = {
    "nvrtcVersion": [ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int)],
    "nvrtcCreateProgram": [
        ctypes.POINTER(_Program),
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_int,
        _Chars,
        _Chars,
    ],
    "nvrtcDestroyProgram": [ctypes.POINTER(_Program)],
    "nvrtcCompileProgram": [_Program, ctypes.c_int, _Chars],
    "nvrtcGetProgramLogSize": [_Program, ctypes.POINTER(ctypes.c_size_t)],
    "nvrtcGetProgramLog": [_Program, ctypes.c_char_p],
    "nvrtcGetCUBINSize": [_Program, ctypes.POINTER(ctypes.c_size_t)],
    "nvrtcGetCUBIN": [_Program, ctypes.c_char_p],
}

_ENTRY = re.compile(r"Compiling entry function '(\S+)' for")
_FRAME = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_REGISTERS = re.compile(r"Used (\d+) registers")
_SHARED_MEMORY = re.compile(r"(\d+) bytes smem")
_ERROR_AT = re.compile(r"^(.+)\((\d+)\): (?:catastrophic )?error(?: #\S+)?: (.+)$", re.MULTILINE)
_ERROR = re.compile(r"^\w+ *:? (?:error|fatal) *: (.+)$", re.MULTILINE)  # of a tool, without a line


class CompilationError(GpucnnError, ValueError):
    """Source code that NVRTC rejects; the message gives the first error and its line."""


@dataclass(frozen=True)
class Resources:
    """The resources of a GPU that a compiled kernel needs."""

    registers: int
    """Registers of each thread."""

    shared_memory: int
    """Bytes of shared memory of each block, for arrays of constant size."""

    stack: int
    """Bytes of local memory of each thread, spilled registers included."""

    spill_stores: int
    """Bytes of spilled registers that each thread stores."""

    spill_loads: int
    """Bytes of spilled registers that each thread loads."""

    def __or__(self, other: "Resources") -> "Resources":
        """What suffices for both: the greater of each."""
        return Resources(*map(max, astuple(self), astuple(other)))


def version() -> str:
    """The version of NVRTC, such as "13.0".

    Raises:
        MissingExtraError: NVRTC is not installed.
    """
    major, minor = ctypes.c_int(), ctypes.c_int()
    _library().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return f"{major.value}.{minor.value}"


@dataclass(frozen=True)
class Compiled:
    """What the compiler made of a source."""

    log: str
    """The reports of the assembler."""

    machine_code: bytes
    """A CUBIN, an ELF file."""

    @property
    def resources(self) -> dict[str, Resources]:
        """The resources of each `__global__` function, by its name in the machine code.

        That is its name in the source if it is `extern "C"`.
        """
        return _resources(self.log)


def compile_kernels(
    source: str, options: Sequence[str], architecture: str, name: str = "kernels.cu"
) -> Compiled:
    """Compile kernels to machine code, as CuPy compiles a RawModule.

    Args:
        source: CUDA C++.
        options: the options of the RawModule, such as "--std=c++17".
        architecture: such as "sm_90".
        name: the name of the source in error messages.

    Raises:
        CompilationError: NVRTC rejects the source, an option or the architecture.
        MissingExtraError: NVRTC is not installed.
    """
    with _program(source, name) as program:
        as_bytes = [option.encode() for option in every_option(options, architecture)]
        array = (ctypes.c_char_p * len(as_bytes))(*as_bytes)
        status = _library().nvrtcCompileProgram(program, len(as_bytes), array)
        log = _output(program, "ProgramLog").rstrip(b"\0").decode(errors="replace")
        if status != 0:
            raise CompilationError(f"{_first_error(log, name)} (NVRTC {version()}, {architecture})")
        return Compiled(log, _output(program, "CUBIN"))


def every_option(options: Sequence[str], architecture: str) -> list[str]:
    """What NVRTC is given for the options of a RawModule."""
    return [*options, *CUPY_OPTIONS, f"-arch={architecture}", "--ptxas-options=-v"]


def build() -> str:
    """What tells this NVRTC from others: its version, and its size, as each version has several.

    Raises:
        MissingExtraError: NVRTC is not installed.
    """
    return f"{version()}, {Path(_path()).stat().st_size} bytes"


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(_path())
    for function, types in _ARGUMENTS.items():
        getattr(library, function).argtypes = types
    return library


def _path() -> str:
    try:
        from cuda.pathfinder import load_nvidia_dynamic_lib

        return load_nvidia_dynamic_lib("nvrtc").abs_path  # type: ignore[no-any-return]
    except (ImportError, RuntimeError) as error:  # no package, or its DynamicLibNotFoundError
        raise MissingExtraError("compiling kernels", "NVRTC", "kernels") from error


@contextmanager
def _program(source: str, name: str) -> Iterator[_Program]:
    program = _Program()
    _library().nvrtcCreateProgram(
        ctypes.byref(program), source.encode(), name.encode(), 0, None, None
    )
    try:
        yield program
    finally:
        _library().nvrtcDestroyProgram(ctypes.byref(program))


def _output(program: _Program, kind: str) -> bytes:
    """What NVRTC's functions nvrtcGet`kind`Size and nvrtcGet`kind` give of a program."""
    size = ctypes.c_size_t()
    getattr(_library(), f"nvrtcGet{kind}Size")(program, ctypes.byref(size))
    output = ctypes.create_string_buffer(size.value)
    getattr(_library(), f"nvrtcGet{kind}")(program, output)
    return output.raw


def _first_error(log: str, name: str) -> str:
    if found := _ERROR_AT.search(log):
        return f"{found[1]}, line {found[2]}: {found[3]}"
    found = _ERROR.search(log)
    return f"{name}: {found[1] if found else ' '.join(log.split())}"


def _resources(log: str) -> dict[str, Resources]:
    """Parse the assembler's log: for each kernel its name, followed by lines about it."""
    _, *parts = _ENTRY.split(log)
    reports = zip(parts[::2], parts[1::2], strict=True)
    return {name: _resources_of(report) for name, report in reports}


def _resources_of(report: str) -> Resources:
    """Parse the lines about a kernel, and add up its frame and the frames of functions it calls."""
    frames = [[int(size) for size in frame] for frame in _FRAME.findall(report)]
    stack, spill_stores, spill_loads = (sum(column) for column in zip(*frames, strict=True))
    return Resources(
        registers=max(map(int, _REGISTERS.findall(report))),
        shared_memory=max(map(int, _SHARED_MEMORY.findall(report)), default=0),
        stack=stack,
        spill_stores=spill_stores,
        spill_loads=spill_loads,
    )

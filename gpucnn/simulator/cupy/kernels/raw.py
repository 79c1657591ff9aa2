"""`cupy.RawKernel` and `cupy.RawModule`: CUDA C, run by the simulator."""

import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from gpucnn.simulator.cupy.errors import CompileException, CUDADriverError, missing
from gpucnn.simulator.cupy.kernels.arguments import passed
from gpucnn.simulator.cupy.kernels.orders import current_order
from gpucnn.simulator.cupy.kernels.origin import located
from gpucnn.simulator.cupy.memory import MemoryPointer, UnownedMemory
from gpucnn.simulator.cupy.recording import run_or_record
from gpucnn.simulator.errors import SimulatorError
from gpucnn.simulator.module import (
    MOST_STATIC_SHARED,
    Function,
    Module,
    Order,
    Prepared,
)

_T = TypeVar("_T")

INCLUDE = Path(__file__).parent / "include"

_LONG = {"--define-macro": "-D", "--undefine-macro": "-U", "--include-path": "-I"}

_STANDARD = re.compile(r"--?std=c\+\+\d\d")

_WITHOUT_MEANING = re.compile(
    r"--?(use_fast_math|ftz|prec-div|prec-sqrt|fmad|lineinfo|generate-line-info|device-debug|G|"
    r"dopt|maxrregcount|extra-device-vectorization|restrict|default-device|dw|device-int128|"
    r"gpu-architecture|arch|ptxas-options|Xptxas|split-compile|relocatable-device-code|rdc|"
    r"device-c|dc|w|disable-warnings|diag-suppress|O[0-3]|expt-relaxed-constexpr|"
    r"expt-extended-lambda|extended-lambda|Xcompiler|modify-stack-limit|minimal|"
    r"builtin-move-forward|version-ident|pch|time|jitify)([=\s].*)?"
)
"""Options of NVRTC and nvcc that change nothing of what the simulator does."""


class RawModule:
    """The kernels of a CUDA C source.

    Args:
        code: the source.
        path: of a compiled module, whose source, with the ending `.cu`, is run in its place.
        options: of the compiler: the macros, folders and standard among them are used.
        backend: "nvrtc" or "nvcc", which are one here.
        translate_cucomplex: whether `cuComplex.h` is translated.
        enable_cooperative_groups: whether all blocks of a grid may wait for each other.
        name_expressions: C++ names of kernels, such as instances of templates.
        jitify: whether CuPy would use it.

    Raises:
        TypeError: neither or both of `code` and `path` are given.
        ValueError: the backend is unknown, or names are given for another than NVRTC.
    """

    def __init__(
        self,
        *,
        code: str | None = None,
        path: str | None = None,
        options: tuple[str, ...] = (),
        backend: str = "nvrtc",
        translate_cucomplex: bool = False,
        enable_cooperative_groups: bool = False,
        name_expressions: Sequence[str] | None = None,
        jitify: bool | None = None,
    ) -> None:
        if (code is None) == (path is None):
            raise TypeError("Exactly one of `code` and `path` keyword arguments must be given.")
        _check_backend(backend)
        if name_expressions is not None and backend != "nvrtc":
            raise ValueError("only nvrtc supports retrieving the mangled names")
        code = _source_of(path) if path is not None else str(code)
        self.code, self.options, self.backend = code, options, backend
        self._source = located(self.code)
        self.file_path = path
        self.enable_cooperative_groups = enable_cooperative_groups
        self.name_expressions = tuple(name_expressions) if name_expressions else None

    def compile(self, log_stream: Any = None) -> None:
        """Compile it now, and not at its first use.

        Raises:
            CompileException: the source does not compile.
        """
        _ = self.module

    @property
    def module(self) -> Module:
        """The simulator's module."""
        return compiled(self._source, self.options, self.name_expressions, current_order())

    def get_function(self, name: str) -> "RawKernel":
        """The kernel of a name, or of one of `name_expressions`.

        Raises:
            CUDADriverError: there is none.
        """
        kernel = RawKernel(self.code, name, self.options, self.backend)
        kernel._source = self._source  # one module, with the variables that `get_global` shows
        kernel.name_expressions = self.name_expressions
        kernel.enable_cooperative_groups = self.enable_cooperative_groups
        _ = kernel.kernel
        return kernel

    def get_global(self, name: str) -> MemoryPointer:
        """The place of a variable.

        Raises:
            CUDADriverError: there is none.
        """
        contents = _found(self.module.get_global, name)
        return MemoryPointer(UnownedMemory(contents.ctypes.data, contents.size, contents), 0)


class RawKernel:
    """A kernel of a CUDA C source.

    Args:
        code: the source.
        name: of the kernel.
        options: of the compiler.
        backend: "nvrtc" or "nvcc", which are one here.
        translate_cucomplex: whether `cuComplex.h` is translated.
        enable_cooperative_groups: whether all blocks of a grid may wait for each other.
        jitify: whether CuPy would use it.
    """

    def __init__(
        self,
        code: str,
        name: str,
        options: tuple[str, ...] = (),
        backend: str = "nvrtc",
        *,
        translate_cucomplex: bool = False,
        enable_cooperative_groups: bool = False,
        jitify: bool | None = None,
    ) -> None:
        _check_backend(backend)
        self.code, self.name, self.options, self.backend = code, name, options, backend
        self._source = located(code)
        self.__name__ = name
        self.file_path = None
        self.name_expressions: tuple[str, ...] | None = None
        self.enable_cooperative_groups = enable_cooperative_groups
        self.max_dynamic_shared_size_bytes = MOST_STATIC_SHARED
        self.preferred_shared_memory_carveout = -1

    def compile(self, log_stream: Any = None) -> None:
        """Compile it now, and not at its first launch.

        Raises:
            CompileException: the source does not compile.
        """
        _ = self.kernel

    @property
    def kernel(self) -> Function:
        """The simulator's function.

        Raises:
            CompileException: the source does not compile.
            CUDADriverError: it has no such kernel.
        """
        module = compiled(self._source, self.options, self.name_expressions, current_order())
        return _found(module.get_function, self.name)

    def __call__(
        self,
        grid: tuple[int, ...],
        block: tuple[int, ...],
        args: Sequence[Any],
        *,
        shared_mem: int = 0,
        stream: Any = None,
        enable_cooperative_groups: bool | None = None,
    ) -> None:
        """Launch it.

        Args:
            grid: the number of blocks, in 1 to 3 dimensions.
            block: the number of threads of a block, in 1 to 3 dimensions.
            args: one for each parameter.
            shared_mem: bytes of dynamic shared memory.
            stream: one that is captured, or any other.
            enable_cooperative_groups: whether all blocks may wait for each other.

        Raises:
            TypeError: CuPy does not take an argument of that type.
            CUDADriverError: CUDA does not allow the launch.
            LaunchError: a thread did what CUDA does not allow.
        """
        for name, sizes in (("grid", grid), ("block", block)):
            if not isinstance(sizes, tuple):
                raise TypeError(
                    f"Argument '{name}' has incorrect type (expected tuple, got "
                    f"{type(sizes).__name__})"
                )
        if shared_mem > self.max_dynamic_shared_size_bytes:
            raise CUDADriverError(
                f"CUDA_ERROR_INVALID_VALUE: {self.name} is launched with {shared_mem} bytes of "
                f"dynamic shared memory, and may have {self.max_dynamic_shared_size_bytes}: set "
                "its max_dynamic_shared_size_bytes first"
            )
        cooperative = self.enable_cooperative_groups
        if enable_cooperative_groups is not None:
            cooperative = enable_cooperative_groups
        function = self.kernel
        arguments = passed(self.name, function.parameters, args)
        try:
            launch = function.prepare(
                grid, block, arguments, shared_mem=shared_mem, cooperative=cooperative
            )
        except SimulatorError as error:
            raise CUDADriverError(f"CUDA_ERROR_INVALID_VALUE: {error}") from None
        run_or_record(_Launch(launch, arguments, args))

    @property
    def attributes(self) -> dict[str, int]:
        """What CUDA tells of a kernel; registers and local memory are none of the simulator's."""
        return {
            "max_threads_per_block": self.max_threads_per_block,
            "shared_size_bytes": self.shared_size_bytes,
            "const_size_bytes": 0,
            "local_size_bytes": 0,
            "num_regs": 0,
            "ptx_version": 90,
            "binary_version": 90,
            "cache_mode_ca": 0,
            "max_dynamic_shared_size_bytes": self.max_dynamic_shared_size_bytes,
            "preferred_shared_memory_carveout": self.preferred_shared_memory_carveout,
        }

    @property
    def max_threads_per_block(self) -> int:
        """The most threads that a block may have."""
        return self.kernel.attributes["max_threads_per_block"]

    @property
    def shared_size_bytes(self) -> int:
        """Its static shared memory."""
        return self.kernel.attributes["shared_size_bytes"]

    const_size_bytes = local_size_bytes = num_regs = cache_mode_ca = 0
    ptx_version = binary_version = 90

    def __repr__(self) -> str:
        return f"<RawKernel {self.name}>"


def _found(get: Callable[[str], _T], name: str) -> _T:
    """What `get` has of that name.

    Raises:
        CUDADriverError: nothing.
    """
    try:
        return get(name)
    except SimulatorError as error:
        raise CUDADriverError(f"CUDA_ERROR_NOT_FOUND: named symbol not found: {error}") from None


def _source_of(path: str) -> str:
    """The source of a compiled module, which has to lie beside it.

    Raises:
        MissingNameError: it does not.
    """
    source = Path(path).with_suffix(".cu")
    if not source.is_file():
        raise missing(f"what {path} is compiled for: put its source beside it, as {source.name}")
    return f'#line 1 "{source}"\n{source.read_text(encoding="utf-8")}'


class _Launch:
    """A launch, which keeps its arguments alive."""

    def __init__(self, launch: Prepared, *kept: Any) -> None:
        self._launch, self._kept = launch, kept

    def __call__(self) -> None:
        self._launch()


def _check_backend(backend: str) -> None:
    if backend not in ("nvrtc", "nvcc"):
        raise ValueError(f"Invalid backend {backend}: give nvrtc or nvcc")


@cache
def compiled(
    code: str, options: tuple[str, ...], name_expressions: tuple[str, ...] | None, order: Order
) -> Module:
    """The module of a source, which all kernels of that source and options share.

    Raises:
        CompileException: it does not compile, or an option is unknown.
    """
    every = (*translated(options), f"-I{INCLUDE}")
    try:
        return Module(code, every, order=order, name_expressions=name_expressions)
    except SimulatorError as error:
        raise CompileException(str(error)) from None  # not below how the compiler was called


def translated(options: Sequence[str]) -> list[str]:
    """The options of NVRTC or nvcc that are the simulator's too.

    Raises:
        CompileException: one is none of NVRTC's or nvcc's.
    """
    if not isinstance(options, tuple):
        raise TypeError(f"options must be a tuple, not {type(options).__name__}")
    found = []
    given = iter(options)
    for option in given:
        name, has_value, value = option.partition("=")
        if name in _LONG and has_value:
            option = _LONG[name] + value
        elif option in ("-D", "-I", "-U", *_LONG):
            option = str(_LONG.get(option, option)) + str(next(given, ""))
        if _STANDARD.fullmatch(option):
            found.append("-std=c++20" if option.endswith(("20", "23")) else "-std=c++17")
        elif option[:2] in ("-D", "-I", "-U"):
            found.append(option[:2] + option[2:].strip())
        elif not _WITHOUT_MEANING.fullmatch(option):
            raise CompileException(f"nvrtc: error: unrecognized option {option} found")
    return found

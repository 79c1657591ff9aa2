"""What the CuPy runtime uses of CuPy, for machines without a GPU; each part can fail."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np


class CUDARuntimeError(RuntimeError):
    pass


class OutOfMemoryError(MemoryError):
    pass


class CompileException(Exception):  # noqa: N818 - CuPy's name
    """NVRTC's log, which is not among the arguments of the exception."""

    def __init__(self, message: str) -> None:
        super().__init__()
        self._message = message

    def __str__(self) -> str:
        return self._message


class DynamicLibNotFoundError(RuntimeError):
    """Of cuda.pathfinder, by which CuPy 14 looks for NVRTC."""


def headers_missing() -> RuntimeError:
    """What CuPy 14.2 raises when it first compiles and finds no headers, in core.pyx."""
    return RuntimeError(
        "Failed to find CUDA headers. Please install CUDA toolkit headers (e.g., pip install "
        "cupy-cuda12x[ctk]) or specify CUDA_PATH environment variable."
    )


def function_missing() -> AssertionError:
    """What CuPy 14.2 raises for a function that a library lacks, in _softlink.pyx."""
    return AssertionError(
        "\n*** The requested function could not be found in the library.\n***\n*** This is likely a"
        " bug in CuPy.\n"
    )


class FakeCupy(ModuleType):
    """CuPy on a machine with `gpus` GPUs and a driver for CUDA 12.9.

    Attributes:
        compile: is called by every computation.
        current: the device that is the current one, None outside.
        load_error: what loading a kernel raises, or None.
        launches: what kernels were launched with.
    """

    __version__ = "14.2.0"
    asnumpy = staticmethod(np.array)

    def __init__(self, gpus: int = 1, driver: int = 12090, built_for: int = 12090) -> None:
        super().__init__("cupy")
        self.gpus = gpus
        self.compile: Callable[[], None] = lambda: None
        self.current: int | None = None
        self.load_error: Exception | None = None
        self.launches: list[tuple[Any, ...]] = []
        self.cuda = SimpleNamespace(
            Device=self._device,
            memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
            compiler=SimpleNamespace(CompileException=CompileException),
            runtime=SimpleNamespace(
                CUDARuntimeError=CUDARuntimeError,
                driverGetVersion=lambda: driver,
                runtimeGetVersion=lambda: built_for,
                getDeviceCount=self._count,
                getDeviceProperties=lambda index: {
                    "name": b"NVIDIA Test %d" % index,
                    "totalGlobalMem": 8 * 2**30,
                },
            ),
        )
        self.ndarray = Resident

    def ones(self, count: int) -> "Resident":
        return Resident(self)

    def RawModule(self, code: str, options: tuple[str, ...]) -> SimpleNamespace:  # noqa: N802
        def kernel(*given: Any) -> None:
            self.launches.append((code, options, *given))

        def get_function(name: str) -> Callable[..., None]:
            if self.load_error is not None:
                raise self.load_error
            return kernel

        return SimpleNamespace(get_function=get_function)

    @contextmanager
    def _device(self, index: int) -> Iterator[None]:
        before, self.current = self.current, index
        try:
            yield
        finally:
            self.current = before

    def _count(self) -> int:
        if self.gpus < 0:
            raise CUDARuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")
        return self.gpus


class Resident:
    """An array on the device that is the current one."""

    def __init__(self, cupy: FakeCupy) -> None:
        self._cupy = cupy
        self.device = SimpleNamespace(id=cupy.current)

    def __add__(self, other: int) -> "Resident":
        self._cupy.compile()
        return self

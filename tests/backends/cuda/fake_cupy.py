"""What the CuPy runtime uses of CuPy, for machines without a GPU; each part can fail."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
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
    """What CuPy 14.2 raises when it first compiles and finds no headers.

    By `assemble_cupy_compiler_options` in cupy/_core/core.pyx of the tag v14.2.0, before it loads
    NVRTC.
    """
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
        device: the index of the current device.
        capture_errors: what to "begin" and to "end" a capture raises, if anything.
        load_error: what loading a kernel raises, or None.
        launches: what kernels were launched with.
        order: what streams were given, in time: (stream, "record" or "wait", event).
    """

    __version__ = "14.2.0"
    asnumpy = staticmethod(np.array)

    def __init__(
        self,
        gpus: int = 1,
        driver: int = 12090,
        built_for: int = 12090,
        nvrtc: tuple[int, int] = (12, 9),
    ) -> None:
        super().__init__("cupy")
        self.gpus = gpus
        self.compile: Callable[[], None] = lambda: None
        self.device = 0
        self.load_error: Exception | None = None
        self.launches: list[tuple[Any, ...]] = []
        self.order: list[tuple[Stream, str, Event]] = []
        self.allocate: Callable[[int], Any] = lambda size: None
        self.capture_errors: dict[str, Exception] = {}
        self.null = Stream(self, ptr=0)
        self.streams = [[self.null] for _ in range(gpus)]  # by device, entered and not left
        self.current = [self.null] * gpus  # by device
        self.entered: list[int] = []  # the devices of the streams that were entered and not left
        self.cuda = SimpleNamespace(
            Device=self._device,
            Stream=partial(Stream, self),
            using_allocator=self._using_allocator,
            get_current_stream=lambda: self.current[self.device],
            memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
            compiler=SimpleNamespace(CompileException=CompileException),
            nvrtc=SimpleNamespace(getVersion=lambda: nvrtc),
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

    def empty(self, shape: tuple[int, ...], dtype: Any) -> "Resident":
        self.allocate(1)
        return Resident(self)

    def fail_to(self, what: str) -> None:
        """Fail if a capture is to fail there."""
        if what in self.capture_errors:
            raise self.capture_errors[what]

    @contextmanager
    def _using_allocator(self, allocator: Callable[[int], Any]) -> Iterator[None]:
        before, self.allocate = self.allocate, allocator
        try:
            yield
        finally:
            self.allocate = before

    def RawModule(self, code: str, options: tuple[str, ...]) -> SimpleNamespace:  # noqa: N802
        def kernel(*given: Any) -> None:
            self.launches.append((code, options, *given))

        def get_function(name: str) -> SimpleNamespace:
            if self.load_error is not None:
                raise self.load_error
            return SimpleNamespace(kernel=kernel)

        return SimpleNamespace(get_function=get_function)

    @contextmanager
    def _device(self, index: int) -> Iterator[None]:
        before, self.device = self.device, index
        try:
            yield
        finally:
            self.device = before

    def _count(self) -> int:
        if self.gpus < 0:
            raise CUDARuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")
        return self.gpus


class Event:
    """A point in the order of a stream's work."""


class Stream:
    """A stream as in CuPy 14.2's stream.pyx: its context knows no stream that `use` made current.

    The null stream belongs to all devices, any other to the device that was current.
    """

    def __init__(self, cupy: FakeCupy, ptr: int | None = None, non_blocking: bool = False) -> None:
        self._cupy = cupy
        self._device = None if ptr == 0 else cupy.device
        self.ptr = id(self) if ptr is None else ptr
        self.is_non_blocking = non_blocking
        self.launched: list[Graph] = []

    def begin_capture(self) -> None:
        if self.ptr == 0:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        self._cupy.launches.clear()
        self._cupy.fail_to("begin")

    def end_capture(self) -> "Graph":
        self._cupy.fail_to("end")
        return Graph(self._cupy, list(self._cupy.launches))

    def use(self) -> "Stream":
        self._check_device()
        self._cupy.current[self._cupy.device] = self
        return self

    def __enter__(self) -> "Stream":
        self.use()
        self._cupy.streams[self._cupy.device].append(self)
        self._cupy.entered.append(self._cupy.device)
        return self

    def __exit__(self, *_: object) -> None:
        device = self._cupy.entered.pop()
        self._cupy.streams[device].pop()
        self._cupy.current[device] = self._cupy.streams[device][-1]

    def record(self) -> Event:
        event = Event()
        self._cupy.order.append((self, "record", event))
        return event

    def wait_event(self, event: Event) -> None:
        self._cupy.order.append((self, "wait", event))

    def _check_device(self) -> None:
        if self._device not in (None, self._cupy.device):
            raise RuntimeError("The device that the stream is created on does not match")


class Graph:
    """A graph of launches."""

    def __init__(self, cupy: FakeCupy, launches: list[tuple[Any, ...]]) -> None:
        self._cupy, self.launches = cupy, launches

    def launch(self) -> None:
        self._cupy.cuda.get_current_stream().launched.append(self)


class Resident:
    """An array on the device that is the current one."""

    def __init__(self, cupy: FakeCupy) -> None:
        self._cupy = cupy
        self.data = SimpleNamespace(device_id=cupy.device)
        self.shape, self.dtype = (1,), np.dtype(np.float64)
        self.flags = SimpleNamespace(c_contiguous=True)

    def __add__(self, other: int) -> "Resident":
        self._cupy.compile()
        return self

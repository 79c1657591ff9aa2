"""An NVIDIA GPU through CuPy: finding one that can be used, and running kernels on it.

CuPy is imported only when a GPU is asked for: its import takes as long as all others together.
"""

import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache, cached_property, partial
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

from numpy.typing import DTypeLike, NDArray

from gpucnn.backends.communicator import Communicator
from gpucnn.backends.cuda.nccl import NcclCommunicator
from gpucnn.backends.cuda.runtime import NOT_RECORDED, Function
from gpucnn.backends.memory import NOTHING, Array
from gpucnn.errors import DeviceError, DeviceMemoryError, printable
from gpucnn.utils.quiet import without_warnings
from gpucnn.utils.warn import warn

WHEELS = {12: "cupy-cuda12x", 13: "cupy-cuda13x"}  # by the CUDA version that they are built for

USE_CPU = 'or use the device "cpu"'

NULL_STREAMS = (0, 1)  # the legacy default stream, by either of its handles


class NoGpuError(DeviceError):
    """There is no GPU, no driver of one, or no CuPy: nothing that could be repaired here."""


class CupyRuntime:
    """One GPU as a `Runtime`.

    Everything runs on one stream of the GPU, which is not the default stream, on which no graph can
    be captured. It takes turns with the default stream, and is ordered with a current stream of the
    user's by events, see `active`.

    Args:
        index: the index of the GPU in CUDA's order.

    Raises:
        DeviceError: the GPU cannot be used; the text says why, and what to install or change.
    """

    traits = attrgetter("__class__", "shape", "dtype", "flags.c_contiguous", "data.device_id")

    def __init__(self, index: int = 0) -> None:
        self.device = gpu_name(index)
        self.xp = import_cupy()
        count = count_gpus(self.xp)
        if index >= count:
            raise DeviceError(
                f"there is no device cuda:{index}: CUDA finds {count}, from cuda:0 on"
            )
        self._index = index
        self._across: dict[Communicator, Communicator | None] = {}  # by that of the host
        # The streams that this thread captures, or None: the current one, and that of branches.
        self._here = threading.local()
        with _proving(), self.active():
            _check_compiler(self.xp)
            self.xp.ones(1) + 1  # compiles a kernel, so that anything missing shows here

    @cached_property
    def description(self) -> str:
        """The name and memory of the GPU, and the versions of its driver and of CuPy."""
        with _proving():
            properties = self.xp.cuda.runtime.getDeviceProperties(self._index)
            gibibytes = properties["totalGlobalMem"] / 2**30
            driver = _version(self.xp.cuda.runtime.driverGetVersion())
            return (
                f"{properties['name'].decode()}, {gibibytes:.0f} GiB, driver for CUDA {driver}, "
                f"CuPy {self.xp.__version__}"
            )

    def across(self, host: Communicator) -> Communicator | None:
        """That of NCCL, if it is installed; a warning says if it is not."""
        if host not in self._across:
            self._across[host] = self._make_across(host)
        return self._across[host]

    def _make_across(self, host: Communicator) -> Communicator | None:
        with self.active():
            if not self.xp.cuda.nccl.available:
                wheel = "nvidia-nccl-cu12 or nvidia-nccl-cu13"
                warn(f"gradients are summed on the host, since there is no NCCL: install {wheel}")
                return None
            distributed = import_module("cupyx.distributed")
            make = partial(distributed.init_process_group, backend="nccl", use_mpi=True)
            return NcclCommunicator(make, self.active, host)

    def active(self) -> AbstractContextManager[None]:
        """Make the GPU the current device, and its stream for this package the current stream.

        What runs in this context comes after all that the user's current stream was given before,
        and before all that it is given later. So arrays can be handed over in both directions, and
        be freed: CuPy hands freed memory out again on the stream that it was allocated on.

        Raises:
            DeviceError: CUDA, NVRTC or CuPy raised an error in this context, told in one line.
        """
        return NOTHING if self._is_active() else self._activated()

    @property
    def _stream(self) -> Any:
        """The stream that this thread captures, or else the one that all work runs on."""
        return getattr(self._here, "capturing", None) or _stream_of(self.xp, self._index)

    def _is_active(self) -> bool:
        try:  # CuPy has a current stream for each thread and device
            return self.xp.cuda.get_current_stream() is self._stream
        except Exception as error:
            self._tell(error)
            raise

    @contextmanager
    def _activated(self) -> Iterator[None]:
        cuda = self.xp.cuda
        try:
            with cuda.Device(self._index):
                users, mine = cuda.get_current_stream(), self._stream
                _order(users, mine)
                try:
                    with mine:
                        yield
                finally:
                    users.use()  # which the `with` before does not know if `use` made it current
                    _order(mine, users)
        except Exception as error:
            self._tell(error)
            raise

    def record(self, work: Callable[[], None]) -> "_Graph":
        """Capture the launches in a CUDA graph, on a stream that no other thread uses.

        It takes no turns with the default stream: other threads may use that one meanwhile.
        """
        with self._capturing():
            stream = self.xp.cuda.Stream(non_blocking=True)
        self._here.capturing, self._here.branch = stream, None
        try:
            with stream, self.xp.cuda.using_allocator(_refuse_allocation):
                return _Graph(self._capture(work, stream))
        finally:
            self._here.capturing = self._here.branch = None

    def _capture(self, work: Callable[[], None], stream: Any) -> Any:
        with self._capturing():
            stream.begin_capture()
        try:
            work()
        except BaseException as error:
            with suppress(Exception):  # what went wrong is told by the error of `work`
                stream.end_capture()
            self._tell(error)
            raise
        with self._capturing():
            return stream.end_capture()

    @contextmanager
    def _capturing(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise DeviceError(f"{self.device} captured no graph ({_told(error)})") from error

    @property
    def is_recording(self) -> bool:
        return getattr(self._here, "capturing", None) is not None

    def branch(self) -> AbstractContextManager[None]:
        """While a graph is captured, a branch of it, on a second stream.

        Kernels that are launched by the host leave it no time to gain by a branch.
        """
        return self._branched(self._here.capturing) if self.is_recording else NOTHING

    @contextmanager
    def _branched(self, main: Any) -> Iterator[None]:
        if self._here.branch is None:
            self._here.branch = self.xp.cuda.Stream(non_blocking=True)
        branch = self._here.capturing = self._here.branch
        try:
            _order(main, branch)
            with branch:
                yield
        finally:
            self._here.capturing = main

    def join(self) -> None:
        if self.is_recording and self._here.branch is not None:
            _order(self._here.branch, self._here.capturing)

    def load(self, source: str, options: tuple[str, ...]) -> "_Module":
        """CuPy caches what it compiles in a folder of its own."""
        return _Module(self.xp.RawModule(code=source, options=options))

    def holds(self, array: Any) -> bool:
        return isinstance(array, self.xp.ndarray) and array.data.device_id == self._index

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return self.xp.empty(shape, dtype)  # type: ignore[no-any-return]

    def to_device(self, array: Any, dtype: DTypeLike | None) -> Array:
        return self.xp.asarray(array, dtype, order="C")  # type: ignore[no-any-return]

    def to_host(self, array: Any) -> NDArray[Any]:
        return self.xp.asnumpy(array)  # type: ignore[no-any-return]

    def _tell(self, error: BaseException) -> None:
        """Raise an error of the device in its one-line form; do nothing for others."""
        explained = self._explain(error)
        if explained is not None:
            raise explained from error

    def _explain(self, error: BaseException) -> DeviceError | None:
        """The one-line form of an error of the device; None for an error that is not one."""
        cuda, text = self.xp.cuda, _one_line(str(error))
        if isinstance(error, cuda.memory.OutOfMemoryError):
            return DeviceMemoryError(
                f"{self.device} has not enough memory ({text}): use a smaller batch or model, end "
                f"other programs on it (nvidia-smi lists them), {USE_CPU}"
            )
        if type(error).__name__.startswith("DynamicLibNot"):
            return DeviceError(f"NVRTC, CUDA's compiler, was not found: {_install_toolkit()}")
        if _lacks_headers(error, cuda.compiler.CompileException):
            return DeviceError(f"CUDA's headers were not found: {_install_toolkit()}")
        if isinstance(error, cuda.compiler.CompileException):
            return DeviceError(f"a kernel does not compile for {self.device}: {text}")
        if type(error).__name__ in ("CUDARuntimeError", "CUDADriverError", "NVRTCError"):
            return DeviceError(f"{self.device} failed: {text}")
        return None


class _Module:
    """A CuPy module whose errors are told in one line."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def get_function(self, name: str) -> Function:
        """CuPy's own function for the current device, which takes None for a null pointer."""
        with _writing_cache():
            return self._module.get_function(name).kernel  # type: ignore[no-any-return]  # compiles


class _Graph:
    """A CUDA graph as a `Recording`."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph

    def replay(self) -> None:
        self._graph.launch()


def _refuse_allocation(size: int) -> Any:
    """An allocator that refuses: CuPy would hand out the memory again, and the graph still use it.

    Raises:
        DeviceError: always.
    """
    raise DeviceError(NOT_RECORDED.format("an allocation"))


def gpu_name(index: int) -> str:
    """The device name of a GPU: "cuda", "cuda:1" and so on."""
    return f"cuda:{index}" if index else "cuda"


def import_cupy() -> ModuleType:
    """Import CuPy.

    Raises:
        NoGpuError: CuPy is not installed.
        DeviceError: CuPy does not load.
    """
    try:
        _refuse_two_wheels()
        with _writing_cache():
            cupy = _import()
        if not hasattr(cupy, "cuda"):
            place = cupy.__file__ or next(iter(cupy.__path__))
            raise DeviceError(
                f"{_one_line(place)} is imported as CuPy, and is something else: rename it, or "
                "start Python in another folder"
            )
    except DeviceError:
        raise
    except (Exception, SystemExit) as error:  # SystemExit by a script named cupy.py
        if isinstance(error, ModuleNotFoundError) and error.name == "cupy":
            raise NoGpuError(
                "CuPy is not installed: pip install 'cupy-cuda12x[ctk]' or 'cupy-cuda13x[ctk]', "
                "whichever CUDA version nvidia-smi shows"
            ) from None
        raise DeviceError(f"CuPy does not load ({_cause(error)}): reinstall it") from error
    return cupy


def count_gpus(cupy: ModuleType) -> int:
    """Count the GPUs, of which there is at least one.

    Raises:
        NoGpuError: there is no GPU, or no driver.
        DeviceError: CuPy cannot use the driver, or does not work.
    """
    with _proving():
        _check_driver(cupy)
        runtime = cupy.cuda.runtime
        try:
            count = int(runtime.getDeviceCount())
        except runtime.CUDARuntimeError as error:
            raise NoGpuError(
                f"CUDA finds no GPU ({_one_line(str(error))}): see nvidia-smi, {USE_CPU}"
            ) from error
    if count == 0:
        raise NoGpuError(f"CUDA finds no GPU: see nvidia-smi and CUDA_VISIBLE_DEVICES, {USE_CPU}")
    return count


def _refuse_two_wheels() -> None:
    installed = _installed_wheels()
    if len(installed) > 1:
        raise DeviceError(
            f"{' and '.join(installed)} are both installed, and exclude each other: uninstall "
            "both, then install the one for your driver (nvidia-smi shows its CUDA version)"
        )


def _import() -> ModuleType:
    if sys.modules.get("cupy") is None:
        with without_warnings():  # an error is reported in one line
            import_module("cupy")
    return import_module("cupy")


def _check_driver(cupy: ModuleType) -> None:
    runtime = cupy.cuda.runtime
    driver, built_for = runtime.driverGetVersion(), runtime.runtimeGetVersion()
    if driver == 0:
        raise NoGpuError(f"no NVIDIA driver was found: install one, {USE_CPU}")
    if driver // 1000 < built_for // 1000:
        wheel = WHEELS.get(driver // 1000)
        advice = f"install {wheel} in its place" if wheel else f"update the driver, {USE_CPU}"
        raise DeviceError(
            f"the NVIDIA driver supports CUDA {_version(driver)}, but {_wheel(cupy)} is built for "
            f"CUDA {_version(built_for)}: {advice}"
        )


def _check_compiler(cupy: ModuleType) -> None:
    """Check that the driver can load what NVRTC compiles: it need not, if NVRTC is newer.

    CuPy takes the newest NVRTC that it finds, whichever CUDA version CuPy itself is built for.
    """
    driver, (major, minor) = cupy.cuda.runtime.driverGetVersion(), cupy.cuda.nvrtc.getVersion()
    if major > driver // 1000:
        raise DeviceError(
            f"the NVIDIA driver supports CUDA {_version(driver)}, but NVRTC {major}.{minor} is "
            f"found first: uninstall that (pip uninstall nvidia-cuda-nvrtc) and "
            f"{_install_toolkit()}, or update the driver"
        )


@cache
def _stream_of(cupy: ModuleType, index: int) -> Any:
    """The stream of a GPU on which all of this package's work runs.

    There is one for the whole process: CuPy keeps memory that was freed for the stream on which it
    was allocated.
    """
    with cupy.cuda.Device(index):
        return cupy.cuda.Stream()


def _order(first: Any, then: Any) -> None:
    """Let stream `then` wait for all that stream `first` has been given."""
    # Work on the default stream waits for other streams as it is, and they for it.
    if first.ptr not in NULL_STREAMS and then.ptr not in NULL_STREAMS:
        then.wait_event(first.record())


@contextmanager
def _proving() -> Iterator[None]:
    """Run code that works if CuPy does: any error in this context means that CuPy does not.

    Raises:
        DeviceError: there was an error.
    """
    try:
        with _writing_cache():
            yield
    except DeviceError:
        raise
    except Exception as error:
        raise DeviceError(
            f"CuPy does not work ({_told(error)}): reinstall it, {USE_CPU}"
        ) from error


@contextmanager
def _writing_cache() -> Iterator[None]:
    """Run code with which CuPy may write to its kernel cache.

    Raises:
        DeviceError: the cache cannot be written.
    """
    try:
        yield
    except OSError as error:
        folder = os.environ.get("CUPY_CACHE_DIR", "~/.cupy/kernel_cache")
        if not _concerns(error, Path(folder).expanduser()):
            raise
        raise DeviceError(
            f"CuPy cannot write its kernel cache {folder} ({error.strerror}): set CUPY_CACHE_DIR "
            "to a folder that can be written"
        ) from error


def _concerns(error: OSError, folder: Path) -> bool:
    """Whether an OSError may concern a file in `folder`, or one of the parents of `folder`.

    The error of a full disk names no file; a library that fails to load gives no error number.
    """
    if error.errno is None or error.filename is None:
        return error.errno is not None
    file = Path(os.fsdecode(error.filename))
    return folder.is_relative_to(file) or file.is_relative_to(folder)


def _lacks_headers(error: BaseException, compile_exception: type[Exception]) -> bool:
    """Whether CUDA's headers are missing, as CuPy's search for them or else NVRTC reports."""
    text = str(error)
    if isinstance(error, compile_exception):
        return "cannot open source file" in text or "could not open source file" in text
    return type(error) is RuntimeError and "CUDA headers" in text


def _cause(error: BaseException) -> str:
    """The original error in CuPy's report of a failed import, or else the error itself."""
    lines = [line.strip() for line in str(error).splitlines()]
    if "Original error:" in lines[:-1]:
        return _one_line(lines[lines.index("Original error:") + 1])
    return _told(error)


def _told(error: BaseException) -> str:
    """An error as the last line of Python's traceback shows it."""
    return _one_line(" ".join(traceback.format_exception_only(error)))


def _one_line(text: str) -> str:
    """Text of another library as one printable line."""
    return printable(" ".join(text.split()))


def _installed_wheels() -> list[str]:
    from importlib import metadata  # imported here: it takes longer than most of the library

    names = (distribution.metadata["Name"] for distribution in metadata.distributions())
    return sorted({name for name in names if name in WHEELS.values()})


def _wheel(cupy: ModuleType) -> str:
    return next(iter(_installed_wheels()), f"CuPy {cupy.__version__}")


def _install_toolkit() -> str:
    wheels = _installed_wheels()
    if not wheels:  # CuPy from elsewhere, such as conda
        return "install CUDA's toolkit, or set CUDA_PATH to its folder"
    return f"pip install '{wheels[0]}[ctk]'"


def _version(number: int) -> str:
    """A version from CUDA's encoding as an integer: 12020 is 12.2."""
    return f"{number // 1000}.{number % 1000 // 10}"

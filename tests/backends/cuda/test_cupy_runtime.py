"""A GPU through CuPy, as far as it can be tested without one: with a stand-in for CuPy."""

import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from backends.cuda import fake_cupy
from backends.cuda.fake_cupy import FakeCupy
from gpucnn.backends.cuda.cupy_runtime import CupyRuntime, count_gpus, import_cupy
from gpucnn.errors import DeviceError, DeviceMemoryError, GpucnnError

# What CuPy raises if its own modules do not load.
REPORT = """
================================================================
Failed to import CuPy.

Original error:
  ImportError: libfoo.so: no such file
================================================================
"""

Install = Callable[..., FakeCupy]
OnImport = Callable[[Callable[[], None]], None]


@pytest.fixture(autouse=True)
def wheels(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The distributions that are installed."""
    names = ["numpy", "cupy-cuda12x"]
    installed = lambda: [SimpleNamespace(metadata={"Name": name}) for name in names]  # noqa: E731
    monkeypatch.setattr("importlib.metadata.distributions", installed)
    return names


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    def install(**machine: Any) -> FakeCupy:
        cupy = FakeCupy(**machine)
        monkeypatch.setitem(sys.modules, "cupy", cupy)
        return cupy

    return install


def problem(*, index: int = 0) -> str:
    """The one line that tells why there is no such GPU."""
    with pytest.raises(DeviceError) as error:
        CupyRuntime(index)
    assert "\n" not in str(error.value)
    return str(error.value)


# Before there is a device


def test_without_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert (
        "CuPy is not installed: pip install 'cupy-cuda12x[ctk]' or 'cupy-cuda13x[ctk]'" in problem()
    )


def test_two_wheels(install: Install, wheels: list[str]) -> None:
    install()
    wheels.append("cupy-cuda13x")
    assert "cupy-cuda12x and cupy-cuda13x are both installed" in problem()


@pytest.fixture
def not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if CuPy had not been imported; afterwards it has not been."""
    monkeypatch.setitem(sys.modules, "cupy", None)  # which is put back
    del sys.modules["cupy"]


@pytest.fixture
def on_import(monkeypatch: pytest.MonkeyPatch, not_imported: None) -> OnImport:
    """Have the import of CuPy do something, and then give the stand-in."""

    def install(act: Callable[[], None]) -> None:
        class Finder:
            def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
                return ModuleSpec(name, self) if name == "cupy" else None  # type: ignore[arg-type]

            def create_module(self, spec: ModuleSpec) -> ModuleType:
                return FakeCupy()

            def exec_module(self, module: ModuleType) -> None:
                act()

        monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])

    return install


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ImportError(REPORT), "(ImportError: libfoo.so: no such file): reinstall it"),
        (ImportError("libfoo.so"), "(ImportError: libfoo.so): reinstall it"),
        (ModuleNotFoundError("No module named 'cuda'", name="cuda"), "Error: No module named 'c"),
        (AttributeError("no attribute\n'x'"), "(AttributeError: no attribute 'x'): reinstall it"),
        (RuntimeError("\x1b[2Jcleared"), r"(RuntimeError: \x1b[2Jcleared): reinstall it"),
        (OSError("libcuda.so.1: cannot open shared object"), "(OSError: libcuda.so.1: cannot op"),
        (OSError(13, "Permission denied", "/other/file"), "Permission denied: '/other/file'): r"),
        (SyntaxError("invalid syntax", ("cupy.py", 3, 1, "x =")), "SyntaxError: invalid syntax): "),
        (AssertionError(), "(AssertionError): reinstall it"),
        (ValueError("x" * 10_000), "x... (10,012 characters)): reinstall it"),
    ],
)
def test_cupy_that_does_not_load(on_import: OnImport, error: Exception, text: str) -> None:
    on_import(raising(error))
    said = problem()
    assert said.startswith("CuPy does not load (")
    assert text in said
    assert said.isprintable()
    assert len(said) < 400


@pytest.mark.parametrize("file", [None, "/cache", "/cache/kernel", "/"])
def test_cache_that_cannot_be_made(
    on_import: OnImport,
    monkeypatch: pytest.MonkeyPatch,
    file: str | None,
) -> None:
    monkeypatch.setenv("CUPY_CACHE_DIR", "/cache")
    on_import(raising(OSError(13, "Permission denied", file)))
    assert "kernel cache /cache (Permission denied): set CUPY_CACHE_DIR" in problem()


def test_an_interrupt_while_cupy_is_imported_passes(on_import: OnImport) -> None:
    on_import(raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        CupyRuntime()


def test_a_script_of_that_name_does_not_end_the_program(on_import: OnImport) -> None:
    on_import(raising(SystemExit(2)))
    assert "CuPy does not load (SystemExit" in problem()


@pytest.mark.usefixtures("not_imported")
def test_folder_called_cupy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cupy").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert problem() == (
        f"{tmp_path}/cupy is imported as CuPy, and is something else: rename it, or start Python "
        "in another folder"
    )


@pytest.mark.usefixtures("not_imported")
def test_file_called_cupy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cupy.py").write_text("print = None\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert f"{tmp_path}/cupy.py is imported as CuPy, and is something else" in problem()


@pytest.mark.parametrize(
    "broken", ["driverGetVersion", "runtimeGetVersion", "getDeviceCount", "getDeviceProperties"]
)
@pytest.mark.parametrize(
    ("error", "text"),
    [
        (fake_cupy.function_missing(), "(AssertionError: *** The requested function could not be"),
        (AttributeError("no such thing"), "(AttributeError: no such thing): reinstall it, or use"),
        (OSError("libcudart.so.13: cannot open"), "(OSError: libcudart.so.13: cannot open): rein"),
    ],
)
def test_cupy_that_loads_and_does_not_work(
    install: Install, broken: str, error: Exception, text: str
) -> None:
    setattr(install().cuda.runtime, broken, raising(error))
    with pytest.raises(DeviceError) as caught:
        _ = CupyRuntime().description
    assert str(caught.value).startswith(f"CuPy does not work {text}")


@pytest.mark.parametrize(
    "lost", ["runtime", "Device", "Stream", "get_current_stream", "nvrtc", "memory", "compiler"]
)
def test_cupy_without_a_part(install: Install, lost: str) -> None:
    cupy = install()
    delattr(cupy.cuda, lost)
    cupy.compile = raising(RuntimeError("something else"))
    assert f"has no attribute '{lost}'" in problem()


def test_cupy_that_is_no_wheel(install: Install, wheels: list[str]) -> None:
    wheels.remove("cupy-cuda12x")
    install().compile = raising(fake_cupy.headers_missing())
    assert problem().endswith("found: install CUDA's toolkit, or set CUDA_PATH to its folder")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_end_while_cupy_compiles_passes(install: Install, error: type[BaseException]) -> None:
    install().compile = raising(error())
    with pytest.raises(error):
        CupyRuntime()


def test_filters_of_warnings_are_the_same_after_imports_by_threads(on_import: OnImport) -> None:
    on_import(lambda: time.sleep(0.1))
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(lambda _: import_cupy(), range(4)))) == 1
    assert warnings.filters == before


def test_without_a_compiler(install: Install) -> None:
    install().cuda.nvrtc.getVersion = raising(fake_cupy.DynamicLibNotFoundError("no libnvrtc"))
    assert problem() == ("NVRTC, CUDA's compiler, was not found: pip install 'cupy-cuda12x[ctk]'")


def test_compiler_that_is_newer_than_the_driver(install: Install) -> None:
    install(nvrtc=(13, 0))
    assert problem() == (
        "the NVIDIA driver supports CUDA 12.9, but NVRTC 13.0 is found first: uninstall that (pip "
        "uninstall nvidia-cuda-nvrtc) and pip install 'cupy-cuda12x[ctk]', or update the driver"
    )


@pytest.mark.parametrize("nvrtc", [(12, 0), (12, 99)])
def test_compiler_of_the_same_major_version(install: Install, nvrtc: tuple[int, int]) -> None:
    install(nvrtc=nvrtc)
    assert CupyRuntime().device == "cuda"


def test_older_compiler_will_do(install: Install) -> None:
    install(driver=13000)
    assert CupyRuntime().device == "cuda"


def test_without_driver(install: Install) -> None:
    install(driver=0)
    assert "no NVIDIA driver was found: install one" in problem()


def test_driver_that_is_older_than_the_wheel(install: Install, wheels: list[str]) -> None:
    wheels[:] = ["cupy-cuda13x"]
    install(driver=12020, built_for=13000)
    assert "supports CUDA 12.2, but cupy-cuda13x is built for CUDA 13.0" in problem()
    assert "install cupy-cuda12x" in problem()


def test_driver_that_is_too_old_for_any_wheel(install: Install) -> None:
    install(driver=11040)
    assert "supports CUDA 11.4" in problem()
    assert "update the driver" in problem()


def test_newer_driver_will_do(install: Install) -> None:
    assert count_gpus(install(driver=13000)) == 1


@pytest.mark.parametrize("gpus", [0, -1])
def test_without_gpu(install: Install, gpus: int) -> None:
    install(gpus=gpus)
    assert "CUDA finds no GPU" in problem()


def test_index_beyond_the_last(install: Install) -> None:
    install(gpus=2)
    assert "there is no device cuda:2: CUDA finds 2" in problem(index=2)


# When it begins to compute


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            fake_cupy.DynamicLibNotFoundError("Failure finding libnvrtc"),
            "was not found: pip install 'cupy-cuda12x[ctk]'",
        ),
        (
            fake_cupy.CompileException('x.cuh(1): error: cannot open source file "cuda_fp16.h"'),
            "CUDA's headers were not found: pip install 'cupy-cuda12x[ctk]'",
        ),
        (fake_cupy.headers_missing(), "CUDA's headers were not found: pip install 'cupy-cuda12x["),
        (fake_cupy.CompileException("x.cu(3): error: no"), "does not compile for cuda: x.cu(3)"),
        (fake_cupy.function_missing(), "CuPy does not work (AssertionError: *** The requested f"),
        (RuntimeError("anything else"), "not work (RuntimeError: anything else): reinstall it, or"),
        (fake_cupy.CUDARuntimeError("cudaErrorIllegalAddress"), "cuda failed: cudaErrorIllegal"),
        (PermissionError(13, "Permission denied"), "kernel cache /cache (Permission denied): set"),
    ],
)
def test_what_is_missing_shows_at_once(
    install: Install, monkeypatch: pytest.MonkeyPatch, error: Exception, text: str
) -> None:
    monkeypatch.setenv("CUPY_CACHE_DIR", "/cache")
    install().compile = raising(error)
    assert text in problem()


def test_cache_that_is_full(install: Install) -> None:
    cupy, device = install(), CupyRuntime()
    cupy.load_error = OSError(28, "No space left on device")
    with pytest.raises(DeviceError, match=r"kernel cache .* \(No space left on device\): set CUPY"):
        device.load("code", ()).get_function("f")


def test_other_files_are_not_the_cache(install: Install) -> None:
    install()
    with pytest.raises(OSError, match="No space left"), CupyRuntime().active():
        raise OSError(28, "No space left on device")


def test_out_of_memory(install: Install) -> None:
    install()
    device = CupyRuntime()
    with (
        pytest.raises(DeviceMemoryError, match="cuda has not enough memory") as error,
        device.active(),
    ):
        raise fake_cupy.OutOfMemoryError("Out of memory allocating 8 bytes\n(allocated: 4)")
    assert isinstance(error.value, MemoryError)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "mine", [KeyError("mine"), RuntimeError("mine"), ImportError("mine"), AttributeError("mine")]
)
def test_other_errors_pass_as_they_are(install: Install, mine: Exception) -> None:
    install()
    with pytest.raises(type(mine)) as error, CupyRuntime().active():
        raise mine
    assert error.value is mine


def test_errors_of_the_package_pass_as_they_are(install: Install) -> None:
    install()
    mine = GpucnnError("mine")
    with pytest.raises(GpucnnError) as error, CupyRuntime().active():
        raise mine
    assert error.value is mine


# When all is well


def test_devices_are_named_as_users_type_them(install: Install) -> None:
    install(gpus=2)
    assert [CupyRuntime(index).device for index in (0, 1)] == ["cuda", "cuda:1"]


def test_description(install: Install) -> None:
    install(gpus=2)
    expected = "NVIDIA Test 1, 8 GiB, driver for CUDA 12.9, CuPy 14.2.0"
    assert CupyRuntime(1).description == expected


def test_device_is_current_while_active(install: Install) -> None:
    cupy = install(gpus=2)
    with CupyRuntime(1).active():
        assert cupy.device == 1
    assert cupy.device == 0


def test_a_stream_of_its_own_is_current_while_active(install: Install) -> None:
    cupy = install(gpus=2)
    first, again, second = CupyRuntime(0), CupyRuntime(0), CupyRuntime(1)
    with first.active():
        stream = cupy.cuda.get_current_stream()
        assert stream is not cupy.null
        with again.active():  # memory that one of them frees, the other can have
            assert cupy.cuda.get_current_stream() is stream
        with second.active(), first.active():
            assert cupy.cuda.get_current_stream() is stream
        assert cupy.cuda.get_current_stream() is stream
    assert cupy.current == [cupy.null, cupy.null]


def test_a_users_stream_in_between_does_not_last(install: Install) -> None:
    cupy = install()
    runtime = CupyRuntime()
    with runtime.active(), cupy.cuda.Stream() as users:
        with runtime.active():
            assert cupy.cuda.get_current_stream() is not users
        assert cupy.cuda.get_current_stream() is users


@pytest.mark.parametrize("error", [None, KeyError("mine"), fake_cupy.CUDARuntimeError("failed")])
@pytest.mark.parametrize("how", ["with", "use"])
def test_the_users_stream_is_current_again(
    install: Install, how: str, error: Exception | None
) -> None:
    cupy = install(gpus=2)
    runtime, users = CupyRuntime(1), cupy.cuda.Stream()
    with cupy.cuda.Device(1):
        on_that_device = cupy.cuda.Stream()
        on_that_device.use()
    with users if how == "with" else nullcontext(users.use()):
        with suppress(KeyError, DeviceError), runtime.active():
            if error is not None:
                raise error
        assert cupy.device == 0
        assert cupy.current == [users, on_that_device]


def test_work_is_ordered_with_that_of_the_users_stream(install: Install) -> None:
    cupy = install()
    runtime, users = CupyRuntime(), cupy.cuda.Stream()
    assert cupy.order == []  # with the default stream it is, as it is
    with users, runtime.active():
        mine = cupy.cuda.get_current_stream()
        before = list(cupy.order)
        with runtime.active():
            pass
        assert cupy.order == before
    (first, *recorded), (second, *waited), (third, *_), (fourth, *_) = cupy.order
    assert [first, second, third, fourth] == [users, mine, mine, users]
    assert [recorded[0], waited[0], recorded[1]] == ["record", "wait", waited[1]]
    assert [each[1] for each in cupy.order[2:]] == ["record", "wait"]
    assert cupy.order[2][2] is cupy.order[3][2]


def test_array_of_another_device_is_not_held(install: Install) -> None:
    cupy = install(gpus=2)
    first, second = CupyRuntime(0), CupyRuntime(1)
    with second.active():
        array = cupy.ones(1)
        other = cupy.ones(1)
    with first.active():
        first_array = cupy.ones(1)
    assert second.traits(array) == second.traits(other) != second.traits(first_array)
    assert second.holds(array)
    assert not first.holds(array)
    assert not first.holds([1.0])


def test_launch(install: Install) -> None:
    cupy = install()
    CupyRuntime().load("code", ("-DREAL=float",)).get_function("f")((1,), (32,), (None, 5))
    assert cupy.launches == [("code", ("-DREAL=float",), (1,), (32,), (None, 5))]


# Recording


def test_launches_are_captured_in_a_graph(install: Install) -> None:
    cupy = install()
    runtime = CupyRuntime()
    kernel = runtime.load("code", ()).get_function("f")
    seen: list[Any] = []

    def work() -> None:
        with runtime.active():
            seen.extend([cupy.cuda.get_current_stream(), runtime.is_recording])
            kernel((1,), (32,), (5,))

    with runtime.active():
        mine = cupy.cuda.get_current_stream()
        recording = runtime.record(work)
        assert cupy.cuda.get_current_stream() is mine
        assert mine.launched == []
        recording.replay()
        recording.replay()
    stream, is_recording = seen
    assert (stream is mine, stream.is_non_blocking, mine.is_non_blocking) == (False, True, False)
    assert (is_recording, runtime.is_recording) == (True, False)
    first, second = mine.launched
    assert first is second
    assert first.launches == [("code", (), (1,), (32,), (5,))]
    assert cupy.order == []  # streams are not ordered with one that is captured
    with runtime.active():
        pass


def test_a_branch_is_captured_on_a_stream_of_its_own(install: Install) -> None:
    cupy = install()
    runtime = CupyRuntime()
    streams: list[fake_cupy.Stream] = []

    def work() -> None:
        for _ in range(2):
            streams.append(cupy.cuda.get_current_stream())
            with runtime.active(), runtime.branch(), runtime.active():
                streams.append(cupy.cuda.get_current_stream())
            runtime.join()
            streams.append(cupy.cuda.get_current_stream())

    with runtime.active():
        cupy.order.clear()
        runtime.record(work)
    main, branch, *_ = streams
    assert streams == [main, branch, main] * 2
    assert main is not branch
    assert branch.is_non_blocking
    waits = [(main, "record"), (branch, "wait"), (branch, "record"), (main, "wait")]
    assert [(stream, what) for stream, what, _ in cupy.order] == waits * 2
    events = [event for *_, event in cupy.order]
    assert events[::2] == events[1::2]


def test_a_branch_that_is_not_captured_is_on_the_same_stream(install: Install) -> None:
    cupy = install()
    runtime = CupyRuntime()
    with runtime.active():
        before, ordered = cupy.cuda.get_current_stream(), len(cupy.order)
        with runtime.branch():
            assert cupy.cuda.get_current_stream() is before
        runtime.join()
        assert len(cupy.order) == ordered


def test_all_work_is_captured_whatever_stream_is_current(install: Install) -> None:
    cupy = install()
    runtime = CupyRuntime()
    streams: list[Any] = []

    def work() -> None:
        streams.append(cupy.cuda.get_current_stream())
        with cupy.cuda.Stream(), runtime.active():
            streams.append(cupy.cuda.get_current_stream())

    with runtime.active():
        runtime.record(work)
    assert streams[0] is streams[1]


@pytest.mark.parametrize("when", ["begin", "end"])
@pytest.mark.parametrize("error", [RuntimeError("no"), fake_cupy.CUDARuntimeError("no")])
def test_no_graph_is_told_in_one_line(install: Install, when: str, error: Exception) -> None:
    cupy = install()
    runtime = CupyRuntime()
    cupy.capture_errors[when] = error
    line = rf"^cuda captured no graph \({type(error).__module__}\.|^cuda captured no graph \(Runtim"
    with runtime.active(), pytest.raises(DeviceError, match=line):
        runtime.record(lambda: None)
    assert not runtime.is_recording
    assert cupy.current == [cupy.null]


@pytest.mark.parametrize("error", [KeyError("mine"), GpucnnError("mine"), KeyboardInterrupt()])
def test_an_error_of_recorded_work_passes_as_it_is(install: Install, error: BaseException) -> None:
    cupy = install()
    runtime = CupyRuntime()
    cupy.capture_errors["end"] = fake_cupy.CUDARuntimeError("invalidated")
    with runtime.active(), pytest.raises(type(error)) as told:
        runtime.record(raising(error))
    assert told.value is error
    assert not runtime.is_recording


def test_cuda_errors_of_recorded_work_are_told_in_one_line(install: Install) -> None:
    install()
    runtime = CupyRuntime()
    with runtime.active(), pytest.raises(DeviceError, match=r"^cuda failed: unsupported$"):
        runtime.record(raising(fake_cupy.CUDARuntimeError("unsupported")))


def test_memory_is_not_allocated_while_recording(install: Install) -> None:
    cupy = install()
    runtime = CupyRuntime()
    line = "^an allocation cannot be recorded: a recording holds launches of kernels alone, on mem"

    def work() -> None:
        cupy.empty((1,), "float32")

    with runtime.active(), pytest.raises(DeviceError, match=line):
        runtime.record(work)
    with runtime.active():
        cupy.empty((1,), "float32")


def test_import_is_silent(install: Install) -> None:
    cupy = install()
    assert import_cupy() is cupy

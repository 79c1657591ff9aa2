"""The devices by name."""

import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from backends.cuda.fake_cupy import FakeCupy, function_missing, headers_missing
from gpucnn.backends import Backend, CpuBackend, available_devices, get_backend, list_devices
from gpucnn.backends.backend import CudaBackend
from gpucnn.backends.cuda.cupy_runtime import CupyRuntime
from gpucnn.errors import DeviceError, GpucnnWarning, InvalidValueError
from gpucnn.simulator import SimulatorError


@pytest.fixture(autouse=True)
def auto_is_the_cpu() -> None:
    """It is not, here."""


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", FakeCupy(gpus=2))


def test_cpu() -> None:
    assert type(get_backend("cpu")) is CpuBackend


def test_simulator() -> None:
    backend = get_backend("simulator")
    assert type(backend) is CudaBackend
    assert backend.device == "simulator"


@pytest.mark.parametrize(
    ("name", "device"), [("cuda", "cuda"), ("cuda:0", "cuda"), ("cuda:1", "cuda:1")]
)
def test_gpu(two_gpus: None, name: str, device: str) -> None:
    backend = get_backend(name)
    assert type(backend) is CudaBackend
    assert backend.device == device


def test_each_call_gives_a_backend_of_its_own() -> None:
    assert get_backend("cpu") is not get_backend("cpu")


def test_auto_is_the_first_available_device() -> None:
    assert get_backend("auto").device == available_devices()[0]


def test_auto_is_a_gpu_where_there_is_one(two_gpus: None) -> None:
    assert get_backend("auto").device == "cuda"


def test_auto_is_the_first_gpu_that_works(two_gpus: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Second(CupyRuntime):
        def __init__(self, index: int) -> None:
            super().__init__(index)
            if index == 0:
                raise DeviceError("it is broken")

    monkeypatch.setattr("gpucnn.backends.cuda.cupy_runtime.CupyRuntime", Second)
    line = "^cuda cannot be used: it is broken; the device is cuda:1 instead$"
    with pytest.warns(GpucnnWarning, match=line) as told:
        assert get_backend("auto").device == available_devices()[0] == "cuda:1"
    assert told[0].filename == __file__
    assert list_devices()[0].description == "it is broken"


def test_auto_is_else_the_cpu(no_gpu: None) -> None:
    assert get_backend("auto").device == "cpu"


def broken_cupys() -> dict[str, ModuleType]:
    """What cannot be used, by how the line that says so begins."""
    another = ModuleType("cupy")
    another.__file__ = "/folder/cupy.py"
    without_headers, without_properties = FakeCupy(), FakeCupy()

    def raising(error: Exception) -> Callable[..., Any]:
        def fail(*_: object) -> None:
            raise error

        return fail

    without_headers.compile = raising(headers_missing())
    without_properties.cuda.runtime.getDeviceProperties = raising(function_missing())
    return {
        "/folder/cupy.py is imported as CuPy": another,
        "CUDA's headers were not found": without_headers,
        "CuPy does not work (AssertionError: ": without_properties,
    }


@pytest.mark.parametrize("line", broken_cupys())
def test_broken_cupy_is_listed(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setitem(sys.modules, "cupy", broken_cupys()[line])
    gpu, cpu, *_ = list_devices()
    assert (gpu.name, gpu.usable, gpu.broken) == ("cuda", False, True)
    assert (cpu.usable, cpu.broken) == (True, False)
    assert gpu.description.startswith(line)


@pytest.mark.parametrize("line", list(broken_cupys())[:2])
def test_auto_goes_on_after_a_broken_cupy(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setitem(sys.modules, "cupy", broken_cupys()[line])
    told = rf"^cuda cannot be used: {re.escape(line)}.*; the device is cpu instead$"
    with pytest.warns(GpucnnWarning, match=told):
        assert get_backend("auto").device == "cpu"


@pytest.mark.parametrize("machine", [{"gpus": 0}, {"gpus": -1}, {"driver": 0}])
def test_auto_is_silent_where_there_is_no_gpu(
    monkeypatch: pytest.MonkeyPatch, machine: dict[str, int]
) -> None:
    monkeypatch.setitem(sys.modules, "cupy", FakeCupy(**machine))  # type: ignore[arg-type]
    assert get_backend("auto").device == "cpu"
    assert not list_devices()[0].broken


def test_auto_is_the_default() -> None:
    assert type(get_backend()) is type(get_backend("auto"))


def test_available_device_gives_its_backend() -> None:
    for name in available_devices():
        backend = get_backend(name)
        assert isinstance(backend, Backend)
        assert backend.device == name


def test_cpu_is_always_available() -> None:
    assert "cpu" in available_devices()


@pytest.mark.parametrize("name", ["", "CPU", "tpu", "cpu:0", "cuda:", "cuda:-1", "cuda1", None, []])
def test_unknown_device_is_told_in_one_line(name: str) -> None:
    with pytest.raises(InvalidValueError) as error:
        get_backend(name)
    message = str(error.value)
    assert "\n" not in message
    assert repr(name) in message
    assert all(allowed in message for allowed in ["auto", "cpu", "cuda", "cuda:1", "simulator"])


def test_gpu_that_is_not_there(two_gpus: None) -> None:
    with pytest.raises(DeviceError, match="there is no device cuda:2"):
        get_backend("cuda:2")


def test_simulator_without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(SimulatorError, match="no C\\+\\+ compiler found"):
        get_backend("simulator")


def test_devices_are_described_in_one_line() -> None:
    for device in list_devices():
        assert device.description
        assert "\n" not in device.description


def test_devices_in_the_order_of_auto(two_gpus: None) -> None:
    names = ["cuda", "cuda:1", "cpu", "simulator"]
    assert [device.name for device in list_devices()] == names
    assert available_devices() == names


def test_device_that_cannot_be_used_says_why(no_gpu: None) -> None:
    gpu = list_devices()[0]
    assert (gpu.name, gpu.usable) == ("cuda", False)
    assert "CuPy is not installed" in gpu.description
    assert "cuda" not in available_devices()


def test_simulators_in_threads() -> None:
    def multiply(seed: int) -> bool:
        backend = get_backend("simulator")
        a, b = np.random.default_rng(seed).integers(-9, 10, (2, 40, 40)).astype(np.float32)
        out, sums = backend.empty((40, 40), np.float32), backend.empty((40,), np.float32)
        for _ in range(20):
            backend.matmul(a, b, out)
            backend.sum_rows(out, sums)
            if (out != a @ b).any() or (sums != (a @ b).sum(0)).any():
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(multiply, range(4)))


@pytest.mark.parametrize("device", ["cpu", "simulator", "auto"])
@pytest.mark.parametrize("threads", [0, -3, 1.5])
def test_threads_that_are_no_number_of_threads(device: str, threads: Any) -> None:
    with pytest.raises(ValueError, match="threads is"):
        get_backend(device, threads)


def test_too_many_threads() -> None:
    with pytest.raises(ValueError, match="threads is 100000: it must be at most"):
        get_backend("cpu", 100_000)

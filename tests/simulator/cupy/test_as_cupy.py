"""`import cupy` within as_cupy(): what is there, what is not, and what is left behind."""

import importlib
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from gpucnn.errors import GpucnnError
from gpucnn.simulator import SimulatorError, as_cupy


def test_cupy_is_there_within_and_not_after() -> None:
    before = set(sys.modules)
    with as_cupy() as module:
        import cupy
        import cupyx.scipy.special
        from cupy.cuda import Stream

        assert cupy is module
        assert cupy.cuda.Stream is Stream
        assert cupyx.scipy.special.erf(cupy.zeros(1)).get() == 0
    assert not {name for name in set(sys.modules) - before if name.startswith("cupy")}
    with pytest.raises(ImportError, match=r"cupy"):
        importlib.import_module("cupy.cuda")


def test_cupy_stays_itself() -> None:
    with as_cupy() as first:
        pass
    with as_cupy() as second, as_cupy() as within:
        assert first is second is within
        assert sys.modules["cupy"] is first
    assert "cupy" not in sys.modules


def test_cupy_itself_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ModuleType("cupy")
    monkeypatch.setitem(sys.modules, "cupy", real)
    with (
        pytest.raises(SimulatorError, match=r"^CuPy is imported already: enter .* before"),
        as_cupy(),
    ):
        pass
    assert sys.modules["cupy"] is real


def test_an_order_that_is_not_known_is_refused_at_once() -> None:
    unknown: Any = "backward"
    with (
        pytest.raises(SimulatorError, match=r"^the order 'backward' is not known"),
        as_cupy(unknown),
    ):
        pass
    assert "cupy" not in sys.modules


def test_what_is_missing_is_named() -> None:
    with as_cupy() as cupy:
        for name in ("block", "nothing"):
            assert not hasattr(cupy, name)
            with pytest.raises(AttributeError, match=f"^the simulator does not have cupy.{name}$"):
                getattr(cupy, name)
        with pytest.raises(AttributeError, match=r"does not have cupy.cuda.runtime.memcpyPeer$"):
            _ = cupy.cuda.runtime.memcpyPeer
        with pytest.raises(AttributeError, match=r"does not have cupy.ndarray.byteswap$"):
            cupy.zeros(1).byteswap()
        with pytest.raises(AttributeError, match=r"^'ndarray' object has no attribute 'nothing'$"):
            _ = cupy.zeros(1).nothing
        for name in ("cupy.sparse", "cupyx.jit", "cupyx.scipy.sparse"):
            with pytest.raises(ModuleNotFoundError, match=f"^the simulator does not have {name}$"):
                importlib.import_module(name)


def test_a_module_that_is_missing_is_one_of_ours() -> None:
    with as_cupy(), pytest.raises(GpucnnError):
        importlib.import_module("cupyx.jit")


def test_modules_are_told_apart() -> None:
    with as_cupy() as cupy:
        assert cupy.get_array_module(np.zeros(1)) is np
        assert cupy.get_array_module(np.zeros(1), cupy.zeros(1)) is cupy


def test_random_numbers_leave_those_of_numpy_alone() -> None:
    with as_cupy() as cupy:
        state: Any = np.random.get_state()  # noqa: NPY002
        cupy.random.seed(0)
        first = cupy.random.rand(3, dtype=cupy.float32)
        cupy.random.seed(0)
        assert first.dtype == np.float32
        assert (first == cupy.random.rand(3, dtype=cupy.float32)).all()
        assert cupy.random.normal().shape == ()
        values = cupy.arange(10)
        cupy.random.shuffle(values)
        assert sorted(values.tolist()) == list(range(10))
        after: Any = np.random.get_state()  # noqa: NPY002
        np.testing.assert_array_equal(after[1], state[1])


def test_there_is_one_device() -> None:
    with as_cupy() as cupy:
        assert cupy.cuda.runtime.getDeviceCount() == 1
        with cupy.cuda.Device(0) as device:
            device.synchronize()
        assert cupy.zeros(1).device == device
        properties: dict[str, Any] = cupy.cuda.runtime.getDeviceProperties(0)
        assert properties["warpSize"] == 32
        assert isinstance(properties["name"], bytes)
        assert device.compute_capability == f"{properties['major']}{properties['minor']}"
        with pytest.raises(cupy.cuda.runtime.CUDARuntimeError, match=r"cudaErrorInvalidDevice"):
            cupy.cuda.Device(1)


def test_memory_of_the_runtime_is_freed_once() -> None:
    with as_cupy() as cupy:
        runtime: Any = cupy.cuda.runtime
        address = runtime.malloc(64)
        runtime.free(address)
        runtime.free(0)
        with pytest.raises(runtime.CUDARuntimeError, match=r"^cudaErrorInvalidValue: .*freed"):
            runtime.free(address)

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import numpy as np
import pytest

from benchmark.small_plan import small_plan
from gpucnn.backends import CpuBackend
from gpucnn.benchmark import plan as plans
from gpucnn.benchmark import stamp as stamps
from gpucnn.benchmark.stamp import make_stamp


def test_a_stamp_tells_what_was_asked_for() -> None:
    stamp = make_stamp(small_plan(dtype="float64"), 1)
    assert (stamp.threads, stamp.dtype, stamp.rounds) == (1, "float64", 2)
    assert stamp.model == "notebook"
    assert stamp.devices == {"cpu": CpuBackend(1).description}


def test_a_stamp_tells_what_was_left_out() -> None:
    assert make_stamp(small_plan(model="lenet"), 1).model == "lenet without dropout"


def test_a_stamp_is_of_now_in_utc() -> None:
    date = datetime.fromisoformat(make_stamp(small_plan(), 1).date)
    assert date.utcoffset() == timedelta(0)
    assert abs(datetime.now(timezone.utc) - date) < timedelta(minutes=5)


def test_a_stamp_names_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamps, "processor", lambda: "Test Processor 3000")
    monkeypatch.setattr(stamps, "usable_cores", lambda: 5)
    assert make_stamp(small_plan(), 1).machine.startswith("Test Processor 3000, 5 cores")


def test_versions_are_of_what_took_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "find_spec", lambda package: package)
    monkeypatch.setattr(stamps, "version", lambda package: f"{package} 9")
    alone, beside = (
        make_stamp(small_plan(peers=peers), 1).versions for peers in ((), ("onnxruntime",))
    )
    assert alone["NumPy"] == np.__version__
    assert set(alone) == {"Python", "gpucnn", "NumPy", "BLAS"}
    assert beside == alone | {"onnxruntime": "onnxruntime 9", "onnx": "onnx 9"}


def test_a_gpu_comes_with_the_versions_of_cuda() -> None:
    runtime = SimpleNamespace(driverGetVersion=lambda: 12090, runtimeGetVersion=lambda: 12080)
    cupy = SimpleNamespace(__version__="14.2", cuda=SimpleNamespace(runtime=runtime))
    assert stamps._cuda_versions([np, cupy]) == {
        "CuPy": "14.2",
        "CUDA driver": "12090",
        "CUDA runtime": "12080",
    }

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import numpy as np
import pytest

from benchmark.small_plan import small_plan
from gpucnn.backends import CpuBackend
from gpucnn.benchmark import environment, peers
from gpucnn.benchmark.environment import describe_environment


def test_it_tells_what_was_asked_for() -> None:
    found = describe_environment(small_plan(dtype="float64"), 1)
    assert (found.threads, found.dtype, found.rounds) == (1, "float64", 2)
    assert found.model == "notebook"
    assert found.devices == {"cpu": CpuBackend(1).description}


def test_it_tells_what_was_left_out() -> None:
    assert describe_environment(small_plan(model="lenet"), 1).model == "lenet without dropout"


def test_it_is_of_now_in_utc() -> None:
    date = datetime.fromisoformat(describe_environment(small_plan(), 1).date)
    assert date.utcoffset() == timedelta(0)
    assert abs(datetime.now(timezone.utc) - date) < timedelta(minutes=5)


def test_it_names_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "processor", lambda: "Test Processor 3000")
    monkeypatch.setattr(environment, "usable_cores", lambda: 5)
    assert describe_environment(small_plan(), 1).machine.startswith("Test Processor 3000, 5 cores")


def test_versions_are_of_what_took_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda package: package)
    monkeypatch.setattr(peers, "version", lambda package: f"{package} 9")
    alone, beside = (
        describe_environment(small_plan(peers=beside), 1).versions
        for beside in ((), ("onnxruntime",))
    )
    assert alone["NumPy"] == np.__version__
    assert set(alone) == {"Python", "gpucnn", "NumPy", "BLAS"}
    assert beside == alone | {"onnxruntime": "onnxruntime 9", "onnx": "onnx 9"}


def test_a_gpu_comes_with_the_versions_of_cuda() -> None:
    runtime = SimpleNamespace(driverGetVersion=lambda: 12090, runtimeGetVersion=lambda: 12080)
    cupy = SimpleNamespace(__version__="14.2", cuda=SimpleNamespace(runtime=runtime))
    assert environment._cuda_versions([np, cupy]) == {
        "CuPy": "14.2",
        "CUDA driver": "12090",
        "CUDA runtime": "12080",
    }

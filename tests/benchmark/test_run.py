from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmark.example import REPORT
from benchmark.small_plan import StubPeer, small_data, small_plan, small_workload
from expect import refusal
from gpucnn.benchmark import (
    PEERS,
    Plan,
    peers,
    plan,
    run,
    run_benchmark,
    scaling,
)
from gpucnn.benchmark.contenders import INFERENCE, TRAINING_STEP, DeviceContender
from gpucnn.benchmark.peers import peer_class
from gpucnn.benchmark.ranks import StepTimes, Times
from gpucnn.benchmark.report import KernelMeasurement, Preparation, Report, Roofline, StartUp
from gpucnn.benchmark.scaling import SIZES


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes a while is left out: other tests are of it."""
    monkeypatch.setattr(peers, "find_spec", lambda package: package)
    monkeypatch.setattr(peers, "version", lambda package: "9")
    monkeypatch.setattr(run, "SHORTEST", 0)
    monkeypatch.setattr(run, "load_data", small_data)
    monkeypatch.setattr(run, "import_seconds", lambda *modules: float(len(modules)))
    monkeypatch.setattr(run, "measure_layers", lambda network, data, size, rounds: [])
    monkeypatch.setattr(
        run, "measure_roofline", lambda backend, dtype: Roofline(backend.device, 1, 2)
    )
    monkeypatch.setattr(run, "peak_memory", lambda *arguments: len(arguments[0]))
    monkeypatch.setattr(run, "start_up", lambda name, model, dtype, size, threads: 1 / size)


@pytest.fixture
def stubs(monkeypatch: pytest.MonkeyPatch) -> dict[str, StubPeer]:
    """Stubs of all peers, by name, which a benchmark measures from now on."""
    made = {name: StubPeer(name) for name in PEERS}
    del made["onnxruntime"].tasks[TRAINING_STEP]
    monkeypatch.setattr(run, "make_peer", lambda name, workload, threads: made[name])
    return made


def measured(plan: Plan) -> Report:
    return run_benchmark(plan, lambda what, share: None)


def test_devices_and_peers_are_measured_on_the_same_tasks(stubs: dict[str, StubPeer]) -> None:
    report = measured(small_plan(peers=("torch", "onnxruntime"), batch_sizes=(4, 8)))
    assert [(each.contender, each.task, each.batch_size) for each in report.measurements] == [
        (contender, task, size)
        for size in (4, 8)
        for task, contenders in (
            (TRAINING_STEP, ("cpu", "torch")),
            (INFERENCE, ("cpu", "torch", "onnxruntime")),
        )
        for contender in contenders
    ]
    assert all(len(each.seconds) == 2 for each in report.measurements)
    assert set(stubs["torch"].calls) == {
        (task, size) for task in (TRAINING_STEP, INFERENCE) for size in (4, 8)
    }


def test_memory_and_accuracy_are_of_those_that_train(stubs: dict[str, StubPeer]) -> None:
    report = measured(small_plan(peers=("torch", "onnxruntime"), to_accuracy=0.1))
    assert [each.contender for each in report.accuracies] == ["cpu", "torch"]
    assert [each.target for each in report.accuracies] == [0.1, 0.1]
    assert [(each.contender, each.bytes) for each in report.memory] == [("cpu", 3), ("torch", 5)]


def test_start_up_and_memory_are_those_of_the_presets_own_training(
    stubs: dict[str, StubPeer],
) -> None:
    report = measured(small_plan(peers=("torch", "onnxruntime"), batch_sizes=(8, 4)))
    assert report.start_ups == [
        StartUp("cpu", 32, [1 / 32] * 3),
        StartUp("torch", 32, [1 / 32] * 3),
    ]
    assert [(each.contender, each.batch_size) for each in report.memory] == [
        ("cpu", 32),
        ("torch", 32),
    ]


def test_speeds_alone_are_measured_where_nothing_else_is_wanted(
    stubs: dict[str, StubPeer],
) -> None:
    plan = small_plan(peers=("torch",), only_speeds=True, to_accuracy=0.5)
    told: list[str] = []
    report = run_benchmark(plan, lambda what, share: told.append(what))
    assert told == ["training step, batches of 4", "inference, batches of 4", "done"]
    assert len(report.measurements) == 4
    assert not report.layers + report.memory + report.start_ups + report.accuracies


def test_without_a_target_nothing_is_trained_to_it() -> None:
    assert measured(small_plan()).accuracies == []


def test_without_a_word_of_the_memory_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "find_spec", lambda module: None)
    assert measured(small_plan()).memory == []


def test_what_is_paid_once_is_told_apart(stubs: dict[str, StubPeer]) -> None:
    report = measured(small_plan(peers=("torch",)))
    told = {(each.contender, each.what): each.seconds for each in report.preparations}
    assert list(told) == [
        ("torch", "import"),
        ("cpu", "import"),
        ("cpu", "warm-up"),
        ("torch", "warm-up"),
    ]
    assert told["torch", "warm-up"] == 4  # two calls for each task, a second each
    assert report.rooflines == [Roofline("cpu", 1, 2)]


def test_a_device_that_records_is_timed_eagerly_too_and_its_kernels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernels = REPORT.kernels[:1]
    seen: list[tuple[str, int, int]] = []

    def measure(device: str, workload: Any, size: int, rounds: int) -> list[KernelMeasurement]:
        seen.append((device, size, rounds))
        return kernels

    monkeypatch.setattr(run, "measure_kernels", measure)
    report = measured(small_plan(devices=("simulator",), threads=None, rounds=1))
    assert [(each.contender, each.task) for each in report.measurements] == [
        ("simulator", TRAINING_STEP),
        ("simulator, eager", TRAINING_STEP),
        ("simulator", INFERENCE),
    ]
    assert [each.contender for each in report.memory] == ["simulator"]
    assert seen == [("simulator", 4, 1)]
    assert report.kernels == kernels


@pytest.mark.parametrize(
    ("gpus", "on_cpu"), [(["cuda"], ["onnxruntime"]), ([], ["torch", "onnxruntime"])]
)
def test_a_peer_that_runs_on_gpus_leaves_the_cpu_to_others_where_only_gpus_are_timed(
    stubs: dict[str, StubPeer], monkeypatch: pytest.MonkeyPatch, gpus: list[str], on_cpu: list[str]
) -> None:
    made = run._Benchmark(small_plan(peers=("torch", "onnxruntime")), small_data())
    monkeypatch.setitem(vars(made), "_gpus", gpus)
    on_gpu = [StubPeer(f"torch on {gpu}, graph") for gpu in gpus]
    monkeypatch.setattr(peer_class("torch"), "on_gpu", lambda gpu, workload: on_gpu)
    assert [each.name for each in made._contenders] == [
        "cpu",
        *on_cpu,
        *(each.name for each in on_gpu),
    ]
    assert made._trained == ["cpu", *(peer for peer in on_cpu if peer == "torch")]


def test_layers_run_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int, int]] = []

    def layers(network: Any, data: Any, size: int, rounds: int) -> list[Any]:
        seen.append((network.backend.threads, size, rounds))
        return []

    monkeypatch.setattr(run, "measure_layers", layers)
    measured(small_plan(threads=2, batch_sizes=(4, 8)))
    assert seen == [(1, 4, 2), (1, 8, 2)]


def test_progress_goes_from_nothing_to_all() -> None:
    told: list[tuple[str, float]] = []
    run_benchmark(small_plan(), lambda what, share: told.append((what, share)))
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert (shares[0], told[-1]) == (0, ("done", 1))
    assert dict(told)["training step, batches of 4"] == pytest.approx(2 / 9)


def test_a_batch_larger_than_the_set_is_refused() -> None:
    with refusal("batch_size is 65: MNIST has 64 images to train on, give at most 64"):
        measured(small_plan(batch_sizes=(4, 65)))


def test_a_batch_of_all_ranks_larger_than_the_set_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plan, "find_mpiexec", lambda: "mpiexec")
    with refusal(
        "batch_size is 33, and 2 ranks train on 2 times as many: MNIST has 64 images to train on, "
        "give at most 32"
    ):
        measured(small_plan(batch_sizes=(33,), ranks=(2,)))


def test_ranks_are_measured_in_every_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "find_mpiexec", lambda: "mpiexec")
    times = Times([StepTimes(1, 2, 3)] * 3, [4.0] * len(SIZES))
    monkeypatch.setattr(scaling, "time_on_ranks", lambda launch: times)
    report = measured(small_plan(ranks=(2,)))
    assert {(each.ranks, each.workers) for each in report.ranks} == {(1, 1), (2, 1), (1, 2)}
    assert {tuple(each.seconds) for each in report.ranks} == {(1, 1)}
    assert [each.bytes for each in report.all_reduces] == list(SIZES)


class FakeGpu:
    """What a benchmark prepares a GPU with."""

    def __init__(self) -> None:
        self.log: list[str] = []
        event = SimpleNamespace(record=lambda: None, synchronize=lambda: None)
        events = SimpleNamespace(Event=lambda: event, get_elapsed_time=lambda a, b: 2000.0)
        self.xp = SimpleNamespace(cuda=events)

    @contextmanager
    def session(self) -> Iterator[None]:
        self.log.append("session")
        yield

    def asarray(self, array: Any) -> None:
        self.log.append(f"{array.dtype} {len(array)}")


def test_a_gpus_transfer_and_first_step_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = FakeGpu()
    made = run._Benchmark(small_plan(batch_sizes=(8, 4)), small_data())
    monkeypatch.setattr(run, "get_backend", lambda name, threads: gpu)
    device = DeviceContender("cuda", small_workload(), threads=1)
    stub = StubPeer()
    device.tasks = stub.tasks
    made._prepare(device)
    imported, transferred, compiled = made.report().preparations
    assert imported == Preparation("cuda", "import", 2)
    assert transferred == Preparation("cuda", "transfer", 2)
    assert (compiled.contender, compiled.what) == ("cuda", "compilation")
    assert gpu.log == ["session", "uint8 64"]
    assert stub.calls == [(TRAINING_STEP, 4)]


def test_a_real_measurement_is_of_numbers_above_zero() -> None:
    for each in measured(small_plan()).measurements:
        assert np.isfinite(each.seconds).all()
        assert min(each.seconds) > 0

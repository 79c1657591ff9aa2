from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmark.small_plan import small_data, small_workload
from gpucnn.backends.backend import CudaBackend
from gpucnn.benchmark.contenders import INFERENCE, TRAINING_STEP, DeviceContender
from gpucnn.benchmark.timing import host_seconds
from gpucnn.benchmark.workload import make_network
from gpucnn.models.replica.lane import Lane
from gpucnn.models.training import Trainer, epoch_order
from gpucnn.optimizers import Adam

DATA = small_data()


def contender() -> DeviceContender:
    return DeviceContender("cpu", small_workload(), threads=1)


def calls_of(monkeypatch: pytest.MonkeyPatch, kind: type, method: str) -> list[Any]:
    """The first argument of each call of a method, from now on."""
    seen: list[Any] = []
    original: Callable[..., Any] = getattr(kind, method)

    def watched(self: Any, first: Any, *others: Any) -> Any:
        seen.append(np.array(first))
        return original(self, first, *others)

    monkeypatch.setattr(kind, method, watched)
    return seen


def test_a_step_trains_on_the_next_images(monkeypatch: pytest.MonkeyPatch) -> None:
    orders = calls_of(monkeypatch, Trainer, "begin")
    steps = calls_of(monkeypatch, Trainer, "_run_group")
    task = contender().tasks[TRAINING_STEP](4)
    assert task.clock is host_seconds
    with task.session():
        for _ in range(17):
            task.call()
    np.testing.assert_array_equal(orders, [epoch_order(0, 1, 64)])
    assert np.concatenate(steps).tolist() == [*range(16), 0]  # after the last, the first again


def test_inference_takes_normalised_images_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = calls_of(monkeypatch, Lane, "infer")
    task = contender().tasks[INFERENCE](4)
    with task.session():
        task.call()
    (x,) = inputs
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, DATA[0][0][:4] / 255 - 0.5, atol=1e-7)


def test_an_eager_device_does_training_steps_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    device = DeviceContender("simulator", small_workload(), None, run_eagerly=True)
    assert device.name == "simulator, eager"
    assert list(device.tasks) == [TRAINING_STEP]
    task = device.tasks[TRAINING_STEP](4)
    monkeypatch.setattr(CudaBackend, "record", None)  # not to be called
    with task.session():
        for _ in range(3):
            task.call()


def test_a_learner_trains_and_is_measured() -> None:
    (images, labels), (test_images, test_labels) = DATA
    learner = contender().learner(8, Adam(0.01))
    order = epoch_order(0, 1, len(images))
    assert learner.epoch(1, order) > 0

    expected = make_network("notebook", "float32", "cpu", 1)
    expected.compile(Adam(0.01))
    expected.fit(images, labels, 8, verbose=0)
    assert learner.accuracy() == expected.evaluate(test_images, test_labels).accuracy

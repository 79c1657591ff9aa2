"""Penalties on weights, in the loss and its gradient, on either device."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import small
from expect import refusal
from gpucnn import (
    SGD,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    MaxPool2D,
    ReLU,
    SeparableConv2D,
    Sequential,
)
from gpucnn.backends import Array, Backend, CpuBackend
from gpucnn.backends.backend import CudaBackend
from gpucnn.backends.cuda.simulator_runtime import SimulatorRuntime
from gpucnn.errors import InvalidTypeError
from gpucnn.regularizers import L2, l2, regularizer_of
from gradients import assert_network_gradients
from microbatches import InMicrobatches

X, Y = small.images(9), small.labels(9)


def layers(first: float = 0.3, last: float = 0.1) -> list[Any]:
    return [
        Conv2D(4, 3, kernel_regularizer=L2(first) if first else None),
        ReLU(),
        MaxPool2D(2),
        Flatten(),
        Dense(5, activation="relu"),
        Dense(3, kernel_regularizer=L2(last) if last else None),
    ]


def model(backend: Backend, given: list[Any] | None = None) -> Sequential:
    made = Sequential(given or layers(), small.SHAPE, "float64", "cpu", seed=4)
    made.place(backend)
    made.compile(SGD(0.1))
    return made


def penalty(made: Sequential) -> float:
    conv, *_, last, _ = made.get_weights()
    return float(0.3 * (conv**2).sum() + 0.1 * (last**2).sum())


BACKENDS: dict[str, Callable[[], Backend]] = {
    "cpu": lambda: CpuBackend(1),
    "microbatches": lambda: InMicrobatches(2, 3),
    "simulator": lambda: CudaBackend(SimulatorRuntime()),
}

backends = pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)


def plain(backend: Backend) -> Sequential:
    return model(backend, layers(0, 0))


@backends
class TestPenalties:
    def test_are_a_part_of_the_loss(self, backend: Callable[[], Backend]) -> None:
        made = model(backend())
        expected = plain(backend()).evaluate(X, Y).loss + penalty(made)
        assert made.evaluate(X, Y).loss == pytest.approx(expected, rel=1e-12)
        assert made.loss_and_gradients(X, Y)[0] == pytest.approx(expected, rel=1e-12)

    def test_have_a_gradient(self, backend: Callable[[], Backend]) -> None:
        made = model(backend())
        x = np.random.default_rng(0).standard_normal((5, *small.SHAPE))
        _, found = made.loss_and_gradients(x, Y[:5])
        _, of_data = plain(backend()).loss_and_gradients(x, Y[:5])
        weights = made.get_weights()
        of_data[0] += 2 * 0.3 * weights[0]
        of_data[4] += 2 * 0.1 * weights[4]
        for one, other in zip(found, of_data, strict=True):
            assert_allclose(one, other, rtol=1e-12, atol=1e-15)

    def test_of_training_are_those_before_each_step(self, backend: Callable[[], Backend]) -> None:
        made, expected = model(backend()), 0.0
        apart = model(backend())
        for start in range(0, 9, 4):
            rows = slice(start, start + 4)
            expected += made.evaluate(X[rows], Y[rows]).loss * len(Y[rows])
            made.fit(X[rows], Y[rows], 4, shuffle=False, verbose=0)
        history = apart.fit(X, Y, 4, shuffle=False, verbose=0, validation_data=(X, Y)).history
        assert history["loss"] == [pytest.approx(expected / 9, rel=1e-12)]
        assert history["val_loss"] == [pytest.approx(made.evaluate(X, Y).loss, rel=1e-12)]
        for one, other in zip(made.get_weights(), apart.get_weights(), strict=True):
            assert_allclose(one, other, rtol=1e-12)


def test_gradients_agree_with_differences() -> None:
    made = model(InMicrobatches(2, 3))
    x = np.random.default_rng(0).standard_normal((5, *small.SHAPE))
    gradients: Array = np.concatenate(
        [each.ravel() for each in made.loss_and_gradients(x, Y[:5])[1]]
    )
    assert_network_gradients(made, lambda: made.loss_and_gradients(x, Y[:5])[0], gradients)


@pytest.mark.usefixtures("workers")
def test_workers_give_the_same_bytes() -> None:
    from gpucnn.models.data import Labelled
    from gpucnn.models.training.parallel import ParallelTrainer

    results = []
    for joined in (False, True):
        made = model(InMicrobatches(2, 3))
        trainer = ParallelTrainer(made.replica.twin(), made.optimizer, Labelled(X, Y), 4)
        trainer.load(made.replica, made.optimizer)
        if joined:
            trainer.join()
        else:
            trainer._sharing._workers = 0
        loss = trainer.epoch(1, np.arange(9))["loss"]
        trainer.store(made.replica, made.optimizer)
        trainer.close()
        results.append((loss, small.weight_bytes(made)))
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("layer", "names"),
    [
        (DepthwiseConv2D(3, depthwise_regularizer="l2"), ["depthwiseconv2d.kernel"]),
        (
            SeparableConv2D(3, 3, depthwise_regularizer="L2", pointwise_regularizer=L2(0.01)),
            ["separableconv2d_depthwise.kernel", "separableconv2d_pointwise.kernel"],
        ),
    ],
    ids=["depthwise", "separable"],
)
def test_of_other_convolutions(layer: Any, names: list[str]) -> None:
    made = Sequential([layer, Flatten(), Dense(3)], small.SHAPE, device="cpu", seed=4)
    weights = dict(zip(made.weight_names, made.get_weights(), strict=True))
    expected = sum(0.01 * float((weights[name].astype(float) ** 2).sum()) for name in names)
    assert made.replica.penalty() == pytest.approx(expected, rel=1e-12)


def test_without_any_there_is_nothing_to_do() -> None:
    assert not small.model().replica.is_penalized
    assert small.model().replica.penalty() == 0


def test_that_are_added_act() -> None:
    made = small.model()
    before = made.evaluate(X, Y).loss
    made.layers[0].kernel_regularizer = L2(3.0)  # type: ignore[attr-defined]
    (kernel, *_) = made.get_weights()
    penalty = 3.0 * float((kernel.astype(float) ** 2).sum())
    assert made.evaluate(X, Y).loss == pytest.approx(before + penalty, rel=1e-6)


def test_that_are_changed_between_batches_act() -> None:
    made, other = model(CpuBackend(1)), model(CpuBackend(1))
    for each in (made, other):
        each.train_on_batch(X, Y)
    made.layers[0].kernel_regularizer = L2(3.0)  # type: ignore[attr-defined]
    losses = [each.train_on_batch(X, Y, return_dict=True)["loss"] for each in (made, other)]  # type: ignore[call-overload]
    assert losses[0] > losses[1]
    assert small.weight_bytes(made) != small.weight_bytes(other)


def test_that_are_changed_act() -> None:
    made, other = model(CpuBackend(1)), model(CpuBackend(1))
    made.layers[0].kernel_regularizer = L2(3.0)  # type: ignore[attr-defined]
    assert made.evaluate(X, Y).loss > other.evaluate(X, Y).loss
    made.fit(X, Y, 4, verbose=0)
    other.fit(X, Y, 4, verbose=0)
    assert small.weight_bytes(made) != small.weight_bytes(other)


def test_are_saved(tmp_path: Path) -> None:
    made = model(CpuBackend(1))
    made.save(tmp_path / "model.safetensors")
    loaded = Sequential.load(tmp_path / "model.safetensors", "cpu")
    assert loaded.evaluate(X, Y).loss == pytest.approx(made.evaluate(X, Y).loss, rel=1e-12)


class TestRegularizerOf:
    @pytest.mark.parametrize(
        ("given", "found"),
        [(None, None), ("l2", L2(0.01)), ("L2", L2(0.01)), (l2(1e-4), L2(1e-4))],
    )
    def test_names_and_objects(self, given: Any, found: L2 | None) -> None:
        assert regularizer_of(given, "kernel_regularizer") == found

    def test_others(self) -> None:
        with refusal("kernel_regularizer is 'l1': choose one of l2"):
            Dense(3, kernel_regularizer="l1")
        message = "kernel_regularizer is 0.1: give an object, such as L2(0.01)"
        with refusal(message, InvalidTypeError):
            Dense(3, kernel_regularizer=0.1)  # type: ignore[arg-type]
        with refusal("l2 is -1: it must be a number of at least 0"):
            L2(-1)

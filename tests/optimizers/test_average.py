"""The moving average of the parameters, which overwrites them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import loops
import small
from gpucnn import SGD, Adam, Model, Sequential, get_backend
from gpucnn.backends import Array
from gpucnn.callbacks import LambdaCallback
from gpucnn.models import load_model
from gpucnn.optimizers import Optimizer

LAYOUT = small.layout(kernel=(2, 2), bias=(1,))
FIRST = np.array([0.5, -2.0, 0.0, 3.0, 1.0])
STEPS = 11
X, Y = small.images(22), small.labels(22)


def gradients(step: int) -> Array:
    return np.random.default_rng(step).standard_normal(5)


def by_numbers(momentum: float, frequency: int | None) -> list[tuple[list[float], list[float]]]:
    """The parameters and the averages after each step of gradient descent at a rate of 0.1."""
    parameters, averages, found = FIRST.tolist(), [0.0] * 5, []
    for step in range(STEPS):
        share = 1 - momentum if step else 1.0
        overwrites = frequency is not None and (step + 1) % frequency == 0
        moved = [p - 0.1 * g for p, g in zip(parameters, gradients(step), strict=True)]
        pairs = [
            loops.average_parameters(p, a, share, overwrites)
            for p, a in zip(moved, averages, strict=True)
        ]
        parameters, averages = [p for p, _ in pairs], [a for _, a in pairs]
        found.append((parameters, averages))
    return found


@pytest.mark.parametrize("momentum", [0.99, 0.5, 0.0])
@pytest.mark.parametrize("frequency", [None, 1, 4])
def test_it_follows_its_formula(momentum: float, frequency: int | None) -> None:
    optimizer = SGD(0.1, use_ema=True, ema_momentum=momentum, ema_overwrite_frequency=frequency)
    parameters = FIRST.copy()
    optimizer.place(get_backend("cpu"), parameters, LAYOUT)
    for step, (expected, average) in enumerate(by_numbers(momentum, frequency)):
        optimizer.apply(parameters, gradients(step), np.array(optimizer.all_factors(step)))
        assert_allclose(parameters, expected, rtol=1e-13)
        assert_allclose(optimizer.slots["average"], average, rtol=1e-13)
    optimizer.finalize(parameters)
    assert_array_equal(parameters, optimizer.slots["average"])


def test_the_first_average_is_of_the_first_step() -> None:
    optimizer, parameters = SGD(0.5, use_ema=True), np.ones(5)
    optimizer.place(get_backend("cpu"), parameters, LAYOUT)
    optimizer.apply(parameters, np.ones(5), np.array(optimizer.all_factors(0)))
    assert_array_equal(optimizer.slots["average"], np.full(5, 0.5))
    optimizer.apply(parameters, np.ones(5), np.array(optimizer.all_factors(1)))
    assert_allclose(optimizer.slots["average"], np.full(5, 0.99 * 0.5), rtol=1e-14)


def test_without_one_nothing_is_overwritten() -> None:
    optimizer, parameters = SGD(0.5), np.ones(5)
    optimizer.place(get_backend("cpu"), parameters, LAYOUT)
    optimizer.finalize(parameters)
    assert_array_equal(parameters, np.ones(5))
    assert optimizer.all_slot_names == optimizer.slot_names == ("velocity",)


# In a model


def averaged(frequency: int | None = None, **options: Any) -> Sequential:
    optimizer = Adam(0.01, use_ema=True, ema_momentum=0.75, ema_overwrite_frequency=frequency)
    return small.model(optimizer, **options)


def fit(model: Model, epochs: int = 1, **options: Any) -> None:
    model.fit(X, Y, batch_size=4, epochs=epochs, verbose=0, **options)


def flat(model: Model) -> Array:
    return np.concatenate([each.ravel() for each in model.get_weights()])


def average_of(optimizer: Optimizer) -> Array:
    return optimizer.state().slots["average"]


@pytest.mark.parametrize("device", ["cpu", "simulator"])
class TestFit:
    def test_ends_with_the_average(self, device: str) -> None:
        model, weights = averaged(device=device), []

        def note(epoch: int, logs: dict[str, Any]) -> None:
            weights.append((flat(model), average_of(model.optimizer)))

        fit(model, 2, callbacks=[LambdaCallback(on_epoch_end=note)])
        assert not any(np.array_equal(parameters, average) for parameters, average in weights)
        assert_array_equal(flat(model), weights[-1][1])
        assert_array_equal(flat(model), average_of(model.optimizer))

    def test_ends_with_it_before_callbacks_are_told(self, device: str) -> None:
        model, seen = averaged(device=device), []
        fit(model, callbacks=[LambdaCallback(on_train_end=lambda logs: seen.append(flat(model)))])
        assert_array_equal(seen[0], average_of(model.optimizer))

    def test_overwrites_every_so_many_steps(self, device: str) -> None:
        """Six steps an epoch: the last of every second epoch is a multiple of 4."""
        model, same = averaged(frequency=4, device=device), []

        def note(epoch: int, logs: dict[str, Any]) -> None:
            same.append(np.array_equal(flat(model), average_of(model.optimizer)))

        fit(model, 4, callbacks=[LambdaCallback(on_epoch_end=note)])
        assert same == [False, True, False, True]

    def test_that_diverges_leaves_the_weights(self, device: str) -> None:
        model = averaged(device=device)
        before = flat(model)
        model.optimizer.learning_rate = 1e38
        with pytest.raises(RuntimeError, match=r"the loss became|not finite"):
            fit(model)
        assert_array_equal(flat(model), before)


@pytest.mark.parametrize("frequency", [None, 4])
def test_it_is_saved_and_resumed_to_the_same_bytes(frequency: int | None, tmp_path: Path) -> None:
    """A file written at the end of an epoch goes on as the training that wrote it."""
    path, model = tmp_path / "model.safetensors", averaged(frequency)

    def save(epoch: int, logs: dict[str, Any]) -> None:
        if epoch == 0:
            model.save(path)

    fit(model, 3, callbacks=[LambdaCallback(on_epoch_end=save)])
    resumed = load_model(path)
    assert resumed.optimizer.use_ema
    fit(resumed, 2)
    assert small.weight_bytes(resumed) == small.weight_bytes(model)
    assert_array_equal(average_of(resumed.optimizer), average_of(model.optimizer))


def test_it_moves_to_another_device() -> None:
    model = averaged(device="simulator")
    fit(model)
    average = average_of(model.optimizer)
    assert_array_equal(average_of(model.to("cpu").optimizer), average)

"""Training that replays a recorded step gives the bytes of training that does each step anew."""

import re
from collections.abc import Callable
from contextlib import nullcontext
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import small
from gpucnn import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Conv2D,
    CosineDecay,
    Dense,
    Flatten,
    Lion,
    MaxPool2D,
    Model,
    Muon,
    OneCycle,
    PiecewiseConstantDecay,
    PolynomialDecay,
    ReLU,
    RMSprop,
    Sequential,
)
from gpucnn.backends import ALONE, Array
from gpucnn.backends.backend import CudaBackend
from gpucnn.backends.cuda.memory import _Kept
from gpucnn.backends.cuda.simulator_runtime import _Recording
from gpucnn.datasets.device_dataset import DeviceDataset
from gpucnn.errors import GpucnnWarning
from gpucnn.layers import Layer, Step
from gpucnn.metrics import Measures
from gpucnn.models import lenet, notebook
from gpucnn.models.inference import measure, predict
from gpucnn.models.training import Metrics, Trainer, evaluation, kinds_of_metrics
from gpucnn.optimizers import Optimizer

IMAGES, BATCH, EPOCHS = 10, 4, 3  # so that the last batch of an epoch is smaller
STEPS = EPOCHS * 3

X, Y = small.images(IMAGES), small.labels(IMAGES)


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of launches in each replay of a recording."""
    replays: list[int] = []
    replay = _Recording.replay

    def noted(recording: _Recording) -> None:
        replays.append(len(recording._launches))
        replay(recording)

    monkeypatch.setattr(_Recording, "replay", noted)
    return replays


def simulated(optimizer: Optimizer, *, eagerly: bool, **options: Any) -> Sequential:
    model = small.model(device="simulator", **options)
    model.compile(optimizer, run_eagerly=eagerly)
    return model


def fit(model: Model, epochs: int = EPOCHS, **options: Any) -> list[Any]:
    """The metrics of further epochs."""
    history = model.fit(X, Y, batch_size=BATCH, epochs=epochs, verbose=0, **options)
    return [{k: v for k, v in each.items() if k in MEASURED} for each in history.epochs]


MEASURED = ("loss", "accuracy", "val_loss", "val_accuracy")


def bytes_of(model: Model) -> bytes:
    slots = model.optimizer.state().slots.values()
    return small.weight_bytes(model) + b"".join(each.tobytes() for each in slots)


OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {
    "SGD with all its features": lambda: SGD(0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda: Adam(0.01),
    "AdamW": lambda: AdamW(0.01),
    "plain SGD": lambda: SGD(0.1),
    "SGD, OneCycle": lambda: SGD(OneCycle(0.2, STEPS), momentum=0.5),
    "Adam, CosineDecay": lambda: Adam(CosineDecay(0.02, STEPS)),
    "RMSprop": lambda: RMSprop(0.01),
    "RMSprop, centred": lambda: RMSprop(PolynomialDecay(0.01, STEPS), 0.8, 0.5, centered=True),
    "Adagrad": lambda: Adagrad(0.05),
    "Lion, PiecewiseConstantDecay": lambda: Lion(PiecewiseConstantDecay([4], [0.01, 0.001])),
    "Muon": lambda: Muon(0.005),
    "averages, clipped norms": lambda: Adam(
        0.01, clipnorm=0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3
    ),
    "a clipped norm": lambda: SGD(0.1, global_clipnorm=0.1),
    "clipped values": lambda: SGD(0.1, clipvalue=0.01),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_same_bytes(optimizer: Callable[[], Optimizer], dtype: str, replays: list[int]) -> None:
    results = []
    for eagerly in (True, False):
        model = simulated(optimizer(), eagerly=eagerly, dtype=dtype)
        results.append((fit(model, validation_data=(X, Y)), bytes_of(model)))
        assert bool(replays) is not eagerly
    assert results[0] == results[1]
    # But for the first step with either number of images, once more after the first evaluation,
    # which allocates; and the second batch of each evaluation.
    assert len(replays) == STEPS - 2 - 2 + EPOCHS


def classifier() -> list[Layer]:
    """Layers of which some devices compute a step as one operation."""
    return [Conv2D(4, 3), ReLU(), MaxPool2D(2), Flatten(), Dense(small.CLASSES)]


@pytest.mark.parametrize("at_once", [1, 2, 3, 8])
@pytest.mark.parametrize("layers", [small.layers, classifier], ids=["all kinds", "classifier"])
def test_steps_that_are_recorded_together(
    layers: Callable[[], list[Layer]],
    at_once: int,
    monkeypatch: pytest.MonkeyPatch,
    replays: list[int],
) -> None:
    monkeypatch.setattr("gpucnn.models.training.trainer.STEPS_AT_ONCE", at_once)
    results = []
    for eagerly in (True, False):
        model = Sequential(layers(), small.SHAPE, device="simulator")
        model.compile(Adam(0.02), run_eagerly=eagerly)
        history = model.fit(X[:9], Y[:9], batch_size=2, epochs=EPOCHS, verbose=0)
        losses = [each["loss"] for each in history.epochs]
        results.append((losses, bytes_of(model)))
    assert results[0] == results[1]
    assert replays


LAUNCHES = {"lenet": (lenet, 12), "notebook": (notebook, 3)}


@pytest.mark.parametrize(("preset", "most"), LAUNCHES.values(), ids=LAUNCHES)
def test_launches_of_a_step(
    preset: Callable[..., Sequential], most: int, replays: list[int]
) -> None:
    model = preset(device="simulator")
    model.compile(Adam(0.01))
    x, y = small.images(6, (28, 28, 1)), small.labels(6, 10)
    model.fit(x, y, batch_size=2, epochs=1, verbose=0)
    assert len(replays) == 2  # but for the first step
    assert max(replays) <= most


def test_evaluation_with_other_batch_sizes_in_between(replays: list[int]) -> None:
    results = []
    for eagerly in (True, False):
        model = simulated(Adam(0.02), eagerly=eagerly)
        measured: list[Any] = []

        def use(_: object, model: Model = model, measured: list[Any] = measured) -> None:
            for size in (1, 3, IMAGES):
                measured.append(model.evaluate(X, Y, batch_size=size))
                measured.append(model.predict(X, batch_size=size + 1).tobytes())

        fit(model, on_epoch_end=use)
        results.append((measured, bytes_of(model)))
    assert results[0] == results[1]
    of_evaluation, of_prediction = 9 + 2 + 0, 4 + 1 + 0  # batches like one before
    assert len(replays) == STEPS - 2 + EPOCHS * (of_evaluation + of_prediction)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("preset", [small.model, notebook, lenet])
def test_prediction(preset: Callable[..., Sequential], dtype: str, replays: list[int]) -> None:
    predicted = []
    for eagerly in (True, False):
        model = preset(device="simulator", dtype=dtype)
        model.run_eagerly = eagerly
        x = small.images(7, model.input_shape)
        predicted.append([model.predict(x, batch_size=size).tobytes() for size in (2, 3, 1)])
    assert predicted[0] == predicted[1]
    assert len(replays) == 2 + 1 + 6


def test_prediction_between_the_steps_of_training(replays: list[int]) -> None:
    """On the same memory, in batches that are at first larger than those of the steps."""
    results = []
    for eagerly in (True, False):
        model = simulated(Adam(0.02), eagerly=eagerly)
        (trainer,) = trainers(eagerly, model)
        out = model.backend.empty((IMAGES, small.CLASSES), model.dtype)
        predicted = []
        for epoch in range(EPOCHS):
            trainer.begin(np.random.default_rng(epoch).permutation(IMAGES))
            for batch in range(trainer.batches):
                trainer.step(batch)
                size = BATCH + 1 if epoch == 0 else 2
                predict(model.replica, trainer.data, size, ALONE, out, run_eagerly=eagerly)
                predicted.append(out.tobytes())
        results.append((predicted, bytes_of(model)))
    assert results[0] == results[1]
    of_prediction = 3 * 1 + 6 * 4
    assert of_prediction < len(replays) < of_prediction + STEPS - 2


def trainers(eagerly: bool, *models: Sequential) -> list[Trainer]:
    made = []
    for model in models:
        data = DeviceDataset(model.backend, model.dtype, X, Y)
        trainer = Trainer(model.replica, model.optimizer, data, BATCH)
        trainer.run_eagerly = eagerly
        made.append(trainer)
    return made


def test_larger_batches_on_the_same_memory_in_between(replays: list[int]) -> None:
    """Of which the first replaces the buffers that a recorded step points at."""
    results = []
    for eagerly in (True, False):
        model = simulated(Adam(0.02), eagerly=eagerly)
        (trainer,) = trainers(eagerly, model)
        kinds = kinds_of_metrics(model.replica, Measures(), IMAGES)
        metrics = Metrics.empty(model.backend, kinds)
        measured = []
        for epoch in range(EPOCHS):
            trainer.begin(np.random.default_rng(epoch).permutation(IMAGES))
            for batch in range(trainer.batches):
                trainer.step(batch)
                measure(
                    model.replica,
                    trainer.data,
                    BATCH + epoch,
                    ALONE,
                    *metrics,
                    run_eagerly=True,
                )
                measured.append(evaluation([metrics.on_host(model.backend, None)], Measures()))
        results.append((measured, bytes_of(model)))
    assert results[0] == results[1]
    assert 0 < len(replays) < STEPS - 2


def test_two_models_in_turns(replays: list[int]) -> None:
    results = []
    for eagerly in (True, False):
        models = [
            simulated(SGD(0.1), eagerly=eagerly),
            simulated(Adam(0.02), eagerly=eagerly, seed=3),
        ]
        both = trainers(eagerly, *models)
        for epoch in range(EPOCHS):
            for trainer in both:
                trainer.begin(np.random.default_rng(epoch).permutation(IMAGES))
            for batch in range(both[0].batches):
                for trainer in both:
                    trainer.step(batch)
        results.append(
            [(each.means(), bytes_of(model)) for each, model in zip(both, models, strict=True)]
        )
    assert results[0] == results[1]
    assert len(replays) == 2 * (STEPS - 2)


def test_resumed_training(tmp_path: Path, replays: list[int]) -> None:
    whole = simulated(Adam(OneCycle(0.02, STEPS)), eagerly=True)
    fit(whole)
    half = simulated(Adam(OneCycle(0.02, STEPS)), eagerly=False)
    fit(half, epochs=1)
    half.save(tmp_path / "half.safetensors")
    resumed = Sequential.load(tmp_path / "half.safetensors", "simulator")
    fit(resumed, epochs=EPOCHS - 1)
    assert bytes_of(resumed) == bytes_of(whole)
    fit(half, epochs=EPOCHS - 1)
    assert bytes_of(half) == bytes_of(whole)
    assert replays


@pytest.mark.parametrize("change", ["rate", "momentum"])
def test_a_number_that_changes_between_epochs(change: str, replays: list[int]) -> None:
    results = []
    for eagerly in (True, False):
        model = simulated(SGD(0.1, momentum=0.5), eagerly=eagerly)

        def set_it(record: dict[str, Any], model: Model = model) -> None:
            if change == "rate":
                model.layers[4].rate = 0.1 * record["epoch"]  # type: ignore[attr-defined]
            else:
                model.optimizer.momentum = 0.1 * record["epoch"]  # type: ignore[attr-defined]

        fit(model, on_epoch_end=set_it)
        results.append(bytes_of(model))
    assert results[0] == results[1]
    assert replays


# Planted faults, each of which has to show


class Wandering(SGD):
    """Passes a number that changes from step to step, where a recording freezes it."""

    can_record = True

    def update(self, parameters: Array, gradients: Array, factors: Array) -> None:
        self.weight_decay = 0.01 * self.iterations
        super().update(parameters, gradients, factors)


def test_a_frozen_scalar_shows(replays: list[int]) -> None:
    results = []
    for eagerly in (True, False):
        model = simulated(Wandering(0.1), eagerly=eagerly)
        fit(model)
        results.append(bytes_of(model))
    assert results[0] != results[1]
    assert replays


def test_a_frozen_place_of_predictions_shows(
    replays: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CudaBackend.store_probabilities
    predicted = []
    for eagerly in (True, False):
        model = simulated(SGD(0.1), eagerly=eagerly)
        start, places = model.backend.zeros((2,), np.int64), count(step=2)

        def store_there(
            backend: CudaBackend,
            position: Array,
            *arrays: Array,
            start: Array = start,
            places: "count[int]" = places,
        ) -> None:
            store.__get__(backend)(start, *arrays[:2], 2, next(places))

        monkeypatch.setattr(CudaBackend, "store_probabilities", store_there)
        predicted.append(model.predict(X, batch_size=2).tobytes())
    assert predicted[0] != predicted[1]
    assert replays


@pytest.mark.parametrize("is_planted", [False, True])
def test_a_stale_pointer_shows(is_planted: bool) -> None:
    """Where a recorded step goes on after its buffers were freed: in arrays in their place."""

    def keep_nothing(self: _Kept, runtime: Any, recording: Any, arrays: list[Array]) -> None:
        self._runtime, self._recording = runtime, recording

    model = simulated(SGD(0.1), eagerly=False)
    (trainer,) = trainers(False, model)
    trainer.begin(np.arange(2 * BATCH))
    with patch.object(_Kept, "__init__", keep_nothing) if is_planted else nullcontext():
        trainer.run(range(2))
    allocations = model.backend.allocations
    model.replica.reserve(2 * BATCH, training=True)
    if is_planted:
        model.backend.allocations = allocations
    others = zeros_in_all_free_memory(model)
    assert others
    trainer.step(0)
    assert any(each.any() for each in others) is is_planted


def zeros_in_all_free_memory(model: Model) -> list[Array]:
    memory = model.backend.runtime._memory  # type: ignore[attr-defined]
    sizes = [size for size, free in memory._free.items() for _ in free]
    return [model.backend.zeros((size,), np.uint8) for size in sizes]


class Allocating(ReLU):
    can_record = True

    def forward(self, x: Array, step: Step | None) -> Array:
        output = self.backend.empty(x.shape, self.real)
        self.backend.relu(x, output)
        return super().forward(output, step)


class Reading(ReLU):
    can_record = True

    def forward(self, x: Array, step: Step | None) -> Array:
        self.largest = self.backend.to_host(x).max()
        return super().forward(x, step)


class Copying(ReLU):
    can_record = True

    def forward(self, x: Array, step: Step | None) -> Array:
        output = super().forward(x, step)
        self.backend.copy(np.zeros((1, *self.output_shape)), output[:1])
        return output


class InNumpy(ReLU):
    can_record = True

    def forward(self, x: Array, step: Step | None) -> Array:
        output = super().forward(x, step)
        np.multiply(output, 2, out=output)
        return output


class InArrayCode(ReLU):
    can_record = True

    def forward(self, x: Array, step: Step | None) -> Array:
        return super().forward(x, step) * self.xp.ones_like(x)  # type: ignore[no-any-return]


REFUSED = {
    "an allocation": Allocating,
    "an allocation by array code": InArrayCode,
    "a copy to the host": Reading,
    "a copy": Copying,
    "an operation of NumPy, which changed an array of the device,": InNumpy,
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_recorded_is_done_with_a_warning(what: str, replays: list[int]) -> None:
    results = []
    for eagerly in (True, False):
        layers = [Flatten(), Dense(5), REFUSED[what](), Dense(small.CLASSES)]
        model = Sequential(layers, small.SHAPE, device="simulator")
        model.compile(SGD(0.1), run_eagerly=eagerly)
        line = (
            "^the operations of a step are launched one by one, since they could not be recorded: "
            rf"{re.escape(what)} cannot be recorded: .*$"
        )
        with nullcontext() if eagerly else pytest.warns(GpucnnWarning, match=line) as told:
            results.append((fit(model), bytes_of(model)))
        if told is not None:
            assert all("\n" not in str(each.message) for each in told)
    assert results[0] == results[1]
    assert replays == []


def test_a_step_allocates_nothing_once_it_is_recorded(replays: list[int]) -> None:
    model = simulated(Adam(0.02), eagerly=False)
    (trainer,) = trainers(False, model)
    trainer.begin(np.arange(IMAGES))
    trainer.run(range(trainer.batches))
    memory = model.backend.runtime._memory  # type: ignore[attr-defined]
    before = len(memory.blocks())
    trainer.begin(np.arange(IMAGES))
    with patch.object(type(memory), "empty", side_effect=AssertionError):
        trainer.run(range(trainer.batches))
    assert len(memory.blocks()) == before
    assert_array_equal(replays, [replays[0]] * len(replays))

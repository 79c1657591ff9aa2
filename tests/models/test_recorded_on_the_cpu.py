"""Steps that the CPU records and repeats give the bytes of those that it does anew."""

from collections.abc import Callable
from copy import copy
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

import small
from gpucnn import SGD, Adam, Input, Model, Sequential
from gpucnn.backends import Array
from gpucnn.datasets.device_dataset import DeviceDataset
from gpucnn.layers import (
    ELU,
    GELU,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    CutMix,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    LeakyReLU,
    MaxPool2D,
    MixUp,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
    ReLU,
    SeparableConv2D,
    Sigmoid,
    SiLU,
    Step,
    Tanh,
)
from gpucnn.layers.base import Layer
from gpucnn.models.replica import replica
from gpucnn.models.training import Trainer, trainer
from gpucnn.optimizers import Optimizer
from microbatches import InMicrobatches

IMAGES, BATCH = 11, 5  # so that the last batch is a single image


VARYING = (
    RandomFlip(),
    RandomTranslation(0.2, 0.2),
    RandomCrop(6, 6),
    RandomRotation(0.2),
    RandomZoom(0.2),
    RandomShear(0.2, 0.2),
    RandomBrightness(0.3),
    RandomContrast(0.3),
    RandomErasing(),
    MixUp(),
    CutMix(),
)


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "LEAST_SHARD", 1)


def end() -> list[Layer]:
    return [Flatten(), Dense(small.CLASSES)]


def branching() -> Model:
    images = Input(small.SHAPE)
    left = Conv2D(2, 3, padding="same")(images)
    right = BatchNormalization()(Conv2D(2, 1)(images))
    features = MaxPool2D(2)(ReLU()(Add()([left, right])))
    return Model(images, Dense(small.CLASSES)(Flatten()(features)))


def sequential(*layers: Layer) -> Model:
    return Sequential([*layers, *end()], small.SHAPE)


MODELS: dict[str, Callable[[], Model]] = {
    "a pooled convolution": lambda: sequential(Conv2D(4, 3), ReLU(), MaxPool2D(2)),
    "two": lambda: sequential(
        Conv2D(4, 3, padding="same"), ReLU(), MaxPool2D(2), Conv2D(6, 2), ReLU(), MaxPool2D(2)
    ),
    "other convolutions": lambda: sequential(
        Conv2D(4, 3, kernel_regularizer="l2"),
        BatchNormalization(),
        ReLU(6.0),
        DepthwiseConv2D(2),
        LeakyReLU(),
        SeparableConv2D(3, 2),
        AveragePooling2D(2),
    ),
    "activations": lambda: sequential(
        ELU(), Flatten(), Dense(5), GELU(), Dense(5), SiLU(), Dropout(0.5), Tanh(), Sigmoid()
    ),
    "a network that branches": branching,
} | {
    type(each).__name__: lambda layer=each: sequential(copy(layer), Conv2D(2, 3))
    for each in VARYING
}
"""Makes a model that is to be recorded, by what it is made of."""


def trained(
    model: Model,
    *,
    eagerly: bool,
    labels: NDArray[np.generic] = small.labels(IMAGES),  # noqa: B008 - it is not changed
    weights: NDArray[np.generic] | None = None,
    optimizer: Optimizer | None = None,
) -> tuple[bytes, int]:
    """The bytes after four epochs, in shards and microbatches; and the recorded kinds of steps."""
    model.place(InMicrobatches(2, 2))
    model.compile(optimizer or Adam(0.01))
    arrays = small.images(IMAGES), labels, weights
    data = DeviceDataset(model.backend, model.dtype, *arrays)
    mine = Trainer(model.replica, model.optimizer, data, BATCH)
    mine.run_eagerly = eagerly
    losses = [mine.epoch(number, np.arange(IMAGES))["loss"] for number in (1, 2, 3, 4)]
    recorded = [each for each in mine._steps.values() if each._recording is not None]
    return small.weight_bytes(model) + np.array(losses).tobytes(), len(recorded)


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_same_bytes(make: Callable[[], Model]) -> None:
    eager, recorded = (trained(make(), eagerly=eagerly) for eagerly in (True, False))
    assert (eager[1], recorded[1]) == (0, 2)
    assert eager[0] == recorded[0]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("nesterov", [False, True])
def test_same_bytes_by_gradient_descent(momentum: float, nesterov: bool) -> None:
    results = [
        trained(small.model(), eagerly=eagerly, optimizer=SGD(0.1, momentum, nesterov))
        for eagerly in (True, False)
    ]
    assert results[0][0] == results[1][0]


def test_same_bytes_with_probable_labels_and_weights_of_images() -> None:
    labels = np.random.default_rng(0).dirichlet([1] * small.CLASSES, IMAGES)
    weights = np.linspace(0.5, 1.5, IMAGES)
    results = [
        trained(small.model(), eagerly=eagerly, labels=labels, weights=weights)
        for eagerly in (True, False)
    ]
    assert results[0][0] == results[1][0]


def test_few_recordings_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    results = [trained(small.model(), eagerly=True)[0]]
    monkeypatch.setattr(trainer, "KEPT", 1)  # of two sizes, each of which takes the other's place
    results.append(trained(small.model(), eagerly=False)[0])
    assert results[0] == results[1]


class InArrayCode(ReLU):
    """A layer of a user's that says it can be recorded, as it launches the same kernels each time.

    On the host no kernels are recorded.
    """

    can_record: ClassVar[bool] = True

    def forward(self, x: Array, step: Step | None) -> Array:
        output = super().forward(x, step)
        np.multiply(output, 2, out=output)
        return output


def test_what_is_no_operation_is_not_lost() -> None:
    results = [trained(sequential(InArrayCode()), eagerly=eagerly) for eagerly in (True, False)]
    assert results[0] == results[1]
    assert results[0][1] == 0


class TestAfterRecording:
    """What changes between epochs is followed, though steps are recorded."""

    def results(self, change: Callable[[Trainer, Model], object]) -> list[bytes]:
        results = []
        for eagerly in (True, False):
            model = small.model(SGD(0.1, momentum=0.5))
            model.place(InMicrobatches(1, 4))
            arrays = small.images(IMAGES), small.labels(IMAGES)
            data = DeviceDataset(model.backend, model.dtype, *arrays)
            mine = Trainer(model.replica, model.optimizer, data, BATCH)
            mine.run_eagerly = eagerly
            for number in range(1, 4):
                mine.epoch(number, np.arange(IMAGES))
                mine.epoch(number, np.arange(IMAGES))
                change(mine, model)
            results.append(small.weight_bytes(model))
        return results

    @pytest.mark.parametrize(
        "change",
        [
            lambda mine, model: model.set_weights([each * 0.5 for each in model.get_weights()]),
            lambda mine, model: model.replica.parameters.__imul__(0.5),
            lambda mine, model: setattr(model.optimizer, "momentum", 0.1),
            lambda mine, model: setattr(model.optimizer, "weight_decay", 0.1),
            lambda mine, model: setattr(model.optimizer, "clipvalue", 1e-3),
            lambda mine, model: setattr(model.optimizer, "learning_rate", 0.01),
            lambda mine, model: setattr(model.layers[4], "rate", 0.75),
            lambda mine, model: model.replica.reserve(3 * BATCH, training=True),
        ],
        ids=["weights", "written", "decayed", "momentum", "clipped", "rate", "dropout", "memory"],
    )
    def test_same_bytes(self, change: Callable[[Trainer, Model], object]) -> None:
        eager, recorded = self.results(change)
        assert eager == recorded

    def test_a_change_matters(self) -> None:
        unchanged = self.results(lambda mine, model: None)
        changed = self.results(lambda mine, model: setattr(model.optimizer, "momentum", 0.1))
        assert unchanged[0] == unchanged[1] != changed[1]

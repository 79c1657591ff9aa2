"""The work that every contender does: a preset without what is drawn at random, on MNIST."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Backend
from gpucnn.datasets import load_mnist
from gpucnn.layers import AUGMENTATION, LAYERS, Dropout, Input, Layer
from gpucnn.models import MNIST_SHAPE, MODELS, Model
from gpucnn.models.graph import IMAGES, Graph
from gpucnn.models.training import epoch_order
from gpucnn.utils.objects.config import from_config, to_config

LEARNING_RATE = 0.01  # of the timed training steps, by SGD without momentum
MOST_BATCHES = 300  # that the timed training steps cycle through
TEST_BATCH = 128  # images classified at a time when an accuracy is measured

Labelled = tuple[NDArray[Any], NDArray[Any]]
Data = tuple[Labelled, Labelled]  # training set and test set


@dataclass(frozen=True)
class Workload:
    """A network to train and run, and its data.

    Args:
        model: the name of a preset; dropout, and layers that vary images, are left out.
        dtype: "float32" or "float64", of all arithmetic.
        data: the training set and the test set, see `load_data`.
    """

    model: str
    dtype: str
    data: Data

    def normalised(self) -> Data:
        """The data with images as networks take them, see `normalise`."""
        train, test = ((normalise(x, np.dtype(self.dtype)), y) for x, y in self.data)
        return train, test


def load_data() -> Data:
    """MNIST's training set and test set: images uint8 (n, 28, 28, 1), labels int64 (n,)."""
    train, test = ((x[..., None], y.astype(np.int64)) for x, y in load_mnist())
    return train, test


def make_network(model: str, dtype: str, device: str, threads: int | None) -> Model:
    """A preset for MNIST without the layers that draw at random, with its initial weights.

    Args:
        model: the name of a preset.
        dtype: "float32" or "float64".
        device: by name, see `get_backend`.
        threads: of the CPU; None for as many as there are cores.

    Raises:
        InvalidValueError: there is no such device.
        DeviceError: the device cannot be used.
    """
    preset = MODELS[model](dtype, "cpu", input_shape=MNIST_SHAPE)
    layers, graph = _without(preset.layers, preset.graph, (Dropout, *AUGMENTATION))
    images = Input(MNIST_SHAPE)
    logits = graph.call([from_config(to_config(each, LAYERS), LAYERS) for each in layers], images)
    return Model(images, logits, model, dtype, device, preset.seed, threads)


def _without(
    layers: Sequence[Layer], graph: Graph, kinds: tuple[type[Layer], ...]
) -> tuple[list[Layer], Graph]:
    """The layers but for those of some kinds, each of one input, which the next ones then take."""
    kept: list[Layer] = []
    inputs: list[tuple[int, ...]] = []
    places = {IMAGES: IMAGES}  # in `kept`, of what each layer gives
    for number, (layer, before) in enumerate(zip(layers, graph.inputs, strict=True)):
        taken = tuple(places[each] for each in before)
        if isinstance(layer, kinds):
            (places[number],) = taken
        else:
            places[number] = len(kept)
            kept.append(layer)
            inputs.append(taken)
    return kept, Graph(tuple(inputs))


def describe_model(model: str) -> str:
    """The preset's name, with "without ..." if `make_network` leaves layers out."""
    layers = MODELS[model](device="cpu").layers
    kinds: dict[str, tuple[type, ...]] = {"dropout": (Dropout,), "augmentation": AUGMENTATION}
    without = [
        what for what, kind in kinds.items() if any(isinstance(layer, kind) for layer in layers)
    ]
    return f"{model} without {' and '.join(without)}" if without else model


def normalise(images: NDArray[np.uint8], dtype: "np.dtype[np.floating]") -> NDArray[Any]:
    """Images as networks take them: real, of the same shape, see `Backend.gather_images`."""
    real = np.empty(images.shape, dtype)
    Backend().gather_images(images, np.arange(len(images)), real)
    return real


def full_batches(images: int, batch_size: int) -> list[NDArray[Any]]:
    """The indices of the first epoch's full batches, at most `MOST_BATCHES`.

    Args:
        images: the number of images to draw from.
        batch_size: images in a batch.

    Returns:
        int64 (batch_size,) each.
    """
    batches = min(images // batch_size, MOST_BATCHES)
    return list(epoch_order(0, 1, images)[: batches * batch_size].reshape(batches, batch_size))

"""Training: epochs of steps over a set of images, and what is measured on the way."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array
from gpucnn.batches import Batches
from gpucnn.errors import TrainingError
from gpucnn.lane import Lane
from gpucnn.network import Network
from gpucnn.optimizers import Optimizer

EpochRecord = dict[str, Any]


class Evaluation(NamedTuple):
    """The mean loss over some images, and the share of them that is classified correctly."""

    loss: float
    accuracy: float


@dataclass
class History:
    """What was measured in each epoch.

    Each of `epochs` has "epoch" (from 1), "loss" and "accuracy" (over the epoch's training steps,
    as they went), "seconds" (of the training steps alone), "images_per_second", and, if there are
    images for validation, "val_loss" and "val_accuracy" after it. Accuracies are in [0, 1].
    """

    epochs: list[EpochRecord] = field(default_factory=list)


class Metrics:
    """The loss of each image and whether it was classified correctly, kept on the device.

    They are brought to the host once, at the end, so that no step waits for them.
    """

    def __init__(self, network: Network, images: int) -> None:
        self._backend = network.backend
        self.losses = self._backend.shared((images,), network.dtype)
        self.correct = self._backend.shared((images,), network.dtype)

    def means(self) -> Evaluation:
        """The mean loss and accuracy, added up in float64."""
        losses, correct = self._backend.to_host(self.losses), self._backend.to_host(self.correct)
        return Evaluation(
            float(losses.mean(dtype=np.float64)), float(correct.mean(dtype=np.float64))
        )


class Trainer:
    """Trains a network on some images with an optimizer that is placed on its backend.

    What a step needs is reserved here, or kept from the first one: later steps allocate nothing.
    """

    def __init__(
        self, network: Network, optimizer: Optimizer, data: Batches, batch_size: int
    ) -> None:
        self._network, self._optimizer, self._data = network, optimizer, data
        self._batch_size = min(batch_size, len(data))
        self._metrics = Metrics(network, len(data))
        self._indices = network.backend.empty((self._batch_size,), np.int64)
        self._batch_metrics = Metrics(network, self._batch_size)
        network.reserve(self._batch_size, training=True)

    def epoch(
        self,
        number: int,
        order: NDArray[np.int64],
        progress: Callable[[int], None] = lambda images: None,
    ) -> EpochRecord:
        """Train for one epoch.

        Args:
            number: the epoch's, from 1.
            order: int64 (n,), the images in the order in which they are trained on.
            progress: is told of the number of images in each batch that is done.

        Returns:
            What `History` keeps of the epoch, without validation.

        Raises:
            TrainingError: the loss is no longer a finite number.
        """
        started = perf_counter()
        loss, accuracy = self._steps(order, progress)
        seconds = perf_counter() - started
        check_finite(loss, number)
        return {
            "epoch": number,
            "loss": loss,
            "accuracy": accuracy,
            "seconds": seconds,
            "images_per_second": len(order) / seconds,
        }

    def _steps(self, order: NDArray[np.int64], progress: Callable[[int], None]) -> Evaluation:
        losses, correct = self._metrics.losses, self._metrics.correct
        network = self._network
        indices = network.backend.asarray(order)
        with network.session(self._batch_size, len(order)):
            for start in range(0, len(order), self._batch_size):
                batch = slice(start, start + self._batch_size)
                images = indices[batch]
                self.step(images, losses[batch], correct[batch])
                if network.backend.leads:
                    progress(len(images))
        return self._metrics.means()

    def step(self, indices: Array, losses: Array, correct: Array) -> None:
        """One training step on a batch.

        Args:
            indices: int64 (n,), on the device, which images.
            losses: real (n,), written, the loss of each image.
            correct: real (n,), written, 1 for each image that was classified correctly, else 0.
        """
        count, backend, batch = len(indices), self._network.backend, self._batch_metrics
        backend.copy(indices, self._indices[:count])
        self._optimizer.advance()
        self._compute(count)
        backend.copy(batch.losses[:count], losses)
        backend.copy(batch.correct[:count], correct)

    def _compute(self, count: int) -> None:
        """The part of a step that the device can do alone.

        For every batch of `count` images it is the same sequence of operations on the same memory,
        so that it can be recorded once and replayed. What changes, it reads from there.
        """
        network, optimizer, batch = self._network, self._optimizer, self._batch_metrics
        losses, correct = batch.losses[:count], batch.correct[:count]
        network.learn(self._data, self._indices[:count], losses, correct, optimizer.step)
        optimizer.update(network.parameters, network.gradients)


def check_finite(loss: float, epoch: int) -> None:
    """Refuse to go on from a loss that is no number.

    Raises:
        TrainingError: the loss is NaN or infinite.
    """
    if not isfinite(loss):
        raise TrainingError(
            f"the loss became {loss} in epoch {epoch}: train with a lower learning rate, beginning "
            "with a new model or one that was saved before"
        )


def epoch_order(seed: int, epoch: int, images: int, *, shuffle: bool = True) -> NDArray[np.int64]:
    """The order of the images in an epoch, int64 (images,), a new one for each if `shuffle`.

    It depends on the seed and the number of the epoch alone, so that a run which is resumed goes on
    as if it had not been interrupted. The leading 1 keeps it apart from the initial weights' draws.
    """
    order = np.arange(images, dtype=np.int64)
    return np.random.default_rng([1, seed, epoch]).permutation(order) if shuffle else order


def evaluate(network: Network, data: Batches, batch_size: int) -> Evaluation:
    """The mean loss and the accuracy over all of `data`, with dropout switched off."""
    metrics = Metrics(network, len(data))

    def measure(lane: Lane, piece: slice, logits: Array, indices: Array) -> None:
        labels = lane.load_labels(data, indices)
        lane.loss.evaluate(logits, labels, metrics.losses[piece], metrics.correct[piece])

    _infer(network, data, batch_size, measure)
    return metrics.means()


def predict(network: Network, data: Batches, batch_size: int) -> NDArray[Any]:
    """The probability of each class for each image, real (n, classes), on the host."""
    backend = network.backend
    probabilities = backend.shared((len(data), network.classes), network.dtype)

    def keep(lane: Lane, piece: slice, logits: Array, indices: Array) -> None:
        backend.softmax(logits, probabilities[piece])

    _infer(network, data, batch_size, keep)
    return backend.to_host(probabilities)


def _infer(
    network: Network,
    data: Batches,
    batch_size: int,
    use: Callable[[Lane, slice, Array, Array], None],
) -> None:
    """Compute the logits of all images, batch by batch, and hand out each piece of them.

    Args:
        network: computes them.
        data: all images.
        batch_size: images in a batch.
        use: called with a lane; which images; their logits; and their indices. It may write to
            shared arrays.
    """
    backend = network.backend
    indices = backend.asarray(np.arange(len(data), dtype=np.int64))
    network.reserve(min(batch_size, len(data)))
    with network.session(min(batch_size, len(data)), len(data)):
        for start in range(0, len(data), batch_size):
            batch = indices[start : start + batch_size]

            def work(lane: Lane, part: slice, start: int = start, batch: Array = batch) -> None:
                for piece in lane.pieces(part):
                    logits = lane.forward(lane.load(data, batch[piece]))
                    use(lane, slice(start + piece.start, start + piece.stop), logits, batch[piece])

            network.share(len(batch), work)

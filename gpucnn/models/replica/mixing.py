"""Mixing of images in a lane: it loads the partners of images, and adds the losses of both."""

from typing import NamedTuple

import numpy as np

from gpucnn.backends import Array, Backend, BatchMemory, Buffer
from gpucnn.layers import MixingLayer, Step
from gpucnn.layers.preprocessing.mixing import Gather
from gpucnn.losses import PlacedLoss


class Mixed(NamedTuple):
    """The images of a microbatch, mixed with others.

    Args:
        images: real (n, h, w, c).
        partners: int64 (n,), the indices of the others.
        shares: real (2, n), the weights of the losses of the images' labels, and of the others'.
    """

    images: Array
    partners: Array
    shares: Array


class Mixing:
    """Mixes images, and the losses of their labels.

    Args:
        layer: says how.
        loss: placed for this alone.
        backend: where they run.
        dtype: real, of the model.
    """

    def __init__(
        self,
        layer: MixingLayer,
        loss: PlacedLoss,
        backend: Backend,
        dtype: "np.dtype[np.floating]",
    ) -> None:
        self._layer, self._loss, self._backend = layer, loss, backend
        self._shares, self._losses, self._correct = (
            BatchMemory(backend, Buffer(()), dtype) for _ in range(3)
        )

    def mix(self, images: Array, batch: Array, step: Step, gather: Gather) -> Mixed:
        """Mix the images of a microbatch, see `MixingLayer.mix`; the next call overwrites them."""
        shares = self._shares[2 * len(images)].reshape(2, len(images))
        return Mixed(*self._layer.mix(images, batch, step, gather, shares), shares)

    def add_loss(
        self,
        outputs: Array,
        labels: Array,
        shares: Array,
        metrics: tuple[Array, Array],
        gradient: Array,
        images: int,
    ) -> None:
        """Make of the losses of images' labels the weighted means of these and the partners'.

        Args:
            outputs: real (n, outputs).
            labels: the partners'.
            shares: see `Mixed`.
            metrics: the losses, real (n,), and whether images are classified correctly; updated.
            gradient: real (n, outputs), of the batch's mean loss, updated.
            images: the number of images in the whole batch.
        """
        losses, correct = self._losses[len(outputs)], self._correct[len(outputs)]
        others = self._loss.gradient(outputs, labels, losses, correct, images)
        for share, mine, weighed in (
            (shares[0], metrics, gradient),
            (shares[1], (losses, correct), others),
        ):
            self._backend.weigh_rows(share, mine[0], weighed)
            self._backend.weigh_rows(share, mine[1])
        for added, total in zip((losses, correct, others), (*metrics, gradient), strict=True):
            self._backend.accumulate(added, total)

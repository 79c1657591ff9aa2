"""Softmax and cross-entropy."""

from typing import Any

import numpy as np

from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.cuda.kernel import WARP, kernel
from gpucnn.backends.cuda.memory import CudaMemory
from gpucnn.backends.memory import Array, Memory
from gpucnn.backends.ops.bounds import EXACT, Bound, bounded, softmax_roundings
from gpucnn.utils.arithmetic import ceil_div


class Loss(Memory):
    """Definitions of softmax and its cross-entropy."""

    @bounded(probabilities=Bound(softmax_roundings, "result"))
    def store_probabilities(
        self,
        position: Array,
        logits: Array,
        probabilities: Array,
        batch_size: int,
        first: int = 0,
    ) -> None:
        """Compute the softmax of a part of a batch, and store it at its place among all images'.

        It is exp(z_i) / sum_j exp(z_j) for each row of logits z. The maximum of the row is
        subtracted first, so that no exponential overflows.

        Args:
            position: int64 (2,), see `Data`.
            logits: real (n, classes).
            probabilities: real (N, classes), of which n rows are written.
            batch_size: the size of a full batch.
            first: the number in the batch of the part's first image.
        """
        start = int(position[0]) * batch_size + first
        exponentials = self.xp.exp(logits - logits.max(axis=1, keepdims=True))
        sums = exponentials.sum(axis=1, keepdims=True)
        probabilities[start : start + len(logits)] = exponentials / sums

    @bounded(
        losses=Bound(softmax_roundings, "one"),
        correct=EXACT,
        gradient=Bound(softmax_roundings, "mean"),
    )
    def softmax_cross_entropy(
        self,
        logits: Array,
        labels: Array,
        losses: Array,
        correct: Array,
        gradient: Array | None = None,
        images: int = 1,
    ) -> None:
        """Compute each row's loss -log softmax(logits)[label], and the gradient of the mean loss.

        Args:
            logits: real (n, classes).
            labels: int64 (n,), each in [0, classes).
            losses: real (n,).
            correct: real (n,), 1 where the largest logit (the first among equals) is the label's,
                else 0.
            gradient: real (n, classes), the gradient of the sum of `losses` divided by `images`
                with respect to `logits`, or None if it is not needed.
            images: the number of images in the whole batch, over which the loss is averaged.
        """
        one_hot = labels[:, None] == self.counting(logits.shape[1])
        shifted = logits - logits.max(axis=1, keepdims=True)
        exponentials = self.xp.exp(shifted)
        sums = exponentials.sum(axis=1)
        losses[...] = self.xp.log(sums) - shifted[one_hot]
        correct[...] = logits.argmax(axis=1) == labels
        if gradient is not None:
            gradient[...] = (exponentials / sums[:, None] - one_hot) / images


class CpuLoss(CpuMemory, Loss):
    """Softmax in NumPy: images innermost, without temporary arrays."""

    def store_probabilities(
        self,
        position: Array,
        logits: Array,
        probabilities: Array,
        batch_size: int,
        first: int = 0,
    ) -> None:
        start = int(position[0]) * batch_size + first
        out = probabilities[start : start + len(logits)]
        column = self._scratch("softmax column", (len(logits), 1), logits.dtype)
        np.maximum.reduce(logits, axis=1, keepdims=True, out=column)
        np.subtract(logits, column, out=out)
        np.exp(out, out=out)
        np.add.reduce(out, axis=1, keepdims=True, out=column)
        out /= column

    def softmax_cross_entropy(
        self,
        logits: Array,
        labels: Array,
        losses: Array,
        correct: Array,
        gradient: Array | None = None,
        images: int = 1,
    ) -> None:
        count, classes = logits.shape
        one_hot = self._scratch("one hot", logits.shape, np.bool_)
        shifted = self._scratch("shifted", logits.shape, logits.dtype)
        exponentials = self._scratch("exponentials", logits.shape, logits.dtype)
        column = self._scratch("loss column", (count, 1), logits.dtype)
        rows = self.workspace("rows", logits.shape, logits.dtype)  # argmax would copy another order
        best = self.workspace("best", (count,), np.intp)

        np.equal(labels[:, None], self.counting(classes), out=one_hot)
        np.copyto(rows, logits)
        rows.argmax(axis=1, out=best)
        np.equal(best, labels, out=correct, casting="unsafe")
        np.maximum.reduce(logits, axis=1, keepdims=True, out=column)
        np.subtract(logits, column, out=shifted)
        np.exp(shifted, out=exponentials)
        np.add.reduce(exponentials, axis=1, keepdims=True, out=column)
        if gradient is not None:
            np.divide(exponentials, column, out=gradient)
            gradient -= one_hot
            gradient /= images
        np.add.reduce(shifted, axis=1, where=one_hot, out=losses)  # the label's logit alone
        np.log(column, out=column)
        np.subtract(column[:, 0], losses, out=losses)


WARPS = 4
"""Warps per block, each of which works on one row."""


def _row_kernel(shapes: dict[str, str]) -> Any:
    return kernel(
        "softmax.cu",
        shapes,
        lambda sizes: (ceil_div(sizes["rows"], WARPS),),
        threads=WARP * WARPS,
    )


class CudaLoss(CudaMemory, Loss):
    """Softmax in CUDA: a warp per row, whose lanes combine their sums by shuffles."""

    store_probabilities = _row_kernel(
        {"position": "2", "logits": "rows classes", "probabilities": "images classes"}
    )
    softmax_cross_entropy = _row_kernel(
        {
            "logits": "rows classes",
            "labels": "rows",
            "losses": "rows",
            "correct": "rows",
            "gradient": "rows classes",
        }
    )

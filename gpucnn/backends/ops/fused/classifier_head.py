"""The head of a classifier: its dense layer of logits and its loss as one operation."""

from functools import cache

import numpy as np

from gpucnn.backends.cuda.kernel import Constants, Sizes, kernel
from gpucnn.backends.cuda.memory import CudaMemory
from gpucnn.backends.memory import Array
from gpucnn.backends.ops.bounds import CHOSEN, Bound, bounded, head_inputs, head_logits
from gpucnn.backends.ops.data import Data
from gpucnn.backends.ops.dense import Dense
from gpucnn.backends.ops.training.loss import Loss
from gpucnn.utils.arithmetic import ceil_div


class ClassifierHeads(Data, Dense, Loss):
    """Definition of the loss of a dense layer's outputs, with its gradients."""

    def can_fuse_head(self, inputs: int, classes: int, real: "np.dtype[np.floating]") -> bool:
        """Whether the loss of a dense layer of logits is faster as one operation here."""
        return False

    @bounded(
        epoch_losses=Bound(head_logits, "one"),
        epoch_correct=CHOSEN,
        logits_gradient=Bound(head_logits, "mean"),
        input_gradient=Bound(head_inputs, "mean"),
    )
    def dense_softmax_cross_entropy(
        self,
        x: Array,
        kernel: Array,
        bias: Array,
        labels: Array,
        indices: Array,
        position: Array,
        epoch_losses: Array,
        epoch_correct: Array,
        batch_size: int,
        first: int,
        logits_gradient: Array,
        input_gradient: Array | None,
        images: int,
        rate: float | None = None,
    ) -> None:
        """Compute the losses of a dense layer's outputs, and the gradients of the mean loss.

        Args:
            x: real (n, inputs).
            kernel: real (inputs, classes).
            bias: real (classes,).
            labels: int64 (N,), those of the data set, each in [0, classes).
            indices: int64 (n,), each in [0, N): row i has the label `labels[indices[i]]`.
            position: int64 (2,), as for `store_metrics`, like all that follow.
            epoch_losses: real (M,).
            epoch_correct: real (M,).
            batch_size: the size of a full batch.
            first: the number in the batch of the first row.
            logits_gradient: as for `softmax_cross_entropy`.
            input_gradient: real (n, inputs), or None if it is not needed.
            images: as for `softmax_cross_entropy`.
            rate: None for the gradient of `x`; what `dense_relu` was given, if it wrote `x`, for
                the gradient of what that takes the positive part of.
        """
        labels_of_rows = self.workspace("head labels", (len(x),), np.int64)
        logits = self.workspace("head logits", (len(x), len(bias)), x.dtype)
        self.gather_labels(labels, indices, labels_of_rows)
        self.matmul(x, kernel, logits, bias=bias)
        losses = self.workspace("head losses", (len(x),), x.dtype)
        correct = self.workspace("head correct", (len(x),), x.dtype)
        self.softmax_cross_entropy(logits, labels_of_rows, losses, correct, logits_gradient, images)
        self.store_metrics(
            position, losses, correct, epoch_losses, epoch_correct, batch_size, first
        )
        if input_gradient is None:
            return
        if rate is None:
            self.matmul(logits_gradient, kernel, input_gradient, transpose_b=True)
            return
        gradient = self.workspace("head gradient", x.shape, x.dtype)
        self.matmul(logits_gradient, kernel, gradient, transpose_b=True)
        self.dense_relu_gradient(gradient, x, rate, input_gradient)


THREADS = 128
"""Threads of a block, which works on an image."""

MOST_BLOCKS = 528
"""The most blocks that a batch is shared out over: four for each multiprocessor of an H100."""

MOST_CLASSES = 32
"""The most classes: a lane of a warp has one."""

MOST_WEIGHTS = 448
"""The most bytes of weights of a thread, which it has in registers."""

CONSTANTS = ("inputs", "classes", "class_slots")


def _constants(inputs: int, classes: int) -> dict[str, int]:
    slots = 1 << (classes - 1).bit_length()
    return {"inputs": inputs, "classes": classes, "class_slots": slots}


@cache
def _given_constants(inputs: int, classes: int) -> Constants:
    return Constants(_constants(inputs, classes))


def _weights(inputs: int, classes: int, real: "np.dtype[np.floating]") -> int:
    """The bytes of weights of a thread."""
    return ceil_div(inputs, THREADS) * classes * real.itemsize


def _samples(real: str) -> tuple[Sizes, ...]:
    """Lenet's head, and one with as many weights as a thread may have."""
    most = MOST_WEIGHTS // np.dtype(real).itemsize // 8
    return _constants(128, 10), _constants(most * THREADS, 8), _constants(7, MOST_CLASSES)


class CudaClassifierHeads(CudaMemory, ClassifierHeads):
    """The head in CUDA: a block an image, with the weights in registers."""

    def can_fuse_head(self, inputs: int, classes: int, real: "np.dtype[np.floating]") -> bool:
        return classes <= MOST_CLASSES and _weights(inputs, classes, real) <= MOST_WEIGHTS

    def dense_softmax_cross_entropy(
        self,
        x: Array,
        kernel: Array,
        bias: Array,
        labels: Array,
        indices: Array,
        position: Array,
        epoch_losses: Array,
        epoch_correct: Array,
        batch_size: int,
        first: int,
        logits_gradient: Array,
        input_gradient: Array | None,
        images: int,
        rate: float | None = None,
    ) -> None:
        """As one launch where `can_fuse_head`, else one operation after the other."""
        inputs, classes = kernel.shape
        if not self.can_fuse_head(inputs, classes, x.dtype):
            super().dense_softmax_cross_entropy(
                x,
                kernel,
                bias,
                labels,
                indices,
                position,
                epoch_losses,
                epoch_correct,
                batch_size,
                first,
                logits_gradient,
                input_gradient,
                images,
                rate,
            )
            return
        self._classifier_head(
            x=x,
            kernel=kernel,
            bias=bias,
            labels=labels,
            indices=indices,
            position=position,
            epoch_losses=epoch_losses,
            epoch_correct=epoch_correct,
            batch_size=batch_size,
            first=first,
            logits_gradient=logits_gradient,
            input_gradient=input_gradient,
            images=images,
            is_rectified=rate is not None,
            scale=1 / (1 - (rate or 0)),
            constants=_given_constants(inputs, classes),
        )

    _classifier_head = kernel(
        "classifier_head.cu",
        {
            "x": "count inputs",
            "kernel": "inputs classes",
            "bias": "classes",
            "labels": "all",
            "indices": "count",
            "position": "2",
            "epoch_losses": "images_of_epoch",
            "epoch_correct": "images_of_epoch",
            "logits_gradient": "count classes",
            "input_gradient": "count inputs",
        },
        lambda sizes: (max(min(sizes["count"], MOST_BLOCKS), 1),),
        threads=THREADS,
        constants=CONSTANTS,
        samples=_samples,
    )

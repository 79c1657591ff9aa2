"""Softmax, and the losses of rows of outputs."""

from typing import Any

import numpy as np

from gpucnn.backends.calls import Calls, bindable
from gpucnn.backends.cpu.inference.softmax import add_softmax
from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.cuda.kernel import WARP, kernel
from gpucnn.backends.cuda.memory import CudaMemory
from gpucnn.backends.memory import Array, Memory
from gpucnn.backends.ops.bounds import (
    EXACT,
    PRODUCT,
    Bound,
    always,
    bounded,
    sigmoid_gradients,
    sigmoid_losses,
    soft_roundings,
    softmax_roundings,
    squares,
)
from gpucnn.utils.arithmetic import ceil_div


class Loss(Memory):
    """Definitions of softmax, and of losses of the rows of a batch.

    A loss is computed for each row. The gradient is that of the sum of all losses divided by
    `images`, the number of rows of the whole batch, of which these may be a part; None if it is not
    needed.
    """

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

    @bounded(
        losses=Bound(soft_roundings, "one"),
        correct=EXACT,
        gradient=Bound(soft_roundings, "mean"),
    )
    def soft_cross_entropy(
        self,
        logits: Array,
        targets: Array,
        losses: Array,
        correct: Array,
        gradient: Array | None = None,
        images: int = 1,
    ) -> None:
        """Compute each row's loss -sum_j targets_j log softmax(logits)_j, and the gradient.

        Args:
            logits: real (n, classes).
            targets: real (n, classes), at least 0: how much of each row belongs to each class.
            losses: real (n,).
            correct: real (n,), 1 where the largest logit and the largest target (the first among
                equals) are of the same class, else 0.
            gradient: real (n, classes), or None, see `Loss`.
            images: the number of images in the whole batch.
        """
        shifted = logits - logits.max(axis=1, keepdims=True)
        exponentials = self.xp.exp(shifted)
        sums = exponentials.sum(axis=1, keepdims=True)
        losses[...] = (targets * (self.xp.log(sums) - shifted)).sum(axis=1)
        correct[...] = logits.argmax(axis=1) == targets.argmax(axis=1)
        if gradient is not None:
            totals = targets.sum(axis=1, keepdims=True)
            gradient[...] = (exponentials / sums * totals - targets) / images

    @bounded(
        losses=Bound(sigmoid_losses, "one"),
        correct=EXACT,
        gradient=Bound(sigmoid_gradients, "mean"),
    )
    def sigmoid_cross_entropy(
        self,
        logits: Array,
        targets: Array,
        losses: Array,
        correct: Array,
        gradient: Array | None = None,
        images: int = 1,
    ) -> None:
        """Compute each row's mean of -t log s(z) - (1 - t) log s(-z), and the gradient.

        It is `max(z, 0) - z t + log(1 + exp(-|z|))` for each logit z and target t, s being the
        sigmoid: so no exponential overflows.

        Args:
            logits: real (n, k).
            targets: real (n, k), each in [0, 1].
            losses: real (n,).
            correct: real (n,), the share of the k logits that are above 0 where their target is
                above 0.5, and not where it is not.
            gradient: real (n, k), or None, see `Loss`.
            images: the number of images in the whole batch.
        """
        exponentials = self.xp.exp(-abs(logits))
        terms = self.xp.maximum(logits, 0) - logits * targets + self.xp.log1p(exponentials)
        losses[...] = terms.mean(axis=1)
        correct[...] = ((logits > 0) == (targets > 0.5)).mean(axis=1)
        if gradient is not None:
            sigmoids = self.xp.where(logits > 0, 1, exponentials) / (1 + exponentials)
            gradient[...] = (sigmoids - targets) / (logits.shape[1] * images)

    @bounded(losses=Bound(squares, "result"), gradient=Bound(always(4), "result"))
    def squared_error(
        self,
        outputs: Array,
        targets: Array,
        losses: Array,
        gradient: Array | None = None,
        images: int = 1,
    ) -> None:
        """Compute each row's mean of (output - target)^2, and the gradient.

        Args:
            outputs: real (n, k).
            targets: real (n, k).
            losses: real (n,).
            gradient: real (n, k), or None, see `Loss`.
            images: the number of images in the whole batch.
        """
        differences = outputs - targets
        losses[...] = (differences**2).mean(axis=1)
        if gradient is not None:
            gradient[...] = 2 * differences / (outputs.shape[1] * images)

    @bounded(losses=PRODUCT, gradient=PRODUCT)
    def weigh_rows(self, weights: Array, losses: Array, gradient: Array | None = None) -> None:
        """Multiply the loss of each row, and its gradient, by a weight.

        Args:
            weights: real (n,).
            losses: real (n,), updated.
            gradient: real (n, k), updated, or None.
        """
        losses *= weights
        if gradient is not None:
            gradient *= weights[:, None]


class CpuLoss(CpuMemory, Loss):
    """Losses in NumPy: images innermost, without temporary arrays."""

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
        calls = Calls()
        add_softmax(logits, out, self._scratch("softmax column", (len(out), 1), out.dtype), calls)
        calls()

    @bindable
    def softmax_cross_entropy(
        self,
        calls: Calls,
        logits: Array,
        labels: Array,
        losses: Array,
        correct: Array,
        gradient: Array | None = None,
        images: int = 1,
    ) -> None:
        rows, best = self._add_largest("best", logits, calls)
        self._add_equality(best, labels, correct, calls)
        largest, exponentials, sums = self._add_exponentials(logits, rows, best, calls)
        places = self._add_places("places", rows, labels, calls)
        if gradient is not None:
            one_hot = self.workspace("one hot", rows.shape, rows.dtype)
            calls.add(one_hot.fill, 0)
            calls.add(one_hot.put, places, self._constant(1, 1, rows.dtype), "clip")
            calls.add(np.divide, exponentials, _column(sums), gradient)
            calls.add(np.subtract, gradient, one_hot, gradient)
            self._add_division(gradient, images, calls)
        right, shifted, logarithm = (
            self.workspace(name, losses.shape, losses.dtype)
            for name in ("logit of label", "shifted logit", "logarithm")
        )  # each its own: a single number that is written in its place takes three times as long
        calls.add(rows.take, places, None, right, "clip")
        calls.add(np.subtract, right, largest, shifted)
        calls.add(np.log, sums, logarithm)
        calls.add(np.subtract, logarithm, shifted, losses)

    @bindable
    def soft_cross_entropy(
        self,
        calls: Calls,
        logits: Array,
        targets: Array,
        losses: Array,
        correct: Array,
        gradient: Array | None = None,
        images: int = 1,
    ) -> None:
        rows, best = self._add_largest("best", logits, calls)
        _, right = self._add_largest("right", targets, calls)
        self._add_equality(best, right, correct, calls)
        largest, exponentials, sums = self._add_exponentials(logits, rows, best, calls)
        if gradient is not None:
            totals = self.workspace("totals", sums.shape, sums.dtype)
            calls.add(np.add.reduce, targets, 1, None, totals)
            calls.add(np.divide, totals, sums, totals)
            calls.add(np.multiply, exponentials, _column(totals), gradient)
            calls.add(np.subtract, gradient, targets, gradient)
            self._add_division(gradient, images, calls)
        shifted = exponentials
        calls.add(np.log, sums, sums)
        calls.add(np.subtract, logits, _column(largest), shifted)
        calls.add(np.subtract, _column(sums), shifted, shifted)
        calls.add(np.multiply, shifted, targets, shifted)
        calls.add(np.add.reduce, shifted, 1, None, losses)

    def sigmoid_cross_entropy(
        self,
        logits: Array,
        targets: Array,
        losses: Array,
        correct: Array,
        gradient: Array | None = None,
        images: int = 1,
    ) -> None:
        outputs = logits.shape[1]
        exponentials = self._scratch("exponentials", logits.shape, logits.dtype)
        terms = self._scratch("terms", logits.shape, logits.dtype)
        total = self._scratch("total terms", logits.shape, logits.dtype)
        positive = self._scratch("positive logits", logits.shape, np.bool_)
        agrees = self._scratch("agrees", logits.shape, np.bool_)

        np.greater(logits, 0, out=positive)
        np.greater(targets, 0.5, out=agrees)
        np.equal(positive, agrees, out=agrees)
        np.add.reduce(agrees, axis=1, dtype=correct.dtype, out=correct)
        correct /= outputs

        np.absolute(logits, out=exponentials)
        np.negative(exponentials, out=exponentials)
        np.exp(exponentials, out=exponentials)
        np.maximum(logits, 0, out=total)
        np.multiply(logits, targets, out=terms)
        total -= terms
        np.log1p(exponentials, out=terms)
        total += terms
        np.add.reduce(total, axis=1, out=losses)
        losses /= outputs

        if gradient is not None:
            np.add(exponentials, 1, out=terms)
            np.copyto(exponentials, 1, where=positive)
            np.divide(exponentials, terms, out=gradient)
            gradient -= targets
            gradient *= 1 / (outputs * images)

    def squared_error(
        self,
        outputs: Array,
        targets: Array,
        losses: Array,
        gradient: Array | None = None,
        images: int = 1,
    ) -> None:
        differences = self._scratch("differences", outputs.shape, outputs.dtype)
        np.subtract(outputs, targets, out=differences)
        if gradient is not None:
            np.multiply(differences, 2 / (outputs.shape[1] * images), out=gradient)
        differences *= differences
        np.add.reduce(differences, axis=1, out=losses)
        losses /= outputs.shape[1]

    def _add_largest(self, name: str, scores: Array, calls: Calls) -> tuple[Array, Array]:
        """Scores in row-major order, and the columns of each row's largest, the first among equals.

        Both are in workspaces, of that name.
        """
        rows = self.workspace(f"{name} rows", scores.shape, scores.dtype)
        columns = self.workspace(name, (len(scores),), np.intp)
        calls.copy(scores, rows)
        calls.add(rows.argmax, 1, columns)
        return rows, columns

    def _add_equality(self, some: Array, others: Array, out: Array, calls: Calls) -> None:
        """1 where whole numbers are equal, else 0."""
        are_equal = self.workspace("are equal", out.shape, np.bool_)
        calls.add(np.equal, some, others, are_equal)
        calls.copy(are_equal, out)

    def _add_places(self, name: str, rows: Array, columns: Array, calls: Calls) -> Array:
        """The places of one column (n,) of each row in flat memory."""
        count, width = rows.shape
        if count == 1:
            return columns
        places = self.workspace(name, (count,), np.int64)
        calls.add(np.add, columns, self.counting(count * width)[::width], places)
        return places

    def _add_exponentials(
        self, logits: Array, rows: Array, best: Array, calls: Calls
    ) -> tuple[Array, Array, Array]:
        """Each row's largest logit (n,), exponentials less that, and their sums (n,)."""
        largest = self.workspace("largest", best.shape, logits.dtype)
        exponentials = self._scratch("exponentials", logits.shape, logits.dtype)
        sums = self.workspace("sums", best.shape, logits.dtype)
        places = self._add_places("best places", rows, best, calls)
        calls.add(rows.take, places, None, largest, "clip")
        calls.add(np.subtract, logits, _column(largest), exponentials)
        calls.add(np.exp, exponentials, exponentials)
        calls.add(np.add.reduce, exponentials, 1, None, sums)  # by row, whatever their number
        return largest, exponentials, sums

    def _add_division(self, gradient: Array, images: int, calls: Calls) -> None:
        if images > 1:
            calls.add(np.divide, gradient, np.asarray(images, gradient.dtype), gradient)


def _column(numbers: Array) -> Array:
    """Numbers (n,) as (n, 1), for operations on the rows of a batch.

    A single one is without axes, as which NumPy takes a third of the time.
    """
    return numbers.reshape(() if len(numbers) == 1 else (-1, 1))


WARPS = 4
"""Warps per block, each of which works on one row."""


def _row_kernel(file: str, shapes: dict[str, str]) -> Any:
    return kernel(
        file,
        shapes,
        lambda sizes: (ceil_div(sizes["rows"], WARPS),),
        threads=WARP * WARPS,
    )


class CudaLoss(CudaMemory, Loss):
    """Losses in CUDA: a warp per row, whose lanes combine their sums by shuffles."""

    store_probabilities = _row_kernel(
        "softmax.cu",
        {"position": "2", "logits": "rows classes", "probabilities": "images classes"},
    )
    softmax_cross_entropy = _row_kernel(
        "softmax.cu",
        {
            "logits": "rows classes",
            "labels": "rows",
            "losses": "rows",
            "correct": "rows",
            "gradient": "rows classes",
        },
    )
    soft_cross_entropy = _row_kernel(
        "softmax.cu",
        {
            "logits": "rows classes",
            "targets": "rows classes",
            "losses": "rows",
            "correct": "rows",
            "gradient": "rows classes",
        },
    )
    sigmoid_cross_entropy = _row_kernel(
        "losses.cu",
        {
            "logits": "rows columns",
            "targets": "rows columns",
            "losses": "rows",
            "correct": "rows",
            "gradient": "rows columns",
        },
    )
    squared_error = _row_kernel(
        "losses.cu",
        {
            "outputs": "rows columns",
            "targets": "rows columns",
            "losses": "rows",
            "gradient": "rows columns",
        },
    )

    def weigh_rows(self, weights: Array, losses: Array, gradient: Array | None = None) -> None:
        columns = 0 if gradient is None else gradient.shape[1]
        self._weigh_rows(weights=weights, losses=losses, gradient=gradient, columns=columns)

    _weigh_rows = _row_kernel(
        "losses.cu", {"weights": "rows", "losses": "rows", "gradient": "rows columns"}
    )

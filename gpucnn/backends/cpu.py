"""NumPy on the CPU, allocating nothing once an operation has run at its largest size."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import DTypeLike
from threadpoolctl import ThreadpoolController

from gpucnn.backends.base import Array, Backend
from gpucnn.backends.window import Window
from gpucnn.backends.workspaces import Workspaces


class CpuBackend(Backend):
    """The operations of `Backend` over NumPy, with scratch memory that is kept.

    A temporary array of a megabyte costs NumPy a page fault for every 4 KiB of it, each time, which
    takes longer than the arithmetic. So what the definitions write as expressions is written here
    as a sequence of calls with `out=`, into workspaces that are kept from call to call.

    A backend serves one thread at a time, because its operations share the workspaces.
    """

    device = "cpu"

    def __init__(self) -> None:
        super().__init__(np)
        self._thread_pools = ThreadpoolController()
        self._workspaces = Workspaces(lambda size: np.empty(size, np.uint8))
        self._counting = np.arange(0, dtype=np.int64)
        self._ones = np.ones(0)

    @property
    def description(self) -> str:
        affinity = hasattr(os, "sched_getaffinity")
        cores = len(os.sched_getaffinity(0)) if affinity else os.cpu_count()
        return f"{platform.machine()}, {cores} cores, NumPy {np.__version__}"

    @contextmanager
    def session(self) -> Iterator[None]:
        """See `Backend.session`; BLAS runs in one thread meanwhile.

        The matrices of small networks are too small to be shared out: threads of BLAS wait for each
        other longer than they compute, many times longer where other programs need the cores too.
        And with one thread, results do not depend on the number of cores.
        """
        with self._thread_pools.limit(limits=1, user_api="blas"), super().session():
            yield

    # Memory

    def copy(self, source: Array, out: Array) -> None:
        np.copyto(out, source, casting="unsafe")

    def workspace(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return self._workspaces.get(name, shape, dtype)

    def counting(self, count: int) -> Array:
        """The numbers 0 to `count` - 1, the beginning of one array that is kept."""
        if self._counting.size < count:
            self._counting = np.arange(count, dtype=np.int64)
        return self._counting[:count]

    # Data

    def gather_images(self, images: Array, indices: Array, out: Array) -> None:
        if images.dtype != np.uint8:
            _take(images, indices, out)
            return
        pixels = self.workspace("pixels", out.shape, np.uint8)
        _take(images, indices, pixels)
        np.divide(pixels, 255, out=out, dtype=out.dtype)
        out -= 0.5

    def gather_labels(self, labels: Array, indices: Array, out: Array) -> None:
        _take(labels, indices, out)

    # Matrices

    def sum_rows(self, a: Array, out: Array) -> None:
        """See `Backend.sum_rows`; as a product with ones, which BLAS does several times faster.

        NumPy adds row to row, and for the 8 columns of a small convolution spends its time on
        starting each row.
        """
        if self._ones.size < len(a) or self._ones.dtype != a.dtype:
            self._ones = np.ones(len(a), a.dtype)
        np.matmul(self._ones[: len(a)], a, out=out)

    # Pooling

    def max_pool(self, x: Array, window: Window, out: Array, argmax: Array) -> None:
        """See `Backend.max_pool`; without masked writes, which NumPy does one element at a time.

        The indices of the taps ascend, so that the index of the latest greater element is the
        largest: a maximum, like the value.
        """
        out.fill(-np.inf)
        argmax.fill(0)
        for tap in window.taps:
            best, best_index = out[tap.outputs], argmax[tap.outputs]
            values = self.workspace("values", best.shape, best.dtype)
            greater = self.workspace("greater", best.shape, np.bool_)
            index = self.workspace("index", best.shape, argmax.dtype)
            np.copyto(values, x[tap.inputs])  # once through the strided pixels, not twice
            np.greater(values, best, out=greater)
            np.multiply(greater, tap.index, out=index)
            np.maximum(best_index, index, out=best_index)
            np.maximum(best, values, out=best)

    def max_pool_gradient(
        self, output_gradient: Array, window: Window, argmax: Array, input_gradient: Array
    ) -> None:
        input_gradient.fill(0)
        for tap in window.taps:
            gradient, pixels = output_gradient[tap.outputs], input_gradient[tap.inputs]
            chosen = self.workspace("chosen", gradient.shape, np.bool_)
            share = self.workspace("share", gradient.shape, gradient.dtype)
            np.equal(argmax[tap.outputs], tap.index, out=chosen)
            np.multiply(gradient, chosen, out=share)
            pixels += share

    # Element by element

    def relu_gradient(self, output_gradient: Array, out: Array, input_gradient: Array) -> None:
        positive = self.workspace("positive", out.shape, np.bool_)
        np.greater(out, 0, out=positive)
        np.multiply(output_gradient, positive, out=input_gradient)

    def dropout(
        self, x: Array, rate: float, seed: int, stream: int, step: Array, mask: Array, out: Array
    ) -> None:
        words = self._random_words(x.size, seed, stream, step)
        keep = self.workspace("keep", words.shape, np.bool_)
        np.greater_equal(words, int(rate * 2**32), out=keep)
        np.multiply(keep.reshape(mask.shape), mask.dtype.type(1 / (1 - rate)), out=mask)
        np.multiply(x, mask, out=out)

    # Loss

    def softmax(self, logits: Array, out: Array) -> None:
        column = self.workspace("softmax column", (len(logits), 1), logits.dtype)
        np.max(logits, axis=1, keepdims=True, out=column)
        np.subtract(logits, column, out=out)
        np.exp(out, out=out)
        np.sum(out, axis=1, keepdims=True, out=column)
        out /= column

    def softmax_cross_entropy(
        self,
        logits: Array,
        labels: Array,
        losses: Array,
        correct: Array,
        gradient: Array | None = None,
    ) -> None:
        count, classes = logits.shape
        one_hot = self.workspace("one hot", logits.shape, np.bool_)
        shifted = self.workspace("shifted", logits.shape, logits.dtype)
        exponentials = self.workspace("exponentials", logits.shape, logits.dtype)
        column = self.workspace("loss column", (count, 1), logits.dtype)
        best = self.workspace("best", (count,), np.intp)

        np.equal(labels[:, None], self.counting(classes), out=one_hot)
        np.argmax(logits, axis=1, out=best)
        np.equal(best, labels, out=correct, casting="unsafe")
        np.max(logits, axis=1, keepdims=True, out=column)
        np.subtract(logits, column, out=shifted)
        np.exp(shifted, out=exponentials)
        np.sum(exponentials, axis=1, keepdims=True, out=column)
        if gradient is not None:
            np.divide(exponentials, column, out=gradient)
            gradient -= one_hot
            gradient /= count
        np.sum(shifted, axis=1, where=one_hot, out=losses)  # the label's logit alone
        np.log(column, out=column)
        np.subtract(column[:, 0], losses, out=losses)

    # Optimizers

    def sgd(
        self,
        parameters: Array,
        gradients: Array,
        velocity: Array,
        learning_rate: Array,
        *,
        momentum: float,
        nesterov: bool,
        weight_decay: float,
    ) -> None:
        descent = self.workspace("descent", gradients.shape, gradients.dtype)
        np.multiply(learning_rate, gradients, out=descent)
        velocity *= momentum
        velocity -= descent
        if weight_decay:
            self._decay(parameters, learning_rate, weight_decay)
        if nesterov:
            parameters -= descent
            np.multiply(velocity, momentum, out=descent)
            parameters += descent
        else:
            parameters += velocity

    def adam(
        self,
        parameters: Array,
        gradients: Array,
        mean: Array,
        square: Array,
        learning_rate: Array,
        step: Array,
        *,
        beta_1: float,
        beta_2: float,
        epsilon: float,
        weight_decay: float,
    ) -> None:
        change = self.workspace("change", gradients.shape, gradients.dtype)
        root = self.workspace("root", gradients.shape, gradients.dtype)
        np.multiply(gradients, 1 - beta_1, out=change)
        mean *= beta_1
        mean += change
        np.square(gradients, out=change)
        change *= 1 - beta_2
        square *= beta_2
        square += change

        t = int(step[0])
        correction = (1 - beta_2**t) ** 0.5 / (1 - beta_1**t)
        if weight_decay:
            self._decay(parameters, learning_rate, weight_decay)
        np.sqrt(square, out=root)
        root += epsilon
        np.multiply(mean, learning_rate * learning_rate.dtype.type(correction), out=change)
        change /= root
        parameters -= change

    def _decay(self, parameters: Array, learning_rate: Array, weight_decay: float) -> None:
        decay = self.workspace("decay", parameters.shape, parameters.dtype)
        np.multiply(parameters, learning_rate * weight_decay, out=decay)
        parameters -= decay


def _take(source: Array, indices: Array, out: Array) -> None:
    # The mode "raise" would make NumPy collect the result in a temporary array first, so that `out`
    # is untouched if an index is wrong. Indices are checked where they are made.
    np.take(source, indices, axis=0, out=out, mode="clip")

"""NumPy on the CPU: images innermost in memory, batches split over threads, nothing allocated."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from gpucnn.backends.base import Array, Backend, FusedMemory
from gpucnn.backends.buffer import Buffer, Order, Shape
from gpucnn.backends.cpu.blas import one_blas_thread
from gpucnn.backends.cpu.conv_relu_pool import (
    PooledConvolution,
    can_pool_side_by_side,
    pooled_convolution_buffers,
)
from gpucnn.backends.cpu.huge_pages import HugePages
from gpucnn.backends.cpu.layout import (
    columns,
    copy_runs,
    filters_first,
    images_first,
    images_last,
    matrix,
)
from gpucnn.backends.cpu.products import product
from gpucnn.backends.window import Window
from gpucnn.backends.workers.pool import usable_cores
from gpucnn.backends.workspaces import Workspaces
from gpucnn.errors import InvalidValueError
from gpucnn.utils import arguments

PIECE = 6 * 2**20
"""Bytes that the images worked on together may take: what a core's share of the caches holds."""

IMAGES_AT_ONCE = (32, 128)
"""The least and the most images worked on together: fewer make runs of memory too short."""

BUFFERED = 2048
"""Numbers that NumPy brings in order at a time, where an operation needs it."""

MOST_THREADS = 64
"""Threads that may be asked for on a machine with fewer cores."""


class CpuBackend(Backend):
    """The operations of `Backend` over NumPy, fast by where things lie in memory.

    **Images innermost.** NumPy is fast on long contiguous runs and slow at starting each. In the
    order of a batch's axes the runs are a pixel's channels: 1 or 8 numbers. Here the axis of the
    images is moved to the end in memory, (h, w, c, n) behind the logical (n, h, w, c), and every
    run, of a patch or a pooled row, has at least n numbers; a flattened image is no copy either.

    **Kept memory.** A temporary array of a megabyte costs NumPy a page fault for every 4 KiB of it,
    each time, which takes longer than the arithmetic. So what the definitions write as expressions
    is written here as a sequence of calls with `out=`, into workspaces that are kept from call to
    call.

    **Threads.** BLAS is held to one thread. A batch is split into shards for threads of our own,
    each a process (see `gpucnn.backends.workers`), which works through its shard in microbatches
    that fit into the caches.

    Args:
        threads: how many, at least 1; as many as this process may use cores if None.

    Raises:
        InvalidValueError: `threads` is not such a number, or many times that of the cores.
    """

    device = "cpu"

    def __init__(self, threads: int | None = None) -> None:
        super().__init__(np)
        count = usable_cores() if threads is None else threads
        self._threads = _check_threads(arguments.positive_integer(count, "threads"))
        self._pages = HugePages()
        self._workspaces = Workspaces(self._pages.allocate)
        self._counting = np.arange(0, dtype=np.int64)
        self._constants: dict[tuple[int, np.dtype[np.generic]], Array] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._threads,)

    def twin(self) -> "Backend":
        return copy(self)

    @property
    def description(self) -> str:
        cores, threads = usable_cores(), self.threads
        split = f"{threads} thread{'s' * (threads > 1)} on " if threads != cores else ""
        return f"{platform.machine()}, {split}{cores} cores, NumPy {np.__version__}"

    @contextmanager
    def session(self) -> Iterator[None]:
        """See `Backend.session`; BLAS runs in one thread meanwhile, and NumPy with small buffers.

        The matrices of small networks are too small to be shared out: threads of BLAS wait for each
        other longer than they compute, many times longer where other programs need the cores too.

        NumPy copies what does not lie contiguous into buffers, whole runs of numbers too unless
        they are longer than half a buffer. Without these copies such operations take half the time.
        """
        with one_blas_thread(), _buffered(BUFFERED), super().session():
            yield

    # How a batch is shared out

    @property
    def threads(self) -> int:
        return self._threads

    def images_at_once(self, size: int) -> int | None:
        least, most = IMAGES_AT_ONCE
        return min(max(PIECE // size, least), most)

    # Memory

    def private(self, shape: Shape, dtype: DTypeLike) -> Array:
        dtype = np.dtype(dtype)
        return self._pages.allocate(prod(shape) * dtype.itemsize).view(dtype).reshape(shape)

    def batch_view(self, memory: Array, count: int, shape: Shape, order: Order = "C") -> Array:
        """See `Backend.batch_view`; the axis of the images is the last in memory."""
        inner = memory[: count * prod(shape)]
        if order == "F":
            return inner.reshape(*reversed(shape), count).T
        return images_first(inner.reshape(*shape, count))

    def arrange(self, x: Array, out: Array) -> Array:
        if len(x) == 1:  # which lies as it should in both orders
            return x
        np.copyto(images_last(out), images_last(x))
        return out

    def copy(self, source: Array, out: Array) -> None:
        np.copyto(out, source, casting="unsafe")

    def workspace(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return self._workspaces.get(name, shape, dtype)

    def counting(self, count: int) -> Array:
        """The numbers 0 to `count` - 1, the beginning of one array that is kept."""
        if self._counting.size < count:
            self._counting = np.arange(count, dtype=np.int64)
        return self._counting[:count]

    def _scratch(self, name: str, shape: Shape, dtype: DTypeLike) -> Array:
        """A workspace for something of each image, (n, ...), in the order of `batch_view`."""
        return images_first(self.workspace(name, (*shape[1:], shape[0]), dtype))

    def _constant(self, value: int, count: int, dtype: DTypeLike) -> Array:
        """`count` times a number, the beginning of one array that is kept; not to be written to.

        An operation with an array is several times as fast as one with a number, where NumPy's loop
        for that is not vectorised: the maximum with 0, or the sum as a product with ones.
        """
        dtype = np.dtype(dtype)
        kept = self._constants.get((value, dtype))
        if kept is None or kept.size < count:
            kept = self._constants[value, dtype] = np.full(count, value, dtype)
        return kept[:count]

    # Data

    def gather_images(self, images: Array, indices: Array, out: Array) -> None:
        pixels = self.workspace("pixels", out.shape, images.dtype)
        _take(images, indices, pixels)
        source, target = images_last(pixels), images_last(out)
        if images.dtype != np.uint8:
            np.copyto(target, source)
            return
        np.divide(source, 255, out=target, dtype=out.dtype)
        target -= out.dtype.type(0.5)

    def gather_labels(self, labels: Array, indices: Array, out: Array) -> None:
        _take(labels, indices, out)

    # Matrices

    def matmul(
        self,
        a: Array,
        b: Array,
        out: Array,
        *,
        transpose_a: bool = False,
        transpose_b: bool = False,
        bias: Array | None = None,
    ) -> None:
        product(a.T if transpose_a else a, b.T if transpose_b else b, out)
        if bias is not None:
            out += bias

    def sum_rows(self, a: Array, out: Array) -> None:
        """See `Backend.sum_rows`; as a product with ones, which BLAS does several times faster.

        NumPy adds row to row, and for a few columns spends its time on starting each row.
        """
        np.matmul(self._constant(1, len(a), a.dtype), a, out=out)

    # Convolution

    def im2col(self, x: Array, window: Window, patches: Array) -> None:
        patches_of = self._columns(patches, window)
        if window.padding == "same":
            patches_of.fill(0)
        for tap in window.taps:
            copy_runs(images_last(x[tap.inputs]), images_last(patches_of[tap.patches]))

    def conv2d(
        self, x: Array, kernel: Array, bias: Array, window: Window, patches: Array, out: Array
    ) -> None:
        """See `Backend.conv2d`; for patches in the order "F", one long product of matrices.

        In memory these are a matrix (elements * c, positions * n): im2col writes runs of n numbers,
        and the product (filters, positions * n) is moved to its place, images innermost, by the
        addition of the bias.
        """
        if not patches.flags.f_contiguous:
            super().conv2d(x, kernel, bias, window, patches, out)
            return
        self.im2col(x, window, patches)
        scores = self.workspace("scores", (len(bias), *patches.T.shape[1:]), out.dtype)
        product(matrix(kernel).T, columns(patches.T), columns(scores))
        scores += bias[:, None, None]
        copy_runs(scores, filters_first(out))

    def conv2d_parameter_gradients(
        self, output_gradient: Array, patches: Array, kernel_gradient: Array, bias_gradient: Array
    ) -> None:
        if not patches.flags.f_contiguous:
            super().conv2d_parameter_gradients(
                output_gradient, patches, kernel_gradient, bias_gradient
            )
            return
        gradient = self._filters_in_rows(output_gradient)
        np.matmul(columns(patches.T), gradient.T, out=matrix(kernel_gradient))
        self._sum_columns(gradient, bias_gradient)

    def conv2d_input_gradient(
        self,
        output_gradient: Array,
        kernel: Array,
        window: Window,
        patches: Array,
        input_gradient: Array,
    ) -> None:
        if not patches.flags.f_contiguous:
            super().conv2d_input_gradient(output_gradient, kernel, window, patches, input_gradient)
            return
        gradient = self._filters_in_rows(output_gradient)
        product(matrix(kernel), gradient, columns(patches.T))
        self.col2im(patches, window, input_gradient)

    def _filters_in_rows(self, images: Array) -> Array:
        """A copy of (n, oh, ow, filters) as a matrix (filters, positions * n)."""
        source = filters_first(images)
        rows = self.workspace("filters in rows", source.shape, images.dtype)
        copy_runs(source, rows)
        return columns(rows)

    def _sum_columns(self, a: Array, out: Array) -> None:
        np.matmul(a, self._constant(1, a.shape[1], a.dtype), out=out)

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
            values = self._scratch("values", best.shape, best.dtype)
            greater = self._scratch("greater", best.shape, np.bool_)
            index = self._scratch("index", best.shape, argmax.dtype)
            # Once through the strided pixels, not twice.
            copy_runs(images_last(x[tap.inputs]), images_last(values))
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
            chosen = self._scratch("chosen", gradient.shape, np.bool_)
            share = self._scratch("share", gradient.shape, gradient.dtype)
            np.equal(argmax[tap.outputs], tap.index, out=chosen)
            np.multiply(gradient, chosen, out=share)
            pixels += share

    # Convolution, ReLU and max-pooling as one

    def can_fuse(self, pool: Window) -> bool:
        return can_pool_side_by_side(pool)

    def fused_buffers(
        self, window: Window, pool: Window, channels: int, filters: int
    ) -> dict[str, Buffer]:
        return pooled_convolution_buffers(window, pool, channels, filters)

    def fused_memory(
        self,
        window: Window,
        pool: Window,
        channels: int,
        filters: int,
        real: "np.dtype[np.floating]",
        arrays: dict[str, Array],
    ) -> FusedMemory:
        return PooledConvolution(window, pool, channels, filters, real, arrays, self.workspace)

    def conv2d_relu_max_pool(
        self,
        x: Array,
        kernel: Array,
        bias: Array,
        memory: FusedMemory,
        out: Array,
        *,
        training: bool,
    ) -> None:
        """See `Backend.conv2d_relu_max_pool`, and `PooledConvolution` for how it is faster."""
        assert isinstance(memory, PooledConvolution)
        memory.forward(x, kernel, bias, out, training=training)

    def conv2d_relu_max_pool_gradients(
        self,
        output_gradient: Array,
        kernel: Array,
        memory: FusedMemory,
        kernel_gradient: Array,
        bias_gradient: Array,
        input_gradient: Array | None = None,
    ) -> None:
        """See `Backend.conv2d_relu_max_pool_gradients`, and `PooledConvolution`."""
        assert isinstance(memory, PooledConvolution)
        memory.gradients(output_gradient, kernel_gradient, bias_gradient, input_gradient)

    # Element by element

    def relu(self, x: Array, out: Array) -> None:
        zeros = self._constant(0, x.size, x.dtype).reshape(*x.shape[1:], len(x))
        np.maximum(images_last(x), zeros, out=images_last(out))

    def relu_gradient(self, output_gradient: Array, out: Array, input_gradient: Array) -> None:
        positive = self._scratch("positive", out.shape, np.bool_)
        np.greater(out, 0, out=positive)
        np.multiply(output_gradient, positive, out=input_gradient)

    def dropout(
        self,
        x: Array,
        rate: float,
        seed: int,
        stream: int,
        step: Array,
        mask: Array,
        out: Array,
        first: int = 0,
    ) -> None:
        words = self._random_words(first, x.size, seed, stream, step)
        keep = self.workspace("keep", words.shape, np.bool_)
        np.greater_equal(words, int(rate * 2**32), out=keep)
        np.multiply(keep.reshape(mask.shape), mask.dtype.type(1 / (1 - rate)), out=mask)
        np.multiply(x, mask, out=out)

    # Loss

    def softmax(self, logits: Array, out: Array) -> None:
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
        rows = self.workspace("rows", logits.shape, logits.dtype)  # which argmax takes, uncopied
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


def _check_threads(threads: int) -> int:
    most = max(MOST_THREADS, usable_cores())
    if threads > most:
        raise InvalidValueError(
            f"threads is {threads}: it must be at most {most} here, each a process with memory of "
            "its own"
        )
    return threads


@contextmanager
def _buffered(count: int) -> Iterator[None]:
    """NumPy's operations have buffers of so many numbers."""
    before = np.setbufsize(count)
    try:
        yield
    finally:
        np.setbufsize(before)


def _take(source: Array, indices: Array, out: Array) -> None:
    # The mode "raise" would make NumPy collect the result in a temporary array first, so that `out`
    # is untouched if an index is wrong. Indices are checked where they are made.
    np.take(source, indices, axis=0, out=out, mode="clip")

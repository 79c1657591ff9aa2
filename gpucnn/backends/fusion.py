"""Convolution, ReLU and max-pooling as one operation on the CPU."""

from collections.abc import Callable
from math import prod

import numpy as np

from gpucnn.backends.base import Array, FusedMemory
from gpucnn.backends.buffer import Buffer
from gpucnn.backends.order import columns, filters_first, images_last, matrix
from gpucnn.backends.patches import Patches
from gpucnn.backends.window import Window


def can_pool_side_by_side(pool: Window) -> bool:
    """Whether the windows of a pooling lie side by side, inside the image."""
    return pool.size == pool.strides and pool.padding == "valid"


def pooled_convolution_buffers(
    window: Window, pool: Window, channels: int, filters: int
) -> dict[str, Buffer]:
    """The memory that a `PooledConvolution` needs for each image."""
    layout = Patches.pooled(window, pool, channels, filters)
    positions = prod(pool.output)
    scores = (layout.offsets, filters) if layout.merged else (filters, layout.offsets)
    buffers = {
        "patches": Buffer(layout.shape(channels)),
        "scores": Buffer((*scores, positions)),
        "best": Buffer((filters, positions)),
        "greater": Buffer((layout.offsets, filters, positions), "bool"),
        "chosen": Buffer((layout.offsets, filters, positions), "bool"),
    }
    if window.padding == "same":
        buffers["padded"] = Buffer((*layout.padded, channels))
    return buffers


class PooledConvolution(FusedMemory):
    """What the operation keeps for batches of one size: its memory, and the views of it.

    The outputs that share a window of the pool are computed side by side, see `Patches`. The
    maximum over a window is then one over a few contiguous blocks. It commutes with the bias, which
    is the same for a whole window, and with ReLU, which is monotone: both are done on what pooling
    leaves, a quarter for 2x2.

    Moved for each image, in numbers, by the notebook's layer. Forward: 784 pixels read and 2,704 of
    patches written, read again by the product; 5,408 scores written and read; 1,352 maxima written
    and read four times, and twice more for the bias and ReLU. Backward: 1,352 gradients read and
    written; 5,408 gradients of scores written twice and read twice; and the patches, by the
    product.

    Making a view takes as long as a small operation. So all are made once, and those of arrays that
    come from outside when another array comes.

    Args:
        window: the geometry of the convolution.
        pool: the geometry of the pooling, see `can_pool_side_by_side`.
        arrays: as `pooled_convolution_buffers` describes them, of n images.
    """

    def __init__(self, window: Window, pool: Window, arrays: dict[str, Array]) -> None:
        super().__init__(window, pool, arrays)
        patches, scores, self._best = (
            images_last(arrays[name]) for name in ("patches", "scores", "best")
        )
        channels, filters = patches.shape[2], len(self._best)
        self._layout = layout = Patches.pooled(window, pool, channels, filters)
        self._patches, self._columns = patches, patches.reshape(prod(layout.taps) * channels, -1)
        self._scores = scores.reshape(-1, self._columns.shape[1])
        self._by_offset = scores if layout.merged else scores.transpose(1, 0, 2, 3)
        self._best_rows = columns(self._best)
        self._greater, self._chosen = (images_last(arrays[name]) for name in ("greater", "chosen"))
        self._zeros = np.zeros_like(self._best)
        self._ones = np.ones(self._best[0].size, self._best.dtype)
        self._padded = images_last(arrays["padded"]) if "padded" in arrays else None
        if layout.merged:
            shape = (*layout.pool, filters, *layout.taps, channels)
            self._kernels, self._kernel_gradients = np.zeros((2, *shape), self._best.dtype)
            self._placed = layout.placements(self._kernels)
            self._gradients_placed = layout.placements(self._kernel_gradients)
        self._seen = _LastView(lambda x: layout.of(images_last(x)))
        self._out, self._output_gradient = _LastView(filters_first), _LastView(filters_first)

    # Forward

    def forward(self, x: Array, kernel: Array, bias: Array, out: Array, *, training: bool) -> None:
        """See `Backend.conv2d_relu_max_pool`."""
        np.copyto(self._patches, self._seen(self._with_padding(x)))
        np.matmul(self._weights(kernel), self._columns, out=self._scores)
        if training:
            self._maxima_and_where()
        else:
            self._maxima()
        np.add(self._best_rows, bias[:, None], out=self._best_rows)
        np.maximum(self._best, self._zeros, out=self._out(out))

    def _with_padding(self, x: Array) -> Array:
        """The images with the padding of the window around them, (n, h, w, c)."""
        if self._padded is None:
            return x
        self._padded.fill(0)
        np.copyto(self._layout.inside(self._padded), images_last(x))
        return self.arrays["padded"]

    def _weights(self, kernel: Array) -> Array:
        """The matrix that the patches are multiplied with, see `Patches`."""
        if not self._layout.merged:
            return matrix(kernel).T
        np.copyto(self._placed, kernel.transpose(3, 0, 1, 2))
        return self._kernels.reshape(len(self._scores), -1)

    def _maxima(self) -> None:
        """The maxima over the offsets, by halves; overwrites the scores."""
        left, scores = len(self._by_offset), self._by_offset
        while left > 2:
            half = left // 2
            np.maximum(scores[:half], scores[left - half : left], out=scores[:half])
            left -= half
        np.maximum(scores[0], scores[left - 1], out=self._best)

    def _maxima_and_where(self) -> None:
        """The maxima over the offsets, one after the other, and where a later one was greater."""
        so_far = self._by_offset[0]
        for offset in range(1, len(self._by_offset)):
            scores = self._by_offset[offset]
            np.greater(scores, so_far, out=self._greater[offset])
            np.maximum(so_far, scores, out=self._best)
            so_far = self._best
        if so_far is not self._best:
            np.copyto(self._best, so_far)

    # Backward

    def gradients(
        self,
        output_gradient: Array,
        kernel: Array,
        kernel_gradient: Array,
        bias_gradient: Array,
        input_gradient: Array | None,
    ) -> None:
        """See `Backend.conv2d_relu_max_pool_gradients`.

        The maxima, the scores and the patches are overwritten with their gradients.
        """
        pooled, scores = self._best, self._by_offset
        np.greater(pooled, self._zeros, out=self._chosen[0])
        np.multiply(self._output_gradient(output_gradient), self._chosen[0], out=pooled)
        np.matmul(self._best_rows, self._ones, out=bias_gradient)
        self._choose()
        np.copyto(scores, self._chosen)  # as numbers, which NumPy multiplies faster than booleans
        np.multiply(scores, pooled, out=scores)
        self._kernel_gradient(kernel_gradient)
        if input_gradient is not None:
            np.matmul(self._weights(kernel).T, self._scores, out=self._columns)
            self._add_up(input_gradient)

    def _choose(self) -> None:
        """Tell which offset each maximum came from.

        From the last to the first: the one that was greater than all before it is the maximum,
        unless a later one was.
        """
        left = self._chosen[0]
        left.fill(True)
        for offset in range(len(self._chosen) - 1, 0, -1):
            np.logical_and(left, self._greater[offset], out=self._chosen[offset])
            np.greater(left, self._chosen[offset], out=left)

    def _kernel_gradient(self, kernel_gradient: Array) -> None:
        if not self._layout.merged:
            np.matmul(self._columns, self._scores.T, out=matrix(kernel_gradient))
            return
        gradients = self._kernel_gradients
        np.matmul(self._scores, self._columns.T, out=gradients.reshape(len(self._scores), -1))
        out = kernel_gradient.transpose(3, 0, 1, 2)
        np.add.reduce(self._gradients_placed, axis=(0, 1), out=out)

    def _add_up(self, input_gradient: Array) -> None:
        """The sums of the patches' gradients over the columns that a pixel lies in."""
        pixels = images_last(input_gradient)
        target = pixels if self._padded is None else self._padded
        target.fill(0)
        seen = self._layout.of(target)
        for tap in np.ndindex(self._layout.taps):
            seen[tap] += self._patches[tap]
        if target is not pixels:
            np.copyto(pixels, self._layout.inside(target))


class _LastView:
    """A view of the array that it was last asked for, made anew for another."""

    def __init__(self, make: Callable[[Array], Array]) -> None:
        self._make = make
        self._array: Array | None = None
        self._view: Array

    def __call__(self, array: Array) -> Array:
        if array is not self._array:
            self._array, self._view = array, self._make(array)
        return self._view

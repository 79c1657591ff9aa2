"""Convolution, ReLU and max-pooling as one operation on the CPU."""

from collections.abc import Callable
from math import prod

import numpy as np
from numpy.typing import DTypeLike

from gpucnn.backends.base import Array, FusedMemory
from gpucnn.backends.buffer import Buffer, Shape
from gpucnn.backends.order import columns, filters_first, images_last, matrix, runs
from gpucnn.backends.patches import Patches
from gpucnn.backends.window import Window

KEPT = 2**18
"""Bytes of an image's patches and scores that are kept for the gradients."""

BAND = 2 * 2**20
"""Bytes of patches and scores that are worked on together where they are too many to be kept."""

Workspace = Callable[[str, Shape, DTypeLike], Array]


def can_pool_side_by_side(pool: Window) -> bool:
    """Whether the windows of a pooling lie side by side, inside the image."""
    return pool.size == pool.strides and pool.padding == "valid"


def pooled_convolution_buffers(
    window: Window, pool: Window, channels: int, filters: int
) -> dict[str, Buffer]:
    """The memory that a `PooledConvolution` needs for each image."""
    layout = Patches.pooled(window, pool, channels, filters)
    maxima = filters * prod(pool.output)
    buffers = {"best": Buffer((maxima,)), "greater": Buffer((layout.offsets * maxima,), "bool")}
    patches, scores = Buffer((prod(layout.shape(channels)),)), Buffer((layout.offsets * maxima,))
    if patches.size(np.dtype("float32")) + scores.size(np.dtype("float32")) <= KEPT:
        buffers |= {"patches": patches, "scores": scores}
    if window.padding == "same":
        buffers["padded"] = Buffer((*layout.padded, channels))
    return buffers


class PooledConvolution(FusedMemory):
    """What the operation keeps for batches of one size: its memory, and the views of it.

    The outputs that share a window of the pool are computed side by side, see `Patches`. The
    maximum over a window is then one over a few contiguous blocks. It commutes with the bias, which
    is the same for a whole window, and with ReLU, which is monotone: both are done on what pooling
    leaves, a quarter for 2x2.

    Large images are worked through in bands of pooled rows, whose patches and scores fit into the
    caches. Then these are not kept: to extract the patches again for the gradients costs less than
    to bring them from memory.

    Moved for each image, in numbers, by the notebook's layer. Forward: 784 pixels read and 2,704 of
    patches written, read again by the product; 5,408 scores written and read; 1,352 maxima written
    and read four times, and once more for the bias and for ReLU. Backward: the patches again; 1,352
    gradients read and written; 5,408 gradients of scores written twice and read twice.

    Making a view takes as long as a small operation. So all are made once, and those of arrays that
    come from outside when another array comes.

    Args:
        window: the geometry of the convolution.
        pool: the geometry of the pooling, see `can_pool_side_by_side`.
        channels: of the images.
        arrays: as `pooled_convolution_buffers` describes them, of n images.
        workspace: gives memory for the length of an operation, by name, shape and dtype.
    """

    def __init__(
        self,
        window: Window,
        pool: Window,
        channels: int,
        arrays: dict[str, Array],
        workspace: Workspace,
    ) -> None:
        super().__init__(window, pool, arrays)
        self._workspace = workspace
        best, greater = images_last(arrays["best"]), images_last(arrays["greater"])
        filters = len(best) // prod(pool.output)
        self._layout = Patches.pooled(window, pool, channels, filters)
        keeps = "patches" in arrays
        rows = self._layout.positions[0]
        bands = [slice(0, rows)] if keeps else _bands(self._layout, channels, filters, best)
        memory = self._kept_memory if keeps else workspace
        self._bands = [
            _Band(self._layout, band, channels, filters, best, greater, memory, keeps=keeps)
            for band in bands
        ]
        shape = (*self._layout.pool, filters, *self._layout.taps, channels)
        if self._layout.merged:
            self._kernels, self._kernel_gradients = np.zeros((2, *shape), best.dtype)
            self._placed = self._layout.placements(self._kernels)
            self._gradients_placed = self._layout.placements(self._kernel_gradients)

    def forward(self, x: Array, kernel: Array, bias: Array, out: Array, *, training: bool) -> None:
        """See `Backend.conv2d_relu_max_pool`."""
        self._images = self._with_padding(x)  # which the gradients need again
        weights, column = self._weights(kernel), bias[:, None]
        for band in self._bands:
            band.convolve(self._images, weights)
            if training:
                band.find_maxima_and_where()
            else:
                band.find_maxima()
            band.add_and_rectify(column, out)

    def gradients(
        self,
        output_gradient: Array,
        kernel: Array,
        kernel_gradient: Array,
        bias_gradient: Array,
        input_gradient: Array | None,
    ) -> None:
        """See `Backend.conv2d_relu_max_pool_gradients`; overwrites the maxima."""
        of_weights = self._gradient_of_weights(kernel_gradient)
        weights, pixels = self._weights(kernel), self._gradient_of_images(input_gradient)
        of_weights.fill(0)
        bias_gradient.fill(0)
        for band in self._bands:
            band.choose(output_gradient)
            bias_gradient += band.bias_gradient()
            of_weights += band.weight_gradient(self._images)
            if pixels is not None:
                band.add_image_gradient(weights, pixels)
        if self._layout.merged:
            out = kernel_gradient.transpose(3, 0, 1, 2)
            np.add.reduce(self._gradients_placed, axis=(0, 1), out=out)
        if input_gradient is not None and pixels is not None and "padded" in self.arrays:
            np.copyto(images_last(input_gradient), self._layout.inside(pixels))

    def _kept_memory(self, name: str, shape: Shape, dtype: DTypeLike) -> Array:
        """Of the arrays what there is, else of the workspace."""
        if name in self.arrays:
            return images_last(self.arrays[name]).reshape(shape)
        return self._workspace(name, shape, dtype)

    def _with_padding(self, x: Array) -> Array:
        """The images with the padding of the window around them, (n, h, w, c)."""
        if "padded" not in self.arrays:
            return x
        padded = images_last(self.arrays["padded"])
        padded.fill(0)
        np.copyto(self._layout.inside(padded), images_last(x))
        return self.arrays["padded"]

    def _weights(self, kernel: Array) -> Array:
        """The matrix that the patches are multiplied with, see `Patches`."""
        if not self._layout.merged:
            return matrix(kernel).T
        np.copyto(self._placed, kernel.transpose(3, 0, 1, 2))
        return self._kernels.reshape(self._layout.offsets * kernel.shape[3], -1)

    def _gradient_of_weights(self, kernel_gradient: Array) -> Array:
        """Where the gradient of `_weights` is added up."""
        if not self._layout.merged:
            return matrix(kernel_gradient).T
        filters = kernel_gradient.shape[3]
        return self._kernel_gradients.reshape(self._layout.offsets * filters, -1)

    def _gradient_of_images(self, input_gradient: Array | None) -> Array | None:
        """Where the gradient of the images is added up, (h, w, c, n), with their padding."""
        if input_gradient is None:
            return None
        pixels = images_last(input_gradient)
        if "padded" in self.arrays:
            shape = images_last(self.arrays["padded"]).shape
            pixels = self._workspace("padded gradient", shape, pixels.dtype)
        pixels.fill(0)
        return pixels


class _Band:
    """Some rows of the pooled images, and the views that the work on them needs.

    Args:
        layout: of all rows.
        rows: of the pooled images.
        channels: of the images.
        filters: of the convolution.
        best: real (filters * positions, n), the maxima of all bands.
        greater: bool (offsets * filters * positions, n), of all bands.
        workspace: gives memory, by name, shape and dtype.
        keeps: whether this memory is the band's own.
    """

    def __init__(
        self,
        layout: Patches,
        rows: slice,
        channels: int,
        filters: int,
        best: Array,
        greater: Array,
        workspace: Workspace,
        *,
        keeps: bool,
    ) -> None:
        self._keeps = keeps
        images, offsets, width = best.shape[1], layout.offsets, layout.positions[1]
        self._layout = layout = layout.of_rows(rows.stop - rows.start)
        self._first = rows.start * layout.pool[0] * layout.window.strides[0]
        positions = slice(rows.start * width, rows.stop * width)
        count = positions.stop - positions.start
        numbers = slice(filters * positions.start, filters * positions.stop)
        booleans = slice(offsets * numbers.start, offsets * numbers.stop)

        self._best = best[numbers].reshape(filters, count, images)
        self._greater = greater[booleans].reshape(offsets, filters, count, images)
        self._chosen = workspace("chosen", self._greater.shape, np.bool_)
        shape = (*layout.shape(channels), images)
        self._patches = workspace("patches", shape, best.dtype)
        self._columns = self._patches.reshape(prod(layout.taps) * channels, -1)
        blocks = (offsets, filters) if layout.merged else (filters, offsets)
        scores = workspace("scores", (*blocks, count, images), best.dtype)
        self._scores = scores.reshape(-1, self._columns.shape[1])
        self._by_offset = scores if layout.merged else scores.transpose(1, 0, 2, 3)
        self._weights = workspace("weights", (len(self._scores), len(self._columns)), best.dtype)
        self._sums = workspace("sums", (len(self._scores),), best.dtype)
        self._sum = workspace("sum", (filters,), best.dtype)
        self._best_rows = columns(self._best)
        self._zeros = np.zeros_like(self._best)
        self._ones = np.ones(self._scores.shape[1], best.dtype)
        self._seen = _LastView(lambda x: runs(self._see(images_last(x)), self._patches))
        self._out = _LastView(lambda out: runs(filters_first(out)[:, positions], self._best))
        self._output_gradient = _LastView(
            lambda gradient: runs(filters_first(gradient)[:, positions], self._best)
        )

    # Forward

    def convolve(self, images: Array, weights: Array) -> None:
        """Compute the scores of images, (n, h, w, c) with their padding."""
        self._extract(images)
        np.matmul(weights, self._columns, out=self._scores)

    def find_maxima(self) -> None:
        """The maxima over the offsets, by halves; overwrites the scores."""
        left, scores = len(self._by_offset), self._by_offset
        while left > 2:
            half = left // 2
            np.maximum(scores[:half], scores[left - half : left], out=scores[:half])
            left -= half
        np.maximum(scores[0], scores[left - 1], out=self._best)

    def find_maxima_and_where(self) -> None:
        """The maxima over the offsets, one after the other, and where a later one was greater."""
        so_far = self._by_offset[0]
        for offset in range(1, len(self._by_offset)):
            scores = self._by_offset[offset]
            np.greater(scores, so_far, out=self._greater[offset])
            np.maximum(so_far, scores, out=self._best)
            so_far = self._best
        if so_far is not self._best:
            np.copyto(self._best, so_far)

    def add_and_rectify(self, bias: Array, out: Array) -> None:
        """Add the bias, (filters, 1), to the maxima, and write what is above 0 to `out`."""
        np.add(self._best_rows, bias, out=self._best_rows)
        np.maximum(self._best, self._zeros, out=self._best)
        output, best = self._out(out)
        np.copyto(output, best)

    # Backward

    def choose(self, output_gradient: Array) -> None:
        """The gradients of the scores: the output's at the maximum, if that was above 0, else 0.

        From the last offset to the first: the one that was greater than all before it is the
        maximum, unless a later one was.
        """
        pooled, scores, left = self._best, self._by_offset, self._chosen[0]
        np.greater(pooled, self._zeros, out=left)
        gradient, place = self._output_gradient(output_gradient)
        np.copyto(place, gradient)
        for offset in range(len(self._chosen) - 1, 0, -1):
            np.bitwise_and(left, self._greater[offset], out=self._chosen[offset])
            np.bitwise_xor(left, self._chosen[offset], out=left)
        np.copyto(scores, self._chosen)  # as numbers, which NumPy multiplies faster than booleans
        np.multiply(scores, pooled, out=scores)

    def bias_gradient(self) -> Array:
        """The gradient of the bias, (filters,), in memory that the next band overwrites."""
        np.matmul(self._scores, self._ones, out=self._sums)
        return np.add.reduce(self._sums.reshape(-1, len(self._sum)), axis=0, out=self._sum)

    def weight_gradient(self, images: Array) -> Array:
        """The gradient of the weights, in memory that the next band overwrites."""
        if not self._keeps:
            self._extract(images)
        return np.matmul(self._scores, self._columns.T, out=self._weights)

    def add_image_gradient(self, weights: Array, pixels: Array) -> None:
        """Add to `pixels`, (h, w, c, n), the gradients of the columns that each lies in."""
        np.matmul(weights.T, self._scores, out=self._columns)
        seen = self._see(pixels)
        for tap in np.ndindex(self._layout.taps):
            seen[tap] += self._patches[tap]

    def _extract(self, images: Array) -> None:
        """The patches of images, (n, h, w, c) with their padding, to where they are kept."""
        seen, patches = self._seen(images)
        np.copyto(patches, seen)

    def _see(self, images: Array) -> Array:
        """The patches of the band's rows as a view of images, (h, w, c, n)."""
        return self._layout.of(images[self._first :])


def _bands(layout: Patches, channels: int, filters: int, best: Array) -> list[slice]:
    """The pooled rows of each band, as many to each but the last.

    Args:
        layout: of all rows.
        channels: of the images.
        filters: of the convolution.
        best: real (filters * positions, n).
    """
    rows, width = layout.positions
    patches = prod(layout.taps) * channels * (1 if layout.merged else layout.offsets)
    position = (patches + layout.offsets * filters) * best[0].nbytes
    count = -(-rows // max(BAND // (position * width), 1))
    each = -(-rows // count)
    return [slice(first, min(first + each, rows)) for first in range(0, rows, each)]


class _LastView:
    """Views that belong to the array it was last asked for, made anew for another."""

    def __init__(self, make: Callable[[Array], tuple[Array, ...]]) -> None:
        self._make = make
        self._array: Array | None = None
        self._views: tuple[Array, ...]

    def __call__(self, array: Array) -> tuple[Array, ...]:
        if array is not self._array:
            self._array, self._views = array, self._make(array)
        return self._views

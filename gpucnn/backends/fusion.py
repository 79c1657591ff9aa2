"""Convolution, ReLU and max-pooling as one operation on the CPU."""

from collections.abc import Callable, Iterator
from math import prod

import numpy as np
from numpy.typing import DTypeLike

from gpucnn.backends.base import Array, FusedMemory
from gpucnn.backends.buffer import Buffer, Shape
from gpucnn.backends.order import filters_first, images_last, runs
from gpucnn.backends.patches import Patches
from gpucnn.backends.products import count_blocks, in_blocks
from gpucnn.backends.window import Window

BAND = 2**20
"""Bytes of patches and scores that are worked on together, unless one row of the pooled images
takes more: they stay in a core's own cache."""

Workspace = Callable[[str, Shape, DTypeLike], Array]


def can_pool_side_by_side(pool: Window) -> bool:
    """Whether the windows of a pooling lie side by side, inside the image."""
    return pool.size == pool.strides and pool.padding == "valid"


def pooled_convolution_buffers(
    window: Window, pool: Window, channels: int, filters: int
) -> dict[str, Buffer]:
    """The memory that a `PooledConvolution` needs for each image."""
    layout = Patches.pooled(window, pool, channels, filters)
    scores = prod(pool.size) * filters * prod(pool.output)
    buffers = {"greater": Buffer((scores,), "bool")}
    if window.padding == "same":
        buffers["padded"] = Buffer((*layout.padded, channels))
    return buffers


class PooledConvolution(FusedMemory):
    """What the operation keeps for batches of one size: its memory, and the views of it.

    The outputs that share a window of the pool are computed side by side, see `Patches`. The
    maximum over a window is then one over a few contiguous blocks. It commutes with ReLU, which is
    monotone: that is done on what pooling leaves, a quarter for 2x2. The bias is one more weight,
    of a pixel that is 1: adding it, and summing its gradient, are part of the products.

    The images are worked through in bands of pooled rows, whose patches and scores stay in the
    caches and are not kept: to extract the patches again for the gradients costs less than to bring
    them from memory. What is kept is where the maxima are.

    Moved for each image, in elements, by the notebook's layer. Forward: 784 pixels read; 2,873 of
    patches written, and read by the product, which writes 5,408 scores; for each of three
    comparisons 1,352 pairs read twice, 1,352 booleans and as many maxima written; for ReLU the
    maxima read twice, as many booleans and maxima written; and the maxima copied to the output.
    Backward: the patches again; 1,352 gradients copied; for each comparison 5,408 booleans read and
    2,704 written; 5,408 booleans read as numbers, which are written, multiplied and read by the
    product.

    Making a view takes as long as a small operation. So all are made once, and those of arrays that
    come from outside when another array comes.

    Args:
        window: the geometry of the convolution.
        pool: the geometry of the pooling, see `can_pool_side_by_side`.
        channels: of the images.
        filters: of the convolution.
        real: the dtype of the images.
        arrays: as `pooled_convolution_buffers` describes them, of n images.
        workspace: gives memory for the length of an operation, by name, shape and dtype.
    """

    def __init__(
        self,
        window: Window,
        pool: Window,
        channels: int,
        filters: int,
        real: "np.dtype[np.floating]",
        arrays: dict[str, Array],
        workspace: Workspace,
    ) -> None:
        super().__init__(window, pool, arrays)
        self._workspace = workspace
        greater = images_last(arrays["greater"])
        self._layout = Patches.pooled(window, pool, channels, filters)
        pixels = self._layout.rows(channels)
        shape = (prod(self._layout.together) * filters, pixels + 1)
        # Both with the filters innermost, as kernels have them.
        self._weights = np.zeros(shape[::-1], real).T
        self._weight_gradient = np.zeros(shape[::-1], real)
        self._placed, self._biases = self._parameters(self._weights, filters, channels)
        self._placed_gradient, self._bias_gradients = self._parameters(
            self._weight_gradient.T, filters, channels
        )
        height = _band_height(self._layout, channels, filters, greater.shape[1] * real.itemsize)
        self._bands = [
            _Band(self._layout, rows, channels, filters, greater, workspace, real)
            for rows in _bands(pool.output[0], height)
        ]

    def forward(self, x: Array, kernel: Array, bias: Array, out: Array, *, training: bool) -> None:
        """See `Backend.conv2d_relu_max_pool`."""
        self._images = self._with_padding(x)  # which the gradients need again
        np.copyto(self._placed, kernel.transpose(3, 0, 1, 2))
        np.copyto(self._biases, bias)
        for band in self._bands:
            band.convolve(self._images, self._weights)
            if training:
                band.find_maxima_and_where()
            else:
                band.find_maxima()
            band.write(out)

    def gradients(
        self,
        output_gradient: Array,
        kernel_gradient: Array,
        bias_gradient: Array,
        input_gradient: Array | None,
    ) -> None:
        """See `Backend.conv2d_relu_max_pool_gradients`, for the weights of `forward`."""
        pixels = self._gradient_of_images(input_gradient)
        self._weight_gradient.fill(0)
        for band in self._bands:
            band.choose(output_gradient)
            band.add_weight_gradient(self._images, self._weight_gradient)
            if pixels is not None:
                band.add_image_gradient(self._weights, pixels)
        out = kernel_gradient.transpose(3, 0, 1, 2)
        np.add.reduce(self._placed_gradient, axis=(0, 1), out=out)
        np.add.reduce(self._bias_gradients, axis=0, out=bias_gradient)
        if input_gradient is not None and pixels is not None and "padded" in self.arrays:
            np.copyto(images_last(input_gradient), self._layout.inside(pixels))

    def _parameters(self, weights: Array, filters: int, channels: int) -> tuple[Array, Array]:
        """Where a kernel and a bias stand in weights, (offsets * filters, pixels + 1), views."""
        kernels = weights[:, :-1].reshape(
            *self._layout.together, filters, *self._layout.taps, channels
        )
        return self._layout.placements(kernels), weights[:, -1].reshape(-1, filters)

    def _with_padding(self, x: Array) -> Array:
        """The images with the padding of the window around them, (n, h, w, c)."""
        if "padded" not in self.arrays:
            return x
        padded = images_last(self.arrays["padded"])
        padded.fill(0)
        np.copyto(self._layout.inside(padded), images_last(x))
        return self.arrays["padded"]

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
        greater: bool (offsets * filters * positions, n), of all bands.
        workspace: gives memory, by name, shape and dtype.
        real: the dtype of the images.
    """

    def __init__(
        self,
        layout: Patches,
        rows: slice,
        channels: int,
        filters: int,
        greater: Array,
        workspace: Workspace,
        real: "np.dtype[np.floating]",
    ) -> None:
        height, width = layout.positions
        images, each = greater.shape[1], len(greater) // height
        self._layout = layout = layout.of_rows(rows.stop - rows.start)
        self._first = rows.start * layout.pool[0] * layout.window.strides[0]
        positions = slice(rows.start * width, rows.stop * width)
        count = positions.stop - positions.start
        self._place_products(channels, filters, count * images, workspace, real)

        shape = (*layout.offsets, filters, count, images)
        self._scores = self._products.reshape(shape)
        self._best = self._scores[0, 0]
        self._greater = greater[rows.start * each : rows.stop * each].reshape(shape)
        self._positive = self._greater[0, 0]
        self._zeros = np.zeros(self._best.shape[1:], real)
        self._pooled_gradient = workspace("pooled gradient", self._best.shape, real)
        self._comparisons = list(_pairs(self._scores, self._greater))
        self._choices = list(_pairs(self._greater, self._greater))[::-1]

        self._seen = _LastView(lambda x: runs(self._see(images_last(x)), self._patches))
        self._out = _LastView(lambda out: runs(filters_first(out)[:, positions], self._best))
        self._output_gradient = _LastView(
            lambda gradient: runs(filters_first(gradient)[:, positions], self._pooled_gradient)
        )

    def _place_products(
        self,
        channels: int,
        filters: int,
        columns: int,
        workspace: Workspace,
        real: "np.dtype[np.floating]",
    ) -> None:
        """Make the operands and results of the products, whole and in blocks of columns."""
        layout = self._layout
        parts, pixels = prod(layout.parts), layout.rows(channels)
        filters *= prod(layout.together)
        operand = workspace("patches", (parts, pixels + 1, columns), real)
        self._products = workspace("scores", (parts, filters, columns), real)
        self._ones = operand[:, -1]
        self._patches = operand[:, :-1].reshape(*layout.shape(channels), -1)

        blocks = count_blocks(columns, filters * (pixels + 1))
        self._operands = in_blocks(operand, blocks)
        self._results = in_blocks(self._products, blocks)
        self._transposed = self._results.swapaxes(-1, -2)
        self._patch_gradients = self._operands[..., :-1, :]
        shape = (parts, blocks, pixels + 1, filters)
        self._weight_gradients = workspace("weight gradients", shape, real)
        self._weight_gradient = workspace("weight gradient", shape[2:], real)

    # Forward

    def convolve(self, images: Array, weights: Array) -> None:
        """Compute the scores of images, (n, h, w, c) with their padding."""
        self._extract(images)
        np.matmul(weights, self._operands, out=self._results)

    def find_maxima(self) -> None:
        """The maxima over the offsets, to the first; overwrites the scores."""
        for best, other, _ in self._comparisons:
            np.maximum(best, other, out=best)

    def find_maxima_and_where(self) -> None:
        """The maxima over the offsets, and for each of the others whether it was greater."""
        for best, other, greater in self._comparisons:
            np.greater(other, best, out=greater)
            np.maximum(best, other, out=best)
        np.greater(self._best, self._zeros, out=self._positive)

    def write(self, out: Array) -> None:
        """Write what of the maxima is above 0 to `out`, (n, ph, pw, filters)."""
        np.maximum(self._best, self._zeros, out=self._best)
        output, best = self._out(out)
        np.copyto(output, best)

    # Backward

    def choose(self, output_gradient: Array) -> None:
        """The gradients of the scores: the output's at the maximum, if that was above 0, else 0.

        From the last comparison to the first: whatever took part in it is the maximum where the
        maximum is still to be found there. Overwrites what `find_maxima_and_where` found.
        """
        for best, other, _ in self._choices:
            np.bitwise_and(best, other, out=other)
            np.bitwise_xor(best, other, out=best)
        gradient, place = self._output_gradient(output_gradient)
        np.copyto(place, gradient)
        # As numbers, which NumPy multiplies faster than booleans.
        np.copyto(self._scores, self._greater)
        np.multiply(self._scores, self._pooled_gradient, out=self._scores)

    def add_weight_gradient(self, images: Array, total: Array) -> None:
        """Add the gradient of the weights to `total`, transposed, of which BLAS is faster."""
        self._extract(images)
        np.matmul(self._operands, self._transposed, out=self._weight_gradients)
        np.add.reduce(self._weight_gradients, axis=(0, 1), out=self._weight_gradient)
        total += self._weight_gradient

    def add_image_gradient(self, weights: Array, pixels: Array) -> None:
        """Add to `pixels`, (h, w, c, n), the gradients of the columns that each lies in."""
        np.matmul(weights.T[:-1], self._results, out=self._patch_gradients)
        seen = self._see(pixels)
        for tap in np.ndindex(self._layout.taps):
            of_all_parts = (slice(None), slice(None), *tap)
            seen[of_all_parts] += self._patches[of_all_parts]

    def _extract(self, images: Array) -> None:
        """The patches of images, (n, h, w, c) with their padding, and the pixel that is 1."""
        seen, patches = self._seen(images)
        np.copyto(patches, seen)
        self._ones.fill(1)

    def _see(self, images: Array) -> Array:
        """The patches of the band's rows as a view of images, (h, w, c, n)."""
        return self._layout.of(images[self._first :])


def _pairs(arrays: Array, others: Array) -> Iterator[tuple[Array, Array, Array]]:
    """The comparisons that lead to the maximum over offsets, to the first of equals in a window.

    First the columns of each row of a window, then its rows.

    Args:
        arrays: (columns, rows, ...).
        others: (columns, rows, ...), with a place for each comparison; the first has none.

    Yields:
        the best so far, in the first; what it is compared with; and the place.
    """
    for array, other in zip(arrays[1:], others[1:], strict=True):
        yield arrays[0], array, other
    for array, other in zip(arrays[0, 1:], others[0, 1:], strict=True):
        yield arrays[0, 0], array, other


def _band_height(layout: Patches, channels: int, filters: int, number: int) -> int:
    """The pooled rows of a band; the last may have fewer.

    Args:
        layout: of all rows.
        channels: of the images.
        filters: of the convolution.
        number: bytes of one number of all images.
    """
    rows, width = layout.positions
    patches = prod(layout.parts) * (layout.rows(channels) + 1)
    scores = prod(layout.offsets) * filters
    bands = -(-rows // max(BAND // ((patches + scores) * width * number), 1))
    return -(-rows // bands)


def _bands(rows: int, height: int) -> Iterator[slice]:
    """All rows in bands of a height; the last may have fewer."""
    for first in range(0, rows, height):
        yield slice(first, min(first + height, rows))


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

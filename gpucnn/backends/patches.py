"""Convolution as a product of matrices: which pixels each column of the patches holds."""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import prod

import numpy as np

from gpucnn.backends.base import Array
from gpucnn.backends.buffer import Shape
from gpucnn.backends.window import Pair, Window


@dataclass(frozen=True)
class Patches:
    """The layout of the patches of a convolution, whose images lie innermost in memory.

    A convolution that is pooled, by windows of `pool` that do not overlap, computes all outputs
    that take the same place in their windows, an *offset*, next to each other: the maximum over the
    windows is then one over a few long contiguous blocks.

    The patches are a matrix (rows, columns). Unmerged, it has a row for each element of the kernel
    and a column for each offset, position of the pool and image, in this order; the product with
    the kernel, (filters, rows), gives (filters, offsets, positions, images).

    Merged, the columns are the positions and images alone, and a column has all pixels that its
    pool's outputs see: 16 instead of 4 times 9 for a kernel of 3x3 pooled by 2x2. The kernel is
    placed once for each offset, among zeros, and the product with that matrix, (offsets * filters,
    rows), gives (offsets, filters, positions, images). Less than half of the bytes are moved, for
    1.8 times the operations: that pays where both are so few that BLAS is far from its limit. (Zero
    times a pixel that is NaN or infinite is NaN, so such a pixel makes NaN of a whole window of the
    pool, and not of the outputs alone that see it.)

    Args:
        window: the convolution's.
        pool: the size of the pooling's windows.
        positions: the number of these windows, (rows, columns).
        merged: see above.
    """

    window: Window
    pool: Pair
    positions: Pair
    merged: bool

    @classmethod
    @lru_cache(maxsize=256)
    def pooled(cls, window: Window, pool: Window, channels: int, filters: int) -> "Patches":
        """Those of a convolution that is pooled."""
        merged = window.elements * channels <= 32 and prod(pool.size) * filters <= 64
        return cls(window, pool.size, pool.output, merged)

    def of_rows(self, rows: int) -> "Patches":
        """Those of so many rows of the pool."""
        return replace(self, positions=(rows, self.positions[1]))

    @cached_property
    def offsets(self) -> int:
        """How many outputs a window of the pool has."""
        return prod(self.pool)

    @cached_property
    def taps(self) -> Pair:
        """The (rows, columns) of pixels of which a column holds some or all channels."""
        if not self.merged:
            return self.window.size
        pairs = zip(self.pool, self.window.strides, self.window.size, strict=True)
        rows, columns = ((outputs - 1) * stride + size for outputs, stride, size in pairs)
        return rows, columns

    def shape(self, channels: int) -> Shape:
        """The patches of one image: (taps, taps, channels, offsets, offsets, rows, columns)."""
        offsets = (1, 1) if self.merged else self.pool
        return (*self.taps, channels, *offsets, *self.positions)

    def of(self, images: Array) -> Array:
        """The patches of `images`, (h, w, channels, n), as a view of them.

        Pixels lie in many columns, which are one element of memory: (*shape, n), to be read; for
        one tap, to be written too.
        """
        height, width, channel, image = images.strides
        down, across = height * self.window.strides[0], width * self.window.strides[1]
        pools = (down * self.pool[0], across * self.pool[1])
        strides = (height, width, channel, down, across, *pools, image)
        shape = (*self.shape(images.shape[2]), images.shape[3])
        return _strided(images, shape, strides)

    def placements(self, kernels: Array) -> Array:
        """Where a kernel stands, for each offset, in the matrix of a merged convolution.

        Args:
            kernels: (*pool, filters, *taps, channels), of which the result is a view,
                (*pool, filters, kh, kw, channels).
        """
        row, column, filters, down, across, channel = kernels.strides
        row += down * self.window.strides[0]
        column += across * self.window.strides[1]
        shape = (*self.pool, kernels.shape[2], *self.window.size, kernels.shape[5])
        strides = (row, column, filters, down, across, channel)
        return _strided(kernels, shape, strides)

    def inside(self, padded: Array) -> Array:
        """The images within padded ones, (h, w, c, n), a view."""
        (top, left), (height, width) = self.window.padding_before, self.window.image
        return padded[top : top + height, left : left + width]

    @property
    def padded(self) -> Pair:
        """The (height, width) of the images with their padding."""
        pairs = zip(self.window.output, self.window.strides, self.window.size, strict=True)
        reach = [(outputs - 1) * stride + size for outputs, stride, size in pairs]
        return max(reach[0], self.window.image[0]), max(reach[1], self.window.image[1])


def _strided(array: Array, shape: Shape, strides: Shape) -> Array:
    """A view of an array that begins where it does."""
    if array.flags.c_contiguous:  # several times as fast, which small batches feel
        return np.ndarray(shape, array.dtype, array, 0, strides)
    return np.lib.stride_tricks.as_strided(array, shape, strides)

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
    windows is then one over a few long contiguous blocks. Offsets are (columns, rows), so that
    those of one column of the windows lie next to each other.

    The patches are a matrix for each *part* of the offsets. It has a row for each pixel that a
    column holds, and a column for each position of the pool and image. The product with the
    weights, (offsets of a part * filters, rows), gives (offsets, filters, positions, images). (The
    row of ones that the bias is multiplied with is no part of this layout.)

    Unmerged, each offset is a part, and a column holds the pixels that one output sees.

    Merged, there is one part, and a column holds all pixels that its pool's outputs see: 16 instead
    of 4 times 9 for a kernel of 3x3 pooled by 2x2. The kernel is placed once for each offset, among
    zeros. Less than half of the bytes are moved, for 1.8 times the operations: that pays where both
    are so few that BLAS is far from its limit. (Zero times a pixel that is NaN or infinite is NaN,
    so such a pixel makes NaN of a whole window of the pool, and not of the outputs alone that see
    it.)

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

    @property
    def offsets(self) -> Pair:
        """The outputs that a window of the pool has, (columns, rows)."""
        return self.pool[1], self.pool[0]

    @property
    def parts(self) -> Pair:
        """The offsets whose outputs are computed apart, (columns, rows)."""
        return (1, 1) if self.merged else self.offsets

    @property
    def together(self) -> Pair:
        """The offsets whose outputs one product computes, (columns, rows)."""
        return self.offsets if self.merged else (1, 1)

    @cached_property
    def taps(self) -> Pair:
        """The (rows, columns) of pixels of which a column holds all channels."""
        pairs = zip(self.together[::-1], self.window.strides, self.window.size, strict=True)
        rows, columns = ((outputs - 1) * stride + size for outputs, stride, size in pairs)
        return rows, columns

    def rows(self, channels: int) -> int:
        """How many pixels a column holds."""
        return prod(self.taps) * channels

    def shape(self, channels: int) -> Shape:
        """The patches of one image: (*parts, taps, taps, channels, rows, columns)."""
        return (*self.parts, *self.taps, channels, *self.positions)

    def of(self, images: Array) -> Array:
        """The patches of `images`, (h, w, channels, n), as a view of them.

        Pixels lie in many columns, which are one element of memory: (*shape, n), to be read; for
        one tap, to be written too.
        """
        height, width, channel, image = images.strides
        down, across = height * self.window.strides[0], width * self.window.strides[1]
        pools = (down * self.pool[0], across * self.pool[1])
        strides = (across, down, height, width, channel, *pools, image)
        shape = (*self.shape(images.shape[2]), images.shape[3])
        return _strided(images, shape, strides)

    def placements(self, kernels: Array) -> Array:
        """Where a kernel stands, for each offset of a part, in the weights.

        Args:
            kernels: (*together, filters, *taps, channels), of which the result is a view,
                (*together, filters, kh, kw, channels).
        """
        column, row, filters, down, across, channel = kernels.strides
        column += across * self.window.strides[1]
        row += down * self.window.strides[0]
        shape = (*self.together, kernels.shape[2], *self.window.size, kernels.shape[5])
        return _strided(kernels, shape, (column, row, filters, down, across, channel))

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

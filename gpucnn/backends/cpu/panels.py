"""Convolution as products of matrices that overlap in memory: which pixels they hold."""

from dataclasses import dataclass, replace

import numpy as np

from gpucnn.backends.memory import Array, Shape
from gpucnn.backends.window import Pair, Window


@dataclass(frozen=True)
class Panels:
    """The layout of the pixels that a pooled convolution reads, with images innermost in memory.

    A *panel* has the rows of pixels that a row of outputs sees, column after column: (columns, kh,
    channels). So all that the kernel sees from one position, its *patch*, lies side by side, and
    the next patch begins a stride further on. Products read the patches there, where they overlap:
    the panels of an image of the notebook's have 2,184 numbers, where its patches have 6,084.

    A convolution is pooled by windows that do not overlap. Its outputs that take the same place in
    their windows, an *offset*, are computed next to each other: the maximum over the windows is
    then one over a few long contiguous blocks. Offsets are (columns, rows), so that those of one
    column of the windows lie next to each other.

    The panels of one row of offsets, for all rows of the pool and all images, are one: each number
    of the above is a run of rows * images numbers. A patch is a matrix with as many columns, so
    products are few, and long where batches are small.

    Args:
        window: the convolution's.
        pool: the size of the pooling's windows.
        positions: the number of these windows, (rows, columns).
        channels: of the images.
    """

    window: Window
    pool: Pair
    positions: Pair
    channels: int

    def of_rows(self, rows: int) -> "Panels":
        """Those of so many rows of the pool."""
        return replace(self, positions=(rows, self.positions[1]))

    @property
    def offsets(self) -> Pair:
        """The outputs that a window of the pool has, (columns, rows)."""
        return self.pool[1], self.pool[0]

    @property
    def shape(self) -> Shape:
        """The panels of a row of the pool: (panels, columns, rows, channels)."""
        outputs = self.positions[1] * self.pool[1]
        columns = (outputs - 1) * self.window.strides[1] + self.window.size[1]
        return self.pool[0], columns, self.window.size[0], self.channels

    @property
    def patch(self) -> int:
        """The numbers of a patch, (kw, kh, channels)."""
        return self.window.elements * self.channels

    def patches(self, panels: Array) -> Array:
        """The patches in panels, (*shape, run): (*offsets, positions, patch, run), overlapping."""
        panel, column, _, channel, number = panels.strides
        output = column * self.window.strides[1]
        strides = (output, panel, output * self.pool[1], channel, number)
        shape = (*self.offsets, self.positions[1], self.patch, panels.shape[-1])
        return _strided(panels, shape, strides)

    def seen(self, images: Array) -> Array:
        """The pixels of panels as a view of images, (h, w, channels, n): (*shape, rows, n).

        Pixels lie in several rows of panels, which are one element of memory: to be read; for one
        row, to be written too.
        """
        height, width, channel, image = images.strides
        down = height * self.window.strides[0]
        strides = (down, width, height, channel, down * self.pool[0], image)
        return _strided(images, (*self.shape, self.positions[0], images.shape[3]), strides)

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

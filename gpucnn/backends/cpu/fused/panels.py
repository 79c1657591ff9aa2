"""Panels: the pixels of a convolution, packed so that its patches are overlapping matrices."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from gpucnn.backends.memory import Array, Shape
from gpucnn.backends.window import Pair, Window
from gpucnn.utils.arithmetic import ceil_div


@dataclass(frozen=True)
class Panels:
    """The layout of the pixels that a pooled convolution reads, with images innermost in memory.

    A *panel* packs the rows of pixels that a row of outputs reads, column by column: (columns, kh,
    channels). So all pixels that the kernel reads at one position, its *patch*, are contiguous, and
    the next patch begins one stride further on. Products read the patches in place, where they
    overlap: the panels of an image of the notebook's have 2,184 elements, its patches 6,084.

    The convolution is pooled by windows that do not overlap. Outputs at the same place in their
    windows, at the same *offset*, are computed next to each other: the maximum over the windows is
    then a maximum of a few long contiguous blocks. Offsets are (columns, rows), so that the offsets
    in one column of a window are adjacent.

    The panels for one row of offsets, of all rows of the pooling and all images, are interleaved in
    one: each element above is a run of rows * images elements. A patch is then a matrix (patch,
    rows * images), so products are few, and long even where batches are small.

    Args:
        window: the geometry of the convolution.
        pool: the size of the pooling windows, (height, width).
        positions: the number of pooling windows, (rows, columns).
        channels: the channels of the images.
    """

    window: Window
    pool: Pair
    positions: Pair
    channels: int

    def of_rows(self, rows: int) -> "Panels":
        """The panels of `rows` rows of the pooling."""
        return replace(self, positions=(rows, self.positions[1]))

    @property
    def offsets(self) -> Pair:
        """The number of offsets in a pooling window, (columns, rows)."""
        return self.pool[1], self.pool[0]

    @property
    def shape(self) -> Shape:
        """The shape of the panels for one row of the pooling: (panels, columns, kh, channels)."""
        outputs = self.positions[1] * self.pool[1]
        columns = (outputs - 1) * self.window.strides[1] + self.window.size[1]
        return self.pool[0], columns, self.window.size[0], self.channels

    @property
    def patch(self) -> int:
        """The number of elements of a patch, (kw, kh, channels)."""
        return self.window.elements * self.channels

    @property
    def step(self) -> int:
        """The elements of a panel between the patches of adjacent outputs."""
        return self.window.strides[1] * self.window.size[0] * self.channels

    @property
    def joined_patch(self) -> int:
        """The elements of the patches of all columns of a window together, which overlap."""
        return self.patch + (self.pool[1] - 1) * self.step

    @property
    def taps(self) -> list[int]:
        """The columns of the kernel, in the order of the outputs that read one column with them."""
        stride = self.window.strides[1]
        return sorted(range(self.window.size[1]), key=lambda tap: (tap % stride, -tap))

    def readers(self, column: int) -> tuple[slice, slice]:
        """The columns of outputs that read a column of a panel, and the places of their `taps`."""
        stride, size = self.window.strides[1], self.window.size[1]
        outputs = self.positions[1] * self.pool[1]
        first = max(ceil_div(column - size + 1, stride), 0)
        count = min(column // stride + 1, outputs) - first
        if count <= 0:  # it lies between two patches
            return slice(0, 0), slice(0, 0)
        place = self.taps.index(column - stride * first)
        return slice(first, first + count), slice(place, place + count)

    @property
    def places_of_rows(self) -> dict[Pair, list[Pair]]:
        """Where in the panels each row of pixels is first, (panel, kh), and where it is again."""
        stride = self.window.strides[0]
        places: dict[int, list[Pair]] = {}
        for panel, row in product(range(self.pool[0]), range(self.window.size[0])):
            places.setdefault(panel * stride + row, []).append((panel, row))
        return {first: others for first, *others in places.values()}

    def patches(self, panels: Array) -> Array:
        """View panels (*shape, run) as overlapping patches (*offsets, positions, patch, run)."""
        panel, column, _, channel, element = panels.strides
        output = column * self.window.strides[1]
        strides = (output, panel, output * self.pool[1], channel, element)
        shape = (*self.offsets, self.positions[1], self.patch, panels.shape[-1])
        return _strided(panels, shape, strides)

    def joined_patches(self, panels: Array) -> Array:
        """View panels as those of all columns, (1, rows, positions, joined patch, run)."""
        panel, column, _, channel, element = panels.strides
        shape = (1, self.pool[0], self.positions[1], self.joined_patch, panels.shape[-1])
        across = column * self.window.strides[1] * self.pool[1]
        return _strided(panels, shape, (0, panel, across, channel, element))

    def seen(self, images: Array) -> Array:
        """View images (h, w, channels, n), padded, in the order of panels: (*shape, rows, n).

        A pixel may occur in several rows of panels, which are then one element of memory: the view
        is for reading. In a single row of a panel no pixel occurs twice, so that may be written to.
        """
        height, width, channel, image = images.strides
        down = height * self.window.strides[0]
        strides = (down, width, height, channel, down * self.pool[0], image)
        return _strided(images, (*self.shape, self.positions[0], images.shape[3]), strides)

    def inside(self, padded: Array) -> Array:
        """View padded images (h, w, c, n) without their padding."""
        (top, left), (height, width) = self.window.padding_before, self.window.image
        return padded[top : top + height, left : left + width]

    @property
    def padded(self) -> Pair:
        """The (height, width) of the images with their padding."""
        pairs = zip(self.window.output, self.window.strides, self.window.size, strict=True)
        reach = [(outputs - 1) * stride + size for outputs, stride, size in pairs]
        return max(reach[0], self.window.image[0]), max(reach[1], self.window.image[1])


def _strided(array: Array, shape: Shape, strides: Shape) -> Array:
    """A view of an array that begins at its first element."""
    if array.flags.c_contiguous:  # several times as fast, which matters for small batches
        return np.ndarray(shape, array.dtype, array, 0, strides)
    return np.lib.stride_tricks.as_strided(array, shape, strides)

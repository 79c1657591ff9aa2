"""Images seen at places between their pixels: translated."""

from typing import Any

import numpy as np

from gpucnn.backends.cpu.layout import images_last
from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.cuda.memory import CudaMemory
from gpucnn.backends.memory import Array, Memory
from gpucnn.backends.ops.bounds import always, bounded, sums
from gpucnn.backends.ops.images.moves import moving

FILL_MODES = ("constant", "nearest", "reflect", "wrap")
"""What stands beyond the edges of an image a b c d, from left to right:

- constant: k k k k | a b c d | k k k k, k being a number that is given
- nearest: a a a a | a b c d | d d d d
- reflect: d c b a | a b c d | d c b a
- wrap: a b c d | a b c d | a b c d

In the kernel they are numbered in this order.
"""

SHIFT_BITS = 16
PIXEL = 2**SHIFT_BITS
"""The units of a shift, or of a place, that are one pixel: parts of pixels are exact, and the same
on every device."""

MOST_SIDE = 2**15 - 1
"""The most pixels of a side of images that are translated: shifts of as many fit into 32 bits."""

OUTSIDE = (MOST_SIDE + 1) ** 2
"""The place of the constant number: as many rows, or columns, as no image has pixels."""


class Resampling(Memory):
    """Definitions of what interpolates images between their pixels."""

    @bounded(out=sums(always(6)))
    def translate(
        self, x: Array, shifts: Array, fill_mode: str, fill_value: float, out: Array
    ) -> None:
        """Move images down and to the right, by bilinear interpolation.

        A pixel of the result is the mean of the four pixels that are where it comes from, each
        weighted by how near it is.

        Args:
            x: real (n, h, w, c).
            shifts: int32 (n, 2), down and to the right, in units of 1 / `PIXEL` of a pixel.
            fill_mode: one of `FILL_MODES`, what stands beyond the edges.
            fill_value: the number of the fill mode "constant".
            out: real (n, h, w, c).
        """
        xp = self.xp
        images = xp.arange(len(x))[:, None, None]
        out.fill(0)
        for rows, row_weights in _taps(xp, shifts[:, 0], x.shape[1], fill_mode):
            for columns, column_weights in _taps(xp, shifts[:, 1], x.shape[2], fill_mode):
                outside = (rows[:, :, None] == OUTSIDE) | (columns[:, None, :] == OUTSIDE)
                inside = indexable(xp, rows)[:, :, None], indexable(xp, columns)[:, None, :]
                pixels = xp.where(outside[..., None], fill_value, x[(images, *inside)])
                out += (row_weights * column_weights)[:, None, None, None] * pixels


def _taps(
    xp: Any, shifts: Array, size: int, fill_mode: str
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """The two pixels that each pixel of moved images is between, along an axis.

    Args:
        xp: the module of the arrays.
        shifts: int32 (n,), of the images.
        size: of the images.
        fill_mode: one of `FILL_MODES`.

    Returns:
        For the first, and the second, where it is in the image, int64 (n, size), or `OUTSIDE` for
        the constant number; and its weight, float64 (n,).
    """
    whole, part = shifts.astype(np.int64) >> SHIFT_BITS, (shifts & (PIXEL - 1)) / PIXEL
    places = xp.arange(size) - whole[:, None]
    first, second = (within(xp, each, size, fill_mode) for each in (places, places - 1))
    return (first, 1 - part), (second, part)


def indexable(xp: Any, places: Array) -> Array:
    """The places of pixels, any for the constant number."""
    return xp.where(places == OUTSIDE, 0, places)  # type: ignore[no-any-return]


def within(xp: Any, places: Array, size: int, fill_mode: str) -> Array:
    """The pixels of an image that stand at `places` along an axis, also beyond its edges."""
    if fill_mode == "constant":
        return xp.where((places >= 0) & (places < size), places, OUTSIDE)  # type: ignore[no-any-return]
    if fill_mode == "nearest":
        return places.clip(0, size - 1)
    if fill_mode == "wrap":
        return places % size
    folded = places % (2 * size)
    return xp.minimum(folded, 2 * size - 1 - folded)  # type: ignore[no-any-return]


class CpuResampling(CpuMemory, Resampling):
    """Resampling in NumPy, images innermost: each has its own places in every run of memory."""

    def translate(
        self, x: Array, shifts: Array, fill_mode: str, fill_value: float, out: Array
    ) -> None:
        """By the places in memory of the four pixels that make each pixel of the result."""
        images, height, width, channels = x.shape
        source = self.workspace("source", (x.size + 1,), x.dtype)
        np.copyto(source[:-1].reshape(*x.shape[1:], images), images_last(x))
        source[-1] = fill_value  # what stands beyond all pixels
        places = self.workspace("places", (*x.shape[1:], images), np.intp)
        of_rows = self.workspace("places of rows", (height, 1, channels, images), np.intp)
        pixels = self._scratch("pixels", x.shape, x.dtype)
        within_pixel = self.counting(channels * images).reshape(channels, images)
        out.fill(0)
        for second_row in (0, 1):
            rows = self._places("rows", shifts[:, 0], height, fill_mode, second_row)
            np.multiply(rows, width * channels * images, out=rows)
            np.add(rows[:, None, None], within_pixel, out=of_rows)
            for second_column in (0, 1):
                columns = self._places("columns", shifts[:, 1], width, fill_mode, second_column)
                np.multiply(columns, channels * images, out=columns)
                np.add(of_rows, columns[:, None], out=places)
                np.take(source, places, out=images_last(pixels), mode="clip")
                weights = _weights(shifts[:, 0], second_row) * _weights(shifts[:, 1], second_column)
                weights = weights.astype(x.dtype)
                np.multiply(images_last(pixels), weights, out=images_last(pixels))
                np.add(out, pixels, out=out)

    def _places(self, name: str, shifts: Array, size: int, fill_mode: str, second: int) -> Array:
        """The first or second of the pixels of `_taps`, of all images: int (size, n)."""
        places = self.workspace(f"{name} of taps", (size, len(shifts)), np.intp)
        moved = (shifts.astype(np.intp) >> SHIFT_BITS) + second
        np.subtract(self.counting(size)[:, None], moved, out=places)
        if fill_mode == "nearest":
            np.clip(places, 0, size - 1, out=places)
        elif fill_mode == "wrap":
            np.remainder(places, size, out=places)
        elif fill_mode == "reflect":
            back = self.workspace("folded back", places.shape, np.intp)
            np.remainder(places, 2 * size, out=places)
            np.subtract(2 * size - 1, places, out=back)
            np.minimum(places, back, out=places)
        else:
            beyond = self.workspace("beyond", (2, *places.shape), np.bool_)
            np.less(places, 0, out=beyond[0])
            np.greater_equal(places, size, out=beyond[1])
            np.logical_or(beyond[0], beyond[1], out=beyond[0])
            np.copyto(places, OUTSIDE, where=beyond[0])
        return places


def _weights(shifts: Array, second: int) -> Array:
    """The weights of the first or second of the pixels of `_taps`, float64 (n,)."""
    part: Array = (shifts & (PIXEL - 1)) / PIXEL
    return part if second else 1 - part


class CudaResampling(CudaMemory, Resampling):
    """Resampling in CUDA: a block writes a part of an image."""

    def translate(
        self, x: Array, shifts: Array, fill_mode: str, fill_value: float, out: Array
    ) -> None:
        mode = FILL_MODES.index(fill_mode)
        self._translate(x=x, shifts=shifts, fill_mode=mode, fill_value=fill_value, out=out)

    _translate = moving("translate.cu", {"shifts": "images 2"})

"""Images turned, scaled and sheared."""

from typing import Any

import numpy as np

from gpucnn.backends.cpu.layout import images_last
from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.cuda.kernel import IMAGES, ITEMS, OUTPUTS, kernel
from gpucnn.backends.cuda.memory import CudaMemory
from gpucnn.backends.memory import Array, Memory
from gpucnn.backends.ops.bounds import always, bounded, sums
from gpucnn.backends.ops.images.moves import over_images
from gpucnn.backends.ops.images.resampling import (
    FILL_MODES,
    OUTSIDE,
    PIXEL,
    SHIFT_BITS,
    indexable,
    within,
)

INTERPOLATIONS = ("nearest", "bilinear")
"""The pixel that is nearest to a place, or the mean of the four that it is between.

In the kernel they are numbered in this order.
"""

MOST_MAPPED_SIDE = 2**13 - 1
"""The most pixels of a side of images that are mapped, so that places fit into 32 bits."""

AT_ONCE = 2**15
"""Places that are computed at once on the CPU, so that they and their pixels stay in its cache."""


class Transforms(Memory):
    """Definitions of affine maps of images."""

    @bounded(out=sums(always(6)))
    def transform(
        self,
        x: Array,
        drawn: Array,
        maps: Array,
        fill_mode: str,
        fill_value: float,
        interpolation: str,
        out: Array,
    ) -> None:
        """Map images, by affine maps from pixels of the result to places of the image.

        Row y and column x of the result show what is in row (a + b y + c x) / `PIXEL` and column
        (d + e y + f x) / `PIXEL` of the image, (a, b, c, d, e, f) being the sum of its two maps.

        Args:
            x: real (n, h, w, c), whose sides are at most `MOST_MAPPED_SIDE`.
            drawn: int32 (n, 2), which two of the maps are an image's.
            maps: int32 (m, 6). By their sums no place is beyond an edge by more than h + w.
            fill_mode: one of `FILL_MODES`, what stands beyond the edges.
            fill_value: the number of the fill mode "constant".
            interpolation: one of `INTERPOLATIONS`; halfway between pixels, the nearest is the next.
            out: real (n, rows, columns, c).
        """
        xp, (_, height, width, _) = self.xp, x.shape
        images = xp.arange(len(x))[:, None, None]
        of_images = (maps[drawn[:, 0]] + maps[drawn[:, 1]]).astype(np.int64)
        rows, columns = (
            start + down * xp.arange(out.shape[1])[:, None] + right * xp.arange(out.shape[2])
            for start, down, right in of_images.T.reshape(2, 3, len(x), 1, 1)
        )
        out.fill(0)
        for row, row_weight in _neighbours(xp, rows, interpolation):
            y = within(xp, row, height, fill_mode)
            for column, column_weight in _neighbours(xp, columns, interpolation):
                z = within(xp, column, width, fill_mode)
                outside = (y == OUTSIDE) | (z == OUTSIDE)
                seen = x[images, indexable(xp, y), indexable(xp, z)]
                pixels = xp.where(outside[..., None], fill_value, seen)
                out += (row_weight * column_weight)[..., None] * pixels


def _neighbours(xp: Any, places: Array, interpolation: str) -> list[tuple[Array, Array]]:
    """The pixels that are seen at places along an axis, int64, and the weight of each, float64."""
    if interpolation == "nearest":
        return [(places + PIXEL // 2 >> SHIFT_BITS, xp.ones(places.shape))]
    whole, part = places >> SHIFT_BITS, (places & (PIXEL - 1)) / PIXEL
    return [(whole, 1 - part), (whole + 1, part)]


class CpuTransforms(CpuMemory, Transforms):
    """Maps of images in NumPy, images innermost: each has its own map in every run of memory.

    Places are brought into the image before the pixels around them are looked up, in a copy of the
    image with a frame: of one pixel before, and two behind.
    """

    def transform(
        self,
        x: Array,
        drawn: Array,
        maps: Array,
        fill_mode: str,
        fill_value: float,
        interpolation: str,
        out: Array,
    ) -> None:
        count, height, width, channels = x.shape
        of_images = (maps[drawn[:, 0]] + maps[drawn[:, 1]]).T.reshape(2, 3, count)
        framed, of_channel = self._framed(x, fill_mode, fill_value), images_last(out)
        result_height, result_width = out.shape[1:3]
        step = max(AT_ONCE // (result_width * count), 1)
        for start in range(0, result_height, step):
            rows = slice(start, min(start + step, result_height))
            places = self._mapped(of_images, rows, result_width)
            if interpolation == "nearest":
                np.add(places, PIXEL // 2, out=places)
                np.bitwise_and(places, -PIXEL, out=places)
            for of_axis, size in zip(places, (height, width), strict=True):
                self._bring_inside(of_axis, size, fill_mode)
            weights = (
                self._interpolation_weights(places, x.dtype)
                if interpolation == "bilinear"
                else None
            )
            at = self._in_memory(places, framed)
            for channel in range(channels):
                seen = framed.reshape(-1)[channel * count :]
                self._look_up(seen, at, framed, weights, of_channel[rows, :, channel])

    def _framed(self, x: Array, fill_mode: str, fill_value: float) -> Array:
        """The images (h, w, c, n) with a frame, as far as it is looked up."""
        count, height, width, channels = x.shape
        shape = (height + 3, width + 3, channels, count)
        framed = self.workspace("framed", shape, x.dtype)
        framed[1:-2, 1:-2] = images_last(x)
        for lines in framed, framed.swapaxes(0, 1):
            if fill_mode == "constant":
                lines[0] = lines[-2] = lines[-1] = fill_value
            else:
                lines[0] = lines[1]  # looked up in a reflection alone
                lines[-2] = lines[1] if fill_mode == "wrap" else lines[-3]
        return framed

    def _mapped(self, of_images: Array, rows: slice, width: int) -> Array:
        """Where the pixels of some rows of the result are: int32 (2, rows, width, n)."""
        counting = self.counting(max(rows.stop, width)).astype(np.int32)
        start, down, right = of_images[:, :, None].swapaxes(0, 1)
        of_rows = start + down * counting[rows, None]
        of_columns = right * counting[:width, None]
        shape = (2, of_rows.shape[1], width, of_rows.shape[2])
        places = self.workspace("places", shape, np.int32)
        np.add(of_rows[:, :, None], of_columns[:, None], out=places)
        return places

    def _bring_inside(self, places: Array, size: int, fill_mode: str) -> None:
        """Replace places along an axis by those in the image, or its frame, that show the same."""
        whole, half = size * PIXEL, PIXEL // 2
        if fill_mode == "constant":
            np.clip(places, -PIXEL, whole, out=places)
        elif fill_mode == "nearest":
            np.clip(places, 0, whole - PIXEL, out=places)
        elif fill_mode == "wrap":
            np.remainder(places, whole, out=places)
        else:
            back = self.workspace("back", places.shape, np.int32)
            if places.min() < -whole or places.max() > 2 * (whole - PIXEL):  # off by more than size
                np.add(places, half, out=places)
                np.remainder(places, 2 * whole, out=places)
                np.subtract(places, half, out=places)
            np.subtract(-PIXEL, places, out=back)
            np.maximum(places, back, out=places)
            np.subtract(2 * whole - PIXEL, places, out=back)
            np.minimum(places, back, out=places)

    def _interpolation_weights(self, places: Array, dtype: "np.dtype[Any]") -> Array:
        """Those of the first and the second pixel along each axis: real (2, 2, rows, width, n)."""
        part = self.workspace("part", places.shape, np.int32)
        np.bitwise_and(places, PIXEL - 1, out=part)
        weights = self.workspace("weights", (2, *places.shape), dtype)
        np.copyto(weights[1], part)
        np.multiply(weights[1], dtype.type(1 / PIXEL), out=weights[1])
        np.subtract(1, weights[1], out=weights[0])
        return weights.swapaxes(0, 1)

    def _in_memory(self, places: Array, framed: Array) -> Array:
        """Where the first channels of the pixels are in memory: int (rows, width, n)."""
        _, line, channels, count = framed.shape
        whole = np.right_shift(places, SHIFT_BITS, out=places)
        np.multiply(whole[0], line, out=whole[0])
        np.add(whole[0], whole[1], out=whole[0])
        at = self.workspace("at", places.shape[1:], np.intp)
        np.copyto(at, whole[0])
        np.multiply(at, channels * count, out=at)
        first = (line + 1) * channels * count  # that of the images, within the frame
        np.add(at, self.counting(count) + first, out=at)
        return at

    def _look_up(
        self, seen: Array, at: Array, framed: Array, weights: Array | None, out: Array
    ) -> None:
        """Write a channel of some rows of the result."""
        if weights is None:
            np.take(seen, at, out=out, mode="clip")
            return
        _, line, channels, count = framed.shape
        pixels = self.workspace("pixels", (2, 2, *at.shape), seen.dtype)
        for i, j in np.ndindex(2, 2):
            np.take(seen[(i * line + j) * channels * count :], at, out=pixels[i, j], mode="clip")
        np.multiply(pixels, weights[1], out=pixels)
        rows = np.add(pixels[:, 0], pixels[:, 1], out=pixels[:, 0])
        np.multiply(rows, weights[0], out=rows)
        np.add(rows[0], rows[1], out=out)


class CudaTransforms(CudaMemory, Transforms):
    """Maps of images in CUDA: a block writes a part of an image."""

    def transform(
        self,
        x: Array,
        drawn: Array,
        maps: Array,
        fill_mode: str,
        fill_value: float,
        interpolation: str,
        out: Array,
    ) -> None:
        modes = {
            "fill_mode": FILL_MODES.index(fill_mode),
            "interpolation": INTERPOLATIONS.index(interpolation),
        }
        self._transform(x=x, drawn=drawn, maps=maps, fill_value=fill_value, out=out, **modes)

    _transform = kernel(
        "transform.cu",
        {"x": IMAGES, "drawn": "images 2", "maps": "choices 6", "out": OUTPUTS},
        over_images,
        macros=ITEMS,
        small=("rows*columns*channels", "image_height*image_width*channels"),
    )

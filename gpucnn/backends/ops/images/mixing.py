"""Images mixed with others, or with noise: pixel by pixel, or in rectangles."""

from typing import Any

import numpy as np

from gpucnn.backends.cpu.layout import images_last
from gpucnn.backends.cuda.kernel import ITEMS, OUTPUTS, THREADS, kernel, value
from gpucnn.backends.memory import Array
from gpucnn.backends.ops.bounds import EXACT, always, bounded, sums
from gpucnn.backends.ops.images.moves import over_images
from gpucnn.backends.ops.images.resampling import PIXEL, SHIFT_BITS
from gpucnn.backends.ops.random import CpuRandom, CudaRandom, Random, generator
from gpucnn.utils.arithmetic import ceil_div


class Mixing(Random):
    """Definitions of what mixes images, and of drawing what with."""

    @bounded(out=EXACT)
    def draw_partners(
        self, batch: Array, seed: int, stream: int, step: Array, out: Array, first: int = 0
    ) -> None:
        """Draw another image of a batch for each image of a part of it.

        It is the one that is a number of places on in the batch, and begins anew behind its end.
        The number is 1 + floor(word * (n - 1) / 2^32), the same for all, of random word 0.

        Args:
            batch: int64 (n,), the indices of a batch's images in the data set.
            seed: see `Random`, as for `stream` and `step`.
            stream: likewise.
            step: likewise.
            out: int64 (m,), the indices of the others; of a batch of one image its own.
            first: the number in the batch of the part's first image.
        """
        (word,) = self._random_words(0, 1, seed, stream, step)
        number = 1 + (int(word) * (len(batch) - 1) >> 32)
        out[...] = batch[(first + number + self.xp.arange(len(out))) % len(batch)]

    @bounded(out=EXACT)
    def draw_noise(
        self, table: Array, seed: int, stream: int, step: Array, out: Array, first: int = 0
    ) -> None:
        """Draw each number of images from those of its channel.

        Number e of image i of the whole batch is number floor(word * m / 2^32) of its channel, of
        random word 4 i g + e, g being a fourth of the numbers of an image, rounded up.

        Args:
            table: real (m, c).
            seed: see `Random`, as for `stream` and `step`.
            stream: likewise.
            step: likewise.
            out: real (n, h, w, c).
            first: the number in the batch of the first image.
        """
        images, size = len(out), out[0].size
        words_of_image = 4 * ceil_div(size, 4)
        start, count = first * words_of_image, images * words_of_image
        words = self._random_words(start, count, seed, stream, step).reshape(images, -1)[:, :size]
        rows = words * self.xp.uint64(len(table)) >> self.xp.uint64(32)
        channels = self.xp.arange(out.shape[-1])
        out[...] = table[rows.astype(np.int64).reshape(out.shape), channels]

    @bounded(out=sums(always(3)), shares=EXACT)
    def blend(
        self, x: Array, others: Array, drawn: Array, weights: Array, out: Array, shares: Array
    ) -> None:
        """Compute weighted means of images and others.

        Args:
            x: real (n, h, w, c).
            others: real (n, h, w, c).
            drawn: int32 (n, 2), which of the weights is an image's, and a number that is not used.
            weights: int32 (m,), from 0 to `PIXEL`, which is 1.
            out: real (n, h, w, c).
            shares: real (2, n), the weights of the images, and of the others.
        """
        shares[0] = weights[drawn[:, 0]] / PIXEL
        shares[1] = 1 - shares[0]
        of_x, of_others = shares[:, :, None, None, None]
        out[...] = of_x * x + of_others * others

    @bounded(out=EXACT, shares=EXACT)
    def paste(
        self,
        x: Array,
        others: Array,
        drawn: Array,
        places: Array,
        ratios: Array,
        out: Array,
        shares: Array | None = None,
        is_alike: bool = False,
    ) -> None:
        """Replace a rectangle of each image by that of another.

        Along an axis of `size` pixels it is `size` times a ratio long. It begins at a share of what
        is left, and has the pixels whose places are in it.

        Args:
            x: real (n, h, w, c), whose sides have at most 2^15 pixels.
            others: real (n, h, w, c).
            drawn: int32 (n, 2), which of the ratios is that of the rows, and of the columns.
            places: int32 (n, 2), the shares of the rows, and of the columns, in units of 1 / 2^16.
            ratios: int32 (m,), in units of 1 / 2^16, from 0 to 1.
            out: real (n, h, w, c).
            shares: real (2, n), of the pixels that are the image's own, and the other's; or None.
            is_alike: whether the ratio of the columns is that of the rows.
        """
        _, height, width, _ = x.shape
        rows, columns = (
            _inside(self.xp, ratios[drawn[:, axis * (not is_alike)]], places[:, axis], size)
            for axis, size in enumerate((height, width))
        )
        inside = rows[:, :, None, None] & columns[:, None, :, None]
        out[...] = self.xp.where(inside, others, x)
        if shares is not None:
            count, pixels = inside.sum((1, 2, 3)), height * width
            shares[0], shares[1] = (pixels - count) / pixels, count / pixels


def _inside(xp: Any, ratios: Array, places: Array, size: int) -> Array:
    """Which pixels along an axis are inside: bool (n, size)."""
    lengths = ratios.astype(np.int64) * size
    starts = places * (size * PIXEL - lengths) >> SHIFT_BITS
    pixels = xp.arange(size) * PIXEL
    inside: Array = (pixels >= starts[:, None]) & (pixels < (starts + lengths)[:, None])
    return inside


class CpuMixing(CpuRandom, Mixing):
    """Mixing in NumPy, images innermost."""

    def draw_noise(
        self, table: Array, seed: int, stream: int, step: Array, out: Array, first: int = 0
    ) -> None:
        if len(table) == 1:
            images_last(out)[...] = table[0][:, None]
            return
        count, height, width, channels = out.shape
        words_of_image = 4 * ceil_div(out[0].size, 4)
        start, size = first * words_of_image, count * words_of_image
        words = self._random_words(start, size, seed, stream, step)
        np.multiply(words, np.uint64(len(table)), out=words)
        np.right_shift(words, np.uint64(32), out=words)
        numbers = words.view(np.int64).reshape(count, -1)[:, : out[0].size].reshape(out.shape)
        of_channel = self.workspace("numbers of a channel", (height, width, count), np.intp)
        drawn = self.workspace("noise of a channel", of_channel.shape, out.dtype)
        for channel in range(channels):
            np.copyto(of_channel, images_last(numbers[..., channel]))
            np.take(table[:, channel], of_channel, out=drawn, mode="clip")
            np.copyto(images_last(out)[:, :, channel], drawn)

    def blend(
        self, x: Array, others: Array, drawn: Array, weights: Array, out: Array, shares: Array
    ) -> None:
        np.divide(weights[drawn[:, 0]], PIXEL, out=shares[0], casting="same_kind")
        np.subtract(1, shares[0], out=shares[1])
        target = images_last(out)
        of_others = self.workspace("of others", target.shape, out.dtype)
        np.multiply(images_last(others), shares[1], out=of_others)
        np.multiply(images_last(x), shares[0], out=target)
        np.add(target, of_others, out=target)

    def paste(
        self,
        x: Array,
        others: Array,
        drawn: Array,
        places: Array,
        ratios: Array,
        out: Array,
        shares: Array | None = None,
        is_alike: bool = False,
    ) -> None:
        _, height, width, _ = x.shape
        of_rows, of_columns = ratios[drawn[:, 0]], ratios[drawn[:, 0 if is_alike else 1]]
        rows = _inside(np, of_rows, places[:, 0], height).T
        columns = _inside(np, of_columns, places[:, 1], width).T
        inside = self.workspace("inside", (height, width, len(x)), np.bool_)
        np.logical_and(rows[:, None], columns[None], out=inside)
        target = images_last(out)
        np.copyto(target, images_last(x))
        np.copyto(target, images_last(others), where=inside[:, :, None])
        if shares is not None:
            count, pixels = rows.sum(0) * columns.sum(0), height * width
            shares[0], shares[1] = (pixels - count) / pixels, count / pixels


_SHAPES = {"x": OUTPUTS, "others": OUTPUTS, "drawn": "images 2"}
_SMALL = ("rows*columns*channels",)


class CudaMixing(CudaRandom, Mixing):
    """Mixing in CUDA: a block writes a part of an image."""

    def draw_partners(
        self, batch: Array, seed: int, stream: int, step: Array, out: Array, first: int = 0
    ) -> None:
        drawn = generator(seed, stream)
        self._draw_partners(batch=batch, step=step, out=out, first=first, **drawn)

    def draw_noise(
        self, table: Array, seed: int, stream: int, step: Array, out: Array, first: int = 0
    ) -> None:
        drawn = generator(seed, stream)
        self._draw_noise(table=table, step=step, out=out, first=first, **drawn)

    _draw_partners = kernel(
        "draw_partners.cu",
        {"batch": "images", "step": "1", "out": "count"},
        lambda sizes: (ceil_div(sizes["count"], THREADS),),
    )
    _draw_noise = kernel(
        "draw_noise.cu",
        {"table": "choices channels", "step": "1", "out": OUTPUTS},
        lambda sizes: (
            sizes["images"],
            ceil_div(value("rows*columns*channels", sizes), 4 * THREADS),
        ),
        small=_SMALL,
    )
    blend = kernel(
        "blend.cu",
        _SHAPES | {"weights": "choices", "out": OUTPUTS, "shares": "2 images"},
        over_images,
        macros=ITEMS,
        small=_SMALL,
    )
    paste = kernel(
        "paste.cu",
        _SHAPES | {"places": "images 2", "ratios": "choices", "out": OUTPUTS, "shares": "2 images"},
        over_images,
        macros=ITEMS,
        small=_SMALL,
    )

"""Images made lighter or darker, and of more contrast or of less."""

import numpy as np

from gpucnn.backends.cpu.layout import images_last
from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.cuda.kernel import ITEMS, OUTPUTS, Sizes, kernel
from gpucnn.backends.cuda.memory import CudaMemory
from gpucnn.backends.memory import Array, Memory
from gpucnn.backends.ops.bounds import Bound, bounded, brightened, contrasted
from gpucnn.backends.ops.images.moves import over_images
from gpucnn.backends.ops.images.resampling import PIXEL


class Tones(Memory):
    """Definitions of what changes the numbers of images, and no place."""

    @bounded(out=Bound(brightened, "one"))
    def brighten(self, x: Array, drawn: Array, low: float, high: float, out: Array) -> None:
        """Add a share of the range of pixels to each image, within the range.

        Args:
            x: real (n, h, w, c).
            drawn: int32 (n, 2), the share in units of 1 / `PIXEL`, and a number that is not used.
            low: the least that a pixel may be.
            high: the greatest.
            out: real (n, h, w, c).
        """
        added = drawn[:, 0] / PIXEL * (high - low)
        out[...] = (x + added[:, None, None, None]).clip(low, high)

    @bounded(out=Bound(contrasted, "one"))
    def contrast(self, x: Array, drawn: Array, low: float, high: float, out: Array) -> None:
        """Multiply what pixels differ by from the mean of their channel, within the range.

        Args:
            x: real (n, h, w, c).
            drawn: int32 (n, 2), the factor in units of 1 / `PIXEL`, and a number that is not used.
            low: the least that a pixel may be.
            high: the greatest.
            out: real (n, h, w, c).
        """
        means = x.mean((1, 2), keepdims=True)
        factors = drawn[:, 0] / PIXEL
        out[...] = ((x - means) * factors[:, None, None, None] + means).clip(low, high)


class CpuTones(CpuMemory, Tones):
    """Changing tones in NumPy, images innermost: a number for each image in every run of memory."""

    def brighten(self, x: Array, drawn: Array, low: float, high: float, out: Array) -> None:
        added = (drawn[:, 0] / PIXEL * (high - low)).astype(x.dtype)
        target = images_last(out)
        np.add(images_last(x), added, out=target)
        np.clip(target, low, high, out=target)

    def contrast(self, x: Array, drawn: Array, low: float, high: float, out: Array) -> None:
        factors = (drawn[:, 0] / PIXEL).astype(x.dtype)
        source, target = images_last(x), images_last(out)
        means = source.mean((0, 1))
        np.subtract(source, means, out=target)
        np.multiply(target, factors, out=target)
        np.add(target, means, out=target)
        np.clip(target, low, high, out=target)


def _over_each(sizes: Sizes) -> tuple[int, ...]:
    """The grid over images."""
    return (sizes["images"],)


_SHAPES = {"x": OUTPUTS, "drawn": "images 2", "out": OUTPUTS}
_SMALL = ("rows*columns*channels",)


class CudaTones(CudaMemory, Tones):
    """Changing tones in CUDA."""

    brighten = kernel("brighten.cu", _SHAPES, over_images, macros=ITEMS, small=_SMALL)
    contrast = kernel("contrast.cu", _SHAPES, _over_each, small=_SMALL)

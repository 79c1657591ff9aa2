"""Images moved as wholes, pixel by pixel: into a frame of another size, and flipped."""

from typing import Any

import numpy as np

from gpucnn.backends.cpu.layout import images_last
from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.cuda.kernel import IMAGES, ITEMS, OUTPUTS, PER_BLOCK, Sizes, kernel, value
from gpucnn.backends.cuda.memory import CudaMemory
from gpucnn.backends.memory import Array, Memory
from gpucnn.backends.ops.bounds import EXACT, bounded
from gpucnn.utils.arithmetic import ceil_div


class Images(Memory):
    """Definitions of what moves images as wholes."""

    @bounded(out=EXACT)
    def pad(self, x: Array, padding_top: int, padding_left: int, out: Array) -> None:
        """Move images into a frame of the size of `out`: zeros around them, or a part of them.

        The gradient of the input is the output gradient moved back, by the negative paddings.

        Args:
            x: real (n, h, w, c).
            padding_top: the rows of the frame above the image; if negative, rows that are cut off.
            padding_left: likewise the columns to the left.
            out: real (n, rows, columns, c).
        """
        rows, from_rows = _overlap(out.shape[1], x.shape[1], padding_top)
        columns, from_columns = _overlap(out.shape[2], x.shape[2], padding_left)
        out.fill(0)
        out[:, rows, columns] = x[:, from_rows, from_columns]

    @bounded(out=EXACT)
    def flip(self, x: Array, flips: Array, out: Array) -> None:
        """Turn images upside down, mirror them, both, or neither.

        Args:
            x: real (n, h, w, c).
            flips: int32 (n, 2), 0 or 1: whether to reverse the rows of an image, and its columns.
            out: real (n, h, w, c).
        """
        out[...] = x
        for axis in (1, 2):
            chosen = flips[:, axis - 1] != 0
            out[chosen] = self.xp.flip(out[chosen], axis)


def _overlap(frame: int, size: int, before: int) -> tuple[slice, slice]:
    """Where an image is in a frame, along an axis, and which part of the image that is.

    Args:
        frame: the size of the frame.
        size: the size of the image.
        before: the place of the image's first pixel in the frame.
    """
    start = max(before, 0)
    stop = max(min(before + size, frame), start)
    return slice(start, stop), slice(start - before, stop - before)


class CpuImages(CpuMemory, Images):
    """Moving images in NumPy, images innermost."""

    def flip(self, x: Array, flips: Array, out: Array) -> None:
        """Without masked copies, which NumPy does one element at a time: choosing by bits.

        Where the bits of a mask are set, a ^ ((a ^ b) & mask) is b, and a elsewhere.
        """
        bits = np.dtype(f"u{x.itemsize}")
        target = images_last(out).view(bits)
        np.copyto(target, images_last(x).view(bits))
        changed = self.workspace("changed", target.shape, bits)
        for axis, is_flipped in enumerate(flips.T):
            if is_flipped.any():
                mask = -is_flipped.astype(bits)
                np.bitwise_xor(target, np.flip(target, axis), out=changed)
                np.bitwise_and(changed, mask, out=changed)
                np.bitwise_xor(target, changed, out=target)


def over_images(sizes: Sizes) -> tuple[int, ...]:
    """The grid over parts of each image that is written."""
    return sizes["images"], ceil_div(value("rows*columns*channels", sizes), PER_BLOCK)


def moving(file: str, by: dict[str, str]) -> Any:
    """A kernel that writes images of the size of those it reads.

    Args:
        file: the source file, in `kernels/`.
        by: the shapes of the arrays that say how, by name.
    """
    shapes = {"x": OUTPUTS, **by, "out": OUTPUTS}
    return kernel(file, shapes, over_images, macros=ITEMS, small=("rows*columns*channels",))


class CudaImages(CudaMemory, Images):
    """Moving images in CUDA: a block writes a part of an image."""

    pad = kernel(
        "pad.cu",
        {"x": IMAGES, "out": OUTPUTS},
        over_images,
        macros=ITEMS,
        small=("rows*columns*channels", "image_height*image_width*channels"),
    )
    flip = moving("flip.cu", {"flips": "images 2"})

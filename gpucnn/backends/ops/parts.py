"""Parts of a batch along an axis: put together to a whole, and taken out of it."""

from math import prod

from gpucnn.backends.cuda.kernel import ITEMS, kernel, over_parts
from gpucnn.backends.cuda.memory import CudaMemory
from gpucnn.backends.memory import Array, Memory
from gpucnn.backends.ops.bounds import EXACT, bounded


class Parts(Memory):
    """Definitions of what concatenates images or vectors, and its gradient.

    The copies are as fast where the CPU has images innermost: NumPy copies along what is
    consecutive in memory, in both orders of the axes all that follows from the axis on.
    """

    @bounded(whole=EXACT)
    def store_part(self, part: Array, axis: int, first: int, whole: Array) -> None:
        """Store a part at its place in a whole.

        Args:
            part: real (n, ...).
            axis: of the arrays, along which it is a part; at least 1.
            first: the place there of its first element.
            whole: real, of the shape of `part` but for that axis, of which the part is written.
        """
        whole[_place(part, axis, first)] = part

    @bounded(part=EXACT)
    def take_part(self, whole: Array, axis: int, first: int, part: Array) -> None:
        """Take a part out of a whole: the gradient of `part`, given that of the whole.

        Args:
            whole: real (n, ...).
            axis: see `store_part`.
            first: likewise.
            part: real, of the shape of `whole` but for that axis.
        """
        part[...] = whole[_place(part, axis, first)]


def _place(part: Array, axis: int, first: int) -> tuple[slice, ...]:
    """Where a part is in a whole."""
    return *(slice(None),) * axis, slice(first, first + part.shape[axis])


PIXELS = {"part": "images *pixels", "whole": "images *whole_pixels"}


class CudaParts(CudaMemory, Parts):
    """Parts in CUDA: a block copies a share of the part of an image."""

    def store_part(self, part: Array, axis: int, first: int, whole: Array) -> None:
        self._store_part(part=part, whole=whole, **_lines(part, axis, first, whole))

    def take_part(self, whole: Array, axis: int, first: int, part: Array) -> None:
        self._take_part(whole=whole, part=part, **_lines(part, axis, first, whole))

    _store_part = kernel(
        "parts.cu", PIXELS, over_parts, macros=ITEMS, small=("pixels", "whole_pixels")
    )
    _take_part = kernel(
        "parts.cu", PIXELS, over_parts, macros=ITEMS, small=("pixels", "whole_pixels")
    )


def _lines(part: Array, axis: int, first: int, whole: Array) -> dict[str, int]:
    """The lengths of the lines that follow from an axis on, and where those of the part begin."""
    rest = prod(part.shape[axis + 1 :])
    return {
        "line": part.shape[axis] * rest,
        "whole_line": whole.shape[axis] * rest,
        "first": first * rest,
    }

"""The transforms of F(2x2, 3x3), with which a convolution by 3x3 takes fewer products.

The four outputs of a window of 2x2 pooling follow from 4x4 pixels. These are transformed, and so
are the weights; their product for each of the 16 elements, summed over the channels, is transformed
back: 16 multiply-adds in place of 36 (Lavin and Gray, "Fast algorithms for convolutional neural
networks", CVPR 2016).

The gradients are the same in reverse, each transform being replaced by its transpose: products of
transformed gradients with transformed weights, and with transformed pixels.

The transforms are products too, by small matrices: as such they read and write their arrays once.
Images and channels, or filters, lie innermost in memory, so that all products are of long rows.
"""

import numpy as np

from gpucnn.backends.calls import Calls
from gpucnn.backends.cpu.core_cache import core_cache
from gpucnn.backends.cpu.products import bound_product, has_kernels_of_small_matrices
from gpucnn.backends.fused import ConvReluPool
from gpucnn.backends.memory import CACHE_LINE, Array, Workspace
from gpucnn.utils.arithmetic import ceil_div, slices

FEWEST = 16
"""Channels, and filters, from which the products that are saved take longer than the transforms."""

KERNEL = np.array([[1, 0, 0], [0, 0, -1], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5]])
"""Transforms three weights to four, the second of which has the opposite sign of the usual."""

PIXELS = np.array([[1, 0, -1, 0], [0, 1, 0, -1], [0, 1, 1, 0], [0, -1, 1, 0]])
"""Transforms four pixels to four."""

OUTPUTS = np.array([[1, 0, 1, 1], [0, 1, 1, -1]])
"""Transforms four products to two outputs."""


def suits(fused: ConvReluPool) -> bool:
    """Whether the operation can be computed so, and faster."""
    window, pool = fused.window, fused.pool
    geometry = window.size, window.strides, window.dilation, pool.size
    is_large = min(fused.channels, fused.filters) >= FEWEST
    return is_large and geometry == ((3, 3), (1, 1), (1, 1), (2, 2))


def tile_size() -> int:
    """The most bytes of transformed pixels and products at once, if one column has no more."""
    return 3 * core_cache()


def tiles(fused: ConvReluPool, images: int) -> list[tuple[slice, slice]]:
    """The columns of the pooled images, and the images, that are computed at once.

    They are in the order of the images, and then of their columns. The first are as large as any.
    """
    height, width = fused.pool.output
    column = height * (16 * fused.channels + 25 * fused.filters) * fused.real.itemsize
    at_once = tile_size() // column
    all_images = list(slices(images, at_once))
    all_columns = list(slices(width, at_once // all_images[0].stop))
    return [(columns, some) for some in all_images for columns in all_columns]


def of_weights(real: "np.dtype[np.floating]") -> Array:
    """The matrix (16, 9) that transforms weights, along both axes."""
    both: Array = np.kron(KERNEL, KERNEL)
    return both.astype(real)


def of_outputs(real: "np.dtype[np.floating]") -> Array:
    """The matrix (4, 17) that transforms products, along both axes, and adds the bias to each.

    The outputs are (columns, rows) of a window, as in `RowTile`.
    """
    both = np.einsum("ya,xb->xyab", OUTPUTS, OUTPUTS).reshape(4, 16)
    return np.hstack([both, np.ones((4, 1))]).astype(real)


def row_length(elements: int, real: "np.dtype[np.floating]") -> int:
    """The elements from a row of products, or outputs, to the next one in memory, at least so many.

    They are an odd number of the cache's lines: 16 rows that begin at the same place of a page push
    each other out of the first-level cache, since it has fewer lines for any place.
    """
    line = CACHE_LINE // real.itemsize
    return (ceil_div(elements, line) | 1) * line


def add_pixels(workspace: Workspace, x: Array, pixels: Array, calls: Calls) -> None:
    """Transform the pixels of the windows of some columns of the pooled images.

    Args:
        workspace: allocates scratch memory.
        x: real (h, w, n, channels), padded, from the first column that is read; images and
            channels are contiguous.
        pixels: real (4, 4, ph, columns, n, channels), written.
        calls: of the pass.
    """
    height, columns, images, channels = pixels.shape[2:]
    runs = x[: 2 * height + 2].reshape(-1, x.shape[1], images * channels)
    lines = workspace("winograd lines", (4, len(runs), columns, runs.shape[2]), x.dtype)
    _add_transformed(_windows(runs, 1, columns), lines, calls)
    runs = lines.reshape(4, len(runs), -1)
    _add_transformed(_windows(runs, 1, height), pixels.reshape(4, 4, height, -1), calls)


def add_outputs(products: Array, scores: Array, calls: Calls) -> None:
    """Transform products to outputs.

    Args:
        products: real (17, elements), of 4x4 and last the bias.
        scores: real (4, elements), written: 2x2.
        calls: of the pass.
    """
    calls.add(bound_product(of_outputs(products.dtype), products, scores))


def add_output_gradients(scores: Array, products: Array, calls: Calls) -> None:
    """Transform the gradients of the outputs to those of the products, as in `add_outputs`."""
    matrix = np.ascontiguousarray(of_outputs(products.dtype)[:, :16].T)
    calls.add(bound_product(matrix, scores, products[:16]))


def add_pixel_gradients(
    workspace: Workspace, gradients: Array, x: Array, calls: Calls, *, is_first: bool
) -> None:
    """Transform the gradients of transformed pixels to those of the pixels, where windows overlap.

    Args:
        workspace: allocates scratch memory.
        gradients: real (ph, 4, 4, columns, n, channels).
        x: real (h, w, n, channels), padded, from the first column that is read, written; images and
            channels are contiguous.
        calls: of the pass.
        is_first: whether these are the first columns: others share two with those before.
    """
    height, _, _, columns, images, channels = gradients.shape
    rows = gradients.reshape(4 * height, -1)
    lines = workspace("winograd lines", (height + 1, 2, rows.shape[1]), x.dtype)
    # Two rows of pixels take the last two of a window and the first two of the next.
    both = np.hstack([PIXELS.T[2:], PIXELS.T[:2]]).astype(x.dtype)
    calls.add(np.matmul, both[:, 4:], rows[:4], out=lines[0])
    if height > 1:
        windows = _windows(rows, 0, height - 1, 8, 4)
        calls.add(np.matmul, both, np.moveaxis(windows, 0, 1), out=lines[1:-1])
    calls.add(np.matmul, both[:, :4], rows[-4:], out=lines[-1])

    parts = workspace("winograd parts", (2 * height + 2, 2, 2, columns, images, channels), x.dtype)
    shape = 2 * height + 2, 4, columns * images * channels
    calls.add(np.matmul, PIXELS.T.astype(x.dtype), lines.reshape(shape), out=parts.reshape(shape))
    pairs = x[: len(parts), : 2 * columns + 2].reshape(len(parts), -1, 2, images, channels)
    first, last = parts.swapaxes(2, 3).swapaxes(0, 1)  # two columns of each window
    if is_first:
        calls.add(np.copyto, pairs[:, 0], first[:, 0])
    else:
        calls.add(np.add, pairs[:, 0], first[:, 0], out=pairs[:, 0])
    calls.add(np.add, first[:, 1:], last[:, :-1], out=pairs[:, 1:-1])
    calls.add(np.copyto, pairs[:, -1], last[:, -1])


def _add_transformed(x: Array, out: Array, calls: Calls) -> None:
    """Transform four pixels, (4, ...), whose runs along the last axis are contiguous.

    Kernels that copy the operands of a product first take longer than the sums.
    """
    if has_kernels_of_small_matrices():
        operands = PIXELS.astype(x.dtype), np.moveaxis(x, 0, -2)
        calls.add(np.matmul, *operands, out=np.moveaxis(out, 0, -2))
        return
    for row, result in zip(PIXELS, out, strict=True):
        first, second = sorted(np.flatnonzero(row), key=lambda place: -row[place])
        add = np.add if row[second] > 0 else np.subtract
        calls.add(add, x[first], x[second], out=result)


def _windows(x: Array, axis: int, count: int, size: int = 4, step: int = 2) -> Array:
    """View `count` runs of `size` along an axis, one every `step`, as (size, ..., count, ...)."""
    shape, strides = list(x.shape), list(x.strides)
    each = strides[axis]
    shape[axis], strides[axis] = count, step * each
    return np.lib.stride_tricks.as_strided(x, (size, *shape), (each, *strides))

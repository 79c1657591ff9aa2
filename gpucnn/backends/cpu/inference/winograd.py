"""Convolution by 3x3, ReLU and 2x2 max-pooling in inference, with fewer products."""

import numpy as np

from gpucnn.backends.calls import Calls
from gpucnn.backends.cpu.core_cache import core_cache
from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.cpu.row_tiles import slices
from gpucnn.backends.fused import ConvReluPool
from gpucnn.backends.memory import Array

KERNEL = np.array([[1, 0, 0], [0, 0, -1], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5]])
"""Transforms three weights to four, the second of which has the opposite sign of the usual."""

FEWEST = 16
"""Channels, and filters, from which the products that are saved take longer than the sums."""

TILE = 2
"""The most transformed pixels and products at once, as a multiple of a core's own cache, unless a
row of images has more."""

LEAST = 8
"""The fewest images at once, if there are as many: fewer make contiguous runs too short."""


def suits_winograd(fused: ConvReluPool, images: int) -> bool:
    """Whether the operation can be computed so, and faster: for one image its calls take longer."""
    window, pool = fused.window, fused.pool
    geometry = window.size, window.strides, window.dilation, pool.size
    return (
        images > 1
        and geometry == ((3, 3), (1, 1), (1, 1), (2, 2))
        and min(fused.channels, fused.filters) >= FEWEST
    )


def add_winograd(
    backend: CpuMemory, fused: ConvReluPool, x: Array, kernel: Array, bias: Array, calls: Calls
) -> Array:
    """Add the calls that compute the operation as F(2x2, 3x3).

    The outputs of a window of the pooling follow from 4x4 pixels. These are transformed, and so are
    the weights; their product for each of the 16 elements, summed over the channels, is transformed
    back: 16 multiply-adds in place of 36 (Lavin and Gray, "Fast algorithms for convolutional neural
    networks", CVPR 2016). The sums are those of whole arrays, along one axis after the other.

    Args:
        backend: allocates memory.
        fused: the operation, which `suits_winograd`.
        x: real (n, h, w, channels), padded; images and channels are innermost in memory.
        kernel: real (3, 3, channels, filters), contiguous.
        bias: real (filters,).
        calls: of the pass.

    Returns:
        real (n, ph, pw, filters), which is (ph, pw, n, filters) in memory.
    """
    transformed = np.einsum("ai,bj->baij", KERNEL, KERNEL).reshape(16, 9).astype(fused.real)
    weights = np.empty((4, 4, fused.channels, fused.filters), fused.real)

    def transform() -> None:
        np.dot(transformed, kernel.reshape(9, -1), out=weights.reshape(16, -1))

    calls.follow(transform)
    x, (height, width), images = x.transpose(1, 2, 0, 3), fused.pool.output, len(x)
    out = backend.empty_local((height, width, images, fused.filters), fused.real)
    row = (16 * fused.channels + 25 * fused.filters) * width * fused.real.itemsize
    tile = TILE * core_cache()
    at_once = min(max(tile // (row * height), LEAST), images)
    for rows in slices(height, max(tile // (row * at_once), 1)):
        for some in slices(images, at_once):
            mine = x[2 * rows.start :, :, some], weights, bias, out[rows, :, some]
            _add_tile(backend, *mine, calls)
    return out.transpose(2, 0, 1, 3)


def _add_tile(
    backend: CpuMemory, x: Array, weights: Array, bias: Array, out: Array, calls: Calls
) -> None:
    """The calls for some rows of the pooled images, of some images."""
    height, width, images, filters = out.shape
    real, channels = x.dtype, x.shape[3]

    def scratch(name: str, *shape: int) -> Array:
        return backend.workspace(f"winograd {name}", shape, real)

    columns = 2 * width + 2
    rows = scratch("rows", 4, height, columns, images, channels)
    _add_pixels(_spread(x[:, :columns], 0, height), rows, calls)
    pixels = scratch("pixels", 4, 4, height, width, images, channels)
    _add_pixels(_spread(rows, 2, width), pixels, calls)

    positions = height * width * images
    products = scratch("products", 5, 5, positions, filters)
    matrices = pixels.reshape(4, 4, positions, channels)
    calls.add(np.matmul, matrices, weights, out=products[:4, :4])
    _add_outputs(products[:, :4], calls)
    products = products[:2].swapaxes(0, 1)
    _add_outputs(products, calls)

    (best, other), *_ = scores = products[:2]
    calls.add(np.maximum, *scores, out=scores[0])
    calls.add(np.maximum, best, other, out=best)
    calls.add(np.add, best, bias, out=best)
    best = best.reshape(out.shape)
    calls.add(np.maximum, best, np.zeros(best.shape[2:], real), out=out)


def _spread(x: Array, axis: int, count: int) -> Array:
    """View `count` overlapping runs of four along an axis, (4, ..., count, ...), evenly spaced."""
    shape, strides = list(x.shape), list(x.strides)
    step = strides[axis]
    shape[axis], strides[axis] = count, 2 * step
    return np.lib.stride_tricks.as_strided(x, (4, *shape), (step, *strides))


def _add_pixels(x: Array, out: Array, calls: Calls) -> None:
    """Transform four pixels, (4, ...)."""
    calls.add(np.subtract, x[:2], x[2:], out=out[:2])
    calls.add(np.add, x[1], x[2], out=out[2])
    calls.add(np.subtract, x[2], x[1], out=out[3])


def _add_outputs(products: Array, calls: Calls) -> None:
    """Transform the first four products, (5, ...), to two outputs, in their place."""
    calls.add(np.subtract, products[2], products[3], out=products[4])
    calls.add(np.add, products[2], products[3], out=products[3])
    calls.add(np.add, products[:2], products[3:], out=products[:2])

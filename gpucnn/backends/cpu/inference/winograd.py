"""Convolution by 3x3, ReLU and 2x2 max-pooling in inference, with fewer products."""

import numpy as np

from gpucnn.backends.calls import Calls
from gpucnn.backends.cpu import winograd
from gpucnn.backends.cpu.fused.row_tiles import slices
from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.fused import ConvReluPool
from gpucnn.backends.memory import Array

FEWEST = 16
"""Channels, and filters, from which the products that are saved take longer than the sums."""

LEAST = 8
"""The fewest images at once, if there are as many: fewer make contiguous runs too short."""


def suits_winograd(fused: ConvReluPool, images: int) -> bool:
    """Whether the operation can be computed so, and faster: for one image its calls take longer."""
    is_large = images > 1 and min(fused.channels, fused.filters) >= FEWEST
    return is_large and winograd.has_transforms(fused)


def add_winograd(
    backend: CpuMemory, fused: ConvReluPool, x: Array, kernel: Array, bias: Array, calls: Calls
) -> Array:
    """Add the calls that compute the operation as F(2x2, 3x3), see `gpucnn.backends.cpu.winograd`.

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
    transformed = winograd.of_weights(fused.real)
    weights = np.empty((4, 4, fused.channels, fused.filters), fused.real)

    def transform() -> None:
        np.dot(transformed, kernel.reshape(9, -1), out=weights.reshape(16, -1))

    calls.follow(transform)
    x, (height, width), images = x.transpose(1, 2, 0, 3), fused.pool.output, len(x)
    out = backend.empty_local((height, width, images, fused.filters), fused.real)
    row, tile = winograd.row_size(fused), winograd.tile_size()
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

    lines = scratch("rows", 4, height, 2 * width + 2, images, channels)
    pixels = scratch("pixels", 4, 4, height, width, images, channels)
    winograd.add_pixels(x, lines, pixels, calls)

    positions = height * width * images
    products = scratch("products", 5, 5, positions, filters)
    matrices = pixels.reshape(4, 4, positions, channels)
    calls.add(np.matmul, matrices, weights, out=products[:4, :4])

    (best, other), *_ = scores = winograd.add_outputs(products, calls).swapaxes(0, 1)
    calls.add(np.maximum, *scores, out=scores[0])
    calls.add(np.maximum, best, other, out=best)
    calls.add(np.add, best, bias, out=best)
    best = best.reshape(out.shape)
    calls.add(np.maximum, best, np.zeros(best.shape[2:], real), out=out)

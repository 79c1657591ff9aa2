"""Convolution by 3x3, ReLU and 2x2 max-pooling in inference, with fewer products."""

import numpy as np

from gpucnn.backends.calls import Calls
from gpucnn.backends.cpu import winograd
from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.fused import ConvReluPool
from gpucnn.backends.memory import Array


def add_winograd(
    backend: CpuMemory, fused: ConvReluPool, x: Array, kernel: Array, bias: Array, calls: Calls
) -> Array:
    """Add the calls that compute the operation as F(2x2, 3x3), see `gpucnn.backends.cpu.winograd`.

    The bias is a further product, of which each output is one term; and ReLU is the maximum with
    zeros beside the outputs of a window of the pooling.

    Args:
        backend: allocates memory.
        fused: the operation, which `winograd.suits`.
        x: real (n, h, w, channels), padded; images and channels are innermost in memory.
        kernel: real (3, 3, channels, filters), contiguous.
        bias: real (filters,).
        calls: of the pass.

    Returns:
        real (n, ph, pw, filters), which is (ph, pw, n, filters) in memory.
    """
    real, (height, width), images = fused.real, fused.pool.output, len(x)
    transform, weights = winograd.of_weights(real), np.empty((16, *kernel.shape[2:]), real)
    calls.follow(lambda: np.dot(transform, kernel.reshape(9, -1), out=weights.reshape(16, -1)))
    out = backend.empty_local((height, width, images, fused.filters), real)
    tiles = winograd.tiles(fused, images)
    (columns, some), *_ = tiles
    size = out[:, columns, some].size
    length = winograd.row_length(size, real)
    products, scores = (backend.empty_local((count, length), real)[:, :size] for count in (17, 5))
    calls.follow(lambda: np.copyto(products[16].reshape(-1, fused.filters), bias))
    scores[4] = 0
    arranged = x.transpose(1, 2, 0, 3)
    for columns, some in tiles:
        seen, found = arranged[:, 2 * columns.start :, some], out[:, columns, some]
        sums = products[:, : found.size], scores[:, : found.size]
        _add_tile(backend, seen, weights, *sums, found, calls)
    return out.transpose(2, 0, 1, 3)


def _add_tile(
    backend: CpuMemory,
    x: Array,
    weights: Array,
    products: Array,
    scores: Array,
    out: Array,
    calls: Calls,
) -> None:
    """The calls for some columns of the pooled images, of some images.

    Args:
        backend: allocates memory.
        x: real (h, w, n, channels), from the first column that is read.
        weights: real (16, channels, filters), transformed.
        products: real (17, size of `out`), the last of which are the bias.
        scores: real (5, size of `out`), the last of which are zeros.
        out: real (ph, columns, n, filters).
        calls: of the pass.
    """
    (*windows, images, filters), channels = out.shape, x.shape[3]
    pixels = backend.workspace("winograd pixels", (4, 4, *windows, images, channels), x.dtype)
    winograd.add_pixels(backend.workspace, x, pixels, calls)
    matrices = pixels.reshape(16, -1, channels), products[:16].reshape(16, -1, filters)
    calls.add(np.matmul, matrices[0], weights, out=matrices[1])
    winograd.add_outputs(products, scores[:4], calls)
    found = out.reshape(-1) if out.flags.c_contiguous else out
    calls.add(np.maximum.reduce, scores.reshape(5, *found.shape), 0, None, found)

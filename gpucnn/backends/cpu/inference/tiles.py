"""Convolution, ReLU and max-pooling of many images in inference, in tiles of rows."""

import numpy as np

from gpucnn.backends.calls import Calls
from gpucnn.backends.cpu.fused.frame import panels_of
from gpucnn.backends.cpu.fused.panels import Panels
from gpucnn.backends.cpu.fused.row_tiles import tile_height
from gpucnn.backends.cpu.layout import as_elements, images_last
from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.cpu.products import count_blocks, in_blocks
from gpucnn.backends.fused import ConvReluPool
from gpucnn.backends.memory import Array
from gpucnn.utils.arithmetic import slices

FEWEST_INNERMOST = 16
"""Filters that fill a vector of the processor, from which on they are innermost in memory, where a
convolution that follows reads them fastest."""


def add_tiles(
    backend: CpuMemory, fused: ConvReluPool, x: Array, kernel: Array, bias: Array, calls: Calls
) -> Array:
    """Add the calls of `CpuConvReluPoolPlan`, without what is kept for gradients.

    Args:
        backend: allocates memory.
        fused: the operation, without dilation, whose pooling windows lie side by side.
        x: real (n, h, w, channels), padded, with the images innermost in memory.
        kernel: real (kh, kw, channels, filters), contiguous.
        bias: real (filters,), likewise.
        calls: of the pass.

    Returns:
        real (n, ph, pw, filters): (pw, ph, n, filters) in memory, or with the images innermost.
    """
    images, (height, width), real, filters = len(x), fused.pool.output, fused.real, fused.filters
    weights = np.empty((*fused.window.size[::-1], fused.channels, filters), real)
    calls.follow(lambda: np.copyto(weights.swapaxes(0, 1), kernel))
    matrix = weights.reshape(-1, filters)
    if filters >= FEWEST_INNERMOST:
        out = backend.empty_local((width, height, images, filters), real)
        found = out.transpose(2, 1, 0, 3)
    else:
        of_rows = backend.empty_local((height, width, filters, images), real)
        out, found = of_rows.transpose(1, 0, 3, 2), of_rows.transpose(3, 0, 1, 2)
    layout = panels_of(fused)
    for rows in slices(height, tile_height(layout, filters, images * real.itemsize)):
        first = rows.start * fused.pool.size[0] * fused.window.strides[0]
        tile = layout.of_rows(rows.stop - rows.start)
        _add_tile(backend, tile, images_last(x)[first:], matrix, bias, out[:, rows], calls)
    return found


def _add_tile(
    backend: CpuMemory,
    layout: Panels,
    x: Array,
    weights: Array,
    bias: Array,
    out: Array,
    calls: Calls,
) -> None:
    """The calls for rows of the pooled images.

    Args:
        backend: allocates memory.
        layout: of the panels of the rows.
        x: real (h, w, channels, n), from the first row that is read.
        weights: real (patch, filters).
        bias: real (filters,).
        out: real (pw, rows, n, filters), with the filters innermost in memory, or the images.
        calls: of the pass.
    """
    width, rows, images, filters = out.shape
    run, real = rows * images, x.dtype
    panels = backend.workspace("panels in inference", (*layout.shape, run), real)
    seen = layout.seen(x)
    calls.add(np.copyto, *as_elements(panels.reshape(seen.shape), seen))

    patches = layout.patches(panels)
    blocks = count_blocks(run, weights.size)
    operands = in_blocks(patches, blocks)  # (*offsets, pw, blocks, patch, run / blocks)
    is_innermost = out.strides[-1] == out.itemsize
    bias_of_run = bias if is_innermost else bias[:, None]
    if is_innermost:
        scores = backend.workspace("scores", (*layout.offsets, width, run, filters), real)
        results = scores.reshape(*operands.shape[:-2], -1, filters)
        calls.add(np.matmul, operands.swapaxes(-1, -2), weights, out=results)
    else:
        scores = backend.workspace("scores", (*layout.offsets, width, filters, run), real)
        calls.add(np.matmul, weights.T, operands, out=in_blocks(scores, blocks))

    for axis in range(2):
        best, *others = scores if axis == 0 else scores[0]
        for other in others:
            calls.add(np.maximum, best, other, out=best)
    best = scores[0, 0]
    repeated, zeros = np.empty(best.shape[1:], real), np.zeros(best.shape[1:], real)
    calls.follow(lambda: np.copyto(repeated, bias_of_run))
    calls.add(np.add, best, repeated, out=best)
    if is_innermost:
        best, zeros = best.reshape(out.shape), zeros.reshape(out.shape[1:])
        calls.add(np.maximum, best, zeros, out=out)
        return
    calls.add(np.maximum, best, zeros, out=best)
    best = best.reshape(width, filters, rows, images)
    calls.add(np.copyto, *as_elements(out.transpose(0, 3, 1, 2), best))

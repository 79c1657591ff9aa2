"""Convolution, ReLU and max-pooling of few images in inference, in as few calls as can be."""

from functools import partial
from math import prod
from typing import Any

import numpy as np

from gpucnn.backends.calls import Calls
from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.fused import ConvReluPool
from gpucnn.backends.memory import Array
from gpucnn.utils.arithmetic import ceil_div

MOST = 4
"""The most images for which the calls cost more than what they do."""

CHANNELS = 4
"""The most channels for which the outputs in a row of a pooling window share a patch."""

RUNS: dict[int, "np.dtype[Any]"] = {8: np.dtype("complex64"), 16: np.dtype("complex128")}
"""Types of which NumPy copies an element at once, by the bytes of a run of values."""


def add_patches(
    backend: CpuMemory, fused: ConvReluPool, x: Array, kernel: Array, bias: Array, calls: Calls
) -> Array:
    """Add the calls that copy patches, and compute the operation as a product and a maximum.

    A patch ends in a one, by which the product adds the bias; and ReLU is the maximum with zeros
    beside the outputs of a window of the pooling. Where there are few channels, a patch is that of
    all outputs in a row of a window: zeros among the weights cost less than to copy small patches.
    Not where strides leave pixels out, of which a NaN would be multiplied by these zeros.

    Args:
        backend: allocates memory.
        fused: the operation, without dilation, whose pooling windows lie side by side.
        x: real (n, h, w, channels), padded; the rows of an image are contiguous.
        kernel: real (kh, kw, channels, filters), contiguous.
        bias: real (filters,), likewise.
        calls: of the pass.

    Returns:
        real (n, ph, pw, filters), which is (ph, pw, n, filters) in memory.
    """
    (rows, columns), filters, real = fused.pool.size, fused.filters, fused.real
    together = sharing_patches(fused)
    patches = copied_patches(backend, fused, x, together, calls)
    weights = placed_weights(fused, kernel, bias, together, calls)

    scores = np.zeros((rows * columns + 1, prod(fused.pool.output) * len(x), filters), real)
    products = scores[:-1].reshape(columns, -1, filters)
    if together == columns:
        calls.add(np.matmul, patches.reshape(-1, patches.shape[-1]), weights, out=products)
    else:
        by_offset = patches.reshape(rows * columns, -1, patches.shape[-1])
        calls.add(np.matmul, by_offset, weights[0], out=scores[:-1])
    out = backend.empty_local(scores[0].shape, real)
    calls.add(np.maximum.reduce, scores.reshape(len(scores), -1), 0, None, out.reshape(-1))
    return out.reshape(*fused.pool.output, len(x), filters).transpose(2, 0, 1, 3)


def sharing_patches(fused: ConvReluPool) -> int:
    """The outputs in a row of a window of the pooling that share a patch."""
    leaves_none_out = fused.window.strides[1] <= fused.window.size[1]
    return fused.pool.size[1] if fused.channels <= CHANNELS and leaves_none_out else 1


def copied_patches(
    backend: CpuMemory, fused: ConvReluPool, x: Array, together: int, calls: Calls
) -> Array:
    """Patches that are copied, (columns / together, rows, ph, pw, n, elements + 1)."""
    window, pool, channels = fused.window, fused.pool, fused.channels
    (kh, kw), (rows, columns) = window.size, pool.size
    down, right = window.strides
    length = (kw + (together - 1) * right) * channels  # of a row of a patch
    elements = kh * length
    shape = columns // together, rows, *pool.output, len(x)
    width = ceil_div(elements + 1, 4) * 4
    patches = backend.empty_local((*shape, width), fused.real)
    patches[..., elements] = 1

    n, h, w, _ = x.strides
    strides = (right * w, down * h, rows * down * h, columns * right * w, n, h, x.itemsize)
    of_images = np.lib.stride_tricks.as_strided(x, (*shape, kh, length), strides)
    of_patches = patches[..., :elements].reshape(*shape, kh, length)
    calls.add(np.copyto, *_as_runs(of_patches, of_images))
    return patches[..., : elements + 1]


def _as_runs(*arrays: Array) -> list[Array]:
    """View the last axis of arrays as one element, if it has the size of a type of NumPy's."""
    run = RUNS.get(arrays[0].shape[-1] * arrays[0].itemsize)
    return [each if run is None else each.view(run) for each in arrays]


def placed_weights(
    fused: ConvReluPool, kernel: Array, bias: Array, together: int, calls: Calls
) -> Array:
    """The weights of a patch, with the bias last, (together, elements + 1, filters)."""
    kh, kw = fused.window.size
    length = kw + (together - 1) * fused.window.strides[1]
    weights = np.zeros((together, kh * length * fused.channels + 1, fused.filters), fused.real)
    calls.follow(partial(np.copyto, kernels_in(weights, fused), kernel))
    calls.follow(partial(np.copyto, weights[:, -1], bias))
    return weights


def kernels_in(weights: Array, fused: ConvReluPool) -> Array:
    """View `placed_weights`, or gradients of them, as kernels (together, kh, kw, c, filters)."""
    together, _, filters = weights.shape
    (kh, kw), right = fused.window.size, fused.window.strides[1]
    placed = weights[:, :-1].reshape(together, kh, -1, fused.channels, filters)
    number, *others = placed.strides
    shape, strides = (together, kh, kw, *placed.shape[3:]), (number + right * others[1], *others)
    return np.lib.stride_tricks.as_strided(placed, shape, strides)

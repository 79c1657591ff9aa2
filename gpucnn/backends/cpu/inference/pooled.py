"""Convolution, ReLU and max-pooling in inference: the way that is fastest, and its calls."""

import numpy as np

from gpucnn.backends.calls import Calls
from gpucnn.backends.cpu import winograd
from gpucnn.backends.cpu.fused.frame import panels_of
from gpucnn.backends.cpu.inference.layout import contiguous
from gpucnn.backends.cpu.inference.patches import MOST, add_patches
from gpucnn.backends.cpu.inference.tiles import add_tiles
from gpucnn.backends.cpu.inference.winograd import add_winograd
from gpucnn.backends.cpu.layout import images_first, images_last
from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.fused import ConvReluPool
from gpucnn.backends.memory import Array

Axes = tuple[int, int, int, int]

IMAGES_OUTERMOST: Axes = (0, 1, 2, 3)
IMAGES_INSIDE: Axes = (1, 2, 0, 3)  # (h, w, n, c)
IMAGES_INNERMOST: Axes = (1, 2, 3, 0)


def add_pooled_convolution(
    backend: CpuMemory, fused: ConvReluPool, x: Array, kernel: Array, bias: Array, calls: Calls
) -> Array:
    """Add the calls that compute a pooled convolution.

    Args:
        backend: allocates memory.
        fused: the operation, which the backend can fuse.
        x: real (n, h, w, channels), of any order in memory.
        kernel: real (kh, kw, channels, filters), contiguous.
        bias: real (filters,), likewise.
        calls: of the pass.

    Returns:
        real (n, ph, pw, filters), written by the calls, of the order in memory that suits them.
    """
    if winograd.suits(fused):
        add, order = add_winograd, IMAGES_INSIDE
    elif len(x) <= MOST:
        add, order = add_patches, IMAGES_OUTERMOST
    else:
        add, order = add_tiles, IMAGES_INNERMOST
    return add(backend, fused, framed(backend, fused, x, order, calls), kernel, bias, calls)


def framed(backend: CpuMemory, fused: ConvReluPool, x: Array, order: Axes, calls: Calls) -> Array:
    """Images (n, h, w, c) whose two innermost axes in memory are the last two of `order`.

    They are copied if need be; into a frame of zeros if the window is padded.
    """
    back = np.argsort(order)
    if fused.window.padding == "valid":
        arranged = x.transpose(order)
        if arranged.strides[2:] != (arranged.shape[3] * x.itemsize, x.itemsize):
            arranged = contiguous(backend, arranged, calls)
        return arranged.transpose(back)
    layout = panels_of(fused)
    shape = len(x), *layout.padded, fused.channels
    in_frame = backend.empty_local(tuple(shape[axis] for axis in order), x.dtype)
    in_frame.fill(0)
    in_frame = in_frame.transpose(back)
    calls.add(np.copyto, images_first(layout.inside(images_last(in_frame))), x)
    return in_frame

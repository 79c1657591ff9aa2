"""The transforms of F(2x2, 3x3), with which a convolution by 3x3 takes fewer products.

The four outputs of a window of 2x2 pooling follow from 4x4 pixels. These are transformed, and so
are the weights; their product for each of the 16 elements, summed over the channels, is transformed
back: 16 multiply-adds in place of 36 (Lavin and Gray, "Fast algorithms for convolutional neural
networks", CVPR 2016). The sums are those of whole arrays, along one axis after the other.

The gradients are the same in reverse, each transform being replaced by its transpose: products of
transformed gradients with transformed weights, and with transformed pixels.
"""

import numpy as np

from gpucnn.backends.calls import Calls
from gpucnn.backends.cpu.core_cache import core_cache
from gpucnn.backends.fused import ConvReluPool
from gpucnn.backends.memory import Array, Workspace

KERNEL = np.array([[1, 0, 0], [0, 0, -1], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5]])
"""Transforms three weights to four, the second of which has the opposite sign of the usual."""

PIXELS = np.array([[1, 0, -1, 0], [0, 1, 0, -1], [0, 1, 1, 0], [0, -1, 1, 0]])
"""Transforms four pixels to four."""

OUTPUTS = np.array([[1, 0, 1, 1], [0, 1, 1, -1]])
"""Transforms four products to two outputs."""


def tile_size() -> int:
    """The most bytes of transformed pixels and products at once, if one column has no more."""
    return 2 * core_cache()


def has_transforms(fused: ConvReluPool) -> bool:
    """Whether the operation is a convolution by 3x3, pooled by 2x2, that the transforms are for."""
    window, pool = fused.window, fused.pool
    geometry = window.size, window.strides, window.dilation, pool.size
    return geometry == ((3, 3), (1, 1), (1, 1), (2, 2))


def column_size(fused: ConvReluPool) -> int:
    """The bytes of transformed pixels and of products of a column of a pooled image."""
    each = 16 * fused.channels + 25 * fused.filters
    return each * fused.pool.output[0] * fused.real.itemsize


def of_weights(real: "np.dtype[np.floating]") -> Array:
    """The matrix (16, 9) that transforms weights, along both axes."""
    both: Array = np.kron(KERNEL, KERNEL)
    return both.astype(real)


def of_outputs(real: "np.dtype[np.floating]") -> Array:
    """The matrix (4, 16) that transforms products, along both axes."""
    both: Array = np.kron(OUTPUTS, OUTPUTS)
    return both.astype(real)


def add_transformed(workspace: Workspace, x: Array, pixels: Array, calls: Calls) -> None:
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
    _add_product(PIXELS, _spread(runs, 1, columns), lines, calls)
    runs = lines.reshape(4, len(runs), -1)
    _add_product(PIXELS, _spread(runs, 1, height), pixels.reshape(4, 4, height, -1), calls)


def add_pixels(x: Array, lines: Array, pixels: Array, calls: Calls) -> None:
    """Transform the pixels of rows of the pooled images.

    Args:
        x: real (h, w, ...), padded, from the first row that is read.
        lines: (4, rows, columns, ...), for scratch.
        pixels: (4, 4, rows, pw, ...), written.
        calls: of the pass.
    """
    rows, columns = lines.shape[1:3]
    _add_pixels(_spread(x[:, :columns], 0, rows), lines, calls)
    _add_pixels(_spread(lines, 2, pixels.shape[3]), pixels, calls)


def add_outputs(products: Array, calls: Calls) -> Array:
    """Transform the first 4x4 products, (5, 5, ...), to 2x2 outputs in their place.

    Returns:
        (2, 2, ...), which are (columns, rows) of a window, as the products' axes are.
    """
    _add_outputs(products[:, :4], calls)
    _add_outputs(products[:2].swapaxes(0, 1), calls)
    return products[:2, :2]


def add_output_gradients(products: Array, calls: Calls) -> None:
    """Transform the gradients of the outputs, in their place, to those of the products."""
    _add_output_gradients(products[:2].swapaxes(0, 1), calls)
    _add_output_gradients(products[:, :4], calls)


def add_pixel_gradients(gradients: Array, lines: Array, x: Array, calls: Calls) -> None:
    """Add the gradients of the pixels of rows of the pooled images to `x`.

    Args:
        gradients: (5, 5, rows, pw, ...), the first 4x4 of transformed pixels; overwritten.
        lines: (5, rows, columns, ...), for scratch.
        x: real (h, w, ...), padded, from the first row that is read; updated.
        calls: of the pass.
    """
    rows, columns = lines.shape[1:3]
    calls.add(lines.fill, 0)
    _add_pixel_gradients(gradients[:, :4], _spread(lines[:4], 2, gradients.shape[3]), calls)
    _add_pixel_gradients(lines, _spread(x[:, :columns], 0, rows), calls)


# Along one axis


def _add_product(matrix: Array, x: Array, out: Array, calls: Calls) -> None:
    """Multiply by a matrix, along the first axis; runs of the last are contiguous."""
    operands = matrix.astype(x.dtype), np.moveaxis(x, 0, -2)
    calls.add(np.matmul, *operands, out=np.moveaxis(out, 0, -2))


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


def _add_output_gradients(gradients: Array, calls: Calls) -> None:
    """Transform the first two gradients, of outputs, to four of products, (4, ...)."""
    calls.add(np.add, gradients[0], gradients[1], out=gradients[2])
    calls.add(np.subtract, gradients[0], gradients[1], out=gradients[3])


def _add_pixel_gradients(gradients: Array, out: Array, calls: Calls) -> None:
    """Add the gradients of four pixels to `out`, (4, ...), a `_spread`.

    Args:
        gradients: (5, ...), of transformed pixels, the last for scratch; overwritten.
        out: updated.
        calls: of the pass.
    """
    calls.add(np.subtract, gradients[2], gradients[3], out=gradients[4])
    calls.add(np.add, gradients[4], gradients[1], out=gradients[4])
    calls.add(np.add, gradients[2], gradients[3], out=gradients[2])
    calls.add(np.subtract, gradients[2], gradients[0], out=gradients[2])
    for pixel, place in enumerate((0, 4, 2)):
        calls.add(np.add, out[pixel], gradients[place], out=out[pixel])
    calls.add(np.subtract, out[3], gradients[1], out=out[3])

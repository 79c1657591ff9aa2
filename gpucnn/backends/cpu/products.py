"""Products of matrices, split into the blocks that BLAS multiplies fastest."""

from functools import cache, partial

import numpy as np
from threadpoolctl import threadpool_info

from gpucnn.backends.memory import Array
from gpucnn.utils.arithmetic import ceil_div

KERNELS_OF_SMALL_MATRICES = ("SkylakeX", "Cooperlake", "SapphireRapids")
"""OpenBLAS's names of the processors for which it has such kernels: those with AVX-512."""

BLOCK = 1_000_000
"""The most multiply-adds of a product by these kernels, which do not pack the operands first."""

DOTS = 1_200
"""The most elements of a block if they are dot products of rows: for more, OpenBLAS packs."""

SHORTEST = 32
"""The fewest columns of a block: fewer leave the processor's vector units idle."""

WORTH = 250_000
"""The multiply-adds of a product above which blocks are considered."""


def product(a: Array, b: Array, out: Array) -> None:
    """Compute the product of two matrices, in blocks of the longer side of `out`.

    A product that is not split is left to `dot`, which is twice as fast as `matmul` for one row.

    Args:
        a: real (m, k).
        b: real (k, n).
        out: real (m, n).
    """
    bound_product(a, b, out)()


def bound_product(a: Array, b: Array, out: Array) -> "partial[Array]":
    """The call that computes `product` of the same arrays, as often as it is called."""
    rows, columns = out.shape
    if rows > columns:
        a, b, out, rows, columns = b.T, a.T, out.T, columns, rows
    blocks = 1
    if rows > 1 and columns * rows * len(b) > WORTH:
        are_dots = a.strides[1] == b.strides[0] == out.itemsize
        blocks = count_blocks(columns, rows * len(b), rows if are_dots else 0)
    if blocks > 1:
        return partial(np.matmul, a, in_blocks(b, blocks), out=in_blocks(out, blocks))
    if out.flags.c_contiguous:
        return partial(a.dot, b, out)  # sooner there than `np.dot`
    if out.flags.f_contiguous:
        return partial(b.T.dot, a.T, out.T)
    return partial(np.matmul, a, b, out=out)


def count_blocks(columns: int, column: int, dots: int = 0) -> int:
    """The number of blocks of columns to split a product into; 1 if no number divides it well.

    BLAS packs the operands of a large product first. For the short sums of a small network that
    takes as long as the arithmetic, or longer.

    Args:
        columns: the columns of the product.
        column: the multiply-adds of one column.
        dots: the elements of one column if they are dot products of rows, else 0.
    """
    return _count_blocks(columns, column, dots) if has_kernels_of_small_matrices() else 1


@cache  # products of the same sizes come with each step
def _count_blocks(columns: int, column: int, dots: int) -> int:
    least = max(ceil_div(columns * column, BLOCK), ceil_div(columns * dots, DOTS), 1)
    most = columns // SHORTEST
    return next((count for count in range(least, most + 1) if columns % count == 0), 1)


@cache
def has_kernels_of_small_matrices() -> bool:
    """Whether a loaded BLAS, such as NumPy's, has kernels of small matrices."""
    libraries = [each.get("architecture") for each in threadpool_info()]
    return any(name in KERNELS_OF_SMALL_MATRICES for name in libraries)


def in_blocks(matrix: Array, blocks: int) -> Array:
    """View a matrix (..., rows, columns) as blocks of columns (..., blocks, rows, width)."""
    *others, columns = matrix.shape
    split = matrix.reshape(*others, blocks, columns // blocks)
    return split.swapaxes(-2, -3)

"""Products of matrices, shared out in blocks that BLAS multiplies fastest."""

from functools import cache

import numpy as np
from threadpoolctl import threadpool_info

from gpucnn.backends.memory import Array

KERNELS_OF_SMALL_MATRICES = ("SkylakeX", "Cooperlake", "SapphireRapids")
"""OpenBLAS's names of the processors for which it has some: those with AVX-512."""

BLOCK = 1_000_000
"""The multiply-adds up to which these are used: they do not copy the operands first."""

DOTS = 1_200
"""The elements of a block that are dot products of rows: OpenBLAS copies for more of these."""

SHORTEST = 32
"""The columns of a block: fewer keep the processor's vectors waiting."""

WORTH = 250_000
"""The multiply-adds of a product for which it pays to think of blocks."""


def product(a: Array, b: Array, out: Array) -> None:
    """The product of two matrices, shared out in blocks of the longer side of `out`.

    What is not shared out is done by `dot`, which for a single row is twice as fast as `matmul`.
    """
    rows, columns = out.shape
    if rows > columns:
        a, b, out, rows, columns = b.T, a.T, out.T, columns, rows
    blocks = 1
    if rows > 1 and columns * rows * len(b) > WORTH:
        are_dots = a.strides[1] == b.strides[0] == out.itemsize
        blocks = count_blocks(columns, rows * len(b), rows if are_dots else 0)
    if blocks > 1:
        np.matmul(a, in_blocks(b, blocks), out=in_blocks(out, blocks))
    elif out.flags.c_contiguous:
        np.dot(a, b, out=out)
    else:
        np.dot(b.T, a.T, out=out.T)


def count_blocks(columns: int, column: int, dots: int = 0) -> int:
    """In how many blocks of columns to share out a product; 1 where it does not divide well.

    A large product copies its operands into an order of its own first. For the short sums of a
    small network that takes as long as the arithmetic, or longer.

    Args:
        columns: of all blocks.
        column: the multiply-adds of one.
        dots: the elements of one if they are dot products of rows, else 0.
    """
    if not has_kernels_of_small_matrices():
        return 1
    least = max(-(-columns * column // BLOCK), -(-columns * dots // DOTS), 1)
    most = columns // SHORTEST
    return next((count for count in range(least, most + 1) if columns % count == 0), 1)


@cache
def has_kernels_of_small_matrices() -> bool:
    """Whether a BLAS that is loaded, as NumPy's is, has another way to multiply small matrices."""
    libraries = [each.get("architecture") for each in threadpool_info()]
    return any(name in KERNELS_OF_SMALL_MATRICES for name in libraries)


def in_blocks(matrix: Array, blocks: int) -> Array:
    """A matrix (..., rows, columns) as blocks of columns (..., blocks, rows, width), a view."""
    shared_out = matrix.reshape(*matrix.shape[:-1], blocks, -1)
    return shared_out.swapaxes(-2, -3)

"""Products of matrices, shared out in blocks that BLAS multiplies fastest."""

from gpucnn.backends.base import Array

BLOCK = 500_000
"""The multiply-adds of a block: OpenBLAS multiplies up to a million without copying operands."""

SHORTEST = 64
"""The columns of a block: fewer keep the processor's vectors waiting."""


def count_blocks(columns: int, column: int) -> int:
    """In how many blocks of columns to share out a product; 1 where it does not divide well.

    A large product copies its operands into an order of its own first. For the short sums of a
    small network that takes as long as the arithmetic, or longer.

    Args:
        columns: of all blocks.
        column: the multiply-adds of one.
    """
    least = -(-columns * column // BLOCK)
    most = columns // SHORTEST
    return next((count for count in range(least, most + 1) if columns % count == 0), 1)


def in_blocks(matrix: Array, blocks: int) -> Array:
    """A matrix (..., rows, columns) as blocks of columns (..., blocks, rows, width), a view."""
    shared_out = matrix.reshape(*matrix.shape[:-1], blocks, -1)
    return shared_out.swapaxes(-2, -3)

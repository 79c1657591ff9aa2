"""Kernels that work on a matrix column by column: how its rows are shared out over blocks.

The columns are the channels of images, or the outputs of a layer: few, where the rows are many.
"""

from typing import Any

from gpucnn.backends.cuda.kernel import ITEMS, MULTIPROCESSORS, THREADS, WARP, Sizes
from gpucnn.backends.cuda.memory import CudaMemory
from gpucnn.backends.memory import Array
from gpucnn.utils.arithmetic import ceil_div

LEAST_ROWS = 16
"""The fewest rows of a sum that are worth a thread."""

COLUMNS = "rows columns"
"""The shape of the matrix, as of its elements: an array of any shape whose last axis is columns."""

SUMMING = {"slabs": "parts columns", "tickets": "tickets"}
"""The shapes of the arrays that `summing` gives."""


# Sums of columns, see kernels/columns.cuh


def over_columns(sizes: Sizes) -> tuple[int, ...]:
    """The grid of a kernel that sums columns: some columns, and a slab of rows."""
    return (
        ceil_div(sizes["columns"], sizes["lanes"]),
        max(ceil_div(sizes["rows"], sizes["slab_rows"]), 1),
    )


def summing(memory: CudaMemory, matrix: Array, sums: int = 1) -> dict[str, Any]:
    """The arguments of a kernel that sums columns which say how; slabs of rows where rows are many.

    Args:
        memory: has workspaces.
        matrix: real (rows, columns).
        sums: the number of sums that are made of each column.
    """
    rows, columns = matrix.shape
    lanes = lanes_of(rows, columns)
    slab_rows = slab_rows_of(rows, columns, lanes)
    slabs = None
    if slab_rows < rows:
        shape = sums * ceil_div(rows, slab_rows), columns
        slabs = memory.workspace("slabs of columns", shape, matrix.dtype)
    return {"slabs": slabs, "tickets": memory.tickets, "slab_rows": slab_rows, "lanes": lanes}


def lanes_of(rows: int, columns: int) -> int:
    """The columns that a block adds up, a power of two.

    A warp at most, so that even a narrow matrix has many blocks, and many threads for a column;
    more where the rows are fewer than these threads.
    """
    threads = 1 << (max(rows, 1).bit_length() - 1)  # of a column, each with a row at least
    return min(_power_of_two(columns), max(WARP, THREADS // threads))


def slab_rows_of(rows: int, columns: int, lanes: int) -> int:
    """The rows of a slab: LEAST_ROWS or more for each thread, in no more blocks than fill a GPU."""
    most = 2 * MULTIPROCESSORS // max(ceil_div(columns, lanes), 1)
    slabs = min(rows // (LEAST_ROWS * (THREADS // lanes)), most)
    return max(ceil_div(rows, max(slabs, 1)), 1)


# Elements of columns


def over_rows(sizes: Sizes) -> tuple[int, ...]:
    """The grid of a kernel that writes elements column by column: some rows, and some columns."""
    rows = THREADS // sizes["lanes"] * ITEMS["ITEMS"]
    return ceil_div(sizes["rows"], rows), ceil_div(sizes["columns"], sizes["lanes"])


def lanes_of_elements(columns: int) -> int:
    """The columns of a block where nothing is summed: a warp reads consecutive memory."""
    return min(_power_of_two(columns), WARP)


def _power_of_two(columns: int) -> int:
    """The least power of two that is not below."""
    return 1 << (columns - 1).bit_length()

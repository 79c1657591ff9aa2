"""Products of matrices, and sums over their rows."""

from typing import Any

import numpy as np

from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.cpu.products import product
from gpucnn.backends.cuda.kernel import THREADS, WARP, kernel
from gpucnn.backends.cuda.launch import LARGEST_GRID
from gpucnn.backends.cuda.memory import CudaMemory
from gpucnn.backends.memory import Array, Memory
from gpucnn.backends.ops.bounds import bounded, inner, rows, sums
from gpucnn.utils.arithmetic import ceil_div


class Matrices(Memory):
    """Definitions of matrix products and of sums over rows."""

    @bounded(out=sums(inner))
    def matmul(
        self,
        a: Array,
        b: Array,
        out: Array,
        *,
        transpose_a: bool = False,
        transpose_b: bool = False,
        bias: Array | None = None,
    ) -> None:
        """Compute the matrix product A B + bias.

        Args:
            a: real (m, k), or (k, m) if `transpose_a`.
            b: real (k, n), or (n, k) if `transpose_b`.
            out: real (m, n).
            transpose_a: whether A is the transpose of `a`.
            transpose_b: whether B is the transpose of `b`.
            bias: real (n,), added to every row, or None.
        """
        self.xp.matmul(a.T if transpose_a else a, b.T if transpose_b else b, out=out)
        if bias is not None:
            out += bias

    @bounded(out=sums(rows))
    def sum_rows(self, a: Array, out: Array) -> None:
        """Sum the rows of `a`, real (m, n), into `out`, real (n,)."""
        self.xp.sum(a, axis=0, out=out)


def as_rows(array: Array) -> Array:
    """A contiguous array as a matrix that keeps its last axis, a view."""
    return array.reshape(-1, array.shape[-1])


class CpuMatrices(CpuMemory, Matrices):
    """Matrix products in NumPy: BLAS on one thread, large products in small blocks."""

    def matmul(
        self,
        a: Array,
        b: Array,
        out: Array,
        *,
        transpose_a: bool = False,
        transpose_b: bool = False,
        bias: Array | None = None,
    ) -> None:
        product(a.T if transpose_a else a, b.T if transpose_b else b, out)
        if bias is not None:
            out += bias

    def sum_rows(self, a: Array, out: Array) -> None:
        """As a product with ones, which BLAS computes several times faster than NumPy the sum.

        NumPy adds row to row, and for a few columns spends its time on starting each row.
        """
        np.matmul(self._constant(1, len(a), a.dtype), a, out=out)


MATMUL_TILES = {
    # (rows, columns) of the outputs of a block, then of a thread
    "matmul": (64, 64, 4, 4),
    "matmul_tall": (128, 16, 4, 2),
    "matmul_small": (16, 16, 1, 1),
}
"""The tiles of the output of a product, by kernel: for any shape, for few columns, for few rows."""

TILE_K = 16
"""Terms of each sum that a block brings to shared memory at once."""

MOST_BLOCKS = 256
"""The most blocks that the terms of a product, or the rows of a sum, are split over."""

LEAST_TERMS = 256
"""The fewest terms of a product that are worth a block."""

LEAST_ROWS = 16
"""The fewest rows of a sum that are worth a thread."""


def _tiled(name: str) -> Any:
    tile_m, tile_n, thread_m, thread_n = MATMUL_TILES[name]
    return kernel(
        "matmul.cu",
        {"a": "*m*k", "b": "*k*n", "bias": "n", "out": "splits m n"},
        lambda sizes: (
            ceil_div(sizes["m"], tile_m),
            ceil_div(sizes["n"], tile_n),
            sizes["splits"],
        ),
        threads=tile_m // thread_m * (tile_n // thread_n),
        macros={
            "TILE_M": tile_m,
            "TILE_N": tile_n,
            "TILE_K": TILE_K,
            "THREAD_M": thread_m,
            "THREAD_N": thread_n,
        },
        function="matmul",
    )


class CudaMatrices(CudaMemory, Matrices):
    """Matrix products in CUDA: tiled in shared memory; long sums are split, and added in order."""

    _matmul = _tiled("matmul")
    _matmul_tall = _tiled("matmul_tall")
    _matmul_small = _tiled("matmul_small")

    def matmul(
        self,
        a: Array,
        b: Array,
        out: Array,
        *,
        transpose_a: bool = False,
        transpose_b: bool = False,
        bias: Array | None = None,
    ) -> None:
        """Where outputs are few and terms many, the terms are split over blocks."""
        m, n = out.shape
        k = a.shape[0] if transpose_a else a.shape[1]
        name = _matmul_kernel(m, n)
        split = _split(name, m, n, k)
        splits = max(ceil_div(k, split), 1)
        results = out.reshape(1, m, n)
        if splits > 1:
            results = self.workspace("matmul splits", (splits, m, n), out.dtype)
        kernels = {
            "matmul": self._matmul,
            "matmul_tall": self._matmul_tall,
            "matmul_small": self._matmul_small,
        }
        kernels[name](
            a=a,
            b=b,
            bias=bias,
            out=results,
            m=m,
            n=n,
            k=k,
            a_row=1 if transpose_a else k,
            a_column=m if transpose_a else 1,
            b_row=1 if transpose_b else n,
            b_column=k if transpose_b else 1,
            split=split,
        )
        if splits > 1:
            self._sum_slabs(results.reshape(splits, m * n), out.reshape(1, m * n), splits)

    def sum_rows(self, a: Array, out: Array) -> None:
        """Slabs of rows are summed first, then the slabs."""
        rows, columns = a.shape
        blocks = max(ceil_div(columns, _lanes(columns)), 1)
        rows_at_once = THREADS // _lanes(columns)
        most_slabs = max(MOST_BLOCKS // blocks, 1)
        slabs = min(max(ceil_div(rows, LEAST_ROWS * rows_at_once), 1), most_slabs)
        slab_rows = max(ceil_div(rows, slabs), 1)
        slabs = max(ceil_div(rows, slab_rows), 1)
        if slabs == 1:
            self._sum_slabs(a, out.reshape(1, columns), slab_rows)
            return
        sums = self.workspace("sum_rows slabs", (slabs, columns), a.dtype)
        self._sum_slabs(a, sums, slab_rows)
        self._sum_slabs(sums, out.reshape(1, columns), slabs)

    def _sum_slabs(self, a: Array, out: Array, slab_rows: int) -> None:
        """Sum each slab of `slab_rows` rows of `a` into a row of `out`."""
        lanes = _lanes(a.shape[1])
        self._sum_rows(a=a, out=out, slab_rows=slab_rows, lanes=lanes)

    _sum_rows = kernel(
        "sum_rows.cu",
        {"a": "rows columns", "out": "slabs columns"},
        lambda sizes: (ceil_div(sizes["columns"], sizes["lanes"]), sizes["slabs"]),
    )


def _matmul_kernel(m: int, n: int) -> str:
    """The kernel whose tiles suit a product of m rows and n columns."""
    small_m, small_n, *_ = MATMUL_TILES["matmul_small"]
    if m <= small_m and ceil_div(n, small_n) <= LARGEST_GRID[1]:
        return "matmul_small"
    return "matmul_tall" if n <= MATMUL_TILES["matmul_tall"][1] else "matmul"


def _split(name: str, m: int, n: int, k: int) -> int:
    """The number of a sum's k terms that each block adds up, a multiple of TILE_K.

    The terms are split into as many parts as make MOST_BLOCKS blocks in all, but into no more than
    one for every LEAST_TERMS terms.
    """
    tile_m, tile_n, *_ = MATMUL_TILES[name]
    tiles = max(ceil_div(m, tile_m) * ceil_div(n, tile_n), 1)
    splits = max(min(MOST_BLOCKS // tiles, ceil_div(k, LEAST_TERMS)), 1)
    return max(ceil_div(ceil_div(k, splits), TILE_K), 1) * TILE_K


def _lanes(columns: int) -> int:
    """The number of columns rounded up to a power of two, at most a warp."""
    return min(1 << (columns - 1).bit_length(), WARP)

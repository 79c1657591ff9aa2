"""Products of matrices, and sums over their rows."""

from functools import cache
from typing import NamedTuple

import numpy as np

from gpucnn.backends.calls import Calls, bindable
from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.cpu.products import bound_product
from gpucnn.backends.cuda.columns import COLUMNS, SUMMING, over_columns, summing
from gpucnn.backends.cuda.kernel import MULTIPROCESSORS, kernel
from gpucnn.backends.cuda.memory import TICKETS, CudaMemory
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

    @bindable
    def matmul(
        self,
        calls: Calls,
        a: Array,
        b: Array,
        out: Array,
        *,
        transpose_a: bool = False,
        transpose_b: bool = False,
        bias: Array | None = None,
    ) -> None:
        calls.add(bound_product(a.T if transpose_a else a, b.T if transpose_b else b, out))
        if bias is not None:
            rows = out[0] if len(out) == 1 else out  # vector to vector, which needs no iterator
            calls.add(np.add, rows, bias, rows)

    @bindable
    def sum_rows(self, calls: Calls, a: Array, out: Array) -> None:
        """As a product with ones, which BLAS computes several times faster than NumPy the sum.

        NumPy adds row to row, and for a few columns spends its time on starting each row.
        """
        calls.add(self._constant(1, len(a), a.dtype).dot, a, out)


LATENCY = 700
"""The cycles from a load from the L2 cache until its number has been put to use."""

BLOCK = 500
"""The cycles that a block of a product takes of a multiprocessor besides its multiply-adds."""

MOST_SPLITS = 256
"""The most blocks that the terms of an output are split over."""


class Tiling(NamedTuple):
    """How a product is shared out: the constants of its kernel.

    Attributes:
        tile: the rows, and the columns, of the outputs of a block.
        thread: those of a thread.
        terms: the terms of each sum that a block has in shared memory at once, in float32.
        at_once: the splits of a sum that are loaded at once when they are added up.
        blocks: the blocks that a multiprocessor has registers for, in float32.
    """

    tile: int
    thread: int
    terms: int
    at_once: int
    blocks: int

    def tiles(self, m: int, n: int) -> int:
        """The tiles of m by n outputs."""
        return ceil_div(m, self.tile) * ceil_div(n, self.tile)


TILINGS = (
    Tiling(tile=16, thread=4, terms=64, at_once=16, blocks=3),
    Tiling(tile=32, thread=4, terms=64, at_once=16, blocks=3),
    Tiling(tile=64, thread=8, terms=32, at_once=4, blocks=2),
    Tiling(tile=128, thread=8, terms=16, at_once=4, blocks=2),
)


class CudaMatrices(CudaMemory, Matrices):
    """Matrix products in CUDA: tiled in shared memory; long sums are split, and added in order."""

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
        tiling, split = plan(m, n, k)
        self._matmul(
            a=a,
            b=b,
            bias=bias,
            out=out,
            slabs=self.slabs(tiling, tiling.tiles(m, n), k, split, out),
            tickets=self.tickets,
            m=m,
            n=n,
            k=k,
            a_transposed=transpose_a,
            b_transposed=transpose_b,
            split=split,
            **tiling._asdict(),
        )

    _matmul = kernel(
        "matmul.cu",
        {
            "a": "*m*k",
            "b": "*k*n",
            "bias": "n",
            "out": "m n",
            "slabs": "slab_elements",
            "tickets": "tickets",
        },
        lambda sizes: (
            ceil_div(sizes["m"], sizes["tile"]) * ceil_div(sizes["n"], sizes["tile"]),
            max(ceil_div(sizes["k"], sizes["split"]), 1),
        ),
        constants=Tiling._fields,
        samples=lambda real: [tiling._asdict() for tiling in TILINGS],
    )

    def slabs(self, tiling: Tiling, tiles: int, k: int, split: int, out: Array) -> Array | None:
        """Memory for sums of k terms that add up to `out`, if these are split."""
        if split >= k:
            return None
        elements = ceil_div(k, split) * tiles * tiling.tile**2
        return self.workspace("matmul slabs", (elements,), out.dtype)

    def sum_rows(self, a: Array, out: Array) -> None:
        self._sum_rows(a=a, out=out, **summing(self, a))

    _sum_rows = kernel("sum_rows.cu", {"a": COLUMNS, "out": "columns"} | SUMMING, over_columns)


@cache
def plan(m: int, n: int, k: int) -> tuple[Tiling, int]:
    """The tiling, and the terms that each block adds up, that are estimated to take least time."""
    plans = ((tiling, split) for tiling in TILINGS for split in _splits(tiling, m, n, k))
    return min(plans, key=lambda plan: _cycles(plan[0], plan[1], m, n, k))


def _splits(tiling: Tiling, m: int, n: int, k: int) -> set[int]:
    """The numbers of terms that a block may be given: multiples of those in shared memory."""
    steps = max(ceil_div(k, tiling.terms), 1)
    has_tickets = tiling.tiles(m + tiling.tile, n) <= TICKETS  # also for the sums of columns
    most = min(steps, MOST_SPLITS) if has_tickets else 1
    return {ceil_div(steps, splits) * tiling.terms for splits in range(1, most + 1)}


def _cycles(tiling: Tiling, split: int, m: int, n: int, k: int) -> float:
    """Estimate the cycles of a product.

    A multiprocessor makes 128 multiply-adds a cycle: a warp whose threads have t x t outputs takes
    t^2 / 4 cycles for a term, and t more to read its numbers from shared memory, in t / 2 loads. It
    gets 32 bytes of A and B a cycle from the L2 cache. One tile of terms at a time is on its way,
    so each takes a latency at least. With splits, it takes a latency to write a slab, another to
    count the block, and one for every batch of slabs that the last block adds up, or as long as
    these take at 64 bytes a cycle.
    """
    tile = tiling.tile
    splits = max(ceil_div(k, split), 1)
    blocks = ceil_div(tiling.tiles(m, n) * splits, MULTIPROCESSORS)  # of a multiprocessor
    term = max(tile * tile / 128 * (1 + 4 / tiling.thread), 2 * tile * 4 / 32)
    products = split // tiling.terms * max(blocks * tiling.terms * term, LATENCY)
    batch = max(tiling.at_once * tile * tile * 4 / 64, LATENCY)
    adding = 2 * LATENCY + ceil_div(splits, tiling.at_once) * batch if splits > 1 else 0
    return LATENCY + products + blocks * BLOCK + adding

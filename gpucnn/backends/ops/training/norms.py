"""Euclidean norms, and arrays that are scaled by them."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate

import numpy as np

from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.cuda.kernel import THREADS, kernel
from gpucnn.backends.cuda.memory import CudaMemory
from gpucnn.backends.memory import Array, Memory
from gpucnn.backends.ops.bounds import Bound, bounded, norm


class Norms(Memory):
    """Definitions of what is scaled by a norm."""

    @bounded(values=Bound(norm, "result"))
    def clip_norms(
        self, values: Array, sizes: tuple[int, ...], *, limit: float, nan_if_infinite: bool
    ) -> None:
        """Scale down each of several arrays whose norm is above a limit, to that norm.

        Each is multiplied by limit / max(norm, limit), which is NaN where the norm is. Where the
        norm is infinite that is 0, which makes infinite elements NaN and all others 0.

        Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks",
        ICML 2013.

        Args:
            values: real (p,), the arrays one after the other, updated.
            sizes: their numbers of elements, each at least 1.
            limit: above 0.
            nan_if_infinite: whether an infinite norm makes all elements of its array NaN instead.
        """
        for part in _parts(values, sizes):
            size = self.xp.sqrt(self.xp.sum(part**2))
            part *= limit / self.xp.maximum(size, limit)
            if nan_if_infinite:
                part += size - size

    @bounded(values=Bound(norm, "result"))
    def unit_norm(self, values: Array, *, epsilon: float) -> None:
        """Divide an array by its norm plus `epsilon`, which keeps the quotient finite.

        Args:
            values: real, of any shape, updated.
            epsilon: above 0.
        """
        values /= self.xp.sqrt(self.xp.sum(values**2)) + epsilon


def _parts(values: Array, sizes: Sequence[int]) -> Iterator[Array]:
    """Views of the arrays that lie one after the other in `values`."""
    for end, size in zip(accumulate(sizes), sizes, strict=True):
        yield values[end - size : end]


class CpuNorms(CpuMemory, Norms):
    """Norms by BLAS's dot product; an array within its limit is not written to."""

    def clip_norms(
        self, values: Array, sizes: tuple[int, ...], *, limit: float, nan_if_infinite: bool
    ) -> None:
        for part in _parts(values, sizes):
            size = np.sqrt(np.dot(part, part))
            if size <= limit:
                continue
            part *= size - size if nan_if_infinite and np.isinf(size) else limit / size

    def unit_norm(self, values: Array, *, epsilon: float) -> None:
        flat = values.ravel(order="K")
        values /= np.sqrt(np.dot(flat, flat)) + values.dtype.type(epsilon)


ITEMS = 16
"""Elements per thread: many, since each block adds up the sums of all blocks of its array."""

PIECE = THREADS * ITEMS
"""The most elements of a piece of an array, the work of a block."""


class CudaNorms(CudaMemory, Norms):
    """Norms in CUDA.

    A launch sums the squares of pieces of the arrays, the next one adds up these sums and scales.
    """

    def clip_norms(
        self, values: Array, sizes: tuple[int, ...], *, limit: float, nan_if_infinite: bool
    ) -> None:
        pieces, partners, sums = self._summed(values, sizes)
        self._clip_norms(
            values=values,
            pieces=pieces,
            partners=partners,
            sums=sums,
            limit=limit,
            nan_if_infinite=nan_if_infinite,
        )

    def unit_norm(self, values: Array, *, epsilon: float) -> None:
        pieces, _, sums = self._summed(values, (values.size,))
        self._unit_norm(values=values, pieces=pieces, sums=sums, epsilon=epsilon)

    def _summed(self, values: Array, sizes: tuple[int, ...]) -> tuple[Array, Array, Array]:
        """The pieces of arrays, the partners of each, and the sum of the squares of each."""
        if sizes not in self._pieces:
            self._pieces[sizes] = tuple(self.asarray(each) for each in _pieces(sizes))
        pieces, partners = self._pieces[sizes]
        sums = self.workspace("sums of squares", (len(pieces),), values.dtype)
        self._sum_squares(values=values, pieces=pieces, sums=sums)
        return pieces, partners, sums

    @cached_property
    def _pieces(self) -> dict[tuple[int, ...], tuple[Array, ...]]:
        """The pieces and their partners, by the sizes of the arrays."""
        return {}

    _sum_squares = kernel(
        "norms.cu",
        {"values": "*size", "pieces": "blocks 2", "sums": "blocks"},
        lambda sizes: (sizes["blocks"],),
        macros={"ITEMS": ITEMS},
    )
    _clip_norms = kernel(
        "norms.cu",
        {"values": "*size", "pieces": "blocks 2", "partners": "blocks 2", "sums": "blocks"},
        lambda sizes: (sizes["blocks"],),
        macros={"ITEMS": ITEMS},
    )
    _unit_norm = kernel(
        "norms.cu",
        {"values": "*size", "pieces": "blocks 2", "sums": "blocks"},
        lambda sizes: (sizes["blocks"],),
        macros={"ITEMS": ITEMS},
    )


def _pieces(sizes: Sequence[int]) -> tuple[Array, Array]:
    """The pieces of arrays that lie one after the other, and the partners of each.

    Returns:
        int64 (pieces, 2), the first element of each piece and the end of its elements; and likewise
        the first piece of its array and the end of that array's pieces.
    """
    pieces: list[tuple[int, int]] = []
    partners: list[tuple[int, int]] = []
    for end, size in zip(accumulate(sizes), sizes, strict=True):
        starts = range(end - size, end, PIECE)
        partners += [(len(pieces), len(pieces) + len(starts))] * len(starts)
        pieces += [(start, min(start + PIECE, end)) for start in starts]
    return np.array(pieces, np.int64), np.array(partners, np.int64)

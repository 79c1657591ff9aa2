"""Dropout and other draws, with the counter-based random number generator Philox4x32-10.

Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. A
counter-based generator has no state: the random words of a counter are a function of the counter
and the key alone. So every element of an array can be drawn independently, in any order and on any
device, with the same result.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.cuda.kernel import THREADS, Sizes, kernel
from gpucnn.backends.cuda.memory import CudaMemory
from gpucnn.backends.memory import Array
from gpucnn.backends.ops.bounds import EXACT, Bound, always, bounded
from gpucnn.backends.ops.elementwise import Elementwise
from gpucnn.backends.window import Pair
from gpucnn.utils.arithmetic import ceil_div

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_INCREMENTS = (0x9E3779B9, 0xBB67AE85)
LOW_WORD = 0xFFFFFFFF


def philox4x32(
    xp: Any, counters: NDArray[Any], products: NDArray[Any], key: tuple[int, int]
) -> None:
    """Replace each counter with its four random words, in place.

    Args:
        xp: NumPy, or a module with its interface.
        counters: uint64 (4, n), n counters of four words below 2^32, overwritten with random words.
        products: uint64 (2, n), scratch.
        key: two words below 2^32.
    """
    even, odd, crossed = counters[::2], counters[1::2], products[::-1]
    multipliers, low_word, word_bits = _pair(xp, MULTIPLIERS), xp.uint64(LOW_WORD), xp.uint64(32)
    for round_key in _round_keys(xp, key):
        xp.multiply(even, multipliers, out=products)
        xp.right_shift(crossed, word_bits, out=even)
        even ^= odd
        even ^= round_key
        xp.bitwise_and(crossed, low_word, out=odd)


def _round_keys(xp: Any, key: tuple[int, int]) -> NDArray[Any]:
    """The two words of each round, uint64 (rounds, 2, 1)."""
    numbers = xp.arange(ROUNDS, dtype=np.uint64)[:, None, None]
    summed = _pair(xp, key) + numbers * _pair(xp, KEY_INCREMENTS)
    return summed & xp.uint64(LOW_WORD)  # type: ignore[no-any-return]


def _pair(xp: Any, words: tuple[int, int]) -> NDArray[Any]:
    """Two words as a column, uint64 (2, 1)."""
    return xp.array(words, dtype=np.uint64)[:, None]  # type: ignore[no-any-return]


class Random(Elementwise):
    """Definitions of dropout, and of what is drawn for each image.

    Word number w of a stream at a step is number w % 4 of the block of Philox4x32-10 with key (low
    word of seed, high word of seed) and counter (low word of w // 4, high word of w // 4, step mod
    2^32, stream): the same on every device.

    The operations share these arguments:

    - seed: in [0, 2^64).
    - stream: in [0, 2^32), a different one for each layer of a model that draws.
    - step: int64 (1,), the number of the training step.
    """

    @bounded(mask=EXACT, out=Bound(always(2), "result"))
    def dropout(
        self,
        x: Array,
        rate: float,
        seed: int,
        stream: int,
        step: Array,
        mask: Array,
        out: Array,
        first: int = 0,
    ) -> None:
        """Zero a share `rate` of the elements, and scale up the rest (inverted dropout).

        The gradient of the input is the output gradient times `mask`.

        Srivastava et al., "Dropout", JMLR 15 (2014).

        Args:
            x: real, of any shape.
            rate: in [0, 1).
            seed: see the class, as for `stream` and `step`.
            stream: likewise.
            step: likewise.
            mask: real, of x's shape, written, see `draw_mask`.
            out: real, of x's shape.
            first: the index of the first element of `x` in the batch.
        """
        self.draw_mask(rate, seed, stream, step, mask, first)
        self.multiply(x, mask, out)

    @bounded(mask=EXACT)
    def draw_mask(
        self, rate: float, seed: int, stream: int, step: Array, mask: Array, first: int = 0
    ) -> None:
        """Draw the mask of dropout: 0, or 1 / (1 - rate) for elements that are kept.

        Element i of the whole batch in row-major order, of which `mask` is the part that begins
        with element `first`, is kept if random word i is at least floor(`rate` * 2^32).

        Args:
            rate: in [0, 1).
            seed: see the class, as for `stream` and `step`.
            stream: likewise.
            step: likewise.
            mask: real, of any shape.
            first: the index of its first element in the batch.
        """
        words = self._random_words(first, mask.size, seed, stream, step)
        keep = words >= int(rate * 2**32)
        mask[...] = keep.reshape(mask.shape) * (1 / (1 - rate))

    @bounded(out=EXACT)
    def draw_integers(
        self,
        lows: Pair,
        highs: Pair,
        seed: int,
        stream: int,
        step: Array,
        out: Array,
        first: int = 0,
    ) -> None:
        """Draw two whole numbers for each image, each from its low to its high, both included.

        Number k of image i of the whole batch is low + floor(word * (high - low + 1) / 2^32), of
        random word 4 i + k.

        Args:
            lows: in [-2^31, 2^31), like `highs`; of the two numbers.
            highs: none below its low.
            seed: see the class, as for `stream` and `step`.
            stream: likewise.
            step: likewise.
            out: int32 (n, 2).
            first: the number in the batch of the first image.
        """
        words = self._random_words(4 * first, 4 * len(out), seed, stream, step).reshape(-1, 4)
        for k, (low, high) in enumerate(zip(lows, highs, strict=True)):
            counted = words[:, k] * self.xp.uint64(high - low + 1) >> self.xp.uint64(32)
            out[:, k] = counted.astype(np.int64) + low

    def _random_words(self, first: int, count: int, seed: int, stream: int, step: Array) -> Array:
        """Draw words `first` to `first` + `count` - 1 of a stream at a step: uint64, below 2^32."""
        first_block, skipped = divmod(first, 4)
        blocks = ceil_div(skipped + count, 4)
        words = self.workspace("philox words", (blocks, 4), np.uint64)
        words[...] = self._random_blocks(first_block, blocks, seed, stream, step).T
        return words.reshape(-1)[skipped : skipped + count]

    def _random_blocks(self, first: int, count: int, seed: int, stream: int, step: Array) -> Array:
        """Draw the four words of each of the blocks `first` to `first` + `count` - 1.

        Returns:
            uint64 (4, count), below 2^32.
        """
        counters = self.workspace("philox counters", (4, count), np.uint64)
        products = self.workspace("philox products", (2, count), np.uint64)
        counters[0] = self.counting(count)
        counters[0] += self.xp.uint64(first)
        self.xp.right_shift(counters[0], self.xp.uint64(32), out=counters[1])
        counters[0] &= self.xp.uint64(LOW_WORD)
        counters[2] = step & LOW_WORD
        counters[3] = stream
        philox4x32(self.xp, counters, products, (seed & LOW_WORD, seed >> 32))
        return counters


class CpuRandom(CpuMemory, Random):
    """Draws in NumPy, without temporary arrays of the size of a batch."""

    def draw_mask(
        self, rate: float, seed: int, stream: int, step: Array, mask: Array, first: int = 0
    ) -> None:
        first_block, skipped = divmod(first, 4)
        blocks = ceil_div(skipped + mask.size, 4)
        keep = self.workspace("keep", (blocks, 4), np.bool_)
        drawn = self._random_blocks(first_block, blocks, seed, stream, step)
        for words, are_kept in zip(drawn, keep.T, strict=True):
            np.greater_equal(words, int(rate * 2**32), out=are_kept)
        kept = keep.reshape(-1)[skipped : skipped + mask.size].reshape(mask.shape)
        np.multiply(kept, mask.dtype.type(1 / (1 - rate)), out=mask)

    def draw_integers(
        self,
        lows: Pair,
        highs: Pair,
        seed: int,
        stream: int,
        step: Array,
        out: Array,
        first: int = 0,
    ) -> None:
        words = self._random_words(4 * first, 4 * len(out), seed, stream, step).reshape(-1, 4)
        counted = self.workspace("counted", (len(out),), np.uint64)
        for k, (low, high) in enumerate(zip(lows, highs, strict=True)):
            np.multiply(words[:, k], np.uint64(high - low + 1), out=counted)
            np.right_shift(counted, np.uint64(32), out=counted)
            np.add(counted.view(np.int64), low, out=out[:, k], casting="unsafe")


def _dropping(rate: float) -> dict[str, Any]:
    """What kernels take for the rate of dropout."""
    return {"threshold": int(rate * 2**32), "scale": 1 / (1 - rate)}


def generator(seed: int, stream: int) -> dict[str, int]:
    """What kernels take for a stream of random words."""
    return {"key_low": seed & LOW_WORD, "key_high": seed >> 32, "stream": stream}


def _over_blocks_of_words(sizes: Sizes) -> tuple[int, ...]:
    """The grid over `size` elements, a block of four words to a thread, the first in part."""
    return (ceil_div(sizes["first"] % 4 + sizes["size"], 4 * THREADS),)


class CudaRandom(CudaMemory, Random):
    """Draws in CUDA: a thread draws one block of the generator, for 4 elements or an image."""

    def dropout(
        self,
        x: Array,
        rate: float,
        seed: int,
        stream: int,
        step: Array,
        mask: Array,
        out: Array,
        first: int = 0,
    ) -> None:
        drawn = _dropping(rate) | generator(seed, stream)
        self._dropout(x=x, step=step, mask=mask, out=out, first=first, **drawn)

    def draw_mask(
        self, rate: float, seed: int, stream: int, step: Array, mask: Array, first: int = 0
    ) -> None:
        drawn = _dropping(rate) | generator(seed, stream)
        self._draw_mask(step=step, mask=mask, first=first, **drawn)

    def draw_integers(
        self,
        lows: Pair,
        highs: Pair,
        seed: int,
        stream: int,
        step: Array,
        out: Array,
        first: int = 0,
    ) -> None:
        limits = {"low_0": lows[0], "high_0": highs[0], "low_1": lows[1], "high_1": highs[1]}
        self._draw_integers(step=step, out=out, first=first, **limits, **generator(seed, stream))

    _dropout = kernel(
        "dropout.cu",
        {"x": "*size", "step": "1", "mask": "*size", "out": "*size"},
        _over_blocks_of_words,
    )
    _draw_mask = kernel("dropout.cu", {"step": "1", "mask": "*size"}, _over_blocks_of_words)
    _draw_integers = kernel(
        "draw_integers.cu",
        {"step": "1", "out": "images 2"},
        lambda sizes: (ceil_div(sizes["images"], THREADS),),
    )

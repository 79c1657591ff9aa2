"""The Philox4x32-10 counter-based random generator, over whole arrays.

Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. A
counter-based generator has no state that steps forward: the words for a counter are a function of
the counter and the key alone. So every element of an array can be drawn by itself, in any order and
on any device, with the same result.
"""

from typing import Any

from numpy.typing import NDArray

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_INCREMENTS = (0x9E3779B9, 0xBB67AE85)
LOW_WORD = 0xFFFFFFFF


def philox4x32(
    xp: Any, counters: NDArray[Any], products: NDArray[Any], key: tuple[int, int]
) -> None:
    """Replace each counter by its four random words, in place.

    Args:
        xp: NumPy, or a module with its interface.
        counters: uint64 (4, n), n counters of four words below 2^32; on return the random words.
        products: uint64 (2, n), scratch.
        key: two words below 2^32.
    """
    c0, c1, c2, c3 = counters
    p0, p1 = products
    low_word, word_bits = xp.uint64(LOW_WORD), xp.uint64(32)
    for k0, k1 in _round_keys(key):
        xp.multiply(c0, xp.uint64(MULTIPLIERS[0]), out=p0)
        xp.multiply(c2, xp.uint64(MULTIPLIERS[1]), out=p1)
        xp.right_shift(p1, word_bits, out=c0)
        c0 ^= c1
        c0 ^= xp.uint64(k0)
        xp.right_shift(p0, word_bits, out=c2)
        c2 ^= c3
        c2 ^= xp.uint64(k1)
        xp.bitwise_and(p1, low_word, out=c1)
        xp.bitwise_and(p0, low_word, out=c3)


def _round_keys(key: tuple[int, int]) -> list[tuple[int, int]]:
    return [
        (
            (key[0] + number * KEY_INCREMENTS[0]) & LOW_WORD,
            (key[1] + number * KEY_INCREMENTS[1]) & LOW_WORD,
        )
        for number in range(ROUNDS)
    ]

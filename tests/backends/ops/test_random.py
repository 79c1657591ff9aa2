"""The random generator against its published answers, and the masks that dropout makes of it."""

import numpy as np
import pytest
from numpy.typing import NDArray

import loops
from gpucnn.backends import Array, Backend, CpuBackend
from gpucnn.backends.ops.random import philox4x32

Block = tuple[int, int, int, int]
Key = tuple[int, int]

ALL_ONES = 0xFFFFFFFF

# From kat_vectors of the Random123 library: counter, key, words.
KNOWN_ANSWERS: list[tuple[Block, Key, Block]] = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    (
        (ALL_ONES, ALL_ONES, ALL_ONES, ALL_ONES),
        (ALL_ONES, ALL_ONES),
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def random_words(counters: NDArray[np.uint64], key: Key) -> NDArray[np.uint64]:
    """The words for counters of shape (4, n)."""
    words = counters.copy()
    philox4x32(np, words, np.empty((2, counters.shape[1]), np.uint64), key)
    return words


def dropout_mask(
    backend: Backend, *shape: int, rate: float = 0.25, seed: int = 1, stream: int = 2, step: int = 3
) -> Array:
    mask, out = np.empty(shape), np.empty(shape)
    backend.dropout(np.ones(shape), rate, seed, stream, np.array([step], np.int64), mask, out)
    return mask


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN_ANSWERS)
def test_known_answers(counter: Block, key: Key, words: Block) -> None:
    counters = np.array(counter, np.uint64)[:, None]
    assert tuple(random_words(counters, key)[:, 0]) == words


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN_ANSWERS)
def test_known_answers_of_the_loops(counter: Block, key: Key, words: Block) -> None:
    assert loops.philox(counter, key) == words


def test_many_counters_at_once_are_each_one_alone() -> None:
    counters = np.random.default_rng(0).integers(2**32, size=(4, 50), dtype=np.uint64)
    key = 0x01234567, 0x89ABCDEF
    alone = [loops.philox((int(a), int(b), int(c), int(d)), key) for a, b, c, d in counters.T]
    np.testing.assert_array_equal(random_words(counters, key).T, alone)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_its_share(rate: float) -> None:
    count = 100_000
    kept = np.count_nonzero(dropout_mask(CpuBackend(), count, rate=rate)) / count
    standard_error = (rate * (1 - rate) / count) ** 0.5
    assert abs(kept - (1 - rate)) < 5 * standard_error


def test_neighbours_are_dropped_independently() -> None:
    count = 100_000
    kept = dropout_mask(CpuBackend(), count, rate=0.5) != 0
    both = np.count_nonzero(kept[1:] & kept[:-1]) / count
    assert abs(both - 0.25) < 5 * (0.25 * 0.75 / count) ** 0.5


@pytest.mark.parametrize(
    "change",
    [{"seed": 2}, {"seed": 1 + 2**32}, {"stream": 3}, {"step": 4}],
    ids=["seed", "high word of the seed", "stream", "step"],
)
def test_another_draw_gives_another_mask(change: dict[str, int]) -> None:
    backend = CpuBackend()
    one, other = dropout_mask(backend, 1000), dropout_mask(backend, 1000, **change)
    differing = np.count_nonzero(one != other) / 1000
    expected = 2 * 0.25 * 0.75  # two independent draws differ where one keeps and the other drops
    assert abs(differing - expected) < 5 * (expected * (1 - expected) / 1000) ** 0.5


def test_mask_begins_the_same_for_any_batch_size() -> None:
    backend = CpuBackend()
    small, large = dropout_mask(backend, 2, 7, 5), dropout_mask(backend, 5, 7, 5)
    np.testing.assert_array_equal(small, large[:2])


def test_step_counts_modulo_a_word() -> None:
    backend = CpuBackend()
    one, other = dropout_mask(backend, 1000, step=5), dropout_mask(backend, 1000, step=5 + 2**32)
    np.testing.assert_array_equal(one, other)


class FarAlong(Backend):
    """A backend whose count of blocks starts shortly before a word overflows."""

    first = 2**32 - 2

    def counting(self, count: int) -> Array:
        return super().counting(count) + self.first


def test_high_word_of_the_block_number() -> None:
    mask = dropout_mask(FarAlong(), 16, rate=0.5, seed=1, stream=2, step=3)
    elements = range(4 * FarAlong.first, 4 * FarAlong.first + 16)
    expected = [loops.dropout_factor(element, 0.5, 1, 2, 3) for element in elements]
    np.testing.assert_array_equal(mask, expected)

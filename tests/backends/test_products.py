"""Blocks of products."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from backends.strategies import SETTINGS
from gpucnn.backends.products import BLOCK, SHORTEST, WORTH, count_blocks, in_blocks, product


@pytest.mark.parametrize("transpose_out", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize(
    ("rows", "inner", "columns"), [(10, 1352, 128), (1352, 64, 10), (31, 97, 101), (3, 5, 7)]
)
def test_blocks_make_the_product(
    rows: int, inner: int, columns: int, transpose_a: bool, transpose_b: bool, transpose_out: bool
) -> None:
    generator = np.random.default_rng(0)
    # Of whole numbers, whose sums are exact in any order.
    a, b = generator.integers(-9, 10, (rows, inner)), generator.integers(-9, 10, (inner, columns))
    out = np.full((rows, columns), np.nan, order="F" if transpose_out else "C")
    product(
        a.astype(float, order="F" if transpose_a else "C"),
        b.astype(float, order="F" if transpose_b else "C"),
        out,
    )
    assert_array_equal(out, a @ b)


def test_some_of_these_are_shared_out() -> None:
    assert WORTH < 31 * 97 * 101
    assert count_blocks(1352, 64 * 10, 10) == 13
    assert count_blocks(128, 10 * 1352) == 4


@given(columns=st.integers(1, 10**6), column=st.integers(1, 10**5))
@SETTINGS
def test_blocks_are_of_equal_width_and_neither_large_nor_narrow(columns: int, column: int) -> None:
    blocks = count_blocks(columns, column)
    assert columns % blocks == 0
    if blocks > 1:
        assert columns // blocks * column <= BLOCK
        assert columns // blocks >= SHORTEST


@pytest.mark.parametrize(
    ("columns", "column", "blocks"),
    [
        (13 * 64, 32 * 17, 1),
        (2 * 13 * 64, 32 * 17, 2),
        (3 * 13 * 64, 32 * 17, 3),
        (10**6 + 3, 32 * 17, 1),  # a prime
        (25 * 64, 64 * 289, 1),  # blocks of 27 columns at the most
    ],
)
def test_blocks_are_as_few_as_can_be(columns: int, column: int, blocks: int) -> None:
    assert count_blocks(columns, column) == blocks


def test_blocks_are_columns_of_the_matrix() -> None:
    matrix = np.arange(24).reshape(2, 2, 6)
    blocks = in_blocks(matrix, 3)
    assert blocks.shape == (2, 3, 2, 2)
    assert_array_equal(blocks[1, 2], matrix[1, :, 4:])
    assert np.shares_memory(blocks, matrix)

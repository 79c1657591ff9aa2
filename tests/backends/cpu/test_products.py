"""Blocks of products."""

from collections.abc import Iterator
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from gpucnn.backends import Array
from gpucnn.backends.cpu.products import (
    BLOCK,
    SHORTEST,
    count_blocks,
    has_kernels_of_small_matrices,
    in_blocks,
    product,
)

KERNELS = "gpucnn.backends.cpu.products.has_kernels_of_small_matrices"


@pytest.fixture(autouse=True)
def small_kernels() -> Iterator[None]:
    """As where BLAS has kernels of small matrices."""
    with patch(KERNELS, lambda: True):
        yield


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


@pytest.mark.parametrize(
    ("a", "b", "blocks"),
    [
        (np.ones((10, 1352)), np.ones((1352, 128)), [2, 2]),
        (np.ones((1352, 128)), np.ones((128, 10)), [2, 2]),
        (np.ones((1352, 64)), np.ones((10, 64)).T, [13, 13]),  # dot products of rows
        (np.ones((10, 25)), np.ones((25, 1000)), []),  # no more than it is worth
        (np.ones((1, 1000)), np.ones((1000, 1000)), []),  # a single row
    ],
)
def test_large_products_are_shared_out(a: Array, b: Array, blocks: list[int]) -> None:
    with patch("gpucnn.backends.cpu.products.in_blocks", wraps=in_blocks) as called:
        product(a, b, np.empty((len(a), b.shape[1])))
    assert [call.args[1] for call in called.call_args_list] == blocks


@given(columns=st.integers(1, 10**6), column=st.integers(1, 10**5))
def test_blocks_are_of_equal_width_and_neither_large_nor_narrow(columns: int, column: int) -> None:
    blocks = count_blocks(columns, column)
    assert columns % blocks == 0
    if blocks > 1:
        assert columns // blocks * column <= BLOCK
        assert columns // blocks >= SHORTEST


@pytest.mark.parametrize(
    ("columns", "column", "blocks"),
    [
        (1000, 1000, 1),
        (2000, 1000, 2),
        (2002, 1000, 7),  # 3 to 6 do not divide it
        (10**6 + 3, 1000, 1),  # a prime
        (64, 64 * 288, 2),
        (64, 64 * 800, 1),  # blocks of 19 columns at the most
    ],
)
def test_blocks_are_as_few_as_can_be(columns: int, column: int, blocks: int) -> None:
    assert count_blocks(columns, column) == blocks


def test_no_blocks_without_kernels_of_small_matrices() -> None:
    with patch(KERNELS, lambda: False):
        assert count_blocks(2000, 1000) == 1


@pytest.mark.parametrize(
    ("architectures", "has"), [(["Haswell"], False), (["Zen", "SkylakeX"], True), ([None], False)]
)
def test_kernels_of_small_matrices(architectures: list[str | None], has: bool) -> None:
    libraries = [{"architecture": each} if each else {} for each in architectures]
    with patch("gpucnn.backends.cpu.products.threadpool_info", lambda: libraries):
        assert has_kernels_of_small_matrices.__wrapped__() == has


def test_blocks_are_columns_of_the_matrix() -> None:
    matrix = np.arange(24).reshape(2, 2, 6)
    blocks = in_blocks(matrix, 3)
    assert blocks.shape == (2, 3, 2, 2)
    assert_array_equal(blocks[1, 2], matrix[1, :, 4:])
    assert np.shares_memory(blocks, matrix)


def test_blocks_of_a_matrix_without_rows() -> None:
    """What multiplies pixels that no output reads."""
    assert in_blocks(np.zeros((2, 0, 6)), 3).shape == (2, 3, 0, 2)

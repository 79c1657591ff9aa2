"""Views of arrays whose images lie innermost in memory."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gpucnn.backends.cpu.layout import LONGEST, copy_runs, images_last, runs


def numbers(*shape: int, dtype: str = "float32") -> "np.ndarray[tuple[int, ...], np.dtype]":
    return np.arange(np.prod(shape), dtype=dtype).reshape(shape)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("images", [2, 3, LONGEST])
def test_a_run_is_one_element(images: int, dtype: str) -> None:
    strided = numbers(6, 4, images, dtype=dtype)[::2].transpose(1, 0, 2)
    (view,) = runs(strided)
    assert view.shape == (4, 3)
    assert view.itemsize == images * np.dtype(dtype).itemsize
    assert np.shares_memory(view, strided)


@pytest.mark.parametrize("images", [1, LONGEST + 1])
def test_runs_of_one_value_or_many_are_left_as_they_are(images: int) -> None:
    array = numbers(4, images)
    assert runs(array)[0] is array


def test_arrays_of_which_one_has_no_contiguous_runs_are_left_as_they_are() -> None:
    contiguous, strided = numbers(3, 2), numbers(2, 3).T
    assert [each.shape for each in runs(contiguous, strided)] == [(3, 2), (3, 2)]


@pytest.mark.parametrize("images", [1, 2, 5, LONGEST + 1])
def test_copy_of_runs(images: int) -> None:
    source, out = numbers(3, 4, images).transpose(1, 0, 2), np.zeros((4, 3, images), np.float32)
    copy_runs(source, out)
    assert_array_equal(out, source)


def test_copy_of_runs_that_are_not_contiguous() -> None:
    source, out = images_last(numbers(5, 3, 4)), np.zeros((3, 4, 5), np.float32)
    copy_runs(source, out)
    assert_array_equal(out, source)

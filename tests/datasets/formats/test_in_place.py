import tracemalloc

import numpy as np
import pytest

from gpucnn.datasets.formats import in_place as module
from gpucnn.datasets.formats.in_place import joined, rearranged, without_first


@pytest.mark.parametrize("at_once", [1, 3, 100])
@pytest.mark.parametrize("axes", [(0, 2, 3, 1), (0, 3, 2, 1), (0, 1, 3, 2)])
def test_images_are_transposed_in_place(
    at_once: int, axes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    images = np.arange(7 * 4 * 5 * 3).reshape(7, 4, 5, 3)
    expected = images.transpose(axes).copy()
    result = rearranged(images, axes)
    np.testing.assert_array_equal(result, expected, strict=True)
    assert result.flags.c_contiguous
    assert np.shares_memory(result, images)


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_rows_lose_their_first_column_in_place(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    rows = np.arange(7 * 5).reshape(7, 5)
    expected = rows[:, 1:].copy()
    result = without_first(rows)
    np.testing.assert_array_equal(result, expected, strict=True)
    assert result.flags.c_contiguous
    assert np.shares_memory(result, rows)


def test_arrays_are_joined_without_a_copy_of_all() -> None:
    whole = np.arange(5 * 2**20, dtype=np.uint8).reshape(-1, 1024)
    tracemalloc.start()
    arrays = [each.copy() for each in np.split(whole, 5)]
    again = joined(arrays)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 6.1 * 2**20
    assert arrays == []
    np.testing.assert_array_equal(again, whole, strict=True)

import tracemalloc

import numpy as np
import pytest

from gpucnn.datasets.formats import planes as module
from gpucnn.datasets.formats.planes import joined, to_pixels


@pytest.mark.parametrize("at_once", [1, 3, 100])
@pytest.mark.parametrize("columns_first", [False, True])
def test_planes_become_pixels_in_place(
    at_once: int, columns_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    images = np.arange(7 * 4 * 5 * 3).reshape(7, 4, 5, 3)
    axes = (0, 3, 2, 1) if columns_first else (0, 3, 1, 2)
    planes = np.ascontiguousarray(images.transpose(axes))
    rearranged = to_pixels(planes, columns_first=columns_first)
    np.testing.assert_array_equal(rearranged, images, strict=True)
    assert rearranged.flags.c_contiguous
    assert np.shares_memory(rearranged, planes)


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

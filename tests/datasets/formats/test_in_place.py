import numpy as np
import pytest

from gpucnn.datasets.formats import in_place as module
from gpucnn.datasets.formats.in_place import rearranged


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

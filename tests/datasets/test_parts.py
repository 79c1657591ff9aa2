from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpucnn.datasets.parts import Dataset, as_images, as_labels
from gpucnn.errors import InvalidFileError

IMAGES: NDArray[Any] = np.arange(32, dtype=np.uint8).reshape(2, 4, 4)


def test_a_dataset_is_shown_in_a_line() -> None:
    part = IMAGES, np.array([0, 2])
    shown = "Dataset(2 images to train on, 1 to test with, (4, 4, 1), "
    rest = part[0][:1], part[1][:1]
    assert repr(Dataset(part, rest)) == f"{shown}3 classes)"
    assert repr(Dataset(part, rest, ("a", "b", "c"))) == f"{shown}('a', 'b', 'c'))"


@pytest.mark.parametrize("shape", [(2, 4, 4), (2, 4, 4, 1), (2, 1, 4, 4), (2, 16)])
@pytest.mark.parametrize("dtype", ["uint8", "int64"])
def test_images_of_each_shape(shape: tuple[int, ...], dtype: str) -> None:
    images = as_images(IMAGES.reshape(shape).astype(dtype), "<images>")
    np.testing.assert_array_equal(images, IMAGES, strict=True)
    assert images.flags.c_contiguous


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32"])
def test_images_in_colour(dtype: str) -> None:
    given = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    images = as_images(given.astype(dtype), "<images>")
    kept = dtype if dtype == "float32" else "uint8"
    np.testing.assert_array_equal(images, given.astype(kept), strict=True)


@pytest.mark.parametrize(
    ("shape", "advice"),
    [
        ((5, 3, 4, 4), r"colours in planes, of which x\.transpose\(0, 2, 3, 1\) is taken: give"),
        ((4, 4, 3, 9), r"the images last, of which x\.transpose\(3, 0, 1, 2\) is taken: give"),
        ((5, 4, 4, 4), r"with transparency, of which x\[\.\.\., :3\] is taken: give"),
        ((5, 48), r"flat, of which x\.reshape\(-1, 3, 4, 4\)\.transpose\(0, 2, 3, 1\) is taken if"),
    ],
)
def test_colours_in_another_order(shape: tuple[int, ...], advice: str) -> None:
    with pytest.raises(InvalidFileError, match=rf"^<images> has images of shape \(.*\), {advice}"):
        as_images(np.zeros(shape, np.uint8), "<images>")


@pytest.mark.parametrize("shape", [(32,), (4, 8), (2, 4, 2, 2), (2, 2, 4, 2, 1)])
def test_images_of_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidFileError, match=r"^<images> has images of shape .*: give grey ones"):
        as_images(IMAGES.reshape(shape), "<images>")


@pytest.mark.parametrize("shape", [(8,), (8, 1), (1, 8)])
def test_labels_of_each_shape(shape: tuple[int, ...]) -> None:
    labels = as_labels(np.arange(8).reshape(shape), "<labels>")
    assert labels.tolist() == np.arange(8).reshape(shape).reshape(shape[0], -1)[:, 0].tolist()


@pytest.mark.parametrize(("shape", "columns"), [((2, 10), "10"), ((2, 2, 5), "2x5")])
def test_labels_of_other_shapes(shape: tuple[int, ...], columns: str) -> None:
    with pytest.raises(InvalidFileError, match=f"^<labels> has labels of {columns} columns: give"):
        as_labels(np.zeros(shape, np.int64), "<labels>")

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpucnn.datasets.formats.emnist import is_emnist, upright
from gpucnn.errors import InvalidFileError

IMAGES: NDArray[Any] = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("emnist-digits", True), ("emnist-letters", True), ("", False), ("kmnist", False)],
)
def test_is_emnist(name: str, expected: bool) -> None:
    assert is_emnist(name) is expected


def test_images_are_transposed() -> None:
    images, labels = upright((IMAGES.copy(), np.array([0, 9])), "emnist-digits", "here")
    assert images[1].tolist() == [list(row) for row in zip(*IMAGES[1].tolist(), strict=True)]
    assert images.flags.c_contiguous
    assert labels.tolist() == [0, 9]


def test_letters_are_counted_from_0() -> None:
    _, labels = upright((IMAGES.copy(), np.array([1, 26], np.uint8)), "emnist-letters", "here")
    np.testing.assert_array_equal(labels, np.array([0, 25], np.uint8), strict=True)


@pytest.mark.parametrize("wrong", [0, 27])
def test_labels_of_no_letter(wrong: int) -> None:
    low, high = sorted((5, wrong))
    with pytest.raises(InvalidFileError, match=f"has labels from {low} to {high}: EMNIST's lett"):
        upright((IMAGES.copy(), np.array([5, wrong], np.uint8)), "emnist-letters", "here")

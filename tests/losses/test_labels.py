from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from expect import refusal
from gpucnn.errors import InvalidTypeError
from gpucnn.losses.labels import check_labels


class TestCheckLabels:
    @pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.int16, np.uint64])
    def test_leaves_labels_as_they_are(self, dtype: type[np.generic]) -> None:
        y = np.array([0, 2, 1], dtype)
        assert check_labels(y, 3, 3) is y

    def test_takes_lists(self) -> None:
        assert_array_equal(check_labels([0, 2, 1], 3, 3), [0, 2, 1])

    @pytest.mark.parametrize("label", [3, -1, 255, 2**40])
    def test_names_the_first_label_that_is_out_of_range(self, label: int) -> None:
        with refusal(
            f"the label of image 1 is {label}, but the model has 3 classes: give labels from 0 to 2"
        ):
            check_labels([2, label, 0, label], 4, 3)

    def test_refuses_an_unsigned_label_beyond_int64(self) -> None:
        with refusal(
            f"the label of image 0 is {2**63}, but the model has 3 classes: give labels from 0 to 2"
        ):
            check_labels(np.array([2**63], np.uint64), 1, 3)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_takes_floats_that_are_whole(self, dtype: type[np.floating]) -> None:
        checked = check_labels(np.array([0, 2, 1], dtype), 3, 3)
        assert_array_equal(checked, [0, 2, 1])
        assert checked.dtype == np.int64

    @pytest.mark.parametrize("dtype", [np.float64, np.int64])
    def test_says_which_loss_takes_rows(self, dtype: type[np.generic]) -> None:
        with refusal(
            "the labels are rows of 3 numbers, but the loss takes classes: compile with "
            "loss='categorical_crossentropy', or give y.argmax(axis=1)"
        ):
            check_labels(np.eye(3, dtype=dtype), 3, 3)

    @pytest.mark.parametrize("shape", [(3,), (5,), (4, 1), (4, 2), ()])
    def test_refuses_other_shapes(self, shape: tuple[int, ...]) -> None:
        with refusal(f"the labels have the shape {shape}: give one for each image, (4,)"):
            check_labels(np.zeros(shape, int), 4, 3)

    @pytest.mark.parametrize(
        "labels", [np.full(4, 0.5), np.full(4, np.nan), np.zeros(4, np.bool_), np.zeros(4, "U1")]
    )
    def test_refuses_what_is_not_whole_numbers(self, labels: Any) -> None:
        with refusal(
            f"the labels are of dtype {labels.dtype}: give whole numbers from 0 to 2",
            InvalidTypeError,
        ):
            check_labels(labels, 4, 3)

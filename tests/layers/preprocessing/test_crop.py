import numpy as np
import pytest
from numpy.testing import assert_array_equal

from expect import refusal
from gpucnn import Conv2D, Dense, Flatten, RandomCrop, Sequential
from gpucnn.layers import Step
from layers.varied import X, drawn, first_of_a_model, varied


@pytest.mark.parametrize(("height", "width"), [(3, 5), (5, 1), (1, 7), (5, 7)])
@pytest.mark.parametrize("step", [1, 7])
def test_windows_are_at_random_places(height: int, width: int, step: int) -> None:
    made = varied(RandomCrop(height, width), step)
    for image, window in enumerate(made):
        top = drawn(image, 0, 0, 5 - height, step)
        left = drawn(image, 1, 6 - height, 6 - height + 7 - width, step) - (6 - height)
        assert_array_equal(window, X[image, top : top + height, left : left + width])


@pytest.mark.parametrize("step", [None, Step()])
def test_they_are_in_the_middle_in_use(step: Step | None) -> None:
    assert_array_equal(first_of_a_model(RandomCrop(3, 5)).forward(X, step), X[:, 1:4, 1:6])
    assert_array_equal(first_of_a_model(RandomCrop(2, 4)).forward(X, step), X[:, 1:3, 1:5])
    assert_array_equal(first_of_a_model(RandomCrop(5, 7)).forward(X, step), X)


def test_a_gradient_in_use_is_that_of_the_middle() -> None:
    layer = first_of_a_model(RandomCrop(3, 4))
    assert layer.backward(X[:, :3, :4]) is None
    layer.needs_input_gradient = True
    layer.reserve(len(X), training=True)
    expected = np.pad(X[:, :3, :4], ((0, 0), (1, 1), (1, 2), (0, 0)))
    assert_array_equal(layer.backward(X[:, :3, :4]), expected)


def test_a_model_has_images_of_its_size() -> None:
    model = Sequential([RandomCrop(3, 4), Conv2D(2, 1), Flatten(), Dense(2)], (5, 7, 1))
    assert model.layers[1].input_shape == (3, 4, 1)
    assert np.isfinite(model.predict(np.zeros((2, 5, 7, 1)))).all()


@pytest.mark.parametrize("size", [(6, 7), (5, 8)])
def test_windows_are_no_larger_than_images(size: tuple[int, int]) -> None:
    with refusal(
        f"randomcrop cuts out windows of {size[0]}x{size[1]} pixels, but its input has the shape "
        "(5, 7, 1): choose a smaller window, or put ZeroPadding2D before"
    ):
        Sequential([RandomCrop(*size), Flatten(), Dense(2)], (5, 7, 1))


def test_wrong_arguments() -> None:
    with refusal("height is 0: it must be a whole number of at least 1"):
        RandomCrop(0, 1)
    with refusal("width is 1.5: it must be a whole number of at least 1"):
        RandomCrop(1, 1.5)  # type: ignore[arg-type]

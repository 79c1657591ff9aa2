from typing import Any

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_array_equal

import loops
from backends.strategies import SETTINGS, Sizes, sizes
from expect import refusal
from gpucnn import MaxPool2D
from gpucnn.backends import Shape
from layers.placed import placed


@pytest.mark.parametrize(
    ("image", "arguments", "output"),
    [
        ((26, 26, 8), (), (13, 13, 8)),
        ((13, 13, 8), (2,), (6, 6, 8)),
        ((13, 13, 8), (2, None, "same"), (7, 7, 8)),
        ((13, 13, 8), (3, 2), (6, 6, 8)),
        ((13, 12, 8), ((3, 2), (1, 5)), (11, 3, 8)),
        ((13, 12, 8), ((3, 4),), (4, 3, 8)),  # strides are the window's own size
        ((1, 1, 2), (2, None, "same"), (1, 1, 2)),
    ],
)
def test_output_shape(image: Shape, arguments: tuple[Any, ...], output: Shape) -> None:
    layer = MaxPool2D(*arguments)
    layer.build(image)
    assert layer.output_shape == output


@given(sizes(5))
@SETTINGS
def test_forward_is_the_maximum_in_loops(case: Sizes) -> None:
    window = case.window
    layer = MaxPool2D(window.size, window.strides, window.padding)
    placed(layer, (*window.image, case.channels), case.images)
    x = np.random.default_rng(0).standard_normal((case.images, *layer.input_shape))
    slide = loops.Slide(window.size, window.strides, window.padding)
    assert_array_equal(layer.forward(x, None), loops.max_pool(x, slide)[0])


def test_a_tie_goes_to_the_first_element_of_the_window() -> None:
    layer = placed(MaxPool2D(2), (2, 4, 1), 1)
    layer.forward(np.array([[0, 1, 7, 7], [1, 1, 7, 7]], float).reshape(1, 2, 4, 1), None)
    gradient = layer.backward(np.array([3.0, 5.0]).reshape(1, 1, 2, 1))
    assert_array_equal(gradient[0, :, :, 0], [[0, 3, 5, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            (0,),
            "pool_size is 0: it must be a whole number of at least 1, or a pair of them",
        ),
        (
            (2, (1, 2, 3)),
            "strides is (1, 2, 3): it must be a whole number of at least 1, or a pair of them",
        ),
        ((2, 2, "VALID"), "padding is 'VALID': choose one of valid, same"),
    ],
)
def test_wrong_arguments(arguments: tuple[Any, ...], text: str) -> None:
    with refusal(text):
        MaxPool2D(*arguments)


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (
            (36,),
            "maxpool2d takes images of shape (height, width, channels), but its input has the "
            "shape (36,): give the model an input_shape such as "
            "(28, 28, 1), and put this layer before Flatten and Dense",
        ),
        (
            (6, 1, 4),
            "maxpool2d slides a window of (2, 2) over its input, but that has the shape "
            '(6, 1, 4): use a smaller window, fewer layers before it, or padding="same"',
        ),
    ],
)
def test_wrong_inputs(shape: Shape, text: str) -> None:
    layer = MaxPool2D(2)
    layer.name = "maxpool2d"
    with refusal(text):
        layer.build(shape)

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal

import loops
from backends.strategies import Sizes, sizes
from expect import refusal
from gpucnn import (
    AveragePooling2D,
    AvgPool2D,
    Conv2D,
    Dense,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    MaxPool2D,
    MaxPooling2D,
)
from gpucnn.backends import Array, Shape
from gpucnn.layers import Layer
from gpucnn.models.network import Network
from layers.placed import placed

OfWindows = type[MaxPool2D] | type[AveragePooling2D]
OfImages = type[GlobalMaxPooling2D] | type[GlobalAveragePooling2D]

of_windows = pytest.mark.parametrize("kind", [MaxPool2D, AveragePooling2D])
of_images = pytest.mark.parametrize("kind", [GlobalMaxPooling2D, GlobalAveragePooling2D])


@pytest.mark.parametrize(
    ("alias", "layer"), [(MaxPooling2D, MaxPool2D), (AvgPool2D, AveragePooling2D)]
)
def test_aliases(alias: type[Layer], layer: type[Layer]) -> None:
    assert alias is layer


# Windows


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
@of_windows
def test_output_shape(
    kind: OfWindows, image: Shape, arguments: tuple[Any, ...], output: Shape
) -> None:
    layer = kind(*arguments)
    layer.build(image)
    assert layer.output_shape == output


@given(sizes(5))
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


def test_padding_does_not_count_in_an_average() -> None:
    layer = placed(AveragePooling2D(2, padding="same"), (3, 3, 1), 1)
    output = layer.forward(np.arange(9.0).reshape(1, 3, 3, 1), None)
    assert_array_equal(output[0, :, :, 0], [[2, 3.5], [6.5, 8]])
    gradient = layer.backward(np.array([4.0, 6, 10, 7]).reshape(1, 2, 2, 1))
    assert_array_equal(gradient[0, :, :, 0], [[1, 1, 3], [1, 1, 3], [5, 5, 7]])


def test_windows_that_overlap_add_up_in_the_gradient_of_an_average() -> None:
    layer = placed(AveragePooling2D((1, 2), 1), (1, 3, 1), 1)
    layer.forward(np.zeros((1, 1, 3, 1)), None)
    gradient = layer.backward(np.array([2.0, 6.0]).reshape(1, 1, 2, 1))
    assert_array_equal(gradient.ravel(), [1, 4, 3])


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
        ((2, 2, "full"), "padding is 'full': choose one of valid, same"),
    ],
)
@of_windows
def test_wrong_arguments(kind: OfWindows, arguments: tuple[Any, ...], text: str) -> None:
    with refusal(text):
        kind(*arguments)


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


# Whole images

IMAGES = np.array([[[1, 8], [5, 8]], [[5, 2], [1, 2]], [[3, 2], [3, 2]]], float)[None]
"""One of 3 rows, 2 columns and 2 channels, whose maxima are there twice."""


@of_images
def test_an_image_becomes_a_vector_of_its_channels(kind: OfImages) -> None:
    layer = kind()
    layer.build((5, 4, 3))
    assert layer.output_shape == (3,)


@pytest.mark.parametrize(
    ("kind", "output"), [(GlobalMaxPooling2D, [[5, 8]]), (GlobalAveragePooling2D, [[3, 4]])]
)
def test_of_whole_images(kind: OfImages, output: list[list[int]]) -> None:
    assert_array_equal(placed(kind(), (3, 2, 2), 1).forward(IMAGES, None), output)


@pytest.mark.parametrize(
    ("kind", "gradient"),
    [
        (GlobalMaxPooling2D, [[[0, 12], [6, 0]], [[0, 0], [0, 0]], [[0, 0], [0, 0]]]),
        (GlobalAveragePooling2D, [[[1, 2], [1, 2]], [[1, 2], [1, 2]], [[1, 2], [1, 2]]]),
    ],
)
def test_gradient_of_whole_images(kind: OfImages, gradient: Any) -> None:
    """That of a maximum goes to the first in row-major order."""
    layer = placed(kind(), (3, 2, 2), 1)
    layer.forward(IMAGES, None)
    assert_array_equal(layer.backward(np.array([[6.0, 12.0]]))[0], gradient)


@of_images
def test_vectors_are_no_images(kind: OfImages) -> None:
    layer = kind()
    layer.name = "pooling"
    with refusal(
        "pooling takes images of shape (height, width, channels), but its input has the shape "
        "(36,): give the model an input_shape such as (28, 28, 1), and put this layer before "
        "Flatten and Dense"
    ):
        layer.build((36,))


# On a GPU


def gradients(device: str, layers: list[Layer]) -> list[Array]:
    generator = np.random.default_rng(3)
    made = Network(layers, (6, 5, 2), dtype="float64", device=device)
    x = generator.standard_normal((3, 6, 5, 2))
    return made.loss_and_gradients(x, np.array([0, 2, 1]))[1]


@pytest.mark.parametrize("whole", [GlobalMaxPooling2D, GlobalAveragePooling2D])
@of_windows
def test_gradients_are_the_same_on_the_simulator(kind: OfWindows, whole: OfImages) -> None:
    def layers() -> list[Layer]:
        return [Conv2D(4, 2), kind(2, 1, "same"), Conv2D(3, 2), whole(), Dense(3)]

    on_cpu, simulated = gradients("cpu", layers()), gradients("simulator", layers())
    for each, expected in zip(simulated, on_cpu, strict=True):
        assert_allclose(each, expected, rtol=0, atol=1e-14)

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import loops
from backends.strategies import SETTINGS, Sizes, sizes
from expect import refusal
from gpucnn import Conv2D
from gpucnn.backends.window import Padding
from layers.placed import placed


def built(image: tuple[int, ...], *arguments: Any) -> Conv2D:
    layer = Conv2D(*arguments)
    layer.name = "conv2d_1"
    layer.build(image)
    return layer


@pytest.mark.parametrize(
    ("image", "arguments", "output"),
    [
        ((28, 28, 1), (8, 3), (26, 26, 8)),
        ((28, 28, 3), (8, 3, 2), (13, 13, 8)),
        ((28, 27, 1), (8, (5, 4), (3, 2)), (8, 12, 8)),
        ((28, 28, 1), (8, 3, 1, "same"), (28, 28, 8)),
        ((7, 10, 1), (2, 3, 3, "same"), (3, 4, 2)),
        ((2, 1, 4), (5, 3, 2, "same"), (1, 1, 5)),
        ((3, 5, 4), (1, (3, 5)), (1, 1, 1)),
    ],
)
def test_output_shape(
    image: tuple[int, ...], arguments: tuple[Any, ...], output: tuple[int, ...]
) -> None:
    assert built(image, *arguments).output_shape == output


@given(
    image=st.tuples(st.integers(6, 40), st.integers(6, 40)),
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    strides=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    padding=st.sampled_from(["valid", "same"]),
)
@SETTINGS
def test_output_shape_follows_the_rules_in_the_documentation_of_keras(
    image: tuple[int, int], size: tuple[int, int], strides: tuple[int, int], padding: Padding
) -> None:
    if padding == "valid":
        expected = [np.ceil((n - k + 1) / s) for n, k, s in zip(image, size, strides, strict=True)]
    else:
        expected = [np.floor((n - 1) / s) + 1 for n, s in zip(image, strides, strict=True)]
    assert built((*image, 2), 5, size, strides, padding).output_shape == (*expected, 5)


@given(sizes(5))
@SETTINGS
def test_forward_is_the_convolution_in_loops(case: Sizes) -> None:
    window = case.window
    layer = Conv2D(case.filters, window.size, window.strides, window.padding)
    placed(layer, (*window.image, case.channels), case.images)
    x = np.random.default_rng(0).standard_normal((case.images, *layer.input_shape))
    slide = loops.Slide(window.size, window.strides, window.padding)
    expected = loops.convolve(x, layer.parameters["kernel"], layer.parameters["bias"], slide)
    assert_allclose(layer.forward(x, None), expected, rtol=1e-12, atol=1e-12)


def test_initial_kernel_is_glorot_uniform() -> None:
    kernel = built((9, 9, 8), 16, (3, 5)).initial_parameters(np.random.default_rng(0))["kernel"]
    limit = np.sqrt(6 / (3 * 5 * 8 + 3 * 5 * 16))
    assert kernel.shape == (3, 5, 8, 16)
    assert np.abs(kernel).max() == pytest.approx(limit, rel=0.01)
    assert np.abs(kernel).max() <= limit
    assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.05)  # that of uniform noise


def test_initial_bias_is_zero() -> None:
    bias = built((9, 9, 8), 16, 3).initial_parameters(np.random.default_rng(0))["bias"]
    assert_array_equal(bias, np.zeros(16))


def test_multiply_adds_are_those_of_every_output() -> None:
    outputs = 4 * 3 * 7  # (rows, columns, filters)
    assert built((6, 5, 2), 7, 3).multiply_adds() == outputs * 3 * 3 * 2


def test_backward_leaves_out_an_input_gradient_that_is_not_needed() -> None:
    layer = Conv2D(2, 3)
    layer.needs_input_gradient = False
    x = np.ones((2, 4, 4, 1))
    output = placed(layer, (4, 4, 1)).forward(x, None)
    assert layer.backward(np.ones_like(output)) is None


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((0, 3), "filters is 0: it must be a whole number of at least 1"),
        ((2.0, 3), "filters is 2.0: it must be a whole number of at least 1"),
        (
            (2, (3, 0)),
            "kernel_size is (3, 0): it must be a whole number of at least 1, or a pair of them",
        ),
        (
            (2, 3, "1"),
            "strides is '1': it must be a whole number of at least 1, or a pair of them",
        ),
        ((2, 3, 1, "full"), "padding is 'full': choose one of valid, same"),
    ],
)
def test_wrong_arguments(arguments: tuple[Any, ...], text: str) -> None:
    with refusal(text):
        Conv2D(*arguments)


def test_vectors_are_refused() -> None:
    with refusal(
        "conv2d_1 takes images of shape (height, width, channels), but its input has the shape "
        "(36,): give the model an input_shape such as (28, 28, 1), and put this layer before "
        "Flatten and Dense"
    ):
        built((36,), 2, 3)


@pytest.mark.parametrize("size", [(7, 1), (1, 6)])
def test_a_kernel_larger_than_the_image_is_refused(size: tuple[int, int]) -> None:
    with refusal(
        f"conv2d_1 slides a window of {size} over its input, but that has the shape (6, 5, 1): "
        'use a smaller window, fewer layers before it, or padding="same"'
    ):
        built((6, 5, 1), 2, size)


def test_a_kernel_larger_than_the_image_is_taken_with_padding() -> None:
    assert built((2, 2, 1), 2, 5, 1, "same").output_shape == (2, 2, 2)

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import loops
from backends.strategies import Sizes, layer_sizes
from expect import refusal
from gpucnn import Conv2D, MaxPool2D
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
        ((28, 28, 1), (8, 3, 1, "valid", (2, 3)), (24, 22, 8)),
        ((28, 28, 1), (8, 3, 1, "same", 9), (28, 28, 8)),
        ((5, 9, 1), (8, 3, 1, "valid", (2, 4)), (1, 1, 8)),
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
def test_output_shape_follows_the_rules_in_the_documentation_of_keras(
    image: tuple[int, int], size: tuple[int, int], strides: tuple[int, int], padding: Padding
) -> None:
    if padding == "valid":
        expected = [np.ceil((n - k + 1) / s) for n, k, s in zip(image, size, strides, strict=True)]
    else:
        expected = [np.floor((n - 1) / s) + 1 for n, s in zip(image, strides, strict=True)]
    assert built((*image, 2), 5, size, strides, padding).output_shape == (*expected, 5)


@given(
    image=st.tuples(st.integers(16, 40), st.integers(16, 40)),
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.sampled_from(["valid", "same"]),
)
def test_output_shape_with_dilation(
    image: tuple[int, int], size: tuple[int, int], dilation: tuple[int, int], padding: Padding
) -> None:
    """As of a larger kernel, with zeros between its elements."""
    reach = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    expected = built((*image, 2), 5, (reach[0], reach[1]), 1, padding).output_shape
    assert built((*image, 2), 5, size, 1, padding, dilation).output_shape == expected


@given(layer_sizes(5))
def test_forward_is_the_convolution_in_loops(case: Sizes) -> None:
    window = case.window
    layer = Conv2D(case.filters, window.size, window.strides, window.padding, window.dilation)
    placed(layer, (*window.image, case.channels), case.images)
    x = np.random.default_rng(0).standard_normal((case.images, *layer.input_shape))
    slide = loops.Slide(window.size, window.strides, window.padding, window.dilation)
    expected = loops.convolve(x, layer.parameters["kernel"], layer.parameters["bias"], slide)
    assert_allclose(layer.forward(x, None), expected, rtol=1e-12, atol=1e-12)


@given(layer_sizes(5), st.integers(2, 3), st.integers(1, 2))
def test_forward_in_groups_is_each_groups_convolution_in_loops(
    case: Sizes, groups: int, group_filters: int
) -> None:
    window, filters = case.window, groups * group_filters
    layer = Conv2D(filters, window.size, window.strides, window.padding, window.dilation, groups)
    placed(layer, (*window.image, groups * case.channels), case.images)
    x = np.random.default_rng(0).standard_normal((case.images, *layer.input_shape))
    slide = loops.Slide(window.size, window.strides, window.padding, window.dilation)
    weights = layer.parameters["kernel"], layer.parameters["bias"]
    expected = loops.convolve_in_groups(x, *weights, slide)
    assert_allclose(layer.forward(x, None), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("groups", [1, 2])
def test_dilation_is_a_larger_kernel_with_zeros_between(groups: int) -> None:
    arguments: dict[str, Any] = {"padding": "same", "groups": groups}
    layer = placed(Conv2D(4, (3, 2), dilation_rate=(2, 3), **arguments), (7, 8, 2))
    larger = placed(Conv2D(4, (5, 4), **arguments), (7, 8, 2))
    larger.parameters["kernel"].fill(0)
    larger.parameters["kernel"][::2, ::3] = layer.parameters["kernel"]
    larger.parameters["bias"][...] = layer.parameters["bias"]
    x = np.random.default_rng(0).standard_normal((2, 7, 8, 2))
    assert_allclose(layer.forward(x, None), larger.forward(x, None), rtol=1e-12, atol=1e-12)


def test_initial_kernel_is_glorot_uniform() -> None:
    kernel = built((9, 9, 8), 16, (3, 5)).initial_parameters(np.random.default_rng(0))["kernel"]
    limit = np.sqrt(6 / (3 * 5 * 8 + 3 * 5 * 16))
    assert kernel.shape == (3, 5, 8, 16)
    assert np.abs(kernel).max() == pytest.approx(limit, rel=0.01)
    assert np.abs(kernel).max() <= limit
    assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.05)  # that of uniform noise


def test_initial_kernel_in_groups_heeds_the_channels_of_a_group() -> None:
    layer = built((9, 9, 8), 16, (3, 5), 1, "valid", 1, 4)
    kernel = layer.initial_parameters(np.random.default_rng(0))["kernel"]
    limit = np.sqrt(6 / (3 * 5 * 2 + 3 * 5 * 16))
    assert kernel.shape == (3, 5, 2, 16)
    assert np.abs(kernel).max() == pytest.approx(limit, rel=0.01)
    assert np.abs(kernel).max() <= limit


def test_initial_bias_is_zero() -> None:
    bias = built((9, 9, 8), 16, 3).initial_parameters(np.random.default_rng(0))["bias"]
    assert_array_equal(bias, np.zeros(16))


def test_multiply_adds_are_those_of_every_output() -> None:
    outputs = 4 * 3 * 7  # (rows, columns, filters)
    assert built((6, 5, 2), 7, 3).multiply_adds() == outputs * 3 * 3 * 2


def test_multiply_adds_in_groups_are_fewer() -> None:
    outputs = 4 * 3 * 6
    assert built((6, 5, 4), 6, 3, 1, "valid", 1, 2).multiply_adds() == outputs * 3 * 3 * 2


@pytest.mark.parametrize("groups", [1, 2])
def test_backward_leaves_out_an_input_gradient_that_is_not_needed(groups: int) -> None:
    layer = Conv2D(2, 3, groups=groups)
    layer.needs_input_gradient = False
    x = np.ones((2, 4, 4, 2))
    output = placed(layer, (4, 4, 2)).forward(x, None)
    assert layer.backward(np.ones_like(output)) is None


def test_groups_need_no_patches() -> None:
    assert "patches" in built((9, 9, 4), 4, 3).inference_buffers()
    grouped = built((9, 9, 4), 4, 3, 1, "valid", 1, 2)
    assert grouped.inference_buffers().keys() == {"output"}


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
        (
            (2, 3, 1, "same", 0),
            "dilation_rate is 0: it must be a whole number of at least 1, or a pair of them",
        ),
        (
            (2, 3, 2, "same", 3),
            "strides is 2 and dilation_rate is 3: only one of them may be above 1",
        ),
        (
            (2, 3, (2, 1), "same", (1, 2)),
            "strides is (2, 1) and dilation_rate is (1, 2): only one of them may be above 1",
        ),
        ((2, 3, 1, "same", 1, 0), "groups is 0: it must be a whole number of at least 1"),
        (
            (3, 3, 1, "same", 1, 2),
            "filters is 3 and groups is 2: filters must be a multiple of groups",
        ),
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


def test_a_kernel_that_dilation_makes_larger_than_the_image_is_refused() -> None:
    with refusal(
        "conv2d_1 slides a window of (3, 3), extended to (5, 7) by its dilation, over its input, "
        "but that has the shape (6, 6, 1): use a smaller window, fewer layers before it, or "
        'padding="same"'
    ):
        built((6, 6, 1), 2, 3, 1, "valid", (2, 3))


def test_channels_that_do_not_fill_the_groups_are_refused() -> None:
    with refusal(
        "conv2d_1 splits its input into 4 groups, but that has 6 channels: "
        "give groups that divides the number of channels"
    ):
        built((9, 9, 6), 8, 3, 1, "valid", 1, 4)


def test_a_kernel_larger_than_the_image_is_taken_with_padding() -> None:
    assert built((2, 2, 1), 2, 5, 1, "same").output_shape == (2, 2, 2)


@pytest.mark.parametrize("padding", ["SAME", "Valid"])
def test_padding_in_capitals(padding: Any) -> None:
    expected = built((7, 7, 2), 5, 3, 2, padding.lower()).output_shape
    assert built((7, 7, 2), 5, 3, 2, padding).output_shape == expected
    pools = [MaxPool2D(3, 2, each) for each in (padding, padding.lower())]
    for pool in pools:
        pool.build((7, 7, 2))
    assert pools[0].output_shape == pools[1].output_shape

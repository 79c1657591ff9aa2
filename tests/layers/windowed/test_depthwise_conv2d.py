from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import loops
from backends.strategies import Sizes, layer_sizes
from expect import refusal
from gpucnn import Conv2D, DepthwiseConv2D
from layers.placed import placed


def built(image: tuple[int, ...], **arguments: Any) -> DepthwiseConv2D:
    layer = DepthwiseConv2D(**arguments)
    layer.name = "depthwiseconv2d_1"
    layer.build(image)
    return layer


@pytest.mark.parametrize(
    ("image", "arguments", "output"),
    [
        ((28, 28, 3), {"kernel_size": 3}, (26, 26, 3)),
        ((28, 28, 3), {"kernel_size": 3, "depth_multiplier": 4}, (26, 26, 12)),
        ((7, 10, 2), {"kernel_size": (3, 2), "strides": 3, "padding": "same"}, (3, 4, 2)),
        ((28, 28, 1), {"kernel_size": 3, "dilation_rate": (2, 3)}, (24, 22, 1)),
    ],
)
def test_output_shape(
    image: tuple[int, ...], arguments: dict[str, Any], output: tuple[int, ...]
) -> None:
    assert built(image, **arguments).output_shape == output


@given(layer_sizes(5), st.integers(1, 3))
def test_forward_is_the_convolution_of_each_channel_in_loops(
    case: Sizes, depth_multiplier: int
) -> None:
    window = case.window
    geometry = window.size, window.strides, window.padding, depth_multiplier, window.dilation
    layer = placed(DepthwiseConv2D(*geometry), (*window.image, case.channels), case.images)
    x = np.random.default_rng(0).standard_normal((case.images, *layer.input_shape))
    kernel, bias = layer.parameters["kernel"], layer.parameters["bias"]
    assert kernel.shape == (*window.size, case.channels, depth_multiplier)
    out = layer.forward(x, None)
    slide = loops.Slide(window.size, window.strides, window.padding, window.dilation)
    for channel in range(case.channels):
        one, mine = (
            slice(channel, channel + 1),
            slice(channel * depth_multiplier, (channel + 1) * depth_multiplier),
        )
        expected = loops.convolve(x[..., one], kernel[:, :, one], bias[mine], slide)
        assert_allclose(out[..., mine], expected, rtol=1e-12, atol=1e-12)


def test_it_is_a_convolution_in_groups_of_one_channel() -> None:
    depthwise = placed(DepthwiseConv2D(3, depth_multiplier=2), (6, 5, 3))
    grouped = placed(Conv2D(6, 3, groups=3), (6, 5, 3))
    grouped.parameters["kernel"][...] = depthwise.parameters["kernel"].reshape(3, 3, 1, 6)
    grouped.parameters["bias"][...] = depthwise.parameters["bias"]
    x = np.random.default_rng(0).standard_normal((2, 6, 5, 3))
    assert_array_equal(depthwise.forward(x, None), grouped.forward(x, None))


def test_initial_kernel_is_glorot_uniform() -> None:
    """Of the fans that Keras takes from the shape of the kernel: those of its last two axes."""
    layer = built((9, 9, 32), kernel_size=(3, 5), depth_multiplier=8)
    kernel = layer.initial_parameters(np.random.default_rng(0))["kernel"]
    limit = np.sqrt(6 / (3 * 5 * 32 + 3 * 5 * 8))
    assert kernel.shape == (3, 5, 32, 8)
    assert np.abs(kernel).max() == pytest.approx(limit, rel=0.01)
    assert np.abs(kernel).max() <= limit


def test_initial_kernel_by_name() -> None:
    layer = built((9, 9, 3), kernel_size=3, depthwise_initializer="ones")
    initial = layer.initial_parameters(np.random.default_rng(0))
    assert_array_equal(initial["kernel"], np.ones((3, 3, 3, 1)))
    assert_array_equal(initial["bias"], np.zeros(3))


def test_without_a_bias_the_kernel_is_all() -> None:
    layer = built((9, 9, 3), kernel_size=3, use_bias=False)
    assert layer.parameter_shapes() == {"kernel": (3, 3, 3, 1)}


def test_multiply_adds_are_those_of_every_output() -> None:
    layer = built((6, 5, 2), kernel_size=3, depth_multiplier=4)
    assert layer.multiply_adds() == 4 * 3 * (2 * 4) * 3 * 3


def test_backward_leaves_out_an_input_gradient_that_is_not_needed() -> None:
    layer = DepthwiseConv2D(3)
    layer.needs_input_gradient = False
    x = np.ones((2, 4, 4, 2))
    output = placed(layer, (4, 4, 2)).forward(x, None)
    assert layer.backward(np.ones_like(output)) is None


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"kernel_size": 0},
            "kernel_size is 0: it must be a whole number of at least 1, or a pair of them",
        ),
        ({"depth_multiplier": 0}, "depth_multiplier is 0: it must be a whole number of at least 1"),
        ({"padding": "full"}, "padding is 'full': choose one of valid, same"),
        (
            {"strides": 2, "dilation_rate": 2},
            "strides is 2 and dilation_rate is 2: only one of them may be above 1",
        ),
        ({"use_bias": 1}, "use_bias is 1: it must be True or False"),
        (
            {"depthwise_initializer": "glorot"},
            "depthwise_initializer is 'glorot': choose one of glorot_uniform, glorot_normal, "
            "he_uniform, he_normal, lecun_uniform, lecun_normal, variance_scaling, orthogonal, "
            "random_uniform, uniform, random_normal, normal, "
            "truncated_normal, zeros, ones",
        ),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], text: str) -> None:
    with refusal(text):
        DepthwiseConv2D(**{"kernel_size": 3} | arguments)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kernel_initializer", "ones"),
        ("data_format", "channels_first"),
        ("depthwise_constraint", "max_norm"),
    ],
)
def test_arguments_that_it_does_not_have_are_refused(name: str, value: str) -> None:
    arguments: Any = {name: value}
    with pytest.raises(TypeError, match=f"^DepthwiseConv2D has no argument {name}"):
        DepthwiseConv2D(3, **arguments)


def test_vectors_are_refused() -> None:
    with refusal(
        "depthwiseconv2d_1 takes images of shape (height, width, channels), but its input has the "
        "shape (36,): give the model an input_shape such as (28, 28, 1), and put this layer "
        "before Flatten and Dense"
    ):
        built((36,), kernel_size=3)

"""The gradients of every layer agree with central differences."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backends.strategies import Sizes, layer_sizes, seeds
from gpucnn import (
    AveragePooling2D,
    Conv2D,
    Cropping2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    MaxPool2D,
    Normalization,
    ReLU,
    Rescaling,
    Reshape,
    SpatialDropout2D,
    ZeroPadding2D,
)
from gpucnn.backends import Array, Window
from gpucnn.layers import Layer, Step
from gpucnn.layers.affine import ACTIVATION_LAYERS
from gradients import assert_gradient, assert_layer_gradients, distinct
from layers.placed import placed

small_sizes = layer_sizes(5)


def sliding(
    image: tuple[int, int], size: tuple[int, int], strides: tuple[int, int], padding: Any
) -> Sizes:
    return Sizes(2, Window(image, size, strides, padding), channels=2, filters=3)


def dilated(
    image: tuple[int, int], size: tuple[int, int], dilation: tuple[int, int], padding: Any
) -> Sizes:
    return Sizes(2, Window(image, size, (1, 1), padding, dilation), channels=2, filters=3)


class TestConv2D:
    @given(small_sizes, seeds)
    @example(dilated((5, 5), (2, 3), (3, 2), "valid"), 0)
    @example(dilated((5, 4), (3, 2), (2, 2), "same"), 0)
    @example(sliding((5, 5), (3, 3), (1, 1), "valid"), 0)
    @example(sliding((5, 4), (3, 2), (1, 1), "same"), 0)
    @example(sliding((5, 4), (2, 3), (2, 3), "valid"), 0)
    @example(sliding((5, 5), (2, 2), (3, 2), "same"), 0)
    def test_agree_with_differences(self, case: Sizes, seed: int) -> None:
        window = case.window
        layer = Conv2D(case.filters, window.size, window.strides, window.padding, window.dilation)
        placed(layer, (*window.image, case.channels), case.images)
        x = np.random.default_rng(seed).standard_normal((case.images, *layer.input_shape))
        assert_layer_gradients(layer, x)

    @given(small_sizes, st.integers(2, 3), st.integers(1, 2), seeds)
    def test_in_groups_agree_with_differences(
        self, case: Sizes, groups: int, group_filters: int, seed: int
    ) -> None:
        window, filters = case.window, groups * group_filters
        geometry = window.size, window.strides, window.padding, window.dilation
        layer = Conv2D(filters, *geometry, groups)
        placed(layer, (*window.image, groups * case.channels), case.images)
        x = np.random.default_rng(seed).standard_normal((case.images, *layer.input_shape))
        assert_layer_gradients(layer, x)


@given(small_sizes, st.integers(1, 3), seeds)
def test_of_depthwise_convolution(case: Sizes, depth_multiplier: int, seed: int) -> None:
    window = case.window
    geometry = window.size, window.strides, window.padding, depth_multiplier, window.dilation
    layer = placed(DepthwiseConv2D(*geometry), (*window.image, case.channels), case.images)
    x = np.random.default_rng(seed).standard_normal((case.images, *layer.input_shape))
    assert_layer_gradients(layer, x)


@pytest.mark.parametrize("kind", [MaxPool2D, AveragePooling2D])
class TestPoolingOfWindows:
    @given(small_sizes, seeds)
    @example(sliding((4, 4), (2, 2), (2, 2), "valid"), 0)
    @example(sliding((5, 5), (3, 3), (1, 1), "valid"), 0)  # overlapping
    @example(sliding((5, 5), (2, 2), (2, 2), "valid"), 0)  # a row and a column left over
    @example(sliding((5, 5), (2, 2), (2, 2), "same"), 0)
    @example(sliding((5, 5), (1, 2), (2, 3), "valid"), 0)  # with gaps
    def test_agree_with_differences(
        self, kind: type[MaxPool2D] | type[AveragePooling2D], case: Sizes, seed: int
    ) -> None:
        window = case.window
        layer = kind(window.size, window.strides, window.padding)
        placed(layer, (*window.image, case.channels), case.images)
        x = distinct(np.random.default_rng(seed), case.images, *layer.input_shape)
        assert_layer_gradients(layer, x)


@given(small_sizes, seeds)
@pytest.mark.parametrize("kind", [GlobalMaxPooling2D, GlobalAveragePooling2D])
def test_of_pooling_of_whole_images(
    kind: type[GlobalMaxPooling2D] | type[GlobalAveragePooling2D], case: Sizes, seed: int
) -> None:
    x = distinct(np.random.default_rng(seed), case.images, *case.window.image, case.channels)
    assert_layer_gradients(placed(kind(), x.shape[1:], case.images), x)


class TestDense:
    @given(images=st.integers(1, 4), inputs=st.integers(1, 6), units=st.integers(1, 6), seed=seeds)
    def test_agree_with_differences(self, images: int, inputs: int, units: int, seed: int) -> None:
        layer = placed(Dense(units), (inputs,), images)
        assert_layer_gradients(layer, np.random.default_rng(seed).standard_normal((images, inputs)))


@given(shape=st.lists(st.integers(1, 4), min_size=1, max_size=3), seed=seeds)
@pytest.mark.parametrize("kind", [*ACTIVATION_LAYERS, Flatten])
def test_of_layers_with_no_arguments_needed(kind: type[Layer], shape: list[int], seed: int) -> None:
    x = distinct(np.random.default_rng(seed), 3, *shape)
    assert_layer_gradients(placed(kind(), tuple(shape), 3), x)


@given(rate=st.sampled_from([0.0, 0.3, 0.9]), step=st.integers(1, 2**40), seed=seeds)
def test_of_dropout_at_a_step(rate: float, step: int, seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal((2, 3, 4))
    assert_layer_gradients(placed(Dropout(rate), (3, 4)), x, Step(np.array([step])))


@given(rate=st.sampled_from([0.0, 0.3, 0.9]), step=st.integers(1, 2**40), seed=seeds)
def test_of_dropout_of_channels_at_a_step(rate: float, step: int, seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal((2, 3, 2, 4))
    assert_layer_gradients(placed(SpatialDropout2D(rate), (3, 2, 4)), x, Step(np.array([step])))


@given(small_sizes, seeds)
@pytest.mark.parametrize(
    "make",
    [
        lambda: Reshape((-1,)),
        lambda: ZeroPadding2D(((1, 2), (0, 3))),
        lambda: Cropping2D(((0, 1), (2, 0))),
        lambda: Rescaling(-1.5, 0.25),
        lambda: Normalization(mean=0.5, variance=4.0),
    ],
    ids=["reshape", "padding", "cropping", "rescaling", "normalization"],
)
def test_of_layers_that_move_or_scale(make: Callable[[], Layer], case: Sizes, seed: int) -> None:
    height, width = case.window.image
    shape = height + 1, width + 2, case.channels
    x = np.random.default_rng(seed).standard_normal((case.images, *shape))
    assert_layer_gradients(placed(make(), shape, case.images), x)


class TestTheCheckItself:
    """The gradient check fails on wrong gradients."""

    def test_takes_the_right_gradient(self) -> None:
        point = np.array([0.5, -2.0])
        assert_gradient(lambda: float(np.sin(point).sum()), point, np.cos(point))

    @pytest.mark.parametrize("factor", [1 + 1e-5, 1 - 1e-5, -1.0, 0.0, np.nan])
    def test_refuses_a_wrong_gradient(self, factor: float) -> None:
        point = np.array([0.5, -2.0])
        with pytest.raises(AssertionError, match="the gradient of point is off"):
            assert_gradient(lambda: float(np.sin(point).sum()), point, factor * np.cos(point))

    def test_refuses_a_layer_with_a_wrong_input_gradient(self) -> None:
        class LeakyBackwards(ReLU):
            def backward(self, output_gradient: Array) -> Array:
                return output_gradient

        layer = placed(LeakyBackwards(), (5,), 3)
        with pytest.raises(AssertionError, match="the gradient of the input is off"):
            assert_layer_gradients(layer, distinct(np.random.default_rng(0), 3, 5))

    @pytest.mark.parametrize("name", ["kernel", "bias"])
    def test_refuses_a_layer_with_a_wrong_parameter_gradient(self, name: str) -> None:
        class Doubled(Dense):
            def backward(self, output_gradient: Array) -> Array | None:
                input_gradient = super().backward(output_gradient)
                self.gradients[name] *= 2
                return input_gradient

        with pytest.raises(AssertionError, match=f"the gradient of {name} is off"):
            assert_layer_gradients(placed(Doubled(2), (3,)), np.ones((2, 3)))

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import loops
from expect import refusal
from gpucnn import Dropout, SpatialDropout2D
from gpucnn.backends import Array
from gpucnn.layers import Layer, Step
from layers.placed import placed

ONES = np.ones((4, 25))


def dropping(rate: float = 0.4, seed: int = 5, index: int = 2) -> Dropout:
    layer = Dropout(rate)
    layer.seed, layer.index = seed, index
    return placed(layer, (25,), 4)


def kept(layer: Dropout, step: int = 1, rows: slice = slice(None)) -> Array:
    """The output for ones in a training step, for the microbatch `rows` of a batch."""
    return layer.forward(ONES[rows], Step(np.array([step]), rows.start or 0)).copy()


def test_output_shape_is_that_of_the_input() -> None:
    assert placed(Dropout(0.5), (4, 3, 2)).output_shape == (4, 3, 2)


def test_training_drops_what_the_seed_the_place_and_the_step_say() -> None:
    expected = [loops.dropout_factor(element, 0.4, 5, 2, 9) for element in range(ONES.size)]
    assert_allclose(kept(dropping(), step=9), np.reshape(expected, ONES.shape), rtol=1e-15)


@pytest.mark.parametrize("other", [{"seed": 6}, {"index": 3}, {"rate": 0.5}])
def test_another_layer_drops_others(other: dict[str, Any]) -> None:
    assert not np.array_equal(kept(dropping()) == 0, kept(dropping(**other)) == 0)


def test_another_step_drops_others() -> None:
    layer = dropping()
    assert not np.array_equal(kept(layer, 1), kept(layer, 2))


def test_the_same_step_drops_the_same() -> None:
    assert_array_equal(kept(dropping()), kept(dropping()))


@pytest.mark.parametrize("rows", [slice(0, 3), slice(1, 2), slice(3, 4)])
def test_a_microbatch_drops_what_the_batch_does(rows: slice) -> None:
    assert_array_equal(kept(dropping(), rows=rows), kept(dropping())[rows])


def test_rate_0_drops_nothing() -> None:
    assert_array_equal(kept(dropping(rate=0)), ONES)


def test_inference_gives_the_input_itself() -> None:
    assert dropping().forward(ONES, None) is ONES


def test_gradients_without_dropout_are_of_the_input_itself() -> None:
    layer = dropping()
    layer.forward(ONES, Step(np.array([1])))
    assert layer.forward(ONES, Step()) is ONES
    assert layer.backward(ONES) is ONES


def test_inference_needs_no_memory() -> None:
    assert Dropout(0.5).inference_buffers() == {}


@pytest.mark.parametrize("rate", [1, 1.5, -0.1, float("nan"), "0.5", None, False])
def test_wrong_arguments(rate: Any) -> None:
    with refusal(f"rate is {rate!r}: it must be at least 0 and below 1"):
        Dropout(rate)


# Of whole channels

IMAGES = np.random.default_rng(0).standard_normal((4, 3, 2, 25))


def dropping_channels(rate: float = 0.4) -> SpatialDropout2D:
    layer = SpatialDropout2D(rate)
    layer.seed, layer.index = 5, 2
    return placed(layer, (3, 2, 25), 4)


def factors(rate: float = 0.4, step: int = 1) -> Array:
    """The factor of each channel of each image: those are numbered in order, one image after the
    other."""
    drawn = [loops.dropout_factor(number, rate, 5, 2, step) for number in range(4 * 25)]
    return np.array(drawn).reshape(4, 25)


@pytest.mark.parametrize("step", [1, 2])
def test_a_channel_is_dropped_or_kept_as_a_whole(step: int) -> None:
    dropped = dropping_channels().forward(IMAGES, Step(np.array([step])))
    assert_allclose(dropped, loops.scale_channels(IMAGES, factors(step=step)), rtol=1e-15)


def test_some_channels_are_dropped_and_others_kept() -> None:
    assert 0 < np.count_nonzero(factors()) < 100


@pytest.mark.parametrize("rows", [slice(0, 3), slice(1, 2), slice(3, 4)])
def test_a_microbatch_drops_the_channels_that_the_batch_does(rows: slice) -> None:
    layer = dropping_channels()
    whole = layer.forward(IMAGES, Step(np.array([3]))).copy()
    assert_array_equal(layer.forward(IMAGES[rows], Step(np.array([3]), rows.start)), whole[rows])


def test_the_gradient_of_a_dropped_channel_is_0() -> None:
    layer = dropping_channels()
    layer.forward(IMAGES, Step(np.array([1])))
    assert_allclose(layer.backward(IMAGES), loops.scale_channels(IMAGES, factors()), rtol=1e-15)


def test_the_mask_has_a_number_for_each_channel() -> None:
    assert dropping_channels().training_buffers()["mask"].shape == (25,)


def test_inference_drops_no_channel() -> None:
    layer = dropping_channels()
    assert layer.forward(IMAGES, None) is IMAGES
    assert layer.forward(IMAGES, Step()) is IMAGES
    assert layer.backward(IMAGES) is IMAGES


def test_vectors_have_no_channels() -> None:
    layer: Layer = SpatialDropout2D(0.5)
    layer.name = "spatialdropout2d"
    with refusal(
        "spatialdropout2d takes images of shape (height, width, channels), but its input has the "
        "shape (25,): give the model an input_shape such as (28, 28, 1), and put this layer before "
        "Flatten and Dense"
    ):
        layer.build((25,))

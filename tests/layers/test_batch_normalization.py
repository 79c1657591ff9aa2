from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import loops
from expect import refusal
from gpucnn import BatchNormalization
from gpucnn.backends import Array
from gpucnn.layers import Step
from gradients import assert_layer_gradients
from layers.placed import placed

SHAPES = [(4,), (3, 2, 4)]

shapes = pytest.mark.parametrize("shape", SHAPES, ids=["vectors", "images"])


def batch(shape: tuple[int, ...], images: int = 5) -> Array:
    return np.random.default_rng(0).standard_normal((images, *shape)) * [1, 2, 3, 4] + 5


def made(shape: tuple[int, ...], **options: Any) -> BatchNormalization:
    return placed(BatchNormalization(**options), shape, 5)


@shapes
def test_training_normalizes_by_the_batch(shape: tuple[int, ...]) -> None:
    layer, x = made(shape), batch(shape)
    gamma, beta = layer.parameters["gamma"], layer.parameters["beta"]
    expected = loops.batch_normalize(x, gamma, beta, 1e-3)
    assert_allclose(layer.forward(x, Step()), expected, rtol=1e-12)


@shapes
@pytest.mark.parametrize("options", [{}, {"center": False}, {"scale": False}, {"epsilon": 0.5}])
def test_gradients_agree_with_differences(shape: tuple[int, ...], options: dict[str, Any]) -> None:
    assert_layer_gradients(made(shape, **options), batch(shape))


@shapes
def test_inference_normalizes_by_the_moving_averages(shape: tuple[int, ...]) -> None:
    layer, x = made(shape), batch(shape)
    means, variances = np.array([1.0, 2, 3, 4]), np.array([0.5, 0, 2, 3])
    layer.state[:] = np.concatenate([means, variances])
    normal = loops.Normal(means, variances, 1e-3)
    gamma, beta = layer.parameters["gamma"], layer.parameters["beta"]
    expected = loops.normalize_channels(x, normal, gamma, beta)
    assert_allclose(layer.forward(x, None), expected, rtol=1e-12)


@shapes
def test_a_training_step_moves_the_averages(shape: tuple[int, ...]) -> None:
    layer, x = made(shape, momentum=0.9), batch(shape)
    assert_array_equal(layer.state, [0] * 4 + [1] * 4)
    layer.forward(x, Step())
    assert_array_equal(layer.state, [0] * 4 + [1] * 4)  # before the step is done
    layer.update_state()
    rows = x.reshape(-1, 4)
    expected = [*(0.1 * rows.mean(axis=0)), *(0.9 + 0.1 * rows.var(axis=0))]
    assert_allclose(layer.state, expected, rtol=1e-12)


def test_without_center_and_scale_nothing_is_trained() -> None:
    layer, x = made((4,), center=False, scale=False), batch((4,))
    assert layer.parameter_shapes() == {}
    expected = loops.batch_normalize(x, np.ones(4), np.zeros(4), 1e-3)
    assert_allclose(layer.forward(x, Step()), expected, rtol=1e-12)


def test_begins_with_the_channels_as_they_are_normalized() -> None:
    layer = made((4,))
    initial = layer.initial_parameters(np.random.default_rng(0)) | layer.initial_state()
    assert {name: set(values) for name, values in initial.items()} == {
        "gamma": {1.0},
        "beta": {0.0},
        "moving_mean": {0.0},
        "moving_variance": {1.0},
    }


@pytest.mark.parametrize("axis", [-1, 3])
def test_the_axis_may_be_named_either_way(axis: int) -> None:
    assert made((3, 2, 4), axis=axis).output_shape == (3, 2, 4)


def test_another_axis_is_refused() -> None:
    with refusal(
        "batchnormalization normalises the channels, the last axis of its input: give axis -1 or 3 "
        "and not 1"
    ):
        layer = BatchNormalization(axis=1)
        layer.name = "batchnormalization"
        layer.build((3, 2, 4))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"momentum": 1}, "momentum is 1: it must be at least 0 and below 1"),
        ({"epsilon": 0}, "epsilon is 0: it must be a number above 0"),
        ({"center": 1}, "center is 1: it must be True or False"),
        ({"scale": None}, "scale is None: it must be True or False"),
    ],
)
def test_bad_arguments_are_refused(options: dict[str, Any], message: str) -> None:
    with refusal(message):
        BatchNormalization(**options)

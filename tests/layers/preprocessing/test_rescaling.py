from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from expect import refusal
from gpucnn import (
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    MaxPool2D,
    Normalization,
    RandomFlip,
    RandomTranslation,
    Rescaling,
    Sequential,
)
from gpucnn.backends import Array, Shape
from gpucnn.errors import InvalidTypeError
from gpucnn.layers import Layer, Step, takes_bytes_as_they_are
from layers.placed import placed

X = np.arange(24.0).reshape(2, 2, 3, 2)
BYTES = np.random.default_rng(0).integers(0, 256, (300, 4, 3, 2), np.uint8)

PER_CHANNEL = "it must be a number, or a list with one for each channel"


# Rescaling


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((0.5,), X / 2),
        ((2, -1), 2 * X - 1),
        (([1, 2],), X * [1, 2]),
        ((1.5, (3, 0)), X * 1.5 + [3, 0]),
        ((np.array([2.0, 3.0]), np.float32(1)), X * [2, 3] + 1),
    ],
)
def test_rescaling(arguments: tuple[Any, ...], expected: Array) -> None:
    assert_array_equal(placed(Rescaling(*arguments), (2, 3, 2)).forward(X, None), expected)


def test_rescaling_of_vectors_is_of_each_number() -> None:
    layer = placed(Rescaling([1, 2, 3], 1), (3,))
    assert_array_equal(layer.forward(np.ones((2, 3)), None), [[2, 3, 4]] * 2)


@pytest.mark.parametrize("value", [None, "1", [], [1, None], float("nan"), [float("inf")], True])
def test_wrong_scales(value: Any) -> None:
    with refusal(f"scale is {value!r}: {PER_CHANNEL}"):
        Rescaling(value)
    with refusal(f"offset is {value!r}: {PER_CHANNEL}"):
        Rescaling(1.0, value)


@pytest.mark.parametrize(("name", "arguments"), [("scale", ([1, 2, 3],)), ("offset", (1, [1] * 3))])
def test_as_many_numbers_as_channels(name: str, arguments: tuple[Any, ...]) -> None:
    layer = Rescaling(*arguments)
    layer.name = "rescaling"
    with refusal(
        f"{name} of rescaling has 3 numbers, but its input has the shape (4, 4, 2): give one "
        "number, or 2"
    ):
        layer.build((4, 4, 2))


# Normalization


def normalized(layer: Normalization, x: Array) -> Array:
    return placed(layer, x.shape[1:], len(x)).forward(x.astype(np.float64), None).copy()


def adapted(data: Array, **arguments: Any) -> Normalization:
    layer = Normalization(**arguments)
    layer.adapt(data)
    return layer


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_adapted_channels_have_mean_0_and_variance_1(dtype: str) -> None:
    data = BYTES.astype(dtype) * np.array([1, 0], dtype) + np.array([0, 1], dtype) * (BYTES // 4)
    result = normalized(adapted(data), data)
    assert_allclose(result.mean((0, 1, 2)), 0, atol=1e-13)
    assert_allclose(result.var((0, 1, 2)), 1, rtol=1e-13)


def test_adapted_to_all_numbers_together() -> None:
    data = BYTES * np.array([1, 0], np.uint8)
    layer = adapted(data, axis=None)
    assert isinstance(layer.mean, float)
    assert layer.mean == pytest.approx(data.mean(), rel=1e-13)
    assert layer.variance == pytest.approx(data.var(), rel=1e-13)
    result = normalized(layer, data)
    assert_allclose([result.mean(), result.var()], [0, 1], atol=1e-13)


def test_adapted_to_vectors() -> None:
    data = np.random.default_rng(1).standard_normal((500, 7)) * 3 + np.arange(7)
    layer = adapted(data)
    assert_allclose(layer.mean, data.mean(0), rtol=1e-12)  # type: ignore[arg-type]
    assert_allclose(layer.variance, data.var(0), rtol=1e-12)  # type: ignore[arg-type]


def test_the_columns_of_images_without_channels_are_normalised_each() -> None:
    """As of any data, whose last axis is that of the channels."""
    layer = adapted(BYTES[..., 0])
    assert_allclose(layer.mean, BYTES[..., 0].mean((0, 1)), rtol=1e-12)  # type: ignore[arg-type]


def test_a_second_adaptation_replaces_the_first() -> None:
    layer = adapted(BYTES // 2)
    layer.adapt(BYTES)
    assert layer.mean == adapted(BYTES).mean


def test_mean_and_variance_may_be_given() -> None:
    x = np.array([[[[3.0, 10.0]]]])
    assert_array_equal(normalized(Normalization(mean=[1, 2], variance=4), x), [[[[1, 4]]]])


def test_a_channel_of_one_value_is_divided_by_the_least_deviation() -> None:
    """Keras's 1e-7."""
    x = np.full((3, 2, 2, 1), 7.0)
    layer = adapted(x)
    assert_array_equal(normalized(layer, x), np.zeros_like(x))
    assert_allclose(normalized(Normalization(mean=0, variance=0), x), x * 1e7, rtol=1e-15)


def test_without_a_mean_a_model_cannot_be_made() -> None:
    with refusal(
        "normalization has no mean and no variance: call its adapt(images) before the model is "
        "used, or give them"
    ):
        Sequential([Normalization(), Flatten(), Dense(2)], input_shape=(4, 3, 2))


def test_adapted_before_the_first_use_of_the_model() -> None:
    layer = Normalization(input_shape=(4, 3, 2))
    model = Sequential([layer, Flatten(), Dense(2)])
    layer.adapt(BYTES)
    assert model.predict(BYTES[:1]).shape == (1, 2)
    with refusal(
        "normalization is in a model that is built: adapt a layer before its model is used"
    ):
        layer.adapt(BYTES)


@pytest.mark.parametrize("dtype", ["int64", "bool", "complex128"])
def test_data_of_other_dtypes_are_refused(dtype: str) -> None:
    with refusal(
        f"the data are of dtype {dtype}: give uint8 or floating-point numbers", InvalidTypeError
    ):
        Normalization().adapt(np.ones((2, 3), dtype))


@pytest.mark.parametrize("shape", [(), (3,), (0, 4, 4, 1)])
def test_no_data(shape: tuple[int, ...]) -> None:
    with refusal(f"the data have the shape {shape}: give images, or vectors, at least one"):
        Normalization().adapt(np.ones(shape))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_data_that_are_not_finite(value: float) -> None:
    """Nor may their variance overflow."""
    with refusal("the data have a number that is NaN or infinite: leave it out"):
        Normalization().adapt(np.array([[1.0], [value]]))


@pytest.mark.parametrize("axis", [-1, 3])
def test_the_last_axis_has_a_number_too(axis: int) -> None:
    assert adapted(BYTES, axis=axis).mean == adapted(BYTES).mean


@pytest.mark.parametrize("axis", [0, 1, 2, (1, 2), "channels"])
def test_other_axes(axis: Any) -> None:
    layer = Normalization(axis, mean=0, variance=1)
    layer.name = "normalization"
    allowed = (
        "normalises the channels, the last axis, or all numbers together: give axis -1 or 3, or "
        f"None, and not {axis!r}"
    )
    with refusal(f"adapt {allowed}"):
        layer.adapt(BYTES)
    with refusal(f"normalization {allowed}"):
        layer.build((4, 3, 2))


@pytest.mark.parametrize("given", [{"mean": 1.0}, {"variance": 1.0}])
def test_one_without_the_other(given: dict[str, float]) -> None:
    with refusal("mean and variance are not both given: give both, or neither"):
        Normalization(**given)  # type: ignore[arg-type]


def test_a_variance_is_not_negative() -> None:
    with refusal("variance is [1, -1]: it must be at least 0"):
        Normalization(mean=0, variance=[1, -1])


# Bytes

CHANNELS = Normalization(mean=0, variance=1)


class Inverted(Layer):
    """A layer of one's own, without parameters."""

    def build(self, input_shape: Shape) -> None:
        self.input_shape = self.output_shape = input_shape

    def forward(self, x: Array, step: Step | None) -> Array:
        return -x

    def backward(self, output_gradient: Array) -> Array:
        return -output_gradient


@pytest.mark.parametrize("scale", [Rescaling(2.0), CHANNELS])
@pytest.mark.parametrize(
    "before",
    [[], [Flatten()], [RandomFlip(), RandomTranslation(0.1, 0.1)], [MaxPool2D()], [Inverted()]],
)
def test_before_the_parameters_a_scale_means_bytes_as_they_are(
    before: list[Layer], scale: Layer
) -> None:
    assert takes_bytes_as_they_are(built([*before, scale]))
    assert not takes_bytes_as_they_are(built(before))


@pytest.mark.parametrize("before", [[Conv2D(2, 1)], [Flatten(), Dense(2)], [BatchNormalization()]])
def test_after_parameters_it_does_not(before: list[Layer]) -> None:
    assert not takes_bytes_as_they_are(built([*before, Rescaling(2.0)]))


def built(layers: list[Layer]) -> tuple[Layer, ...]:
    """Copies of layers in a model, with those that it ends in."""
    return Sequential([*deepcopy(layers), Flatten(), Dense(2)], (4, 4, 2), device="cpu").layers


def test_of_no_layers() -> None:
    assert not takes_bytes_as_they_are([])

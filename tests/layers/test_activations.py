import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import small
from expect import refusal
from gpucnn import (
    ELU,
    GELU,
    Conv2D,
    Dense,
    Flatten,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Sequential,
    Sigmoid,
    SiLU,
    Tanh,
)
from gpucnn.backends import Array, CpuBackend
from gpucnn.layers import Layer
from gpucnn.layers.affine import ACTIVATION_LAYERS, ACTIVATIONS
from layers.placed import placed
from memory import allocated

X = np.array([[-2.0, -0.0, 0.0, 1e-300, 3.0]])

each_kind = pytest.mark.parametrize("kind", ACTIVATION_LAYERS)
each_name = pytest.mark.parametrize("name", ACTIVATIONS)
devices = pytest.mark.parametrize("device", ["cpu", "simulator"])


def output(layer: Layer, *numbers: float) -> Array:
    """What a layer makes of single numbers."""
    out: Array = placed(layer, (len(numbers),)).forward(np.array([numbers], np.float64), None)[0]
    return out


def slopes(layer: Layer, *numbers: float) -> Array:
    """The derivatives there."""
    placed(layer, (len(numbers),)).forward(np.array([numbers], np.float64), None)
    gradient = layer.backward(np.ones((1, len(numbers))))
    assert gradient is not None
    return gradient.ravel()


# Every one


@each_kind
def test_output_shape_is_that_of_the_input(kind: type[Layer]) -> None:
    assert placed(kind(), (4, 3, 2)).output_shape == (4, 3, 2)


@each_kind
def test_input_is_left_as_it_was(kind: type[Layer]) -> None:
    x, layer = X.copy(), placed(kind(), (5,))
    layer.backward(layer.forward(x, None).copy())
    assert_array_equal(x, X)


@each_kind
def test_nan_stays_nan(kind: type[Layer]) -> None:
    assert np.isnan(output(kind(), math.nan)).all()


@each_kind
def test_gradient_is_times_that_of_the_output(kind: type[Layer]) -> None:
    layer = placed(kind(), (5,))
    layer.forward(X, None)
    once = np.array(layer.backward(np.ones((1, 5))))
    assert_array_equal(layer.backward(np.full((1, 5), 4.0)), 4 * once)


@each_kind
def test_nothing_overflows(kind: type[Layer]) -> None:
    """A warning would fail the test."""
    far = 1e300
    assert np.isfinite(output(kind(), -far, far)).all()
    assert np.isfinite(slopes(kind(), -far, far)).all()


@pytest.mark.parametrize("name", sorted({*ACTIVATIONS} - {"relu", "leaky_relu"}))
def test_a_step_allocates_no_arrays(name: str) -> None:
    layer = placed(ACTIVATIONS[name](), (64, 8, 8), 16, np.float32)
    x = np.random.default_rng(0).standard_normal((16, 64, 8, 8)).astype(np.float32)
    assert isinstance(layer.backend, CpuBackend)
    with layer.backend.session():
        layer.backward(layer.forward(x, None))  # which makes the workspaces
        peak = allocated(lambda: layer.backward(layer.forward(x, None)))
    assert peak < x.nbytes / 8


@devices
@each_name
def test_a_model_with_it_learns_and_is_saved(device: str, name: str, tmp_path: Path) -> None:
    layers = [Flatten(), Dense(8, activation=name), Dense(2)]
    model = Sequential(layers, (2, 2, 1), device=device)
    generator = np.random.default_rng(0)
    x = generator.standard_normal((64, 2, 2, 1)).astype(np.float32)
    y = (x.sum((1, 2, 3)) > 0).astype(np.int64)
    model.fit(x, y, 8, 60, verbose=0)
    model.save(tmp_path / "model.safetensors")
    loaded = Sequential.load(tmp_path / "model.safetensors", device=device)
    assert loaded.evaluate(x, y) == model.evaluate(x, y)
    assert loaded.evaluate(x, y).accuracy > 0.9
    assert [repr(each) for each in loaded.layers] == [repr(each) for each in model.layers]


@each_name
def test_the_simulator_trains_as_the_cpu(name: str) -> None:
    """As an argument of a convolution, before a pooling: what is fused if it is ReLU."""

    def predictions(device: str) -> Array:
        layers = [Conv2D(4, 3, activation=name), MaxPool2D(2), Flatten(), Dense(small.CLASSES)]
        model = Sequential(layers, small.SHAPE, device=device, dtype="float64")
        model.fit(small.images(8), small.labels(8), 4, 2, verbose=0)
        return model.predict(small.images(8))

    np.testing.assert_allclose(predictions("simulator"), predictions("cpu"), rtol=1e-9)


@devices
def test_only_relu_is_fused(device: str) -> None:
    def running(name: str) -> list[str]:
        layers = [Conv2D(4, 3, activation=name), MaxPool2D(2), Flatten(), Dense(3)]
        model = Sequential(layers, (8, 8, 1), device=device)
        return [type(each).__name__ for each in model.replica.layers]

    assert running("relu")[0] == "FusedConv2D"
    assert running("relu6")[:3] == ["Conv2D", "ReLU", "MaxPool2D"]
    assert running("tanh")[:3] == ["Conv2D", "Tanh", "MaxPool2D"]


# By name


def test_every_activation_may_be_given_as_a_layer() -> None:
    assert {type(make()) for make in ACTIVATIONS.values()} == {*ACTIVATION_LAYERS}


# Each


def test_relu() -> None:
    assert_array_equal(output(ReLU(), *X[0]), [0, 0, 0, 1e-300, 3])
    assert_array_equal(slopes(ReLU(), *X[0]), [0, 0, 0, 1, 1])


def test_relu_up_to_a_most() -> None:
    assert_array_equal(output(ReLU(2.5), -1, 0, 2, 2.5, 9), [0, 0, 2, 2.5, 2.5])
    assert_array_equal(slopes(ReLU(2.5), -1, 0, 2, 2.5, 9), [0, 0, 1, 0, 0])
    assert_array_equal(output(ACTIVATIONS["relu6"](), 5, 7), [5, 6])


@pytest.mark.parametrize("max_value", [0, -1, math.inf, "6"])
def test_a_most_that_is_no_positive_number_is_refused(max_value: Any) -> None:
    with pytest.raises(ValueError, match="max_value is"):
        ReLU(max_value)


def test_leaky_relu() -> None:
    assert_array_equal(output(LeakyReLU(0.5), *X[0]), [-1, 0, 0, 1e-300, 3])
    assert_array_equal(slopes(LeakyReLU(0.5), *X[0]), [0.5, 0.5, 0.5, 1, 1])


def test_elu() -> None:
    assert_array_equal(output(ELU(0.5), 0, 2, -1e3), [0, 2, -0.5])
    np.testing.assert_allclose(output(ELU(0.5), -1, -1e-9), [(1 / math.e - 1) / 2, -5e-10])
    np.testing.assert_allclose(slopes(ELU(0.5), -1, 0, 2), [0.5 / math.e, 0.5, 1])


def test_gelu() -> None:
    """F(1) and F(2) are of a table of the normal distribution."""
    np.testing.assert_allclose(
        output(GELU(), -2, -1, 0, 1, 2),
        [-0.0455003, -0.1586553, 0, 0.8413447, 1.9544997],
        rtol=1e-6,
    )
    density = 0.2419707  # of 1
    np.testing.assert_allclose(
        slopes(GELU(), -1, 0, 1), [0.1586553 - density, 0.5, 0.8413447 + density], rtol=1e-6
    )


def test_silu() -> None:
    half = math.log(3)  # whose sigmoid is 3 / 4
    np.testing.assert_allclose(output(SiLU(), -half, 0, half), [-half / 4, 0, half * 3 / 4])
    np.testing.assert_allclose(slopes(SiLU(), -half, 0), [1 / 4 - half * 3 / 16, 0.5])


def test_tanh() -> None:
    np.testing.assert_allclose(output(Tanh(), -math.log(2), 0, 1e3), [-0.6, 0, 1])
    np.testing.assert_allclose(slopes(Tanh(), -math.log(2), 0, 1e3), [0.64, 1, 0])


def test_sigmoid() -> None:
    np.testing.assert_allclose(output(Sigmoid(), -math.log(3), 0, 1e3, -1e3), [0.25, 0.5, 1, 0])
    np.testing.assert_allclose(slopes(Sigmoid(), -math.log(3), 0, 1e3), [3 / 16, 0.25, 0])


def test_sigmoid_of_far_below_zero_is_not_rounded_to_nothing() -> None:
    np.testing.assert_allclose(output(Sigmoid(), -700), [math.exp(-700)], rtol=1e-14)


def test_defaults_are_keras() -> None:
    assert (LeakyReLU().negative_slope, ELU().alpha) == (0.3, 1.0)


@pytest.mark.parametrize("value", [-0.1, float("nan"), "0.3"])
@pytest.mark.parametrize(("kind", "name"), [(LeakyReLU, "negative_slope"), (ELU, "alpha")])
def test_factors_that_are_refused(kind: type[Any], name: str, value: object) -> None:
    with refusal(f"{name} is {value!r}: it must be a number of at least 0"):
        kind(value)

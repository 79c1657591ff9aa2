"""What Conv2D and Dense share: activation, bias and initializer."""

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import small
from expect import refusal
from gpucnn import ELU, Adam, Conv2D, Dense, Flatten, LeakyReLU, MaxPool2D, ReLU, Sequential, Tanh
from gpucnn.layers import Layer
from gpucnn.layers.initializers import INITIALIZERS, TRUNCATED
from gradients import assert_network_gradients, smooth_images
from layers.placed import placed

Make = Callable[..., Layer]
MAKE: dict[str, Make] = {
    "Conv2D": lambda **options: Conv2D(4, 3, **options),
    "Dense": lambda **options: Dense(5, **options),
}
either = pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)


def trained(layers: list[Layer], **options: Any) -> Sequential:
    model = Sequential(layers, small.SHAPE, seed=3, **options)
    model.compile(Adam(0.01))
    model.fit(small.images(12), small.labels(12), batch_size=4, epochs=2, verbose=0)
    return model


# Activations


@pytest.mark.parametrize("device", ["cpu", "simulator"])
@pytest.mark.parametrize(
    ("activation", "layer"),
    [
        (lambda: "relu", ReLU),
        (lambda: "leaky_relu", lambda: LeakyReLU(0.2)),
        (lambda: "tanh", Tanh),
        (lambda: LeakyReLU(0.7), lambda: LeakyReLU(0.7)),
        (lambda: ELU(0.7), lambda: ELU(0.7)),
    ],
    ids=["relu", "leaky_relu", "tanh", "a layer", "another layer"],
)
def test_an_activation_is_a_layer_that_follows(
    activation: Callable[[], Any], layer: Callable[[], Layer], device: str
) -> None:
    """To the byte."""
    inside = trained(
        [
            Conv2D(4, 3, activation=activation()),
            MaxPool2D(2),
            Flatten(),
            Dense(small.CLASSES),
        ],
        device=device,
    )
    apart = trained(
        [Conv2D(4, 3), layer(), MaxPool2D(2), Flatten(), Dense(small.CLASSES)], device=device
    )
    assert small.weight_bytes(inside) == small.weight_bytes(apart)
    assert [each.name for each in inside.replica.layers] == [
        each.name for each in apart.replica.layers
    ]


def test_a_model_has_the_layers_that_it_was_given() -> None:
    layers = [Flatten(), Dense(5, "relu"), Dense(small.CLASSES)]
    assert list(Sequential(layers, small.SHAPE).layers) == layers


@either
@pytest.mark.parametrize("activation", [None, "linear"])
def test_none(make: Make, activation: str | None) -> None:
    layer = make(activation=activation)
    assert layer.unrolled() == (layer,)


@either
def test_wrong_activation(make: Make) -> None:
    with refusal(
        "activation is 'swosh': choose one of linear, relu, relu6, leaky_relu, elu, gelu, silu, "
        "swish, tanh, sigmoid, softmax, or give a layer such as LeakyReLU(0.1)"
    ):
        make(activation="swosh")


def test_one_activation_belongs_to_one_layer() -> None:
    shared = ReLU()
    layers = [Flatten(), Dense(5, shared), Dense(5, shared), Dense(small.CLASSES)]
    with refusal("ReLU() is already part of a model: make a new layer"):
        Sequential(layers, small.SHAPE)


def test_what_is_saved_is_loaded(tmp_path: Any) -> None:
    layers = [
        Conv2D(4, 3, activation="relu", use_bias=False, kernel_initializer="he_normal"),
        Flatten(),
        Dense(small.CLASSES, LeakyReLU(0.4)),
    ]
    model = trained(layers)
    model.save(tmp_path / "model.safetensors")
    loaded = Sequential.load(tmp_path / "model.safetensors")
    assert repr(loaded.layers) == repr(model.layers)
    x = small.images(3)
    assert_array_equal(loaded.predict(x), model.predict(x))


# Biases


@either
def test_without_a_bias_the_kernel_is_all(make: Make) -> None:
    layer = make(use_bias=False)
    layer.build(small.SHAPE if isinstance(layer, Conv2D) else (7,))
    assert layer.parameter_shapes().keys() == {"kernel"}
    assert layer.initial_parameters(np.random.default_rng(0)).keys() == {"kernel"}


@pytest.mark.parametrize("device", ["cpu", "simulator"])
def test_gradients_without_biases(device: str) -> None:
    layers = [
        Conv2D(3, 2, activation="relu", use_bias=False),
        MaxPool2D(2),
        Flatten(),
        Dense(5, "relu", use_bias=False),
        Dense(small.CLASSES, use_bias=False),
    ]
    made = Sequential(layers, small.SHAPE, "float64", device)
    x, y = smooth_images(made, 3), small.labels(3)
    made.loss_and_gradients(x, y)
    gradients = np.array(made.gradients)
    assert_network_gradients(made, lambda: made.loss_and_gradients(x, y)[0], gradients)


@pytest.mark.parametrize("device", ["cpu", "simulator"])
def test_a_bias_that_is_left_out_stays_zero(device: str) -> None:
    """Though its gradient is not."""
    layers = [Conv2D(4, 3, use_bias=False), ReLU(), MaxPool2D(2), Flatten(), Dense(small.CLASSES)]
    model = trained(layers, device=device)
    first = model.layers[0]
    assert isinstance(first, Conv2D)
    assert not np.asarray(first.bias).any()
    assert model.parameter_names == ["conv2d.kernel", "dense.kernel", "dense.bias"]


def test_a_bias_of_a_fused_layer() -> None:
    layer = placed(Dense(5, use_bias=False), (7,), 3)
    x = np.random.default_rng(0).standard_normal((3, 7))
    assert_array_equal(layer.forward(x, None), x @ layer.parameters["kernel"])


@either
def test_wrong_use_bias(make: Make) -> None:
    with refusal("use_bias is 'no': it must be True or False"):
        make(use_bias="no")


# Initial kernels

FANS = 60, 40
DEVIATIONS = {
    "glorot_uniform": sqrt(2 / 100),
    "glorot_normal": sqrt(2 / 100),
    "he_uniform": sqrt(2 / 60),
    "he_normal": sqrt(2 / 60),
    "lecun_uniform": sqrt(1 / 60),
    "lecun_normal": sqrt(1 / 60),
    "variance_scaling": sqrt(1 / 60),
    "orthogonal": sqrt(1 / 1000),
    "random_uniform": 0.05 / sqrt(3),
    "uniform": 0.05 / sqrt(3),
    "random_normal": 0.05,
    "normal": 0.05,
    "truncated_normal": 0.05 * TRUNCATED,
    "zeros": 0.0,
    "ones": 0.0,
}


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initializer(name: str) -> None:
    """Its mean and standard deviation, within five of the standard errors of 400,000 numbers."""
    values = INITIALIZERS[name](np.random.default_rng(0), (1000, 400), *FANS)
    deviation = DEVIATIONS[name]
    error = deviation / sqrt(values.size)
    assert values.shape == (1000, 400)
    assert values.mean() == pytest.approx(float(name == "ones"), abs=5 * error)
    assert values.std() == pytest.approx(deviation, abs=5 * error)


CUT_OFF = ["glorot_normal", "he_normal", "lecun_normal", "variance_scaling", "truncated_normal"]


@pytest.mark.parametrize("name", [*CUT_OFF, "random_normal"])
def test_the_tails_of_a_normal_distribution(name: str) -> None:
    """Keras's are cut off at two standard deviations of what they are cut from, but one."""
    values = INITIALIZERS[name](np.random.default_rng(0), (100_000,), *FANS)
    cut = 2 * DEVIATIONS[name] / TRUNCATED
    assert bool(np.abs(values).max() > cut) is (name == "random_normal")
    assert np.abs(values).max() > 0.99 * cut


@pytest.mark.parametrize("shape", [(3, 3, 2, 4), (1, 1, 2, 5), (6, 6)])
def test_orthogonal_kernels(shape: tuple[int, ...]) -> None:
    kernel = INITIALIZERS["orthogonal"](np.random.default_rng(0), shape, *FANS)
    matrix = kernel.reshape(-1, shape[-1])
    smaller = matrix.T @ matrix if len(matrix) >= shape[-1] else matrix @ matrix.T
    assert_allclose(smaller, np.eye(len(smaller)), atol=1e-12)
    assert kernel.shape == shape


def test_orthogonal_kernels_are_not_turned_one_way() -> None:
    """The diagonal of what LAPACK gives is negative."""
    generator = np.random.default_rng(0)
    first = [INITIALIZERS["orthogonal"](generator, (3, 3), *FANS)[0, 0] for _ in range(50)]
    assert 10 < np.count_nonzero(np.array(first) > 0) < 40


@pytest.mark.parametrize(
    ("name", "other"),
    [("HeNormal", "he_normal"), ("GlorotUniform", "glorot_uniform"), ("Zeros", "zeros")],
)
def test_names_of_the_classes_of_initializers(name: str, other: str) -> None:
    one, another = (
        Sequential([Dense(3, kernel_initializer=each)], (4,), device="cpu").get_weights()[0]
        for each in (name, other)
    )
    assert_array_equal(one, another)


def test_truncation() -> None:
    """The standard deviation of a standard normal distribution within ±2, integrated."""
    x = (np.arange(200_000) + 0.5) / 50_000 - 2
    density = np.exp(-(x**2) / 2)
    variance = (x**2 * density).sum() / density.sum()
    assert sqrt(variance) == pytest.approx(TRUNCATED, rel=1e-9)


@either
def test_wrong_initializer(make: Make) -> None:
    names = ", ".join(INITIALIZERS)
    with refusal(f"kernel_initializer is 'he': choose one of {names}"):
        make(kernel_initializer="he")

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import loops
import small
from expect import refusal
from gpucnn import (
    Adam,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    LeakyReLU,
    MaxPool2D,
    SeparableConv2D,
    Sequential,
)
from gpucnn.layers import Layer
from gpucnn.models.network import Network
from gradients import assert_network_gradients, smooth_images

IMAGE = (7, 6, 2)


def network(layer: SeparableConv2D, **options: Any) -> Network:
    """One that ends in a dense layer, with nonzero biases."""
    made = Network([layer, Flatten(), Dense(3)], IMAGE, "float64", **options)
    made.parameters += np.random.default_rng(9).uniform(-0.1, 0.1, made.parameters.shape)
    return made


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"strides": (2, 3), "padding": "same"},
        {"dilation_rate": (2, 3), "padding": "same", "depth_multiplier": 3},
        {"depth_multiplier": 2, "use_bias": False},
    ],
    ids=str,
)
def test_forward_is_one_convolution_after_the_other_in_loops(arguments: dict[str, Any]) -> None:
    layer = SeparableConv2D(4, (3, 2), **arguments)
    made = network(layer, device="cpu")
    depthwise, pointwise, *rest = made.get_weights()[:-2]
    bias = rest[0] if rest else np.zeros(4)
    x = np.random.default_rng(0).standard_normal((2, *IMAGE))
    first = layer.depthwise.window
    slide = loops.Slide((3, 2), first.strides, layer.padding, first.dilation)
    kernel = depthwise.reshape(3, 2, 1, -1)
    mixed = loops.convolve_in_groups(x, kernel, np.zeros(kernel.shape[3]), slide)
    expected = loops.convolve(mixed, pointwise, bias, loops.Slide((1, 1), (1, 1), "valid"))
    made.reserve(2, training=True)
    assert_allclose(layer.forward(x, None), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("device", ["cpu", "simulator"])
@pytest.mark.parametrize(
    "arguments",
    [{"activation": "tanh"}, {"depth_multiplier": 2, "dilation_rate": 2, "use_bias": False}],
    ids=str,
)
def test_gradients_agree_with_differences(arguments: dict[str, Any], device: str) -> None:
    made = network(SeparableConv2D(3, 2, **arguments), device=device)
    x, y = smooth_images(made, 3), small.labels(3)
    made.loss_and_gradients(x, y)
    gradients = np.array(made.gradients)
    assert_network_gradients(made, lambda: made.loss_and_gradients(x, y)[0], gradients)


def test_build_gives_the_shapes_of_both() -> None:
    layer = SeparableConv2D(4, (3, 2), depth_multiplier=3, activation="relu")
    layer.build(IMAGE)
    assert (layer.input_shape, layer.output_shape) == (IMAGE, (5, 5, 4))
    assert layer.depthwise.parameter_shapes() == {"kernel": (3, 2, 2, 3)}
    assert layer.pointwise.parameter_shapes() == {"kernel": (1, 1, 6, 4), "bias": (4,)}


def test_backward_gives_the_gradient_of_the_input() -> None:
    layer = SeparableConv2D(4, 3)
    made = Network([Conv2D(3, 2), layer, Flatten(), Dense(3)], IMAGE, "float64", device="cpu")
    made.reserve(2, training=True)
    x = np.random.default_rng(0).standard_normal((2, *layer.depthwise.input_shape))
    weights = np.random.default_rng(1).standard_normal((2, *layer.pointwise.output_shape))
    layer.forward(x, None)
    gradient = layer.backward(weights)
    assert gradient is not None
    moved = x.copy()
    moved[1, 2, 3, 1] += 1  # the layer is linear
    rise = np.vdot(weights, layer.forward(moved, None)) - np.vdot(weights, layer.forward(x, None))
    assert gradient[1, 2, 3, 1] == pytest.approx(rise, rel=1e-9)


def test_names_of_parameters() -> None:
    layers = [
        SeparableConv2D(3, 2),
        SeparableConv2D(3, 2, use_bias=False),
        Conv2D(2, 2),
        DepthwiseConv2D(2),
        Flatten(),
        Dense(3),
    ]
    assert Network(layers, IMAGE).parameter_names == [
        "separableconv2d_depthwise.kernel",
        "separableconv2d_pointwise.kernel",
        "separableconv2d_pointwise.bias",
        "separableconv2d_depthwise_1.kernel",
        "separableconv2d_pointwise_1.kernel",
        "conv2d.kernel",
        "conv2d.bias",
        "depthwiseconv2d.kernel",
        "depthwiseconv2d.bias",
        "dense.kernel",
        "dense.bias",
    ]


def test_its_parts_are_those_that_would_stand_in_the_model() -> None:
    """To the byte, after training, and fused where they would be."""
    weights = []
    for layers in (
        [SeparableConv2D(4, 3, depth_multiplier=2, activation="relu")],
        [
            DepthwiseConv2D(3, depth_multiplier=2, use_bias=False),
            Conv2D(4, 1, activation="relu"),
        ],
    ):
        all_layers: list[Layer] = [*layers, MaxPool2D(2), Flatten(), Dense(small.CLASSES)]
        model = Sequential(all_layers, small.SHAPE, seed=3, device="cpu")
        assert [type(each).__name__ for each in model.replica.layers] == [
            *("DepthwiseConv2D", "FusedConv2D", "Flatten", "Dense")
        ]
        model.compile(Adam(0.01))
        model.fit(small.images(12), small.labels(12), batch_size=4, epochs=2, verbose=0)
        weights.append(small.weight_bytes(model))
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    "make",
    [
        lambda: SeparableConv2D(4, 3, depth_multiplier=2, activation=LeakyReLU(0.4)),
        lambda: DepthwiseConv2D(2, depth_multiplier=2, dilation_rate=2),
        lambda: Conv2D(4, 2, groups=1, dilation_rate=2),
    ],
    ids=["separable", "depthwise", "dilated"],
)
def test_what_is_saved_is_loaded(make: Callable[[], Layer], tmp_path: Path) -> None:
    model = Sequential([make(), Flatten(), Dense(small.CLASSES)], small.SHAPE)
    model.compile(Adam(0.01))
    model.fit(small.images(12), small.labels(12), batch_size=4, verbose=0)
    model.save(tmp_path / "model.safetensors")
    loaded = Sequential.load(tmp_path / "model.safetensors")
    assert repr(loaded.layers) == repr(model.layers)
    x = small.images(3)
    assert_array_equal(loaded.predict(x), model.predict(x))


def test_it_may_begin_a_model() -> None:
    model = Sequential([SeparableConv2D(4, 3, input_shape=(6, 6, 1)), Flatten(), Dense(3)])
    assert model.predict(small.images(2)).shape == (2, 3)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"filters": 0}, "filters is 0: it must be a whole number of at least 1"),
        ({"depth_multiplier": 0}, "depth_multiplier is 0: it must be a whole number of at least 1"),
        (
            {"strides": 2, "dilation_rate": 2},
            "strides is 2 and dilation_rate is 2: only one of them may be above 1",
        ),
        (
            {"pointwise_initializer": "glorot"},
            "pointwise_initializer is 'glorot': choose one of glorot_uniform, glorot_normal, "
            "he_uniform, he_normal, lecun_uniform, lecun_normal, variance_scaling, orthogonal, "
            "random_uniform, uniform, random_normal, normal, "
            "truncated_normal, zeros, ones",
        ),
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
        SeparableConv2D(**{"filters": 4, "kernel_size": 3} | arguments)


def test_softmax_that_is_not_last_is_refused() -> None:
    layer = SeparableConv2D(4, 3, activation="softmax")
    with refusal(
        f"{layer!r} is not the last layer, the only one that may end in softmax: give it another "
        "activation"
    ):
        Sequential([layer, Flatten(), Dense(3)], small.SHAPE)


def test_one_layer_belongs_to_one_model() -> None:
    layer = SeparableConv2D(4, 3)
    Sequential([layer, Flatten(), Dense(3)], small.SHAPE)
    with refusal(f"{layer!r} is already part of a model: make a new layer"):
        Sequential([layer, Flatten(), Dense(3)], small.SHAPE)

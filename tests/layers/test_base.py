"""The base class of layers: parameters, and buffers reserved once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from expect import refusal
from gpucnn import (
    ELU,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    SeparableConv2D,
    Tanh,
)
from gpucnn.errors import InvalidTypeError, InvalidValueError
from gpucnn.layers import LAYERS, Layer, Step
from gpucnn.regularizers import L2
from layers.placed import placed

IMAGE = (6, 6, 2)


@pytest.fixture(
    params=[
        lambda: Conv2D(3, 3),
        lambda: Conv2D(4, 3, groups=2),
        lambda: DepthwiseConv2D(3),
        MaxPool2D,
        ReLU,
        lambda: Dropout(0.5),
    ],
    ids=["Conv2D", "Conv2D in groups", "DepthwiseConv2D", "MaxPool2D", "ReLU", "Dropout"],
)
def layer(request: pytest.FixtureRequest) -> Layer:
    made: Layer = request.param()
    return made


def run(layer: Layer, images: int) -> tuple[Any, Any]:
    """The output and the input gradient of a training step."""
    output = layer.forward(np.ones((images, *layer.input_shape)), Step(np.array([1])))
    return output, layer.backward(np.ones_like(output))


class TestMemory:
    def test_is_the_same_in_every_step(self, layer: Layer) -> None:
        placed(layer, IMAGE)
        (output, gradient), (next_output, next_gradient) = run(layer, 2), run(layer, 2)
        assert next_output.ctypes.data == output.ctypes.data
        assert next_gradient.ctypes.data == gradient.ctypes.data

    def test_serves_smaller_batches(self, layer: Layer) -> None:
        output, gradient = run(placed(layer, IMAGE, batch=5), 2)
        assert (len(output), len(gradient)) == (2, 2)

    @pytest.mark.parametrize("batch", [1, 2])
    def test_stays_if_no_more_is_asked_for(self, layer: Layer, batch: int) -> None:
        output, _ = run(placed(layer, IMAGE, batch=2), 2)
        layer.reserve(batch, training=True)
        assert run(layer, 2)[0].ctypes.data == output.ctypes.data

    def test_grows(self, layer: Layer) -> None:
        placed(layer, IMAGE, batch=2).reserve(7, training=True)
        output, gradient = run(layer, 7)
        assert (len(output), len(gradient)) == (7, 7)

    def test_is_left_behind_when_the_layer_is_placed_anew(self, layer: Layer) -> None:
        output, _ = run(placed(layer, IMAGE), 2)
        assert run(placed(layer, IMAGE), 2)[0].ctypes.data != output.ctypes.data

    def test_for_inference_holds_no_gradient(self, layer: Layer) -> None:
        layer.build(IMAGE)
        assert "input_gradient" not in layer.inference_buffers()

    def test_for_training_holds_no_gradient_that_is_not_needed(self, layer: Layer) -> None:
        layer.build(IMAGE)
        layer.needs_input_gradient = False
        assert "input_gradient" not in layer.training_buffers()


def test_memory_is_of_the_dtype_of_the_model() -> None:
    layer = placed(ReLU(), (3,), dtype=np.float32)
    assert layer.forward(np.ones((2, 3), np.float32), None).dtype == np.float32


def test_layers_with_parameters() -> None:
    convolutions = {Conv2D, DepthwiseConv2D, SeparableConv2D}
    with_parameters = {BatchNormalization, Dense} | convolutions
    assert {layer for layer in LAYERS if layer.has_parameters} == with_parameters


@pytest.mark.parametrize(
    ("layer", "shapes"),
    [
        (Conv2D(3, (4, 5)), {"kernel": (4, 5, 2, 3), "bias": (3,)}),
        (Conv2D(6, 3, groups=2), {"kernel": (3, 3, 1, 6), "bias": (6,)}),
        (DepthwiseConv2D(3, depth_multiplier=5), {"kernel": (3, 3, 2, 5), "bias": (10,)}),
        (MaxPool2D(), {}),
        (ReLU(), {}),
        (Dropout(0.5), {}),
    ],
)
def test_parameter_shapes(layer: Layer, shapes: dict[str, tuple[int, ...]]) -> None:
    layer.build(IMAGE)
    assert layer.parameter_shapes() == shapes


class TestSettings:
    """Arguments that are set later act, or are refused."""

    @pytest.mark.parametrize(
        ("layer", "name", "value", "wrong", "line"),
        [
            (Dropout(0.5), "rate", 0.25, 1, "it must be at least 0 and below 1"),
            (LeakyReLU(), "negative_slope", 0.1, -1, "it must be a number of at least 0"),
            (ELU(), "alpha", 2.0, "1", "it must be a number of at least 0"),
            (BatchNormalization(), "momentum", 0.0, 1, "it must be at least 0 and below 1"),
            (BatchNormalization(), "epsilon", 0.1, 0, "it must be a number above 0"),
            (Dense(3), "kernel_regularizer", L2(0.1), 3, "give an object, such as L2(0.01)"),
            (
                DepthwiseConv2D(3),
                "depthwise_regularizer",
                L2(0.1),
                3,
                "give an object, such as L2(0.01)",
            ),
        ],
    )
    def test_that_act_are_checked(
        self, layer: Layer, name: str, value: Any, wrong: Any, line: str
    ) -> None:
        kind = InvalidTypeError if name.endswith("regularizer") else InvalidValueError
        with refusal(f"{name} is {wrong!r}: {line}", kind):
            type(layer)(**{**layer.get_config(), name: wrong})
        setattr(layer, name, value)
        with refusal(f"{name} is {wrong!r}: {line}", kind):
            setattr(layer, name, wrong)
        assert getattr(layer, name) == value

    @pytest.mark.parametrize("is_placed", [False, True])
    @pytest.mark.parametrize(
        ("layer", "name", "value"),
        [
            (lambda: Conv2D(3, 3), "activation", "tanh"),
            (lambda: Conv2D(3, 3), "padding", "same"),
            (lambda: MaxPool2D(2), "strides", 1),
            (BatchNormalization, "center", False),
        ],
    )
    def test_that_would_not_act_are_refused(
        self, layer: Any, name: str, value: Any, is_placed: bool
    ) -> None:
        made = placed(layer(), IMAGE) if is_placed else layer()
        before = getattr(made, name)
        with refusal(
            f"{name} of a {type(made).__name__} cannot be set later: make a new layer with "
            f"{name}={value!r}"
        ):
            setattr(made, name, value)
        assert getattr(made, name) == before

    def test_of_layers_of_ones_own_are_free(self) -> None:
        made = Own(1.0)
        made.gain, made.weights, made.losses = 2.0, [3], [4]
        assert (made.gain, made.weights, made.losses) == (2.0, [3], [4])

    def test_trainable_is_true_and_stays_so(self) -> None:
        made = Dense(3)
        made.trainable = True
        with refusal("trainable is False, but all weights are trained: leave it out"):
            made.trainable = False
        with refusal("trainable is None: it must be True or False"):
            made.trainable = None  # type: ignore[assignment]
        assert made.trainable


@dataclass(eq=False, repr=False)
class Own(Tanh):
    """A layer of one's own, with attributes that Keras's layers have too."""

    gain: float
    weights: Any = None
    losses: Any = None

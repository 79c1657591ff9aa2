"""The base class of layers: parameters, and buffers reserved once."""

from typing import Any

import numpy as np
import pytest

from gpucnn import (
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    MaxPool2D,
    ReLU,
    SeparableConv2D,
)
from gpucnn.layers import LAYERS, Layer, Step
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

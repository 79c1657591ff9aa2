"""The ONNX operators of each layer, in inference."""

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Window
from gpucnn.layers import (
    AUGMENTATION,
    ELU,
    GELU,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Cropping2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Layer,
    LeakyReLU,
    MaxPool2D,
    Normalization,
    RandomCrop,
    ReLU,
    Rescaling,
    Reshape,
    Sigmoid,
    SiLU,
    SpatialDropout2D,
    Tanh,
    ZeroPadding2D,
)
from gpucnn.layers.affine import Affine
from gpucnn.layers.preprocessing.rescaling import Scaling
from gpucnn.models.exchange.exported import check_is_known
from gpucnn.models.exchange.onnx.graph import Graph, Tensor
from gpucnn.utils import arguments

NO_OPERATOR = "for which ONNX has no operator that gpucnn knows: export a model of gpucnn's layers"


def add_layer(graph: Graph, layer: Layer, tensors: Sequence[Tensor]) -> None:
    """Append the nodes of a layer.

    Args:
        graph: of which they become a part.
        layer: built; of those that run, see `Layer.unrolled`.
        tensors: that it takes: one, or several of a layer that merges them.

    Raises:
        InvalidTypeError: it is not one of the library's.
    """
    check_is_known(layer, OPERATORS.keys() | MERGERS.keys(), NO_OPERATOR)
    graph.enter(layer.name)
    if layer.is_merging:
        first, *others = graph.in_one_order(tensors)
        graph.resume(first)
        MERGERS[type(layer)](graph, layer, [each.name for each in others])
    else:
        graph.resume(tensors[0])
        OPERATORS[type(layer)](graph, layer)
    graph.shape = layer.output_shape


# With weights


def _convolution(graph: Graph, layer: Conv2D) -> None:
    _convolve(graph, layer, graph.weight("kernel").transpose(3, 2, 0, 1), layer.groups)


def _depthwise_convolution(graph: Graph, layer: DepthwiseConv2D) -> None:
    kernel = graph.weight("kernel").transpose(2, 3, 0, 1)
    filters = kernel.reshape(-1, 1, *layer.window.size)
    _convolve(graph, layer, filters, layer.input_shape[2])


def _convolve(
    graph: Graph, layer: Conv2D | DepthwiseConv2D, kernel: NDArray[Any], groups: int
) -> None:
    """A convolution by a kernel (filters, channels of a group, height, width)."""
    graph.to_channels_first()
    weights = [graph.constant("kernel", kernel), *_bias(graph, layer)]
    window = layer.window
    graph.add("Conv", *weights, group=groups, dilations=window.dilation, **_sliding(window))


def _dense(graph: Graph, layer: Dense) -> None:
    kernel = graph.constant("kernel", graph.in_order(graph.weight("kernel")))
    graph.add("Gemm", kernel, *_bias(graph, layer))
    graph.forget_order()


def _bias(graph: Graph, layer: Affine) -> list[str]:
    return [graph.constant("bias", graph.weight("bias"))] if layer.use_bias else []


def _batch_normalization(graph: Graph, layer: BatchNormalization) -> None:
    """A node of its own, as it is a layer of its own; runtimes fold it themselves."""
    graph.to_channels_first()
    channels = layer.input_shape[-1]
    weights = {
        "gamma": graph.weight("gamma") if layer.scale else np.ones(channels),
        "beta": graph.weight("beta") if layer.center else np.zeros(channels),
        "moving_mean": graph.weight("moving_mean"),
        "moving_variance": graph.weight("moving_variance"),
    }
    names = [graph.constant(name, graph.in_order(each)) for name, each in weights.items()]
    kept: dict[str, Any] = {"epsilon": layer.epsilon, "momentum": layer.momentum}
    graph.add("BatchNormalization", *names, **kept)


def _scaling(graph: Graph, layer: Scaling) -> None:
    scales, offsets = (np.array(each) for each in (layer.scales, layer.offsets))
    graph.add("Mul", graph.constant("scale", graph.of_channels(scales)), part="scaled")
    graph.add("Add", graph.constant("offset", graph.of_channels(offsets)))


# With a window


def _sliding(window: Window) -> dict[str, Any]:
    """The attributes of a window. Its padding is written out, which every runtime knows."""
    return {
        "kernel_shape": window.size,
        "strides": window.strides,
        "pads": [*window.padding_before, *window.padding_after],
    }


def _max_pooling(graph: Graph, layer: MaxPool2D) -> None:
    graph.to_channels_first()
    graph.add("MaxPool", **_sliding(layer.window))


def _average_pooling(graph: Graph, layer: AveragePooling2D) -> None:
    graph.to_channels_first()
    graph.add("AveragePool", count_include_pad=0, **_sliding(layer.window))


def _of_images(operator: str) -> "Operator":
    """Pooling of whole images."""

    def pool(graph: Graph, layer: Layer) -> None:
        graph.to_channels_first()
        graph.add(operator, part="pooled")
        graph.add("Flatten", axis=1)
        graph.forget_order()

    return pool


# Of several tensors


def _sum(graph: Graph, layer: Add, others: Sequence[str]) -> None:
    graph.add("Add" if len(others) == 1 else "Sum", *others)


def _concatenation(graph: Graph, layer: Concatenate, others: Sequence[str]) -> None:
    graph.add("Concat", *others, axis=graph.axis(layer.axis))


# Of elements


def _elementwise(operator: str) -> "Operator":
    """An operator without attributes."""
    return lambda graph, layer: graph.add(operator)


def _relu(graph: Graph, layer: ReLU) -> None:
    if layer.max_value is None:
        graph.add("Relu")
    else:
        bounds = {"least": 0, "most": layer.max_value}
        graph.add("Clip", *(graph.constant(name, each) for name, each in bounds.items()))


def _leaky_relu(graph: Graph, layer: LeakyReLU) -> None:
    graph.add("LeakyRelu", alpha=layer.negative_slope)


def _elu(graph: Graph, layer: ELU) -> None:
    graph.add("Elu", alpha=layer.alpha)


def _gelu(graph: Graph, layer: GELU) -> None:
    """The steps x (1 + erf(x / sqrt(2))) / 2, which ONNX Runtime makes one of again."""
    x = graph.output
    graph.add("Div", graph.constant("root", sqrt(2)), part="divided")
    graph.add("Erf", part="erf")
    graph.add("Add", graph.constant("one", 1), part="added")
    graph.add("Mul", x, part="doubled")
    graph.add("Mul", graph.constant("half", 0.5))


def _silu(graph: Graph, layer: SiLU) -> None:
    x = graph.output
    graph.add("Sigmoid", part="sigmoid")
    graph.add("Mul", x)


# Of shapes


def _flatten(graph: Graph, layer: Flatten) -> None:
    if len(graph.shape) > 1:
        graph.flatten()


def _reshape(graph: Graph, layer: Reshape) -> None:
    graph.to_channels_last()
    graph.add("Reshape", graph.constant("shape", (-1, *layer.output_shape), np.int64))


def _zero_padding(graph: Graph, layer: ZeroPadding2D) -> None:
    graph.to_channels_first()
    (top, bottom), (left, right) = arguments.sides(layer.padding, "padding")
    pads = (0, 0, top, left, 0, 0, bottom, right)
    graph.add("Pad", graph.constant("padding", pads, np.int64))


def _cropping(graph: Graph, layer: Cropping2D | RandomCrop) -> None:
    graph.to_channels_first()
    (top, bottom), (left, right) = arguments.sides(layer.cropping, "cropping")
    height, width, _ = layer.input_shape
    bounds = {"starts": (top, left), "ends": (height - bottom, width - right), "axes": (2, 3)}
    graph.add("Slice", *(graph.constant(name, each, np.int64) for name, each in bounds.items()))


def _nothing(graph: Graph, layer: Layer) -> None:
    """Nothing: the layer acts in training alone."""


Operator = Callable[[Graph, Any], None]

OPERATORS: dict[type[Layer], Operator] = {
    Conv2D: _convolution,
    DepthwiseConv2D: _depthwise_convolution,
    Dense: _dense,
    BatchNormalization: _batch_normalization,
    Rescaling: _scaling,
    Normalization: _scaling,
    MaxPool2D: _max_pooling,
    AveragePooling2D: _average_pooling,
    GlobalMaxPooling2D: _of_images("GlobalMaxPool"),
    GlobalAveragePooling2D: _of_images("GlobalAveragePool"),
    ReLU: _relu,
    Sigmoid: _elementwise("Sigmoid"),
    Tanh: _elementwise("Tanh"),
    LeakyReLU: _leaky_relu,
    ELU: _elu,
    GELU: _gelu,
    SiLU: _silu,
    Flatten: _flatten,
    Reshape: _reshape,
    ZeroPadding2D: _zero_padding,
    Cropping2D: _cropping,
    RandomCrop: _cropping,
    Dropout: _nothing,
    SpatialDropout2D: _nothing,
    **dict.fromkeys(AUGMENTATION, _nothing),
}
"""What appends the nodes of each layer that runs, see `Layer.unrolled`."""

Merger = Callable[[Graph, Any, Sequence[str]], None]

MERGERS: dict[type[Layer], Merger] = {Add: _sum, Concatenate: _concatenation}
"""The same of layers that take several tensors: the last one, and those of the names."""

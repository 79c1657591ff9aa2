"""The modules of each layer."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gpucnn.backends import Shape
from gpucnn.backends.window import Pair
from gpucnn.errors import InvalidValueError
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
from gpucnn.models.exchange.torch.modules import (
    Module,
    Modules,
    Output,
    Tensor,
    Values,
    weight_of,
)
from gpucnn.models.graph import IMAGES, Graph
from gpucnn.utils import arguments

MOST_DIMENSIONS = 3
"""Of images, for which PyTorch has modules."""


NO_MODULE = "for which gpucnn knows no module of PyTorch: give a model of gpucnn's layers"


def modules_of(
    layers: Sequence[Layer], graph: Graph, input_shape: Shape, *, softmax: bool = False
) -> list[Module]:
    """The modules that compute in evaluation what layers do in inference, of images NCHW.

    Args:
        layers: built; of those that run, see `Layer.unrolled`.
        graph: which of them take whose outputs.
        input_shape: of one image, as layers have it.
        softmax: whether the softmax of what they give comes last.

    Raises:
        InvalidTypeError: a layer is not one of the library's.
        InvalidValueError: PyTorch has no module for a layer's input of so many axes.
    """
    modules = Modules(input_shape)
    outputs = {IMAGES: modules.output}
    for number, (layer, inputs) in enumerate(zip(layers, graph.inputs, strict=True)):
        check_is_known(layer, MODULES.keys() | MERGERS.keys(), NO_MODULE)
        taken = [outputs[each] for each in inputs]
        if layer.is_merging:
            MERGERS[type(layer)](modules, layer, taken)
        else:
            modules.resume(taken[0])
            MODULES[type(layer)](modules, layer)
        modules.shape = layer.output_shape
        outputs[number] = modules.output
    modules.to_channels_last()
    if softmax:
        modules.add("Softmax", dim=1)
    return modules.made


# With weights


def _convolution(modules: Modules, layer: Conv2D) -> None:
    _convolve(modules, layer, layer.groups, lambda kernel: kernel.transpose(3, 2, 0, 1))


def _depthwise_convolution(modules: Modules, layer: DepthwiseConv2D) -> None:
    def filters(kernel: Values) -> Values:
        return kernel.transpose(2, 3, 0, 1).reshape(-1, 1, *layer.window.size)

    _convolve(modules, layer, layer.input_shape[2], filters)


def _convolve(
    modules: Modules,
    layer: Conv2D | DepthwiseConv2D,
    groups: int,
    filters: Callable[[Values], Values],
) -> None:
    """A convolution by what `filters` makes (filters, channels of a group, height, width)."""
    window = layer.window
    padding = window.padding_before
    if padding != window.padding_after:
        rows, columns = zip(padding, window.padding_after, strict=True)
        _frame(modules, rows, columns)
        padding = (0, 0)
    modules.add(
        "Conv2d",
        {"weight": weight_of(layer, "kernel", filters)} | _bias(layer),
        in_channels=layer.input_shape[2],
        out_channels=layer.output_shape[2],
        kernel_size=window.size,
        stride=window.strides,
        padding=padding,
        dilation=window.dilation,
        groups=groups,
        bias=layer.use_bias,
    )


def _dense(modules: Modules, layer: Dense) -> None:
    kernel = weight_of(layer, "kernel", lambda kernel: modules.in_order(kernel).T)
    inputs, units = layer.kernel_shape()
    sizes = {"in_features": inputs, "out_features": units}
    modules.add("Linear", {"weight": kernel} | _bias(layer), **sizes, bias=layer.use_bias)
    modules.forget_order()


def _bias(layer: Affine) -> dict[str, Tensor]:
    return {"bias": weight_of(layer, "bias", lambda bias: bias)} if layer.use_bias else {}


def _batch_normalization(modules: Modules, layer: BatchNormalization) -> None:
    """What of gamma and beta is not trained stands as ones or zeros where the other is."""
    modules.to_channels_first()
    channels = layer.input_shape[-1]
    tensors: dict[str, Tensor] = {}
    if layer.scale or layer.center:
        fixed = {"weight": np.ones(channels), "bias": np.zeros(channels)}
        trained = {"weight": layer.scale and "gamma", "bias": layer.center and "beta"}
        for name, mine in trained.items():
            tensors[name] = weight_of(layer, mine, modules.in_order) if mine else fixed[name]
    for name, mine in (("running_mean", "moving_mean"), ("running_var", "moving_variance")):
        tensors[name] = weight_of(layer, mine, modules.in_order)
    modules.add(
        f"BatchNorm{_dimensions(layer)}d",
        tensors | {"num_batches_tracked": np.array(0)},
        num_features=channels,
        eps=layer.epsilon,
        momentum=1 - layer.momentum,
        affine=layer.scale or layer.center,
    )


def _scaling(modules: Modules, layer: Scaling) -> None:
    """A convolution of each channel by itself, by one number that is not trained."""
    modules.to_channels_first()
    scales, offsets = (modules.in_order(np.array(each)) for each in (layer.scales, layer.offsets))
    channels, is_vector = len(scales), len(layer.input_shape) == 1
    dimensions = _dimensions(layer)
    if is_vector:
        modules.add("Unflatten", dim=1, unflattened_size=(channels, 1))
    modules.add(
        f"Conv{dimensions}d",
        {"weight": scales.reshape(-1, *(1,) * (1 + dimensions)), "bias": offsets},
        in_channels=channels,
        out_channels=channels,
        kernel_size=1,
        groups=channels,
    )
    if is_vector:
        modules.add("Flatten")


def _dimensions(layer: Layer) -> int:
    """The dimensions of the images that a layer takes, 1 for vectors, in the names of modules.

    Raises:
        InvalidValueError: PyTorch has no module for so many.
    """
    dimensions = max(len(layer.input_shape) - 1, 1)
    if dimensions > MOST_DIMENSIONS:
        raise InvalidValueError(
            f"{layer.name} has an input of the shape {layer.input_shape}, but PyTorch has modules "
            f"for images of up to {MOST_DIMENSIONS} dimensions: reshape it after this layer"
        )
    return dimensions


# With a window


def _max_pooling(modules: Modules, layer: MaxPool2D) -> None:
    _pool(modules, layer, "MaxPool2d")


def _average_pooling(modules: Modules, layer: AveragePooling2D) -> None:
    _pool(modules, layer, "AvgPool2d", count_include_pad=False)


def _pool(modules: Modules, layer: MaxPool2D | AveragePooling2D, kind: str, **options: Any) -> None:
    """Pooling that sees no padding, of which PyTorch puts as much at the end as at the beginning.

    Where one pixel more is due at the end, windows may reach beyond it (`ceil_mode`). Steps of one
    pixel do not come to such a window: there the beginning has that pixel too, and what the first
    window gives is cut off.
    """
    window = layer.window
    uneven = np.not_equal(window.padding_before, window.padding_after)
    extra = uneven & np.equal(window.strides, 1)
    before = tuple((np.array(window.padding_before) + extra).tolist())
    modules.add(
        kind,
        kernel_size=window.size,
        stride=window.strides,
        padding=before,
        ceil_mode=bool(uneven.any()),
        **options,
    )
    if extra.any():
        rows, columns = extra.tolist()
        _frame(modules, (-rows, 0), (-columns, 0))


def _of_images(kind: str) -> "Maker":
    """Pooling of whole images."""

    def pool(modules: Modules, layer: Layer) -> None:
        modules.add(kind, output_size=1)
        modules.add("Flatten")

    return pool


# Of several inputs


def _sum(modules: Modules, layer: Add, inputs: Sequence[Output]) -> None:
    first, *others = modules.in_one_order(inputs)
    for each in others:
        modules.join("add", [first, each])
        first = modules.output


def _concatenation(modules: Modules, layer: Concatenate, inputs: Sequence[Output]) -> None:
    ordered = modules.in_one_order(inputs)
    modules.join("cat", ordered, dim=modules.axis(layer.axis))


# Of elements


def _elementwise(kind: str) -> "Maker":
    """A module without arguments."""
    return lambda modules, layer: modules.add(kind)


def _relu(modules: Modules, layer: ReLU) -> None:
    if layer.max_value is None:
        modules.add("ReLU")
    elif layer.max_value == 6:
        modules.add("ReLU6")
    else:
        modules.add("Hardtanh", min_val=0.0, max_val=layer.max_value)


def _leaky_relu(modules: Modules, layer: LeakyReLU) -> None:
    modules.add("LeakyReLU", negative_slope=layer.negative_slope)


def _elu(modules: Modules, layer: ELU) -> None:
    modules.add("ELU", alpha=layer.alpha)


# Of shapes


def _flatten(modules: Modules, layer: Flatten) -> None:
    if len(modules.shape) > 1:
        modules.flatten()


def _reshape(modules: Modules, layer: Reshape) -> None:
    modules.to_channels_last()
    if len(layer.output_shape) > 1:
        modules.to_image(layer.output_shape)


def _zero_padding(modules: Modules, layer: ZeroPadding2D) -> None:
    _frame(modules, *arguments.sides(layer.padding, "padding"))


def _cropping(modules: Modules, layer: Cropping2D | RandomCrop) -> None:
    (top, bottom), (left, right) = arguments.sides(layer.cropping, "cropping")
    _frame(modules, (-top, -bottom), (-left, -right))


def _frame(modules: Modules, rows: Pair, columns: Pair) -> None:
    """Zeros around images; or, of negative numbers, fewer rows and columns."""
    modules.add("ZeroPad2d", padding=(*columns, *rows))


# In training alone


def _dropout(kind: str) -> "Maker":
    return lambda modules, layer: modules.add(kind, p=layer.rate)


def _nothing(modules: Modules, layer: Layer) -> None:
    """Nothing: PyTorch varies images before they are in a batch."""


Maker = Callable[[Modules, Any], None]

MODULES: dict[type[Layer], Maker] = {
    Conv2D: _convolution,
    DepthwiseConv2D: _depthwise_convolution,
    Dense: _dense,
    BatchNormalization: _batch_normalization,
    Rescaling: _scaling,
    Normalization: _scaling,
    MaxPool2D: _max_pooling,
    AveragePooling2D: _average_pooling,
    GlobalMaxPooling2D: _of_images("AdaptiveMaxPool2d"),
    GlobalAveragePooling2D: _of_images("AdaptiveAvgPool2d"),
    ReLU: _relu,
    Sigmoid: _elementwise("Sigmoid"),
    Tanh: _elementwise("Tanh"),
    GELU: _elementwise("GELU"),
    SiLU: _elementwise("SiLU"),
    LeakyReLU: _leaky_relu,
    ELU: _elu,
    Flatten: _flatten,
    Reshape: _reshape,
    ZeroPadding2D: _zero_padding,
    Cropping2D: _cropping,
    RandomCrop: _cropping,
    Dropout: _dropout("Dropout"),
    SpatialDropout2D: _dropout("Dropout2d"),
    **dict.fromkeys(AUGMENTATION, _nothing),
}
"""What appends the modules of each layer that runs, see `Layer.unrolled`."""

Merger = Callable[[Modules, Any, Sequence[Output]], None]

MERGERS: dict[type[Layer], Merger] = {Add: _sum, Concatenate: _concatenation}
"""What appends what several inputs are merged by."""

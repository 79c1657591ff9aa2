"""A model as the description by which `browser/network.js` computes what `predict` does.

Each layer has a name, the shape of its output, and one of the operations of `operations.js` there
with what that takes. Batch normalisation, rescaling and the like are all `scale`; a dense layer is
a convolution of an image of one pixel; and what acts in training alone is left out. Its inputs are
the numbers of the layers whose outputs it takes, or -1 for the image.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Window
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
from gpucnn.losses.cross_entropy import CrossEntropy
from gpucnn.models.exchange.exported import Exported, check_is_known
from gpucnn.models.graph import IMAGES
from gpucnn.models.network import unroll
from gpucnn.models.pictures.images import check_is_of_images
from gpucnn.models.pictures.prediction import names_or_numbers
from gpucnn.models.pixels import Encoding
from gpucnn.utils import arguments

Weights = Mapping[str, NDArray[Any]]
"""Of a layer, by their names in it."""

LARGEST = float(np.finfo(np.float32).max)

NO_OPERATION = "which a page cannot compute: export a model of gpucnn's layers"


@dataclass(frozen=True)
class Operation:
    """What a layer computes.

    Args:
        name: in `operations.js`.
        settings: what it takes, but for arrays.
        arrays: likewise, real, of any shape.
    """

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)


def describe(exported: Exported, encoding: Encoding | None) -> dict[str, Any]:
    """The description of a model, of which JSON can be made.

    Args:
        exported: the model.
        encoding: of the pixels that its layers take, to which bytes are brought.

    Raises:
        InvalidTypeError: a layer is of a class of your own.
        InvalidValueError: the model is not of images, does not tell one class of several, or has a
            weight beyond float32.
    """
    check_is_of_images(exported.input_shape)
    assert encoding is not None  # which bytes can be brought to
    _check_tells_classes(exported)
    running = unroll(exported.layers)
    (outputs,) = running[-1].output_shape
    layers: list[dict[str, Any]] = []
    arrays: list[NDArray[Any]] = []
    places = {IMAGES: IMAGES}  # of the outputs, in `layers`
    taken = exported.graph.unrolled(exported.layers).inputs
    for number, (layer, inputs) in enumerate(zip(running, taken, strict=True)):
        operation = _operation(exported, layer)
        places[number] = places[inputs[0]]
        if operation is not None:
            layers.append(_description(layer, operation, [places[each] for each in inputs]))
            arrays.extend(operation.arrays.values())
            places[number] = len(layers) - 1
    return {
        "name": exported.name,
        "input_shape": exported.input_shape,
        "classes": names_or_numbers(exported.class_names, max(outputs, 2)),
        "photographs": exported.takes_photographs,
        "low": encoding.low,
        "high": encoding.high,
        "layers": layers,
        "end": _end(exported, outputs),
        "weights": b64encode(_in_float32(arrays)).decode(),
    }


def _description(layer: Layer, operation: Operation, inputs: list[int]) -> dict[str, Any]:
    named = {"name": layer.name, "shape": layer.output_shape, "operation": operation.name}
    named["inputs"] = inputs
    sizes = {name: array.size for name, array in operation.arrays.items()}
    return {**named, **operation.settings, "arrays": sizes}


def _operation(exported: Exported, layer: Layer) -> Operation | None:
    check_is_known(layer, OPERATIONS, NO_OPERATION)
    return OPERATIONS[type(layer)](layer, exported.weights_of(layer))


def _in_float32(arrays: list[NDArray[Any]]) -> bytes:
    """The elements of arrays, one after the other, little end first."""
    flat = np.concatenate([np.empty(0), *(each.ravel() for each in arrays)])
    if abs(flat).max(initial=0) > LARGEST:
        raise InvalidValueError(
            f"the model has a weight beyond {LARGEST:.1e}, the largest of float32, in which a page "
            "has weights: scale them down"
        )
    return flat.astype("<f4").tobytes()


# The end


def _check_tells_classes(exported: Exported) -> None:
    """Check that there are probabilities to show.

    Raises:
        InvalidValueError: there are none.
    """
    if not exported.tells_classes:
        raise InvalidValueError(
            "the model does not tell one class of several, which is what a page shows: export a "
            "classifier"
        )


def _end(exported: Exported, outputs: int) -> str:
    """What makes probabilities of what the last layer gives, by its name in `network.js`."""
    loss = exported.loss
    is_of_logits = isinstance(loss, CrossEntropy) and loss.from_logits
    if outputs == 1:
        return "logistic" if is_of_logits else "binary"
    return "softmax" if is_of_logits or exported.softmax else "none"


# Layers


def _convolution(layer: Conv2D, weights: Weights) -> Operation:
    return _convolve(layer, layer.window, layer.groups, weights)


def _depthwise_convolution(layer: DepthwiseConv2D, weights: Weights) -> Operation:
    """Of groups of one channel."""
    return _convolve(layer, layer.window, layer.input_shape[2], weights)


def _dense(layer: Dense, weights: Weights) -> Operation:
    """Of an image of one pixel, with the inputs as channels."""
    return _convolve(layer, Window((1, 1), (1, 1), (1, 1), "valid"), 1, weights)


def _convolve(layer: Affine, window: Window, groups: int, weights: Weights) -> Operation:
    channels = {"channels": layer.input_shape[-1], "filters": layer.output_shape[-1]}
    return Operation("convolve", _sliding(window) | channels | {"groups": groups}, dict(weights))


def _batch_normalization(layer: BatchNormalization, weights: Weights) -> Operation:
    deviation = np.sqrt(weights["moving_variance"] + layer.epsilon)
    scales = weights.get("gamma", 1) / deviation
    return _scale(scales, weights.get("beta", 0) - weights["moving_mean"] * scales)


def _scaling(layer: Scaling, weights: Weights) -> Operation:
    return _scale(np.array(layer.scales), np.array(layer.offsets))


def _scale(scales: NDArray[Any], offsets: NDArray[Any]) -> Operation:
    return Operation("scale", arrays={"scales": scales, "offsets": offsets})


def _pooling(name: str) -> "Maker":
    def pool(layer: Any, weights: Weights) -> Operation:
        return Operation(name, _sliding(layer.window) | {"channels": layer.input_shape[2]})

    return pool


def _padding(layer: ZeroPadding2D, weights: Weights) -> Operation:
    (top, _), (left, _) = arguments.sides(layer.padding, "padding")
    return _frame(layer, top, left)


def _cropping(layer: Cropping2D | RandomCrop, weights: Weights) -> Operation:
    (top, _), (left, _) = arguments.sides(layer.cropping, "cropping")
    return _frame(layer, -top, -left)


def _frame(layer: Layer, top: int, left: int) -> Operation:
    """A window of one pixel, which begins above and to the left of the image, or within it."""
    rows, columns, channels = layer.output_shape
    window = _sliding(Window((rows, columns), (1, 1), (1, 1), "valid"))
    window["window"] |= {"image": layer.input_shape[:2], "before": (top, left)}
    return Operation("frame", window | {"channels": channels})


def _sliding(window: Window) -> dict[str, Any]:
    names = "image", "output", "size", "strides", "dilation"
    pairs = {name: getattr(window, name) for name in names}
    return {"window": pairs | {"before": window.padding_before}}


def _sum(layer: Add, weights: Weights) -> Operation:
    return Operation("add", {"count": len(layer.input_shapes)})


def _concatenation(layer: Concatenate, weights: Weights) -> Operation:
    """Of so many elements of each input, again and again."""
    axes = -layer.axis if layer.axis < 0 else len(layer.output_shape) + 1 - layer.axis
    return Operation("concatenate", {"sizes": [prod(each[-axes:]) for each in layer.input_shapes]})


def _plain(name: str) -> "Maker":
    """An operation that takes nothing."""
    return lambda layer, weights: Operation(name)


def _relu(layer: ReLU, weights: Weights) -> Operation:
    return Operation("relu", {"most": layer.max_value})


def _leaky_relu(layer: LeakyReLU, weights: Weights) -> Operation:
    return Operation("leaky_relu", {"slope": layer.negative_slope})


def _elu(layer: ELU, weights: Weights) -> Operation:
    return Operation("elu", {"alpha": layer.alpha})


def _nothing(layer: Layer, weights: Weights) -> None:
    """Nothing: the layer acts in training alone."""


Maker = Callable[[Any, Weights], Operation | None]

OPERATIONS: dict[type[Layer], Maker] = {
    Conv2D: _convolution,
    DepthwiseConv2D: _depthwise_convolution,
    Dense: _dense,
    BatchNormalization: _batch_normalization,
    Rescaling: _scaling,
    Normalization: _scaling,
    MaxPool2D: _pooling("maximum"),
    GlobalMaxPooling2D: _pooling("maximum"),
    AveragePooling2D: _pooling("average"),
    GlobalAveragePooling2D: _pooling("average"),
    ZeroPadding2D: _padding,
    Cropping2D: _cropping,
    RandomCrop: _cropping,
    Add: _sum,
    Concatenate: _concatenation,
    Flatten: _plain("reshape"),
    Reshape: _plain("reshape"),
    GELU: _plain("gelu"),
    SiLU: _plain("silu"),
    Tanh: _plain("tanh"),
    Sigmoid: _plain("sigmoid"),
    ReLU: _relu,
    LeakyReLU: _leaky_relu,
    ELU: _elu,
    Dropout: _nothing,
    SpatialDropout2D: _nothing,
    **dict.fromkeys(AUGMENTATION, _nothing),
}
"""What makes the operation of each layer that runs, see `Layer.unrolled`; None for none."""

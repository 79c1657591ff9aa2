"""What each ONNX operator is in a chain of layers."""

from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import numpy as np

from gpucnn.backends import Shape
from gpucnn.backends.window import Pair
from gpucnn.errors import InvalidValueError
from gpucnn.layers import ELU, GELU, Dropout, LeakyReLU, ReLU, Sigmoid, SiLU, Tanh
from gpucnn.models.exchange.channels_first import ChannelsFirst
from gpucnn.models.exchange.onnx.node import Node, shortest
from gpucnn.models.exchange.sliding import Sliding


def read_node(chain: ChannelsFirst, node: Node) -> None:
    """Append what a node is to a chain.

    Raises:
        InvalidValueError: the layers of gpucnn do nothing like it.
    """
    if node.operator not in READERS:
        hint = HINTS.get(node.operator, "leave it out, or write it by others")
        raise InvalidValueError(f"gpucnn has no layer that is ONNX's {node.operator}: {hint}")
    READERS[node.operator](chain, node)


# With weights


def _convolution(chain: ChannelsFirst, node: Node) -> None:
    kernel = node.weight(1)
    if kernel.ndim != 4:
        raise InvalidValueError(
            f"its kernel has the shape {kernel.shape}, but gpucnn convolves images, by kernels "
            "(filters, channels, height, width)"
        )
    sliding = _sliding(chain, node, kernel.shape[2:])
    chain.convolve(kernel, node.weight_or_none(2), sliding, node.attribute("group", 1))


def _gemm(chain: ChannelsFirst, node: Node) -> None:
    if node.attribute("transA", 0):
        raise InvalidValueError("it transposes its input: leave transA out")
    kernel, bias = node.weight(1), node.weight_or_none(2)
    kernel = kernel.T if node.attribute("transB", 0) else kernel
    if bias is not None:
        units = kernel.shape[-1:]
        bias = np.broadcast_to(node.attribute("beta", 1.0) * bias, (1, *units)).reshape(units)
    chain.multiply(node.attribute("alpha", 1.0) * kernel, bias)


def _matmul(chain: ChannelsFirst, node: Node) -> None:
    kernel, is_first = node.operand()
    if is_first:
        raise InvalidValueError("it multiplies from the left: let its constant be the second input")
    chain.multiply(kernel, None)


def _batch_normalization(chain: ChannelsFirst, node: Node) -> None:
    if node.attribute("training_mode", 0):
        raise InvalidValueError(
            "it normalises by the mean of a batch, as in training: export the model for inference"
        )
    weights = [node.weight(index) for index in range(1, 5)]
    chain.normalize(
        *weights,
        epsilon=node.attribute("epsilon", 1e-5),
        momentum=node.attribute("momentum", 0.9),
    )


# Numbers that are added and multiplied by


def _add(chain: ChannelsFirst, node: Node) -> None:
    chain.shift(node.operand()[0])


def _subtract(chain: ChannelsFirst, node: Node) -> None:
    number, is_first = node.operand()
    if is_first:
        chain.scale(np.array(-1.0))
    chain.shift(number if is_first else -number)


def _multiply(chain: ChannelsFirst, node: Node) -> None:
    chain.scale(node.operand()[0])


def _divide(chain: ChannelsFirst, node: Node) -> None:
    number, is_first = node.operand()
    if is_first or (number == 0).any():
        raise InvalidValueError("it divides by its input, or by 0: leave it out")
    chain.scale(1 / number.astype(np.float64))


def _negate(chain: ChannelsFirst, node: Node) -> None:
    chain.scale(np.array(-1.0))


# Activations


def _relu(chain: ChannelsFirst, node: Node) -> None:
    chain.add(ReLU())


def _clip(chain: ChannelsFirst, node: Node) -> None:
    low, high = (_number(node.given(i + 1, n)) for i, n in enumerate(("min", "max")))
    if low != 0:
        raise InvalidValueError(
            f"it clips from {low} to {high}, but gpucnn from 0, as ReLU(max_value)"
        )
    has_most = high is not None and high < np.finfo(np.float32).max
    chain.add(ReLU(high) if has_most else ReLU())


def _minimum(chain: ChannelsFirst, node: Node) -> None:
    most = node.operand()[0]
    if not chain.clip(_number(most)):
        raise InvalidValueError("it takes minima, which gpucnn does after ReLU, as ReLU(max_value)")


def _leaky_relu(chain: ChannelsFirst, node: Node) -> None:
    chain.add(LeakyReLU(node.attribute("alpha", 0.01)))


def _prelu(chain: ChannelsFirst, node: Node) -> None:
    slopes = node.weight(1)
    if slopes.size == 0 or (slopes != slopes.flat[0]).any():
        raise InvalidValueError("its slopes differ, but LeakyReLU of gpucnn has one")
    chain.add(LeakyReLU(float(slopes.flat[0])))


def _elu(chain: ChannelsFirst, node: Node) -> None:
    chain.add(ELU(node.attribute("alpha", 1.0)))


def _gelu(chain: ChannelsFirst, node: Node) -> None:
    if node.attribute("approximate", "none") != "none":
        raise InvalidValueError("it approximates GELU by tanh, but gpucnn has the exact one")
    chain.add(GELU())


def _silu(chain: ChannelsFirst, node: Node) -> None:
    if node.attribute("alpha", 1.0) != 1:
        raise InvalidValueError("its alpha is not 1, which that of SiLU of gpucnn is")
    chain.add(SiLU())


def _sigmoid(chain: ChannelsFirst, node: Node) -> None:
    chain.add(Sigmoid())


def _tanh(chain: ChannelsFirst, node: Node) -> None:
    chain.add(Tanh())


def _dropout(chain: ChannelsFirst, node: Node) -> None:
    rate = _number(node.given(1, "ratio", 0.5))
    if rate:
        chain.add(Dropout(rate))


def _softmax(chain: ChannelsFirst, node: Node) -> None:
    default = -1 if node.opset >= 13 else 1
    (axis,) = _axes([node.attribute("axis", default)], chain)
    chain.end_in_softmax(axis, of_logarithms=node.operator == "LogSoftmax")


# Pooling


def _max_pooling(chain: ChannelsFirst, node: Node) -> None:
    chain.pool_maxima(_pool(chain, node))


def _average_pooling(chain: ChannelsFirst, node: Node) -> None:
    counts = bool(node.attribute("count_include_pad", 0))
    chain.pool_means(_pool(chain, node), counts_padding=counts)


def _pool(chain: ChannelsFirst, node: Node) -> Sliding:
    return _sliding(chain, node, tuple(node.attribute("kernel_shape")))


def _of_images(*, maxima: bool) -> "Reader":
    """Pooling of whole images, channels first."""
    return lambda chain, node: chain.pool_images(range(1, len(chain.shape)), maxima=maxima)


def _reduction(*, maxima: bool) -> "Reader":
    def reduce(chain: ChannelsFirst, node: Node) -> None:
        axes = node.given(1, "axes")
        keeps_axes = bool(node.attribute("keepdims", 1))
        chain.pool_images(_axes(axes, chain), maxima=maxima, keeps_axes=keeps_axes)

    return reduce


def _sliding(chain: ChannelsFirst, node: Node, size: Sequence[int]) -> Sliding:
    """The window of a node.

    Raises:
        InvalidValueError: it is none of images.
    """
    strides, dilation = (node.attribute(each, [1, 1]) for each in ("strides", "dilations"))
    pads, automatic = node.attribute("pads", [0, 0, 0, 0]), node.attribute("auto_pad", "NOTSET")
    if [len(each) for each in (size, strides, dilation, pads)] != [2, 2, 2, 4]:
        raise InvalidValueError(
            f"its window has the size {tuple(size)}, strides {tuple(strides)} and padding "
            f"{tuple(pads)}, but gpucnn's slide over rows and columns"
        )
    pair: Pair = size[0], size[1]
    top, left, bottom, right = pads
    sliding = Sliding(
        pair,
        (strides[0], strides[1]),
        ((top, bottom), (left, right)),
        (dilation[0], dilation[1]),
        bool(node.attribute("ceil_mode", 0)),
    )
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        return sliding.padded_to_same(chain.image_size(), at_end=automatic == "SAME_UPPER")
    return sliding


# Shapes


def _flatten(chain: ChannelsFirst, node: Node) -> None:
    axis = node.attribute("axis", 1)
    if axis not in (1, -len(chain.shape)):
        raise InvalidValueError(f"it flattens from axis {axis} on, and not from that after images")
    chain.reshape((-1,))


def _reshape(chain: ChannelsFirst, node: Node) -> None:
    before: Shape = (node.batch, *chain.shape)
    target = [int(each) for each in np.ravel(node.given(1, "shape"))]
    if not node.attribute("allowzero", 0):
        target = [before[i] if each == 0 else each for i, each in enumerate(target)]
    chain.reshape_batch(node.batch, target)


def _squeeze(chain: ChannelsFirst, node: Node) -> None:
    before: Shape = (node.batch, *chain.shape)
    axes = node.given(1, "axes")
    ones = [i for i, each in enumerate(before) if each == 1 and i > 0]
    gone = ones if axes is None else [int(each) % len(before) for each in axes]
    if not set(gone) <= set(ones):
        raise InvalidValueError(f"it squeezes the axes {gone} of {before}, which are not all 1")
    chain.reshape_batch(node.batch, [each for i, each in enumerate(before) if i not in gone])


def _unsqueeze(chain: ChannelsFirst, node: Node) -> None:
    axes = [int(each) for each in np.ravel(node.given(1, "axes"))]
    before = np.empty((node.batch, *chain.shape), np.bool_)
    chain.reshape_batch(node.batch, np.expand_dims(before, axes).shape)


def _transpose(chain: ChannelsFirst, node: Node) -> None:
    axes = node.attribute("perm", list(range(len(chain.shape), -1, -1)))
    if axes[0] != 0:
        raise InvalidValueError(f"it permutes the axes {tuple(axes)}, the first among them")
    chain.transpose([axis - 1 for axis in axes[1:]])


def _pad(chain: ChannelsFirst, node: Node) -> None:
    pads = [int(each) for each in np.ravel(node.given(1, "pads"))]
    axes = node.given(3, "axes", range(len(pads) // 2))
    mode, value = node.attribute("mode", "constant"), _number(node.given(2, "value", 0.0))
    sides = list(zip(pads[: len(pads) // 2], pads[len(pads) // 2 :], strict=True))
    if mode == "edge" and len(sides) == 4 and sides[:2] == [(0, 0), (0, 0)]:
        chain.repeat_edges((sides[2], sides[3]))
    elif mode == "constant" and not value:
        _frame(chain, axes, sides)
    else:
        raise InvalidValueError("it pads with other numbers than 0, which gpucnn does not")


def _slice(chain: ChannelsFirst, node: Node) -> None:
    starts, ends = (np.ravel(node.given(i + 1, name)) for i, name in enumerate(("starts", "ends")))
    axes = node.given(3, "axes", range(len(starts)))
    steps = np.ravel(node.given(4, "steps", np.ones_like(starts)))
    if (steps != 1).any():
        raise InvalidValueError(f"it takes steps of {steps.tolist()} pixels, and not of one")
    shape = node.batch, *chain.shape
    cut = []
    for axis, start, end in zip(axes, starts, ends, strict=True):
        first, last, _ = slice(int(start), int(end)).indices(shape[axis])
        cut.append((-first, last - shape[axis]))
    _frame(chain, axes, cut)


def _frame(chain: ChannelsFirst, axes: Any, sides: Sequence[Pair]) -> None:
    """Pad, or crop, along axes that count that of images."""
    of_all: list[Pair] = [(0, 0)] * (len(chain.shape) + 1)
    for axis, pair in zip(axes, sides, strict=True):
        of_all[int(axis)] = pair
    if of_all[0] != (0, 0):
        raise InvalidValueError("it pads or cuts off images of a batch: leave it out")
    chain.frame(of_all[1:])


def _gather(chain: ChannelsFirst, node: Node) -> None:
    (axis,) = _axes([node.attribute("axis", 0)], chain)
    chain.take(np.asarray(node.given(1, "")), axis)


def _nothing(chain: ChannelsFirst, node: Node) -> None:
    """Nothing: it leaves real numbers as they are."""


def _cast(chain: ChannelsFirst, node: Node) -> None:
    from onnx import helper

    if helper.tensor_dtype_to_np_dtype(node.attribute("to")).kind != "f":
        raise InvalidValueError("it makes whole numbers, but gpucnn computes with real ones")


# Arguments


def _axes(axes: Any, chain: ChannelsFirst) -> list[int]:
    """Axes of one image, of such as count that of images; all if there are none.

    Raises:
        InvalidValueError: the axis of images is among them, or there is no such axis.
    """
    rank = len(chain.shape) + 1
    found = range(1, rank) if axes is None else [int(each) for each in np.ravel(axes)]
    if not all(-rank <= axis < rank and axis % rank for axis in found):
        raise InvalidValueError(f"it works along the axes {list(found)} of batches of {rank} axes")
    return [axis % rank - 1 for axis in found]


def _number(value: Any) -> float | None:
    """A number, from an array of one; None for None, or what is infinite.

    Raises:
        InvalidValueError: there is more than one.
    """
    if value is None:
        return None
    if np.size(value) != 1:
        raise InvalidValueError(
            f"it takes numbers of the shape {np.shape(value)}, but gpucnn one for all elements"
        )
    number = shortest(np.ravel(value)[0])
    return None if number == inf else number


Reader = Callable[[ChannelsFirst, Node], None]

READERS: dict[str, Reader] = {
    "Add": _add,
    "AveragePool": _average_pooling,
    "BatchNormalization": _batch_normalization,
    "Cast": _cast,
    "Clip": _clip,
    "Conv": _convolution,
    "Div": _divide,
    "Dropout": _dropout,
    "Elu": _elu,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "GlobalAveragePool": _of_images(maxima=False),
    "GlobalMaxPool": _of_images(maxima=True),
    "Identity": _nothing,
    "LeakyRelu": _leaky_relu,
    "LogSoftmax": _softmax,
    "MatMul": _matmul,
    "MaxPool": _max_pooling,
    "Min": _minimum,
    "Mul": _multiply,
    "Neg": _negate,
    "PRelu": _prelu,
    "Pad": _pad,
    "ReduceMax": _reduction(maxima=True),
    "ReduceMean": _reduction(maxima=False),
    "Relu": _relu,
    "Reshape": _reshape,
    "Sigmoid": _sigmoid,
    "Slice": _slice,
    "Softmax": _softmax,
    "Squeeze": _squeeze,
    "Sub": _subtract,
    "Swish": _silu,
    "Tanh": _tanh,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
"""What appends each operator to a chain."""

QUANTISED = "give the model in floats, as it was before it was quantised"

HINTS = dict.fromkeys(
    (
        "ConvInteger",
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "MatMulInteger",
        "QLinearConv",
        "QLinearMatMul",
        "QuantizeLinear",
    ),
    QUANTISED,
)
"""What to do about operators that are not read."""

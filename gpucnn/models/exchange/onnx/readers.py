"""What each ONNX operator is in a draft of a model."""

from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import numpy as np

from gpucnn.backends import Shape
from gpucnn.backends.window import Pair
from gpucnn.errors import InvalidValueError
from gpucnn.layers import ELU, GELU, Dropout, LeakyReLU, ReLU, Sigmoid, SiLU, Tanh
from gpucnn.models.exchange.channels_first import ChannelsFirst
from gpucnn.models.exchange.draft import Output
from gpucnn.models.exchange.onnx.node import Node, shortest
from gpucnn.models.exchange.sliding import Sliding


def read_node(draft: ChannelsFirst, node: Node) -> None:
    """Append what a node is to a draft.

    Raises:
        InvalidValueError: the layers of gpucnn do nothing like it.
    """
    if node.operator not in READERS:
        hint = HINTS.get(node.operator, "leave it out, or write it by others")
        raise InvalidValueError(f"gpucnn has no layer that is ONNX's {node.operator}: {hint}")
    READERS[node.operator](draft, node)


def merge_node(draft: ChannelsFirst, node: Node, outputs: Sequence[Output]) -> None:
    """Append what a node is that takes several tensors.

    Raises:
        InvalidValueError: the layers of gpucnn do nothing like it.
    """
    if node.operator not in MERGERS or node.count_inputs() != len(outputs):
        raise InvalidValueError(
            f"it takes {len(outputs)} tensors that follow from the images, but of gpucnn's layers "
            "Add and Concatenate alone take several: write it by these"
        )
    MERGERS[node.operator](draft, node, outputs)


# With weights


def _convolution(draft: ChannelsFirst, node: Node) -> None:
    kernel = node.weight(1)
    if kernel.ndim != 4:
        raise InvalidValueError(
            f"its kernel has the shape {kernel.shape}, but gpucnn convolves images, by kernels "
            "(filters, channels, height, width)"
        )
    sliding = _sliding(draft, node, kernel.shape[2:])
    draft.convolve(kernel, node.weight_or_none(2), sliding, node.attribute("group", 1))


def _gemm(draft: ChannelsFirst, node: Node) -> None:
    if node.attribute("transA", 0):
        raise InvalidValueError("it transposes its input: leave transA out")
    kernel, bias = node.weight(1), node.weight_or_none(2)
    kernel = kernel.T if node.attribute("transB", 0) else kernel
    if bias is not None:
        units = kernel.shape[-1:]
        bias = np.broadcast_to(node.attribute("beta", 1.0) * bias, (1, *units)).reshape(units)
    draft.multiply(node.attribute("alpha", 1.0) * kernel, bias)


def _matmul(draft: ChannelsFirst, node: Node) -> None:
    kernel, is_first = node.operand()
    if is_first:
        raise InvalidValueError("it multiplies from the left: let its constant be the second input")
    draft.multiply(kernel, None)


def _batch_normalization(draft: ChannelsFirst, node: Node) -> None:
    if node.attribute("training_mode", 0):
        raise InvalidValueError(
            "it normalises by the mean of a batch, as in training: export the model for inference"
        )
    weights = [node.weight(index) for index in range(1, 5)]
    draft.normalize(
        *weights,
        epsilon=node.attribute("epsilon", 1e-5),
        momentum=node.attribute("momentum", 0.9),
    )


# Numbers that are added and multiplied by


def _add(draft: ChannelsFirst, node: Node) -> None:
    draft.shift(node.operand()[0])


def _subtract(draft: ChannelsFirst, node: Node) -> None:
    number, is_first = node.operand()
    if is_first:
        draft.scale(np.array(-1.0))
    draft.shift(number if is_first else -number)


def _multiply(draft: ChannelsFirst, node: Node) -> None:
    draft.scale(node.operand()[0])


def _divide(draft: ChannelsFirst, node: Node) -> None:
    number, is_first = node.operand()
    if is_first or (number == 0).any():
        raise InvalidValueError("it divides by its input, or by 0: leave it out")
    draft.scale(1 / number.astype(np.float64))


def _negate(draft: ChannelsFirst, node: Node) -> None:
    draft.scale(np.array(-1.0))


# Several tensors


def _sum(draft: ChannelsFirst, node: Node, outputs: Sequence[Output]) -> None:
    draft.sum_up(outputs)


def _concatenate(draft: ChannelsFirst, node: Node, outputs: Sequence[Output]) -> None:
    (axis,) = _axes([node.attribute("axis")], draft)
    draft.concatenate(outputs, axis)


# Activations


def _relu(draft: ChannelsFirst, node: Node) -> None:
    draft.add(ReLU())


def _clip(draft: ChannelsFirst, node: Node) -> None:
    low, high = (_number(node.given(i + 1, n)) for i, n in enumerate(("min", "max")))
    if low != 0:
        raise InvalidValueError(
            f"it clips from {low} to {high}, but gpucnn from 0, as ReLU(max_value)"
        )
    has_most = high is not None and high < np.finfo(np.float32).max
    draft.add(ReLU(high) if has_most else ReLU())


def _minimum(draft: ChannelsFirst, node: Node) -> None:
    most = node.operand()[0]
    if not draft.clip(_number(most)):
        raise InvalidValueError("it takes minima, which gpucnn does after ReLU, as ReLU(max_value)")


def _leaky_relu(draft: ChannelsFirst, node: Node) -> None:
    draft.add(LeakyReLU(node.attribute("alpha", 0.01)))


def _prelu(draft: ChannelsFirst, node: Node) -> None:
    slopes = node.weight(1)
    if slopes.size == 0 or (slopes != slopes.flat[0]).any():
        raise InvalidValueError("its slopes differ, but LeakyReLU of gpucnn has one")
    draft.add(LeakyReLU(float(slopes.flat[0])))


def _elu(draft: ChannelsFirst, node: Node) -> None:
    draft.add(ELU(node.attribute("alpha", 1.0)))


def _gelu(draft: ChannelsFirst, node: Node) -> None:
    if node.attribute("approximate", "none") != "none":
        raise InvalidValueError("it approximates GELU by tanh, but gpucnn has the exact one")
    draft.add(GELU())


def _silu(draft: ChannelsFirst, node: Node) -> None:
    if node.attribute("alpha", 1.0) != 1:
        raise InvalidValueError("its alpha is not 1, which that of SiLU of gpucnn is")
    draft.add(SiLU())


def _sigmoid(draft: ChannelsFirst, node: Node) -> None:
    draft.add(Sigmoid())


def _tanh(draft: ChannelsFirst, node: Node) -> None:
    draft.add(Tanh())


def _dropout(draft: ChannelsFirst, node: Node) -> None:
    rate = _number(node.given(1, "ratio", 0.5))
    if rate:
        draft.add(Dropout(rate))


def _softmax(draft: ChannelsFirst, node: Node) -> None:
    default = -1 if node.opset >= 13 else 1
    (axis,) = _axes([node.attribute("axis", default)], draft)
    draft.end_in_softmax(axis, of_logarithms=node.operator == "LogSoftmax")


# Pooling


def _max_pooling(draft: ChannelsFirst, node: Node) -> None:
    draft.pool_maxima(_pool(draft, node))


def _average_pooling(draft: ChannelsFirst, node: Node) -> None:
    counts = bool(node.attribute("count_include_pad", 0))
    draft.pool_means(_pool(draft, node), counts_padding=counts)


def _pool(draft: ChannelsFirst, node: Node) -> Sliding:
    return _sliding(draft, node, tuple(node.attribute("kernel_shape")))


def _of_images(*, maxima: bool) -> "Reader":
    """Pooling of whole images, channels first."""
    return lambda draft, node: draft.pool_images(range(1, len(draft.shape)), maxima=maxima)


def _reduction(*, maxima: bool) -> "Reader":
    def reduce(draft: ChannelsFirst, node: Node) -> None:
        axes = node.given(1, "axes")
        keeps_axes = bool(node.attribute("keepdims", 1))
        draft.pool_images(_axes(axes, draft), maxima=maxima, keeps_axes=keeps_axes)

    return reduce


def _sliding(draft: ChannelsFirst, node: Node, size: Sequence[int]) -> Sliding:
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
        return sliding.padded_to_same(draft.image_size(), at_end=automatic == "SAME_UPPER")
    return sliding


# Shapes


def _flatten(draft: ChannelsFirst, node: Node) -> None:
    axis = node.attribute("axis", 1)
    if axis not in (1, -len(draft.shape)):
        raise InvalidValueError(f"it flattens from axis {axis} on, and not from that after images")
    draft.reshape((-1,))


def _reshape(draft: ChannelsFirst, node: Node) -> None:
    before: Shape = (node.batch, *draft.shape)
    target = [int(each) for each in np.ravel(node.given(1, "shape"))]
    if not node.attribute("allowzero", 0):
        target = [before[i] if each == 0 else each for i, each in enumerate(target)]
    draft.reshape_batch(node.batch, target)


def _squeeze(draft: ChannelsFirst, node: Node) -> None:
    before: Shape = (node.batch, *draft.shape)
    axes = node.given(1, "axes")
    ones = [i for i, each in enumerate(before) if each == 1 and i > 0]
    gone = ones if axes is None else [int(each) % len(before) for each in axes]
    if not set(gone) <= set(ones):
        raise InvalidValueError(f"it squeezes the axes {gone} of {before}, which are not all 1")
    draft.reshape_batch(node.batch, [each for i, each in enumerate(before) if i not in gone])


def _unsqueeze(draft: ChannelsFirst, node: Node) -> None:
    axes = [int(each) for each in np.ravel(node.given(1, "axes"))]
    before = np.empty((node.batch, *draft.shape), np.bool_)
    draft.reshape_batch(node.batch, np.expand_dims(before, axes).shape)


def _transpose(draft: ChannelsFirst, node: Node) -> None:
    axes = node.attribute("perm", list(range(len(draft.shape), -1, -1)))
    if axes[0] != 0:
        raise InvalidValueError(f"it permutes the axes {tuple(axes)}, the first among them")
    draft.transpose([axis - 1 for axis in axes[1:]])


def _pad(draft: ChannelsFirst, node: Node) -> None:
    pads = [int(each) for each in np.ravel(node.given(1, "pads"))]
    axes = node.given(3, "axes", range(len(pads) // 2))
    mode, value = node.attribute("mode", "constant"), _number(node.given(2, "value", 0.0))
    sides = list(zip(pads[: len(pads) // 2], pads[len(pads) // 2 :], strict=True))
    if mode == "edge" and len(sides) == 4 and sides[:2] == [(0, 0), (0, 0)]:
        draft.repeat_edges((sides[2], sides[3]))
    elif mode == "constant" and not value:
        _frame(draft, axes, sides)
    else:
        raise InvalidValueError("it pads with other numbers than 0, which gpucnn does not")


def _slice(draft: ChannelsFirst, node: Node) -> None:
    starts, ends = (np.ravel(node.given(i + 1, name)) for i, name in enumerate(("starts", "ends")))
    axes = node.given(3, "axes", range(len(starts)))
    steps = np.ravel(node.given(4, "steps", np.ones_like(starts)))
    if (steps != 1).any():
        raise InvalidValueError(f"it takes steps of {steps.tolist()} pixels, and not of one")
    shape = node.batch, *draft.shape
    cut = []
    for axis, start, end in zip(axes, starts, ends, strict=True):
        first, last, _ = slice(int(start), int(end)).indices(shape[axis])
        cut.append((-first, last - shape[axis]))
    _frame(draft, axes, cut)


def _frame(draft: ChannelsFirst, axes: Any, sides: Sequence[Pair]) -> None:
    """Pad, or crop, along axes that count that of images."""
    of_all: list[Pair] = [(0, 0)] * (len(draft.shape) + 1)
    for axis, pair in zip(axes, sides, strict=True):
        of_all[int(axis)] = pair
    if of_all[0] != (0, 0):
        raise InvalidValueError("it pads or cuts off images of a batch: leave it out")
    draft.frame(of_all[1:])


def _gather(draft: ChannelsFirst, node: Node) -> None:
    (axis,) = _axes([node.attribute("axis", 0)], draft)
    draft.take(np.asarray(node.given(1, "")), axis)


def _nothing(draft: ChannelsFirst, node: Node) -> None:
    """Nothing: it leaves real numbers as they are."""


def _cast(draft: ChannelsFirst, node: Node) -> None:
    from onnx import helper

    if helper.tensor_dtype_to_np_dtype(node.attribute("to")).kind != "f":
        raise InvalidValueError("it makes whole numbers, but gpucnn computes with real ones")


# Arguments


def _axes(axes: Any, draft: ChannelsFirst) -> list[int]:
    """Axes of one image, of such as count that of images; all if there are none.

    Raises:
        InvalidValueError: the axis of images is among them, or there is no such axis.
    """
    rank = len(draft.shape) + 1
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
"""What appends each operator to a draft, of one tensor."""

Merger = Callable[[ChannelsFirst, Node, Sequence[Output]], None]

MERGERS: dict[str, Merger] = {"Add": _sum, "Concat": _concatenate, "Sum": _sum}
"""The same of operators of several tensors."""

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

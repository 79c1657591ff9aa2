"""What each function of PyTorch is in a draft of layers, and each module, by the function it calls.

The functions have the names and arguments of PyTorch's, with the draft in the place of the tensor;
arguments that say nothing of what is computed have no use.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends.window import Pair
from gpucnn.errors import InvalidValueError
from gpucnn.layers import (
    ELU,
    GELU,
    Dropout,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    SpatialDropout2D,
    Tanh,
)
from gpucnn.models.exchange.channels_first import ChannelsFirst
from gpucnn.models.exchange.draft import Output
from gpucnn.models.exchange.sliding import NONE, Sides, Sliding

# With weights


def _conv2d(
    draft: ChannelsFirst,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> None:
    kernel = _array(weight)
    if padding_mode != "zeros":
        raise InvalidValueError(f"it pads by {padding_mode!r}, but gpucnn with zeros")
    if kernel.ndim != 4:
        raise InvalidValueError(f"its kernel has the shape {kernel.shape}, and is none of images")
    size: Pair = kernel.shape[2], kernel.shape[3]
    strides, dilations = pair(stride), pair(dilation)
    sides = _around(padding, size, dilations)
    sliding = Sliding(size, strides, sides, dilations)
    draft.convolve(kernel, None if bias is None else _array(bias), sliding, groups)


def _linear(draft: ChannelsFirst, weight: Any, bias: Any = None) -> None:
    draft.multiply(_array(weight).T, None if bias is None else _array(bias))


def _batch_norm(
    draft: ChannelsFirst,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float | None = 0.1,
    eps: float = 1e-5,
) -> None:
    if training:
        raise InvalidValueError("it normalises by the mean of a batch in inference as well")
    if running_mean is None or running_var is None:
        raise InvalidValueError("it keeps no moving averages, which gpucnn infers with")
    mean, variance = _array(running_mean), _array(running_var)
    gamma = np.ones_like(mean) if weight is None else _array(weight)
    beta = np.zeros_like(mean) if bias is None else _array(bias)
    kept = 1 - (0.1 if momentum is None else momentum)
    draft.normalize(gamma, beta, mean, variance, epsilon=eps, momentum=kept)


def _add(draft: ChannelsFirst, other: Any) -> None:
    if not (isinstance(other, int) and other == 0):  # with which Python's sum begins
        draft.shift(_array(other))


def _sub(draft: ChannelsFirst, other: Any) -> None:
    draft.shift(-_array(other))


def _rsub(draft: ChannelsFirst, other: Any) -> None:
    draft.scale(np.array(-1.0))
    draft.shift(_array(other))


def _mul(draft: ChannelsFirst, other: Any) -> None:
    draft.scale(_array(other))


def _div(draft: ChannelsFirst, other: Any) -> None:
    number = _array(other)
    if (number == 0).any():
        raise InvalidValueError("it divides by 0: leave it out")
    draft.scale(1 / number)


def _rdiv(draft: ChannelsFirst, other: Any) -> None:
    raise InvalidValueError("it divides by what the layers give: leave it out")


def _neg(draft: ChannelsFirst) -> None:
    draft.scale(np.array(-1.0))


# Several tensors


def _sum(draft: ChannelsFirst, outputs: Sequence[Output]) -> None:
    draft.sum_up(outputs)


def _cat(draft: ChannelsFirst, outputs: Sequence[Output], dim: int = 0) -> None:
    (axis,) = _axes(draft, dim)
    if len(outputs) > 1:
        draft.concatenate(outputs, axis)


# Activations


def _relu(draft: ChannelsFirst, inplace: bool = False) -> None:
    draft.add(ReLU())


def _relu6(draft: ChannelsFirst, inplace: bool = False) -> None:
    draft.add(ReLU(6.0))


def _hardtanh(
    draft: ChannelsFirst, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> None:
    _clamp(draft, min_val, max_val)


def _clamp(draft: ChannelsFirst, min: float | None = None, max: float | None = None) -> None:  # noqa: A002
    if min != 0:
        raise InvalidValueError(
            f"it clips from {min} to {max}, but gpucnn from 0, as ReLU(max_value)"
        )
    draft.add(ReLU(None if max is None else float(max)))


def _leaky_relu(draft: ChannelsFirst, negative_slope: float = 0.01, inplace: bool = False) -> None:
    draft.add(LeakyReLU(negative_slope))


def _prelu(draft: ChannelsFirst, weight: Any) -> None:
    slopes = _array(weight)
    if (slopes != slopes.flat[0]).any():
        raise InvalidValueError("its slopes differ, but LeakyReLU of gpucnn has one")
    draft.add(LeakyReLU(float(slopes.flat[0])))


def _elu(draft: ChannelsFirst, alpha: float = 1.0, inplace: bool = False) -> None:
    draft.add(ELU(alpha))


def _gelu(draft: ChannelsFirst, approximate: str = "none") -> None:
    if approximate != "none":
        raise InvalidValueError("it approximates GELU by tanh, but gpucnn has the exact one")
    draft.add(GELU())


def _silu(draft: ChannelsFirst, inplace: bool = False) -> None:
    draft.add(SiLU())


def _sigmoid(draft: ChannelsFirst) -> None:
    draft.add(Sigmoid())


def _tanh(draft: ChannelsFirst) -> None:
    draft.add(Tanh())


def _dropout(
    draft: ChannelsFirst, p: float = 0.5, training: bool = True, inplace: bool = False
) -> None:
    if p:
        draft.add(Dropout(p))


def _dropout2d(
    draft: ChannelsFirst, p: float = 0.5, training: bool = True, inplace: bool = False
) -> None:
    if p:
        draft.add(SpatialDropout2D(p))


def _softmax(
    draft: ChannelsFirst, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> None:
    (axis,) = _axes(draft, -1 if dim is None else dim)
    draft.end_in_softmax(axis)


def _log_softmax(
    draft: ChannelsFirst, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> None:
    (axis,) = _axes(draft, -1 if dim is None else dim)
    draft.end_in_softmax(axis, of_logarithms=True)


# Pooling, of which the first rows and columns are cut off that `cut` says


def _max_pool2d(
    draft: ChannelsFirst,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    cut: Pair = (0, 0),
) -> None:
    size = pair(kernel_size)
    sides = _around(padding, size, (1, 1))
    sliding = Sliding(size, pair(stride or size), sides, pair(dilation), ceil_mode)
    draft.pool_maxima(sliding.without_first(cut))


def _avg_pool2d(
    draft: ChannelsFirst,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    cut: Pair = (0, 0),
) -> None:
    if divisor_override is not None:
        raise InvalidValueError("it has a divisor_override, but a mean of gpucnn is one")
    size = pair(kernel_size)
    sides = _around(padding, size, (1, 1))
    sliding = Sliding(size, pair(stride or size), sides, (1, 1), ceil_mode)
    draft.pool_means(sliding.without_first(cut), counts_padding=count_include_pad)


def _adaptive_avg_pool2d(draft: ChannelsFirst, output_size: Any) -> None:
    sliding = _adaptive(draft, output_size)
    if sliding is None:
        draft.pool_images((1, 2), maxima=False)
    elif sliding.size != (1, 1):
        draft.pool_means(sliding, counts_padding=False)


def _adaptive_max_pool2d(
    draft: ChannelsFirst, output_size: Any, return_indices: bool = False
) -> None:
    sliding = _adaptive(draft, output_size)
    if sliding is None:
        draft.pool_images((1, 2), maxima=True)
    elif sliding.size != (1, 1):
        draft.pool_maxima(sliding)


def _adaptive(draft: ChannelsFirst, output_size: Any) -> Sliding | None:
    """The window by which images come to a size; None for that of whole images."""
    image = draft.image_size()
    given = pair(output_size)
    output = given[0] or image[0], given[1] or image[1]  # None for that of the image
    if output == (1, 1):
        return None
    if image[0] % output[0] or image[1] % output[1]:
        raise InvalidValueError(
            f"it makes {output} of images of {image}, by windows of several sizes: give images of "
            "a multiple"
        )
    size = image[0] // output[0], image[1] // output[1]
    return Sliding(size, size)


def _mean(draft: ChannelsFirst, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> None:
    draft.pool_images(_axes(draft, dim), maxima=False, keeps_axes=keepdim)


def _amax(draft: ChannelsFirst, dim: Any = (), keepdim: bool = False) -> None:
    draft.pool_images(_axes(draft, dim), maxima=True, keeps_axes=keepdim)


# Shapes


def _flatten(draft: ChannelsFirst, start_dim: int = 0, end_dim: int = -1) -> None:
    shape = 1, *draft.shape
    start, end = start_dim % len(shape), end_dim % len(shape)
    draft.reshape_batch(1, [*shape[:start], -1, *shape[end + 1 :]])


def _unflatten(draft: ChannelsFirst, dim: int, sizes: Sequence[int]) -> None:
    shape = 1, *draft.shape
    axis = dim % len(shape)
    draft.reshape_batch(1, [*shape[:axis], *sizes, *shape[axis + 1 :]])


def _view(draft: ChannelsFirst, *shape: Any) -> None:
    sizes = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
    draft.reshape_batch(1, [int(each) for each in sizes])


def _squeeze(draft: ChannelsFirst, dim: Any = None) -> None:
    gone = [axis for axis in _axes(draft, dim) if draft.shape[axis] == 1]
    draft.reshape([each for axis, each in enumerate(draft.shape) if axis not in gone])


def _unsqueeze(draft: ChannelsFirst, dim: int) -> None:
    shape = [1, *draft.shape]
    shape.insert(dim % (len(shape) + 1), 1)
    draft.reshape_batch(1, shape)


def _permute(draft: ChannelsFirst, *dims: Any) -> None:
    axes = list(dims[0] if len(dims) == 1 else dims)
    rank = len(draft.shape) + 1
    if axes[0] % rank:
        raise InvalidValueError(f"it permutes the axes {tuple(axes)}, the first among them")
    draft.transpose([axis % rank - 1 for axis in axes[1:]])


def _channel_shuffle(draft: ChannelsFirst, groups: int) -> None:
    channels, *pixels = draft.shape
    draft.reshape((groups, channels // groups, *pixels))
    draft.transpose((1, 0, *range(2, len(pixels) + 2)))
    draft.reshape((channels, *pixels))


def _pad(
    draft: ChannelsFirst, pad: Any, mode: str = "constant", value: float | None = None
) -> None:  # of the last axis first
    if mode != "constant" or value:
        raise InvalidValueError("it pads with other numbers than 0, which gpucnn does not")
    sides = [(int(a), int(b)) for a, b in zip(pad[::2], pad[1::2], strict=True)][::-1]
    free = len(draft.shape) - len(sides)
    if free < 0:
        raise InvalidValueError("it pads images of a batch: leave it out")
    draft.frame([*[(0, 0)] * free, *sides])


def _contiguous(draft: ChannelsFirst) -> None:
    pass


# Arguments


def _array(value: Any) -> NDArray[np.float32]:
    """A parameter, or a number."""
    if hasattr(value, "detach"):
        if value.is_complex():
            raise InvalidValueError("it has complex numbers: give a module of real ones")
        if value.is_meta:
            raise InvalidValueError("its weights have no values (device meta): load them first")
        value = value.detach().cpu().float().numpy()
    return np.array(value, np.float32)  # a copy: a parameter may be trained further


def pair(value: Any) -> Pair:
    """A number for both axes, or one for each."""
    if isinstance(value, (tuple, list)):
        first, second = value if len(value) == 2 else (value[0], value[0])
        return first, second
    return value, value


def _around(padding: Any, size: Pair, dilation: Pair) -> Sides:
    """The padding of a window, which is the same on both sides, but for "same"."""
    if padding == "valid":
        return NONE
    if padding != "same":
        rows, columns = pair(padding)
        return (rows, rows), (columns, columns)
    rows, columns = (each * (length - 1) for each, length in zip(dilation, size, strict=True))
    return (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2)


def _axes(draft: ChannelsFirst, dim: Any) -> list[int]:
    """Axes of one image, of such as count that of images; all for None."""
    rank = len(draft.shape) + 1
    if dim is None:
        return list(range(rank - 1))
    axes = [dim] if isinstance(dim, int) else list(dim)
    if not all(-rank <= axis < rank and axis % rank for axis in axes):
        raise InvalidValueError(f"it works along the axes {axes} of batches of {rank} axes")
    return [axis % rank - 1 for axis in axes]


CALLS: dict[str, Callable[..., None]] = {
    each.__name__.removeprefix("_"): each
    for each in (
        *(_conv2d, _linear, _batch_norm, _add, _sub, _rsub, _mul, _div, _rdiv, _neg),
        *(_relu, _relu6, _hardtanh, _clamp, _leaky_relu, _prelu, _elu, _gelu, _silu),
        *(_sigmoid, _tanh, _dropout, _dropout2d, _softmax, _log_softmax),
        *(_max_pool2d, _avg_pool2d, _adaptive_avg_pool2d, _adaptive_max_pool2d, _mean, _amax),
        *(_flatten, _unflatten, _view, _squeeze, _unsqueeze, _permute, _channel_shuffle),
        *(_pad, _contiguous),
    )
} | {
    "iadd": _add,
    "imul": _mul,
    "isub": _sub,
    "itruediv": _div,
    "truediv": _div,
    "rtruediv": _rdiv,
    "reshape": _view,
    "clip": _clamp,
}
"""By the names of functions and methods, those of operators among them, of one tensor."""

MERGERS: dict[str, Callable[..., None]] = {
    **dict.fromkeys(("add", "iadd"), _sum),
    **dict.fromkeys(("cat", "concat", "concatenate"), _cat),
}
"""The same of several, which these are given as a list, or of a list of one."""

VIEWS = {"contiguous", "dropout", "dropout2d", "flatten", "permute", "reshape", "squeeze"} | {
    "unflatten",
    "unsqueeze",
    "view",
}
"""Those that may give what they take itself, seen in another shape."""

Attributes = str

MODULES: dict[str, tuple[str, Attributes]] = {
    "Conv2d": ("conv2d", "weight bias stride padding dilation groups padding_mode"),
    "Linear": ("linear", "weight bias"),
    **dict.fromkeys(
        ("BatchNorm1d", "BatchNorm2d"),
        ("batch_norm", "running_mean running_var weight bias momentum eps"),
    ),
    "ReLU": ("relu", ""),
    "ReLU6": ("relu6", ""),
    "Hardtanh": ("hardtanh", "min_val max_val"),
    "LeakyReLU": ("leaky_relu", "negative_slope"),
    "PReLU": ("prelu", "weight"),
    "ELU": ("elu", "alpha"),
    "GELU": ("gelu", "approximate"),
    "SiLU": ("silu", ""),
    "Sigmoid": ("sigmoid", ""),
    "Tanh": ("tanh", ""),
    "Dropout": ("dropout", "p"),
    "Dropout2d": ("dropout2d", "p"),
    "Softmax": ("softmax", "dim"),
    "LogSoftmax": ("log_softmax", "dim"),
    "MaxPool2d": ("max_pool2d", "kernel_size stride padding dilation ceil_mode"),
    "AvgPool2d": (
        "avg_pool2d",
        "kernel_size stride padding ceil_mode count_include_pad divisor_override",
    ),
    "AdaptiveAvgPool2d": ("adaptive_avg_pool2d", "output_size"),
    "AdaptiveMaxPool2d": ("adaptive_max_pool2d", "output_size"),
    "Flatten": ("flatten", "start_dim end_dim"),
    "Unflatten": ("unflatten", "dim sizes=unflattened_size"),
    "ChannelShuffle": ("channel_shuffle", "groups"),
    "ZeroPad2d": ("pad", "pad=padding"),
    "Identity": ("contiguous", ""),
}
"""By the name of a class, the function that it calls, and the attributes that it gives it.

Where an argument has another name than the attribute, that stands before it.
"""

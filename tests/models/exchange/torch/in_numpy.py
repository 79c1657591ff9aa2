"""PyTorch's modules in NumPy, in evaluation: what its documentation says of them, and no more."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from math import ceil, erf, floor, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.models.exchange.torch.modules import Module, are_chain
from gpucnn.models.graph import IMAGES

Array = NDArray[Any]
Tensors = Mapping[str, Array]


def run(modules: Sequence[Module], state: Tensors, x: Array) -> Array:
    """What modules with a state dict give for images (n, c, h, w), in a row or joined."""
    outputs = {IMAGES: x}
    for number, module in enumerate(modules):
        name = str(number) if are_chain(modules) else f"0.{number}"
        mine = {
            key.rpartition(".")[2]: tensor
            for key, tensor in state.items()
            if key.rpartition(".")[0] == name
        }
        assert mine.keys() == module.tensors.keys()
        taken = [outputs[each] for each in module.inputs]
        outputs[number] = x = FUNCTIONS[module.kind](*taken, mine, **module.arguments)
    return x


def pair(value: Any) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


# With tensors


def conv(
    x: Array,
    tensors: Tensors,
    in_channels: int,
    out_channels: int,
    kernel_size: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    bias: bool = True,
) -> Array:
    weight, size, step, apart = tensors["weight"], *map(pair, (kernel_size, stride, dilation))
    assert weight.shape == (out_channels, in_channels // groups, *size)
    x = np.pad(x, [(0, 0), (0, 0), *((each, each) for each in pair(padding))])
    rows, columns = (
        (n - a * (k - 1) - 1) // s + 1
        for n, k, s, a in zip(x.shape[2:], size, step, apart, strict=True)
    )
    out = np.zeros((len(x), out_channels, rows, columns))
    by_group = x.reshape(len(x), groups, -1, *x.shape[2:])
    kernel = weight.reshape(groups, -1, *weight.shape[1:])
    for i, j in product(*map(range, size)):
        seen = by_group[:, :, :, i * apart[0] :: step[0], j * apart[1] :: step[1]]
        seen = seen[..., :rows, :columns]
        out += np.einsum("ngcyx,gfc->ngfyx", seen, kernel[..., i, j]).reshape(out.shape)
    return out + tensors["bias"].reshape(-1, 1, 1) if bias else out


def conv_of_one(x: Array, tensors: Tensors, kernel_size: int, groups: int, **_: Any) -> Array:
    """A convolution, of any number of dimensions, of each channel by one number."""
    assert (kernel_size, groups) == (1, x.shape[1])
    shape = -1, *(1,) * (x.ndim - 2)
    return x * tensors["weight"].reshape(shape) + tensors["bias"].reshape(shape)


def linear(x: Array, tensors: Tensors, in_features: int, out_features: int, bias: bool) -> Array:
    assert tensors["weight"].shape == (out_features, in_features)
    return x @ tensors["weight"].T + (tensors["bias"] if bias else 0)


def batch_norm(
    x: Array, tensors: Tensors, num_features: int, eps: float, momentum: float, affine: bool
) -> Array:
    shape = 1, num_features, *(1,) * (x.ndim - 2)
    mean, variance = (tensors[name].reshape(shape) for name in ("running_mean", "running_var"))
    x = (x - mean) / np.sqrt(variance + eps)
    if not affine:
        return x
    return x * tensors["weight"].reshape(shape) + tensors["bias"].reshape(shape)


# With a window


def pool(how: Callable[[Array], Any]) -> Callable[..., Array]:
    """Pooling of the pixels of a window that are within the image."""

    def run(
        x: Array,
        _: Tensors,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        ceil_mode: bool,
        count_include_pad: bool = False,
    ) -> Array:
        assert not count_include_pad
        rows, columns = (
            [slice(max(i * s - p, 0), i * s - p + k) for i in range(windows(n, k, s, p, ceil_mode))]
            for n, k, s, p in zip(
                x.shape[2:], *map(pair, (kernel_size, stride, padding)), strict=True
            )
        )
        by_row = [[how(x[:, :, row, column]) for column in columns] for row in rows]
        return np.moveaxis(np.array(by_row), (0, 1), (2, 3))

    return run


def windows(n: int, k: int, s: int, p: int, ceil_mode: bool) -> int:
    """How many there are of a size, by strides, over so many pixels with padding."""
    assert 2 * p <= k
    count = (ceil if ceil_mode else floor)((n + 2 * p - k) / s) + 1
    return count - 1 if ceil_mode and (count - 1) * s >= n + p else count


def adaptive(how: Callable[..., Array]) -> Callable[..., Array]:
    def run(x: Array, _: Tensors, output_size: int) -> Array:
        assert output_size == 1
        return how(x, axis=(2, 3), keepdims=True)

    return run


# Of several tensors


def add(x: Array, y: Array, _: Tensors) -> Array:
    assert x.shape == y.shape
    return x + y


def cat(*given: Any, dim: int) -> Array:
    *tensors, _ = given
    return np.concatenate(tensors, dim)


# Of elements


def elu(x: Array, _: Tensors, alpha: float) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def leaky_relu(x: Array, _: Tensors, negative_slope: float) -> Array:
    return np.where(x > 0, x, negative_slope * x)


def softmax(x: Array, _: Tensors, dim: int) -> Array:
    exponentials = np.exp(x - x.max(dim, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(dim, keepdims=True))


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def elementwise(function: Callable[[Array], Array]) -> Callable[..., Array]:
    return lambda x, _, **__: function(x)


# Of shapes


def unflatten(x: Array, _: Tensors, dim: int, unflattened_size: tuple[int, ...]) -> Array:
    assert dim == 1
    assert x.shape[1] == prod(unflattened_size)
    return x.reshape(len(x), *unflattened_size)


def channel_shuffle(x: Array, _: Tensors, groups: int) -> Array:
    of_groups = x.reshape(len(x), groups, -1, *x.shape[2:])
    return of_groups.swapaxes(1, 2).reshape(x.shape)


def zero_pad(x: Array, _: Tensors, padding: tuple[int, int, int, int]) -> Array:
    left, right, top, bottom = padding
    sides = [(0, 0), (0, 0), (top, bottom), (left, right)]
    x = np.pad(x, [(max(before, 0), max(after, 0)) for before, after in sides])
    kept = [
        slice(max(-before, 0), size + min(after, 0))
        for size, (before, after) in zip(x.shape, sides, strict=True)
    ]
    return x[tuple(kept)]


FUNCTIONS: dict[str, Callable[..., Array]] = {
    "Conv1d": conv_of_one,
    "Conv2d": conv,
    "Conv3d": conv_of_one,
    "Linear": linear,
    "BatchNorm1d": batch_norm,
    "BatchNorm2d": batch_norm,
    "BatchNorm3d": batch_norm,
    "MaxPool2d": pool(lambda seen: seen.max((2, 3))),
    "AvgPool2d": pool(lambda seen: seen.mean((2, 3))),
    "AdaptiveMaxPool2d": adaptive(np.max),
    "AdaptiveAvgPool2d": adaptive(np.mean),
    "add": add,
    "cat": cat,
    "ReLU": elementwise(lambda x: np.maximum(x, 0)),
    "ReLU6": elementwise(lambda x: x.clip(0, 6)),
    "Hardtanh": lambda x, _, min_val, max_val: x.clip(min_val, max_val),
    "LeakyReLU": leaky_relu,
    "ELU": elu,
    "GELU": elementwise(lambda x: x * (1 + np.vectorize(erf)(x / np.sqrt(2))) / 2),
    "SiLU": elementwise(lambda x: x * sigmoid(x)),
    "Tanh": elementwise(np.tanh),
    "Sigmoid": elementwise(sigmoid),
    "Softmax": softmax,
    "Flatten": elementwise(lambda x: x.reshape(len(x), -1)),
    "Unflatten": unflatten,
    "ChannelShuffle": channel_shuffle,
    "ZeroPad2d": zero_pad,
    "Dropout": elementwise(lambda x: x),
    "Dropout2d": elementwise(lambda x: x),
}

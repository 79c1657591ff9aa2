"""Convolution layers beside those of Keras 3: `python tests/peers/convolutions.py`.

To be run by hand where Keras and PyTorch are installed. Both have the same weights, images and
gradients of the output, in float64; gpucnn computes on the CPU and in the simulator of its kernels.
Prints a line a case, and exits with 1 if outputs or gradients differ by more than `TOLERANCE`.
"""

import os
import sys
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn import Conv2D, DepthwiseConv2D, SeparableConv2D, get_backend
from gpucnn.layers import Layer, Step

os.environ["KERAS_BACKEND"] = "torch"
import keras
import torch

TOLERANCE = 1e-9  # of the largest number of an array
IMAGE, IMAGES = (11, 10, 4), 3
DEVICES = ("cpu", "simulator")

Arrays = list[NDArray[np.float64]]

KINDS: list[tuple[type[Layer], dict[str, Any]]] = [
    (Conv2D, {"filters": 6}),
    (Conv2D, {"filters": 6, "use_bias": False, "activation": "tanh"}),
    (Conv2D, {"filters": 6, "groups": 2}),
    (Conv2D, {"filters": 8, "groups": 4}),
    (DepthwiseConv2D, {}),
    (DepthwiseConv2D, {"depth_multiplier": 3, "activation": "sigmoid"}),
    (SeparableConv2D, {"filters": 5}),
    (SeparableConv2D, {"filters": 5, "depth_multiplier": 2, "use_bias": False}),
    (SeparableConv2D, {"filters": 5, "activation": "elu"}),
]
"""Layers, and arguments of theirs."""

WINDOWS: list[dict[str, Any]] = [
    {"kernel_size": 3},
    {"kernel_size": (2, 3), "strides": 2},
    {"kernel_size": (4, 2), "strides": (3, 1)},
    {"kernel_size": (3, 2), "dilation_rate": 2},
    {"kernel_size": (2, 3), "dilation_rate": (4, 3)},
]


def ours(
    kind: type[Layer], arguments: dict[str, Any], x: NDArray[np.float64], device: str
) -> tuple[Arrays, Arrays]:
    """The weights of a layer of gpucnn; and its output, and the gradients of all and of `x`."""
    backend = get_backend(device)
    shape: tuple[int, ...] = IMAGE
    generator = np.random.default_rng(1)
    layers = kind(**arguments).unrolled()
    for layer in layers:
        layer.build(shape)
        shape = layer.output_shape
        of = {
            name: generator.standard_normal(each) for name, each in layer.parameter_shapes().items()
        }
        gradients = {name: np.empty_like(each) for name, each in of.items()}
        layer.place(backend, np.dtype(np.float64), of, gradients, np.empty(0))
        layer.reserve(IMAGES, training=True)
    out = x
    for layer in layers:
        out = layer.forward(out, Step())
    gradient: Any = output_gradient(out.shape)
    for layer in reversed(layers):
        gradient = layer.backward(gradient)
    weights = [each for layer in layers for each in layer.parameters.values()]
    of_weights = [each for layer in layers for each in layer.gradients.values()]
    return weights, [np.array(each) for each in (out, gradient, *of_weights)]


def theirs(
    kind: type[Layer], arguments: dict[str, Any], x: NDArray[np.float64], weights: Arrays
) -> Arrays:
    """Likewise, of Keras, with those weights."""
    layer = getattr(keras.layers, kind.__name__)(**arguments)
    layer.build((None, *IMAGE))
    layer.set_weights(weights)
    images = torch.tensor(x, requires_grad=True)
    out = layer(images)
    out.backward(torch.tensor(output_gradient(tuple(out.shape))))
    found = [out.detach(), images.grad, *(each.value.grad for each in layer.trainable_weights)]
    return [each.numpy() for each in found]


def output_gradient(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The gradient of an output of that shape."""
    return np.random.default_rng(2).standard_normal(shape)


def difference(one: Arrays, other: Arrays) -> float:
    """The largest difference, relative to the largest number of its array."""
    assert [each.shape for each in one] == [each.shape for each in other]
    pairs = zip(one, other, strict=True)
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)


def main() -> int:
    """Compare all; the exit status."""
    keras.backend.set_floatx("float64")
    print(f"Keras {keras.__version__} on PyTorch {torch.__version__}, in float64")
    x = np.random.default_rng(0).standard_normal((IMAGES, *IMAGE))
    worst = 0.0
    cases = list(product(KINDS, WINDOWS, ("valid", "same"), DEVICES))
    for (kind, options), window, padding, device in cases:
        arguments = options | window | {"padding": padding}
        weights, found = ours(kind, arguments, x, device)
        apart = difference(found, theirs(kind, arguments, x, weights))
        worst = max(worst, apart)
        print(f"{apart:8.1e}  {device:9}  {kind.__name__} {arguments}")
    print(f"{len(cases)} cases, the largest difference {worst:.1e}")
    return int(not worst <= TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())

"""Networks for peers whose images are (channels, rows, columns): NCHW, where gpucnn's are NHWC."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import InvalidValueError
from gpucnn.layers import Conv2D, Dense, Flatten, Layer, MaxPool2D, ReLU

KINDS = (Conv2D, MaxPool2D, ReLU, Flatten, Dense)
PLAIN = {"padding": "valid", "dilation_rate": 1, "groups": 1, "max_value": None}
"""What these arguments are of the layers that can be built."""


def check_layers(layers: Sequence[Layer], peer: str) -> None:
    """Check that a network can be built for a peer.

    Raises:
        InvalidValueError: a layer is of none of `KINDS`, or has other arguments than `PLAIN`.
    """
    for layer in layers:
        is_plain = all(getattr(layer, name, value) == value for name, value in PLAIN.items())
        if not isinstance(layer, KINDS) or not is_plain:
            raise InvalidValueError(
                f"{layer!r} cannot be built for {peer}: time a model whose layers are Conv2D and "
                "MaxPool2D without padding, dilation and groups, ReLU, Flatten and Dense"
            )


def to_nchw(layers: Sequence[Layer], arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Convert weights or gradients, in the order of `get_weights`, to those for NCHW images.

    Convolution kernels become (filters, channels, rows, columns), dense kernels (units, inputs)
    with the inputs in the order in which an NCHW image is flattened. Biases stay as they are.
    """
    return [np.ascontiguousarray(each) for each in _converted(layers, iter(arrays))]


def _converted(layers: Sequence[Layer], arrays: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    flattened: tuple[int, ...] = ()  # the shape of the images that the next dense layer takes
    for layer in layers:
        if isinstance(layer, Flatten):
            flattened = layer.input_shape
        elif isinstance(layer, Conv2D):
            yield next(arrays).transpose(3, 2, 0, 1)
            yield next(arrays)
        elif isinstance(layer, Dense):
            yield _channels_first(next(arrays), flattened).T
            yield next(arrays)
            flattened = ()


def _channels_first(kernel: NDArray[Any], image: tuple[int, ...]) -> NDArray[Any]:
    """Reorder the inputs of a dense kernel (inputs, units) from HWC to CHW.

    Args:
        kernel: of the dense layer.
        image: the shape (rows, columns, channels) of what was flattened; of another length for a
            vector, whose kernel is returned as it is.
    """
    if len(image) != 3:
        return kernel
    return kernel.reshape(*image, -1).transpose(2, 0, 1, 3).reshape(kernel.shape)

"""Preset networks, by default for images of MNIST's shape and its ten classes."""

from collections.abc import Callable, Sequence

from gpucnn.layers import Conv2D, Dense, Dropout, Flatten, MaxPool2D, ReLU
from gpucnn.models.sequential import Sequential

MNIST_SHAPE = (28, 28, 1)
MNIST_CLASSES = 10


def notebook(
    dtype: str = "float32",
    device: str = "auto",
    seed: int = 0,
    threads: int | None = None,
    *,
    input_shape: Sequence[int] = MNIST_SHAPE,
    classes: int = MNIST_CLASSES,
) -> Sequential:
    """The notebook's network: convolution 3x3 with 8 filters, ReLU, 2x2 max-pool, one dense layer.

    13,610 parameters for MNIST. Arguments and errors are those of `Sequential`, and `classes` is
    the number of its outputs.
    """
    layers = [Conv2D(8, 3), ReLU(), MaxPool2D(2), Flatten(), Dense(classes)]
    return Sequential(layers, input_shape, dtype, device, seed, threads)


def lenet(
    dtype: str = "float32",
    device: str = "auto",
    seed: int = 0,
    threads: int | None = None,
    *,
    input_shape: Sequence[int] = MNIST_SHAPE,
    classes: int = MNIST_CLASSES,
) -> Sequential:
    """Two pooled convolutions of 32 and 64 filters, a dense layer of 128 with dropout, one of 10.

    In the line of LeNet-5 (LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to
    document recognition", Proceedings of the IEEE, 1998). Arguments and errors are those of
    `notebook`.
    """
    layers = [
        Conv2D(32, 3),
        ReLU(),
        MaxPool2D(2),
        Conv2D(64, 3),
        ReLU(),
        MaxPool2D(2),
        Flatten(),
        Dense(128),
        ReLU(),
        Dropout(0.5),
        Dense(classes),
    ]
    return Sequential(layers, input_shape, dtype, device, seed, threads)


MODELS: dict[str, Callable[..., Sequential]] = {"notebook": notebook, "lenet": lenet}

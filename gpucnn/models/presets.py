"""Preset networks, by default for images of MNIST's shape and its ten classes."""

from collections.abc import Callable, Sequence

from gpucnn.backends.window import Padding
from gpucnn.layers import (
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    Layer,
    MaxPool2D,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
    ReLU,
)
from gpucnn.layers.tensor import Tensor
from gpucnn.models.model import Model
from gpucnn.models.sequential import Sequential
from gpucnn.utils.keras.arguments import keras_arguments

MNIST_SHAPE = (28, 28, 1)
MNIST_CLASSES = 10
CIFAR_SHAPE = (32, 32, 3)
CIFAR_CLASSES = 10


@keras_arguments
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


@keras_arguments
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


@keras_arguments
def fast(
    dtype: str = "float32",
    device: str = "auto",
    seed: int = 0,
    threads: int | None = None,
    *,
    input_shape: Sequence[int] = MNIST_SHAPE,
    classes: int = MNIST_CLASSES,
) -> Sequential:
    """Three narrow convolutions, of which two are pooled before they are normalised.

    12,706 parameters for MNIST. On the CPU convolution, ReLU and pooling are one operation, and
    batch normalisation has a quarter of the numbers to read. Arguments and errors are those of
    `notebook`.
    """
    layers = [
        *_convolution(12, pooled=True),
        *_convolution(24, pooled=True),
        *_convolution(32),
        Flatten(),
        Dense(classes),
    ]
    return Sequential(layers, input_shape, dtype, device, seed, threads)


@keras_arguments
def tiny(
    dtype: str = "float32",
    device: str = "auto",
    seed: int = 0,
    threads: int | None = None,
    *,
    input_shape: Sequence[int] = MNIST_SHAPE,
    classes: int = MNIST_CLASSES,
) -> Sequential:
    """Fewer than 10,000 parameters: four convolutions, and the mean of each filter's outputs.

    In training images are moved by up to 5 % of their sides. Arguments and errors are those of
    `notebook`.
    """
    layers = [
        RandomTranslation(0.05, 0.05, "nearest"),
        *_convolution(8, 5, pooled=True),
        *_convolution(16),
        *_convolution(24, padding="same", pooled=True),
        *_convolution(20),
        GlobalAveragePooling2D(),
        Dense(classes),
    ]
    return Sequential(layers, input_shape, dtype, device, seed, threads)


@keras_arguments
def best(
    dtype: str = "float32",
    device: str = "auto",
    seed: int = 0,
    threads: int | None = None,
    *,
    input_shape: Sequence[int] = MNIST_SHAPE,
    classes: int = MNIST_CLASSES,
) -> Sequential:
    """The layers of `tiny` with four to six times the filters: 187,370 parameters for MNIST.

    In training images are moved by up to 7 % of their sides, turned by up to 11 degrees and zoomed
    by up to 8 %. Arguments and errors are those of `notebook`.
    """
    layers = [
        RandomTranslation(0.07, 0.07, "nearest"),
        RandomRotation(0.03, "nearest"),
        RandomZoom(0.08, fill_mode="nearest"),
        *_convolution(32, 5, pooled=True),
        *_convolution(64),
        *_convolution(96, padding="same", pooled=True),
        *_convolution(128),
        GlobalAveragePooling2D(),
        Dropout(0.2),
        Dense(classes),
    ]
    return Sequential(layers, input_shape, dtype, device, seed, threads)


@keras_arguments
def resnet(
    dtype: str = "float32",
    device: str = "auto",
    seed: int = 0,
    threads: int | None = None,
    *,
    input_shape: Sequence[int] = CIFAR_SHAPE,
    classes: int = CIFAR_CLASSES,
) -> Model:
    """A pooled convolution and three residual blocks, for photographs of CIFAR-10's size.

    78,058 parameters for CIFAR-10. In training images are mirrored and moved. The blocks are those
    of He, Zhang, Ren and Sun, "Deep residual learning for image recognition", CVPR 2016, with
    convolutions of 1x1 where the number of filters changes. Arguments and errors are those of
    `notebook`.
    """
    images = Input(input_shape)
    x: Tensor = RandomFlip("horizontal")(images)
    x = RandomTranslation(0.1, 0.1)(x)
    for layer in _convolution(16, padding="same", pooled=True):
        x = layer(x)
    x = _residual(x, 16, shortcut=x)
    for filters in (32, 64):
        shortcut = Conv2D(filters, 1, strides=2, use_bias=False)(x)
        x = _residual(x, filters, strides=2, shortcut=BatchNormalization()(shortcut))
    logits = Dense(classes)(GlobalAveragePooling2D()(x))
    return Model(images, logits, "resnet", dtype, device, seed, threads)


def _convolution(
    filters: int, kernel_size: int = 3, padding: Padding = "valid", *, pooled: bool = False
) -> list[Layer]:
    """A convolution with ReLU, 2x2 max-pooling if `pooled`, and batch normalisation."""
    pooling = [MaxPool2D(2)] if pooled else []
    convolution = Conv2D(filters, kernel_size, padding=padding)
    return [convolution, ReLU(), *pooling, BatchNormalization()]


def _residual(x: Tensor, filters: int, strides: int = 1, *, shortcut: Tensor) -> Tensor:
    """The ReLU of the sum of two convolutions of `x`, both normalised, and of `shortcut`."""
    y = Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(x)
    y = ReLU()(BatchNormalization()(y))
    y = Conv2D(filters, 3, padding="same", use_bias=False)(y)
    return ReLU()(Add()([BatchNormalization()(y), shortcut]))


MODELS: dict[str, Callable[..., Model]] = {
    preset.__name__: preset for preset in (notebook, lenet, fast, tiny, best, resnet)
}

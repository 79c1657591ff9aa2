"""Random networks of the library's layers, chains and graphs, by a seed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn import (
    ELU,
    GELU,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Cropping2D,
    CutMix,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Input,
    LeakyReLU,
    MaxPool2D,
    MixUp,
    Model,
    Normalization,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
    ReLU,
    Rescaling,
    Reshape,
    SeparableConv2D,
    Sequential,
    Sigmoid,
    SiLU,
    Softmax,
    SpatialDropout2D,
    Tanh,
    ZeroPadding2D,
)
from gpucnn.layers import Layer
from gpucnn.layers.ends import end_of
from gpucnn.layers.tensor import Tensor
from gpucnn.losses import SparseCategoricalCrossentropy

ACTIVATIONS = (None, "relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid")
MOST_BRANCHES = 8
MOST_PARTS = 4  # of one or two layers of images each


def random_network(seed: int) -> Sequential:
    """A network of up to a dozen layers with weights, averages among them, that are drawn."""
    draw = Draw(seed)
    rows, columns, channels = (int(draw.random.integers(low, 10)) for low in (4, 4, 1))
    layers = [*draw.beginning(channels), *draw.body(), *draw.vectors(), *draw.end()]
    model = Sequential(layers, (rows, columns, channels), device="cpu", seed=seed, threads=1)
    if draw.flip() and end_of(layers) == "linear":
        model.compile(loss=SparseCategoricalCrossentropy(from_logits=True))
    draw_weights(model, seed)
    return model


def random_graph(seed: int) -> Model:
    """The same of a network that branches and merges a few times."""
    draw = Draw(seed)
    rows, columns, channels = (int(draw.random.integers(low, 8)) for low in (4, 4, 1))
    images = Input((rows, columns, channels))
    outputs = draw.branches(images)
    outputs = called(draw.vectors(), outputs)
    last = called(draw.end(), outputs)
    model = Model(images, last, device="cpu", seed=seed, threads=1)
    if draw.flip() and end_of(model.layers) == "linear":
        model.compile(loss=SparseCategoricalCrossentropy(from_logits=True))
    draw_weights(model, seed)
    return model


def called(layers: Sequence[Layer], tensor: Tensor) -> Tensor:
    """What layers in a row give for a tensor."""
    for layer in layers:
        tensor = layer(tensor)
    return tensor


def draw_weights(model: Model, seed: int) -> None:
    """Draw all weights that begin as zeros or ones."""
    random = np.random.default_rng(seed)

    def drawn(name: str, values: NDArray[Any]) -> NDArray[Any]:
        if name.endswith("kernel"):
            return values
        if name.endswith(("variance", "gamma")):
            return random.uniform(0.5, 2, values.shape)
        return random.normal(0, 0.3, values.shape)

    named = zip(model.weight_names, model.get_weights(), strict=True)
    model.set_weights([drawn(name, values) for name, values in named])


class Draw:
    """Layers that are drawn; the windows are such that they fit any image."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def flip(self) -> bool:
        return bool(self.random.integers(2))

    def of(self, *choices: Any) -> Any:
        return choices[self.random.integers(len(choices))]

    def pair(self, most: int) -> tuple[int, int]:
        first, second = self.random.integers(1, most + 1, 2)
        return int(first), int(second)

    def beginning(self, channels: int) -> list[Layer]:
        layers = [
            Rescaling(self.random.uniform(0.5, 2, channels).tolist(), 0.1),
            Rescaling(0.5),
            Normalization(mean=0.1, variance=self.random.uniform(0.5, 2, channels).tolist()),
            RandomCrop(4, 3),
            RandomBrightness(0.1),
            RandomContrast(0.1),
            RandomErasing(),
            RandomFlip(),
            RandomTranslation(0.1, 0.1),
            RandomRotation(0.1),
            RandomZoom(0.1),
            RandomShear(0.1),
        ]
        mixing: list[Layer] = self.of([MixUp()], [CutMix()], [], [])
        return mixing + [each for each in layers if self.random.random() < 0.2]

    def body(self) -> list[Layer]:
        parts = [self.of_images() for _ in range(self.random.integers(1, MOST_PARTS + 1))]
        return [layer for part in parts for layer in part]

    def of_images(self) -> list[Layer]:
        size, activation = self.pair(3), self.of(*ACTIVATIONS)
        same: dict[str, Any] = {"padding": "same", "activation": activation}
        spread = self.of({"strides": self.pair(3)}, {"dilation_rate": self.pair(2)})
        pooled: dict[str, Any] = {"strides": self.pair(2), "padding": "same"}
        groups = int(self.random.integers(2, 4))
        part: list[Layer] = self.of(
            [Conv2D(6, size, use_bias=self.flip(), **same, **spread)],
            [Conv2D(6, size, use_bias=self.flip(), **same), BatchNormalization()],
            [ZeroPadding2D(2), Conv2D(6, size, activation=activation, **spread)],
            [ZeroPadding2D(2), MaxPool2D(size), Cropping2D(0)],
            [ZeroPadding2D((size, (1, 2))), Cropping2D(((1, 0), self.pair(2)))],
            [Conv2D(6, 1), Conv2D(2 * groups, size, groups=groups, **same, **spread)],
            [DepthwiseConv2D(size, depth_multiplier=self.of(1, 2), **same, **spread)],
            [SeparableConv2D(6, size, **same, **spread)],
            [MaxPool2D(size, **pooled)],
            [AveragePooling2D(size, **pooled)],
            [BatchNormalization(center=self.flip(), scale=self.flip()), self.activation()],
            [self.of(Dropout, SpatialDropout2D)(0.5), self.activation()],
        )
        return part

    def activation(self) -> Layer:
        layers = ReLU(), LeakyReLU(0.1), ELU(0.7), GELU(), SiLU(), Tanh(), Sigmoid()
        layer: Layer = self.of(*layers)
        return layer

    def branches(self, images: Tensor) -> Tensor:
        """What layers on layers give, all of which come together in images in the end."""
        tensors, taken = [called(self.beginning(images.image_shape[2]), images)], set()
        for _ in range(self.random.integers(2, MOST_BRANCHES)):
            first, *others = (self.of(*tensors) for _ in range(self.random.integers(1, 4)))
            taken |= {first, *others}
            if not others:
                tensors.append(called(self.of_images(), first))
            elif self.flip():
                tensors.append(Add()([first, *(self.fitted(each, first, 3) for each in others)]))
            else:
                axis = int(self.random.integers(1, 4))
                fitted = [self.fitted(each, first, axis) for each in others]
                tensors.append(Concatenate(self.of(axis, axis - 4))([first, *fitted]))
        ends = [each for each in tensors if each not in taken]
        if len(ends) == 1:
            return ends[0]
        return Concatenate()([ends[0], *(self.fitted(each, ends[0], 3) for each in ends[1:])])

    def fitted(self, tensor: Tensor, other: Tensor, axis: int) -> Tensor:
        """A tensor that can be merged with another along an axis, of its shape in the others."""
        sizes = zip(tensor.image_shape[:2], other.image_shape[:2], strict=True)
        more = [
            there - here if axis != place else 0
            for place, (here, there) in enumerate(sizes, start=1)
        ]
        if max(more) > 0:
            tensor = ZeroPadding2D(((0, max(more[0], 0)), (max(more[1], 0), 0)))(tensor)
        if min(more) < 0:
            tensor = Cropping2D(((0, max(-more[0], 0)), (max(-more[1], 0), 0)))(tensor)
        channels = other.image_shape[2]
        return tensor if tensor.image_shape[2] == channels else Conv2D(channels, 1)(tensor)

    def vectors(self) -> list[Layer]:
        flat: list[Layer] = self.of(
            [Flatten()],
            [Flatten(), self.activation()],
            [Flatten(), BatchNormalization(), Dropout(0.2)],
            [Reshape((-1,))],
            [Reshape((-1, 1, 1)), ReLU(), Flatten()],
            [GlobalAveragePooling2D()],
            [GlobalMaxPooling2D()],
        )
        hidden = Dense(int(self.random.integers(1, 9)), self.of(*ACTIVATIONS), self.flip())
        return [*flat, *self.of([], [hidden], [hidden, BatchNormalization(), self.activation()])]

    def end(self) -> list[Layer]:
        last: list[Layer] = self.of(
            [Dense(4)], [Dense(3, "softmax")], [Dense(1), Sigmoid()], [Dense(5), Softmax()]
        )
        return last

"""Writes the files of Keras that the tests read: `python tests/peers/keras_files.py [MODEL...]`.

By hand, where Keras is installed; all, or those of the models named. Beside the models stands what
they predict of the images that `images` gives, in `outputs.npz`, float32 (images, outputs).
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

FOLDER = Path(__file__).parents[1] / "models" / "exchange" / "keras" / "files"
SHAPE = (8, 9, 2)
IMAGES = 4


def images() -> NDArray[np.float32]:
    """Images of noise of 0 to 1, the same in the tests."""
    return np.random.default_rng(0).uniform(0, 1, (IMAGES, *SHAPE)).astype(np.float32)


def of_many_layers() -> Any:
    """A model with a layer of each kind, trained for a few steps."""
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.RandomFlip(seed=3),
            layers.Rescaling([2.0, 0.5], offset=-0.5),
            layers.Normalization(),
            layers.ZeroPadding2D(((1, 0), (0, 2))),
            layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="first"),
            layers.BatchNormalization(scale=False, momentum=0.5),
            layers.SeparableConv2D(3, 2, depth_multiplier=2, activation="gelu"),
            layers.SpatialDropout2D(0.2),
            layers.DepthwiseConv2D(2, padding="same", use_bias=False, activation=layers.ELU(0.5)),
            layers.MaxPooling2D(2, strides=1, padding="same"),
            layers.LeakyReLU(0.1),
            layers.Conv2D(4, 2, kernel_initializer="he_normal", kernel_regularizer="l2"),
            layers.Cropping2D(((0, 1), (1, 0))),
            layers.AveragePooling2D(2, padding="same"),
            layers.Reshape((-1,)),
            layers.Dense(5, activation="tanh", bias_initializer="ones"),
            layers.Activation("silu"),
            layers.Dropout(0.3, seed=1),
            layers.Dense(3, name="logits"),
            layers.Softmax(),
        ],
        name="of_many_layers",
    )


def functional() -> Any:
    """A chain made by the functional interface, which gives logits."""
    given = keras.Input(SHAPE)
    x = layers.Conv2D(3, 3, use_bias=False)(given)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(max_value=6)(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(given, layers.Dense(3)(x), name="functional")


def nested() -> Any:
    """Models within a model, with layers of the same names."""
    part = [layers.Conv2D(3, 2, name="same"), layers.Activation("linear")]
    other = [layers.Conv2D(2, 2, name="same"), layers.GlobalMaxPooling2D()]
    end = layers.Dense(1, activation="sigmoid")
    inner = [keras.Sequential(part, name="a"), keras.Sequential(other, name="b")]
    return keras.Sequential([keras.Input(SHAPE), *inner, end], name="nested")


def branching() -> Any:
    """A residual block, in a model within it, and a dense one; sums and rows of functions, too."""
    inner = keras.Input((8, 9, 4))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same", use_bias=False)(inner))
    block = keras.Model(inner, layers.ReLU()(layers.Add()([x, inner])), name="block")
    given = keras.Input(SHAPE)
    x = layers.Conv2D(4, 1, name="first")(given)
    short = layers.Conv2D(4, 1, name="short")(given)
    x = block(x) + short
    y = layers.Conv2D(3, 3, padding="same", activation="relu")(layers.BatchNormalization()(x))
    x = layers.Concatenate()([x, y, given])
    x = keras.ops.concatenate([x, layers.Dropout(0.5)(layers.Activation("linear")(x))], axis=1)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(5, 2, strides=2)(x))
    return keras.Model(given, layers.Dense(3, activation="softmax")(x), name="branching")


def train_of_many_layers(model: Any, x: NDArray[np.float32]) -> None:
    model.get_layer("normalization").adapt(x * np.array([2.0, 0.5]) - 0.5)
    schedule = keras.optimizers.schedules.ExponentialDecay(0.05, 10, 0.5)
    optimizer = keras.optimizers.SGD(schedule, momentum=0.9, clipnorm=1.0)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, np.arange(IMAGES) % 3, epochs=3, verbose=0)
    model.save_weights(FOLDER / "of_many_layers.weights.h5")


def train_functional(model: Any, x: NDArray[np.float32]) -> None:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    top_2 = keras.metrics.SparseTopKCategoricalAccuracy(k=2, name="top_2")
    model.compile(keras.optimizers.AdamW(0.01, weight_decay=0.1), loss, metrics=[top_2])
    model.fit(x, np.arange(IMAGES) % 3, epochs=3, verbose=0)


def train_branching(model: Any, x: NDArray[np.float32]) -> None:
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(x, np.arange(IMAGES) % 3, epochs=3, verbose=0)


MODELS: dict[str, tuple[Callable[[], Any], Callable[..., None] | None]] = {
    "of_many_layers": (of_many_layers, train_of_many_layers),
    "functional": (functional, train_functional),
    "nested": (nested, None),
    "branching": (branching, train_branching),
}
"""How each is made, and trained."""


def main() -> None:
    """Write the files."""
    keras.utils.set_random_seed(0)
    FOLDER.mkdir(exist_ok=True)
    x, table = images(), FOLDER / "outputs.npz"
    outputs = dict(np.load(table)) if table.exists() else {}
    for name in sys.argv[1:] or MODELS:
        make, train = MODELS[name]
        model = make()
        if train is not None:
            train(model, x)
        model.save(FOLDER / f"{name}.keras")
        outputs[name] = model.predict(x, verbose=0)
    np.savez(table, **outputs)
    for file in sorted(FOLDER.iterdir()):
        print(f"{file.name}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

"""Networks of `keras.applications` here, in ONNX Runtime, and back: by hand, with all installed.

`KERAS_BACKEND=jax PYTHONPATH=tests python tests/peers/keras_applications.py [NAME...]`. Weights are
drawn, and images are small. Prints by how much outputs differ from those of Keras, in shares of the
largest, of a model that `from_keras` made, of its ONNX file in ONNX Runtime and after `from_onnx`,
and of its `.keras` file in Keras; exits with 1 if one is beyond its tolerance.
"""

import sys
from contextlib import chdir
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from gpucnn import Model, from_keras

SIDES = {
    "VGG16": 64,
    "ResNet50": 64,
    "ResNet50V2": 64,
    "DenseNet121": 64,
    "MobileNetV2": 64,
    "Xception": 71,
    "InceptionV3": 75,
}
"""Rows and columns of the images, by the names of networks."""

IMAGES = 2
TOLERANCE = 1e-5  # of the largest output, in float32

Array = NDArray[Any]


def drawn(name: str) -> Any:
    """A network whose normalisations are none of those that change nothing."""
    side, random = SIDES[name], np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    made = getattr(keras.applications, name)(weights=None, input_shape=(side, side, 3), classes=10)
    for layer in made.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            weights = layer.get_weights()
            shift = [random.normal(0, 0.1, each.shape) for each in weights]
            layer.set_weights([a + abs(b) for a, b in zip(weights, shift, strict=True)])
    return made


def in_keras(model: Any, x: Array) -> Array:
    return np.asarray(keras.ops.convert_to_numpy(model(x, training=False)))


def ways(theirs: Any, x: Array) -> dict[str, Array]:
    """What each gives for images."""
    ours = from_keras(theirs, "cpu", threads=1)
    ours.export("model.onnx")
    ours.export("model.keras")
    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    (in_runtime,) = session.run(None, {"input": x})
    return {
        "here": ours.predict(x),
        "in ONNX Runtime": np.asarray(in_runtime),
        "from ONNX": Model.from_onnx("model.onnx", "cpu", threads=1).predict(x),
        "its .keras file": in_keras(keras.models.load_model("model.keras"), x),
    }


def main() -> None:
    """Print a line for each network."""
    failed = False
    for name in sys.argv[1:] or SIDES:
        theirs, side = drawn(name), SIDES[name]
        shape = IMAGES, side, side, 3
        x = np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)
        expected = in_keras(theirs, x)
        with TemporaryDirectory() as folder, chdir(folder):
            found = ways(theirs, x)
        off = {way: abs(each - expected).max() / expected.max() for way, each in found.items()}
        failed = failed or not max(off.values()) <= TOLERANCE
        print(f"{name}: off by", ", ".join(f"{off[way]:.1e} {way}" for way in off), flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()

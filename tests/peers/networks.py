"""Layers and losses beside those of Keras 3, in networks: `python tests/peers/networks.py`.

To be run by hand where Keras and JAX are installed. Both libraries make the same network of equal
weights, take the same steps of gradient descent with the same batches, in float64, and are then
compared: the loss and the predictions before training, the loss of each epoch, the weights and the
moving averages after it, and the predictions then. gpucnn computes on the CPU, with a batch in
shards, and in the simulator of its kernels. Prints a line a case, and exits with 1 if any numbers
differ by more than `TOLERANCE` of the largest of their array.
"""

import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"
import keras
from keras.src.backend.common import dtypes

import gpucnn

TOLERANCE = 1e-9
DEVICES = ("cpu", "simulator")
IMAGE, IMAGES, BATCH, EPOCHS, RATE = (7, 6, 2), 24, 8, 2, 0.05

Case = tuple[list[tuple[str, dict[str, Any]]], Any, str]
"""Layers by class and arguments; the loss, by class and arguments; and the kind of labels."""

CONVOLUTION = ("Conv2D", {"filters": 3, "kernel_size": 3, "padding": "same"})
OUT: list[tuple[str, dict[str, Any]]] = [("Flatten", {}), ("Dense", {"units": 3})]
CATEGORICAL = ("SparseCategoricalCrossentropy", {"from_logits": True})


def of(*layers: tuple[str, dict[str, Any]]) -> Case:
    """A case of layers between a convolution and classes."""
    return [CONVOLUTION, *layers, *OUT], CATEGORICAL, "classes"


def ending(units: int, activation: str | None, loss: str, labels: str, **arguments: Any) -> Case:
    """A case of a loss."""
    last = ("Dense", {"units": units, "activation": activation})
    return [CONVOLUTION, ("Flatten", {}), last], (loss, arguments), labels


CASES: dict[str, Case] = {
    **{
        name: of(("Activation", {"activation": name}))
        for name in ("relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid")
    },
    "LeakyReLU": of(("LeakyReLU", {"negative_slope": 0.1})),
    "ELU": of(("ELU", {"alpha": 0.5})),
    "MaxPooling2D": of(("MaxPooling2D", {"pool_size": 2, "padding": "same"})),
    "AveragePooling2D": of(("AveragePooling2D", {"pool_size": (3, 2), "strides": 1})),
    "AveragePooling2D, padded": of(("AveragePooling2D", {"pool_size": 3, "padding": "same"})),
    "GlobalMaxPooling2D": of(("GlobalMaxPooling2D", {})),
    "GlobalAveragePooling2D": of(("GlobalAveragePooling2D", {})),
    "BatchNormalization": of(("BatchNormalization", {"momentum": 0.8})),
    "BatchNormalization, plain": of(
        ("BatchNormalization", {"center": False, "scale": False, "epsilon": 0.1})
    ),
    "BatchNormalization of vectors": of(
        ("Flatten", {}), ("Dense", {"units": 5}), ("BatchNormalization", {"momentum": 0.5})
    ),
    "several": of(
        ("BatchNormalization", {"momentum": 0.8}),
        ("ReLU", {}),
        ("MaxPooling2D", {"pool_size": 2}),
        ("Conv2D", {"filters": 4, "kernel_size": 2, "use_bias": False}),
        ("BatchNormalization", {"momentum": 0.9}),
        ("Activation", {"activation": "gelu"}),
    ),
    "classes": ending(3, "softmax", "SparseCategoricalCrossentropy", "classes"),
    "rows": ending(3, "softmax", "CategoricalCrossentropy", "rows"),
    "rows, smoothed": ending(
        3, None, "CategoricalCrossentropy", "rows", from_logits=True, label_smoothing=0.2
    ),
    "probabilities": ending(3, None, "CategoricalCrossentropy", "probabilities", from_logits=True),
    "binary": ending(1, "sigmoid", "BinaryCrossentropy", "binary"),
    "binary, several": ending(
        3, None, "BinaryCrossentropy", "rows", from_logits=True, label_smoothing=0.1
    ),
    "squared error": ending(2, "tanh", "MeanSquaredError", "numbers"),
}


def in_float64() -> None:
    """Have Keras compute in float64 throughout.

    Keras 3.15 takes the tanh of float64, and its means, in float32: by its rules for the dtype of a
    result, which are changed here.
    """
    rule = dtypes.result_type

    def result_type(*given: Any) -> str:
        is_double = any(str(each) == "float64" for each in given)
        return "float64" if is_double else str(rule(*given))

    dtypes.result_type = keras.src.backend.result_type = result_type
    keras.config.set_floatx("float64")


def labels_of(kind: str) -> NDArray[Any]:
    """Labels of a kind."""
    generator = np.random.default_rng(3)
    classes = generator.integers(0, 3, IMAGES)
    kinds = {
        "classes": classes,
        "rows": np.eye(3)[classes],
        "probabilities": generator.dirichlet(np.ones(3), IMAGES),
        "binary": (classes > 0).astype(float)[:, None],
        "numbers": generator.standard_normal((IMAGES, 2)),
    }
    return kinds[kind]


def made(library: Any, case: Case, **options: Any) -> Any:
    """The network of a case, compiled."""
    layers, (loss, arguments), _ = case
    regular = {"kernel_regularizer": library.regularizers.L2(0.01)}
    given = [library.Input(shape=IMAGE)] if library is keras else []
    for number, (kind, named) in enumerate(layers):
        extra = regular if number == 0 else {}
        given.append(getattr(library.layers, kind)(**named, **extra))
    model = library.Sequential(given, **options)
    model.compile(library.optimizers.SGD(RATE), getattr(library.losses, loss)(**arguments))
    return model


def differences(case: Case, device: str) -> Iterator[float]:
    """The differences of all that is compared, each relative to the largest number."""
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((IMAGES, *IMAGE)), labels_of(case[2])
    weights = generator.uniform(0.5, 2, IMAGES)
    mine = made(gpucnn, case, input_shape=IMAGE, dtype="float64", device=device, threads=2)
    theirs = made(keras, case)
    values = [each + 0.1 * generator.standard_normal(each.shape) for each in mine.get_weights()]
    of_names = zip(mine.weight_names, values, strict=True)
    values = [abs(each) if "variance" in name else each for name, each in of_names]
    mine.set_weights(values)
    theirs.set_weights(values)
    options = {"batch_size": BATCH, "verbose": 0}

    def of_both(method: str, *arguments: Any, **named: Any) -> tuple[Any, Any]:
        found = [getattr(model, method)(*arguments, **named) for model in (mine, theirs)]
        return found[0], found[1]

    def compare(one: Any, other: Any) -> float:
        ours_, theirs_ = np.asarray(one, float), np.asarray(other, float)
        assert ours_.shape == theirs_.shape
        return float(np.abs(ours_ - theirs_).max() / np.abs(theirs_).max())

    one, other = of_both("evaluate", x, y, sample_weight=weights, **options)
    yield compare(np.ravel(one)[0], np.ravel(other)[0])
    yield compare(*of_both("predict", x, **options))
    one, other = of_both(
        "fit", x, y, epochs=EPOCHS, shuffle=False, sample_weight=weights, **options
    )
    yield compare(one.history["loss"], other.history["loss"])
    for pair in zip(mine.get_weights(), theirs.get_weights(), strict=True):
        yield compare(*pair)
    yield compare(*of_both("predict", x, **options))


def main() -> int:
    """Compare all; the exit status."""
    in_float64()
    print(f"Keras {keras.__version__} on JAX, in float64")
    worst = 0.0
    for device in DEVICES:
        for name, case in CASES.items():
            apart = max(differences(case, device))
            worst = max(worst, apart)
            print(f"{apart:8.1e}  {device:9}  {name}", flush=True)
    print(f"{2 * len(CASES)} cases, the largest difference {worst:.1e}")
    return int(not worst <= TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())

"""Optimizers and schedules beside Keras 3's: `PYTHONPATH=tests python tests/peers/optimizers.py`.

To be run by hand where Keras and JAX are installed. Both take the same steps, from given parameters
by given gradients, in float64. Prints a line a case, and exits with 1 if parameters or rates differ
by more than `TOLERANCE`. (On PyTorch, KERAS_BACKEND=torch, Keras takes the root in Muon's steps in
float32: these differ by more.)
"""

import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

import small
from gpucnn import optimizers
from gpucnn.backends import get_backend

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_ENABLE_X64", "1")
import keras
from keras.src.backend.common.dtypes import BIT64_TO_BIT32_DTYPE

TOLERANCE = 1e-9  # of the largest parameter, or of the largest rate
STEPS = 25

LAYOUT = small.layout(
    kernel=(3, 3, 2, 4), bias=(4,), tall=(7, 5), embeddings=(4, 4), wide=(3, 8), output=(8, 3)
)
"""Of convolutions and dense layers, and a matrix that Muon takes for an embedding."""

CLIPPING: list[dict[str, Any]] = [
    {"clipnorm": 1.5},
    {"clipvalue": 0.4},
    {"global_clipnorm": 3.0},
]
AVERAGES: list[dict[str, Any]] = [
    {"use_ema": True},
    {"use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 4},
]

CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"beta_1": 0.5, "beta_2": 0.7, "epsilon": 0.01, "weight_decay": 0.1}),
    ("AdamW", {}),
    ("AdamW", {"weight_decay": 0.2}),
    ("RMSprop", {}),
    ("RMSprop", {"rho": 0.7, "momentum": 0.5, "epsilon": 0.01, "weight_decay": 0.1}),
    ("RMSprop", {"centered": True, "epsilon": 0.01}),
    ("Adagrad", {}),
    ("Adagrad", {"initial_accumulator_value": 0.5, "epsilon": 0.01, "weight_decay": 0.1}),
    ("Lion", {}),
    ("Lion", {"beta_1": 0.5, "beta_2": 0.7, "weight_decay": 0.1}),
    ("Muon", {}),
    ("Muon", {"exclude_layers": ["out"], "exclude_embeddings": False}),
    ("Muon", {"rms_rate": None, "nesterov": False, "momentum": 0.5, "weight_decay": None}),
    ("Muon", {"ns_steps": 2, "muon_a": 3.0, "muon_b": -4.0, "muon_c": 2.0, "adam_lr_ratio": 0.3}),
    ("Muon", {"adam_weight_decay": None, "adam_beta_1": 0.5, "adam_beta_2": 0.7, "epsilon": 0.01}),
    *(
        (name, {"learning_rate": 0.02} | options)
        for name in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Lion", "Muon")
        for options in CLIPPING + AVERAGES
    ),
    ("Adam", {"global_clipnorm": 3.0, "weight_decay": 0.1} | AVERAGES[1]),
]
"""Optimizers by name, and their arguments."""

SCHEDULES: list[tuple[str, dict[str, Any]]] = [
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 20, "alpha": 0.1}),
    (
        "CosineDecay",
        {
            "initial_learning_rate": 0.0,
            "decay_steps": 15,
            "warmup_target": 0.2,
            "warmup_steps": 5,
        },
    ),
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.7}),
    (
        "ExponentialDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.7, "staircase": True},
    ),
    ("PiecewiseConstantDecay", {"boundaries": [3, 8], "values": [0.1, 0.05, 0.01]}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 9, "power": 2.0}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 9, "cycle": True}),
]
"""Schedules by name, and their arguments."""


def gradients() -> Iterator[NDArray[np.float64]]:
    """The gradients of each step: of many sizes, and some of 0."""
    generator = np.random.default_rng(1)
    for step in range(STEPS):
        gradient = generator.standard_normal(first().size) * 10.0 ** (step % 3 - 1)
        yield gradient * (generator.random(gradient.size) > 0.2)


def first() -> NDArray[np.float64]:
    """The parameters before the first step."""
    last = LAYOUT[-1]
    size = last.start + int(np.prod(last.shape))
    return np.random.default_rng(0).standard_normal(size)


def split(vector: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Each parameter in a flat vector."""
    ends = [each.start for each in LAYOUT[1:]]
    parts = np.split(vector, ends)
    return [part.reshape(each.shape) for part, each in zip(parts, LAYOUT, strict=True)]


def ours(name: str, options: dict[str, Any]) -> list[NDArray[np.float64]]:
    """The parameters after each step of gpucnn, and at the end of the training."""
    optimizer = getattr(optimizers, name)(**options)
    parameters, found = first(), []
    optimizer.place(get_backend("cpu"), parameters, LAYOUT)
    for gradient in gradients():
        factors = np.array(optimizer.all_factors(optimizer.iterations))
        optimizer.apply(parameters, gradient, factors)
        optimizer.iterations += 1
        found.append(parameters.copy())
    optimizer.finalize(parameters)
    return [*found, parameters]


def theirs(name: str, options: dict[str, Any]) -> list[NDArray[np.float64]]:
    """Likewise, of Keras."""
    optimizer = getattr(keras.optimizers, name)(**options)
    variables = [
        keras.Variable(value, dtype="float64", name=each.name)
        for value, each in zip(split(first()), LAYOUT, strict=True)
    ]

    def values() -> NDArray[np.float64]:
        arrays = [keras.ops.convert_to_numpy(each.value) for each in variables]
        return np.concatenate([each.ravel() for each in arrays])

    optimizer.build(variables)
    found = []
    for gradient in gradients():
        tensors = [keras.ops.convert_to_tensor(each, "float64") for each in split(gradient)]
        optimizer.apply(tensors, variables)
        found.append(values())
    optimizer.finalize_variable_values(variables)
    return [*found, values()]


def rates(schedule: Any) -> list[float]:
    """The learning rates of the steps of a schedule."""
    return [float(schedule(step)) for step in range(STEPS)]


def difference(one: Any, other: Any) -> float:
    """The largest difference, relative to the largest number."""
    one, other = np.asarray(one), np.asarray(other)
    return float(np.abs(one - other).max() / np.abs(other).max())


def main() -> int:
    """Compare all; the exit status."""
    keras.backend.set_floatx("float64")
    # Where float64 meets a number of Python, Keras goes on in float32 but on TensorFlow.
    BIT64_TO_BIT32_DTYPE["float64"] = "float64"
    print(f"Keras {keras.__version__} on {keras.backend.backend()}, {STEPS} steps in float64")
    found = {
        f"{name} {options}": difference(ours(name, options), theirs(name, options))
        for name, options in CASES
    }
    for name, options in SCHEDULES:
        kinds = optimizers, keras.optimizers.schedules
        one, other = (rates(getattr(kind, name)(**options)) for kind in kinds)
        found[f"{name} {options}"] = difference(one, other)
    for case, apart in found.items():
        print(f"{apart:8.1e}  {case}")
    worst = max(found.values())
    print(f"{len(found)} cases, the largest difference {worst:.1e}")
    return int(not worst <= TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())

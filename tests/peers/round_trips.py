"""200 random chains and 200 random graphs to PyTorch, to Keras, and back, as objects and files.

`KERAS_BACKEND=jax PYTHONPATH=tests python tests/peers/round_trips.py`, by hand where PyTorch, Keras
and JAX are installed; with an argument, only the ways whose names have it. (On PyTorch, Keras 3.15
counts the padding in averages of `AveragePooling2D`.) Prints by how much the outputs of images
differ from those of `predict`, and gradients from those of `loss_and_gradients`, in shares of the
largest; exits with 1 if one is beyond its tolerance.
"""

import sys
import warnings
from collections.abc import Callable
from contextlib import chdir
from copy import deepcopy
from io import BytesIO
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import torch
from numpy.typing import NDArray

from gpucnn import Input, Model, Sequential, from_keras, from_torch, to_keras, to_torch
from gpucnn.errors import GpucnnWarning
from gpucnn.models.exchange.torch.state_dict import from_state_dict
from gpucnn.models.exchange.torch.to_torch import modules_of_model
from models.exchange.random_networks import random_graph, random_network

NETWORKS = 200
IMAGES = 5
TOLERANCE = 1e-5  # of outputs in float32, as for ONNX
TOLERANCE_OF_GRADIENTS = 1e-9  # in float64

Array = NDArray[Any]
Way = Callable[[Model, Array], float]


def off(found: Array, expected: Array) -> float:
    """By how much an array differs from another, in shares of the largest element."""
    assert found.shape == expected.shape
    return float(abs(found - expected).max() / (abs(expected).max() or 1))


# PyTorch


def in_torch(module: Any, x: Array) -> Array:
    with torch.no_grad():
        return np.asarray(module(channels_first(x)))


def channels_first(x: Array) -> Any:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1)))


def to_torch_and_back(model: Model, x: Array) -> float:
    """A module that was pickled."""
    file = BytesIO()
    torch.save(to_torch(model), file)
    file.seek(0)
    module, expected = torch.load(file, weights_only=False), model.predict(x)
    *pixels, channels = model.input_shape
    back = from_torch(module, (channels, *pixels), "cpu", threads=1)
    return max(off(in_torch(module, x), expected), off(back.predict(x), expected))


def gradients_in_torch(model: Model, x: Array) -> float:
    """The gradients of a module in training, dropout left out, in float64."""
    inputs = Input(model.input_shape)
    outputs = model.graph.call(deepcopy(model.layers), inputs)
    twin = Model(inputs, outputs, dtype="float64", device="cpu", threads=1)
    twin.set_weights(model.get_weights())
    module = to_torch(twin)
    if not isinstance(module[-1], torch.nn.Softmax):
        return 0.0
    logits, x = module[:-1].train(), x.astype(np.float64)
    for each in logits.modules():
        if isinstance(each, (torch.nn.Dropout, torch.nn.Dropout2d)):
            each.eval()
    labels = np.arange(len(x)) % twin.classes
    loss = torch.nn.functional.cross_entropy(logits(channels_first(x)), torch.from_numpy(labels))
    loss.backward()
    found = {name: each.detach().numpy() for name, each in logits.state_dict().items()}
    for name, each in logits.named_parameters():
        if each.requires_grad:
            found[name] = each.grad.numpy()
    theirs = from_state_dict(modules_of_model(twin.exported()), found)
    our_loss, gradients = twin.loss_and_gradients(x, labels)
    largest = max(abs(each).max() for each in gradients)
    ours = zip(twin.parameter_names, gradients, strict=True)
    differences = [float(abs(theirs[name] - mine).max() / largest) for name, mine in ours]
    return max(off(loss.detach().numpy(), np.asarray(our_loss)), *differences)


# Keras


def to_keras_and_back(model: Model, x: Array) -> float:
    """A model of Keras, as an object."""
    theirs, expected = to_keras(model), model.predict(x)
    back = from_keras(theirs, "cpu", threads=1)
    return max(off(in_keras(theirs, x), expected), off(back.predict(x), expected))


def to_files_of_keras_and_back(model: Model, x: Array) -> float:
    """The files that are written here, and those that Keras writes."""
    expected, found = model.predict(x), []
    with TemporaryDirectory() as folder, chdir(folder):
        model.export("ours.keras", format="keras")
        theirs = keras.models.load_model("ours.keras")
        found.append(in_keras(theirs, x))
        theirs.save("theirs.keras")
        found += [
            Sequential.load(name, "cpu", threads=1).predict(x)
            for name in ("ours.keras", "theirs.keras")
        ]
        theirs.save_weights("theirs.weights.h5")
        model.export("ours.weights.h5", format="keras")
        theirs.set_weights([np.zeros_like(each) for each in theirs.get_weights()])
        theirs.load_weights("ours.weights.h5")
        found.append(in_keras(theirs, x))
        model.set_weights([np.zeros_like(each) for each in model.get_weights()])
        model.load_weights("theirs.weights.h5")
        found.append(model.predict(x))
    return max(off(each, expected) for each in found)


def in_keras(model: Any, x: Array) -> Array:
    return np.asarray(keras.ops.convert_to_numpy(model(x, training=False)))


KINDS: dict[str, Callable[[int], Model]] = {"chains": random_network, "graphs": random_graph}

WAYS: dict[str, tuple[Way, float]] = {
    "to PyTorch and back": (to_torch_and_back, TOLERANCE),
    "gradients in PyTorch": (gradients_in_torch, TOLERANCE_OF_GRADIENTS),
    "to Keras and back": (to_keras_and_back, TOLERANCE),
    "to files of Keras and back": (to_files_of_keras_and_back, TOLERANCE),
}


def main() -> None:
    """Print a line for each way."""
    warnings.simplefilter("ignore", GpucnnWarning)  # that layers which vary images are left out
    failed = False
    asked_for = [name for name in WAYS if all(word in name for word in sys.argv[1:])]
    for name in asked_for:
        way, tolerance = WAYS[name]
        for kind, make in KINDS.items():
            found = []
            for seed in range(NETWORKS):
                model = make(seed)
                shape = IMAGES, *model.input_shape
                x = np.random.default_rng(seed).uniform(-0.5, 0.5, shape).astype(np.float32)
                found.append(way(model, x))
                if not found[-1] <= tolerance:
                    failed = True
                    print(f"{name}, {kind} {seed}: off by {found[-1]:.1e}")
            print(f"{name}: {NETWORKS} {kind}, off by at most {max(found):.1e}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()

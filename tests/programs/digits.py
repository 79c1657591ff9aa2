"""What all these programs have in common: some images of MNIST, and a network to train on them."""

import os
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

import gpucnn
from gpucnn import Sequential

EPOCHS = 6
LONG = 30  # epochs, for what takes its time to happen beside them

# A folder with the first images of each set alone: there are many programs.
(x, y), (x_test, y_test) = gpucnn.load_mnist(os.environ["DIGITS"])


def new_model(threads: int | None = 2) -> Sequential:
    """The notebook's network, always with the same first weights."""
    return gpucnn.models.notebook(device="cpu", threads=threads)


def train(model: Sequential, epochs: int = EPOCHS) -> Sequential:
    """Fit the model, in silence."""
    model.fit(x, y, batch_size=128, epochs=epochs, verbose=0)
    return model


def weights(model: Sequential) -> str:
    """What tells the weights of one model from those of another."""
    return sha256(b"".join(each.tobytes() for each in model.get_weights())).hexdigest()[:16]


def answers(probabilities: NDArray[np.floating]) -> str:
    """What tells one model's predictions from another's."""
    return sha256(probabilities.tobytes()).hexdigest()[:16]

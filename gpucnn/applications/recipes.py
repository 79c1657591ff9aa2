"""How each preset is trained: recipes that were tuned for it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """How a preset is trained, unless the user says otherwise.

    Args:
        epochs: the number of passes over the training images.
        batch_size: images in a training step.
        learning_rates: the maximum of the schedule, by the name of each optimizer.
    """

    epochs: int
    batch_size: int
    learning_rates: Mapping[str, float]


OF_NOTEBOOK = {
    "adagrad": 0.5,
    "adam": 0.01,
    "adamw": 0.01,
    "lion": 0.0005,
    "muon": 0.01,
    "rmsprop": 0.01,
    "sgd": 0.05,
}
OF_LENET = {
    "adagrad": 0.2,
    "adam": 0.002,
    "adamw": 0.002,
    "lion": 0.0003,
    "muon": 0.005,
    "rmsprop": 0.004,
    "sgd": 0.05,
}
OF_NARROW = OF_LENET | {"adam": 0.02, "adamw": 0.02, "muon": 0.02, "sgd": 0.2}
"""Of networks with batch normalisation and few filters."""

OF_WIDER = {name: rate / 2 for name, rate in OF_NARROW.items()}

RECIPES = {
    "notebook": Recipe(epochs=5, batch_size=32, learning_rates=OF_NOTEBOOK),
    "lenet": Recipe(epochs=8, batch_size=64, learning_rates=OF_LENET),
    "fast": Recipe(epochs=2, batch_size=128, learning_rates=OF_NARROW),
    "tiny": Recipe(epochs=25, batch_size=128, learning_rates=OF_NARROW),
    "best": Recipe(epochs=16, batch_size=128, learning_rates=OF_WIDER),
    "resnet": Recipe(epochs=20, batch_size=128, learning_rates=OF_WIDER),
}
"""By the name of the preset."""

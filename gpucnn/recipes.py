"""How each preset is trained, tuned on images that were held out of MNIST's training set."""

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


OF_SMALL_CONVNETS = {
    "adagrad": 0.2,
    "adam": 0.002,
    "adamw": 0.002,
    "lion": 0.0003,
    "muon": 0.005,
    "rmsprop": 0.004,
    "sgd": 0.05,
}
"""Learning rates, tuned for lenet; others differ in that of Adam, their own optimizer."""

RECIPES = {
    "notebook": Recipe(
        epochs=5,
        batch_size=32,
        learning_rates={
            "adagrad": 0.5,
            "adam": 0.01,
            "adamw": 0.01,
            "lion": 0.0005,
            "muon": 0.01,
            "rmsprop": 0.01,
            "sgd": 0.05,
        },
    ),
    "lenet": Recipe(epochs=8, batch_size=64, learning_rates=OF_SMALL_CONVNETS),
    "fast": Recipe(epochs=2, batch_size=128, learning_rates=OF_SMALL_CONVNETS | {"adam": 0.02}),
    "tiny": Recipe(epochs=25, batch_size=128, learning_rates=OF_SMALL_CONVNETS | {"adam": 0.02}),
    "best": Recipe(epochs=12, batch_size=128, learning_rates=OF_SMALL_CONVNETS | {"adam": 0.01}),
    "resnet": Recipe(epochs=10, batch_size=128, learning_rates=OF_SMALL_CONVNETS | {"adam": 0.01}),
}
"""By the name of the preset."""

"""How long it takes to train to a given accuracy."""

from gpucnn.applications import Recipe, default_recipe
from gpucnn.benchmark.plan import Plan
from gpucnn.benchmark.report import TimeToAccuracy
from gpucnn.benchmark.subjects import TrainingSubject
from gpucnn.models.sequential import TRAINING
from gpucnn.models.training import epoch_order
from gpucnn.optimizers import Adam
from gpucnn.utils.config import from_config, to_config


def train_to_accuracy(
    subject: TrainingSubject, plan: Plan, target: float, images: int
) -> TimeToAccuracy:
    """Follow the model's own recipe until an accuracy is reached, or the recipe ends.

    Every subject begins with the same weights and takes the images in the same order. The test
    images are classified after each epoch, in time that does not count.

    Args:
        subject: what trains.
        plan: what is measured.
        target: the accuracy on the test images, in [0, 1].
        images: how many there are to train on.
    """
    recipe = default_recipe(plan.model, dtype=plan.dtype, device="cpu")
    learner = subject.learner(recipe.batch_size, _optimizer(recipe, images))
    seconds, accuracy, epoch = 0.0, 0.0, 0
    while epoch < recipe.epochs and accuracy < target:
        epoch += 1
        seconds += learner.epoch(epoch, epoch_order(recipe.seed, epoch, images))
        accuracy = learner.accuracy()
    return TimeToAccuracy(subject.name, target, seconds, epoch, accuracy)


def _optimizer(recipe: Recipe, images: int) -> Adam:
    """A recipe's optimizer, not yet placed."""
    config = to_config(recipe.make_model(images).optimizer, TRAINING)
    optimizer = from_config(config, TRAINING)
    assert isinstance(optimizer, Adam)  # which the recipes of all presets take
    return optimizer

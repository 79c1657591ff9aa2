"""The time to train to a given accuracy."""

from gpucnn.applications import Recipe, default_recipe
from gpucnn.benchmark.contenders import TrainingContender
from gpucnn.benchmark.report import TimeToAccuracy
from gpucnn.benchmark.workload import Workload
from gpucnn.models.sequential import TRAINING
from gpucnn.models.training import epoch_order
from gpucnn.optimizers import Adam
from gpucnn.utils.config import from_config, to_config


def train_to_accuracy(
    contender: TrainingContender, workload: Workload, target: float
) -> TimeToAccuracy:
    """Train with the preset's own recipe until an accuracy is reached, or the recipe ends.

    All contenders start from the same weights and take the images in the same order. The test set
    is classified after each epoch, outside of the timing.

    Args:
        contender: what to train.
        workload: the preset and the data.
        target: the accuracy on the test set, in [0, 1].
    """
    recipe = default_recipe(workload.model, dtype=workload.dtype, device="cpu")
    images = len(workload.data[0][0])
    learner = contender.learner(recipe.batch_size, _optimizer(recipe, images))
    seconds, accuracy, epoch = 0.0, 0.0, 0
    while epoch < recipe.epochs and accuracy < target:
        epoch += 1
        seconds += learner.epoch(epoch, epoch_order(recipe.seed, epoch, images))
        accuracy = learner.accuracy()
    return TimeToAccuracy(contender.name, target, seconds, epoch, accuracy)


def _optimizer(recipe: Recipe, images: int) -> Adam:
    """The recipe's optimizer for a number of training images, not yet placed on a backend."""
    config = to_config(recipe.make_model(images).optimizer, TRAINING)
    optimizer = from_config(config, TRAINING)
    assert isinstance(optimizer, Adam)  # as in the recipes of all presets
    return optimizer

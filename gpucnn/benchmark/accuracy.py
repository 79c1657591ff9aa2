"""The time to train to a given accuracy."""

from gpucnn.applications import TrainConfig, default_config
from gpucnn.benchmark.contenders import TrainingContender
from gpucnn.benchmark.report import TimeToAccuracy
from gpucnn.benchmark.workload import Workload
from gpucnn.models.checkpoint import TRAINING
from gpucnn.models.training import epoch_order
from gpucnn.optimizers import Adam
from gpucnn.utils.objects.config import from_config, to_config


def train_to_accuracy(
    contender: TrainingContender, workload: Workload, target: float
) -> TimeToAccuracy:
    """Train with the preset's configuration to an accuracy, or to its last epoch.

    All contenders start from the same weights and take the images in the same order. The test set
    is classified after each epoch, outside of the timing.

    Args:
        contender: what to train.
        workload: the preset and the data.
        target: the accuracy on the test set, in [0, 1].
    """
    config = default_config(workload.model, dtype=workload.dtype, device="cpu")
    images = len(workload.data[0][0])
    learner = contender.learner(config.batch_size, _optimizer(config, images))
    seconds, accuracy, epoch = 0.0, 0.0, 0
    while epoch < config.epochs and accuracy < target:
        epoch += 1
        seconds += learner.epoch(epoch, epoch_order(config.seed, epoch, images))
        accuracy = learner.accuracy()
    return TimeToAccuracy(contender.name, target, seconds, epoch, accuracy)


def _optimizer(config: TrainConfig, images: int) -> Adam:
    """The configured optimizer for a number of training images, not yet placed on a backend."""
    described = to_config(config.make_model(images).optimizer, TRAINING)
    optimizer = from_config(described, TRAINING)
    assert isinstance(optimizer, Adam)  # as in the configurations of all presets
    return optimizer

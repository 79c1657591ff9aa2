"""The base class of callbacks, whose methods are told of the course of a training."""

import os
from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar, Protocol

from numpy.typing import NDArray

from gpucnn.backends.ranks.world import is_leader
from gpucnn.errors import InvalidValueError
from gpucnn.metrics import Metric
from gpucnn.optimizers import Optimizer
from gpucnn.utils.keras.arguments import KerasArguments

Logs = dict[str, Any]
"""The metrics of an epoch, see `History`."""


def is_verbose(verbose: Any) -> bool:
    """Whether a callback prints what it does, by its argument `verbose`.

    Raises:
        InvalidValueError: it is neither 0 nor 1.
    """
    if verbose not in (0, 1):
        raise InvalidValueError(f"verbose is {verbose!r}: choose 0 or 1")
    return bool(verbose)


def numbers(logs: Logs) -> Logs:
    """Those of the metrics that are one number each."""
    return {name: value for name, value in logs.items() if isinstance(value, Real)}


class Trained(Protocol):
    """What callbacks use of a model."""

    optimizer: Optimizer
    stop_training: bool

    @property
    def metrics(self) -> Sequence[Metric]:
        """What is measured besides the loss, see `Trainable`."""

    def get_weights(self) -> list[NDArray[Any]]:
        """Copies of the parameters, see `Network`."""

    def set_weights(self, weights: Sequence[NDArray[Any]]) -> None:
        """Set all weights, see `Network`."""

    def settings(self) -> dict[str, Any]:
        """What `save` writes of the model's parts, see `Sequential`."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file, see `Sequential`."""


class Callback(metaclass=KerasArguments):
    """Is told of the course of a training; the base class, whose methods do nothing.

    Epochs are numbered from 0 here, as in Keras. The model may be used in every method, and its
    weights and the learning rate of its optimizer set, for what follows: the next epoch, or its
    validation. To end the training after the epoch, set `self.model.stop_training = True`. What is
    added to the metrics of an epoch reaches the callbacks after this one, the history, and what is
    printed.

    Attributes:
        model: that is trained.
        params: arguments of `fit`: "epochs" and "verbose" as they were given, and "steps", the
            batches of an epoch, None where they are not known.
        verbose: whether `tell` prints.
        writes_files: whether of several ranks, rank 0 alone has it, since it writes files.
    """

    writes_files: ClassVar[bool] = False

    model: Trained
    params: dict[str, Any]
    verbose: bool = False

    def tell(self, epoch: int, what: str) -> None:
        """Print what was done after an epoch, numbered from 0, if the callback is to."""
        if self.verbose and is_leader():
            print(f"epoch {epoch + 1}: {what}")

    def set_model(self, model: Trained) -> None:
        """Set the model, before anything else is told."""
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Set the parameters of the training, after the model."""
        self.params = params

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Called before the first epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Called before each epoch."""

    def on_progress(self, images: int) -> None:
        """Called in an epoch after each step, whose number of images is all that is known of it.

        A device may still compute it: nothing may be done with the model here.
        """

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Called after each epoch, with its metrics."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Called in an epoch before the model is evaluated on the validation data.

        Weights that are set here are those that are evaluated.
        """

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Called after that, with the metrics, under their names without `val_`."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Called after the last epoch, with its metrics."""

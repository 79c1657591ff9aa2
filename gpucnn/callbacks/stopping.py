"""Callbacks that stop a training."""

from typing import Any

from gpucnn.callbacks.base import Callback, Logs, is_verbose
from gpucnn.callbacks.watching import Watching
from gpucnn.utils import arguments


class EarlyStopping(Watching):
    """Stops the training when a metric has stopped getting better.

    Args:
        monitor: the name of the metric.
        min_delta: the least change that counts.
        patience: the epochs without one after which the training stops.
        verbose: 1 to print that it stops, and which weights are restored; 0 for nothing.
        mode: "min", "max" or "auto".
        baseline: a value that the metric has to beat for the wait to begin anew, or None. An epoch
            that is the best so far does not stop the training, whether it beats it or not.
        restore_best_weights: whether the model ends with the weights of the best epoch.
        start_from_epoch: the first epoch, from 0, that is watched.

    Attributes:
        stopped_epoch: the epoch, from 0, after which the training was stopped; 0 if it was not.
        best_epoch: the epoch with the best value, from 0.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.verbose = is_verbose(verbose)
        self.patience = arguments.non_negative_integer(patience, "patience")
        self.baseline = None if baseline is None else arguments.number(baseline, "baseline")
        self.restore_best_weights = arguments.flag(restore_best_weights, "restore_best_weights")
        self.start_from_epoch = arguments.non_negative_integer(start_from_epoch, "start_from_epoch")

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.best = None
        self.stopped_epoch = self.best_epoch = self._waited = 0
        self._best_weights: list[Any] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self.value(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        self._waited += 1
        if self.is_better(value, self.best):
            self._keep(epoch, value)
        elif self._waited >= self.patience:
            self.stopped_epoch = epoch
            self.model.stop_training = True
            self.tell(epoch, f"{self.monitor} does not get better, so the training stops")

    def _keep(self, epoch: int, value: float) -> None:
        """Keep the best value, with its weights if they are to be restored."""
        self.best, self.best_epoch = value, epoch
        if self.restore_best_weights:
            self._best_weights = self.model.get_weights()
        if self.is_better(value, self.baseline):
            self._waited = 0

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._best_weights is not None:
            self.model.set_weights(self._best_weights)
            self.tell(
                self.best_epoch, f"its weights are restored, with {self.monitor} {self.best:g}"
            )


class TerminateOnNaN(Callback):
    """For scripts that ask for it: `fit` raises TrainingError in any case of what is not finite."""

"""Callbacks that set the learning rate."""

from collections.abc import Callable
from inspect import signature

from gpucnn.callbacks.base import Callback, Logs, is_verbose
from gpucnn.callbacks.watching import Watching
from gpucnn.errors import InvalidValueError
from gpucnn.optimizers import Schedule
from gpucnn.utils import arguments


class ReduceLROnPlateau(Watching):
    """Lowers the learning rate when a metric has stopped getting better.

    Args:
        monitor: the name of the metric.
        factor: what the learning rate is multiplied by, below 1.
        patience: the epochs without a better value after which it is.
        verbose: 1 to print the new rate, 0 for nothing.
        mode: "min", "max" or "auto".
        min_delta: the least change that counts.
        cooldown: the epochs after a change before it goes on to wait.
        min_lr: the least learning rate.

    Raises:
        InvalidValueError: an argument is not as described, or the optimizer has a schedule.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.verbose = is_verbose(verbose)
        self.factor = arguments.positive_number(arguments.share(factor, "factor"), "factor")
        self.patience = arguments.non_negative_integer(patience, "patience")
        self.cooldown = arguments.non_negative_integer(cooldown, "cooldown")
        self.min_lr = arguments.non_negative_number(min_lr, "min_lr")

    def on_train_begin(self, logs: Logs | None = None) -> None:
        _fixed_rate(self)
        self.best = None
        self._waited = self._cooling = 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        _log_rate(self, logs)
        value = self.value(logs)
        if value is None:
            return
        if self._cooling:
            self._cooling -= 1
            self._waited = 0
        if self.is_better(value, self.best):
            self.best, self._waited = value, 0
        elif not self._cooling:
            self._waited += 1
            if self._waited >= self.patience:
                self._lower(epoch)

    def _lower(self, epoch: int) -> None:
        rate = _fixed_rate(self)  # which may be below min_lr from the beginning
        lowered = min(rate, max(rate * self.factor, self.min_lr))
        self.model.optimizer.learning_rate = lowered
        self.tell(epoch, f"the learning rate is lowered to {lowered:g}")
        self._cooling, self._waited = self.cooldown, 0


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch.

    Args:
        schedule: gives it for the epoch, from 0, and the present rate, if it takes two arguments.
        verbose: 1 to print it, 0 for nothing.

    Raises:
        InvalidValueError: `schedule` is no function, the optimizer has a schedule, or the rate is
            not a number of at least 0.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        self.schedule, self.verbose = arguments.function(schedule, "schedule"), is_verbose(verbose)
        self._takes = len(signature(schedule).parameters)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        given = epoch, _fixed_rate(self)
        rate = self.schedule(*given[: self._takes])
        self.model.optimizer.learning_rate = arguments.non_negative_number(
            rate, "the learning rate"
        )
        self.tell(epoch, f"the learning rate is set to {rate:g}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        _log_rate(self, logs)


def _log_rate(callback: Callback, logs: Logs | None) -> None:
    """Add the learning rate that an epoch was trained at to its metrics, as Keras does."""
    if logs is not None:
        logs["learning_rate"] = _fixed_rate(callback)


def _fixed_rate(callback: Callback) -> float:
    """The learning rate of the callback's model.

    Raises:
        InvalidValueError: it is a schedule.
    """
    rate = callback.model.optimizer.learning_rate
    if isinstance(rate, Schedule):
        raise InvalidValueError(
            f"{type(callback).__name__} sets the learning rate, but the optimizer has the schedule "
            f"{rate!r}: give the optimizer a number"
        )
    return rate

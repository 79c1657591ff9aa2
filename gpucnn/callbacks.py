"""Callbacks: what is told of the course of a training, and may change or stop it."""

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import signature
from math import inf
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from gpucnn.errors import InvalidFileError, InvalidTypeError, InvalidValueError
from gpucnn.optimizers import Optimizer, Schedule
from gpucnn.utils import arguments

Logs = dict[str, Any]
"""The metrics of an epoch, see `History`."""

MODES = ("auto", "min", "max")


class Trained(Protocol):
    """What callbacks use of a model."""

    optimizer: Optimizer
    stop_training: bool

    def get_weights(self) -> list[NDArray[Any]]:
        """Copies of the parameters, see `Network`."""

    def set_weights(self, weights: Sequence[NDArray[Any]]) -> None:
        """Set all weights, see `Network`."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file, see `Sequential`."""


class Callback:
    """Is told of the course of a training; the base class, whose methods do nothing.

    Epochs are numbered from 0 here, as in Keras. The model may be used in every method, and its
    weights and the learning rate of its optimizer set, from the next epoch on. To end the training
    after the epoch, set `self.model.stop_training = True`.

    Attributes:
        model: that is trained.
    """

    model: Trained

    def set_model(self, model: Trained) -> None:
        """Set the model, before anything else is told."""
        self.model = model

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Called before the first epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Called before each epoch."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Called after each epoch, with its metrics."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Called after the last epoch, with its metrics."""


STEPWISE = tuple(
    f"on_{phase}_{when}"
    for phase in ("batch", "train_batch", "test_batch", "predict_batch")
    for when in ("begin", "end")
)
"""Methods of Keras's callbacks that are not called, since no step waits for Python."""


class CallbackList:
    """The callbacks of a training.

    Args:
        callbacks: objects of `Callback`.
        model: that is trained.

    Raises:
        InvalidTypeError: they are no list, one is not a callback, or wants to be told of each step.
    """

    def __init__(self, callbacks: Sequence[Callback] | None, model: Trained) -> None:
        if callbacks is not None and not isinstance(callbacks, (list, tuple)):
            raise InvalidTypeError(f"callbacks is {callbacks!r}: give a list of callbacks")
        self._callbacks = [_checked(each) for each in callbacks or ()]
        self._last: Logs = {}
        for each in self._callbacks:
            each.set_model(model)

    @contextmanager
    def training(self) -> Iterator[None]:
        """Tell of the beginning, and of the end unless an error is raised."""
        for each in self._callbacks:
            each.on_train_begin({})
        yield
        for each in self._callbacks:
            each.on_train_end(self._last)

    def epoch_begins(self, epoch: int) -> None:
        """Tell that epoch number `epoch`, from 1, begins."""
        for each in self._callbacks:
            each.on_epoch_begin(epoch - 1, {})

    def epoch_ends(self, epoch: int, record: Logs) -> None:
        """Tell that epoch number `epoch`, from 1, has ended, with its record."""
        self._last = {name: value for name, value in record.items() if name != "epoch"}
        for each in self._callbacks:
            each.on_epoch_end(epoch - 1, dict(self._last))


def _checked(callback: Any) -> Callback:
    if not isinstance(callback, Callback):
        raise InvalidTypeError(
            f"{callback!r} is among the callbacks: give objects such as EarlyStopping()"
        )
    stepwise = [name for name in STEPWISE if hasattr(callback, name)]
    if stepwise:
        raise InvalidTypeError(
            f"{type(callback).__name__} has {stepwise[0]}, but nothing is told of single steps, "
            "which do not wait for Python: do it in on_epoch_end"
        )
    return callback


class LambdaCallback(Callback):
    """Calls functions.

    Args:
        on_epoch_begin: called with the epoch, from 0, and a dictionary.
        on_epoch_end: called with the epoch, from 0, and its metrics.
        on_train_begin: called with a dictionary.
        on_train_end: called with the metrics of the last epoch.
    """

    def __init__(
        self,
        on_epoch_begin: Callable[[int, Logs], None] | None = None,
        on_epoch_end: Callable[[int, Logs], None] | None = None,
        on_train_begin: Callable[[Logs], None] | None = None,
        on_train_end: Callable[[Logs], None] | None = None,
    ) -> None:
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
        }
        vars(self).update({name: call for name, call in given.items() if call is not None})


class _Watching(Callback):
    """Watches a metric, and knows its best value so far.

    Args:
        monitor: the name of the metric, such as "val_loss".
        mode: whether less ("min") or more ("max") is better; "auto" for more where the name ends in
            "accuracy" or "acc".
        min_delta: by how much a value has to be better than the best to count as better.

    Attributes:
        best: the best value; before there is one, an infinite one that is worse than all.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        arguments.one_of(mode, "mode", MODES)
        self.monitor = arguments.text(monitor, "monitor")
        self.min_delta = arguments.non_negative_number(min_delta, "min_delta")
        self._rises = monitor.endswith(("accuracy", "acc")) if mode == "auto" else mode == "max"
        self._forget()

    def _forget(self) -> None:
        self.best = -inf if self._rises else inf

    def _value(self, logs: Logs | None) -> float:
        """The metric after an epoch.

        Raises:
            InvalidValueError: there is no such metric.
        """
        found = logs or {}
        if self.monitor not in found:
            raise InvalidValueError(
                f"{type(self).__name__} watches {self.monitor!r}, but there are only "
                f"{', '.join(found)}: give one of these, or validation data to fit"
            )
        return float(found[self.monitor])

    def _is_better(self, value: float) -> bool:
        by = value - self.best if self._rises else self.best - value
        return by > self.min_delta


class EarlyStopping(_Watching):
    """Stops the training when a metric has stopped getting better.

    Args:
        monitor: the name of the metric.
        min_delta: the least change that counts.
        patience: the epochs without one after which the training stops.
        mode: "min", "max" or "auto".
        baseline: a value that the metric has to be better than from the beginning, or None.
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
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = arguments.non_negative_integer(patience, "patience")
        self.baseline = None if baseline is None else arguments.number(baseline, "baseline")
        self.restore_best_weights = arguments.flag(restore_best_weights, "restore_best_weights")
        self.start_from_epoch = arguments.non_negative_integer(start_from_epoch, "start_from_epoch")

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._forget()
        self.stopped_epoch = self.best_epoch = self._waited = 0
        self._best_weights: list[Any] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self._value(logs)
        if epoch < self.start_from_epoch:
            return
        self._waited += 1
        if self._is_better(value):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self._best_weights = self.model.get_weights()
            if self._beats_baseline(value):
                self._waited = 0
        if self._waited and self._waited >= self.patience:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def _beats_baseline(self, value: float) -> bool:
        if self.baseline is None:
            return True
        return value > self.baseline if self._rises else value < self.baseline

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._best_weights is not None:
            self.model.set_weights(self._best_weights)


class ModelCheckpoint(_Watching):
    """Saves the model after each epoch, or each that is better than those before.

    Args:
        filepath: of the file, with the epoch from 1 and the metrics as fields, such as
            "model-{epoch:02d}-{val_loss:.3f}.safetensors".
        monitor: the name of the metric that decides.
        save_best_only: whether only better epochs are saved.
        mode: "min", "max" or "auto".
        initial_value_threshold: the best value before the first epoch, or None.

    Raises:
        InvalidValueError: an argument is not as described, or the path has a field that is no
            metric.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        save_best_only: bool = False,
        mode: str = "auto",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self.filepath = os.fspath(filepath)
        self.save_best_only = arguments.flag(save_best_only, "save_best_only")
        if initial_value_threshold is not None:
            self.best = initial_value_threshold

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_best_only:
            value = self._value(logs)
            if not self._is_better(value):
                return
            self.best = value
        self.model.save(self._path(epoch, logs or {}))

    def _path(self, epoch: int, logs: Logs) -> str:
        try:
            return self.filepath.format(epoch=epoch + 1, **logs)
        except (AttributeError, KeyError, IndexError, ValueError) as error:
            raise InvalidValueError(
                f"filepath is {self.filepath!r}, whose fields are not all among epoch, "
                f"{', '.join(logs)}: use these"
            ) from error


class ReduceLROnPlateau(_Watching):
    """Lowers the learning rate when a metric has stopped getting better.

    Args:
        monitor: the name of the metric.
        factor: what the learning rate is multiplied by, below 1.
        patience: the epochs without a better value after which it is.
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
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.factor = arguments.positive_number(arguments.share(factor, "factor"), "factor")
        self.patience = arguments.non_negative_integer(patience, "patience")
        self.cooldown = arguments.non_negative_integer(cooldown, "cooldown")
        self.min_lr = arguments.non_negative_number(min_lr, "min_lr")

    def on_train_begin(self, logs: Logs | None = None) -> None:
        _fixed_rate(self)
        self._forget()
        self._waited = self._cooling = 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self._value(logs)
        if self._cooling:
            self._cooling -= 1
            self._waited = 0
        if self._is_better(value):
            self.best, self._waited = value, 0
        elif not self._cooling:
            self._waited += 1
            if self._waited >= self.patience:
                self._lower()

    def _lower(self) -> None:
        rate = _fixed_rate(self)  # which may be below min_lr from the beginning
        self.model.optimizer.learning_rate = min(rate, max(rate * self.factor, self.min_lr))
        self._cooling, self._waited = self.cooldown, 0


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch.

    Args:
        schedule: gives it for the epoch, from 0, and the present rate, if it takes two arguments.

    Raises:
        InvalidValueError: the optimizer has a schedule, or the rate is not a number above 0.
    """

    def __init__(self, schedule: Callable[..., float]) -> None:
        self.schedule = schedule
        self._takes = len(signature(schedule).parameters)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        given = epoch, _fixed_rate(self)
        rate = self.schedule(*given[: self._takes])
        self.model.optimizer.learning_rate = arguments.positive_number(rate, "the learning rate")


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


class CSVLogger(Callback):
    """Writes the metrics of each epoch to a CSV file, a line an epoch.

    Args:
        filename: of the file.
        separator: between fields.
        append: whether lines are added to a file that is there.

    Raises:
        InvalidValueError: an argument is not as described.
        InvalidFileError: the folder of the file does not exist.
    """

    def __init__(
        self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False
    ) -> None:
        self.filename, self.separator = Path(filename), arguments.character(separator, "separator")
        if not self.filename.parent.is_dir():
            raise InvalidFileError(
                f"the folder of {self.filename} does not exist: make it, or give another file"
            )
        self.append = arguments.flag(append, "append")

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._has_head = self.append and self.filename.exists() and self.filename.stat().st_size > 0
        if not self._has_head:
            self.filename.write_text("")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        record = {"epoch": epoch} | dict(sorted((logs or {}).items()))
        with self.filename.open("a", newline="") as file:
            writer = csv.DictWriter(file, record, delimiter=self.separator)
            if not self._has_head:
                writer.writeheader()
                self._has_head = True
            writer.writerow(record)


class TerminateOnNaN(Callback):
    """For scripts that ask for it: `fit` raises TrainingError in any case of what is not finite."""

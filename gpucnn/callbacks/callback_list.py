"""The callbacks of a training, told one after the other."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gpucnn.callbacks.base import Callback, Logs, Trained
from gpucnn.errors import InvalidTypeError

STEPWISE = tuple(
    f"on_{phase}_{when}"
    for phase in ("batch", "train_batch", "test_batch", "predict_batch")
    for when in ("begin", "end")
)
"""Methods of Keras's callbacks that are not called, since no step waits for Python."""


class CallbackList:
    """The callbacks of a training.

    Args:
        callbacks: objects of `Callback`, or one.
        model: that is trained.

    Raises:
        InvalidTypeError: they are no list, one is not a callback, or wants to be told of each step.
    """

    def __init__(self, callbacks: Sequence[Callback] | Callback | None, model: Trained) -> None:
        if isinstance(callbacks, Callback):
            callbacks = [callbacks]
        if callbacks is not None and not isinstance(callbacks, (list, tuple)):
            raise InvalidTypeError(f"callbacks is {callbacks!r}: give a list of callbacks")
        self._callbacks = [_checked(each) for each in callbacks or ()]
        self._last: Logs = {}
        for each in self._callbacks:
            each.set_model(model)

    @contextmanager
    def training(self, params: dict[str, Any]) -> Iterator[None]:
        """Tell of the beginning, and of the end unless an error is raised.

        Args:
            params: of the training, see `Callback`.
        """
        for each in self._callbacks:
            each.set_params(params)
        for each in self._callbacks:
            each.on_train_begin({})
        yield
        for each in self._callbacks:
            each.on_train_end(self._last)

    def epoch_begins(self, epoch: int) -> None:
        """Tell that epoch number `epoch`, from 0, begins."""
        for each in self._callbacks:
            each.on_epoch_begin(epoch, {})

    def epoch_ends(self, epoch: int, record: Logs) -> None:
        """Tell that epoch number `epoch`, from 0, has ended.

        Args:
            epoch: its number.
            record: of the epoch, which takes what callbacks add to their logs.
        """
        self._last = {name: value for name, value in record.items() if name != "epoch"}
        for each in self._callbacks:
            each.on_epoch_end(epoch, self._last)
        record |= self._last | {"epoch": epoch + 1}


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

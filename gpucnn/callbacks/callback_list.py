"""The callbacks of a training, told one after the other."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gpucnn.backends.ranks.world import is_leader
from gpucnn.callbacks.base import Callback, Logs, Trained
from gpucnn.errors import InvalidTypeError

STEPWISE = tuple(
    f"on_{phase}_{when}"
    for phase in ("batch", "train_batch", "test_batch", "predict_batch")
    for when in ("begin", "end")
)
"""Methods of Keras's callbacks that are not called, since no step waits for Python."""


PREDICTING = ("on_predict_begin", "on_predict_end")
"""Those that are not called, since `predict` takes no callbacks."""

TESTING = ("on_test_begin", "on_test_end")
"""Those for which `fit` has the model as it is validated."""

PROGRESS = ("on_progress",)
"""That which is called so often that only those are which do something."""


class CallbackList:
    """The callbacks of a training.

    Args:
        callbacks: objects of `Callback`, or one.
        model: that is trained.

    Attributes:
        is_told_of_tests: whether one does something before or after the validation of an epoch.

    Raises:
        InvalidTypeError: they are no list, one is not a callback, or wants to be told of each step,
            or of predictions.
    """

    def __init__(self, callbacks: Sequence[Callback] | Callback | None, model: Trained) -> None:
        if isinstance(callbacks, Callback):
            callbacks = [callbacks]
        if callbacks is not None and not isinstance(callbacks, (list, tuple)):
            raise InvalidTypeError(f"callbacks is {callbacks!r}: give a list of callbacks")
        given = [_checked(each) for each in callbacks or ()]
        self._callbacks = [each for each in given if is_leader() or not each.writes_files]
        self._model = model
        self._last: Logs = {}
        self.is_told_of_tests = any(_has_one_of(TESTING, each) for each in self._callbacks)

    @contextmanager
    def training(self, params: dict[str, Any]) -> Iterator[None]:
        """Tell of the beginning, and of the end unless an error is raised.

        Args:
            params: of the training, see `Callback`.
        """
        for each in self._callbacks:
            each.set_model(self._model)
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

    def progress(self, shown: Callable[[int], None]) -> Callable[[int], None]:
        """What is called after each step with its number of images: `shown`, and callbacks."""
        told = [each.on_progress for each in self._callbacks if _has_one_of(PROGRESS, each)]
        if not told:
            return shown

        def tell(images: int) -> None:
            for each in (shown, *told):
                each(images)

        return tell

    def test_begins(self) -> None:
        """Tell that the validation of an epoch begins."""
        for each in self._callbacks:
            each.on_test_begin({})

    def test_ends(self, found: Logs) -> None:
        """Tell that the validation of an epoch has ended, with what it found."""
        for each in self._callbacks:
            each.on_test_end(dict(found))

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
    _refuse(
        callback,
        STEPWISE,
        "nothing is told of single steps, which do not wait for Python: do it in on_epoch_end",
    )
    _refuse(
        callback,
        PREDICTING,
        "predict takes no callbacks: do it before or after the call of predict",
    )
    return callback


def _refuse(callback: Callback, names: tuple[str, ...], reason: str) -> None:
    """Refuse a callback with a method that is not called."""
    for name in names:
        if hasattr(callback, name):
            raise InvalidTypeError(f"{type(callback).__name__} has {name}, but {reason}")


def _has_one_of(names: tuple[str, ...], callback: Callback) -> bool:
    """Whether a callback does something in one of the methods."""
    return any(
        name in vars(callback) or getattr(type(callback), name) is not getattr(Callback, name)
        for name in names
    )

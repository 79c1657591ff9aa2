"""The callback that saves the model."""

import os
from pathlib import Path

from gpucnn.callbacks.base import Logs, is_verbose, numbers
from gpucnn.callbacks.watching import Watching
from gpucnn.errors import InvalidValueError
from gpucnn.utils import arguments


class ModelCheckpoint(Watching):
    """Saves the model after each epoch, or each that is better than those before.

    Args:
        filepath: of the file, with the epoch from 1 and the metrics as fields, such as
            "model-{epoch:02d}-{val_loss:.3f}.safetensors". Its folder is made if need be.
        monitor: the name of the metric that decides.
        verbose: 1 to print where the model is saved, 0 for nothing.
        save_best_only: whether only better epochs are saved; where the metric is not there, a
            warning says so, and each is.
        mode: "min", "max" or "auto".
        initial_value_threshold: the best value before the first epoch, or None.

    Raises:
        InvalidTypeError: before the training begins: the model cannot be saved, see `save`.
        InvalidValueError: an argument is not as described, or the path has a field that is no
            metric of one number.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        mode: str = "auto",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self.verbose = is_verbose(verbose)
        self.filepath = os.fspath(filepath)
        self.save_best_only = arguments.flag(save_best_only, "save_best_only")
        self.best = arguments.optional(
            arguments.number, initial_value_threshold, "initial_value_threshold"
        )

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.model.settings()  # refuses what cannot be saved before an epoch is trained

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_best_only and not self._becomes_best(logs):
            return
        path = self._path(epoch, logs or {})
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self.model.save(path)
        self.tell(epoch, f"saved {path}")

    def _becomes_best(self, logs: Logs | None) -> bool:
        """Whether the metric is better than before, or is not there, as in Keras."""
        value = self.value(logs)
        if value is None:
            return True
        is_best = self.is_better(value, self.best)
        if is_best:
            self.best = value
        return is_best

    def _path(self, epoch: int, logs: Logs) -> str:
        try:
            return self.filepath.format(epoch=epoch + 1, **logs)
        except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
            raise InvalidValueError(
                f"filepath is {self.filepath!r}, whose fields are not all among the numbers epoch, "
                f"{', '.join(numbers(logs))}: use these"
            ) from error

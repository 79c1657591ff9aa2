"""The callback that writes the metrics of each epoch for TensorBoard."""

import os
from math import isfinite
from pathlib import Path
from typing import Any

from gpucnn.callbacks.base import Callback, Logs, numbers
from gpucnn.callbacks.watching import VALIDATION
from gpucnn.errors import MissingExtraError
from gpucnn.optimizers import Schedule

FLUSHED = 1
"""Seconds after which what is written can be seen, while the training goes on."""


class TensorBoard(Callback):
    """Writes the metrics of each epoch as scalars that TensorBoard shows, under Keras's names.

    They are `epoch_loss`, `epoch_accuracy` and so on, by the number of the epoch from 0, for the
    training data in the folder `train`, with `epoch_learning_rate`, the rate of the next step; and
    for the validation data in the folder `validation`. Metrics that are not numbers are left out.

    It needs tensorboardX, which comes with the extra `tensorboard`.

    Args:
        log_dir: the folder of both.

    Raises:
        MissingExtraError: tensorboardX is not installed.
    """

    writes_files = True

    def __init__(self, log_dir: str | os.PathLike[str] = "logs") -> None:
        self.log_dir = Path(log_dir)
        self._make_writer = _writer_class()
        self._writers: dict[str, Any] = {}

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        finite = {name: each for name, each in numbers(logs or {}).items() if isfinite(each)}
        of_training, of_validation = {}, {}
        for name, each in finite.items():
            if name.startswith(VALIDATION):
                of_validation[name.removeprefix(VALIDATION)] = each
            else:
                of_training[name] = each
        of_training["learning_rate"] = self._learning_rate()
        self._write("train", of_training, epoch)
        self._write("validation", of_validation, epoch)

    def on_train_end(self, logs: Logs | None = None) -> None:
        for each in self._writers.values():
            each.close()
        self._writers.clear()

    def _write(self, folder: str, scalars: dict[str, float], epoch: int) -> None:
        """Write scalars to a folder, which is made for the first of them."""
        if not scalars:
            return
        if folder not in self._writers:
            place = str(self.log_dir / folder)
            self._writers[folder] = self._make_writer(place, flush_secs=FLUSHED)
        for name, value in scalars.items():
            self._writers[folder].add_scalar(f"epoch_{name}", value, epoch)

    def _learning_rate(self) -> float:
        optimizer = self.model.optimizer
        rate = optimizer.learning_rate
        return rate(optimizer.iterations) if isinstance(rate, Schedule) else rate


def _writer_class() -> Any:
    """The class that writes TensorBoard's files.

    Raises:
        MissingExtraError: tensorboardX is not installed.
    """
    try:
        from tensorboardX import SummaryWriter  # imported here: an optional dependency
    except ImportError as error:
        raise MissingExtraError("TensorBoard", "tensorboardX", "tensorboard") from error
    return SummaryWriter

"""Callbacks that write the metrics of each epoch to files."""

import os
from pathlib import Path

from gpucnn.callbacks.base import Callback, Logs
from gpucnn.errors import InvalidFileError
from gpucnn.utils import arguments

MISSING = "NA"
"""What is written for a metric that an epoch has not."""


class CSVLogger(Callback):
    """Writes the metrics of each epoch to a CSV file, a line an epoch.

    The columns are those of the first epoch; where a later one has no value, it says "NA".

    Args:
        filename: of the file.
        separator: between fields.
        append: whether lines are added to a file that is there.

    Raises:
        InvalidValueError: an argument is not as described.
        InvalidFileError: the folder of the file does not exist.
    """

    writes_files = True

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
        self._names: list[str] = []
        self._has_head = self.append and self.filename.exists() and self.filename.stat().st_size > 0
        if not self._has_head:
            self.filename.write_text("")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        import csv  # imported here: `import gpucnn` stays light

        record = {"epoch": epoch} | (logs or {})
        self._names = self._names or ["epoch", *sorted(logs or {})]
        with self.filename.open("a", newline="") as file:
            writer = csv.writer(file, delimiter=self.separator)
            if not self._has_head:
                writer.writerow(self._names)
                self._has_head = True
            writer.writerow([record.get(name, MISSING) for name in self._names])

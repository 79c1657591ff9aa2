"""The course of a training, as it is told to browsers."""

import json
from base64 import b64encode
from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np

from gpucnn.callbacks.base import Logs, Trained, numbers
from gpucnn.models.network import Network
from gpucnn.models.pictures.images import COLOURS

MOST_FILTERS = 64


class Course:
    """What is known of a training: one thread sets it down, and others read it at any time.

    Args:
        epochs: at whose end the training is done.
        steps: of an epoch; None where that is not known.
        earlier: the records of epochs that are done already.

    Attributes:
        filters: see `filters_of`.
        steps_done: in this epoch.
        is_finished: whether the training came to its end.
        is_over: whether nothing more will come.
    """

    def __init__(self, epochs: int, steps: int | None, earlier: Sequence[Logs]) -> None:
        self.filters: dict[str, Any] | None = None
        self.steps_done = 0
        self.is_finished = self.is_over = False
        self._epochs, self._steps = epochs, steps
        self._records: tuple[Logs, ...] = tuple(map(numbers, earlier))

    def add(self, record: Logs) -> None:
        """Set down the metrics of an epoch."""
        self._records = (*self._records, numbers(record))

    def encode(self) -> str:
        """A snapshot as JSON, in one line."""
        records = self._records
        names = dict.fromkeys(name for each in records for name in each if name != "epoch")
        snapshot = {
            "epochs": self._epochs,
            "epoch": len(records),
            "steps": {"done": self.steps_done, "of": self._steps},
            "history": {name: [_finite(each.get(name)) for each in records] for name in names},
            "filters": self.filters,
            "finished": self.is_finished,
        }
        return json.dumps(snapshot, separators=(",", ":"))


def _finite(value: Any) -> float | None:
    """A number as JSON has it."""
    return float(value) if value is not None and isfinite(value) else None


def filters_of(model: Trained) -> dict[str, Any] | None:
    """The kernels of a model's first convolution, as bytes; None if it has none.

    A byte of 128 is a weight of 0, 255 or 1 the largest of either sign. Of other channels than
    those of grey or colour images, the first is shown.
    """
    assert isinstance(model, Network)
    for layer in model.layers:
        weights = model.get_weights_of(layer)
        if weights and weights[0].ndim == 4:
            break
    else:
        return None
    kernel = weights[0] if weights[0].shape[2] == COLOURS else weights[0][:, :, :1]
    shown = np.moveaxis(kernel, 3, 0)[:MOST_FILTERS]
    largest = float(np.abs(shown).max()) or 1
    data = np.rint(128 + 127 * shown / largest).astype(np.uint8)
    count, rows, columns, channels = data.shape
    return {
        "layer": layer.name,
        "count": count,
        "rows": rows,
        "columns": columns,
        "channels": channels,
        "data": b64encode(data.tobytes()).decode(),
    }

"""The history of a training: a record for each epoch."""

from dataclasses import dataclass, field
from math import isfinite
from numbers import Real
from typing import TYPE_CHECKING, Any

from gpucnn.errors import TrainingError
from gpucnn.models.pictures.curves import as_text, draw_history, readable
from gpucnn.utils.plots import has_matplotlib, to_html
from gpucnn.utils.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EpochRecord = dict[str, Any]


@dataclass
class History:
    """The metrics of each epoch.

    Each of `epochs` has "epoch" (from 1), "loss" and "accuracy" (means over the epoch's training
    steps, each measured before its update), the other metrics of the model, "seconds" (of the
    training steps, and of what gives them batches), "images_per_second", and, with validation data,
    "val_loss", "val_accuracy" and so on after the epoch; and what callbacks added, such as
    "learning_rate". Accuracies are in [0, 1].
    """

    epochs: list[EpochRecord] = field(default_factory=list)

    @property
    def epoch(self) -> list[int]:
        """The numbers of the epochs, from 0, as in Keras."""
        return [record["epoch"] - 1 for record in self.epochs]

    @property
    def history(self) -> dict[str, list[Any]]:
        """The values of each metric, epoch by epoch, as in Keras.

        What callbacks added has values for those epochs alone to which they did.
        """
        names = dict.fromkeys(name for record in self.epochs for name in record)
        names.pop("epoch", None)
        return {name: self._values(name) for name in names}

    def plot(self) -> "Figure":
        """Draw each metric that is a number by epoch, of training and of validation.

        Returns:
            A figure of Matplotlib's, which notebooks show, and `savefig` writes.

        Raises:
            InvalidValueError: there is no epoch.
            MissingExtraError: Matplotlib is not installed.
        """
        return draw_history(self.epochs)

    def _repr_html_(self) -> str:
        """The picture, as Jupyter shows the history; without Matplotlib a table of the epochs."""
        epochs = History(list(self.epochs))  # which another thread may be training
        if epochs.epochs and has_matplotlib():
            return to_html(epochs.plot(), f"Metrics of {epochs._count} by epoch")
        return epochs._table().to_html()

    def _table(self) -> Table:
        """The metrics that are numbers, epoch by epoch."""
        names = [name for name, values in self.history.items() if isinstance(values[0], Real)]
        rows = [
            (record["epoch"], *(as_text(n, record[n]) if n in record else "" for n in names))
            for record in self.epochs
        ]
        return Table(f"History of {self._count}", ("epoch", *map(readable, names)), rows)

    @property
    def _count(self) -> str:
        return f"{len(self.epochs)} epoch{'s' * (len(self.epochs) != 1)}"

    def _values(self, name: str) -> list[Any]:
        return [record[name] for record in self.epochs if name in record]


def check_finite(loss: float, epoch: int) -> None:
    """Check that a loss is finite.

    Raises:
        TrainingError: the loss is NaN or infinite.
    """
    if not isfinite(loss):
        raise TrainingError(
            f"the loss became {loss} in epoch {epoch}: train with a lower learning rate, from the "
            "weights before that epoch, which the model still has"
        )

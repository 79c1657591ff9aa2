"""What callbacks share that watch a metric."""

from gpucnn.callbacks.base import Callback, Logs, Trained, numbers
from gpucnn.errors import InvalidValueError
from gpucnn.utils import arguments
from gpucnn.utils.warn import warn

MODES = ("auto", "min", "max")
VALIDATION = "val_"
"""What the names of the metrics of validation data begin with."""


class Watching(Callback):
    """Watches a metric, and knows its best value so far.

    Args:
        monitor: the name of the metric, such as "val_loss".
        mode: whether less ("min") or more ("max") is better; "auto" for what the loss or the metric
            of the model says, see `Metric`.
        min_delta: by how much a value has to be better than another to count as better.

    Attributes:
        best: the best value; None before there is one.
        rises: whether more is better; with "auto" from when the model is known.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    rises: bool

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        self.mode = arguments.one_of(mode, "mode", MODES)
        self.monitor = arguments.text(monitor, "monitor")
        self.min_delta = arguments.non_negative_number(min_delta, "min_delta")
        self.best: float | None = None

    def set_model(self, model: Trained) -> None:
        """Set the model, which says whether more is better, unless the mode does.

        Raises:
            InvalidValueError: neither does.
        """
        super().set_model(model)
        self.rises = (self.mode if self.mode != "auto" else self._mode_of(model)) == "max"

    def _mode_of(self, model: Trained) -> str:
        """The mode for the metric of a model."""
        directions = {"loss": "down"} | {each.name: each.direction for each in model.metrics}
        direction = directions.get(self.monitor.removeprefix(VALIDATION))
        if direction is None:
            names = ", ".join(name for name, each in directions.items() if each)
            raise InvalidValueError(
                f"{type(self).__name__} watches {self.monitor!r}, and nothing says whether more of "
                f"it is better: watch one of {names}, also with {VALIDATION} before it, or give "
                'mode="max" or mode="min"'
            )
        return "max" if direction == "up" else "min"

    def value(self, logs: Logs | None) -> float | None:
        """The metric after an epoch; None if there is none.

        Raises:
            InvalidValueError: it is no number, such as one for each class.

        Warns:
            GpucnnWarning: there is none.
        """
        found = logs or {}
        if self.monitor not in found:
            warn(
                f"{type(self).__name__} watches {self.monitor!r}, but there are only "
                f"{', '.join(found)}: give one of these, or validation data to fit"
            )
            return None
        try:
            return float(found[self.monitor])
        except (TypeError, ValueError) as error:
            raise InvalidValueError(
                f"{type(self).__name__} watches {self.monitor!r}, which is not one number: watch "
                f"one of {', '.join(numbers(found))}"
            ) from error

    def is_better(self, value: float, than: float | None) -> bool:
        """Whether a value is better than another by more than `min_delta`; than None it is."""
        if than is None:
            return True
        return value - self.min_delta > than if self.rises else value + self.min_delta < than

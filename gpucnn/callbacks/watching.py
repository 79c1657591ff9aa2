"""What callbacks share that watch a metric."""

from math import inf

from gpucnn.callbacks.base import Callback, Logs
from gpucnn.errors import InvalidValueError
from gpucnn.utils import arguments

MODES = ("auto", "min", "max")


class Watching(Callback):
    """Watches a metric, and knows its best value so far.

    Args:
        monitor: the name of the metric, such as "val_loss".
        mode: whether less ("min") or more ("max") is better; "auto" for more where the name ends in
            "accuracy" or "acc".
        min_delta: by how much a value has to be better than the best to count as better.

    Attributes:
        best: the best value; before there is one, an infinite one that is worse than all.
        rises: whether more is better.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        arguments.one_of(mode, "mode", MODES)
        self.monitor = arguments.text(monitor, "monitor")
        self.min_delta = arguments.non_negative_number(min_delta, "min_delta")
        self.rises = monitor.endswith(("accuracy", "acc")) if mode == "auto" else mode == "max"
        self.forget()

    def forget(self) -> None:
        """Forget the best value."""
        self.best = -inf if self.rises else inf

    def value(self, logs: Logs | None) -> float:
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

    def is_better(self, value: float) -> bool:
        """Whether a value is better than the best."""
        by = value - self.best if self.rises else self.best - value
        return by > self.min_delta

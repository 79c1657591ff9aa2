"""Metrics of the differences of outputs from labels."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gpucnn.errors import InvalidValueError
from gpucnn.metrics.base import Metric, Values


class OfErrors(Metric):
    """A metric of the differences of outputs from labels."""

    direction: ClassVar[str | None] = "down"

    def check_labels(self, labels: Values, outputs: int) -> None:
        if labels.size != len(labels) * outputs:
            raise InvalidValueError(
                "the labels are classes, whose difference from the outputs says nothing: compile "
                "with categorical_crossentropy and rows, or leave the metric out"
            )

    def _errors(self, labels: Values, outputs: Values) -> Values:
        self.check_labels(labels, outputs.shape[1])
        errors: Values = outputs - labels.reshape(outputs.shape)
        return errors


@dataclass(frozen=True)
class MeanSquaredError(OfErrors):
    """The mean of the squared differences of outputs from labels."""

    name: str = "mean_squared_error"

    def result(self, labels: Values, outputs: Values) -> float:
        return float((self._errors(labels, outputs) ** 2).mean(dtype=np.float64))


@dataclass(frozen=True)
class MeanAbsoluteError(OfErrors):
    """The mean of the absolute differences of outputs from labels."""

    name: str = "mean_absolute_error"

    def result(self, labels: Values, outputs: Values) -> float:
        return float(abs(self._errors(labels, outputs)).mean(dtype=np.float64))

"""The base class of metrics."""

import re
from abc import ABC, abstractmethod
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray

from gpucnn.losses import Loss
from gpucnn.utils.keras.arguments import keras_arguments
from gpucnn.utils.objects.config import Configurable

Values = NDArray[Any]


class Metric(Configurable, ABC):
    """A metric: a number, or an array, of the labels and the outputs for all images of an epoch.

    In training, each output is that of the step that trained on its image, before the update.

    Attributes:
        name: that of its values in the history.
        direction: "up" where more is better, "down" where less is; None where that is not known,
            and callbacks that watch it need a mode.
    """

    name: str
    direction: ClassVar[str | None] = None

    @keras_arguments
    def __init__(self, name: str | None = None) -> None:
        """Make a metric; without a name it has that of its class, such as "f1_score"."""
        if name is not None:
            self.name = name

    if not TYPE_CHECKING:  # mypy would take any name for an attribute

        def __getattr__(self, name: str) -> str:
            """The name, where the class sets none."""
            if name == "name":
                return _snake_case(type(self).__name__)
            return object.__getattribute__(self, name)  # which raises the error

    def get_config(self) -> dict[str, Any]:
        """As for `Configurable`, with the name."""
        return {"name": self.name} | super().get_config()

    @abstractmethod
    def result(self, labels: Values, outputs: Values) -> Any:
        """Compute the metric, on the host.

        Args:
            labels: int64 (n,), or real (n, outputs), as they were given, before smoothing.
            outputs: real (n, outputs), as `predict` returns them.
        """

    def of_model(self, loss: Loss, outputs: int) -> "Metric":
        """The metric as it is computed for a model with a loss and a number of outputs.

        Raises:
            InvalidValueError: it says nothing of such a model.
        """
        return self

    def check_labels(self, labels: Values, outputs: int) -> None:
        """Check, before anything is computed, the labels of a model with so many outputs.

        Raises:
            InvalidValueError: the metric says nothing of such labels.
        """

    def _with_threshold(self, argument: str, loss: Loss, outputs: int) -> "Metric":
        """The metric with the loss's threshold as an argument, if it was given none there.

        It is a copy, also of a user's class that derives from this one.
        """
        if getattr(self, argument) is not None:
            return self
        made = copy(self)
        vars(made)[argument] = loss.threshold(outputs)
        return made


def _snake_case(name: str) -> str:
    """The name of a class in lower case, with underscores between its words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])", "_", name).lower()

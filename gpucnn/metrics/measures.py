"""What is measured of a model, and what is found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpucnn.losses import DEFAULT, Loss
from gpucnn.metrics.accuracy import Accuracy
from gpucnn.metrics.base import Metric, Values


@dataclass(frozen=True)
class Measures:
    """What is measured besides the loss.

    Args:
        metrics: in order.
        told: the names of those that the loss counts, on the device; the others are computed from
            the outputs.
        loss: of the model, which tells what the labels were before it took them.
    """

    metrics: tuple[Metric, ...] = (Accuracy(),)
    told: frozenset[str] = frozenset({Accuracy.name})
    loss: Loss = DEFAULT

    @classmethod
    def of(cls, metrics: Sequence[Metric], loss: Loss, outputs: int) -> "Measures":
        """Those of a model, with the accuracy, asked for or not, if the loss counts it anyway.

        Args:
            metrics: that it is compiled with.
            loss: likewise.
            outputs: their number.

        Raises:
            InvalidValueError: a metric says nothing of such a model.
        """
        measured = [each.of_model(loss, outputs) for each in metrics]
        accuracies = [each for each in measured if isinstance(each, Accuracy) and not each.is_own]
        told = {each.name for each in accuracies if each.is_told_by(loss, outputs)}
        is_free = not told and loss.tells_accuracy(outputs)
        if is_free and not any(each.name == Accuracy.name for each in measured):
            measured.insert(0, Accuracy())
            told.add(Accuracy.name)
        return cls(tuple(measured), frozenset(told), loss)

    @property
    def needs_outputs(self) -> bool:
        """Whether a metric is computed from the outputs, which are then kept for all images."""
        return bool(self._computed)

    @property
    def _names(self) -> list[str]:
        return [each.name for each in self.metrics]

    @property
    def _computed(self) -> list[Metric]:
        return [each for each in self.metrics if each.name not in self.told]

    def check_labels(self, labels: Values, outputs: int) -> None:
        """Check what the loss has made of labels, before anything is computed.

        Raises:
            InvalidValueError: a metric says nothing of them.
        """
        given = self.loss.as_given(labels, outputs)
        for each in self._computed:
            each.check_labels(given, outputs)

    def evaluate(
        self,
        losses: Values,
        correct: Values,
        labels: Values | None,
        outputs: Values | None,
        penalty: float = 0.0,
    ) -> "Evaluation":
        """The means over n images, and the metrics; all on the host.

        Args:
            losses: real (n,).
            correct: real (n,), 1 or 0; not read unless the loss counts them.
            labels: those of the images, if this `needs_outputs`.
            outputs: likewise.
            penalty: on the parameters, a part of the loss.
        """
        found: dict[str, Any] = {"loss": float(losses.mean(dtype=np.float64)) + penalty}
        found |= {name: float(correct.mean(dtype=np.float64)) for name in self.told}
        if self.needs_outputs:
            assert labels is not None
            assert outputs is not None
            given = self.loss.as_given(labels, outputs.shape[1])
            found |= {each.name: _plain(each.result(given, outputs)) for each in self._computed}
        return Evaluation({"loss": found["loss"]} | {each: found[each] for each in self._names})


def _plain(value: Any) -> Any:
    """A metric's value as a number or lists of numbers, as in a history that is saved."""
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


class Evaluation(tuple[Any, ...]):
    """The loss and the metrics over a set of images: a tuple, with attributes by their names.

    The loss and the accuracy are means over the images, the latter in [0, 1].

    Args:
        named: by name, in order.
    """

    loss: float
    accuracy: float

    def __new__(cls, named: dict[str, Any]) -> "Evaluation":
        """Make one of the values by name."""
        self = super().__new__(cls, tuple(named.values()))
        vars(self).update(named)
        return self

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({shown})"

    def __reduce__(self) -> Any:
        return type(self), (self._asdict(),)

    def _asdict(self) -> dict[str, Any]:
        """The values by name."""
        return dict(vars(self))

"""The metrics of images, on the device that computes them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, Backend
from gpucnn.metrics import Evaluation, Measures
from gpucnn.models.replica import Replica
from gpucnn.models.training.sharing import Kinds


class Metrics(NamedTuple):
    """The metrics of n images, on the device.

    They are copied to the host once, at the end, so that no step waits for them.

    Attributes:
        losses: real (n,), the loss of each image.
        correct: real (n,), 1 for each image that was classified correctly, else 0.
        outputs: real (n, outputs), the prediction for each image; None if it is not needed.
    """

    losses: Array
    correct: Array
    outputs: Array | None = None

    @classmethod
    def empty(cls, backend: Backend, kinds: Kinds) -> "Metrics":
        """Allocate metrics, uninitialised, see `kinds_of_metrics`."""
        return cls(**{name: backend.empty(*kind) for name, kind in kinds.items()})

    def of(self, rows: slice) -> "Metrics":
        """Views of the metrics of a range of images."""
        return Metrics(*(None if each is None else each[rows] for each in self))  # type: ignore[arg-type]

    def on_host(
        self,
        backend: Backend,
        labels: NDArray[Any] | None,
        penalties: NDArray[Any] | None = None,
    ) -> "Measured":
        """A copy on the host.

        Args:
            backend: where the metrics are.
            labels: those of the images, on the host; None if they are not needed.
            penalties: see `Measured`.
        """
        losses, correct, outputs = (
            None if each is None else backend.to_host(each) for each in self
        )
        assert losses is not None
        assert correct is not None
        return Measured(losses, correct, labels, outputs, penalties)


class Measured(NamedTuple):
    """The metrics of n images, on the host, with what else `Measures.evaluate` needs.

    Attributes:
        losses: as of `Metrics`.
        correct: likewise.
        labels: those of the images; None if they are not needed.
        outputs: as of `Metrics`.
        penalties: real (n,), on the parameters when each image was measured; None for 0.
    """

    losses: NDArray[Any]
    correct: NDArray[Any]
    labels: NDArray[Any] | None
    outputs: NDArray[Any] | None
    penalties: NDArray[Any] | None


def evaluation(parts: Sequence[Measured], measures: Measures) -> Evaluation:
    """What is measured of all images of some parts."""
    losses, correct, labels, outputs, penalties = (
        None if each[0] is None else np.concatenate(each) for each in zip(*parts, strict=True)
    )
    assert losses is not None
    assert correct is not None
    penalty = 0.0 if penalties is None else float(penalties.mean(dtype=np.float64))
    return measures.evaluate(losses, correct, labels, outputs, penalty)


def penalties_now(replica: Replica, count: int) -> NDArray[Any] | None:
    """The penalty on the parameters as they are, for each of `count` images, if there is any."""
    penalty = replica.penalty()  # which takes those that the layers have
    return np.full(count, penalty) if replica.is_penalized else None


def kinds_of_metrics(replica: Replica, measures: Measures, count: int) -> dict[str, Any]:
    """The shapes and dtypes of the `Metrics` of `count` images."""
    kinds: dict[str, Any] = dict.fromkeys(("losses", "correct"), ((count,), replica.dtype))
    if measures.needs_outputs:
        kinds["outputs"] = (count, *replica.plain[-1].output_shape), replica.dtype
    return kinds

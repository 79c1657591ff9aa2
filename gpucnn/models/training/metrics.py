"""The metrics of images, on the device that computes them."""

from typing import Any, NamedTuple

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

    def measured(
        self, backend: Backend, measures: Measures, labels: Array, penalty: float = 0.0
    ) -> Evaluation:
        """What is measured of the images.

        Args:
            backend: where the metrics are.
            measures: what to measure.
            labels: those of the images, on the device.
            penalty: on the parameters, a part of the loss.
        """
        on_host = (None if each is None else backend.to_host(each) for each in self)
        losses, correct, outputs = on_host
        assert losses is not None
        assert correct is not None
        mine = backend.to_host(labels) if measures.metrics else None
        return measures.evaluate(losses, correct, mine, outputs, penalty)


def kinds_of_metrics(replica: Replica, measures: Measures, count: int) -> dict[str, Any]:
    """The shapes and dtypes of the `Metrics` of `count` images."""
    kinds: dict[str, Any] = dict.fromkeys(("losses", "correct"), ((count,), replica.dtype))
    if measures.metrics:
        kinds["outputs"] = (count, *replica.plain[-1].output_shape), replica.dtype
    return kinds

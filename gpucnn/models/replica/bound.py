"""The forward pass in inference, bound to its arrays once for each batch size."""

from collections.abc import Callable, Sequence

from gpucnn.backends import Array, Backend, Calls
from gpucnn.models.graph import Stretch
from gpucnn.models.replica.passes import bind
from gpucnn.models.replica.watched import Watched

KEPT = 8
"""The most batch sizes for which passes are kept: those of a data set are fewer."""


class BoundPass:
    """The forward pass of stretches in inference, for one batch size.

    Args:
        stretches: of placed layers.
        images: real (n, *input_shape), in the layout of the layers.

    Attributes:
        images: as given, what the pass takes.
        output: real (n, classes), what it gives.
        compute: does it.
        renew: lets it follow from the weights as they are now.
    """

    def __init__(self, stretches: Sequence[Stretch], images: Array) -> None:
        self.images, calls = images, Calls()
        self.output = bind(stretches, images, calls)
        self.compute: Callable[[], None] = calls
        self.renew = calls.renew


class BoundPasses:
    """The passes for the batch sizes that were asked for, by size; a few are kept.

    They are forgotten when memory of the layers may have been replaced by larger.

    Args:
        backend: of the layers.
        weights: those that the passes follow from.
        make: makes the pass for a batch size.
    """

    def __init__(
        self, backend: Backend, weights: Watched, make: Callable[[int], BoundPass]
    ) -> None:
        self._backend, self._make, self._allocations = backend, make, backend.allocations
        self._weights = weights
        self._changes = 0
        self._passes: dict[int, BoundPass] = {}
        self._renewed: set[int] = set()

    def __getitem__(self, images: int) -> BoundPass:
        """The pass for a batch size, which follows from the weights as of the last `renew`."""
        if self._allocations != self._backend.allocations:
            self._passes.clear()
        if images not in self._passes:
            while len(self._passes) >= KEPT:
                del self._passes[next(iter(self._passes))]
            self._passes[images] = self._make(images)
            self._allocations = self._backend.allocations
        elif images not in self._renewed:
            self._passes[images].renew()
        self._renewed.add(images)
        return self._passes[images]

    def renew(self) -> None:
        """Let the passes follow from the weights as they are now."""
        changes = self._weights.notice()
        if changes != self._changes:
            self._renewed.clear()
            self._changes = changes

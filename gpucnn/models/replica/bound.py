"""The forward pass in inference, bound to its arrays once for each batch size."""

from collections.abc import Callable, Sequence
from math import inf

from gpucnn.backends import Array, Backend, Calls
from gpucnn.models.graph import Stretch
from gpucnn.models.replica.passes import bind

KEPT = 8
"""The most batch sizes for which passes are kept: those of a data set are fewer."""


class BoundPass:
    """The forward pass of stretches in inference, for one batch size.

    Args:
        stretches: of placed layers.
        images: real (n, *input_shape), in the layout of the layers.
        bind_bytes: adds the calls that make of `images` that were set to bytes what the pass takes.
        bind_predictions: adds the calls that make of `output` what is predicted, which it returns;
            with softmax or not.

    Attributes:
        images: as given, what the pass takes.
        output: real (n, classes), what it gives.
        take_bytes: does the calls of `bind_bytes`.
        compute: does those of the pass.
        renew: lets it follow from the weights as they are now.
        largest_product: see `Calls`.
    """

    def __init__(
        self,
        stretches: Sequence[Stretch],
        images: Array,
        bind_bytes: Callable[[Array, Calls], None],
        bind_predictions: Callable[[Array, bool, Calls], Array],
    ) -> None:
        self.images, calls, self.take_bytes = images, Calls(), Calls()
        bind_bytes(images, self.take_bytes)
        self.output = bind(stretches, images, calls)
        self.compute: Callable[[], None] = calls
        self.renew, self.largest_product = calls.renew, calls.largest_product
        self._bind_predictions = bind_predictions
        self._predictions: dict[bool, tuple[Callable[[], None], Array]] = {}

    def predict(self, *, with_softmax: bool) -> Array:
        """What is predicted by `output`, real (n, outputs), which the next call overwrites."""
        bound = self._predictions.get(with_softmax)
        if bound is None:
            calls = Calls()
            predictions = self._bind_predictions(self.output, with_softmax, calls)
            bound = self._predictions[with_softmax] = calls, predictions
        compute, predictions = bound
        compute()
        return predictions


class BoundPasses:
    """The passes for the batch sizes that were asked for, by size; a few are kept.

    They are forgotten when memory of the layers may have been replaced by larger.

    Args:
        backend: of the layers.
        make: makes the pass for a batch size.
    """

    def __init__(self, backend: Backend, make: Callable[[int], BoundPass]) -> None:
        self._backend, self._make, self._allocations = backend, make, backend.allocations
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

    def largest_product(self, images: int) -> float:
        """The multiply-adds of the largest product for a batch size; not known before its pass."""
        kept = self._passes.get(images)
        return inf if kept is None else kept.largest_product

    def renew(self) -> None:
        """Let the passes follow from the weights as they are now."""
        self._renewed.clear()

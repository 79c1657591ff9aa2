"""Layers whose output for an image depends on the whole batch.

A batch may be split over lanes of this process and over ranks. Such a layer then computes sums over
its part, lets them be added up over all parts, and goes on with the result. So its passes are
generators: each array that they yield is replaced by its sum over the batch before they go on.
"""

from abc import abstractmethod
from collections.abc import Generator
from typing import ClassVar, TypeGuard, TypeVar

from gpucnn.backends import Array
from gpucnn.errors import InvalidValueError
from gpucnn.layers.base import Layer, Step

Result = TypeVar("Result")

Sums = Generator[Array, None, Result]
"""A computation that yields arrays to be summed over the batch, in place, and returns a result."""


def by_itself(work: Sums[Result]) -> Result:
    """The result of a computation on a batch that is not split."""
    try:
        while True:
            next(work)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


class WholeBatchLayer(Layer):
    """A layer whose output for an image depends on the whole batch, in training.

    `forward` and `backward` take the microbatch for the batch.
    """

    is_of_whole_batch: ClassVar[bool] = True

    def forward(self, x: Array, step: Step | None) -> Array:
        return self.infer(x) if step is None else by_itself(self.forward_together(x, step))

    def backward(self, output_gradient: Array) -> Array | None:
        return by_itself(self.backward_together(output_gradient))

    @abstractmethod
    def infer(self, x: Array) -> Array:
        """The output in inference, real `(n, *output_shape)`, which depends on each image alone.

        Args:
            x: real `(n, *input_shape)`.
        """

    def infer_gradient(self, output_gradient: Array) -> Array:
        """The gradient with respect to the input of `infer`, real `(n, *input_shape)`.

        Args:
            output_gradient: real `(n, *output_shape)`.

        Raises:
            InvalidValueError: the class does not define it.
        """
        raise InvalidValueError(
            f"{self.name} does not tell the gradient of what it infers: define infer_gradient"
        )

    @abstractmethod
    def forward_together(self, x: Array, step: Step) -> Sums[Array]:
        """As `Layer.forward`, for a microbatch of the batch of `step`."""

    @abstractmethod
    def backward_together(self, output_gradient: Array) -> Sums[Array | None]:
        """As `Layer.backward`, likewise; it yields as often for every microbatch."""

    @abstractmethod
    def idle_forward(self) -> Sums[None]:
        """Take part in the sums of `forward_together` on other ranks, without images."""

    @abstractmethod
    def idle_backward(self) -> Sums[None]:
        """Take part in the sums of `backward_together` on other ranks, without images."""

    @abstractmethod
    def update_state(self) -> None:
        """Update the state by the batch of the last pass."""


def is_of_whole_batch(layer: Layer) -> TypeGuard[WholeBatchLayer]:
    """Whether it is a `WholeBatchLayer`.

    Each step asks it of each layer, and `isinstance` of an abstract class takes several times as
    long.
    """
    return layer.is_of_whole_batch

"""What the CPU prepares for a fused convolution in training: calls that are bound to arrays."""

from abc import ABC, abstractmethod
from functools import partial

from gpucnn.backends.calls import Calls, LastCalls
from gpucnn.backends.fused import ConvReluPool, ConvReluPoolPlan
from gpucnn.backends.memory import Array


class CpuPlan(ConvReluPoolPlan, ABC):
    """A plan whose passes are calls, which are bound again only to other arrays.

    Args:
        fused: the operation.
        arrays: see `ConvReluPoolPlan`.

    Attributes:
        forward: the calls of `Backend.conv2d_relu_max_pool`, given its x, kernel, bias and out.
        gradients: those of `Backend.conv2d_relu_max_pool_gradients` for what `forward` was given
            last, given its output_gradient and kernel, and then the gradients that it writes.
    """

    def __init__(self, fused: ConvReluPool, arrays: dict[str, Array]) -> None:
        super().__init__(fused, arrays)
        self.forward = LastCalls(self._add_pass)

    def _add_pass(self, calls: Calls, x: Array, kernel: Array, bias: Array, out: Array) -> None:
        kept = self._add_forward(calls, x, kernel, bias, out)
        self.gradients = LastCalls(partial(self._add_gradients, kept))

    @abstractmethod
    def _add_forward(self, calls: Calls, x: Array, kernel: Array, bias: Array, out: Array) -> Array:
        """Add the calls of `forward`; returns what the gradients are computed from."""

    @abstractmethod
    def _add_gradients(
        self,
        kept: Array,
        calls: Calls,
        output_gradient: Array,
        kernel: Array,
        kernel_gradient: Array,
        bias_gradient: Array,
        input_gradient: Array | None,
    ) -> None:
        """Add the calls of `gradients`, given what `_add_forward` returned."""

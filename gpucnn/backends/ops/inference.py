"""Operations of inference that are bound to their arrays once, for many passes."""

import numpy as np

from gpucnn.backends.calls import Calls
from gpucnn.backends.cpu.inference.dense import add_dense
from gpucnn.backends.cpu.inference.layout import flattened, laid_out
from gpucnn.backends.cpu.inference.pooled import add_pooled_convolution
from gpucnn.backends.cpu.inference.softmax import add_softmax
from gpucnn.backends.cpu.layout import images_last
from gpucnn.backends.fused import ConvReluPool
from gpucnn.backends.memory import Array
from gpucnn.backends.ops.data import add_normalizing
from gpucnn.backends.ops.fused.conv_relu_pool import ConvReluPools, CpuConvReluPools
from gpucnn.backends.ops.matrices import CpuMatrices, Matrices
from gpucnn.backends.ops.training.loss import Loss


class Inference(ConvReluPools, Matrices, Loss):
    """Definitions of the calls of a pass, see `Calls`."""

    binds_calls = False
    """Whether inference is faster as calls that are bound once, which need the host's arrays."""

    def bind_layout(self, x: Array, calls: Calls) -> Array:
        """`x`, real (n, ...) of any order in memory, in that of `batch_view`."""
        return x

    def bind_flattening(self, x: Array, calls: Calls) -> Array:
        """`x`, real (n, ...) of any order in memory, as (n, elements)."""
        return x.reshape(len(x), -1)

    def bind_dense(self, x: Array, kernel: Array, bias: Array, out: Array, calls: Calls) -> None:
        """Add the calls of `matmul` with a bias.

        Args:
            x: real (n, inputs).
            kernel: real (inputs, units).
            bias: real (units,).
            out: real (n, units).
            calls: of the pass.
        """
        calls.add(self.matmul, x, kernel, out, bias=bias)

    def bind_normalization(self, pixels: Array, calls: Calls) -> None:
        """Add the calls that make of numbers 0 to 255 what `gather_images` makes of bytes.

        Args:
            pixels: real (n, ...), updated.
            calls: of the pass.
        """
        calls.add(self.xp.divide, pixels, 255, out=pixels)
        calls.add(self.xp.subtract, pixels, 0.5, out=pixels)

    def bind_softmax(self, logits: Array, out: Array, calls: Calls) -> None:
        """Add the calls that compute the probabilities of classes, see `store_probabilities`.

        Args:
            logits: real (n, classes).
            out: likewise, written.
            calls: of the pass.
        """
        calls.add(self.store_probabilities, self.zeros((2,), np.int64), logits, out, len(logits))

    def bind_conv2d_relu_max_pool(
        self, fused: ConvReluPool, x: Array, kernel: Array, bias: Array, calls: Calls
    ) -> Array:
        """Add the calls of `conv2d_relu_max_pool`.

        Outputs that see a NaN are NaN. Those that see an infinity may be NaN, where one operation
        after the other gives an infinity or a number.

        Args:
            fused: the operation.
            x: real (n, h, w, c), of any order in memory.
            kernel: real (kh, kw, c, filters).
            bias: real (filters,).
            calls: of the pass.

        Returns:
            real (n, ph, pw, filters), which the calls write, of any order in memory.
        """
        buffers = self.conv_relu_pool_buffers(fused).items()
        arrays = {
            name: self.empty((len(x), *each.shape), each.dtype or fused.real)
            for name, each in buffers
        }
        plan = self.conv_relu_pool_plan(fused, arrays)
        out = self.empty((len(x), *fused.pool.output, fused.filters), fused.real)
        calls.add(self.conv2d_relu_max_pool, x, kernel, bias, plan, out, training=False)
        return out


class CpuInference(CpuConvReluPools, CpuMatrices, Inference):
    """The calls in NumPy, see `gpucnn/backends/cpu/inference`."""

    binds_calls = True

    def bind_layout(self, x: Array, calls: Calls) -> Array:
        return laid_out(self, x, calls)

    def bind_flattening(self, x: Array, calls: Calls) -> Array:
        return flattened(self, x, calls)

    def bind_dense(self, x: Array, kernel: Array, bias: Array, out: Array, calls: Calls) -> None:
        add_dense(x, kernel, bias, out, calls)

    def bind_normalization(self, pixels: Array, calls: Calls) -> None:
        add_normalizing(images_last(pixels), calls)

    def bind_softmax(self, logits: Array, out: Array, calls: Calls) -> None:
        add_softmax(logits, out, self.empty_local((len(logits), 1), logits.dtype), calls)

    def bind_conv2d_relu_max_pool(
        self, fused: ConvReluPool, x: Array, kernel: Array, bias: Array, calls: Calls
    ) -> Array:
        return add_pooled_convolution(self, fused, x, kernel, bias, calls)

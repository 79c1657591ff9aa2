"""Convolution, ReLU and max-pooling of one image in training, in as few calls as can be."""

import numpy as np

from gpucnn.backends.calls import Calls
from gpucnn.backends.cpu.core_cache import core_cache
from gpucnn.backends.cpu.fused.frame import Frame
from gpucnn.backends.cpu.fused.maxima import add_maxima, comparisons
from gpucnn.backends.cpu.fused.plan import CpuPlan
from gpucnn.backends.cpu.inference.patches import (
    copied_patches,
    kernels_in,
    placed_weights,
    sharing_patches,
)
from gpucnn.backends.cpu.inference.pooled import IMAGES_OUTERMOST, framed
from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.fused import ConvReluPool
from gpucnn.backends.memory import Array


def suits_one_image(fused: ConvReluPool) -> bool:
    """Whether patches, their gradients and the scores of an image stay in a core's cache."""
    patch = fused.window.elements * fused.channels
    outputs = fused.window.output[0] * fused.window.output[1]
    return outputs * (2 * patch + fused.filters) * fused.real.itemsize <= core_cache()


class OneImagePlan(CpuPlan):
    """The calls and memory for one image, of which the calls cost more than what they do.

    Forward is that of inference, see `add_patches`, which keeps where the maxima are besides. In
    memory an image is in row-major order, as are the patches and all that belongs to outputs. So
    the gradient of the weights is one product, or one for each column of the pooling; and the
    gradients of the patches are another, which are added to those of the pixels tap by tap: the
    same tap of all windows sees no pixel twice.

    Args:
        fused: the operation, which `suits_one_image`, without dilation.
        arrays: as for `CpuConvReluPoolPlan`, for one image.
        backend: allocates memory.
    """

    def __init__(self, fused: ConvReluPool, arrays: dict[str, Array], backend: CpuMemory) -> None:
        super().__init__(fused, arrays)
        self._backend, self._together = backend, sharing_patches(fused)
        self._frame = Frame(fused, arrays, backend.workspace)
        (rows, columns), (height, width) = fused.pool.size, fused.pool.output
        shape = columns, rows, height * width, fused.filters
        self._scores, self._found = np.empty(shape, fused.real), np.empty(shape, np.bool_)
        self._zeros = np.zeros(shape[2:], fused.real)

    def _add_forward(self, calls: Calls, x: Array, kernel: Array, bias: Array, out: Array) -> Array:
        fused, together = self.fused, self._together
        images = framed(self._backend, fused, x, IMAGES_OUTERMOST, calls)
        patches = copied_patches(self._backend, fused, images, together, calls)
        weights = placed_weights(fused, kernel, bias, together, calls)
        patches = patches.reshape(-1, patches.shape[-1])
        calls.add(np.matmul, patches, weights, self._sharing(self._scores))

        best, positive = self._scores[0, 0], self._found[0, 0]
        add_maxima(comparisons(self._scores, self._found), calls)
        calls.add(np.greater, best, self._zeros, positive)
        calls.add(np.maximum, best, self._zeros, out=out.reshape(best.shape))
        return patches

    def _add_gradients(
        self,
        patches: Array,
        calls: Calls,
        output_gradient: Array,
        kernel: Array,
        kernel_gradient: Array,
        bias_gradient: Array,
        input_gradient: Array | None,
    ) -> None:
        for best, other, greater in reversed(comparisons(self._found, self._found)):
            calls.add(np.logical_and, best, greater, other)  # what is the greatest of a window
            calls.add(np.greater, best, other, best)
        gradient = output_gradient.reshape(self._zeros.shape)
        calls.add(np.multiply, gradient, self._found, self._scores)
        self._add_weight_gradients(patches, kernel_gradient, bias_gradient, calls)
        pixels = self._frame.gradient(input_gradient)
        if pixels is not None:
            self._add_image_gradient(kernel, pixels[0], calls)
        self._frame.add_writing(pixels, input_gradient, calls)

    def _add_weight_gradients(
        self, patches: Array, kernel_gradient: Array, bias_gradient: Array, calls: Calls
    ) -> None:
        fused = self.fused
        shape = self._together, patches.shape[1], fused.filters
        gradients = np.empty(shape, fused.real)
        calls.add(np.matmul, patches.T, self._sharing(self._scores), gradients)
        calls.add(np.add.reduce, kernels_in(gradients, fused), 0, None, kernel_gradient)
        calls.add(np.add.reduce, gradients[:, -1], 0, None, bias_gradient)

    def _add_image_gradient(self, kernel: Array, pixels: Array, calls: Calls) -> None:
        fused, (kh, kw), channels = self.fused, self.fused.window.size, self.fused.channels
        scores = self._scores.reshape(-1, fused.filters)
        gradients = np.empty((len(scores), kh * kw * channels), fused.real)
        calls.add(scores.dot, kernel.reshape(-1, fused.filters).T, gradients)
        calls.add(pixels.fill, 0)
        (rows, columns), outputs = fused.pool.size, fused.pool.output
        by_tap = gradients.reshape(columns, rows, *outputs, kh, kw, channels)
        (down, right), (h, w, _) = fused.window.strides, pixels.strides
        strides = right * w, down * h, rows * down * h, columns * right * w, pixels.itemsize
        for row in range(kh):
            for column in range(kw):
                of_tap = by_tap[..., row, column, :]
                seen = np.lib.stride_tricks.as_strided(pixels[row:, column:], of_tap.shape, strides)
                calls.add(np.add, seen, of_tap, seen)

    def _sharing(self, scores: Array) -> Array:
        """Scores as one product for each of the outputs that share a patch computes them."""
        return scores.reshape(self._together, -1, self.fused.filters)

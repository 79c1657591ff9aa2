"""Max-pooling and average pooling, and their gradients."""

import numpy as np

from gpucnn.backends.cpu.layout import copy_runs, images_last
from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.cuda.kernel import IMAGES, OUTPUTS, windowed
from gpucnn.backends.cuda.memory import CudaMemory
from gpucnn.backends.memory import Array, Memory
from gpucnn.backends.ops.bounds import EXACT, bounded, sums, window_elements
from gpucnn.backends.window import Window


class Pooling(Memory):
    """Definitions of max-pooling and average pooling, and of their gradients."""

    @bounded(out=EXACT, argmax=EXACT)
    def max_pool(self, x: Array, window: Window, out: Array, argmax: Array) -> None:
        """Compute the maximum of each window and its index, the first among equal elements.

        Padding is never the maximum. A NaN makes the maximum NaN, so that pooling hides no failure.

        Args:
            x: real (n, h, w, c).
            window: the geometry.
            out: real (n, oh, ow, c).
            argmax: int32 (n, oh, ow, c), the index of the element within the window, row-major.
        """
        out.fill(-np.inf)
        argmax.fill(0)
        for tap in window.taps:
            values, best, best_index = x[tap.inputs], out[tap.outputs], argmax[tap.outputs]
            best_index[values > best] = tap.index
            self.xp.maximum(best, values, out=best)

    @bounded(input_gradient=sums(window_elements))
    def max_pool_gradient(
        self, output_gradient: Array, window: Window, argmax: Array, input_gradient: Array
    ) -> None:
        """Compute the gradient of the input of `max_pool`: an output's goes to its argmax pixel.

        Args:
            output_gradient: real (n, oh, ow, c).
            window: the geometry.
            argmax: as `max_pool` wrote it.
            input_gradient: real (n, h, w, c).
        """
        input_gradient.fill(0)
        for tap in window.taps:
            chosen = argmax[tap.outputs] == tap.index
            input_gradient[tap.inputs] += output_gradient[tap.outputs] * chosen

    @bounded(out=sums(window_elements))
    def average_pool(self, x: Array, window: Window, out: Array) -> None:
        """Compute the mean of the pixels that each window sees: padding does not count.

        Args:
            x: real (n, h, w, c).
            window: the geometry.
            out: real (n, oh, ow, c).
        """
        out.fill(0)
        for tap in window.taps:
            out[tap.outputs] += x[tap.inputs]
        out /= self.xp.asarray(window.counts)

    @bounded(input_gradient=sums(window_elements))
    def average_pool_gradient(
        self, output_gradient: Array, window: Window, input_gradient: Array
    ) -> None:
        """Compute the gradient of the input of `average_pool`: each pixel seen has an equal share.

        Args:
            output_gradient: real (n, oh, ow, c).
            window: the geometry.
            input_gradient: real (n, h, w, c).
        """
        share = output_gradient / self.xp.asarray(window.counts)
        input_gradient.fill(0)
        for tap in window.taps:
            input_gradient[tap.inputs] += share[tap.outputs]


class CpuPooling(CpuMemory, Pooling):
    """Pooling in NumPy: one pass per window element over all outputs, images innermost."""

    def max_pool(self, x: Array, window: Window, out: Array, argmax: Array) -> None:
        """Without masked writes, which NumPy does one element at a time.

        The indices of the taps ascend, so the last element that was greater has the largest index:
        the argmax is a maximum, like the value.
        """
        out.fill(-np.inf)
        argmax.fill(0)
        for tap in window.taps:
            best, best_index = out[tap.outputs], argmax[tap.outputs]
            values = self._scratch("values", best.shape, best.dtype)
            greater = self._scratch("greater", best.shape, np.bool_)
            index = self._scratch("index", best.shape, argmax.dtype)
            # One pass over the strided pixels instead of two.
            copy_runs(images_last(x[tap.inputs]), images_last(values))
            np.greater(values, best, out=greater)
            np.multiply(greater, tap.index, out=index)
            np.maximum(best_index, index, out=best_index)
            np.maximum(best, values, out=best)

    def max_pool_gradient(
        self, output_gradient: Array, window: Window, argmax: Array, input_gradient: Array
    ) -> None:
        input_gradient.fill(0)
        for tap in window.taps:
            gradient, pixels = output_gradient[tap.outputs], input_gradient[tap.inputs]
            chosen = self._scratch("chosen", gradient.shape, np.bool_)
            share = self._scratch("share", gradient.shape, gradient.dtype)
            np.equal(argmax[tap.outputs], tap.index, out=chosen)
            np.multiply(gradient, chosen, out=share)
            pixels += share

    def average_pool_gradient(
        self, output_gradient: Array, window: Window, input_gradient: Array
    ) -> None:
        share = self._scratch("share", output_gradient.shape, output_gradient.dtype)
        np.divide(output_gradient, window.counts, out=share)
        input_gradient.fill(0)
        for tap in window.taps:
            input_gradient[tap.inputs] += share[tap.outputs]


class CudaPooling(CudaMemory, Pooling):
    """Pooling in CUDA: a block computes one row of one image."""

    max_pool = windowed(
        "max_pool.cu",
        {"x": IMAGES, "out": OUTPUTS, "argmax": OUTPUTS},
        "rows",
        "columns*channels",
        "height*width",
    )
    max_pool_gradient = windowed(
        "max_pool_gradient.cu",
        {"output_gradient": OUTPUTS, "argmax": OUTPUTS, "input_gradient": IMAGES},
        "image_height",
        "height*width",
    )
    average_pool = windowed(
        "average_pool.cu", {"x": IMAGES, "out": OUTPUTS}, "rows", "columns*channels"
    )
    average_pool_gradient = windowed(
        "average_pool.cu", {"output_gradient": OUTPUTS, "input_gradient": IMAGES}, "image_height"
    )

"""Operations element by element."""

import numpy as np

from gpucnn.backends.cpu.layout import images_last
from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.cuda.kernel import elementwise
from gpucnn.backends.cuda.memory import CudaMemory
from gpucnn.backends.memory import Array, Memory
from gpucnn.backends.ops.bounds import EXACT, PRODUCT, Bound, always, bounded, sums


class Elementwise(Memory):
    """Definitions of the operations element by element."""

    @bounded(out=PRODUCT)
    def multiply(self, a: Array, b: Array, out: Array) -> None:
        """The product of `a` and `b` element by element; all real and of one shape."""
        self.xp.multiply(a, b, out=out)

    @bounded(total=sums(always(1)))
    def accumulate(self, a: Array, total: Array) -> None:
        """Add `a` to `total`, element by element; both real and of one shape."""
        total += a

    @bounded(out=EXACT)
    def relu(self, x: Array, out: Array) -> None:
        """The positive part, max(x, 0), NaN where x is NaN; both real and of one shape."""
        self.xp.maximum(x, 0, out=out)

    @bounded(input_gradient=EXACT)
    def relu_gradient(self, output_gradient: Array, out: Array, input_gradient: Array) -> None:
        """The gradient of the input of `relu`, 0 where the input was 0 or less.

        Args:
            output_gradient: real, of any shape.
            out: what `relu` wrote.
            input_gradient: real.
        """
        input_gradient[...] = output_gradient * (out > 0)

    @bounded(out=Bound(always(2), "result"))
    def leaky_relu(self, x: Array, negative_slope: float, out: Array) -> None:
        """The elements above 0 as they are, the others times `negative_slope`.

        Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models",
        ICML 2013.

        Args:
            x: real, of any shape.
            negative_slope: at least 0.
            out: real, of the shape of `x`.
        """
        out[...] = self.xp.where(x > 0, x, negative_slope * x)

    @bounded(input_gradient=Bound(always(2), "result"))
    def leaky_relu_gradient(
        self, output_gradient: Array, out: Array, negative_slope: float, input_gradient: Array
    ) -> None:
        """The gradient of the input of `leaky_relu`; at 0 it has the negative slope.

        Args:
            output_gradient: real, of any shape.
            out: what `leaky_relu` wrote.
            negative_slope: what `leaky_relu` was given.
            input_gradient: real.
        """
        input_gradient[...] = self.xp.where(
            out > 0, output_gradient, negative_slope * output_gradient
        )


class CpuElementwise(CpuMemory, Elementwise):
    """Elementwise operations in NumPy, without temporary arrays."""

    def relu(self, x: Array, out: Array) -> None:
        zeros = self._constant(0, x.size, x.dtype).reshape(*x.shape[1:], len(x))
        np.maximum(images_last(x), zeros, out=images_last(out))

    def relu_gradient(self, output_gradient: Array, out: Array, input_gradient: Array) -> None:
        positive = self._scratch("positive", out.shape, np.bool_)
        np.greater(out, 0, out=positive)
        np.multiply(output_gradient, positive, out=input_gradient)

    def leaky_relu(self, x: Array, negative_slope: float, out: Array) -> None:
        self._slope_where_not_positive(x, x, negative_slope, out)

    def leaky_relu_gradient(
        self, output_gradient: Array, out: Array, negative_slope: float, input_gradient: Array
    ) -> None:
        self._slope_where_not_positive(out, output_gradient, negative_slope, input_gradient)

    def _slope_where_not_positive(
        self, sign: Array, values: Array, slope: float, out: Array
    ) -> None:
        """Write `values` to `out`, times `slope` where `sign` is not above 0."""
        positive = self._scratch("positive", sign.shape, np.bool_)
        np.greater(sign, 0, out=positive)
        np.multiply(values, slope, out=out)
        np.copyto(out, values, where=positive)


class CudaElementwise(CudaMemory, Elementwise):
    """Elementwise operations in CUDA, whose blocks work on consecutive elements."""

    multiply = elementwise("multiply.cu", "a b out")
    relu = elementwise("relu.cu", "x out")
    relu_gradient = elementwise("relu.cu", "output_gradient out input_gradient")
    leaky_relu = elementwise("leaky_relu.cu", "x out")
    leaky_relu_gradient = elementwise("leaky_relu.cu", "output_gradient out input_gradient")

    def accumulate(self, a: Array, total: Array) -> None:
        """Without a kernel: on a GPU a batch is not split, so there is nothing to add up."""
        with self.runtime.active():
            super().accumulate(a, total)

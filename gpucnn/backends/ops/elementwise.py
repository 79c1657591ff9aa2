"""Operations element by element, and of each channel with a factor of its own."""

from math import erf, pi, sqrt

import numpy as np

from gpucnn.backends.calls import Calls, bindable
from gpucnn.backends.cpu import normal
from gpucnn.backends.cpu.layout import images_last
from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.cuda.kernel import ITEMS, elementwise, kernel, over_elements, over_parts
from gpucnn.backends.cuda.memory import CudaMemory
from gpucnn.backends.memory import Array, Memory
from gpucnn.backends.ops.bounds import (
    EXACT,
    FUNCTION,
    PRODUCT,
    Bound,
    always,
    bounded,
    elu_gradient_roundings,
    silu_roundings,
    sums,
)

INVERSE_SQRT_2PI = 1 / sqrt(2 * pi)


class Elementwise(Memory):
    """Definitions of the operations element by element."""

    @bounded(out=PRODUCT)
    def multiply(self, a: Array, b: Array, out: Array) -> None:
        """The product of `a` and `b` element by element; all real and of one shape."""
        self.xp.multiply(a, b, out=out)

    @bounded(out=sums(always(2)))
    def scale_shift(self, x: Array, scale: Array, offset: Array | None, out: Array) -> None:
        """Each channel times its scale, plus its offset.

        The gradient of the input is the output gradient times the scale.

        Args:
            x: real (n, ..., c).
            scale: real (c,).
            offset: real (c,), or None for none.
            out: real, of the shape of `x`.
        """
        self.xp.multiply(x, scale, out=out)
        if offset is not None:
            out += offset

    @bounded(out=PRODUCT)
    def scale_channels(self, x: Array, factors: Array, out: Array) -> None:
        """Each channel of each image times a factor of its own.

        Args:
            x: real (n, h, w, c).
            factors: real (n, c).
            out: real (n, h, w, c).
        """
        self.xp.multiply(x, factors[:, None, None], out=out)

    @bounded(out=sums(always(1)))
    def add(self, a: Array, b: Array, out: Array) -> None:
        """The sum of `a` and `b` element by element; all real and of one shape."""
        self.xp.add(a, b, out=out)

    @bounded(total=sums(always(1)))
    def accumulate(self, a: Array, total: Array) -> None:
        """Add `a` to `total`, element by element; both real and of one shape."""
        total += a

    @bounded(y=sums(always(3)))
    def axpby(self, x: Array, y: Array, *, alpha: float, beta: float) -> None:
        """Replace `y` by alpha x + beta y, element by element; both real and of one shape.

        The name is that of BLAS.
        """
        y[...] = alpha * x + beta * y

    @bounded(values=EXACT)
    def clip(self, values: Array, *, limit: float) -> None:
        """Replace what is above `limit` by it, and what is below -`limit` by that; NaN stays.

        Args:
            values: real, of any shape, updated.
            limit: above 0.
        """
        self.xp.clip(values, -limit, limit, out=values)

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

    @bounded(out=Bound(always(1), "result"))
    def clipped_relu(self, x: Array, max_value: float, out: Array) -> None:
        """The positive part up to `max_value`, min(max(x, 0), max_value), NaN where x is NaN.

        Args:
            x: real, of any shape.
            max_value: above 0.
            out: real, of the shape of `x`.
        """
        self.xp.clip(x, 0, max_value, out=out)

    @bounded(input_gradient=EXACT)
    def clipped_relu_gradient(
        self, output_gradient: Array, x: Array, max_value: float, input_gradient: Array
    ) -> None:
        """The gradient of the input of `clipped_relu`, 0 where that is not within 0 and the most.

        It takes the input: the output there is `max_value` as it was rounded.

        Args:
            output_gradient: real, of any shape.
            x: what `clipped_relu` was given.
            max_value: likewise.
            input_gradient: real.
        """
        input_gradient[...] = output_gradient * ((x > 0) & (x < max_value))

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

    @bounded(out=Bound(always(2 * (FUNCTION + 2)), "result"))
    def elu(self, x: Array, alpha: float, out: Array) -> None:
        """The elements above 0 as they are, of the others alpha * (exp(x) - 1).

        Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by
        exponential linear units (ELUs)", ICLR 2016.

        Args:
            x: real, of any shape.
            alpha: at least 0; what `out` comes down to, negated.
            out: real, of the shape of `x`.
        """
        out[...] = self.xp.where(x > 0, x, alpha * self.xp.expm1(self.xp.minimum(x, 0)))

    @bounded(input_gradient=Bound(elu_gradient_roundings, "result"))
    def elu_gradient(
        self, output_gradient: Array, x: Array, alpha: float, input_gradient: Array
    ) -> None:
        """The gradient of the input of `elu`; at 0 it has the factor alpha.

        It takes the input, since alpha * exp(x) cancels when it is computed as alpha + out.

        Args:
            output_gradient: real, of any shape.
            x: what `elu` was given.
            alpha: what `elu` was given.
            input_gradient: real.
        """
        factor = self.xp.where(x > 0, 1, alpha * self.xp.exp(self.xp.minimum(x, 0)))
        input_gradient[...] = output_gradient * factor

    @bounded(out=sums(always(2 * (FUNCTION + 3))))
    def gelu(self, x: Array, out: Array) -> None:
        """Each element times the normal distribution there, x F(x).

        Hendrycks and Gimpel, "Gaussian error linear units (GELUs)", 2016; exact, not approximated
        by a hyperbolic tangent. F(x) is (1 + erf(x / sqrt(2))) / 2.

        Args:
            x: real, of any shape.
            out: real, of the shape of `x`.
        """
        out[...] = x * self._normal_distribution(x)

    @bounded(input_gradient=sums(always(2 * (FUNCTION + 8))))
    def gelu_gradient(self, output_gradient: Array, x: Array, input_gradient: Array) -> None:
        """The gradient of the input of `gelu`, whose derivative is F(x) + x F'(x).

        It takes the input, since not every output is that of one input alone.

        Args:
            output_gradient: real, of any shape.
            x: what `gelu` was given.
            input_gradient: real.
        """
        near = self.xp.clip(x, -40, 40)  # beyond, exp(-x^2 / 2) is 0
        density = INVERSE_SQRT_2PI * self.xp.exp(-(near**2) / 2)
        input_gradient[...] = output_gradient * (self._normal_distribution(x) + x * density)

    def _normal_distribution(self, x: Array) -> Array:
        return (1 + np.vectorize(erf, otypes=[float])(x / sqrt(2))) / 2  # type: ignore[no-any-return]

    @bounded(out=Bound(silu_roundings, "result"))
    def silu(self, x: Array, out: Array) -> None:
        """Each element times its sigmoid.

        Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units for neural network function
        approximation in reinforcement learning", Neural Networks 107, 2018.

        Args:
            x: real, of any shape.
            out: real, of the shape of `x`.
        """
        out[...] = x * self._sigmoid(x)

    @bounded(input_gradient=sums(always(2 * (FUNCTION + 11))))
    def silu_gradient(self, output_gradient: Array, x: Array, input_gradient: Array) -> None:
        """The gradient of the input of `silu`, whose derivative is s(x) + x s(x) s(-x).

        It takes the input, since not every output is that of one input alone.

        Args:
            output_gradient: real, of any shape.
            x: what `silu` was given.
            input_gradient: real.
        """
        sigmoid, rest = self._sigmoid(x), self._sigmoid(-x)
        input_gradient[...] = output_gradient * (sigmoid + x * (sigmoid * rest))

    @bounded(out=Bound(always(2 * FUNCTION), "result"))
    def tanh(self, x: Array, out: Array) -> None:
        """The hyperbolic tangent of each element; both real and of one shape."""
        self.xp.tanh(x, out=out)

    @bounded(input_gradient=Bound(always(4), "result"))
    def tanh_gradient(self, output_gradient: Array, out: Array, input_gradient: Array) -> None:
        """The gradient of the input of `tanh`, whose derivative is (1 - out) (1 + out).

        It takes the output, which needs no function; of squares it would be a difference that
        cancels.

        Args:
            output_gradient: real, of any shape.
            out: what `tanh` wrote.
            input_gradient: real.
        """
        input_gradient[...] = output_gradient * ((1 - out) * (1 + out))

    @bounded(out=Bound(always(2 * (FUNCTION + 2)), "result"))
    def sigmoid(self, x: Array, out: Array) -> None:
        """The sigmoid of each element, 1 / (1 + exp(-x)); both real and of one shape."""
        out[...] = self._sigmoid(x)

    @bounded(input_gradient=Bound(always(3), "result"))
    def sigmoid_gradient(self, output_gradient: Array, out: Array, input_gradient: Array) -> None:
        """The gradient of the input of `sigmoid`, whose derivative is out (1 - out).

        It takes the output, which needs no function.

        Args:
            output_gradient: real, of any shape.
            out: what `sigmoid` wrote.
            input_gradient: real.
        """
        input_gradient[...] = output_gradient * out * (1 - out)

    def _sigmoid(self, x: Array) -> Array:
        """Of exp(-|x|), which does not overflow."""
        exponential = self.xp.exp(-abs(x))
        return self.xp.where(x < 0, exponential, 1) / (1 + exponential)  # type: ignore[no-any-return]


class CpuElementwise(CpuMemory, Elementwise):
    """Elementwise operations in NumPy, without temporary arrays."""

    def axpby(self, x: Array, y: Array, *, alpha: float, beta: float) -> None:
        scaled = self.workspace("scaled", x.shape, x.dtype)
        np.multiply(x, alpha, out=scaled)
        y *= beta
        y += scaled

    @bindable
    def relu(self, calls: Calls, x: Array, out: Array) -> None:
        calls.add(np.maximum, images_last(x), self._zeros(x), out=images_last(out))

    @bindable
    def relu_gradient(
        self, calls: Calls, output_gradient: Array, out: Array, input_gradient: Array
    ) -> None:
        positive = self._scratch("positive", out.shape, np.bool_)
        calls.add(np.greater, out, 0, positive)
        calls.add(np.multiply, output_gradient, positive, input_gradient)

    def clipped_relu_gradient(
        self, output_gradient: Array, x: Array, max_value: float, input_gradient: Array
    ) -> None:
        passes = self._positive(x)
        np.multiply(output_gradient, passes, out=input_gradient)
        np.less(x, max_value, out=passes)
        np.multiply(input_gradient, passes, out=input_gradient)

    def leaky_relu(self, x: Array, negative_slope: float, out: Array) -> None:
        self._slope_where_not_positive(x, x, negative_slope, out)

    def leaky_relu_gradient(
        self, output_gradient: Array, out: Array, negative_slope: float, input_gradient: Array
    ) -> None:
        self._slope_where_not_positive(out, output_gradient, negative_slope, input_gradient)

    def elu(self, x: Array, alpha: float, out: Array) -> None:
        below = self._scratch("factor", x.shape, x.dtype)
        self._up_to_zero(x, below)
        np.expm1(below, out=below)
        np.multiply(below, alpha, out=below)
        np.maximum(images_last(x), self._zeros(x), out=images_last(out))
        np.add(out, below, out=out)  # of which one is 0

    def elu_gradient(
        self, output_gradient: Array, x: Array, alpha: float, input_gradient: Array
    ) -> None:
        factor = self._scratch("factor", x.shape, x.dtype)
        self._up_to_zero(x, factor)
        np.exp(factor, out=factor)
        if alpha != 1:  # else it is 1 above 0 as it should be
            positive = self._positive(x)
            np.multiply(factor, alpha, out=factor)
            np.multiply(factor, np.logical_not(positive, out=positive), out=factor)
            np.add(factor, np.logical_not(positive, out=positive), out=factor)
        np.multiply(output_gradient, factor, out=input_gradient)

    def gelu(self, x: Array, out: Array) -> None:
        self._write_normal_distribution(x, out)
        np.multiply(out, x, out=out)

    def gelu_gradient(self, output_gradient: Array, x: Array, input_gradient: Array) -> None:
        bell = self._write_normal_distribution(x, input_gradient)
        np.multiply(bell, INVERSE_SQRT_2PI, out=bell)
        np.multiply(bell, x, out=bell)
        np.add(input_gradient, bell, out=input_gradient)
        np.multiply(input_gradient, output_gradient, out=input_gradient)

    def _write_normal_distribution(self, x: Array, out: Array) -> Array:
        """Write F(x) to `out`; returns exp(-x^2 / 2), in a workspace."""
        t, bell = (self._scratch(name, x.shape, x.dtype) for name in ("factor", "exponential"))
        positive = self._scratch("positive", x.shape, np.bool_)
        normal.distribution(x, t, bell, positive, out)
        return bell

    def silu(self, x: Array, out: Array) -> None:
        self._write_sigmoid(x, out)
        np.multiply(out, x, out=out)

    def silu_gradient(self, output_gradient: Array, x: Array, input_gradient: Array) -> None:
        larger, smaller = self._write_sigmoid(x, input_gradient)
        np.multiply(larger, smaller, out=larger)
        np.multiply(larger, x, out=larger)
        np.add(input_gradient, larger, out=input_gradient)
        np.multiply(input_gradient, output_gradient, out=input_gradient)

    def tanh_gradient(self, output_gradient: Array, out: Array, input_gradient: Array) -> None:
        factor = self._scratch("factor", out.shape, out.dtype)
        np.subtract(1, out, out=factor)
        np.add(out, 1, out=input_gradient)
        np.multiply(input_gradient, factor, out=input_gradient)
        np.multiply(input_gradient, output_gradient, out=input_gradient)

    def sigmoid(self, x: Array, out: Array) -> None:
        self._write_sigmoid(x, out)

    def sigmoid_gradient(self, output_gradient: Array, out: Array, input_gradient: Array) -> None:
        factor = self._scratch("factor", out.shape, out.dtype)
        np.subtract(1, out, out=factor)
        np.multiply(output_gradient, out, out=input_gradient)
        np.multiply(input_gradient, factor, out=input_gradient)

    def _write_sigmoid(self, x: Array, out: Array) -> tuple[Array, Array]:
        """Write the sigmoid to `out`; returns those of |x| and -|x|, in workspaces."""
        larger, smaller = (
            self._scratch(name, x.shape, x.dtype) for name in ("factor", "exponential")
        )
        np.absolute(x, out=smaller)
        np.negative(smaller, out=smaller)
        np.exp(smaller, out=smaller)
        np.add(smaller, 1, out=larger)
        np.divide(1, larger, out=larger)
        np.multiply(smaller, larger, out=smaller)
        self._up_to_zero(x, out)
        np.exp(out, out=out)  # 1, or what `smaller` began as; to choose it would take longer
        np.multiply(out, larger, out=out)
        return larger, smaller

    def _up_to_zero(self, x: Array, out: Array) -> None:
        """Write min(x, 0) to `out`."""
        np.minimum(images_last(x), self._zeros(x), out=images_last(out))

    def _zeros(self, x: Array) -> Array:
        """As many as `x` has elements, as `images_last`."""
        return self._constant(0, x.size, x.dtype).reshape(*x.shape[1:], len(x))

    def _positive(self, x: Array) -> Array:
        """Where `x` is above 0, in a workspace."""
        positive = self._scratch("positive", x.shape, np.bool_)
        np.greater(x, 0, out=positive)
        return positive

    def _slope_where_not_positive(
        self, sign: Array, values: Array, slope: float, out: Array
    ) -> None:
        """Write `values` to `out`, times `slope` where `sign` is not above 0."""
        np.multiply(values, slope, out=out)
        np.copyto(out, values, where=self._positive(sign))


class CudaElementwise(CudaMemory, Elementwise):
    """Elementwise operations in CUDA, whose blocks work on consecutive elements."""

    multiply = elementwise("multiply.cu", "a b out")
    add = elementwise("add.cu", "a b out")
    accumulate = elementwise("add.cu", "a total")
    scale_shift = kernel(
        "scale_shift.cu",
        {"x": "*size", "scale": "channels", "offset": "channels", "out": "*size"},
        over_elements,
        macros=ITEMS,
    )
    scale_channels = kernel(
        "scale_shift.cu",
        {"x": "images *pixels", "factors": "images channels", "out": "images *pixels"},
        over_parts,
        macros=ITEMS,
    )
    axpby = elementwise("axpby.cu", "x y")
    clip = elementwise("clip.cu", "values")
    relu = elementwise("relu.cu", "x out")
    relu_gradient = elementwise("relu.cu", "output_gradient out input_gradient")
    clipped_relu = elementwise("relu.cu", "x out")
    clipped_relu_gradient = elementwise("relu.cu", "output_gradient x input_gradient")
    leaky_relu = elementwise("leaky_relu.cu", "x out")
    leaky_relu_gradient = elementwise("leaky_relu.cu", "output_gradient out input_gradient")
    elu = elementwise("activations.cu", "x out")
    elu_gradient = elementwise("activations.cu", "output_gradient x input_gradient")
    gelu = elementwise("activations.cu", "x out")
    gelu_gradient = elementwise("activations.cu", "output_gradient x input_gradient")
    silu = elementwise("activations.cu", "x out")
    silu_gradient = elementwise("activations.cu", "output_gradient x input_gradient")
    tanh = elementwise("activations.cu", "x out", "tanh_of")  # CUDA has a tanh
    tanh_gradient = elementwise("activations.cu", "output_gradient out input_gradient")
    sigmoid = elementwise("activations.cu", "x out")
    sigmoid_gradient = elementwise("activations.cu", "output_gradient out input_gradient")

"""Error bounds of results, derived from the arithmetic of each operation.

Below, eps is the spacing of the floating-point numbers at 1. A rounding has a relative error of at
most u = eps / 2.

Moves and comparisons do not round, and a result of one rounding is the same on every device that
follows IEEE 754: `EXACT`. So is a product, down to the smallest normal number: `PRODUCT`.

A sum of n products in any order, with or without fused multiply-adds, is off by at most
n u / (1 - n u) times the sum of the absolute products (Higham, "Accuracy and stability of numerical
algorithms", section 3.1). The right value is computed in float64, so for a float64 result it is off
by as much itself; n eps covers both errors to first order, and one more eps covers the rest:
(n + 1) eps times the sum of the absolute products. That sum is the result of the operation for the
absolute values of its arguments: `Expected.absolute`.

The same holds for any formula of sums and products, n being the most roundings that a term goes
through, and for the optimizers, whose terms all add up if the learning rate is negative: a
quotient or a root of a positive number rounds once, and a root halves the errors before it.

For a row of logits z, shifted so that the greatest is 0, let s = sum_j exp(z_j). Rounding z is an
error of |z| u in the exponent, thus of |z| u relative to exp(z), to which exp itself may add 2 eps
(CUDA's guarantee; NumPy's is better). In s that makes 2 eps, plus (classes / e) u since
|z| exp(z) <= 1 / e and s >= 1, plus (classes - 1) u for adding: below (2 + classes) eps. The
quotient exp(z) / s has the errors of both and one rounding: below (5 + classes + |z|) eps. The loss
log(s) - z has the relative error of s as an absolute one, 1 eps of log(s) < classes for the
logarithm, and two roundings of at most |z| and |z| + classes: below (2 + 3 classes + 2 |z|) eps.
The right value may be off by as much, as above: twice that.

With targets t of all classes, of sum T >= 0, the loss is the sum of t_j (log(s) - z_j). To the
errors of these differences, T times as much, come one rounding of a product and classes - 1 of
adding, of T (log(classes) + |z|) at most: classes u of it. The gradient takes T times the quotient
less t_j: to the quotient's error, T times as much, come classes - 1 roundings of T, and three of at
most 2 T. Both are below T (7 + 3 classes + 2 |z| + classes (log(classes) + |z|) / 2) eps.

Other elementary functions (tanh, expm1, log1p, erf, and exp beyond softmax) are each taken to be
off by `FUNCTION` = 4 eps of their value, an ulp being at most eps of it. CUDA's are off by at most
2 ulp in either dtype (CUDA Programming Guide, tables of the mathematical functions), the C
library's by about as much (The GNU C Library, "Known Maximum Errors in Math Functions"), NumPy's
vectorised ones by 4 ulp (numpy/numpy#19478). The right value is computed by such functions too, and
may be off by as much as the result: the bounds are twice what follows.

The sigmoid is s(x) = n / (1 + exp(-|x|)), n being 1 or exp(-|x|): the relative error of the
exponential passes on at most once, and there are three roundings: below 6 eps. x s(x) rounds once
more: below 7 eps. The derivative s(x) + x s(x) s(-x) has the error of s in one term, twice that in
the other, and three roundings: below 15 eps. elu and its gradient have a function, and at most
three roundings, of alpha and two products: below 6 eps.

The cross-entropy of k sigmoids is the mean of max(z, 0) - z t + log1p(exp(-|z|)). The relative
error of the exponential passes on to log1p at most once, which adds its own: 8 eps, thus 16 u. Of
the three terms the product goes through k + 3 roundings: its own, two of their sum, k - 1 of adding
up the k, and that of the quotient; log1p's through 16 and k + 1. So it is below (k + 17) u of the
mean of the absolute terms. The gradient (s(z) - t) / (k images) has the 6 eps of s, and roundings
of the difference, of k images, of its inverse and of their product, each of at most 1 + |t|: below
(8 + 2 |t|) eps / (k images).

A mean of squared differences adds up positive numbers: two roundings of a difference, since it is
squared, one of the square, k - 1 of adding and that of the quotient: k + 3. Its gradient is a
product of a difference, rounded once, with 2 / (k images), rounded twice.

The normal distribution F(x) = (1 + erf(x / sqrt 2)) / 2 is at least 1/2 for the absolute value of
x, to which its errors are relative. The rounded argument moves it by at most 1/2 eps, erf adds 4
eps (the CPU has an erfc of its own, off by 4 eps of 1, see `gpucnn.backends.cpu.normal`), and in x
F(x) there are three roundings: below 7 eps. The derivative F(x) + x f(x) has an exponential of x^2
/ 2: its argument's roundings are at most 2 x^2 eps of |x| f(x), thus 1 eps of F, and those of exp 4
eps of |x| f(x) < 1/4, thus 2 eps of F. With those of the sum and the products: below 12 eps.

In batch normalisation sigma, the root of a sum, is off by at most 3/2 u, an element divided by it
and multiplied by gamma by 5 u: below 6 u of |x - mean| |gamma| / sigma, and u of the sum with beta.
A product of the output's gradient with a normalised element goes through 5 roundings before it is
added to the others, and the last term of the input's gradient through 11, two of them of the
differences that it is subtracted in. The right value is off by as much as the result, in float64:
twice these. Each bound is that of the channel, or the element, whose terms are the greatest.

An exponential below the smallest normal number may be flushed to zero before it is multiplied by a
factor above 1, so that what is lost may be a normal number: `flushed` says how much.

Results below the smallest normal number may be zero, since CUDA flushes them, and so may the terms
of a sum: each rounding may add an error of the smallest normal number. Moves copy such subnormal
numbers bit for bit. The bounds do not cover subnormal arguments of comparisons, nor of products
with factors above 1: on a device that takes them for zeros, another element may be the maximum, the
gradient may vanish at an output that is barely above zero, and the product with a large factor may
be missing.

The right value is rounded to the dtype of the result, where it may overflow. A result must be
infinite or NaN exactly where the right value is, and equal to it (NaN being equal to NaN);
otherwise it is infinitely far off. The exception: where the absolute terms add up to more than the
greatest finite number, any result is allowed, since a sum may overflow in one order and not in
another. The bounds do not cover an overflow before the terms, such as of a gradient's square.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log, prod
from typing import Any, Literal, TypeVar

import numpy as np

from gpucnn.backends.memory import Array

Arguments = Mapping[str, Any]
"""The arguments of a call of an operation, by name."""

Count = Callable[[Arguments], float]
"""The number of roundings of a call: the most that any term of a result goes through."""

Operation = TypeVar("Operation", bound=Callable[..., None])


@dataclass(frozen=True)
class Bound:
    """How far a result may be off: (roundings + 1) eps, relative to the scale of the result.

    Args:
        roundings: the number of roundings of a call; 0 for a result that must be exact.
        relative_to: the scale: "terms", the sum of the absolute terms of the result; "result", the
            result itself, for a product or a sum in which no terms cancel; "one", 1; "mean",
            1 / (images of the batch); or "choices", for a result that depends on which of some
            rounded numbers is the greatest, or on the sign of one, whose bound
            `gpucnn.verification.choices` derives.
        flushes: whether an exact result may be zero below the smallest normal number.
    """

    roundings: Count
    relative_to: Literal["terms", "result", "one", "mean", "choices"]
    flushes: bool = False


def bounded(**bounds: Bound) -> Callable[[Operation], Operation]:
    """Attach to the definition of an operation a bound for each argument that it writes."""

    def give(operation: Operation) -> Operation:
        operation.bounds = bounds  # type: ignore[attr-defined]
        return operation

    return give


def sums(roundings: Count) -> Bound:
    """The bound of a sum whose terms go through at most `roundings` roundings."""
    return Bound(roundings, "terms")


# Numbers of roundings

FUNCTION = 4
"""Those that an elementary function stands for."""


def always(count: int) -> Count:
    """`count` roundings in every call."""
    return lambda arguments: count


def centred(count: int) -> Count:
    """`count` roundings, and those of a variance where the quotient's root is of one.

    The variance s - m^2 + epsilon, of a mean square s and a mean m, is off by as much as its terms
    are, which are greater than it. Let a be the sum of the absolute terms of m. Four roundings of s
    and of m, one of m^2 and two of the sum make an error below 11 u (s + a^2 + epsilon); the root
    halves it relative to itself, to first order.
    """

    def roundings(arguments: Arguments) -> float:
        if arguments["mean"] is None:
            return float(count)
        gradients, square, mean = (
            arguments[name].astype(np.float64) for name in ("gradients", "square", "mean")
        )
        rho, epsilon = arguments["rho"], arguments["epsilon"]
        new_square = rho * square + (1 - rho) * gradients**2
        new_mean = rho * mean + (1 - rho) * gradients
        terms = new_square + (rho * abs(mean) + (1 - rho) * abs(gradients)) ** 2 + epsilon
        ratio = terms / (np.maximum(new_square - new_mean**2, 0) + epsilon)
        return count + 6 * float(ratio[np.isfinite(ratio)].max(initial=0))

    return roundings


def inner(arguments: Arguments) -> float:
    """The roundings of a product of matrices plus a bias."""
    a = arguments["a"]
    return float(a.shape[0 if arguments["transpose_a"] else 1] + 1)


def dense(arguments: Arguments) -> float:
    """The roundings of a dense layer, and of two for dropout."""
    return float(len(arguments["kernel"]) + 3)


def rows(arguments: Arguments) -> float:
    """The roundings of a sum over the rows of a matrix."""
    return float(len(arguments["a"]))


def norm(arguments: Arguments) -> float:
    """The roundings of an element times a quotient by the norm of its array, or divided by it.

    Those of a sum of squares are as many as its terms; the root halves them, and rounds, as do the
    quotient, the product, and the number that the norm is compared with or added to.
    """
    largest = max(arguments["sizes"]) if "sizes" in arguments else arguments["values"].size
    return float(largest / 2 + 4)


def patch(arguments: Arguments) -> float:
    """The roundings of a convolution plus a bias."""
    return float(arguments["patches"].shape[-1] + 1)


def positions(arguments: Arguments) -> float:
    """The roundings of a sum over all positions of all images."""
    return float(prod(arguments["output_gradient"].shape[:-1]))


def positions_of_x(arguments: Arguments) -> float:
    """The roundings of a mean over all positions of all images."""
    return float(prod(arguments["x"].shape[:-1]) + 1)


def deviations(arguments: Arguments) -> float:
    """The roundings of a mean of squared deviations from a number, all of which are positive."""
    return positions_of_x(arguments) + 4


def normalized(arguments: Arguments) -> float:
    """The roundings of a normalised element, relative to 1, see the module's docstring."""
    scaled = _normal(arguments) * arguments["gamma"].astype(np.float64)
    beta = arguments["beta"].astype(np.float64)
    return _greatest(6 * np.abs(scaled) + np.abs(beta))


def normalized_products(arguments: Arguments) -> float:
    """The roundings of sums of products with normalised elements, relative to 1, likewise."""
    products = arguments["output_gradient"].astype(np.float64) * _normal(arguments)
    terms = np.abs(products).reshape(-1, products.shape[-1]).sum(axis=0)
    return (positions(arguments) + 5) * _greatest(terms)


def normalized_gradient(arguments: Arguments) -> float:
    """The roundings of the gradient of a normalised element, relative to 1, likewise."""
    gamma_sum, beta_sum, gamma = (
        np.abs(arguments[name].astype(np.float64)) for name in ("gamma_sum", "beta_sum", "gamma")
    )
    shares = (beta_sum + np.abs(_normal(arguments)) * gamma_sum) / arguments["count"]
    terms = np.abs(arguments["output_gradient"].astype(np.float64)) + shares
    return 12 * _greatest(gamma / _sigma(arguments) * terms)


def _normal(arguments: Arguments) -> Array:
    x, means = (arguments[name].astype(np.float64) for name in ("x", "means"))
    normal: Array = (x - means) / _sigma(arguments)
    return normal


def _sigma(arguments: Arguments) -> Array:
    sigma: Array = np.sqrt(arguments["variances"].astype(np.float64) + arguments["epsilon"])
    return sigma


def _greatest(terms: Array) -> float:
    """The greatest of the finite terms."""
    return float(terms[np.isfinite(terms)].max(initial=0))


def brightened(arguments: Arguments) -> float:
    """The roundings of a pixel and what is added to it, relative to 1: four of what is added."""
    return 4 * (_greatest(np.abs(arguments["x"].astype(np.float64))) + _range(arguments))


def contrasted(arguments: Arguments) -> float:
    """The roundings of a pixel moved from a mean of its image, relative to 1.

    The mean is off by a rounding for each pixel and one for the quotient, of the greatest; it takes
    part once, and once multiplied by the factor, in a difference, a product and a sum.
    """
    x, factors = arguments["x"], np.abs(arguments["drawn"][:, 0].astype(np.float64)) / 2**16
    pixels = float(x.shape[1] * x.shape[2])
    greatest = _greatest(np.abs(x.astype(np.float64)))
    return (pixels + 1 + 3) * (1 + 2 * _greatest(factors)) * greatest


def _range(arguments: Arguments) -> float:
    """The greatest share of the range of pixels that is added to an image."""
    shares = np.abs(arguments["drawn"][:, 0].astype(np.float64)) / 2**16
    return _greatest(shares) * float(abs(arguments["low"]) + abs(arguments["high"]))


def elements_of_parameters(arguments: Arguments) -> float:
    """The roundings of a sum over all parameters of products of three numbers."""
    return float(arguments["parameters"].size + 2)


def filters(arguments: Arguments) -> float:
    """The roundings of a sum over the filters."""
    return float(arguments["output_gradient"].shape[-1])


def window_elements(arguments: Arguments) -> float:
    """The roundings of a sum over the windows that cover a pixel: at most `Window.elements`."""
    return float(arguments["window"].elements)


def filters_and_window(arguments: Arguments) -> float:
    """The roundings of sums over the filters that `col2im` adds up."""
    return filters(arguments) + window_elements(arguments)


def group_filters_and_window(arguments: Arguments) -> float:
    """The roundings of a sum over the filters that see a channel, and the windows that cover it."""
    kernel, channels = arguments["kernel"], arguments["input_gradient"].shape[-1]
    group_filters = kernel.shape[-1] * kernel.shape[-2] // channels
    return float(group_filters * window_elements(arguments))


def normalization(arguments: Arguments) -> float:
    """The roundings of pixel / 255 - 0.5 of bytes, if so: two, of values of at most 1."""
    is_kept = arguments["images"].dtype != np.uint8 or not arguments.get("normalizes", True)
    return 0.0 if is_kept else 2.0


def softmax_roundings(arguments: Arguments) -> float:
    """The roundings of a row of logits, see the module's docstring."""
    logits = arguments["logits"]
    return 2 * (5 + 3 * int(logits.shape[1]) + 2 * _spread(logits)) - 1


def soft_roundings(arguments: Arguments) -> float:
    """The roundings of a row of logits with targets of all classes, likewise."""
    logits, targets = arguments["logits"], np.abs(arguments["targets"].astype(np.float64))
    classes, spread = int(logits.shape[1]), _spread(logits)
    most: float = 2 * (7 + 3 * classes + 2 * spread) + classes * (log(classes) + spread)
    return _greatest(targets.sum(axis=1)) * most


def sigmoid_losses(arguments: Arguments) -> float:
    """The roundings of a mean of cross-entropies of sigmoids, relative to 1, likewise."""
    z, t = (arguments[name].astype(np.float64) for name in ("logits", "targets"))
    terms = np.maximum(z, 0) + np.abs(z * t) + np.log1p(np.exp(-np.abs(z)))
    return (int(z.shape[1]) + 1 + 4 * FUNCTION) * _greatest(terms.mean(axis=1))


def sigmoid_gradients(arguments: Arguments) -> float:
    """The roundings of its gradient, relative to 1 / (images of the batch), likewise."""
    targets = np.abs(arguments["targets"].astype(np.float64))
    return 2 * (8 + 2 * _greatest(targets)) / int(targets.shape[1])


def squares(arguments: Arguments) -> float:
    """The roundings of a mean of squared differences, likewise."""
    return float(arguments["outputs"].shape[1] + 3)


def _spread(logits: Array) -> float:
    """The largest difference of finite logits."""
    finite = logits[np.isfinite(logits)].astype(np.float64)
    return float(np.ptp(finite)) if finite.size else 0.0


def head_logits(arguments: Arguments) -> float:
    """The roundings of the loss of a dense layer's outputs, relative to 1.

    A logit is a sum of inputs + 1 products, which is off by as many roundings of its absolute terms
    and one more; it moves the loss by at most twice as much, and a probability by less.
    """
    x, kernel, bias = (arguments[name].astype(np.float64) for name in ("x", "kernel", "bias"))
    terms = np.abs(x) @ np.abs(kernel) + np.abs(bias)
    off = 2 * (len(kernel) + 2) * float(terms.max(initial=0))
    return off + softmax_roundings({"logits": x @ kernel + bias})


def head_inputs(arguments: Arguments) -> float:
    """The roundings of the gradient of these inputs: sums of products with weights.

    To the errors of the gradients of the logits, each at most 1 / images, are added the roundings
    of the sum, and those of the scale that dropout puts on it.
    """
    kernel, rate = arguments["kernel"].astype(np.float64), arguments["rate"] or 0
    weights = float(np.abs(kernel).sum(axis=1).max(initial=0)) / (1 - rate)
    return float(weights * (head_logits(arguments) + 1 + kernel.shape[1] + 3))


def real_dtype(arguments: Arguments) -> "np.dtype[np.floating]":
    """The floating-point dtype of a call; float64 if no argument is a floating-point array."""
    dtypes = (value.dtype for value in arguments.values() if isinstance(value, np.ndarray))
    return next((dtype for dtype in dtypes if dtype.kind == "f"), np.dtype(np.float64))


def flushed(exponents: Array, factors: Array | float, real: "np.dtype[np.floating]") -> float:
    """The most that `factors` make of what exp(-|exponents|) loses where it is flushed to zero.

    Returns:
        a multiple of the smallest normal number of `real`.
    """
    tiny = np.finfo(real).tiny
    exponentials = np.exp(-np.abs(exponents.astype(np.float64)))
    with np.errstate(invalid="ignore"):  # none of an infinite factor
        lost = np.where(exponentials < tiny, exponentials * np.abs(factors), 0.0)
    return float(np.fmax.reduce(lost, axis=None, initial=0.0) / tiny)


def silu_roundings(arguments: Arguments) -> float:
    """The roundings of an element times its sigmoid, see the module's docstring."""
    x = arguments["x"]
    return 2 * (FUNCTION + 3) + flushed(x, x, real_dtype(arguments))


def elu_gradient_roundings(arguments: Arguments) -> float:
    """The roundings of an exponential times two factors."""
    x, factors = arguments["x"], arguments["output_gradient"] * arguments["alpha"]
    return 2 * (FUNCTION + 2) + flushed(np.minimum(x, 0), factors, real_dtype(arguments))


def weights_of_filter(arguments: Arguments) -> float:
    """The roundings of a convolution plus a bias; a maximum and ReLU of them make no more."""
    return float(prod(arguments["kernel"].shape[:-1]) + 1)


EXACT = Bound(always(0), "one")
CHOSEN = Bound(always(1), "choices")
PRODUCT = Bound(always(0), "one", flushes=True)

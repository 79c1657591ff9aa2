"""How far off a result may be that depends on a choice: of a maximum, of a class, or of a sign.

An operation that computes scores and then takes the greatest of some chooses another one than its
definition does, rightly, where two are as near as their errors. A result which depends on that
choice jumps. So its bound is that of a sum, and beyond that the greatest jump that a choice within
the errors of the scores makes possible. A window whose scores are clearly apart adds nothing; nor
does one with another element that sees the same pixels, such as of a picture's background, to the
gradients of the kernel and the bias.

What an operation computes on the way is off as well, and is so in all that it goes into: errors are
propagated to first order, the bound of each step being that of `gpucnn.backends.ops.bounds`. Where
numbers overflow, a bound may be infinite or no number; then anything is allowed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Backend, ConvClassifier, ConvReluPool
from gpucnn.backends.cpu import winograd
from gpucnn.backends.ops.bounds import normalization, softmax_roundings
from gpucnn.verification.calls import Call
from gpucnn.verification.transforms import AbsoluteTransforms

Reals = NDArray[np.float64]


def allowed(call: Call) -> dict[str, Reals]:
    """What is allowed in each result of the call whose bound depends on a choice, by its name."""
    with np.errstate(all="ignore"):
        found = BY_OPERATION[call.operation](call)
    return {name: np.where(np.isnan(each), np.inf, each) for name, each in found.items()}


@dataclass(frozen=True)
class _Rounding:
    """The numbers of a dtype."""

    eps: float
    tiny: float

    @classmethod
    def of(cls, call: Call) -> "_Rounding":
        limits = np.finfo(call.real)
        return cls(float(limits.eps), float(limits.tiny))

    def error(self, roundings: float, terms: Reals) -> Reals:
        """The bound of a result whose `terms` go through so many roundings."""
        return (roundings + 1) * (self.eps * terms + self.tiny)


class _Pooled:
    """The scores of a convolution in float64, and their errors, in windows of a pooling.

    Where the CPU has a way with fewer products, the bounds are the greater of those of both ways.

    Args:
        fused: the convolution and the pooling.
        x: real (n, h, w, c).
        off: how far each of `x` is off.
        kernel: real (kh, kw, c, filters).
        bias: real (filters,).
        rounding: that of the device.

    Attributes:
        scores: (windows, elements, filters).
        errors: likewise.
        best: (windows, filters), the greatest score of each window.
        features: the positive part of these.
        features_off: how far these may be off.
    """

    def __init__(
        self,
        fused: ConvReluPool,
        x: Reals,
        off: Reals,
        kernel: Reals,
        bias: Reals,
        rounding: _Rounding,
    ) -> None:
        self._fused, self._x, self._off, self._rounding = fused, x, off, rounding
        self._kernel = np.abs(kernel)
        scores, patches = self._convolved(x, kernel, bias)
        terms, _ = self._convolved(np.abs(x) + off, self._kernel, np.abs(bias))
        spread, off_patches = self._convolved(off, self._kernel, np.zeros_like(bias))
        taps = patches.shape[-1]
        self.scores: Reals = self._in_windows(scores)
        errors = self._in_windows(rounding.error(taps + 1, terms))
        self._transforms: AbsoluteTransforms | None = None
        if winograd.suits(fused):
            self._transforms = ways = AbsoluteTransforms(fused, np.abs(x) + off, self._kernel)
            terms = ways.scores + np.abs(bias)
            errors = np.maximum(errors, rounding.error(ways.score_roundings, terms))
        self.errors: Reals = errors + self._in_windows(spread)
        self.best: Reals = self.scores.max(axis=1)
        self.features, self.features_off = self.best.clip(0), self.errors.max(axis=1)
        # What a gradient of a window's element is multiplied with: its patch, and 1 for the bias.
        ones = np.ones((*patches.shape[:-1], 1))
        self._factors = self._in_windows(np.concatenate([patches, ones], axis=-1))
        self._factors_off = self._in_windows(np.concatenate([off_patches, 0 * ones], axis=-1))

    def parameter_gradients_off(self, gradient: Reals, off: Reals) -> tuple[Reals, Reals]:
        """How far the gradients of the kernel and of the bias may be off.

        Args:
            gradient: (windows, filters), the gradient of the output.
            off: how far that is off.
        """
        size, pixels_off = np.abs(gradient) + off, self._factors_off.max(axis=1)
        terms, jumps = (np.empty((pixels_off.shape[1], size.shape[1])) for _ in range(2))
        every = np.arange(len(size))
        for f in range(size.shape[1]):
            factors = self._factors[every, self._right[:, f]] * self._passes[:, f, None]
            terms[:, f] = size[:, f] @ np.abs(factors)
            open_ = np.flatnonzero(self._others[:, :, f].any(axis=1) | self._may_be_cut[:, f])
            jump = np.abs(self._factors[open_] - factors[open_, None])
            jump = (jump * self._others[open_, :, f, None]).max(axis=1)
            cut = np.abs(factors[open_]) * self._may_be_cut[open_, f, None]
            jumps[:, f] = size[open_, f] @ np.maximum(jump, cut)
            jumps[:, f] += off[:, f] @ np.abs(factors)
        jumps += pixels_off.T @ size
        errors = self._rounding.error(len(size), terms + jumps)
        if (ways := self._transforms) is not None:
            of_kernel = ways.kernel_gradient(size)
            of_kernel = self._rounding.error(ways.kernel_gradient_roundings, of_kernel)
            errors[:-1] = np.maximum(errors[:-1], of_kernel)
        errors += jumps
        return errors[:-1].reshape(self._kernel.shape), errors[-1]

    def input_gradient_off(self, gradient: Reals) -> Reals:
        """How far the gradient of the input may be off, for the `gradient` of the output."""
        fused, size = self._fused, np.abs(gradient)
        is_right = self._is_right & self._passes[:, None]
        is_open = self._others.any(axis=1) | self._may_be_cut
        jumps = (self._others | is_right & is_open[:, None]) * size[:, None]
        spread = self._of_input(jumps)
        terms = self._of_input(is_right * size[:, None]) + spread
        errors = self._rounding.error(fused.filters + fused.window.elements, terms)
        if (ways := self._transforms) is not None:
            terms = ways.input_gradient(size)
            errors = np.maximum(errors, self._rounding.error(ways.input_gradient_roundings, terms))
        return errors + spread

    @cached_property
    def _right(self) -> NDArray[np.int64]:
        """(windows, filters), the element of each window that is the maximum."""
        right: NDArray[np.int64] = self.scores.argmax(axis=1)
        return right

    @cached_property
    def _is_right(self) -> NDArray[np.bool_]:
        elements = np.arange(self.scores.shape[1])
        is_right: NDArray[np.bool_] = elements[None, :, None] == self._right[:, None]
        return is_right

    @cached_property
    def _passes(self) -> NDArray[np.bool_]:
        """(windows, filters), whether the maximum is above 0."""
        return self.best > 0

    @cached_property
    def _others(self) -> NDArray[np.bool_]:
        """(windows, elements, filters), those that may also be the maximum, and above 0."""
        low = np.take_along_axis(self.scores - self.errors, self._right[:, None], axis=1)
        high = self.scores + self.errors
        return (high >= low) & (high > 0) & ~(self._is_right & self._passes[:, None])

    @cached_property
    def _may_be_cut(self) -> NDArray[np.bool_]:
        """(windows, filters), whether a maximum that is above 0 may not be."""
        most: Reals = (self.scores - self.errors).max(axis=1)
        return self._passes & (most <= 0)

    def _convolved(self, x: Reals, kernel: Reals, bias: Reals) -> tuple[Reals, Reals]:
        """The scores (n, rows, columns, filters), and the patches (n, rows, columns, taps)."""
        window = self._fused.window
        scores = np.empty((len(x), *window.output, kernel.shape[-1]))
        patches = np.empty((len(x), window.output[0] * window.output[1], kernel[..., 0].size))
        Backend().conv2d(x, kernel, bias, window, patches, scores)
        return scores, patches.reshape(len(x), *window.output, -1)

    def _of_input(self, gradients: NDArray[Any]) -> Reals:
        """The gradient of the input, of all that goes into it, for those of elements of windows."""
        window, (height, width) = self._fused.window, self._fused.pool.size
        rows, columns = self._fused.pool.output
        placed = np.zeros((len(self._x), *window.output, gradients.shape[-1]))
        inside = placed[:, : rows * height, : columns * width]
        each = gradients.reshape(len(placed), rows, columns, height, width, -1)
        inside[...] = np.moveaxis(each, 3, 2).reshape(inside.shape)
        out, patches = (
            np.zeros_like(self._x),
            np.empty((len(placed), window.output[0] * window.output[1], self._kernel[..., 0].size)),
        )
        Backend().conv2d_input_gradient(placed, self._kernel, window, patches, out)
        return out

    def _in_windows(self, positions: Reals) -> Reals:
        """Positions of the convolution, (n, rows, columns, k), as (windows, elements, k)."""
        (height, width), (rows, columns) = self._fused.pool.size, self._fused.pool.output
        inside = positions[:, : rows * height, : columns * width]
        each = inside.reshape(len(positions), rows, height, columns, width, -1)
        return np.moveaxis(each, 2, 3).reshape(-1, height * width, positions.shape[-1])


def _outputs(call: Call) -> dict[str, Reals]:
    of, rounding = call.in_float64().arguments, _Rounding.of(call)
    pooled = _Pooled(of["plan"], *_batch(of, rounding), of["kernel"], of["bias"], rounding)
    return {"out": pooled.features_off.reshape(of["out"].shape)}


def _batch(of: dict[str, Any], rounding: _Rounding) -> tuple[Reals, Reals]:
    """A convolution's images, `x` or those picked from a data set, and how far they are off."""
    if "indices" not in of:
        return of["x"], np.zeros_like(of["x"])
    return _picked(of, of["indices"], rounding)


def _picked(
    of: dict[str, Any], indices: NDArray[np.int64], rounding: _Rounding
) -> tuple[Reals, Reals]:
    """Images picked from the data set `images`, and how far they are off."""
    x = np.empty((len(indices), *of["images"].shape[1:]))
    Backend().gather_images(of["images"], indices, x)
    return x, rounding.error(normalization(of), np.ones_like(x))


def _pooled_gradients(call: Call) -> dict[str, Reals]:
    of, rounding = call.in_float64().arguments, _Rounding.of(call)
    gradient = of["output_gradient"].reshape(-1, of["plan"].filters)
    pooled = _Pooled(of["plan"], *_batch(of, rounding), of["kernel"], of["bias"], rounding)
    kernel, bias = pooled.parameter_gradients_off(gradient, np.zeros_like(gradient))
    found = {"kernel_gradient": kernel, "bias_gradient": bias}
    if of["input_gradient"] is not None:
        found["input_gradient"] = pooled.input_gradient_off(gradient)
    return found


def _head(call: Call) -> dict[str, Reals]:
    of, rounding = call.in_float64().arguments, _Rounding.of(call)
    x, kernel, bias = of["x"], of["kernel"], of["bias"]
    terms = np.abs(x) @ np.abs(kernel) + np.abs(bias)
    off = rounding.error(len(kernel) + 1, terms)
    start = int(of["position"][0]) * of["batch_size"] + of["first"]
    correct = np.zeros(len(of["epoch_correct"]))
    found = _answer_off(x @ kernel + bias, off, of["labels"][of["indices"]])
    correct[start : start + len(x)] = found
    return {"epoch_correct": correct}


def _answer_off(logits: Reals, off: Reals, labels: NDArray[np.int64]) -> Reals:
    """(n,), 1 where logits are so near that an answer may be taken for right or for wrong."""
    is_label = labels[:, None] == np.arange(logits.shape[1])
    low, high = logits - off, logits + off
    may_be_right = (high >= low.max(axis=1, keepdims=True))[is_label]
    others = np.where(is_label, -np.inf, high).max(axis=1)
    return np.where(may_be_right & (others >= low[is_label]), 1.0, 0.0)


def _classifier(call: Call) -> dict[str, Reals]:
    of, rounding = call.in_float64().arguments, _Rounding.of(call)
    classifier: ConvClassifier = of["classifier"]
    count, start = of["count"], (int(of["position"][0]) + 1) * of["batch_size"]
    chosen = of["order"][start : start + count]
    kernel, bias, weights, weights_bias = classifier.split(of["parameters"])
    x, x_off = _picked(of, chosen, rounding)
    fused = ConvReluPool(classifier.window, classifier.pool, 1, classifier.filters, x.dtype)
    pooled = _Pooled(fused, x, x_off, kernel, bias, rounding)

    features, features_off = (
        each.reshape(count, -1) for each in (pooled.features, pooled.features_off)
    )
    size = np.abs(features) + features_off
    logits = features @ weights + weights_bias
    logits_off = features_off @ np.abs(weights)
    terms = size @ np.abs(weights) + np.abs(weights_bias)
    logits_off = rounding.error(classifier.features + 1, terms) + logits_off
    # Where logits move by up to d, a loss does by up to 2 d, and the odds of a class by a factor of
    # up to exp(2 d), so its probability p by up to p (1 - p) (exp(2 d) - 1).
    most = logits_off.max(axis=1)
    of_softmax = rounding.error(softmax_roundings({"logits": logits}), np.ones(count))

    labels, gradient = of["labels"][chosen], np.empty_like(logits)
    Backend().softmax_cross_entropy(
        logits, labels, np.empty(count), np.empty(count), gradient, count
    )
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    moved = probabilities * (1 - probabilities) * np.expm1(2 * most)[:, None]
    off = (moved + of_softmax[:, None]) / count
    gradient_size = np.abs(gradient) + off
    features_spread = features_off.T @ gradient_size + np.abs(features).T @ off
    weights_error = rounding.error(count, size.T @ gradient_size) + features_spread
    bias_error = rounding.error(count, gradient_size.sum(axis=0)) + off.sum(axis=0)

    of_features = gradient @ weights.T
    of_features_off = off @ np.abs(weights.T)
    of_features_off += rounding.error(classifier.classes, gradient_size @ np.abs(weights.T))
    of_kernel, of_bias = pooled.parameter_gradients_off(
        *(each.reshape(-1, classifier.filters) for each in (of_features, of_features_off))
    )
    parts = of_kernel, of_bias, weights_error, bias_error
    losses, correct = (np.zeros(len(of["epoch_losses"])) for _ in range(2))
    losses[start : start + count] = 2 * most + of_softmax
    correct[start : start + count] = _answer_off(logits, logits_off, labels)
    return {
        "epoch_losses": losses,
        "epoch_correct": correct,
        "gradients": np.concatenate([each.ravel() for each in parts]),
    }


def _lion(call: Call) -> dict[str, Reals]:
    of, rounding = call.in_float64().arguments, _Rounding.of(call)
    rate, decay = np.abs(of["learning_rate"]), of["weight_decay"]
    terms = of["beta_1"] * np.abs(of["mean"]) + (1 - of["beta_1"]) * np.abs(of["gradients"])
    direction = of["beta_1"] * of["mean"] + (1 - of["beta_1"]) * of["gradients"]
    # A sum of zeros is not rounded.
    is_open = (np.abs(direction) <= rounding.error(4, terms)) & (terms > 0)
    size = np.abs(of["parameters"]) * (1 + rate * decay) + rate
    roundings = 5 if decay else 2
    return {"parameters": rounding.error(roundings, size) + is_open * 2 * rate}


BY_OPERATION: dict[str, Callable[[Call], dict[str, Reals]]] = {
    "conv2d_relu_max_pool": _outputs,
    "gathered_conv2d_relu_max_pool": _outputs,
    "conv2d_relu_max_pool_gradients": _pooled_gradients,
    "dense_softmax_cross_entropy": _head,
    "conv_classifier_gradients": _classifier,
    "lion": _lion,
}
"""What is allowed in the results of each operation with such a bound."""

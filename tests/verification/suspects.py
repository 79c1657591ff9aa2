"""Devices to verify: a correct one, and others with one fault each."""

from collections import Counter
from inspect import signature
from typing import Any

import numpy as np

from gpucnn.backends import (
    Array,
    Backend,
    ConvClassifier,
    ConvReluPool,
    ConvReluPoolPlan,
    CpuBackend,
    Window,
)


class Permuted(Backend):
    """Sums in another order: products with permuted terms, and rows added one by one."""

    device = "permuted"

    def matmul(
        self,
        a: Array,
        b: Array,
        out: Array,
        *,
        transpose_a: bool = False,
        transpose_b: bool = False,
        bias: Array | None = None,
    ) -> None:
        left, right = a.T if transpose_a else a, b.T if transpose_b else b
        order = np.random.default_rng(0).permutation(len(right))
        np.matmul(np.ascontiguousarray(left[:, order]), right[order], out=out)
        if bias is not None:
            out += bias

    def sum_rows(self, a: Array, out: Array) -> None:
        out[...] = np.cumsum(a, axis=0, dtype=a.dtype)[-1]


# Faults in operations


class WrongBorder(CpuBackend):
    def im2col(self, x: Array, window: Window, patches: Array) -> None:
        super().im2col(x, window, patches)
        patches[:, -1, -1] = 0  # the last pixel that the last position sees


class DroppedBias(CpuBackend):
    def conv2d(
        self, x: Array, kernel: Array, bias: Array, window: Window, patches: Array, out: Array
    ) -> None:
        super().conv2d(x, kernel, np.zeros_like(bias), window, patches, out)


class WrongGradient(CpuBackend):
    def matmul(self, a: Array, b: Array, out: Array, **options: Any) -> None:
        super().matmul(a, b, out, **options)
        if options.get("transpose_a") and out.shape[1] == 10:  # the dense kernel's gradient
            out.flat[np.abs(out).argmax()] *= 1.001


class WrongCorrection(CpuBackend):
    def adam(
        self,
        parameters: Array,
        gradients: Array,
        mean: Array,
        square: Array,
        learning_rate: Array,
        bias_correction: Array,
        **options: Any,
    ) -> None:
        wrong = bias_correction * bias_correction.dtype.type(1.001)
        super().adam(parameters, gradients, mean, square, learning_rate, wrong, **options)


class WrongLabels(CpuBackend):
    def gather_labels(self, labels: Array, indices: Array, out: Array) -> None:
        super().gather_labels(labels, (indices + 1) % len(labels), out)


class ChangedInput(CpuBackend):
    def relu(self, x: Array, out: Array) -> None:
        super().relu(x, out)
        np.copyto(x, out)


class Unwritten(CpuBackend):
    def relu(self, x: Array, out: Array) -> None:
        super().relu(x[:-1], out[:-1])


class WrongArgmax(CpuBackend):
    def max_pool(self, x: Array, window: Window, out: Array, argmax: Array) -> None:
        super().max_pool(x, window, out, argmax)
        argmax.flat[0] = 3 - argmax.flat[0]


class ShiftedSeed(CpuBackend):
    def dropout(self, x: Array, rate: float, seed: int, *others: Any, **options: Any) -> None:
        super().dropout(x, rate, seed + 1, *others, **options)


# Faults in operations that are fused


class Fusing(Backend):
    """The definitions, with all fused that any device fuses."""

    device = "fusing"

    def can_fuse(self, fused: ConvReluPool) -> bool:
        return True

    def can_fuse_dense(self) -> bool:
        return True

    def can_fuse_head(self, inputs: int, classes: int, real: "np.dtype[np.floating]") -> bool:
        return True

    def can_fuse_classifier(self, classifier: ConvClassifier, images: Array) -> bool:
        return True


class DroppedFusedBias(CpuBackend):
    def conv2d_relu_max_pool(
        self,
        x: Array,
        kernel: Array,
        bias: Array,
        plan: ConvReluPoolPlan,
        out: Array,
        *,
        training: bool,
    ) -> None:
        none = np.zeros_like(bias)
        super().conv2d_relu_max_pool(x, kernel, none, plan, out, training=training)


class WrongFusedGradient(CpuBackend):
    """The gradients of the last image are lost."""

    def conv2d_relu_max_pool_gradients(
        self, output_gradient: Array, *others: Any, **named: Any
    ) -> None:
        wrong = np.copy(output_gradient, order="K")
        wrong[-1] = 0
        super().conv2d_relu_max_pool_gradients(wrong, *others, **named)


def by_name(operation: str, given: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call of an operation by their names."""
    bound = signature(getattr(Backend, operation)).bind(None, *given, **named)
    return {name: value for name, value in bound.arguments.items() if name != "self"}


class ShiftedFusedSeed(Fusing):
    def dense_relu(self, *given: Any, **named: Any) -> None:
        of = by_name("dense_relu", given, named)
        super().dense_relu(**of | {"seed": of.get("seed", 0) + 1})


class UnscaledGradient(Fusing):
    def dense_softmax_cross_entropy(self, *given: Any, **named: Any) -> None:
        of = by_name("dense_softmax_cross_entropy", given, named)
        super().dense_softmax_cross_entropy(**of | {"rate": 0.0})


class WrongAnswer(Fusing):
    def dense_softmax_cross_entropy(self, *given: Any, **named: Any) -> None:
        of = by_name("dense_softmax_cross_entropy", given, named)
        super().dense_softmax_cross_entropy(**of)
        first = int(of["position"][0]) * of["batch_size"] + of["first"]
        of["epoch_correct"][first] = 1 - of["epoch_correct"][first]


class ClassifierOfNextLabels(Fusing):
    def conv_classifier_gradients(self, *given: Any, **named: Any) -> None:
        of = by_name("conv_classifier_gradients", given, named)
        super().conv_classifier_gradients(**of | {"labels": np.roll(of["labels"], 1)})


class WrongClassifierGradient(Fusing):
    def conv_classifier_gradients(self, *given: Any, **named: Any) -> None:
        of = by_name("conv_classifier_gradients", given, named)
        super().conv_classifier_gradients(**of)
        of["gradients"][np.abs(of["gradients"]).argmax()] *= 1.1


class WrongFactors(Fusing):
    def conv_classifier_gradients(self, *given: Any, **named: Any) -> None:
        of = by_name("conv_classifier_gradients", given, named)
        super().conv_classifier_gradients(**of)
        of["factors"] *= 2


# Faults between operations


class RoundedWeights(CpuBackend):
    """Kernels lose half of their digits when copied to the device."""

    def copy(self, source: Array, out: Array) -> None:
        super().copy(source.astype(np.float16) if source.ndim > 1 else source, out)


class StaleBatch(CpuBackend):
    """From the third batch on, the images are those of the one before."""

    def __init__(self) -> None:
        super().__init__()
        self._copies: Counter[int] = Counter()  # of indices, one for each batch of a learner

    def copy(self, source: Array, out: Array) -> None:
        if source.dtype == np.int64 and len(source) > 2:
            self._copies[out.ctypes.data] += 1
            if self._copies[out.ctypes.data] > 2:
                return
        super().copy(source, out)


class Lost(CpuBackend):
    """Reals copied to the device become NaN."""

    def copy(self, source: Array, out: Array) -> None:
        super().copy(source, out)
        if out.dtype.kind == "f":
            out.fill(np.nan)

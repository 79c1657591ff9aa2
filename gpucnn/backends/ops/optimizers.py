"""Optimizer steps over the flat vector of parameters."""

import numpy as np

from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.cuda.kernel import ITEMS, kernel, over_elements
from gpucnn.backends.cuda.memory import CudaMemory
from gpucnn.backends.memory import Array, Memory
from gpucnn.backends.ops.bounds import Bound, always, bounded, sums


class Optimizers(Memory):
    """Definitions of the optimizers' steps."""

    @bounded(parameters=sums(always(8)), velocity=sums(always(3)))
    def sgd(
        self,
        parameters: Array,
        gradients: Array,
        velocity: Array,
        learning_rate: Array,
        *,
        momentum: float,
        nesterov: bool,
        weight_decay: float,
    ) -> None:
        """Take one step of gradient descent with momentum, in Keras's form.

        v <- momentum v - learning_rate g, and then the parameters, decayed by
        learning_rate * weight_decay of themselves, move by v; with Nesterov's rule by
        momentum v - learning_rate g.

        Args:
            parameters: real (p,), updated.
            gradients: real (p,).
            velocity: real (p,), updated; zeros before the first step.
            learning_rate: real (1,).
            momentum: in [0, 1).
            nesterov: whether to use Nesterov's rule.
            weight_decay: decoupled from the gradient; 0 for none.
        """
        velocity[...] = momentum * velocity - learning_rate * gradients
        parameters -= learning_rate * weight_decay * parameters
        parameters += momentum * velocity - learning_rate * gradients if nesterov else velocity

    @bounded(parameters=sums(always(12)), mean=sums(always(4)), square=Bound(always(5), "result"))
    def adam(
        self,
        parameters: Array,
        gradients: Array,
        mean: Array,
        square: Array,
        learning_rate: Array,
        bias_correction: Array,
        *,
        beta_1: float,
        beta_2: float,
        epsilon: float,
        weight_decay: float,
    ) -> None:
        """Take one step of Adam, or of AdamW where `weight_decay` is not 0, in Keras's form.

        m <- beta_1 m + (1 - beta_1) g and s <- beta_2 s + (1 - beta_2) g^2; the parameters, decayed
        by learning_rate * weight_decay of themselves, move by
        -learning_rate * bias_correction * m / (sqrt(s) + epsilon).

        Kingma and Ba, "Adam", ICLR 2015 (the form at the end of its section 2); Loshchilov and
        Hutter, "Decoupled weight decay regularization", ICLR 2019.

        Args:
            parameters: real (p,), updated.
            gradients: real (p,).
            mean: real (p,), m, updated; zeros before the first step.
            square: real (p,), s, updated; zeros before the first step.
            learning_rate: real (1,).
            bias_correction: real (1,), sqrt(1 - beta_2^t) / (1 - beta_1^t) in step t, from 1.
            beta_1: the decay of m, in [0, 1).
            beta_2: the decay of s, in [0, 1).
            epsilon: keeps the quotient finite.
            weight_decay: decoupled from the gradient; 0 for Adam.
        """
        mean[...] = beta_1 * mean + (1 - beta_1) * gradients
        square[...] = beta_2 * square + (1 - beta_2) * gradients**2
        parameters -= learning_rate * weight_decay * parameters
        rate = learning_rate * bias_correction
        parameters -= rate * mean / (self.xp.sqrt(square) + epsilon)


class CpuOptimizers(CpuMemory, Optimizers):
    """Optimizer steps in NumPy, without temporary arrays."""

    def sgd(
        self,
        parameters: Array,
        gradients: Array,
        velocity: Array,
        learning_rate: Array,
        *,
        momentum: float,
        nesterov: bool,
        weight_decay: float,
    ) -> None:
        descent = self.workspace("descent", gradients.shape, gradients.dtype)
        np.multiply(learning_rate, gradients, out=descent)
        velocity *= momentum
        velocity -= descent
        if weight_decay:
            self._decay(parameters, learning_rate, weight_decay)
        if nesterov:
            parameters -= descent
            np.multiply(velocity, momentum, out=descent)
            parameters += descent
        else:
            parameters += velocity

    def adam(
        self,
        parameters: Array,
        gradients: Array,
        mean: Array,
        square: Array,
        learning_rate: Array,
        bias_correction: Array,
        *,
        beta_1: float,
        beta_2: float,
        epsilon: float,
        weight_decay: float,
    ) -> None:
        change = self.workspace("change", gradients.shape, gradients.dtype)
        root = self.workspace("root", gradients.shape, gradients.dtype)
        np.multiply(gradients, 1 - beta_1, out=change)
        mean *= beta_1
        mean += change
        np.square(gradients, out=change)
        change *= 1 - beta_2
        square *= beta_2
        square += change

        if weight_decay:
            self._decay(parameters, learning_rate, weight_decay)
        np.sqrt(square, out=root)
        root += epsilon
        np.multiply(mean, learning_rate * bias_correction, out=change)
        change /= root
        parameters -= change

    def _decay(self, parameters: Array, learning_rate: Array, weight_decay: float) -> None:
        decay = self.workspace("decay", parameters.shape, parameters.dtype)
        np.multiply(parameters, learning_rate * weight_decay, out=decay)
        parameters -= decay


class CudaOptimizers(CudaMemory, Optimizers):
    """Optimizer steps in CUDA: one pass over the parameters, their gradients and their state."""

    sgd = kernel(
        "sgd.cu",
        {"parameters": "*size", "gradients": "*size", "velocity": "*size", "learning_rate": "1"},
        over_elements,
        macros=ITEMS,
    )
    adam = kernel(
        "adam.cu",
        {
            "parameters": "*size",
            "gradients": "*size",
            "mean": "*size",
            "square": "*size",
            "learning_rate": "1",
            "bias_correction": "1",
        },
        over_elements,
        macros=ITEMS,
    )

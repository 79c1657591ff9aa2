"""Optimizer steps over the flat vector of parameters."""

import numpy as np

from gpucnn.backends.calls import Calls, bindable
from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.cuda.kernel import ITEMS, kernel, over_elements
from gpucnn.backends.cuda.memory import CudaMemory
from gpucnn.backends.memory import Array, Memory
from gpucnn.backends.ops.bounds import CHOSEN, Bound, always, bounded, centred, sums


class Optimizers(Memory):
    """Definitions of the optimizers' steps."""

    @bounded(parameters=sums(always(8)), velocity=sums(always(3)))
    def sgd(
        self,
        parameters: Array,
        gradients: Array,
        velocity: Array | None,
        learning_rate: Array,
        *,
        momentum: float,
        nesterov: bool,
        weight_decay: float,
    ) -> None:
        """Take one step of gradient descent with momentum, in Keras's form.

        v <- momentum v - learning_rate g, and then the parameters, decayed by
        learning_rate * weight_decay of themselves, move by v; with Nesterov's rule by
        momentum v - learning_rate g. Where no velocity is kept, v is 0 before the step.

        Args:
            parameters: real (p,), updated.
            gradients: real (p,).
            velocity: real (p,), updated; zeros before the first step. None not to keep it.
            learning_rate: real (1,).
            momentum: in [0, 1).
            nesterov: whether to use Nesterov's rule.
            weight_decay: decoupled from the gradient; 0 for none.
        """
        moved = -learning_rate * gradients
        if velocity is not None:
            moved += momentum * velocity
            velocity[...] = moved
        parameters -= learning_rate * weight_decay * parameters
        parameters += momentum * moved - learning_rate * gradients if nesterov else moved

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

    @bounded(
        parameters=sums(centred(9)),
        square=Bound(always(5), "result"),
        velocity=sums(centred(8)),
        mean=sums(always(4)),
    )
    def rmsprop(
        self,
        parameters: Array,
        gradients: Array,
        square: Array,
        velocity: Array,
        mean: Array | None,
        learning_rate: Array,
        *,
        rho: float,
        momentum: float,
        epsilon: float,
        weight_decay: float,
    ) -> None:
        """Take one step of RMSprop with momentum, in Keras's form, or of its centred variant.

        s <- rho s + (1 - rho) g^2, v <- momentum v - learning_rate g / sqrt(s + epsilon), and the
        parameters, decayed by learning_rate * weight_decay of themselves, move by v. Where there is
        a mean m, m <- rho m + (1 - rho) g, and the variance s - m^2 takes the place of s under the
        root; rounding can make it negative, then it is 0.

        Tieleman and Hinton, "Lecture 6.5 - rmsprop", 2012; Graves, "Generating sequences with
        recurrent neural networks", 2013, for the centred variant.

        Args:
            parameters: real (p,), updated.
            gradients: real (p,).
            square: real (p,), s, updated; zeros before the first step.
            velocity: real (p,), v, updated; zeros before the first step.
            mean: real (p,), m, updated; zeros before the first step. None not to centre.
            learning_rate: real (1,).
            rho: the decay of s and m, in [0, 1).
            momentum: the decay of v, in [0, 1).
            epsilon: keeps the quotient finite.
            weight_decay: decoupled from the gradient; 0 for none.
        """
        square[...] = rho * square + (1 - rho) * gradients**2
        spread = square
        if mean is not None:
            mean[...] = rho * mean + (1 - rho) * gradients
            spread = self.xp.maximum(square - mean**2, 0)
        velocity[...] = momentum * velocity - learning_rate * gradients / self.xp.sqrt(
            spread + epsilon
        )
        parameters -= learning_rate * weight_decay * parameters
        parameters += velocity

    @bounded(parameters=sums(always(6)), square=Bound(always(2), "result"))
    def adagrad(
        self,
        parameters: Array,
        gradients: Array,
        square: Array,
        learning_rate: Array,
        *,
        epsilon: float,
        weight_decay: float,
    ) -> None:
        """Take one step of Adagrad, in Keras's form.

        s <- s + g^2, and the parameters, decayed by learning_rate * weight_decay of themselves,
        move by -learning_rate g / sqrt(s + epsilon).

        Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic
        optimization", JMLR 12, 2011.

        Args:
            parameters: real (p,), updated.
            gradients: real (p,).
            square: real (p,), s, updated; at least 0 before the first step.
            learning_rate: real (1,).
            epsilon: keeps the quotient finite.
            weight_decay: decoupled from the gradient; 0 for none.
        """
        square += gradients**2
        parameters -= learning_rate * weight_decay * parameters
        parameters -= learning_rate * gradients / self.xp.sqrt(square + epsilon)

    @bounded(parameters=CHOSEN, mean=sums(always(4)))
    def lion(
        self,
        parameters: Array,
        gradients: Array,
        mean: Array,
        learning_rate: Array,
        *,
        beta_1: float,
        beta_2: float,
        weight_decay: float,
    ) -> None:
        """Take one step of Lion.

        The parameters, decayed by learning_rate * weight_decay of themselves, move by
        -learning_rate times the sign of beta_1 m + (1 - beta_1) g, which is 0 for 0 and NaN for
        NaN; and then m <- beta_2 m + (1 - beta_2) g.

        Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023.

        Args:
            parameters: real (p,), updated.
            gradients: real (p,).
            mean: real (p,), m, updated; zeros before the first step.
            learning_rate: real (1,).
            beta_1: the share of m in the direction, in [0, 1).
            beta_2: the decay of m, in [0, 1).
            weight_decay: decoupled from the gradient; 0 for none.
        """
        parameters -= learning_rate * weight_decay * parameters
        parameters -= learning_rate * self.xp.sign(beta_1 * mean + (1 - beta_1) * gradients)
        mean[...] = beta_2 * mean + (1 - beta_2) * gradients

    @bounded(velocity=sums(always(3)), direction=sums(always(6)))
    def momentum(
        self,
        gradients: Array,
        velocity: Array,
        direction: Array,
        *,
        decay: float,
        nesterov: bool,
    ) -> None:
        """Update the velocity of Muon, and compute its direction before that is made orthogonal.

        v <- decay v + g, and the direction is v, or with Nesterov's rule g + decay v.

        Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024.

        Args:
            gradients: real (p,).
            velocity: real (p,), v, updated; zeros before the first step.
            direction: real (p,).
            decay: of the velocity, in [0, 1).
            nesterov: whether to use Nesterov's rule.
        """
        velocity[...] = decay * velocity + gradients
        direction[...] = gradients + decay * velocity if nesterov else velocity

    @bounded(parameters=sums(always(3)), average=sums(always(3)))
    def average_parameters(
        self, parameters: Array, average: Array, share: Array, overwrites: Array
    ) -> None:
        """Update the moving average of the parameters after a step, in Keras's form.

        average <- (1 - share) average + share parameters, which then overwrites the parameters if
        it is to.

        Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", SIAM Journal
        on Control and Optimization 30, 1992, for the idea; here the average is exponential.

        Args:
            parameters: real (p,), updated if they are overwritten.
            average: real (p,), updated.
            share: real (1,), that of the parameters in the average, in [0, 1]; 1 in the first step.
            overwrites: real (1,), 1 to overwrite the parameters by the average, else 0.
        """
        average[...] = (1 - share) * average + share * parameters
        if overwrites[0]:
            parameters[...] = average


class CpuOptimizers(CpuMemory, Optimizers):
    """Optimizer steps in NumPy, without temporary arrays."""

    @bindable
    def sgd(
        self,
        calls: Calls,
        parameters: Array,
        gradients: Array,
        velocity: Array | None,
        learning_rate: Array,
        *,
        momentum: float,
        nesterov: bool,
        weight_decay: float,
    ) -> None:
        if weight_decay:
            calls.add(self._decay, parameters, learning_rate, weight_decay)
        if velocity is not None and not momentum:  # half the passes over memory
            descent = self.workspace("descent rate", (1,), gradients.dtype)
            calls.add(np.negative, learning_rate, descent)
            calls.add(np.multiply, gradients, descent, velocity)
            calls.add(np.add, parameters, velocity, parameters)
            return
        descent = self.workspace("descent", gradients.shape, gradients.dtype)
        calls.add(np.multiply, gradients, learning_rate, descent)
        if velocity is None:
            if nesterov:
                calls.add(np.multiply, descent, 1 + momentum, descent)
            calls.add(np.subtract, parameters, descent, parameters)
            return
        calls.add(np.multiply, velocity, momentum, velocity)
        calls.add(np.subtract, velocity, descent, velocity)
        if nesterov:
            calls.add(np.subtract, parameters, descent, parameters)
            calls.add(np.multiply, velocity, momentum, descent)
            calls.add(np.add, parameters, descent, parameters)
        else:
            calls.add(np.add, parameters, velocity, parameters)

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
        self._average(gradients, mean, beta_1, change)
        self._average_squares(gradients, square, beta_2, change)

        self._decay(parameters, learning_rate, weight_decay)
        np.sqrt(square, out=root)
        root += epsilon
        np.multiply(mean, learning_rate * bias_correction, out=change)
        change /= root
        parameters -= change

    def rmsprop(
        self,
        parameters: Array,
        gradients: Array,
        square: Array,
        velocity: Array,
        mean: Array | None,
        learning_rate: Array,
        *,
        rho: float,
        momentum: float,
        epsilon: float,
        weight_decay: float,
    ) -> None:
        change = self.workspace("change", gradients.shape, gradients.dtype)
        root = self.workspace("root", gradients.shape, gradients.dtype)
        self._average_squares(gradients, square, rho, change)
        if mean is None:
            np.add(square, epsilon, out=root)
        else:
            self._average(gradients, mean, rho, change)
            np.square(mean, out=root)
            np.subtract(square, root, out=root)
            np.maximum(root, 0, out=root)
            root += epsilon
        np.sqrt(root, out=root)

        np.multiply(gradients, learning_rate, out=change)
        change /= root
        velocity *= momentum
        velocity -= change
        self._decay(parameters, learning_rate, weight_decay)
        parameters += velocity

    def adagrad(
        self,
        parameters: Array,
        gradients: Array,
        square: Array,
        learning_rate: Array,
        *,
        epsilon: float,
        weight_decay: float,
    ) -> None:
        change = self.workspace("change", gradients.shape, gradients.dtype)
        root = self.workspace("root", gradients.shape, gradients.dtype)
        np.square(gradients, out=change)
        square += change
        np.add(square, epsilon, out=root)
        np.sqrt(root, out=root)
        np.multiply(gradients, learning_rate, out=change)
        change /= root
        self._decay(parameters, learning_rate, weight_decay)
        parameters -= change

    def lion(
        self,
        parameters: Array,
        gradients: Array,
        mean: Array,
        learning_rate: Array,
        *,
        beta_1: float,
        beta_2: float,
        weight_decay: float,
    ) -> None:
        change = self.workspace("change", gradients.shape, gradients.dtype)
        direction = self.workspace("direction", gradients.shape, gradients.dtype)
        np.multiply(mean, beta_1, out=direction)
        np.multiply(gradients, 1 - beta_1, out=change)
        direction += change
        np.sign(direction, out=direction)
        direction *= learning_rate
        self._decay(parameters, learning_rate, weight_decay)
        parameters -= direction
        self._average(gradients, mean, beta_2, change)

    def momentum(
        self,
        gradients: Array,
        velocity: Array,
        direction: Array,
        *,
        decay: float,
        nesterov: bool,
    ) -> None:
        velocity *= decay
        velocity += gradients
        if nesterov:
            np.multiply(velocity, decay, out=direction)
            direction += gradients
        else:
            np.copyto(direction, velocity)

    def average_parameters(
        self, parameters: Array, average: Array, share: Array, overwrites: Array
    ) -> None:
        change = self.workspace("change", parameters.shape, parameters.dtype)
        np.multiply(parameters, share, out=change)
        average *= 1 - share
        average += change
        if overwrites[0]:
            np.copyto(parameters, average)

    def _average(self, gradients: Array, mean: Array, decay: float, scratch: Array) -> None:
        """Update a running mean of the gradients."""
        np.multiply(gradients, 1 - decay, out=scratch)
        mean *= decay
        mean += scratch

    def _average_squares(
        self, gradients: Array, square: Array, decay: float, scratch: Array
    ) -> None:
        """Update a running mean of the gradients' squares."""
        np.square(gradients, out=scratch)
        scratch *= 1 - decay
        square *= decay
        square += scratch

    def _decay(self, parameters: Array, learning_rate: Array, weight_decay: float) -> None:
        if not weight_decay:
            return
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
    rmsprop = kernel(
        "rmsprop.cu",
        {
            "parameters": "*size",
            "gradients": "*size",
            "square": "*size",
            "velocity": "*size",
            "mean": "*size",
            "learning_rate": "1",
        },
        over_elements,
        macros=ITEMS,
    )
    adagrad = kernel(
        "adagrad.cu",
        {"parameters": "*size", "gradients": "*size", "square": "*size", "learning_rate": "1"},
        over_elements,
        macros=ITEMS,
    )
    lion = kernel(
        "lion.cu",
        {"parameters": "*size", "gradients": "*size", "mean": "*size", "learning_rate": "1"},
        over_elements,
        macros=ITEMS,
    )
    momentum = kernel(
        "momentum.cu",
        {"gradients": "*size", "velocity": "*size", "direction": "*size"},
        over_elements,
        macros=ITEMS,
    )
    average_parameters = kernel(
        "average_parameters.cu",
        {"parameters": "*size", "average": "*size", "share": "1", "overwrites": "1"},
        over_elements,
        macros=ITEMS,
    )

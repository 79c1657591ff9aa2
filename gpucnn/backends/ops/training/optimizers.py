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
        rate = learning_rate.reshape(())
        self._add_decay(parameters, rate, weight_decay, calls)
        if velocity is not None and not momentum:  # half the passes over memory
            downwards = self.workspace("downwards", (), gradients.dtype)
            calls.add(np.negative, rate, downwards)
            calls.add(np.multiply, gradients, downwards, velocity)
            calls.add(np.add, parameters, velocity, parameters)
            return
        descent = self.workspace("descent", gradients.shape, gradients.dtype)
        calls.add(np.multiply, gradients, rate, descent)
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

    @bindable
    def adam(
        self,
        calls: Calls,
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
        self._add_average(gradients, mean, beta_1, change, calls)
        self._add_average_of_squares(gradients, square, beta_2, change, calls)

        rate = learning_rate.reshape(())
        self._add_decay(parameters, rate, weight_decay, calls)
        calls.add(np.sqrt, square, root)
        calls.add(np.add, root, epsilon, root)
        corrected = self.workspace("corrected rate", (), gradients.dtype)
        calls.add(np.multiply, rate, bias_correction.reshape(()), corrected)
        calls.add(np.multiply, mean, corrected, change)
        calls.add(np.divide, change, root, change)
        calls.add(np.subtract, parameters, change, parameters)

    @bindable
    def rmsprop(
        self,
        calls: Calls,
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
        self._add_average_of_squares(gradients, square, rho, change, calls)
        if mean is None:
            calls.add(np.add, square, epsilon, root)
        else:
            self._add_average(gradients, mean, rho, change, calls)
            calls.add(np.square, mean, root)
            calls.add(np.subtract, square, root, root)
            calls.add(np.maximum, root, 0, out=root)
            calls.add(np.add, root, epsilon, root)
        calls.add(np.sqrt, root, root)

        rate = learning_rate.reshape(())
        calls.add(np.multiply, gradients, rate, change)
        calls.add(np.divide, change, root, change)
        calls.add(np.multiply, velocity, momentum, velocity)
        calls.add(np.subtract, velocity, change, velocity)
        self._add_decay(parameters, rate, weight_decay, calls)
        calls.add(np.add, parameters, velocity, parameters)

    @bindable
    def adagrad(
        self,
        calls: Calls,
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
        calls.add(np.square, gradients, change)
        calls.add(np.add, square, change, square)
        calls.add(np.add, square, epsilon, root)
        calls.add(np.sqrt, root, root)
        rate = learning_rate.reshape(())
        calls.add(np.multiply, gradients, rate, change)
        calls.add(np.divide, change, root, change)
        self._add_decay(parameters, rate, weight_decay, calls)
        calls.add(np.subtract, parameters, change, parameters)

    @bindable
    def lion(
        self,
        calls: Calls,
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
        calls.add(np.multiply, mean, beta_1, direction)
        calls.add(np.multiply, gradients, 1 - beta_1, change)
        calls.add(np.add, direction, change, direction)
        calls.add(np.sign, direction, direction)
        rate = learning_rate.reshape(())
        calls.add(np.multiply, direction, rate, direction)
        self._add_decay(parameters, rate, weight_decay, calls)
        calls.add(np.subtract, parameters, direction, parameters)
        self._add_average(gradients, mean, beta_2, change, calls)

    @bindable
    def momentum(
        self,
        calls: Calls,
        gradients: Array,
        velocity: Array,
        direction: Array,
        *,
        decay: float,
        nesterov: bool,
    ) -> None:
        calls.add(np.multiply, velocity, decay, velocity)
        calls.add(np.add, velocity, gradients, velocity)
        if nesterov:
            calls.add(np.multiply, velocity, decay, direction)
            calls.add(np.add, direction, gradients, direction)
        else:
            calls.copy(velocity, direction)

    def average_parameters(
        self, parameters: Array, average: Array, share: Array, overwrites: Array
    ) -> None:
        change = self.workspace("change", parameters.shape, parameters.dtype)
        np.multiply(parameters, share, out=change)
        average *= 1 - share
        average += change
        if overwrites[0]:
            np.copyto(parameters, average)

    def _add_average(
        self, gradients: Array, mean: Array, decay: float, scratch: Array, calls: Calls
    ) -> None:
        """Update a running mean of the gradients."""
        calls.add(np.multiply, gradients, 1 - decay, scratch)
        calls.add(np.multiply, mean, decay, mean)
        calls.add(np.add, mean, scratch, mean)

    def _add_average_of_squares(
        self, gradients: Array, square: Array, decay: float, scratch: Array, calls: Calls
    ) -> None:
        """Update a running mean of the gradients' squares."""
        calls.add(np.square, gradients, scratch)
        calls.add(np.multiply, scratch, 1 - decay, scratch)
        calls.add(np.multiply, square, decay, square)
        calls.add(np.add, square, scratch, square)

    def _add_decay(self, parameters: Array, rate: Array, weight_decay: float, calls: Calls) -> None:
        """Subtract from the parameters a share of them."""
        if weight_decay:
            share = self.workspace("share", (), parameters.dtype)
            decay = self.workspace("decay", parameters.shape, parameters.dtype)
            calls.add(np.multiply, rate, weight_decay, share)
            calls.add(np.multiply, parameters, share, decay)
            calls.add(np.subtract, parameters, decay, parameters)


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

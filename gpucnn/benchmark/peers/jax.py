"""JAX on the CPU: plain `jax.numpy`, a training step compiled as one function by `jax.jit`."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gpucnn.benchmark.contenders import INFERENCE, TRAINING_STEP, Learner, Tasks
from gpucnn.benchmark.peers import TrainingPeer, check_training_step
from gpucnn.benchmark.peers._in_jax import Weights, forward, mean_cross_entropy
from gpucnn.benchmark.timing import Task, host_seconds
from gpucnn.benchmark.workload import (
    LEARNING_RATE,
    TEST_BATCH,
    Labelled,
    Workload,
    full_batches,
    make_network,
)
from gpucnn.models import Model
from gpucnn.models.training import epoch_order
from gpucnn.optimizers import Adam

Variables = tuple[Weights, Weights]  # parameters, and the state of layers
Update = Callable[[Any, Weights, Weights, Any], tuple[Any, Weights]]
"""Makes of slots, parameters, gradients and a rate the next slots and parameters."""


class Peer(TrainingPeer):
    """JAX, with all images in memory as reals, normalised beforehand.

    Args:
        workload: what to compute.
        threads: how many it may use, see `limit_threads`.

    Raises:
        InvalidValueError: the loss or a gradient differs from gpucnn's.
    """

    packages: ClassVar[tuple[str, ...]] = ("jax",)

    def __init__(self, workload: Workload, threads: int) -> None:
        import jax

        limit_threads(threads)
        if workload.dtype == "float64":
            jax.config.update("jax_enable_x64", True)
        check_training_step(self.name, workload, _checked)
        self._network = make_network(workload.model, workload.dtype, "cpu", threads)
        self._train, self._test = workload.normalised()
        self.tasks: Tasks = {TRAINING_STEP: self._training_step, INFERENCE: self._inference}

    def learner(self, batch_size: int, optimizer: Adam) -> Learner:
        """See `TrainingContender.learner`."""
        return _JaxLearner(self._network, self._train, self._test, batch_size, optimizer)

    @staticmethod
    def train(
        network: Model, train: Labelled, test: Labelled | None, batch_size: int, threads: int
    ) -> None:
        """See `TrainingPeer.train`; images are bytes in memory, normalised batch by batch."""
        limit_threads(threads)
        learner = _JaxLearner(network, train, test or train, batch_size, Adam())
        learner.epoch(1, epoch_order(0, 1, len(train[0])))
        if test is not None:
            learner.accuracy()

    def _training_step(self, batch_size: int) -> Task:
        import jax.numpy as jnp

        trainer = JaxTrainer(self._network, self._train, descend)
        batches = full_batches(len(self._train[0]), batch_size)
        indices = cycle([jnp.asarray(each) for each in batches])

        def repeat(count: int) -> None:
            for _ in range(count):
                trainer.step(next(indices), LEARNING_RATE)
            trainer.wait()

        return Task(partial(repeat, 1), repeat=repeat)

    def _inference(self, batch_size: int) -> Task:
        import jax
        import jax.numpy as jnp

        variables, infer = variables_of(self._network), _inference(self._network)
        x = jnp.asarray(self._train[0][:batch_size])
        return Task(lambda: jax.block_until_ready(infer(*variables, x)))


def limit_threads(threads: int) -> None:
    """Let XLA use so many threads in this process, where it has computed nothing yet.

    Its CPU client has as many as the environment variable NPROC says when it is made.
    """
    os.environ["NPROC"] = str(threads)


# Training


class JaxTrainer:
    """Training steps of a network, each a compiled function of variables that it overwrites.

    Args:
        network: whose layers and weights to use.
        data: images (n, rows, columns, channels), real, or uint8 to be normalised batch by batch;
            labels int64 (n,).
        update: the rule of the optimizer.
        slots: what the rule keeps.

    Attributes:
        variables: as they are after the steps so far.
    """

    def __init__(self, network: Model, data: Labelled, update: Update, slots: Any = None) -> None:
        import jax
        import jax.numpy as jnp

        self.variables = variables_of(network)
        self._images, self._labels = map(jnp.asarray, data)
        self._slots = slots

        def step(
            slots: Any, variables: Variables, images: Any, labels: Any, indices: Any, rate: Any
        ) -> tuple[Any, Variables]:
            batch = _to_real(images[indices], network.dtype), labels[indices]
            (_, state), gradients = _loss_and_gradients(network)(*variables, *batch)
            slots, parameters = update(slots, variables[0], gradients, rate)
            return slots, (parameters, state)

        self._step = jax.jit(step, donate_argnums=(0, 1))

    def step(self, indices: Any, rate: float) -> None:
        """Begin a training step.

        Args:
            indices: of the images, whole numbers (n,).
            rate: the learning rate.
        """
        self._slots, self.variables = self._step(
            self._slots, self.variables, self._images, self._labels, indices, rate
        )

    def wait(self) -> None:
        """Wait until all steps are done."""
        import jax

        jax.block_until_ready((self._slots, self.variables))


def descend(slots: Any, parameters: Weights, gradients: Weights, rate: Any) -> tuple[Any, Weights]:
    """A step of gradient descent, an `Update`, which keeps nothing."""
    return slots, {name: each - rate * gradients[name] for name, each in parameters.items()}


class _JaxLearner:
    """A `Learner` that trains by Adam.

    Args:
        network: whose layers and weights to use.
        train: images, as of `JaxTrainer`, and labels.
        test: likewise.
        batch_size: images in a step.
        optimizer: whose configuration to use.
    """

    def __init__(
        self, network: Model, train: Labelled, test: Labelled, batch_size: int, optimizer: Adam
    ) -> None:
        import jax.numpy as jnp

        zeros = {name: jnp.zeros_like(each) for name, each in variables_of(network)[0].items()}
        slots = zeros, {name: each.copy() for name, each in zeros.items()}
        self._trainer = JaxTrainer(network, train, partial(_adam, optimizer), slots)
        self._test, self._batch_size = test, batch_size
        self._infer, self._dtype = _inference(network), network.dtype
        self._optimizer, self._iterations = optimizer, 0

    def epoch(self, number: int, order: NDArray[np.int64]) -> float:
        """See `Learner.epoch`."""
        return host_seconds(lambda: self._steps(order))

    def _steps(self, order: NDArray[np.int64]) -> None:
        for first in range(0, len(order), self._batch_size):
            rate, correction = self._optimizer.factors(self._iterations)
            self._trainer.step(order[first : first + self._batch_size], rate * correction)
            self._iterations += 1
        self._trainer.wait()

    def accuracy(self) -> float:
        """See `Learner.accuracy`."""
        images, labels = self._test
        found = [
            np.asarray(self._infer(*self._trainer.variables, images[first : first + TEST_BATCH]))
            for first in range(0, len(images), TEST_BATCH)
        ]
        return float((np.concatenate(found).argmax(1) == labels).mean())


def _adam(
    optimizer: Adam, slots: Any, parameters: Weights, gradients: Weights, rate: Any
) -> tuple[Any, Weights]:
    """A step of Adam, an `Update` whose rate is corrected for the means' beginning at 0."""
    import jax.numpy as jnp

    (means, squares), kept = slots, (optimizer.beta_1, optimizer.beta_2)
    means = {k: kept[0] * each + (1 - kept[0]) * gradients[k] for k, each in means.items()}
    squares = {k: kept[1] * each + (1 - kept[1]) * gradients[k] ** 2 for k, each in squares.items()}
    after = {
        name: each - rate * means[name] / (jnp.sqrt(squares[name]) + optimizer.epsilon)
        for name, each in parameters.items()
    }
    return (means, squares), after


# The network


def variables_of(network: Model) -> Variables:
    """Copies of the weights of a network: what is trained, and the rest."""
    import jax.numpy as jnp

    weights = dict(zip(network.weight_names, network.get_weights(), strict=True))
    trained = set(network.parameter_names)
    parameters = {name: jnp.array(each) for name, each in weights.items() if name in trained}
    return parameters, {k: jnp.array(each) for k, each in weights.items() if k not in trained}


def _inference(network: Model) -> Callable[..., Any]:
    """The compiled function of parameters, state and images to logits."""
    import jax

    def infer(parameters: Weights, state: Weights, images: Any) -> Any:
        x = _to_real(images, network.dtype)
        return forward(network, parameters, state, x, training=False)[0]

    compiled: Callable[..., Any] = jax.jit(infer)
    return compiled


def _loss_and_gradients(network: Model) -> Callable[..., Any]:
    """The function of parameters, state, images and labels to loss, state and gradients."""
    import jax

    def loss_of(
        parameters: Weights, state: Weights, images: Any, labels: Any
    ) -> tuple[Any, Weights]:
        logits, after = forward(network, parameters, state, images, training=True)
        return mean_cross_entropy(logits, labels), after

    differentiated: Callable[..., Any] = jax.value_and_grad(loss_of, has_aux=True)
    return differentiated


def _to_real(images: Any, dtype: Any) -> Any:
    """Real images as they are; uint8 ones normalised, see `Backend.gather_images`."""
    return images if images.dtype == dtype else images.astype(dtype) / 255 - 0.5


def _checked(
    network: Model, images: NDArray[Any], labels: NDArray[np.int64]
) -> tuple[Any, dict[str, NDArray[Any]]]:
    """JAX's loss and gradients in float64, a `LossAndGradients`."""
    import jax

    with float64():
        compute = jax.jit(_loss_and_gradients(network))
        (loss, _), gradients = compute(*variables_of(network), images, labels)
    return loss, {name: np.asarray(each) for name, each in gradients.items()}


@contextmanager
def float64() -> Iterator[None]:
    """A span in which JAX has float64, which it else makes float32 of."""
    import jax

    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)

"""Keras 3 on the CPU, with the back end that KERAS_BACKEND names: `fit`, as people write it."""

import os
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from time import perf_counter
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gpucnn.benchmark.contenders import INFERENCE, TRAINING_STEP, Learner, Tasks
from gpucnn.benchmark.peers import TrainingPeer, check_training_step
from gpucnn.benchmark.peers import jax as jax_peer
from gpucnn.benchmark.timing import Task, fastest
from gpucnn.benchmark.workload import (
    LEARNING_RATE,
    TEST_BATCH,
    Labelled,
    Workload,
    full_batches,
    make_network,
)
from gpucnn.errors import InvalidValueError
from gpucnn.losses import SparseCategoricalCrossentropy
from gpucnn.models import Model
from gpucnn.models.exchange.keras.to_keras import to_model
from gpucnn.optimizers import Adam
from gpucnn.optimizers.schedules import Schedule

VARIABLE = "KERAS_BACKEND"
BACKENDS = ("jax", "torch")  # whose threads can be limited, see `limit_threads`


class Peer(TrainingPeer):
    """Keras, with all images in memory as reals, normalised beforehand.

    A training step is that of `fit` without shuffling, from the beginning to the end of its epoch,
    as Keras's own progress bar has it. Inference is a `predict_on_batch` or a call of the model,
    whichever is faster.

    Args:
        workload: what to compute.
        threads: how many it may use, see `limit_threads`.

    Raises:
        InvalidValueError: the loss or a gradient differs from gpucnn's.
    """

    packages: ClassVar[tuple[str, ...]] = ("keras",)

    @classmethod
    def check_support(cls, model: str, dtype: str) -> None:
        """See `BasePeer.check_support`; the back end has to be named, and installed, too."""
        super().check_support(model, dtype)
        backend = os.environ.get(VARIABLE)
        if backend not in BACKENDS:
            raise InvalidValueError(
                f"keras cannot be measured, since the environment variable {VARIABLE} is "
                f"{backend!r}: set it to one of {', '.join(BACKENDS)}, or leave the peer out"
            )
        if find_spec(backend) is None:
            raise InvalidValueError(
                f"keras cannot be measured, since {backend}, its back end by {VARIABLE}, cannot be "
                f"imported: pip install {backend}, name another, or leave the peer out"
            )

    @classmethod
    def versions(cls) -> dict[str, str]:
        """See `BasePeer.versions`."""
        backend = os.environ[VARIABLE]
        return {"keras": f"{version('keras')} on {backend} {version(backend)}"}

    def __init__(self, workload: Workload, threads: int) -> None:
        limit_threads(threads)
        _set_precision("float64")
        # Some of what Keras computes with, such as an epsilon, has the digits of float32.
        check_training_step(self.name, workload, _checked, digits="float32")
        _set_precision(workload.dtype)
        self._network = make_network(workload.model, workload.dtype, "cpu", threads)
        self._train, self._test = workload.normalised()
        self.tasks: Tasks = {TRAINING_STEP: self._training_step, INFERENCE: self._inference}

    def learner(self, batch_size: int, optimizer: Adam) -> Learner:
        """See `TrainingContender.learner`."""
        return _KerasLearner(self._network, self._train, self._test, batch_size, optimizer)

    @staticmethod
    def train(
        network: Model, train: Labelled, test: Labelled | None, batch_size: int, threads: int
    ) -> None:
        """See `TrainingPeer.train`; images are bytes in memory, which a `Rescaling` normalises."""
        limit_threads(threads)
        import keras

        scaled = keras.layers.Rescaling(1 / 255, offset=-0.5)
        model = keras.Sequential([scaled, keras_model(network)])
        model.compile("adam", _loss(network.dtype), metrics=["accuracy"])
        model.fit(*train, batch_size=batch_size, verbose=0)
        if test is not None:
            model.evaluate(*test, batch_size=TEST_BATCH, verbose=0)

    def _training_step(self, batch_size: int) -> Task:
        import keras

        model, timer = keras_model(self._network), _EpochTimer()
        model.compile(keras.optimizers.SGD(LEARNING_RATE), _loss(self._network.dtype))
        order = np.concatenate(full_batches(len(self._train[0]), batch_size))

        def repeat(count: int) -> None:
            timer.fit(model, self._train, np.resize(order, count * batch_size), batch_size)

        return Task(partial(repeat, 1), clock=timer.clock, repeat=repeat)

    def _inference(self, batch_size: int) -> Task:
        from keras.ops import convert_to_numpy

        model, x = keras_model(self._network), self._train[0][:batch_size]
        tasks = [
            Task(lambda: model.predict_on_batch(x)),
            Task(lambda: convert_to_numpy(model(x, training=False))),
        ]
        return tasks[fastest(tasks)]


def limit_threads(threads: int) -> None:
    """Let the back end use so many threads in this process, where it has computed nothing yet."""
    if os.environ[VARIABLE] == "jax":
        jax_peer.limit_threads(threads)
    else:
        import torch

        torch.set_num_threads(threads)


# Training


class _EpochTimer:
    """Fits a model for epochs, and is their clock.

    An epoch is from its beginning to its end: what `fit` does before and after, once for all
    epochs, is left out.

    Attributes:
        seconds: that the last epoch took.
    """

    def __init__(self) -> None:
        import keras

        self.seconds = 0.0
        self._callback = keras.callbacks.LambdaCallback(
            on_epoch_begin=self._begin, on_epoch_end=self._end
        )

    def _begin(self, epoch: int, logs: object) -> None:
        self._began = perf_counter()

    def _end(self, epoch: int, logs: object) -> None:
        self.seconds = perf_counter() - self._began

    def fit(self, model: Any, data: Labelled, order: NDArray[np.int64], batch_size: int) -> None:
        """Train a compiled model on images in an order, int64 (n,)."""
        x, y = (part[order] for part in data)
        model.fit(x, y, batch_size, verbose=0, callbacks=[self._callback], shuffle=False)

    def clock(self, work: Callable[[], object]) -> float:
        """A `Clock` of work that fits once."""
        work()
        return self.seconds


class _KerasLearner:
    """A `Learner` that trains by Keras's Adam, configured like gpucnn's."""

    def __init__(
        self, network: Model, train: Labelled, test: Labelled, batch_size: int, optimizer: Adam
    ) -> None:
        import keras

        self._model, self._timer = keras_model(network), _EpochTimer()
        self._train, self._test, self._batch_size = train, test, batch_size
        adam = keras.optimizers.Adam(
            _rate(optimizer.learning_rate),
            optimizer.beta_1,
            optimizer.beta_2,
            optimizer.epsilon,
        )
        self._model.compile(adam, _loss(network.dtype), metrics=["accuracy"])

    def epoch(self, number: int, order: NDArray[np.int64]) -> float:
        """See `Learner.epoch`."""
        self._timer.fit(self._model, self._train, order, self._batch_size)
        return self._timer.seconds

    def accuracy(self) -> float:
        """See `Learner.accuracy`."""
        return float(self._model.evaluate(*self._test, batch_size=TEST_BATCH, verbose=0)[1])


def _rate(rate: float | Schedule) -> Any:
    """A learning rate as Keras takes it: a schedule with an end as a table of its steps."""
    import keras

    if not isinstance(rate, Schedule):
        return rate
    rates = np.array([rate(step) for step in range(int(rate.steps) + 1)], np.float32)

    class Table(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]  # of Any
        def __call__(self, step: Any) -> Any:
            last = len(rates) - 1
            return keras.ops.take(rates, keras.ops.minimum(keras.ops.cast(step, "int32"), last))

    return Table()


# The network


def keras_model(network: Model) -> Any:
    """A network as a Keras model with the same weights, which gives logits; not compiled."""
    network.compile(loss=SparseCategoricalCrossentropy(from_logits=True))  # else it ends in softmax
    return to_model(network.exported())


def _loss(dtype: "np.dtype[np.floating]") -> Any:
    import keras

    return keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype=dtype.name)


def _checked(
    network: Model, images: NDArray[Any], labels: NDArray[np.int64]
) -> tuple[Any, dict[str, NDArray[Any]]]:
    """Keras's loss and gradients, a `LossAndGradients`.

    The gradients are what a step of gradient descent with a learning rate of 1 takes away.
    """
    import keras

    model = keras_model(network)
    model.compile(keras.optimizers.SGD(1.0), _loss(network.dtype))
    before = _trained(model)
    loss = model.train_on_batch(images, labels)
    after = _trained(model)
    return loss, {name: before[name] - after[name] for name in before}


def _trained(model: Any) -> dict[str, NDArray[Any]]:
    """Copies of what is trained of a Keras model, by gpucnn's names."""
    from keras.ops import convert_to_numpy

    return {
        f"{layer.name}.{variable.name}": np.array(convert_to_numpy(variable))
        for layer in model.layers
        for variable in layer.trainable_variables
    }


def _set_precision(dtype: str) -> None:
    """Let Keras, and JAX below it, compute in a dtype, in which they else have few things."""
    import keras

    keras.config.set_floatx(dtype)
    if os.environ[VARIABLE] == "jax":
        import jax

        jax.config.update("jax_enable_x64", dtype == "float64")

"""A model in training whose operations are intercepted."""

from collections.abc import Callable
from copy import copy
from functools import partial
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.applications import TrainConfig
from gpucnn.backends import Backend
from gpucnn.datasets.device_dataset import DeviceDataset, check_images, check_labels
from gpucnn.losses import SoftmaxCrossEntropy
from gpucnn.models.replica import Replica, lay_out
from gpucnn.models.training import Trainer
from gpucnn.verification.bounds import BOUNDS, UPDATED
from gpucnn.verification.calls import Call, unset

# The methods of a backend that are not operations.
MEMORY = (
    "asarray",
    "batch_view",
    "branch",
    "copy",
    "counting",
    "empty",
    "empty_local",
    "join",
    "record",
    "session",
    "to_host",
    "to_layout",
    "workspace",
    "zeros",
)

Perform = Callable[[str, str, dict[str, Any]], None]
"""Performs an operation, given the part of the model, the operation's name and its arguments."""


class Intercepted(Backend):
    """A backend whose operations, when called from outside, are passed to `perform`.

    Args:
        backend: where the arrays live.
        perform: called instead of an operation.
        part: of the model, for which this object is the backend.
    """

    def __init__(self, backend: Backend, perform: Perform, part: str) -> None:
        super().__init__(backend.xp)
        self.device = backend.device
        self._perform, self._part = perform, part
        for name in MEMORY:
            setattr(self, name, getattr(backend, name))
        for name in BOUNDS:
            setattr(self, name, partial(self._named, name))

    def _named(self, operation: str, *args: Any, **options: Any) -> None:
        bound = signature(getattr(Backend, operation)).bind(self, *args, **options)
        bound.apply_defaults()
        arguments = {name: value for name, value in bound.arguments.items() if name != "self"}
        self._perform(self._part, operation, arguments)


def describe(backend: Backend, operation: str, arguments: dict[str, Any]) -> Call:
    """Describe a call that is about to be made on `backend`, with its arrays on the host."""

    def on_host(name: str, value: Any) -> Any:
        if not isinstance(value, backend.xp.ndarray):
            return value
        if name in BOUNDS[operation].keys() - UPDATED:
            return unset(value.shape, value.dtype)
        return backend.to_host(value)

    return Call(operation, {name: on_host(name, value) for name, value in arguments.items()})


class Learner:
    """A model in training.

    Args:
        config: what to train and how.
        images: to train on.
        labels: to train on.
        backend: where its arrays live.
        perform: performs its operations; None for `backend` itself.
    """

    def __init__(
        self,
        config: TrainConfig,
        images: NDArray[Any],
        labels: NDArray[Any],
        backend: Backend,
        perform: Perform | None = None,
    ) -> None:
        def serve(part: str) -> Backend:
            return backend if perform is None else Intercepted(backend, perform, part)

        model = config.make_model(len(images))
        x = check_images(images, model.input_shape, model.dtype)
        y = check_labels(labels, len(x), model.classes)
        layers = [copy(layer) for layer in model.layers]
        replica = Replica(layers, serve("the model"), model.input_shape, model.dtype)
        for parameter, weights in zip(lay_out(layers), model.get_weights(), strict=True):
            backend.copy(weights, parameter.view(replica.parameters))
        for layer in layers:
            layer.backend = serve(layer.name)
        replica.loss = SoftmaxCrossEntropy(serve("the loss"), model.classes, model.dtype)
        optimizer = copy(model.optimizer)
        optimizer.place(serve("the optimizer"), replica.parameters)
        data = DeviceDataset(serve("the batch"), model.dtype, x, y)
        self._backend = backend
        self._trainer = Trainer(replica, optimizer, data, config.batch_size)

    def step(self, indices: NDArray[np.int64]) -> float:
        """Take a training step on the batch `indices`, int64 (n,); returns its mean loss."""
        with self._backend.session():
            self._trainer.begin(indices)
            self._trainer.run([0])
        return self._trainer.means().loss

"""A model in training whose operations are intercepted."""

from collections.abc import Callable
from copy import copy
from functools import partial
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.applications import TrainConfig
from gpucnn.backends import Array, Backend, ConvReluPoolPlan
from gpucnn.datasets.device_dataset import DeviceDataset, check_images
from gpucnn.datasets.parts import shape_of_one
from gpucnn.losses import DEFAULT, PlacedLoss
from gpucnn.models import MNIST_CLASSES
from gpucnn.models.graph import copied, layers_of
from gpucnn.models.replica import Replica, in_layer_order
from gpucnn.models.training import Trainer
from gpucnn.verification.bounds import BOUNDS, overwritten
from gpucnn.verification.calls import Call, unset

# The methods of a backend that are not operations.
MEMORY = (
    "across",
    "as_operand",
    "asarray",
    "batch_view",
    "branch",
    "call",
    "copy",
    "counting",
    "empty",
    "empty_local",
    "join",
    "record",
    "records",
    "session",
    "session_of",
    "to_host",
    "to_layout",
    "workspace",
    "zeros",
)

FUSION = (
    "can_fuse",
    "can_fuse_classifier",
    "can_fuse_dense",
    "can_fuse_gather",
    "can_fuse_head",
    "conv_relu_pool_buffers",
    "conv_relu_pool_order",
    "conv_relu_pool_plan",
    "images_at_once",
)
"""The methods that decide what runs as one operation, and on how many images."""

BINDING = (
    "bind_conv2d_relu_max_pool",
    "bind_dense",
    "bind_flattening",
    "bind_layout",
    "bind_normalization",
    "bind_softmax",
)
"""The methods that bind operations for inference, which come one by one where intercepted."""

Perform = Callable[[str, str, dict[str, Any]], None]
"""Performs an operation, given the part of the model, the operation's name and its arguments."""


class Intercepted(Backend):
    """A backend whose operations, when called from outside, are passed to `perform`.

    Args:
        backend: where the arrays live.
        perform: called instead of an operation.
        part: of the model, for which this object is the backend.
        fuses: whether layers are fused as on `backend`, or each operation comes by itself.
    """

    def __init__(
        self, backend: Backend, perform: Perform, part: str, *, fuses: bool = False
    ) -> None:
        super().__init__(backend.xp)
        self.device = backend.device
        self._perform, self._part = perform, part
        self._forward: dict[int, dict[str, Array]] = {}  # by plan, what was last given for it
        for name in (*MEMORY, *FUSION) if fuses else MEMORY:
            setattr(self, name, getattr(backend, name))
        for name in BOUNDS:
            setattr(self, name, partial(self._named, name))

    def _named(self, operation: str, *args: Any, **options: Any) -> None:
        bound = signature(getattr(Backend, operation)).bind(self, *args, **options)
        bound.apply_defaults()
        arguments = {name: value for name, value in bound.arguments.items() if name != "self"}
        self._perform(self._part, operation, arguments | self._of_forward(operation, arguments))

    def _of_forward(self, operation: str, arguments: dict[str, Any]) -> dict[str, Array]:
        """For the gradients that follow a forward pass, what that was given besides."""
        if operation == "conv2d_relu_max_pool":
            given = {name: arguments[name] for name in ("x", "bias")}
            self._forward[id(arguments["plan"])] = given
        if operation == "gathered_conv2d_relu_max_pool":
            given = {name: arguments[name] for name in ("images", "indices", "bias")}
            self._forward[id(arguments["plan"])] = given
        if operation == "conv2d_relu_max_pool_gradients":
            return self._forward[id(arguments["plan"])]
        return {}


def describe(backend: Backend, operation: str, arguments: dict[str, Any]) -> Call:
    """Describe a call that is about to be made on `backend`, with its arrays on the host."""

    def on_host(name: str, value: Any) -> Any:
        if isinstance(value, ConvReluPoolPlan):
            return value.fused
        if not isinstance(value, backend.xp.ndarray):
            return value
        if name in overwritten(operation):
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
        perform: performs its operations; None for `backend` itself, which may record them.
        fuses: whether layers are fused for `perform` as they are on `backend`.
        classes: of the images.
    """

    def __init__(
        self,
        config: TrainConfig,
        images: NDArray[Any],
        labels: NDArray[Any],
        backend: Backend,
        perform: Perform | None = None,
        *,
        fuses: bool = False,
        classes: int = MNIST_CLASSES,
    ) -> None:
        def serve(part: str) -> Backend:
            return backend if perform is None else Intercepted(backend, perform, part, fuses=fuses)

        model = config.make_model(len(images), shape_of_one(images), classes)
        x = check_images(images, model.input_shape, model.dtype)
        y = DEFAULT.labels(labels, len(x), model.classes)
        stretches = copied(model.replica.stretches)
        layers = layers_of(stretches)
        replica = Replica(stretches, serve("the model"), model.input_shape, model.dtype)
        replica.load(in_layer_order(layers), model.get_weights())
        for layer in {*layers, *replica.layers}:
            layer.backend = serve(layer.name)
        replica.lane.loss = PlacedLoss(DEFAULT, serve("the loss"), model.classes, model.dtype)
        optimizer = copy(model.optimizer)
        optimizer.place(serve("the optimizer"), replica.parameters, replica.layout)
        data = DeviceDataset(serve("the batch"), model.dtype, x, y)
        self._backend = backend
        self._trainer = Trainer(replica, optimizer, data, config.batch_size)

    def step(self, indices: NDArray[np.int64]) -> float:
        """Take a training step on the batch `indices`, int64 (n,); returns its mean loss."""
        with self._backend.session():
            self._trainer.begin(indices)
            self._trainer.run([0])
        return self._trainer.means().loss

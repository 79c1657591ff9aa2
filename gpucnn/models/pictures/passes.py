"""Passes through the layers of a model one by one, to look at what is between them."""

from collections.abc import Iterator
from copy import copy
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, BatchMemory, Buffer
from gpucnn.datasets.device_dataset import DeviceDataset
from gpucnn.layers import Layer, Step, is_of_whole_batch
from gpucnn.models.network import Network
from gpucnn.models.replica import Replica, in_layer_order


class Saliency(NamedTuple):
    """What the score of the class that a model predicts depends on.

    Attributes:
        gradients: real (n, *input_shape), of each image's score with respect to its pixels.
        classes: int64 (n,), the class.
    """

    gradients: NDArray[Any]
    classes: NDArray[np.int64]


def feature_maps(network: Network, image: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """What each layer makes of an image, by its name, where that is an image and another.

    Args:
        network: as it is in inference.
        image: a batch of one, checked.

    Returns:
        real (height, width, channels) each.
    """
    replica = _copy(network)
    backend = replica.backend
    with backend.session():
        outputs = _forward(replica, _load(replica, image))
        return {
            layer.name: backend.to_host(output)[0].copy()
            for layer, output in outputs
            if len(layer.output_shape) == 3
        }


def saliency(network: Network, images: NDArray[Any]) -> Saliency:
    """The gradients of the scores of the predicted classes with respect to the pixels.

    Simonyan, Vedaldi and Zisserman, "Deep inside convolutional networks", ICLR workshop 2014. The
    score is what the last layer gives, before softmax. The pixels are those that the first layer
    sees.

    Args:
        network: as it is in inference.
        images: a batch, checked.
    """
    replica = _copy(network)
    backend = replica.backend
    with backend.session():
        passed = list(_forward(replica, _load(replica, images)))
        scores = backend.to_host(passed[-1][1])
        classes = scores.argmax(axis=1)
        gradient = BatchMemory(backend, Buffer(scores.shape[1:]), replica.dtype)[len(images)]
        backend.copy(np.eye(scores.shape[1], dtype=replica.dtype)[classes], gradient)
        found = _backward([layer for layer, _ in passed], gradient)
        return Saliency(np.array(backend.to_host(found)), classes)


def _copy(network: Network) -> Replica:
    """The network with weights and memory of its own, whose layers give gradients of all inputs."""
    layers = [copy(layer) for layer in network.replica.plain]
    for layer in layers:
        layer.needs_input_gradient = True
    of_model = network.input_shape, network.dtype, network.replica.objective
    replica = Replica(layers, network.backend.twin(), *of_model)
    replica.load(in_layer_order(layers), network.get_weights())
    return replica


def _load(replica: Replica, images: NDArray[Any]) -> Array:
    """The images as the first layer takes them, with memory for them in each layer."""
    for layer in replica.plain:
        layer.reserve(len(images), training=True)
    data = DeviceDataset(replica.backend, replica.dtype, images)
    indices = replica.backend.asarray(np.arange(len(images), dtype=np.int64))
    return replica.lane.load(data, indices)


def _forward(replica: Replica, x: Array) -> Iterator[tuple[Layer, Array]]:
    """Each layer that changes its input in inference, with its output, up to the scores."""
    layers = replica.plain
    for layer in layers[: len(layers) - replica.objective.omits_last]:
        output = layer.forward(x, None if is_of_whole_batch(layer) else Step())
        if layer.is_own:
            output = layer.as_operand(output, (len(x), *layer.output_shape))
        if output is not x:
            yield layer, output
        x = output


def _backward(layers: list[Layer], gradient: Array) -> Array:
    """The gradient of the input of layers, given that of their output."""
    for layer in reversed(layers):
        back = layer.infer_gradient if is_of_whole_batch(layer) else layer.backward
        found = back(gradient)
        if layer.is_own:
            found = layer.as_operand(found, (len(gradient), *layer.input_shape))
        assert found is not None  # as `_copy` has asked for
        gradient = found
    return gradient

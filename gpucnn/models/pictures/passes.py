"""Passes through the layers of a model one by one, to look at what is between them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, BatchMemory, Buffer
from gpucnn.datasets.device_dataset import DeviceDataset
from gpucnn.layers import Layer, Step, is_of_whole_batch
from gpucnn.models.graph import IMAGES, Stretch, copied, layers_of
from gpucnn.models.network import Network
from gpucnn.models.replica import Replica, in_layer_order
from gpucnn.models.replica.passes import Gradients, Totals, gradient_of, output_of, taken


class Saliency(NamedTuple):
    """What the score of the class that a model predicts depends on.

    Attributes:
        gradients: real (n, *input_shape), of each image's score with respect to its pixels.
        classes: int64 (n,), the class.
    """

    gradients: NDArray[Any]
    classes: NDArray[np.int64]


class Explanation(NamedTuple):
    """What a model makes of images, and what it looks at in them.

    Attributes:
        maps: real (n, height, width, channels), by the name of the layer, see `feature_maps`.
        saliency: see there.
    """

    maps: dict[str, NDArray[Any]]
    saliency: Saliency


def feature_maps(network: Network, image: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """What each layer makes of an image, by its name, where that is an image and another.

    Args:
        network: as it is in inference.
        image: a batch of one, checked.

    Returns:
        real (height, width, channels) each.
    """
    return {name: maps[0] for name, maps in Probe(network).feature_maps(image).items()}


def saliency(network: Network, images: NDArray[Any]) -> Saliency:
    """The gradients of the scores of the predicted classes with respect to the pixels.

    Simonyan, Vedaldi and Zisserman, "Deep inside convolutional networks", ICLR workshop 2014. The
    score is what the last layer gives, before softmax. The pixels are those that the first layer
    sees.

    Args:
        network: as it is in inference.
        images: a batch, checked.
    """
    return Probe(network).explain(images).saliency


class Probe:
    """A network with weights and memory of its own, whose layers give gradients of all inputs.

    One thread may use it at a time.

    Args:
        network: as it is in inference; what becomes of it later changes nothing.
    """

    def __init__(self, network: Network) -> None:
        stretches = copied(network.replica.stretches)
        layers = layers_of(stretches)
        for layer in layers:
            layer.needs_input_gradient = True
        backend, shape, dtype = network.backend.twin(), network.input_shape, network.dtype
        self._replica = Replica(stretches, backend, shape, dtype, network.replica.objective)
        self._replica.load(in_layer_order(layers), network.get_weights())
        self._totals = Totals(stretches, backend, shape, dtype, of_images=True)

    def feature_maps(self, images: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """As the function, of a checked batch: real (n, height, width, channels) each."""
        with self._replica.backend.session():
            return self._passed(images)[0]

    def explain(self, images: NDArray[Any]) -> Explanation:
        """Feature maps and saliency of a checked batch, in one pass."""
        replica, backend = self._replica, self._replica.backend
        with backend.session():
            maps, ran, scores = self._passed(images)
            classes = scores.argmax(axis=1)
            gradient = BatchMemory(backend, Buffer(scores.shape[1:]), replica.dtype)[len(images)]
            backend.copy(np.eye(scores.shape[1], dtype=replica.dtype)[classes], gradient)
            found = _backward(ran, gradient, self._totals)
            return Explanation(maps, Saliency(np.array(backend.to_host(found)), classes))

    def _passed(
        self, images: NDArray[Any]
    ) -> tuple[dict[str, NDArray[Any]], list[Stretch], NDArray[Any]]:
        """The feature maps, the layers that change their input, and the scores (n, outputs)."""
        replica, backend = self._replica, self._replica.backend
        maps, ran = {}, []
        outputs = {IMAGES: _load(replica, images)}
        for number, stretch in enumerate(_without_end(replica)):
            x, layers = taken(stretch.inputs, outputs), []
            for layer in stretch.layers:
                output = _forward(layer, x, len(images))
                if output is not x:
                    layers.append(layer)
                    if len(layer.output_shape) == 3:
                        maps[layer.name] = backend.to_host(output).copy()
                x = output
            outputs[number] = x
            ran.append(stretch._replace(layers=tuple(layers)))
        return maps, ran, backend.to_host(x)


def _load(replica: Replica, images: NDArray[Any]) -> Array:
    """The images as the first layer takes them, with memory for them in each layer."""
    for layer in replica.plain:
        layer.reserve(len(images), training=True)
    data = DeviceDataset(replica.backend, replica.dtype, images)
    indices = replica.backend.asarray(np.arange(len(images), dtype=np.int64))
    return replica.lane.load(data, indices)


def _without_end(replica: Replica) -> list[Stretch]:
    """The stretches of a replica, unfused, up to the scores."""
    *others, end = replica.stretches
    kept = len(end.layers) - replica.objective.omits_last
    return [*others, end._replace(layers=end.layers[:kept])]


def _forward(layer: Layer, x: Any, images: int) -> Array:
    """What a layer gives in inference, and keeps for the gradient."""
    output = layer.forward(x, None if is_of_whole_batch(layer) else Step())
    return output_of(layer, output, images) if layer.is_own else output


def _backward(stretches: Sequence[Stretch], gradient: Array, totals: Totals) -> Array:
    """The gradient of the images, given that of the output of the last of stretches."""
    gradients: Gradients = {len(stretches) - 1: gradient}
    for number in reversed(range(len(stretches))):
        found: Any = gradients[number]
        for layer in reversed(stretches[number].layers):
            back = layer.infer_gradient if is_of_whole_batch(layer) else layer.backward
            above = found
            found = back(above)
            if layer.is_own:
                found = gradient_of(layer, found, len(above))
        totals.add(stretches[number].inputs, found, gradients)
    of_images = gradients[IMAGES]
    assert of_images is not None  # as the constructor has asked for
    return of_images

"""Each layer timed by itself, on one thread."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from gpucnn.backends import Array
from gpucnn.benchmark.costs import bytes_moved, operations
from gpucnn.benchmark.networks import Data
from gpucnn.benchmark.report import LayerMeasurement
from gpucnn.benchmark.timing import Sampler, Task, clock_of, take_turns
from gpucnn.datasets.device_dataset import Batches
from gpucnn.layers import Layer, Step
from gpucnn.models.sequential import Sequential

SHORTEST = 0.01  # seconds of a sample


class Call(NamedTuple):
    """A direction of a layer, and what does it once."""

    layer: Layer
    direction: str
    do: Callable[[], object]


def measure_layers(
    network: Sequential, data: Data, batch_size: int, rounds: int
) -> list[LayerMeasurement]:
    """The layers of a network on one thread, forward and backward; without those that move nothing.

    A batch goes through the layers in microbatches that suit the device. The largest is timed, and
    its seconds are told in proportion to the batch.
    """
    backend, replica = network.backend, network.replica
    microbatches = replica.microbatches(slice(0, batch_size))
    piece = max(each.stop - each.start for each in microbatches)
    with backend.session():
        calls = _calls(network, data, piece)
    tasks = [Task(call.do, backend.session, clock_of(backend)) for call in calls]
    seconds = take_turns([Sampler(task, SHORTEST) for task in tasks], rounds)
    return [
        LayerMeasurement(
            backend.device,
            layer.name,
            direction,
            batch_size,
            [each * batch_size / piece for each in mine],
            operations(layer, direction, batch_size),
            bytes_moved(layer, direction, batch_size),
        )
        for (layer, direction, _), mine in zip(calls, seconds, strict=True)
    ]


def _calls(network: Sequential, data: Data, images: int) -> list[Call]:
    """Every layer's forward in order, then every backward in its order, with what they are given.

    What a layer gives is memory that stays, so that one pass leaves behind what all calls need.
    """
    replica = network.replica
    replica.reserve(images, training=True)
    batches = Batches(network.backend, network.dtype, *data[0])
    indices = network.backend.asarray(np.arange(images, dtype=np.int64))
    x = replica.load(batches, indices)
    forward = []
    for layer in replica.layers:
        forward.append(Call(layer, "forward", partial(layer.forward, x, Step())))
        x = layer.forward(x, Step())
    losses, correct = (network.backend.empty((images,), network.dtype) for _ in range(2))
    labels = replica.load_labels(batches, indices)
    gradient: Array | None = replica.loss.gradient(x, labels, losses, correct, images)
    backward = []
    for layer in reversed(replica.layers):
        if gradient is None:
            break
        backward.append(Call(layer, "backward", partial(layer.backward, gradient)))
        gradient = layer.backward(gradient)
    calls = [*forward, *backward]
    return [each for each in calls if bytes_moved(each.layer, each.direction, images)]

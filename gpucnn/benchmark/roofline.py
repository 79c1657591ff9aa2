"""Rooflines: what a device reaches at most, what each layer needs at least, and what it takes.

The peak arithmetic rate and the bandwidth of a device bound the time of any computation by its
operations and the bytes that it moves (Williams, Waterman and Patterson, "Roofline: an insightful
visual performance model for multicore architectures", Communications of the ACM, 2009).
"""

from collections.abc import Callable
from functools import partial
from math import prod
from typing import NamedTuple

import numpy as np

from gpucnn.backends import Array, Backend
from gpucnn.benchmark.report import CACHED_BYTES, LayerMeasurement, Roofline
from gpucnn.benchmark.timing import Sampler, Task, clock_of, repeat, take_turns
from gpucnn.benchmark.workload import Data
from gpucnn.datasets.device_dataset import DeviceDataset
from gpucnn.layers import (
    Add,
    AveragePooling2D,
    Concatenate,
    FusedConv2D,
    FusedDense,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Layer,
    MaxPool2D,
    MergingLayer,
    Step,
)
from gpucnn.layers.affine import Affine
from gpucnn.layers.preprocessing.rescaling import Scaling
from gpucnn.layers.reshaping import Framing, Reshaping
from gpucnn.models import Model
from gpucnn.models.graph import IMAGES
from gpucnn.models.replica import Replica
from gpucnn.models.replica.passes import taken

REPEATS = 5  # of a product or copy, of which the fastest counts
REPEATS_ON_GPU = 20  # of a product or copy between two events, so that their own time is nothing
LEAST_SECONDS = 0.01  # for which a product has to last to be large enough
SIZES = (64, 128, 256, 512, 1024, 2048, 4096, 8192)  # of the products, until one is large enough
COPIED = 128 * 2**20  # bytes, well above the size of a last-level cache
COPIED_ON_GPU = 2**30  # bytes, as a GPU is so much faster
CACHED_AT_LEAST = 2**23  # bytes of all calls that are timed at once, where few are in a cache
SHORTEST = 0.01  # seconds of a sample of a layer


# What a device reaches at most


def measure_roofline(backend: Backend, dtype: str) -> Roofline:
    """Measure the peak arithmetic rate in `dtype` and the bandwidth of a backend.

    On a GPU they are those of cuBLAS and of CUDA's own copy, the best there is to compare with.

    Args:
        backend: with one thread, or a GPU.
        dtype: "float32" or "float64".
    """
    with backend.session():
        cached = [] if _is_gpu(backend) else _cached(backend, dtype)
        return Roofline(backend.device, _flops(backend, dtype), _bandwidth(backend, dtype), cached)


def _flops(backend: Backend, dtype: str) -> float:
    """Operations per second in a square product: the first that lasts long, or the largest."""
    matmul = backend.xp.matmul if _is_gpu(backend) else backend.matmul
    for size in SIZES:
        a, b, out = (backend.asarray(np.full((size, size), 0.5, dtype)) for _ in range(3))
        seconds = _fastest(backend, partial(matmul, a, b, out=out))
        if seconds >= LEAST_SECONDS:
            break
    return 2 * size**3 / seconds


def _bandwidth(backend: Backend, dtype: str) -> float:
    """Bytes per second in a copy, read and written."""
    copied = COPIED_ON_GPU if _is_gpu(backend) else COPIED
    count = copied // np.dtype(dtype).itemsize
    source, out = backend.zeros((count,), dtype), backend.zeros((count,), dtype)
    source.fill(1)  # pages that were never written to may not be in memory
    is_gpu = _is_gpu(backend)
    copy = partial(backend.xp.copyto, out, source) if is_gpu else partial(backend.copy, source, out)
    return 2 * copied / _fastest(backend, copy)


def _cached(backend: Backend, dtype: str) -> list[float]:
    """Bytes per second of each of `CACHED_BYTES`: of two arrays in a scalar product, or a copy."""
    rates = []
    for size in CACHED_BYTES:
        ones = np.ones(size // 2 // np.dtype(dtype).itemsize, dtype)  # zeros may be no memory
        a, b = backend.asarray(ones), backend.asarray(ones.copy())
        count = max(CACHED_AT_LEAST // size, 1)
        calls = partial(np.dot, a, b), partial(backend.copy, a, b)
        seconds = min(_fastest(backend, partial(repeat, each, count)) for each in calls)
        rates.append(size * count / seconds)
    return rates


def _fastest(backend: Backend, call: Callable[[], object]) -> float:
    """The seconds of a call: the least of several samples."""
    clock, count = clock_of(backend), REPEATS_ON_GPU if _is_gpu(backend) else 1
    call()  # warm-up
    return min(clock(partial(repeat, call, count)) for _ in range(REPEATS)) / count


def _is_gpu(backend: Backend) -> bool:
    return backend.xp is not np


# What a layer needs at least


def operations(layer: Layer, direction: str, batch: int) -> int:
    """The least floating-point operations of a placed layer for a batch.

    A comparison, an addition and a multiplication count as one each, a multiply-add as two. The
    bias takes the place of the addition that a sum of k products does not need.

    Args:
        layer: of any kind but those that are random.
        direction: "forward" or "backward".
        batch: the number of images.
    """
    count = _forward if direction == "forward" else _backward
    return batch * sum(count(part) for part in _parts(layer))


def bytes_moved(layer: Layer, direction: str, batch: int) -> int:
    """The least bytes that a placed layer moves for a batch; arguments as of `operations`.

    Forward, these are the inputs, the parameters and the outputs, once each. Backward, they are the
    gradient of the output, and that of the input where it is needed; for layers with parameters
    also the input, the parameters and their gradients. What ReLU and pooling have to remember of
    the forward pass is a bit or two for each element, and not counted. A layer that fuses others,
    see `fuse`, moves nothing between them. The gradient of each term of a sum is that of the sum.
    """
    if isinstance(layer, Reshaping) or (isinstance(layer, Add) and direction == "backward"):
        return 0
    shapes = layer.input_shapes if isinstance(layer, MergingLayer) else (layer.input_shape,)
    inputs, outputs = sum(map(prod, shapes)), prod(layer.output_shape)
    parameters = sum(each.size for each in layer.parameters.values())
    if direction == "forward":
        numbers = batch * (inputs + outputs) + parameters
    else:
        input_gradient = inputs if layer.needs_input_gradient else 0
        input_read = inputs if layer.has_parameters else 0
        parameters_read = parameters if layer.needs_input_gradient else 0
        numbers = batch * (outputs + input_gradient + input_read) + parameters_read + parameters
    return numbers * layer.real.itemsize


def _parts(layer: Layer) -> tuple[Layer, ...]:
    return layer.parts if isinstance(layer, (FusedConv2D, FusedDense)) else (layer,)


def _forward(layer: Layer) -> int:
    """The operations of a forward pass for one image."""
    if isinstance(layer, Affine):
        return 2 * layer.multiply_adds()
    if isinstance(layer, (MaxPool2D, GlobalMaxPooling2D)):
        return (layer.window.elements - 1) * prod(layer.output_shape)
    if isinstance(layer, (AveragePooling2D, GlobalAveragePooling2D)):  # and a division
        return layer.window.elements * prod(layer.output_shape)
    if isinstance(layer, Scaling):
        return 2 * prod(layer.output_shape)
    if isinstance(layer, Add):
        return (len(layer.input_shapes) - 1) * prod(layer.output_shape)
    return _elementwise(layer)


def _backward(layer: Layer) -> int:
    """The operations of a backward pass for one image."""
    if isinstance(layer, Affine):
        products = 2 if layer.needs_input_gradient else 1
        return 2 * products * layer.multiply_adds() + prod(layer.output_shape)
    if isinstance(layer, Add):
        return 0
    return _elementwise(layer) if layer.needs_input_gradient else 0


def _elementwise(layer: Layer) -> int:
    moves = isinstance(layer, (Reshaping, Framing, Concatenate))
    return 0 if moves else prod(layer.output_shape)


# What a layer takes


class Call(NamedTuple):
    """One direction of a layer, and a function that runs it once."""

    layer: Layer
    direction: str
    run: Callable[[], object]


def measure_layers(
    network: Model, data: Data, batch_size: int, rounds: int
) -> list[LayerMeasurement]:
    """Time each layer by itself, forward and backward, but for those that move no data.

    A batch goes through the layers in microbatches that suit the device. The largest is timed, and
    its seconds are scaled to the batch.

    Args:
        network: on one thread, or on a GPU.
        data: the training set and the test set.
        batch_size: images in a batch.
        rounds: how many times each measurement is repeated.
    """
    backend, replica = network.backend, network.replica
    microbatches = replica.microbatches(slice(0, batch_size))
    images = max(each.stop - each.start for each in microbatches)
    with backend.session():
        calls = _calls(network, data, images)
    tasks = [Task(call.run, backend.session, clock_of(backend)) for call in calls]
    seconds = take_turns([Sampler(task, SHORTEST) for task in tasks], rounds)
    return [
        LayerMeasurement(
            backend.device,
            layer.name,
            direction,
            batch_size,
            [each * batch_size / images for each in mine],
            operations(layer, direction, batch_size),
            bytes_moved(layer, direction, batch_size),
            bytes_moved(layer, direction, images),
        )
        for (layer, direction, _), mine in zip(calls, seconds, strict=True)
    ]


def _calls(network: Model, data: Data, images: int) -> list[Call]:
    """The forward call of each layer in order, then the backward calls in reverse order.

    Layers return buffers that they keep, so one pass through the network leaves every call its
    inputs.
    """
    replica = network.replica
    replica.reserve(images, training=True)
    dataset = DeviceDataset(network.backend, network.dtype, *data[0])
    indices = network.backend.asarray(np.arange(images, dtype=np.int64))
    forward, logits = _forward_calls(replica, replica.lane.load(dataset, indices))
    losses, correct = (network.backend.empty((images,), network.dtype) for _ in range(2))
    labels = replica.lane.load_labels(dataset, indices)
    gradient = replica.lane.loss.gradient(logits, labels, losses, correct, images)
    calls = [*forward, *_backward_calls(replica, gradient)]
    return [each for each in calls if bytes_moved(each.layer, each.direction, images)]


def _forward_calls(replica: Replica, images: Array) -> tuple[list[Call], Array]:
    """The calls, each of which has been made once, and what the last one gave."""
    calls: list[Call] = []
    outputs = {IMAGES: images}
    for number, stretch in enumerate(replica.lane.stretches):
        x = taken(stretch.inputs, outputs)
        for layer in stretch.layers:
            calls.append(Call(layer, "forward", partial(layer.forward, x, Step())))
            x = layer.forward(x, Step())
        outputs[number] = x
    return calls, x


def _backward_calls(replica: Replica, gradient: Array) -> list[Call]:
    """The same, given the gradient of the loss with respect to the logits."""
    calls: list[Call] = []
    stretches = replica.lane.stretches
    gradients: dict[int, Array | None] = {len(stretches) - 1: gradient}
    for number in reversed(range(len(stretches))):
        found = gradients.get(number)
        for layer in reversed(stretches[number].layers):
            if found is None:
                break
            calls.append(Call(layer, "backward", partial(layer.backward, found)))
            found = layer.backward(found)
        if found is not None:
            replica.lane.totals.add(stretches[number].inputs, found, gradients)
    return calls

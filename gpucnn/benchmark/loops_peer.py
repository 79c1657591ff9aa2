"""The notebook's network in plain loops, as the notebook computes it: where gpucnn began.

One convolution step is a product of two small arrays, as in the notebook; around it stand Python's
loops over images, rows, columns and filters. Its max-pooling passes gradients to the maximum alone,
like gpucnn's and unlike the notebook's (see `gpucnn.notebook.max_pooling_backprop`), which takes
about the same time.
"""

from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from gpucnn.benchmark.agreement import check_agreement
from gpucnn.benchmark.networks import Data, make_network, normalise
from gpucnn.benchmark.plan import Plan
from gpucnn.benchmark.subjects import LEARNING_RATE, TRAINING_STEP, Tasks, some_batches
from gpucnn.benchmark.timing import Task

CHECKED = 2  # images that the peer is checked with

Reals = NDArray[np.floating]


class LoopsPeer:
    """The loops as a `Subject`, on one thread, for the training steps of the notebook's network.

    Args:
        plan: what is measured, whose model is "notebook".
        data: to train on and to test on, see `load_data`.

    Raises:
        InvalidValueError: they do not compute what gpucnn does.
    """

    name = "loops"

    def __init__(self, plan: Plan, data: Data) -> None:
        network = make_network(plan.model, plan.dtype, "cpu", 1)
        (images, self._labels), _ = data
        self._images = normalise(images, network.dtype)[..., 0]
        self._weights = network.get_weights()
        _, theirs = network.loss_and_gradients(images[:CHECKED], self._labels[:CHECKED])
        ours = gradients(self._images[:CHECKED], self._labels[:CHECKED], self._weights)
        for name, one, other in zip(network.parameter_names, ours, theirs, strict=True):
            check_agreement(self.name, f"gradient of {name}", one, other)
        self.tasks: Tasks = {TRAINING_STEP: self._training_step}

    def _training_step(self, batch_size: int) -> Task:
        batches = cycle(some_batches(len(self._labels), batch_size))
        weights = [each.copy() for each in self._weights]

        def step() -> None:
            batch = next(batches)
            of_weights = gradients(self._images[batch], self._labels[batch], weights)
            for values, gradient in zip(weights, of_weights, strict=True):
                values -= LEARNING_RATE * gradient

        return Task(step)


def gradients(x: Reals, labels: NDArray[np.int64], weights: list[Reals]) -> list[Reals]:
    """The gradients of the mean loss.

    Args:
        x: (n, h, w).
        labels: (n,).
        weights: the kernel (3, 3, 1, filters) and bias of the convolution, and those of the dense
            layer.
    """
    kernel, bias, dense_kernel, dense_bias = weights
    z = _convolve(x, kernel[:, :, 0], bias)
    rectified = np.maximum(z, 0)
    pooled = _max_pool(rectified)
    flat = pooled.reshape(len(x), -1)
    delta = np.array([_softmax(row @ dense_kernel + dense_bias) for row in flat])
    for row, label in zip(delta, labels, strict=True):
        row[label] -= 1
    delta /= len(x)
    delta_pooled = (delta @ dense_kernel.T).reshape(pooled.shape)
    delta_z = _max_pool_gradient(delta_pooled, rectified) * (z > 0)
    kernel_gradient, bias_gradient = _convolve_gradients(delta_z, x, kernel.shape[:2])
    return [kernel_gradient[:, :, None], bias_gradient, flat.T @ delta, delta.sum(axis=0)]


def _convolve(x: Reals, kernel: Reals, bias: Reals) -> Reals:
    """(n, h, w) and a kernel (size, size, filters) make (n, oh, ow, filters)."""
    size, _, filters = kernel.shape
    rows, columns = x.shape[1] - size + 1, x.shape[2] - size + 1
    z = np.empty((len(x), rows, columns, filters), x.dtype)
    for i, row, column, f in np.ndindex(z.shape):
        seen = x[i, row : row + size, column : column + size]
        z[i, row, column, f] = np.sum(seen * kernel[:, :, f]) + bias[f]
    return z


def _softmax(row: Reals) -> Reals:
    exponentials = np.exp(row - row.max())
    probabilities: Reals = exponentials / exponentials.sum()
    return probabilities


def _max_pool(a: Reals) -> Reals:
    images, height, width, filters = a.shape
    pooled = np.empty((images, height // 2, width // 2, filters), a.dtype)
    for i, row, column, f in np.ndindex(pooled.shape):
        window = a[i, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2, f]
        pooled[i, row, column, f] = window.max()
    return pooled


def _max_pool_gradient(delta: Reals, a: Reals) -> Reals:
    gradient = np.zeros_like(a)
    for i, row, column, f in np.ndindex(delta.shape):
        window = a[i, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2, f]
        down, across = divmod(int(window.argmax()), 2)
        gradient[i, 2 * row + down, 2 * column + across, f] = delta[i, row, column, f]
    return gradient


def _convolve_gradients(delta: Reals, x: Reals, size: tuple[int, ...]) -> tuple[Reals, Reals]:
    height, width = size
    kernel_gradient = np.zeros((height, width, delta.shape[3]), x.dtype)
    bias_gradient = np.zeros(delta.shape[3], x.dtype)
    for i, row, column, f in np.ndindex(delta.shape):
        seen = x[i, row : row + height, column : column + width]
        kernel_gradient[:, :, f] += delta[i, row, column, f] * seen
        bias_gradient[f] += delta[i, row, column, f]
    return kernel_gradient, bias_gradient

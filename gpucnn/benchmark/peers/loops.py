"""The notebook's network in plain Python loops, as the notebook computes it.

As in the notebook, an output of the convolution is one product of two small arrays, within loops
over images, rows, columns and filters. Max-pooling passes gradients to the maximum alone, like
gpucnn's and unlike the notebook's (see `gpucnn.notebook.max_pooling_backprop`), which takes about
the same time.
"""

from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from gpucnn.benchmark.contenders import TRAINING_STEP, Tasks
from gpucnn.benchmark.peers import BasePeer, check_agreement
from gpucnn.benchmark.timing import Task
from gpucnn.benchmark.workload import (
    LEARNING_RATE,
    Workload,
    full_batches,
    make_network,
    normalise,
)
from gpucnn.errors import InvalidValueError

CHECKED = 2  # images with which the peer is checked

Reals = NDArray[np.floating]


class Peer(BasePeer):
    """Training steps of the notebook's network only, on one thread.

    Args:
        workload: what to compute; its model is "notebook".
        threads: ignored.

    Raises:
        InvalidValueError: the loops do not compute what gpucnn computes.
    """

    @classmethod
    def check_support(cls, model: str, dtype: str) -> None:
        """See `BasePeer.check_support`; the notebook's network alone is supported."""
        super().check_support(model, dtype)
        if model != "notebook":
            raise InvalidValueError(
                f"loops are those of the notebook's network, not of {model}: choose the model "
                "notebook, or leave the peer out"
            )

    def __init__(self, workload: Workload, threads: int) -> None:
        network = make_network(workload.model, workload.dtype, "cpu", 1)
        (images, self._labels), _ = workload.data
        self._images = normalise(images, network.dtype)[..., 0]
        self._weights = network.get_weights()
        _, theirs = network.loss_and_gradients(images[:CHECKED], self._labels[:CHECKED])
        ours = gradients(self._images[:CHECKED], self._labels[:CHECKED], self._weights)
        for name, one, other in zip(network.parameter_names, ours, theirs, strict=True):
            check_agreement(self.name, f"gradient of {name}", one, other)
        self.tasks: Tasks = {TRAINING_STEP: self._training_step}

    def _training_step(self, batch_size: int) -> Task:
        batches = cycle(full_batches(len(self._labels), batch_size))
        weights = [each.copy() for each in self._weights]

        def step() -> None:
            batch = next(batches)
            of_weights = gradients(self._images[batch], self._labels[batch], weights)
            for values, gradient in zip(weights, of_weights, strict=True):
                values -= LEARNING_RATE * gradient

        return Task(step)


def gradients(x: Reals, labels: NDArray[np.int64], weights: list[Reals]) -> list[Reals]:
    """The gradients of the mean loss over a batch, shaped like `weights`.

    Args:
        x: normalised images, (n, rows, columns).
        labels: (n,).
        weights: the convolution's kernel (3, 3, 1, filters) and bias (filters,), and the dense
            layer's kernel (inputs, 10) and bias (10,).
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
    """Convolve (n, h, w) with a kernel (size, size, filters) to (n, oh, ow, filters)."""
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

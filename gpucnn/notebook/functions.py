"""The notebook's functions, under their own names and signatures, on any device.

The notebook that this package started from trains a small network (a 3x3 convolution with 8
filters, ReLU, 2x2 max-pooling, a dense layer, softmax) in plain loops. After

    from gpucnn.notebook import *

a cell that calls these functions runs unchanged, many times faster. They take and return NumPy
arrays and compute in float64, with the operations of a backend: the CPU's, unless `use_device`
chose another.

The letters are the notebook's: m is the number of images, X the images, Z the convolution's output,
A the activation relu(Z), P the pooled A, and f by f the size of a kernel.
"""

import threading
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpucnn.backends import Array, Backend, Window, as_rows, get_backend

__all__ = [
    "backward_prop",
    "conv_backprop",
    "conv_slice",
    "convolve",
    "evaluate",
    "forward_prop",
    "get_max_mask",
    "initialize_parameters",
    "logit",
    "logits_backprop",
    "max_pool2",
    "max_pooling_backprop",
    "normalize_images",
    "perceptron",
    "relu",
    "relu_backprop",
    "softmax",
    "softmax_backprop",
    "softmax_single",
    "train_cnn",
    "use_device",
]

Floats = NDArray[np.float64]
Parameters = tuple[Floats, Floats]  # weights, bias
LogitsCache = tuple[Floats, Floats, tuple[int, ...]]  # weights, bias, the shape of P
Cache = tuple[Floats, LogitsCache, Floats, Floats, Floats, Parameters]
# logits, cache_logits, P, A, Z, cache_conv


class _ThreadBackend(threading.local):
    """A backend for each thread: a twin of `like`."""

    def __init__(self, like: Backend) -> None:
        self.backend = like.twin()


_computing = _ThreadBackend(get_backend("cpu", 1))  # operations by themselves are not split


def use_device(device: str) -> None:
    """Compute on `device`, named as for `gpucnn.get_backend`, from now on, in all threads.

    Raises:
        InvalidValueError: there is no such device.
    """
    global _computing
    _computing = _ThreadBackend(get_backend(device))


# Preparation


def normalize_images(X: ArrayLike) -> Floats:
    """Scale pixels from [0, 255] to [-0.5, 0.5]; any shape."""
    return np.asarray(X) / 255 - 0.5


def initialize_parameters() -> tuple[Floats, Floats, Floats, Floats]:
    """The notebook's initial parameters.

    The weights are drawn by NumPy's legacy generator with seed 1, the convolution's first; the
    biases are zero.

    Returns:
        convW (3, 3, 8), convb (8,), logitsW (1352, 10) and logitsb (10,).
    """
    random = np.random.RandomState(1)
    convW = random.randn(3, 3, 8) / 3
    logitsW = random.randn(1352, 10) / 135
    return convW, np.zeros(8), logitsW, np.zeros(10)


# Forward


def conv_slice(x_slice: ArrayLike, W: ArrayLike, bias: ArrayLike) -> float:
    """One output of a convolution: the sum of `x_slice` times `W`, both (f, f), plus `bias`."""
    return float(np.sum(np.multiply(x_slice, W)) + np.sum(bias))


def convolve(X: ArrayLike, W: ArrayLike, b: ArrayLike) -> tuple[Floats, Parameters]:
    """Convolve images (m, h, w) with kernels (f, f, filters).

    Returns:
        Z, of shape (m, h - f + 1, w - f + 1, filters), and (W, b).
    """
    window, patches = _im2col(X, W)
    kernel = _on_device(W)
    Z = _empty((len(patches), *window.output, kernel.shape[-1]))
    _computing.backend.matmul(
        as_rows(patches), as_rows(kernel), as_rows(Z), bias=_bias(b, kernel.shape[-1])
    )
    return _on_host(Z), (np.asarray(W), np.asarray(b))


def relu(Z: ArrayLike) -> Floats:
    """The ReLU of each element, max(0, Z); any shape."""
    z = _on_device(Z)
    A = _empty(z.shape)
    _computing.backend.relu(z, A)
    return _on_host(A)


def max_pool2(A: ArrayLike) -> Floats:
    """The 2x2 max-pooling of A (m, h, w, filters): (m, h // 2, w // 2, filters)."""
    a = _on_device(A)
    window = Window(a.shape[1:3], (2, 2), (2, 2), "valid")
    P = _empty((len(a), *window.output, a.shape[-1]))
    _computing.backend.max_pool(a, window, P, _computing.backend.empty(P.shape, np.int32))
    return _on_host(P)


def perceptron(f: ArrayLike, W: ArrayLike, b: ArrayLike) -> Floats:
    """The dense layer for one image: features (n,) times W (n, classes), plus b: (classes,)."""
    return _dense(np.reshape(f, (1, -1)), W, b).reshape(-1)


def logit(P: ArrayLike, W: ArrayLike, b: ArrayLike) -> tuple[Floats, LogitsCache]:
    """The dense layer: P (m, ...) flattened, times W (n, classes), plus b.

    Returns:
        The logits, (m, classes), and (W, b, the shape of P).
    """
    P = np.asarray(P)
    return _dense(P.reshape(len(P), -1), W, b), (np.asarray(W), np.asarray(b), P.shape)


def softmax_single(row: ArrayLike) -> Floats:
    """The softmax of one image's logits, (classes,)."""
    return softmax(np.reshape(row, (1, -1))).reshape(-1)


def softmax(logits: ArrayLike) -> Floats:
    """The softmax of each row of logits, (m, classes)."""
    z = _on_device(logits)
    out = _empty(z.shape)
    first_batch = _computing.backend.zeros((2,), np.int64)
    _computing.backend.store_probabilities(first_batch, z, out, len(z))
    return _on_host(out)


def forward_prop(
    X: ArrayLike, convW: ArrayLike, convb: ArrayLike, logitsW: ArrayLike, logitsb: ArrayLike
) -> tuple[Floats, Cache]:
    """The whole network, from images (m, h, w) to probabilities (m, classes).

    Returns:
        The probabilities, and (logits, cache_logits, P, A, Z, cache_conv) for `backward_prop`.
    """
    Z, cache_conv = convolve(X, convW, convb)
    A = relu(Z)
    P = max_pool2(A)
    logits, cache_logits = logit(P, logitsW, logitsb)
    return softmax(logits), (logits, cache_logits, P, A, Z, cache_conv)


def evaluate(out: ArrayLike, y: ArrayLike) -> tuple[float, float]:
    """The accuracy in per cent and the mean cross-entropy of probabilities and labels.

    Args:
        out: probabilities, (m, classes).
        y: labels, (m,).
    """
    out, y = np.asarray(out), np.asarray(y)
    correct = out.argmax(axis=1) == y
    losses = -np.log(out[np.arange(len(y)), y])
    return float(100 * correct.mean()), float(losses.mean())


# Backward


def softmax_backprop(out: ArrayLike, y: ArrayLike) -> Floats:
    """The gradient of the mean loss with respect to the logits, (m, classes).

    Args:
        out: probabilities, (m, classes).
        y: labels, (m,).
    """
    delta_logits = np.array(out, np.float64)
    delta_logits[np.arange(len(delta_logits)), np.asarray(y)] -= 1
    return delta_logits / len(delta_logits)


def logits_backprop(
    delta_logits: ArrayLike, cache_logits: LogitsCache, P: ArrayLike, learning_rate: float
) -> tuple[Floats, Floats, Floats]:
    """The dense layer backward, and a step of gradient descent.

    Returns:
        The gradient with respect to P, in its shape, and the layer's new W and b.
    """
    W, b, shape = cache_logits
    features, delta = _on_device(np.reshape(P, (shape[0], -1))), _on_device(delta_logits)
    delta_P, delta_W, delta_b = _empty(features.shape), _empty(W.shape), _empty((delta.shape[1],))
    _computing.backend.matmul(delta, _on_device(W), delta_P, transpose_b=True)
    _computing.backend.matmul(features, delta, delta_W, transpose_a=True)
    _computing.backend.sum_rows(delta, delta_b)
    new_W = W - learning_rate * _on_host(delta_W)
    new_b = b - learning_rate * _on_host(delta_b)
    return _on_host(delta_P).reshape(shape), new_W, new_b


def get_max_mask(a_slice: ArrayLike) -> float:
    """The maximum of a window, by which the notebook's `max_pooling_backprop` multiplies."""
    return float(np.max(a_slice))


def max_pooling_backprop(delta_P: ArrayLike, A: ArrayLike) -> Floats:
    """The notebook's own rule for max-pooling backward, which is not the gradient.

    The gradient passes the incoming value to the argmax of each 2x2 window. The notebook passes
    *all four* inputs the incoming value *times the maximum*. Only this rule reproduces its figures,
    so it is kept here; the layers of this package use the gradient.

    Args:
        delta_P: (m, h // 2, w // 2, filters).
        A: (m, h, w, filters).

    Returns:
        delta_A, of A's shape; 0 in an odd last row or column, which no window covers.
    """
    delta_A = np.zeros(np.shape(A))
    share = np.asarray(delta_P) * max_pool2(A)
    rows, columns = 2 * share.shape[1], 2 * share.shape[2]
    delta_A[:, :rows, :columns] = share.repeat(2, axis=1).repeat(2, axis=2)
    return delta_A


def relu_backprop(delta_A: ArrayLike, Z: ArrayLike) -> Floats:
    """The gradient with respect to Z, in its shape: delta_A where Z is positive, else 0."""
    delta, z = _on_device(delta_A), _on_device(Z)
    delta_Z = _empty(z.shape)
    _computing.backend.relu_gradient(delta, z, delta_Z)
    return _on_host(delta_Z)


def conv_backprop(
    delta_Z: ArrayLike, X: ArrayLike, cache_conv: Parameters, learning_rate: float
) -> Parameters:
    """The convolution's W (f, f, filters) and b (filters,) after a step of gradient descent."""
    W, b = cache_conv
    delta, (_, patches) = _on_device(delta_Z), _im2col(X, W)
    delta_W, delta_b = _empty(W.shape), _empty((W.shape[-1],))
    _computing.backend.conv2d_parameter_gradients(delta, patches, delta_W, delta_b)
    return W - learning_rate * _on_host(delta_W), b - learning_rate * _on_host(delta_b)


def backward_prop(
    X: ArrayLike, y: ArrayLike, out: ArrayLike, cache_total: Cache, learning_rate: float
) -> tuple[Floats, Floats, Floats, Floats]:
    """The network backward, and a step of gradient descent.

    Returns:
        new_convW, new_convb, new_logitsW and new_logitsb.
    """
    _, cache_logits, P, A, Z, cache_conv = cache_total
    delta_logits = softmax_backprop(out, y)
    delta_P, new_logitsW, new_logitsb = logits_backprop(
        delta_logits, cache_logits, P, learning_rate
    )
    delta_A = max_pooling_backprop(delta_P, A)
    delta_Z = relu_backprop(delta_A, Z)
    new_convW, new_convb = conv_backprop(delta_Z, X, cache_conv, learning_rate)
    return new_convW, new_convb, new_logitsW, new_logitsb


def train_cnn(
    X: ArrayLike,
    y: ArrayLike,
    init_convW: ArrayLike,
    init_convb: ArrayLike,
    init_logitsW: ArrayLike,
    init_logitsb: ArrayLike,
    epochs: int = 5,
    learning_rate: float = 0.0002,
) -> tuple[Floats, Cache, float, float]:
    """Full-batch gradient descent; prints the metrics before each epoch and after the last.

    Args:
        X: normalised images, (m, h, w).
        y: labels, (m,).
        init_convW: initial kernels, (f, f, filters).
        init_convb: initial biases of the convolution, (filters,).
        init_logitsW: initial weights of the dense layer, (features, classes).
        init_logitsb: initial biases of the dense layer, (classes,).
        epochs: the number of steps.
        learning_rate: the size of a step.

    Returns:
        After the last epoch, the probabilities, the cache of `forward_prop`, the accuracy in per
        cent and the mean loss.
    """
    parameters = (init_convW, init_convb, init_logitsW, init_logitsb)
    for epoch, state in enumerate(gradient_descent(X, y, parameters, epochs, learning_rate)):
        _, _, acc, avg_loss = state
        print(f"Epoch {epoch}")
        print(f"Accuracy:{acc:.2f}, Avg Loss: {avg_loss:.5f}")
    return state


def gradient_descent(
    X: ArrayLike,
    y: ArrayLike,
    parameters: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike],
    epochs: int,
    learning_rate: float,
) -> Iterator[tuple[Floats, Cache, float, float]]:
    """Yield what `train_cnn` returns before each epoch and after the last; same arguments."""
    for epoch in range(epochs + 1):
        out, cache_total = forward_prop(X, *parameters)
        yield out, cache_total, *evaluate(out, y)
        if epoch < epochs:
            parameters = backward_prop(X, y, out, cache_total, learning_rate)


# Transfers between the host and the backend


def _on_device(array: ArrayLike) -> Array:
    return _computing.backend.asarray(np.asarray(array), np.float64)


def _on_host(array: Array) -> Floats:
    return _computing.backend.to_host(array)


def _empty(shape: tuple[int, ...]) -> Array:
    return _computing.backend.empty(shape, np.float64)


def _bias(b: ArrayLike, units: int) -> Array:
    return _on_device(np.broadcast_to(np.ravel(np.asarray(b, np.float64)), (units,)))


def _dense(features: ArrayLike, W: ArrayLike, b: ArrayLike) -> Floats:
    x, kernel = _on_device(features), _on_device(W)
    out = _empty((len(x), kernel.shape[1]))
    _computing.backend.matmul(x, kernel, out, bias=_bias(b, kernel.shape[1]))
    return _on_host(out)


def _im2col(X: ArrayLike, W: ArrayLike) -> tuple[Window, Array]:
    """The window of kernels W (f, f, filters) over images X (m, h, w), and its patches."""
    x = _on_device(X)[..., None]
    f = np.shape(W)[:2]
    window = Window((x.shape[1], x.shape[2]), (f[0], f[1]), (1, 1), "valid")
    patches = _empty((len(x), window.output[0] * window.output[1], window.elements))
    _computing.backend.im2col(x, window, patches)
    return window, patches

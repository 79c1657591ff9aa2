"""A network as functions of `jax.numpy` and `jax.lax`, as they are written by hand."""

from collections.abc import Callable
from typing import Any

from gpucnn.layers import (
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    Layer,
    MaxPool2D,
    ReLU,
)
from gpucnn.models import Model
from gpucnn.models.graph import IMAGES
from gpucnn.models.network import unroll

Weights = dict[str, Any]
"""Arrays of JAX by name, such as "conv2d.kernel"."""


def forward(
    network: Model, parameters: Weights, state: Weights, images: Any, *, training: bool
) -> tuple[Any, Weights]:
    """The logits, and the state after them.

    Args:
        network: whose layers are computed; its own weights are not used.
        parameters: what is trained.
        state: the moving averages, which training changes.
        images: real (n, rows, columns, channels).
        training: whether images are normalised by their own statistics, and not by the averages.

    Returns:
        real (n, classes), and the averages.
    """
    layers, graph = unroll(network.layers), network.graph.unrolled(network.layers)
    outputs, after = {IMAGES: images}, state
    for number, (layer, inputs) in enumerate(zip(layers, graph.inputs, strict=True)):
        x, weights = [outputs[each] for each in inputs], _of(layer, parameters)
        if isinstance(layer, BatchNormalization):
            averages = _of(layer, state)
            if training:
                averages = {
                    "moving_mean": x[0].mean((0, 1, 2)),
                    "moving_variance": x[0].var((0, 1, 2)),
                }
                after = after | _moved(layer, state, averages)
            outputs[number] = _normalize(layer, weights, averages, *x)
        else:
            outputs[number] = OPERATIONS[type(layer)](layer, weights, *x)
    return outputs[len(layers) - 1], after


def mean_cross_entropy(logits: Any, labels: Any) -> Any:
    """The mean loss of a batch.

    Args:
        logits: real (n, classes).
        labels: whole numbers (n,).
    """
    import jax
    import jax.numpy as jnp

    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1).mean()


def _of(layer: Layer, weights: Weights) -> Weights:
    """The weights of a layer, by their names in it."""
    prefix = f"{layer.name}."
    return {k.removeprefix(prefix): each for k, each in weights.items() if k.startswith(prefix)}


# Layers, as functions of their weights and inputs


def _convolve(layer: Conv2D, weights: Weights, x: Any) -> Any:
    from jax import lax

    convolved = lax.conv_general_dilated(
        x,
        weights["kernel"],
        layer.window.strides,
        layer.padding.upper(),
        rhs_dilation=layer.window.dilation,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=layer.groups,
    )
    return convolved + weights.get("bias", 0)


def _max_pool(layer: MaxPool2D, weights: Weights, x: Any) -> Any:
    from jax import lax
    from numpy import inf

    size, strides = (1, *layer.window.size, 1), (1, *layer.window.strides, 1)
    return lax.reduce_window(x, -inf, lax.max, size, strides, layer.padding.upper())


def _normalize(layer: BatchNormalization, weights: Weights, averages: Weights, x: Any) -> Any:
    from jax import lax

    scale = lax.rsqrt(averages["moving_variance"] + layer.epsilon) * weights.get("gamma", 1)
    return (x - averages["moving_mean"]) * scale + weights.get("beta", 0)


def _moved(layer: BatchNormalization, state: Weights, statistics: Weights) -> Weights:
    """The moving averages after a batch of these statistics, by their names in the state."""
    kept, before = layer.momentum, _of(layer, state)
    return {
        f"{layer.name}.{name}": kept * before[name] + (1 - kept) * each
        for name, each in statistics.items()
    }


def _rectify(layer: ReLU, weights: Weights, x: Any) -> Any:
    import jax

    return jax.nn.relu(x)


OPERATIONS: dict[type[Layer], Callable[..., Any]] = {
    Conv2D: _convolve,
    MaxPool2D: _max_pool,
    ReLU: _rectify,
    Dense: lambda layer, weights, x: x @ weights["kernel"] + weights["bias"],
    Flatten: lambda layer, weights, x: x.reshape(len(x), -1),
    GlobalAveragePooling2D: lambda layer, weights, x: x.mean((1, 2)),
    Add: lambda layer, weights, *x: sum(x),
}
"""Those of the presets, but for `BatchNormalization`, which has state."""

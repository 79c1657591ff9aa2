from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from expect import refusal
from gpucnn import Conv2D, Dense, Dropout, Flatten, MaxPool2D, ReLU, Sequential
from gpucnn.benchmark.peers._channels_first import check_layers, to_nchw
from gpucnn.layers import Layer


def network() -> Sequential:
    layers = [Conv2D(3, (2, 3)), MaxPool2D(2), Flatten(), Dense(5), ReLU(), Dense(4)]
    return Sequential(layers, (7, 6, 2), "float64", "cpu", threads=1)


def forward(weights: list[NDArray[Any]], x: NDArray[Any]) -> NDArray[Any]:
    """`network` for images (n, channels, rows, columns), with weights for those."""
    kernel, bias, first, first_bias, second, second_bias = weights
    windows = sliding_window_view(x, kernel.shape[2:], axis=(2, 3))
    x = np.einsum("ncyxij,fcij->nfyx", windows, kernel) + bias[:, None, None]
    x = x.reshape(*x.shape[:2], 3, 2, 2, 2).max(axis=(3, 5))
    x = x.reshape(len(x), -1) @ first.T + first_bias
    result: NDArray[Any] = np.maximum(x, 0) @ second.T + second_bias
    return result


def test_weights_are_those_of_the_same_function() -> None:
    made = network()
    x = np.random.default_rng(0).normal(size=(3, 7, 6, 2))
    weights = to_nchw(made.layers, made.get_weights())
    assert all(each.flags.c_contiguous for each in weights)
    made.reserve(3)
    expected = made.backend.to_host(made.forward(x))
    np.testing.assert_allclose(forward(weights, x.transpose(0, 3, 1, 2)), expected, rtol=1e-12)


def test_presets_can_be_built() -> None:
    check_layers(network().layers, "torch")


@pytest.mark.parametrize(
    "layer",
    [
        Dropout(0.5),
        Conv2D(2, 3, padding="same"),
        Conv2D(2, 3, dilation_rate=2),
        Conv2D(2, 3, groups=2),
    ],
)
def test_other_layers_are_refused(layer: Layer) -> None:
    with refusal(
        f"{layer!r} cannot be built for torch: time a model whose layers are Conv2D and MaxPool2D "
        "without padding, dilation and groups, ReLU, Flatten and Dense"
    ):
        check_layers([ReLU(), layer], "torch")

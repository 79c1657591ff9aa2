from collections.abc import Sequence

import pytest

from gpucnn import Conv2D, Dense, Flatten, MaxPool2D, ReLU, Sequential
from gpucnn.benchmark.costs import bytes_moved, operations
from gpucnn.layers import FusedConv2D, Layer

SIDE, FILTERS, UNITS = 4, 3, 5  # of the outputs of a convolution, 2x2 pooled, then a dense layer
PIXELS, CONVOLVED, POOLED = 36, 16 * FILTERS, 4 * FILTERS


def network(dtype: str = "float32") -> Sequential:
    layers = [Conv2D(FILTERS, 3), ReLU(), MaxPool2D(2), Flatten(), Dense(UNITS)]
    return Sequential(layers, (6, 6, 1), dtype, "cpu", threads=1)


def layer(index: int) -> Layer:
    return network().layers[index]


@pytest.mark.parametrize(
    ("index", "forward", "backward"),
    [
        (0, 2 * 9 * CONVOLVED, 2 * 9 * CONVOLVED + CONVOLVED),
        (1, CONVOLVED, CONVOLVED),
        (2, 3 * POOLED, POOLED),
        (3, 0, 0),
        (4, 2 * POOLED * UNITS, 2 * 2 * POOLED * UNITS + UNITS),
    ],
)
def test_operations(index: int, forward: int, backward: int) -> None:
    assert operations(layer(index), "forward", 1) == forward
    assert operations(layer(index), "backward", 7) == 7 * backward


@pytest.mark.parametrize(
    ("index", "forward", "backward"),
    [
        (0, 2 * (PIXELS + CONVOLVED) + 30, 2 * (PIXELS + CONVOLVED) + 30),
        (1, 2 * 2 * CONVOLVED, 2 * 2 * CONVOLVED),
        (2, 2 * (CONVOLVED + POOLED), 2 * (CONVOLVED + POOLED)),
        (3, 0, 0),
        (4, 2 * (POOLED + UNITS) + 65, 2 * (2 * POOLED + UNITS) + 2 * 65),
    ],
)
def test_bytes_of_two_images(index: int, forward: int, backward: int) -> None:
    assert bytes_moved(layer(index), "forward", 2) == 4 * forward
    assert bytes_moved(layer(index), "backward", 2) == 4 * backward


def test_a_double_has_twice_the_bytes_of_a_float() -> None:
    single, double = (network(dtype).layers[0] for dtype in ("float32", "float64"))
    assert bytes_moved(double, "forward", 3) == 2 * bytes_moved(single, "forward", 3)


def fused() -> FusedConv2D:
    first = network().replica.layers[0]
    assert isinstance(first, FusedConv2D)
    return first


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_layers_in_one_do_the_operations_of_all(direction: str) -> None:
    parts = sum(operations(part, direction, 3) for part in fused().parts)
    assert operations(fused(), direction, 3) == parts


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_layers_in_one_move_nothing_between_them(direction: str) -> None:
    assert bytes_moved(fused(), direction, 3) == 4 * (3 * (PIXELS + POOLED) + 30)


def test_a_step_is_the_same_however_the_layers_run() -> None:
    def step(layers: Sequence[Layer]) -> int:
        return sum(operations(each, way, 8) for each in layers for way in ("forward", "backward"))

    made = network()
    assert step(made.layers) == step(made.replica.layers)

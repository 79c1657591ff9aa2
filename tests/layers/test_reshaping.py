import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gpucnn import Flatten
from gpucnn.backends import Shape
from layers.placed import placed

X = np.arange(48.0).reshape(2, 3, 4, 2)


@pytest.mark.parametrize(
    ("shape", "output"), [((3, 4, 2), (24,)), ((5, 6), (30,)), ((7,), (7,)), ((1, 1, 1), (1,))]
)
def test_output_shape(shape: Shape, output: Shape) -> None:
    assert placed(Flatten(), shape).output_shape == output


def test_order_is_rows_columns_channels() -> None:
    flat = placed(Flatten(), (3, 4, 2)).forward(X, None)
    row, column, channel = 2, 1, 1
    assert_array_equal(flat[:, (row * 4 + column) * 2 + channel], X[:, row, column, channel])


def test_no_data_moves() -> None:
    layer = placed(Flatten(), (3, 4, 2))
    flat = layer.forward(X, None)
    assert np.shares_memory(flat, X)
    assert np.shares_memory(layer.backward(flat), flat)


def test_no_memory_is_kept() -> None:
    layer = placed(Flatten(), (3, 4, 2))
    assert layer.inference_buffers() | layer.training_buffers() == {}

import numpy as np
from numpy.testing import assert_array_equal

from gpucnn import ReLU
from layers.placed import placed

X = np.array([[-2.0, -0.0, 0.0, 1e-300, 3.0]])


def test_output_shape_is_that_of_the_input() -> None:
    assert placed(ReLU(), (4, 3, 2)).output_shape == (4, 3, 2)


def test_forward_takes_the_positive_part() -> None:
    assert_array_equal(placed(ReLU(), (5,)).forward(X, None), [[0, 0, 0, 1e-300, 3]])


def test_gradient_passes_above_zero_alone() -> None:
    layer = placed(ReLU(), (5,))
    layer.forward(X, None)
    assert_array_equal(layer.backward(np.full((1, 5), 7.0)), [[0, 0, 0, 7, 7]])


def test_input_is_left_as_it_was() -> None:
    x = X.copy()
    placed(ReLU(), (5,)).forward(x, None)
    assert_array_equal(x, X)

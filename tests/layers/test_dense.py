from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import loops
from expect import refusal
from gpucnn import Dense
from gpucnn.backends import Shape
from layers.placed import placed


def built(inputs: int, units: int) -> Dense:
    layer = Dense(units)
    layer.build((inputs,))
    return layer


def test_output_shape() -> None:
    assert built(7, 4).output_shape == (4,)


def test_forward_is_the_matrix_product_in_loops() -> None:
    layer = placed(Dense(4), (7,), 3)
    x = np.random.default_rng(0).standard_normal((3, 7))
    expected = loops.matmul(x, layer.parameters["kernel"], layer.parameters["bias"])
    assert_allclose(layer.forward(x, None), expected, rtol=1e-12)


def test_initial_kernel_is_glorot_uniform() -> None:
    kernel = built(60, 40).initial_parameters(np.random.default_rng(0))["kernel"]
    limit = np.sqrt(6 / 100)
    assert kernel.shape == (60, 40)
    assert np.abs(kernel).max() == pytest.approx(limit, rel=0.01)
    assert np.abs(kernel).max() <= limit
    assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.05)  # that of uniform noise


def test_initial_bias_is_zero() -> None:
    bias = built(60, 40).initial_parameters(np.random.default_rng(0))["bias"]
    assert_array_equal(bias, np.zeros(40))


def test_multiply_adds() -> None:
    assert built(7, 4).multiply_adds() == 28


def test_backward_leaves_out_an_input_gradient_that_is_not_needed() -> None:
    layer = Dense(4)
    layer.needs_input_gradient = False
    placed(layer, (7,)).forward(np.ones((2, 7)), None)
    assert layer.backward(np.ones((2, 4))) is None


@pytest.mark.parametrize("units", [0, -3, 1.5, "10", None, True])
def test_wrong_arguments(units: Any) -> None:
    with refusal(f"units is {units!r}: it must be a whole number of at least 1"):
        Dense(units)


@pytest.mark.parametrize("shape", [(4, 4, 2), (4, 4)])
def test_images_are_refused(shape: Shape) -> None:
    layer = Dense(10)
    layer.name = "dense_2"
    with refusal(
        "dense_2 takes vectors of shape (inputs,), but its input has the shape "
        f"{shape}: put Flatten() before it"
    ):
        layer.build(shape)

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from expect import refusal
from gpucnn import Dense, Flatten, LeakyReLU, Sequential
from layers.placed import placed

X = np.array([[-2.0, -0.0, 0.0, 1e-300, 3.0]])


def test_slope_is_keras_default() -> None:
    assert LeakyReLU().negative_slope == 0.3


def test_output_shape_is_that_of_the_input() -> None:
    assert placed(LeakyReLU(), (4, 3, 2)).output_shape == (4, 3, 2)


def test_forward_scales_what_is_not_positive() -> None:
    out = placed(LeakyReLU(0.5), (5,)).forward(X, None)
    assert_array_equal(out, [[-1, 0, 0, 1e-300, 3]])


def test_gradient_is_the_slope() -> None:
    layer = placed(LeakyReLU(0.5), (5,))
    layer.forward(X, None)
    assert_array_equal(layer.backward(np.full((1, 5), 7.0)), [[3.5, 3.5, 3.5, 7, 7]])


def test_nan_stays_nan() -> None:
    assert np.isnan(placed(LeakyReLU(), (1,)).forward(np.array([[np.nan]]), None)).all()


def test_input_is_left_as_it_was() -> None:
    x = X.copy()
    placed(LeakyReLU(), (5,)).forward(x, None)
    assert_array_equal(x, X)


@pytest.mark.parametrize("slope", [-0.1, float("nan"), "0.3"])
def test_slopes_that_are_refused(slope: object) -> None:
    with refusal(f"negative_slope is {slope!r}: it must be a number of at least 0"):
        LeakyReLU(slope)  # type: ignore[arg-type]


@pytest.mark.parametrize("device", ["cpu", "simulator"])
def test_a_model_with_it_learns_and_is_saved(device: str, tmp_path: object) -> None:
    layers = [Flatten(), Dense(8), LeakyReLU(0.1), Dense(2)]
    model = Sequential(layers, (2, 2, 1), device=device)
    generator = np.random.default_rng(0)
    x = generator.standard_normal((64, 2, 2, 1)).astype(np.float32)
    y = (x.sum((1, 2, 3)) > 0).astype(np.int64)
    model.fit(x, y, 8, 20, verbose=0)
    model.save(f"{tmp_path}/model.safetensors")
    loaded = Sequential.load(f"{tmp_path}/model.safetensors", device=device)
    assert loaded.evaluate(x, y) == model.evaluate(x, y)
    assert loaded.evaluate(x, y).accuracy > 0.9
    (leaky,) = (layer for layer in loaded.layers if isinstance(layer, LeakyReLU))
    assert leaky.negative_slope == 0.1

"""The loops that the definitions are held against, against known answers and derivatives."""

from collections.abc import Callable

import numpy as np
import pytest

import loops
from backends.operations.values import Values

Array = loops.Array

SLIDES = [
    loops.Slide((3, 2), (1, 1), "valid"),
    loops.Slide((2, 3), (2, 1), "same"),
    loops.Slide((1, 4), (3, 2), "same"),
    loops.Slide((3, 2), (1, 1), "same", (2, 3)),
]


def derivative(function: Callable[[Array], Array], at: Array, output_gradient: Array) -> Array:
    """The gradient of sum(output_gradient * function(at)), by differences on both sides."""
    step, gradient = 1e-4, np.zeros(at.shape)
    for index in np.ndindex(at.shape):
        move = np.zeros(at.shape)
        move[index] = step
        rise = function(at + move) - function(at - move)
        gradient[index] = np.sum(output_gradient * rise) / (2 * step)
    return gradient


def assert_close(actual: Array, expected: Array) -> None:
    """Differences at 1e-4 are off by about 1e-8 where the function is curved, and 1e-11 at all."""
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("slide", SLIDES)
@pytest.mark.parametrize("number", [0, 1, 2], ids=["x", "kernel", "bias"])
def test_convolution_gradients_are_derivatives(slide: loops.Slide, number: int) -> None:
    values = Values(0, np.float64)
    x, kernel, bias = values.reals(2, 4, 5, 2), values.reals(*slide.size, 2, 3), values.reals(3)
    output_gradient = values.reals(*loops.convolve(x, kernel, bias, slide).shape)
    functions: list[Callable[[Array], Array]] = [
        lambda x: loops.convolve(x, kernel, bias, slide),
        lambda kernel: loops.convolve(x, kernel, bias, slide),
        lambda bias: loops.convolve(x, kernel, bias, slide),
    ]
    expected = derivative(functions[number], (x, kernel, bias)[number], output_gradient)
    gradients = loops.convolve_gradients(x, kernel, output_gradient, slide)
    assert_close(gradients[number], expected)


@pytest.mark.parametrize("number", [0, 1, 2], ids=["x", "kernel", "bias"])
def test_gradients_of_a_convolution_in_groups_are_derivatives(number: int) -> None:
    values, slide = Values(0, np.float64), SLIDES[0]
    x, kernel, bias = values.reals(2, 4, 5, 4), values.reals(*slide.size, 2, 6), values.reals(6)
    output_gradient = values.reals(*loops.convolve_in_groups(x, kernel, bias, slide).shape)
    functions: list[Callable[[Array], Array]] = [
        lambda x: loops.convolve_in_groups(x, kernel, bias, slide),
        lambda kernel: loops.convolve_in_groups(x, kernel, bias, slide),
        lambda bias: loops.convolve_in_groups(x, kernel, bias, slide),
    ]
    expected = derivative(functions[number], (x, kernel, bias)[number], output_gradient)
    gradients = loops.convolve_in_groups_gradients(x, kernel, output_gradient, slide)
    assert_close(gradients[number], expected)


def test_groups_see_their_channels_alone() -> None:
    x = np.array([1.0, 10, 100, 1000]).reshape(1, 1, 1, 4)
    kernel = np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]]).reshape(1, 1, 2, 4)
    bias, slide = np.array([0.5, 0, 0, 0]), loops.Slide((1, 1), (1, 1), "valid")
    expected = [1 + 50 + 0.5, 2 + 60, 300 + 7000, 400 + 8000]
    assert loops.convolve_in_groups(x, kernel, bias, slide).ravel().tolist() == expected


@pytest.mark.parametrize("slide", SLIDES)
def test_max_pool_gradient_is_derivative(slide: loops.Slide) -> None:
    values = Values(0, np.float64)
    x = values.reals(2, 4, 5, 2)
    out, argmax = loops.max_pool(x, slide)
    output_gradient = values.reals(*out.shape)
    gradient = loops.max_pool_gradient(output_gradient, argmax, x, slide)
    expected = derivative(lambda x: loops.max_pool(x, slide)[0], x, output_gradient)
    assert_close(gradient, expected)


@pytest.mark.parametrize("slide", SLIDES)
def test_average_pool_gradient_is_derivative(slide: loops.Slide) -> None:
    values = Values(0, np.float64)
    x = values.reals(2, 4, 5, 2)
    output_gradient = values.reals(*loops.average_pool(x, slide).shape)
    gradient = loops.average_pool_gradient(output_gradient, x, slide)
    expected = derivative(lambda x: loops.average_pool(x, slide), x, output_gradient)
    assert_close(gradient, expected)


@pytest.mark.parametrize("images", [5, 8])
def test_cross_entropy_gradient_is_derivative_of_the_mean(images: int) -> None:
    values = Values(0, np.float64)
    logits, labels = values.reals(5, 4), values.integers(4, 5)
    gradient = loops.cross_entropy_gradient(logits, labels, images)
    expected = derivative(lambda z: loops.cross_entropy(z, labels), logits, np.full(5, 1 / images))
    assert_close(gradient, expected)


@pytest.mark.parametrize("loss", ["soft_cross_entropy", "sigmoid_cross_entropy", "squared_error"])
@pytest.mark.parametrize("images", [5, 8])
def test_gradient_of_a_loss_with_targets_is_derivative_of_the_mean(loss: str, images: int) -> None:
    values = Values(0, np.float64)
    outputs, targets = values.reals(5, 4), np.abs(values.reals(5, 4))
    function, gradient = (getattr(loops, name) for name in (loss, f"{loss}_gradient"))
    expected = derivative(lambda z: function(z, targets), outputs, np.full(5, 1 / images))
    assert_close(gradient(outputs, targets, images), expected)


def test_cross_entropy_of_one_hot_targets_is_that_of_the_labels() -> None:
    values = Values(0, np.float64)
    logits, labels = values.reals(5, 4), values.integers(4, 5)
    expected = loops.cross_entropy(logits, labels)
    np.testing.assert_array_equal(loops.soft_cross_entropy(logits, np.eye(4)[labels]), expected)

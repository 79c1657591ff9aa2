"""Layers of several inputs, placed on the CPU and in the simulator."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from backends.strategies import seeds
from expect import refusal
from gpucnn import Add, Concatenate, Dense, Flatten, Input, Sequential, get_backend
from gpucnn.backends import Array, Shape
from gpucnn.layers import MergingLayer
from gradients import assert_gradient
from layers.placed import placed


def merging(layer: MergingLayer, *shapes: Shape, batch: int = 2) -> MergingLayer:
    layer.name = type(layer).__name__.lower()
    return placed(layer, shapes, batch)  # type: ignore[arg-type]


def numbers(*shape: int) -> Array:
    return np.arange(1.0, 1 + np.prod(shape)).reshape(shape)


# Shapes


def test_a_sum_has_the_shape_of_its_inputs() -> None:
    assert merging(Add(), (3, 4, 2), (3, 4, 2)).output_shape == (3, 4, 2)
    assert merging(Add(), (5,), (5,), (5,)).output_shape == (5,)


@pytest.mark.parametrize(
    ("axis", "shapes", "output"),
    [
        (-1, ((3, 4, 2), (3, 4, 5)), (3, 4, 7)),
        (3, ((3, 4, 2), (3, 4, 5), (3, 4, 1)), (3, 4, 8)),
        (1, ((3, 4, 2), (1, 4, 2)), (4, 4, 2)),
        (-3, ((3, 4, 2), (1, 4, 2)), (4, 4, 2)),
        (2, ((3, 4, 2), (3, 2, 2)), (3, 6, 2)),
        (-2, ((3, 4, 2), (3, 4, 2)), (3, 8, 2)),
        (-1, ((5,), (7,)), (12,)),
        (1, ((5,), (7,)), (12,)),
        (np.int64(-1), ((5,), (7,)), (12,)),
    ],
)
def test_output_shape_of_concatenate(axis: int, shapes: tuple[Shape, ...], output: Shape) -> None:
    layer = merging(Concatenate(axis), *shapes)
    assert (layer.input_shapes, layer.output_shape) == (shapes, output)


# Values


@pytest.mark.parametrize("count", [2, 3, 4])
def test_sum(count: int) -> None:
    inputs = [numbers(2, 3, 4, 2) * 10**i for i in range(count)]
    layer = merging(Add(), *[(3, 4, 2)] * count)
    assert_array_equal(layer.forward(inputs, None), sum(inputs))


def test_a_sum_of_one_array_twice() -> None:
    x = numbers(2, 3)
    assert_array_equal(merging(Add(), (3,), (3,)).forward([x, x], None), 2 * x)


@pytest.mark.parametrize("axis", [1, 2, 3])
@pytest.mark.parametrize("images", [1, 2, 20])
def test_concatenation(axis: int, images: int) -> None:
    inputs = [numbers(images, 3, 4, 2), -numbers(images, 3, 4, 2), 0.5 + numbers(images, 3, 4, 2)]
    layer = merging(Concatenate(axis), *[(3, 4, 2)] * 3, batch=images)
    for _ in range(2):  # in the same memory
        assert_array_equal(layer.forward(inputs, None), np.concatenate(inputs, axis))
    gradient = np.concatenate(inputs, axis)
    for computed, expected in zip(layer.backward(gradient), inputs, strict=True):
        assert_array_equal(computed, expected)


@given(
    axis=st.sampled_from([1, 2, 3]),
    lengths=st.lists(st.integers(1, 5), min_size=2, max_size=4),
    others=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)),
    seed=seeds,
)
def test_concatenated_on_devices(
    axis: int, lengths: list[int], others: tuple[int, int, int], seed: int
) -> None:
    before, after = others[: axis - 1], others[axis:]
    shapes = [(*before, length, *after) for length in lengths]
    generator = np.random.default_rng(seed)
    inputs = [generator.standard_normal((3, *shape)).astype(np.float32) for shape in shapes]
    expected = np.concatenate(inputs, axis)
    for device in ("cpu", "simulator"):
        layer = Concatenate(axis)
        layer.build(shapes)
        layer.place(get_backend(device), np.dtype(np.float32), {}, {}, np.empty(0))
        layer.reserve(3, training=True)
        assert_array_equal(layer.forward(inputs, None), expected)
        for computed, each in zip(layer.backward(expected), inputs, strict=True):
            assert_array_equal(computed, each)


# Gradients


@pytest.mark.parametrize(
    ("layer", "shapes"),
    [
        (Add(), [(3, 2)] * 2),
        (Add(), [(2, 3, 2)] * 3),
        (Concatenate(), [(2, 3, 1), (2, 3, 2)]),
        (Concatenate(1), [(1, 3, 2), (2, 3, 2), (1, 3, 2)]),
    ],
)
def test_gradients_agree_with_differences(layer: MergingLayer, shapes: list[Shape]) -> None:
    merging(layer, *shapes)
    generator = np.random.default_rng(0)
    inputs = [generator.standard_normal((2, *shape)) for shape in shapes]
    weights = generator.standard_normal((2, *layer.output_shape))
    layer.forward(inputs, None)
    gradients = layer.backward(weights)
    for each, gradient in zip(inputs, gradients, strict=True):
        assert_gradient(
            lambda: float(np.vdot(weights, layer.forward(inputs, None))), each, gradient
        )


@pytest.mark.parametrize("layer", [Add(), Concatenate()])
def test_no_memory_for_gradients_that_are_not_needed(layer: MergingLayer) -> None:
    layer.needs_input_gradient = False
    assert merging(layer, (3, 2), (3, 2)).training_buffers() == {}


def test_the_gradient_of_a_sum_is_that_of_each_input() -> None:
    layer, gradient = merging(Add(), (3,), (3,)), numbers(2, 3)
    assert all(each is gradient for each in layer.backward(gradient))


# Wrong use


def test_shapes_that_cannot_be_added() -> None:
    with refusal(
        "add adds inputs of one shape, but is given (3, 4, 2), (3, 4, 2) and (3, 4, 5): bring them "
        "to one shape first, such as by Conv2D(filters, 1, strides)"
    ):
        merging(Add(), (3, 4, 2), (3, 4, 2), (3, 4, 5))


@pytest.mark.parametrize("other", [(4, 4, 5), (3, 5, 2), (12,), (3, 4), (3, 4, 2, 2)])
def test_shapes_that_cannot_be_concatenated(other: Shape) -> None:
    with refusal(
        "concatenate concatenates inputs that differ along axis -1 alone, but is given (3, 4, 2) "
        f"and {other}: bring them to one size first"
    ):
        merging(Concatenate(), (3, 4, 2), other)


@pytest.mark.parametrize("axis", [4, -4, -5, 100])
def test_an_axis_that_images_have_not(axis: int) -> None:
    with refusal(
        f"concatenate concatenates along axis {axis}, but its inputs, of the shape (3, 4, 2), have "
        "the axes 1 to 3, and 0, that of the batch: give one of 1 to 3, or -1 to -3"
    ):
        merging(Concatenate(axis), (3, 4, 2), (3, 4, 2))


@pytest.mark.parametrize("axis", [0, 1.0, "1", None, True, (1, 2)])
def test_what_is_no_axis(axis: Any) -> None:
    with refusal(
        f"axis is {axis!r}: it must be a whole number, such as -1 for the channels, and not 0, the "
        "axis of the batch"
    ):
        Concatenate(axis)


@pytest.mark.parametrize("kind", [Add, Concatenate])
def test_one_input_is_not_merged(kind: type[Any]) -> None:
    name = kind.__name__
    line = (
        f"{name.lower()} merges the outputs of at least two layers, but is given one: make a "
        f"gpucnn.Model(inputs, outputs), in which it is called with a list, as in {name}()([x, y])"
    )
    with refusal(line):
        merging(kind(), (3, 4, 2))
    with refusal(line):
        kind()([Input((3, 4, 2))])
    with refusal(line):
        Sequential([Flatten(), kind(), Dense(2)], input_shape=(3, 4, 2))

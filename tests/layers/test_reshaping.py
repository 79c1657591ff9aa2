from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import loops
from expect import refusal
from gpucnn import Cropping2D, Dense, Flatten, Reshape, Sequential, ZeroPadding2D
from gpucnn.backends import Shape
from gpucnn.layers import Layer
from layers.placed import placed

X = np.arange(48.0).reshape(2, 3, 4, 2)

# Of another shape


@pytest.mark.parametrize(
    ("shape", "output"), [((3, 4, 2), (24,)), ((5, 6), (30,)), ((7,), (7,)), ((1, 1, 1), (1,))]
)
def test_output_shape_of_flatten(shape: Shape, output: Shape) -> None:
    assert placed(Flatten(), shape).output_shape == output


@pytest.mark.parametrize(
    ("shape", "target", "output"),
    [
        ((3, 4, 2), (24,), (24,)),
        ((3, 4, 2), [4, 6], (4, 6)),
        ((24,), (3, 4, 2), (3, 4, 2)),
        ((3, 4, 2), (-1, 2), (12, 2)),
        ((3, 4, 2), (2, -1, 3), (2, 4, 3)),
        ((3, 4, 2), (-1,), (24,)),
        ((1,), (1, -1, 1), (1, 1, 1)),
    ],
)
def test_output_shape_of_reshape(shape: Shape, target: Any, output: Shape) -> None:
    assert placed(Reshape(target), shape).output_shape == output


def test_order_is_rows_columns_channels() -> None:
    flat = placed(Flatten(), (3, 4, 2)).forward(X, None)
    row, column, channel = 2, 1, 1
    assert_array_equal(flat[:, (row * 4 + column) * 2 + channel], X[:, row, column, channel])


def test_a_vector_becomes_rows_of_columns_of_channels() -> None:
    image = placed(Reshape((3, 4, 2)), (24,)).forward(X.reshape(2, 24), None)
    assert_array_equal(image, X)


@pytest.mark.parametrize("layer", [Flatten(), Reshape((2, -1))])
def test_no_data_moves(layer: Layer) -> None:
    layer = placed(layer, (3, 4, 2))
    reshaped = layer.forward(X, None)
    assert np.shares_memory(reshaped, X)
    assert np.shares_memory(layer.backward(reshaped), reshaped)


@pytest.mark.parametrize("layer", [Flatten(), Reshape((6, 4))])
def test_no_memory_is_kept(layer: Layer) -> None:
    assert layer.inference_buffers() | layer.training_buffers() == {}


def test_no_data_moves_with_images_innermost() -> None:
    """As the CPU lays out a batch, from which a layer's memory is made."""
    layer = placed(Reshape((6, 4)), (3, 4, 2), 5)
    x = layer.backend.batch_view(np.arange(120.0), 5, (3, 4, 2))
    reshaped = layer.forward(x, None)
    assert np.shares_memory(reshaped, x)
    assert_array_equal(reshaped, x.copy().reshape(5, 6, 4))


@pytest.mark.parametrize("target", [(5, 5), (-1, 5), (48,), (25, -1)])
def test_a_shape_of_other_size_is_refused(target: Shape) -> None:
    layer = Reshape(target)
    layer.name = "reshape"
    with refusal(
        f"reshape makes the shape {target}, but its input has the shape (3, 4, 2), of 24 numbers: "
        "give a shape of as many"
    ):
        layer.build((3, 4, 2))


@pytest.mark.parametrize("target", [(), (0, 3), (-1, -1), (2.0,), "12", 12, None, (-2, 3)])
def test_wrong_shapes(target: Any) -> None:
    with refusal(
        f"target_shape is {target!r}: give a shape such as (28, 28, 1), in which one size may be -1"
    ):
        Reshape(target)


# In another frame


@pytest.mark.parametrize(
    ("padding", "sides"),
    [
        ((), ((1, 1), (1, 1))),
        ((2,), ((2, 2), (2, 2))),
        (((0, 3),), ((0, 0), (3, 3))),
        (([1, 0],), ((1, 1), (0, 0))),
        ((((1, 2), (3, 0)),), ((1, 2), (3, 0))),
        (([[0, 0], [0, 5]],), ((0, 0), (0, 5))),
    ],
)
def test_padding(padding: tuple[Any, ...], sides: tuple[tuple[int, int], ...]) -> None:
    layer = placed(ZeroPadding2D(*padding), (3, 4, 2))
    (top, bottom), (left, right) = sides
    frame = 3 + top + bottom, 4 + left + right
    assert layer.output_shape == (*frame, 2)
    assert_array_equal(layer.forward(X, None), loops.pad(X, frame, top, left))


@pytest.mark.parametrize(
    ("cropping", "rows", "columns"),
    [
        ((), slice(0, 3), slice(0, 4)),
        ((1,), slice(1, 2), slice(1, 3)),
        (((0, 1),), slice(0, 3), slice(1, 3)),
        ((((0, 2), (3, 0)),), slice(0, 1), slice(3, 4)),
    ],
)
def test_cropping(cropping: tuple[Any, ...], rows: slice, columns: slice) -> None:
    layer = placed(Cropping2D(*cropping), (3, 4, 2))
    kept = X[:, rows, columns]
    assert layer.output_shape == kept.shape[1:]
    assert_array_equal(layer.forward(X, None), kept)


def test_what_is_padded_is_cropped_again() -> None:
    padded = placed(ZeroPadding2D(((1, 2), (0, 3))), (3, 4, 2)).forward(X, None)
    cropping = placed(Cropping2D(((1, 2), (0, 3))), padded.shape[1:])
    assert_array_equal(cropping.forward(padded, None), X)


@pytest.mark.parametrize("cropping", [((1, 2), (0, 0)), (0, 2), 4])
def test_nothing_left_is_refused(cropping: Any) -> None:
    layer = Cropping2D(cropping)
    layer.name = "cropping2d"
    rows, columns = ({((1, 2), (0, 0)): (3, 0), (0, 2): (0, 4), 4: (8, 8)})[cropping]
    with refusal(
        f"cropping2d cuts off {rows} rows and {columns} columns, but its input has the shape "
        "(3, 4, 2): leave at least a pixel"
    ):
        layer.build((3, 4, 2))


def test_vectors_have_no_sides() -> None:
    with refusal(
        "zeropadding2d takes images of shape (height, width, channels), but its input has the "
        "shape (24,): give the model an input_shape such as (28, 28, 1), and put this layer before "
        "Flatten and Dense"
    ):
        Sequential([Flatten(), ZeroPadding2D(), Dense(2)], input_shape=(3, 4, 2))


SIDES = "it must be a whole number of at least 0, a pair of them, or ((top, bottom), (left, right))"


@pytest.mark.parametrize("sides", [-1, 1.0, None, True, (1,), (1, 2, 3), ((1, 2), 3.0), ((1,), 2)])
def test_wrong_sides(sides: Any) -> None:
    with refusal(f"padding is {sides!r}: {SIDES}"):
        ZeroPadding2D(sides)
    with refusal(f"cropping is {sides!r}: {SIDES}"):
        Cropping2D(sides)


@pytest.mark.parametrize("kind", [Flatten, Reshape, ZeroPadding2D, Cropping2D])
def test_begins_a_model(kind: type[Any]) -> None:
    arguments = {"target_shape": (-1,)} if kind is Reshape else {}
    first = kind(**arguments, input_shape=(3, 4, 2))
    model = Sequential([first, Flatten(), Dense(2)])
    assert model.input_shape == (3, 4, 2)

"""Layers called on one another, before there are images."""

from collections.abc import Callable
from operator import add, getitem, mul, neg, sub
from typing import Any

import numpy as np
import pytest

import gpucnn
from expect import refusal
from gpucnn import (
    Add,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Flatten,
    Input,
    RandomFlip,
    Softmax,
)
from gpucnn.errors import InvalidTypeError
from gpucnn.layers import Layer, Tensor

IMAGES = Input((6, 5, 2))


def test_a_tensor_has_a_shape_and_a_layer() -> None:
    layer = Conv2D(4, 3, activation="relu")
    x = layer(IMAGES)
    assert (x.shape, x.image_shape) == ((None, 4, 3, 4), (4, 3, 4))
    assert x.layer is layer
    assert x.inputs == (IMAGES,)
    assert repr(x) == f"Tensor(shape=(None, 4, 3, 4), of {layer!r})"


@pytest.mark.parametrize(
    ("joined", "shape"),
    [
        (lambda x: Add()([x, x]), (6, 5, 2)),
        (lambda x: x + x, (6, 5, 2)),
        (lambda x: gpucnn.layers.add([x, x, x]), (6, 5, 2)),
        (lambda x: Concatenate()([x, x]), (6, 5, 4)),
        (lambda x: gpucnn.layers.concatenate((x, x), axis=1), (12, 5, 2)),
    ],
)
def test_tensors_are_joined(joined: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> None:
    assert joined(IMAGES).image_shape == shape


def test_names_of_what_joins() -> None:
    assert gpucnn.layers.add([IMAGES, IMAGES], name="sum").layer.name == "sum"
    assert gpucnn.layers.concatenate([IMAGES, IMAGES], name="both").layer.name == "both"


def test_parameters_before_need_gradients() -> None:
    assert not Softmax()(Flatten()(IMAGES)).needs_gradient
    assert Flatten()(Conv2D(1, 1)(IMAGES)).needs_gradient
    assert Add()([IMAGES, Conv2D(2, 1)(IMAGES)]).needs_gradient


def test_what_varies_images_comes_before_parameters() -> None:
    x = RandomFlip()(IMAGES)
    with refusal(
        "randomflip comes after a layer with parameters: put what varies images before the first "
        "of these"
    ):
        RandomFlip()(Conv2D(1, 1)(x))


COMPUTED: list[Callable[[Any], Any]] = [
    lambda x: add(x, 1),
    lambda x: add(1, x),
    lambda x: add(np.ones(3), x),
    lambda x: sub(x, x),
    lambda x: mul(2, x),
    neg,
    lambda x: getitem(x, 0),
    lambda x: np.add(x, x),
    lambda x: np.concatenate([x, x]),
    np.asarray,
    np.sum,
    float,
    bool,
    list,
    len,
]


@pytest.mark.parametrize("compute", COMPUTED)
def test_there_are_no_numbers_to_compute_with(compute: Callable[[Any], Any]) -> None:
    with refusal(
        "Input(shape=(6, 5, 2)) has no numbers to compute with: give it to layers, such as "
        "Add()([x, y]), make a Model(inputs, outputs), and give images to that",
        InvalidTypeError,
    ):
        compute(IMAGES)


@pytest.mark.parametrize("given", [3, None, [], [IMAGES, 3]])
def test_layers_are_called_on_tensors(given: Any) -> None:
    with refusal(
        f"Dense(units=3) is called on {given!r}, but to make a model layers are called on what "
        "Input and other layers give: give numbers to predict of a model",
        InvalidTypeError,
    ):
        Dense(3)(given)


def test_layers_of_one_input() -> None:
    assert Flatten()([IMAGES]).image_shape == (60,)
    with refusal(
        "Flatten() is called on 2 tensors, but takes one: join them first, by Add() or "
        "Concatenate()",
        InvalidTypeError,
    ):
        Flatten()([IMAGES, IMAGES])


def test_layers_of_several_inputs() -> None:
    with refusal("Add() joins several tensors: give a list, as in [x, y]", InvalidTypeError):
        Add()(IMAGES)
    with refusal("Add() joins several tensors: give a list, as in [x, y]", InvalidTypeError):
        Add()(IMAGES, IMAGES)  # type: ignore[arg-type]


def test_shapes_that_do_not_fit() -> None:
    with refusal(
        "dense takes vectors of shape (inputs,), but its input has the shape (6, 5, 2): put "
        "Flatten() before it"
    ):
        Dense(3)(IMAGES)


def test_a_layer_of_a_model() -> None:
    layer = Dense(3)
    gpucnn.Sequential([layer], (4,))
    with refusal("Dense(units=3) is already part of a model: make a new layer"):
        layer(Input((4,)))


def test_a_layer_that_takes_one_cannot_be_built_for_several() -> None:
    layer: Layer = Flatten()
    layer.name_in_model = "flatten"
    with refusal("flatten takes the output of one layer, but is given those of 2"):
        layer.build_for([(3,), (3,)], needs_gradient=False)


@pytest.mark.parametrize("training", [False, True])
def test_what_layers_do_in_training_is_not_chosen_where_they_are_called(training: bool) -> None:
    kinds: list[Any] = [BatchNormalization(), gpucnn.Sequential([RandomFlip()])]
    for called in kinds:
        assert called(IMAGES, training=None).image_shape == IMAGES.image_shape
        with refusal(
            f"training is {training}, but a layer does what is due in fit, and in use, wherever it "
            "is called: leave it out"
        ):
            called(IMAGES, training=training)
    with refusal("Layer has no argument when: it takes inputs, training", InvalidTypeError):
        Flatten()(IMAGES, when=3)  # type: ignore[call-arg]

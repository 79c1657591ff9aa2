from typing import Any

import numpy as np
import pytest

import small
from expect import refusal
from gpucnn import (
    Add,
    Concatenate,
    Conv2D,
    Dense,
    Flatten,
    Input,
    Model,
    Normalization,
    RandomBrightness,
    RandomContrast,
    RandomFlip,
    Rescaling,
    Sequential,
)
from gpucnn.layers import Layer, takes_bytes_as_they_are

BYTES, LABELS = small.images(20), small.labels(20)
FLOATS = np.linspace(0, 1, BYTES.size).reshape(BYTES.shape)


def fit(before: list[Layer], x: Any) -> Sequential:
    layers = [*before, Conv2D(2, 3), Flatten(), Dense(small.CLASSES)]
    model = Sequential(layers, small.SHAPE, device="cpu")
    model.compile()
    model.fit(x, LABELS, verbose=0)
    return model


@pytest.mark.parametrize(
    ("before", "x"),
    [
        ([RandomBrightness(0.1), Rescaling(1 / 255)], BYTES),
        ([RandomFlip(), RandomContrast(0.1), Rescaling(1 / 255)], BYTES),
        ([Rescaling(1 / 255), RandomBrightness(0.1, (0, 1))], BYTES),
        ([Rescaling(-2.0, 1.0), RandomContrast(0.1, (-1, 1))], FLOATS),
        ([RandomBrightness(0.1, (-0.5, 0.5))], BYTES),
        ([RandomBrightness(0.1, (0, 1)), RandomContrast(0.1, (0, 1))], FLOATS),
        ([RandomBrightness(0.1), Rescaling(1 / 255)], FLOATS * 255),
        ([RandomBrightness(0.1, (0, 7))], FLOATS * 7),
        ([Conv2D(1, 1)], BYTES),
    ],
)
def test_ranges_of_the_pixels(before: list[Layer], x: Any) -> None:
    assert np.isfinite(fit(before, x).parameters).all()


def test_a_range_of_others() -> None:
    with refusal(
        "randombrightness has value_range=(0, 255), but the pixels that it is given are from -0.5 "
        "to 0.5: give value_range=(-0.5, 0.5), or put Rescaling(1 / 255) behind it, for bytes as "
        "they are"
    ):
        fit([RandomBrightness(0.1)], BYTES)
    with refusal(
        "randomcontrast has value_range=(0, 255), but the pixels that it is given are from 0 to 1: "
        "give value_range=(0, 1)"
    ):
        fit([RandomContrast(0.1)], FLOATS)
    with refusal(
        "randomcontrast has value_range=(0, 255), but the pixels that it is given are from -1 to "
        "1: give value_range=(-1, 1)"
    ):
        fit([Normalization(mean=127.5, variance=127.5**2), RandomContrast(0.1)], BYTES)


def test_of_one_batch() -> None:
    model = fit([RandomBrightness(0.1, (0, 1))], FLOATS)
    with refusal(
        "randombrightness has value_range=(0, 1), but the pixels that it is given are from -0.5 to "
        "0.5: give value_range=(-0.5, 0.5), or put Rescaling(1 / 255) behind it, for bytes as they "
        "are"
    ):
        model.train_on_batch(BYTES, LABELS)


def test_each_branch_has_pixels_of_its_own() -> None:
    images = Input(small.SHAPE)
    scaled = Rescaling(1 / 255)(images)
    varied = RandomBrightness(0.1, (0, 255))(images)
    joined = Concatenate()([scaled, varied, RandomContrast(0.1, (0, 1))(scaled)])
    model = Model(images, Dense(small.CLASSES)(Flatten()(joined)), device="cpu")
    model.fit(BYTES, LABELS, verbose=0)
    wrong = RandomBrightness(0.1, (0, 255))(Rescaling(1 / 255)(images))
    joined = Concatenate()([RandomFlip()(images), wrong])
    with refusal(
        "randombrightness has value_range=(0, 255), but the pixels that it is given are from 0 to "
        "1: give value_range=(0, 1)"
    ):
        Model(images, Dense(small.CLASSES)(Flatten()(joined)), device="cpu").fit(BYTES, LABELS)


@pytest.mark.parametrize("scaled_first", [True, False])
def test_bytes_do_not_depend_on_the_order_of_branches(scaled_first: bool) -> None:
    images = Input(small.SHAPE)
    branches = [Rescaling(1 / 255), Conv2D(small.SHAPE[-1], 1)][:: 1 if scaled_first else -1]
    joined = Add()([branch(images) for branch in branches])
    model = Model(images, Dense(small.CLASSES)(Flatten()(joined)), device="cpu")
    assert takes_bytes_as_they_are(model.layers)

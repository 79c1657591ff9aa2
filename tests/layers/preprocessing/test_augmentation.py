from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import loops
from expect import refusal
from gpucnn import (
    Conv2D,
    CutMix,
    Dense,
    Flatten,
    MixUp,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
    Sequential,
)
from gpucnn.backends.ops.images.resampling import FILL_MODES, PIXEL
from gpucnn.layers import AUGMENTATION, Layer, Step
from layers.varied import INDEX, SEED, SHAPE, X, drawn, first_of_a_model, varied

LAYERS = [
    RandomBrightness(0.2, (-2, 2)),
    RandomContrast(0.4, (-2, 2)),
    RandomCrop(3, 5),
    RandomErasing((1, 1), (0.3, 0.6), value_range=(-2, 2)),
    RandomErasing(0.9, fill_value=(1, 2), value_range=(-2, 2)),
    RandomFlip(),
    RandomFlip("horizontal"),
    RandomFlip("vertical"),
    *(RandomTranslation(0.3, (-0.1, 0.6), mode, fill_value=0.5) for mode in FILL_MODES),
    *(RandomRotation(0.2, mode, "nearest", 0.5) for mode in FILL_MODES),
    *(RandomZoom((-0.4, 0.1), 1.0, mode, fill_value=0.5) for mode in FILL_MODES),
    *(RandomShear(0.4, (0.1, 0.5), fill_mode=mode, fill_value=0.5) for mode in FILL_MODES),
]

layers = pytest.mark.parametrize("layer", LAYERS, ids=repr)


# What is drawn


@pytest.mark.parametrize("step", [1, 2, 2**35])
@pytest.mark.parametrize(
    ("mode", "most"), [("horizontal", (0, 1)), ("vertical", (1, 0)), (None, (1, 1))]
)
def test_flips(mode: str | None, most: tuple[int, int], step: int) -> None:
    layer = RandomFlip() if mode is None else RandomFlip(mode)
    flips = [[drawn(image, k, 0, most[k], step) for k in range(2)] for image in range(len(X))]
    assert_array_equal(varied(layer, step), loops.flip(X, np.array(flips)))


@pytest.mark.parametrize("step", [1, 7])
@pytest.mark.parametrize("mode", FILL_MODES)
@pytest.mark.parametrize(
    ("factors", "lows", "highs"),
    [
        ((0.3, 0.5), (-0.3, -0.5), (0.3, 0.5)),
        (((-0.2, 0.1), (0.25, 0.25)), (-0.2, 0.25), (0.1, 0.25)),
        ((-0.4, 1), (-0.4, -1), (0.4, 1)),
        ((0, (-1, -1)), (0, -1), (0, -1)),
    ],
)
def test_translations(
    factors: tuple[Any, Any],
    lows: tuple[float, float],
    highs: tuple[float, float],
    mode: str,
    step: int,
) -> None:
    shifts = np.zeros((len(X), 2), int)
    for image, k in np.ndindex(shifts.shape):
        low, high = (round(share * SHAPE[k] * PIXEL) for share in (lows[k], highs[k]))
        shifts[image, k] = drawn(image, k, low, high, step)
    expected = loops.translate(X, shifts, mode, 0.75, PIXEL)
    layer = RandomTranslation(*factors, mode, fill_value=0.75)
    assert_allclose(varied(layer, step), expected, rtol=0, atol=1e-14)


def test_a_shift_down_and_to_the_right_is_positive() -> None:
    layer = RandomTranslation((0.2, 0.2), (2 / 7, 2 / 7), "constant", fill_value=9.0)
    expected = np.full_like(X, 9)
    expected[:, 1:, 2:] = X[:, :-1, :-2]
    assert_array_equal(varied(layer), expected)


def test_keras_reflects_at_the_edge() -> None:
    layer = RandomTranslation((0.4, 0.4), 0.0)
    assert_array_equal(varied(layer)[:, :2], X[:, [1, 0]])


def test_some_are_flipped_and_others_not() -> None:
    flipped = (varied(RandomFlip("horizontal")) != X).any((1, 2, 3))
    assert 0 < flipped.sum() < len(X)


@layers
def test_another_seed_place_or_step_varies_otherwise(layer: Layer) -> None:
    made = varied(layer)
    assert not np.array_equal(made, varied(layer, step=3))
    assert not np.array_equal(made, varied(layer, seed=SEED + 1))
    assert not np.array_equal(made, varied(layer, index=INDEX + 1))


@layers
def test_the_same_seed_place_and_step_vary_alike(layer: Layer) -> None:
    assert varied(layer).tobytes() == varied(layer).tobytes()


@layers
@pytest.mark.parametrize("rows", [slice(0, 3), slice(2, 9), slice(4, 5)])
def test_a_microbatch_is_varied_as_in_its_batch(layer: Layer, rows: slice) -> None:
    assert varied(layer, rows=rows).tobytes() == varied(layer)[rows].tobytes()


@layers
def test_every_device_varies_alike(layer: Layer) -> None:
    """Interpolation in float64 is off by a rounding or two; what is drawn is the same."""
    assert_allclose(varied(layer, device="simulator"), varied(layer), rtol=0, atol=1e-15)


def test_every_layer_is_tried() -> None:
    assert {type(layer) for layer in LAYERS} == {*AUGMENTATION, RandomCrop} - {MixUp, CutMix}


# Outside of training


@pytest.mark.parametrize("layer", [each for each in LAYERS if type(each) in AUGMENTATION], ids=repr)
def test_images_stay_as_they_are(layer: Layer) -> None:
    layer = first_of_a_model(layer)
    assert layer.forward(X, None) is X
    assert layer.forward(X, Step()) is X
    assert layer.inference_buffers() == {}


# In a model


@pytest.mark.parametrize("layer", [RandomFlip(), RandomTranslation(0.1, 0.1), RandomRotation(0.1)])
def test_comes_before_all_parameters(layer: Layer) -> None:
    name = type(layer).__name__.lower()
    with refusal(
        f"{name} comes after a layer with parameters: put what varies images before the first of "
        "these"
    ):
        Sequential([Conv2D(2, 1), layer, Flatten(), Dense(2)], input_shape=SHAPE)


def test_takes_images() -> None:
    with refusal(
        "randomflip takes images of shape (height, width, channels), but its input has the shape "
        "(70,): give the model an input_shape such as (28, 28, 1), and put this layer before "
        "Flatten and Dense"
    ):
        Sequential([Flatten(), RandomFlip(), Dense(2)], input_shape=SHAPE)


def test_images_that_are_too_large() -> None:
    layer = RandomTranslation(0.1, 0.1)
    layer.name, layer.needs_input_gradient = "randomtranslation", False
    layer.build((32767, 1, 1))
    with refusal(
        "randomtranslation moves images of up to 32,767 pixels a side, but its input has the shape "
        "(1, 32768, 1): scale the images down"
    ):
        layer.build((1, 32768, 1))


@pytest.mark.parametrize("mode", ["both", None, ""])
def test_wrong_modes(mode: Any) -> None:
    with refusal(f"mode is {mode!r}: choose one of horizontal, vertical, horizontal_and_vertical"):
        RandomFlip(mode)


@pytest.mark.parametrize("factor", [1.5, "0.1", None, (0.2, 0.1), (0.1,), (-2, 0), (0, 1.1), True])
def test_wrong_factors(factor: Any) -> None:
    allowed = "it must be a number from -1 to 1, or a pair of them, the lower first"
    with refusal(f"height_factor is {factor!r}: {allowed}"):
        RandomTranslation(factor, 0.1)
    with refusal(f"width_factor is {factor!r}: {allowed}"):
        RandomTranslation(0.1, factor)


def test_other_wrong_arguments() -> None:
    with refusal("fill_mode is 'mirror': choose one of constant, nearest, reflect, wrap"):
        RandomTranslation(0.1, 0.1, "mirror")
    with refusal("interpolation is 'nearest': choose one of bilinear"):
        RandomTranslation(0.1, 0.1, interpolation="nearest")
    with refusal("fill_value is nan: it must be a number"):
        RandomTranslation(0.1, 0.1, fill_value=float("nan"))

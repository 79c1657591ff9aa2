from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import loops
import small
from expect import refusal
from gpucnn import (
    SGD,
    Add,
    Conv2D,
    CutMix,
    Dense,
    Flatten,
    Input,
    MixUp,
    Model,
    RandomFlip,
    Sequential,
    get_backend,
)
from gpucnn.backends import Array
from gpucnn.layers import Layer, MixingLayer, Step
from gpucnn.layers.preprocessing.mixing import PARTNERS, beta_quantiles
from gpucnn.layers.preprocessing.rectangles import CHOICES
from gpucnn.losses import CategoricalCrossentropy, SparseCategoricalCrossentropy
from gpucnn.utils import to_categorical

IMAGES, LABELS = small.images(20) / 255 - 0.5, small.labels(20)
ROWS = to_categorical(LABELS, small.CLASSES)
SEED = 4

kinds = pytest.mark.parametrize("kind", [lambda: MixUp(1.0), CutMix], ids=["MixUp", "CutMix"])


def model(first: list[Layer], loss: Any) -> Sequential:
    layers = [*first, Conv2D(3, 3, activation="tanh"), Flatten(), Dense(small.CLASSES)]
    made = Sequential(layers, small.SHAPE, dtype="float64", device="cpu", seed=SEED)
    made.compile(SGD(0.5), loss=loss)
    return made


def mixed(layer: MixingLayer, step: int, batch: Array) -> tuple[Array, Array, Array]:
    """The images, the partners and the shares of the first layer of a model."""
    backend = get_backend("cpu")
    layer.index, layer.seed, layer.needs_input_gradient = 0, SEED, False
    layer.build(small.SHAPE)
    layer.place(backend, np.dtype(np.float64), {}, {}, np.empty(0))
    layer.reserve(len(batch), training=True)
    shares = np.zeros((2, len(batch)))

    def gather(indices: Array, out: Array) -> None:
        out[...] = IMAGES[indices]

    x = IMAGES[batch]
    made, partners = layer.mix(x, batch, Step(np.array([step])), gather, shares)
    return np.array(made), np.array(partners), shares


@kinds
@pytest.mark.parametrize("has_rows", [True, False])
def test_a_step_is_one_of_mixed_images_and_labels(kind: Any, has_rows: bool) -> None:
    """Of labels as rows; the cross-entropy is linear in them."""
    loss: Any = CategoricalCrossentropy if has_rows else SparseCategoricalCrossentropy
    mixing = model([kind()], loss(from_logits=True))
    mixing.fit(IMAGES, ROWS if has_rows else LABELS, batch_size=20, shuffle=False, verbose=0)
    x, partners, (mine, others) = mixed(kind(), 1, np.arange(20))
    y = mine[:, None] * ROWS + others[:, None] * ROWS[partners]
    plain = model([], CategoricalCrossentropy(from_logits=True))
    plain.set_weights(model([kind()], loss(from_logits=True)).get_weights())
    plain.fit(x, y, batch_size=20, shuffle=False, verbose=0)
    assert_allclose(mixing.parameters, plain.parameters, rtol=1e-12, atol=1e-13)


def test_weights_of_images_count_for_the_mixed_ones() -> None:
    weights = np.arange(20) % 2 * 1.0
    mixing = model([MixUp(1.0)], CategoricalCrossentropy(from_logits=True))
    mixing.fit(IMAGES, ROWS, 20, shuffle=False, verbose=0, sample_weight=weights)
    x, partners, (mine, others) = mixed(MixUp(1.0), 1, np.arange(20))
    y = mine[:, None] * ROWS + others[:, None] * ROWS[partners]
    plain = model([], CategoricalCrossentropy(from_logits=True))
    plain.set_weights(model([MixUp(1.0)], None).get_weights())
    plain.fit(x, y, 20, shuffle=False, verbose=0, sample_weight=weights)
    assert_allclose(mixing.parameters, plain.parameters, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_partner_is_a_number_of_places_on(step: int) -> None:
    batch = np.array([3, 1, 4, 15, 9, 2, 6])
    number = loops.drawn_integer(loops.random_word(0, SEED, PARTNERS, step), 1, 6)
    _, partners, _ = mixed(MixUp(), step, batch)
    assert_array_equal(partners, np.roll(batch, -number))


def test_an_image_alone_is_mixed_with_itself() -> None:
    for layer in MixUp(), CutMix():
        made, partners, _ = mixed(layer, 1, np.array([7]))
        assert_allclose(made, IMAGES[[7]], rtol=0, atol=1e-15)
        assert partners == [7]


def test_mix_up() -> None:
    batch = np.arange(20)
    made, partners, (mine, others) = mixed(MixUp(0.7), 1, batch)
    weights = beta_quantiles(np.full(CHOICES, 0.7))
    expected = [
        weights[loops.drawn_integer(loops.random_word(4 * int(i), SEED, 0, 1), 0, CHOICES - 1)]
        for i in batch
    ]
    assert_allclose(mine, expected, rtol=0, atol=2**-17)
    assert_array_equal(mine + others, 1)
    shape = 20, 1, 1, 1
    blended = mine.reshape(shape) * IMAGES + others.reshape(shape) * IMAGES[partners]
    assert_allclose(made, blended, rtol=0, atol=1e-15)


def test_cut_mix() -> None:
    """Its rectangles are those of another image, and the shares are those of the pixels."""
    batch = np.arange(20)
    made, partners, (mine, others) = mixed(CutMix((1.0, 1.0)), 1, batch)
    is_own, is_other = (made == IMAGES).all(-1), (made == IMAGES[partners]).all(-1)
    assert (is_own | is_other).all()
    for image in batch:
        pasted = ~is_own[image]
        rows, columns = pasted.any(1), pasted.any(0)
        apart = (IMAGES[image] != IMAGES[partners[image]]).all(-1)
        assert_array_equal(pasted & apart, np.outer(rows, columns) & apart)
        assert others[image] == pytest.approx(1 - mine[image])
        assert abs(pasted.mean() - others[image]) < (~apart).mean() + 1e-9
    assert 0.1 < others.mean() < 0.9


@pytest.mark.parametrize("alpha", [0.01, 0.2, 0.5, 1.0])
def test_beta_quantiles(alpha: float) -> None:
    """By the moments of the distribution: 1/2, and 1 / (4 (2 alpha + 1)) of the variance."""
    quantiles = beta_quantiles(np.full(CHOICES, alpha))
    assert (np.diff(quantiles) >= 0).all()
    assert_allclose(quantiles + quantiles[::-1], 1, rtol=0, atol=1e-12)
    assert quantiles.var() == pytest.approx(0.25 / (2 * alpha + 1), rel=1e-3)
    if alpha == 0.5:  # that of the arcsine
        levels = (np.arange(CHOICES) + 0.5) / CHOICES
        assert_allclose(quantiles, np.sin(np.pi / 2 * levels) ** 2, rtol=0, atol=1e-6)


@kinds
def test_images_in_use_are_not_mixed(kind: Any) -> None:
    mixing, plain = model([kind()], None), model([], None)
    plain.set_weights(mixing.get_weights())
    assert_array_equal(mixing.predict(IMAGES), plain.predict(IMAGES))
    assert mixing.evaluate(IMAGES, LABELS).loss == plain.evaluate(IMAGES, LABELS).loss


@kinds
def test_comes_first(kind: Any) -> None:
    name = type(kind()).__name__.lower()
    with refusal(f"{name} mixes images as they are loaded: put it first in the model"):
        Sequential([RandomFlip(), kind(), Flatten(), Dense(2)], (5, 7, 1))
    images = Input((5, 7, 1))
    with refusal(
        f"{name} mixes images as they are loaded, for whatever takes them: let no other layer take "
        "these, but its output"
    ):
        Model(images, Dense(2)(Flatten()(Add()([kind()(images), images])))).build((5, 7, 1))
    with refusal(
        f"{name} takes images of shape (height, width, channels), but its input has the shape "
        "(70,): give the model an input_shape such as (28, 28, 1), and put this layer before "
        "Flatten and Dense"
    ):
        Sequential([kind(), Dense(2)], (70,))


@pytest.mark.parametrize("alpha", [0, -0.2, 1.5])
def test_wrong_arguments(alpha: float) -> None:
    with refusal(f"alpha is {alpha!r}: it must be a number above 0 and at most 1"):
        MixUp(alpha)
    with refusal(
        "factor is 2: it must be a number from 0 to 1, or a pair of them, the lower first"
    ):
        CutMix(2)

"""Models that begin with layers that scale pixels, or vary images."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

import small
from gpucnn import (
    Adam,
    BatchNormalization,
    Conv2D,
    CutMix,
    Dense,
    Flatten,
    MaxPool2D,
    MixUp,
    Normalization,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
    ReLU,
    Rescaling,
    Sequential,
    SpatialDropout2D,
    ZeroPadding2D,
    get_backend,
)
from gpucnn.backends import Array, Backend
from gpucnn.layers import Layer, Scaling
from microbatches import InMicrobatches

IMAGES, LABELS = small.images(40), small.labels(40)

PIXELS: dict[str, NDArray[Any]] = {  # the same images, in each encoding
    "bytes": IMAGES,
    "unit": IMAGES / 255,
    "centred": IMAGES / 255 - 0.5,
    "symmetric": IMAGES / 127.5 - 1,
    "whole": IMAGES.astype(np.float64),
}


def adapted() -> Normalization:
    layer = Normalization()
    layer.adapt(IMAGES)
    return layer


def model(first: list[Layer], **options: Any) -> Sequential:
    """A model that begins with some layers."""
    layers = [*first, Conv2D(4, 3), ReLU(), MaxPool2D(2), Flatten(), Dense(small.CLASSES)]
    return Sequential(layers, small.SHAPE, **({"dtype": "float64", "device": "cpu"} | options))


def trained(made: Sequential, x: Array = IMAGES) -> Sequential:
    made.compile(Adam(0.01))
    made.fit(x, LABELS, batch_size=13, epochs=2, verbose=0)
    return made


# Bytes


def test_bytes_are_the_numbers_from_0_to_255_for_a_model_that_scales_them() -> None:
    scaled, centred = trained(model([Rescaling(1 / 255, -0.5)])), trained(model([]))
    assert_allclose(scaled.parameters, centred.parameters, rtol=1e-9, atol=1e-12)
    assert_allclose(scaled.predict(IMAGES), centred.predict(IMAGES), rtol=1e-9)
    assert scaled.evaluate(IMAGES, LABELS) == pytest.approx(centred.evaluate(IMAGES, LABELS))


def test_so_they_are_where_images_are_varied_first() -> None:
    scaled = trained(model([RandomFlip(), Rescaling(1 / 255, -0.5)]))
    centred = trained(model([RandomFlip()]))
    assert_allclose(scaled.parameters, centred.parameters, rtol=1e-9, atol=1e-12)


def test_a_model_that_is_adapted_to_bytes_sees_them_as_floats_of_0_to_255() -> None:
    of_bytes, of_floats = (trained(model([adapted()]), PIXELS[kind]) for kind in ("bytes", "whole"))
    assert_array_equal(of_bytes.parameters, of_floats.parameters)


def test_gradients_are_of_the_numbers_from_0_to_255() -> None:
    made = model([Rescaling(0.01)])
    loss, gradients = made.loss_and_gradients(IMAGES, LABELS)
    same, others = made.loss_and_gradients(PIXELS["whole"], LABELS)
    assert loss == same
    for gradient, other in zip(gradients, others, strict=True):
        assert_array_equal(gradient, other)


@pytest.mark.parametrize("kind", PIXELS)
def test_pixels_in_another_encoding_are_converted_to_the_bytes_of_training(kind: str) -> None:
    made = trained(model([Rescaling(1 / 255)]))
    assert_allclose(made.predict(PIXELS[kind]), made.predict(IMAGES), rtol=1e-9)
    measured = made.evaluate(PIXELS[kind], LABELS)
    assert measured == pytest.approx(made.evaluate(IMAGES, LABELS))


@pytest.mark.parametrize("kind", PIXELS)
def test_bytes_are_converted_to_the_pixels_of_training(kind: str) -> None:
    made = trained(model([Rescaling(0.5)]), PIXELS[kind])
    assert_allclose(made.predict(IMAGES), made.predict(PIXELS[kind]), rtol=1e-9)


def test_validation_sees_what_training_does() -> None:
    made = model([Rescaling(1 / 255)])
    history = made.fit(IMAGES, LABELS, validation_data=(IMAGES, LABELS), verbose=0)
    assert history.epochs[0]["val_loss"] == pytest.approx(made.evaluate(IMAGES, LABELS).loss)


def test_a_loaded_model_is_adapted_as_the_saved_one(tmp_path: Path) -> None:
    made = trained(model([adapted()]))
    made.save(tmp_path / "model.safetensors")
    loaded = Sequential.load(tmp_path / "model.safetensors", "cpu")
    assert_array_equal(loaded.predict(IMAGES), made.predict(IMAGES))


# Images that are varied, and channels that are dropped

Make = Callable[[], list[Layer]]

AUGMENTED: dict[str, Make] = {
    "flips": lambda: [RandomFlip()],
    "translations": lambda: [RandomTranslation(0.3, 0.2)],
    "windows": lambda: [ZeroPadding2D(1), RandomCrop(6, 6)],
    "tones": lambda: [RandomBrightness(0.1), RandomContrast(0.1), Rescaling(1 / 255)],
    "erased": lambda: [RandomErasing(value_range=(-0.5, 0.5))],
    "mixed": lambda: [MixUp(1.0), RandomFlip()],
    "cut": lambda: [CutMix()],
    "maps": lambda: [RandomRotation(0.1), RandomZoom(0.2, 0.1), RandomShear(0.2, 0.1)],
    "several": lambda: [
        RandomFlip("horizontal"),
        RandomTranslation(0.2, 0.2, "wrap"),
        adapted(),
    ],
}
VARIED: dict[str, Make] = AUGMENTED | {
    "channels": lambda: [Conv2D(5, 3, padding="same"), SpatialDropout2D(0.3)],
    "in lanes": lambda: [RandomFlip(), RandomTranslation(0.2, 0.2), BatchNormalization()],
}

varied = pytest.mark.parametrize("first", VARIED.values(), ids=VARIED)


def trained_on(backend: Backend, first: Make, dtype: str = "float64") -> Sequential:
    made = model(first(), dtype=dtype, seed=4)
    made.place(backend)
    return trained(made)


@varied
@pytest.mark.parametrize(("threads", "at_once"), [(1, 5), (2, 100), (2, 3), (3, 2)])
def test_images_are_varied_alike_however_a_batch_is_split(
    first: Make, threads: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sums of gradients differ by rounding; an image varied otherwise would make more of it."""
    monkeypatch.setattr("gpucnn.models.replica.replica.LEAST_SHARD", 1)
    expected = trained_on(InMicrobatches(1, 100), first).parameters
    split = trained_on(InMicrobatches(threads, at_once), first).parameters
    assert_allclose(split, expected, rtol=1e-9, atol=1e-12)


@varied
def test_images_are_varied_alike_on_every_device(first: Make) -> None:
    cpu, simulator = (trained_on(get_backend(device), first) for device in ("cpu", "simulator"))
    weights = zip(simulator.get_weights(), cpu.get_weights(), strict=True)
    for simulated, expected in weights:
        assert_allclose(simulated, expected, rtol=1e-9, atol=1e-12)


@varied
def test_the_same_seed_gives_the_same_bytes(first: Make) -> None:
    one, other = (
        small.weight_bytes(trained_on(InMicrobatches(2, 3), first, "float32")) for _ in range(2)
    )
    assert one == other


@varied
def test_another_seed_varies_otherwise(first: Make) -> None:
    """With the same initial weights and the same batch."""
    models = [model(first(), seed=seed) for seed in (4, 5)]
    for made in models:
        made.set_weights(models[0].get_weights())
        made.compile(Adam(0.01))
        made.fit(IMAGES, LABELS, batch_size=40, verbose=0, shuffle=False)
    one, other = (made.parameters for made in models)
    assert not np.allclose(one, other, rtol=1e-3)


@varied
def test_a_loaded_model_goes_on_as_if_not_interrupted(first: Make, tmp_path: Path) -> None:
    uninterrupted, interrupted = (model(first(), dtype="float32") for _ in range(2))
    for made, epochs in ((uninterrupted, 3), (interrupted, 1)):
        made.fit(IMAGES, LABELS, epochs=epochs, verbose=0)
    interrupted.save(tmp_path / "model.safetensors")
    resumed = Sequential.load(tmp_path / "model.safetensors", "cpu")
    resumed.fit(IMAGES, LABELS, epochs=2, verbose=0)
    assert small.weight_bytes(resumed) == small.weight_bytes(uninterrupted)


@pytest.mark.parametrize("first", AUGMENTED.values(), ids=AUGMENTED)
def test_images_in_use_are_not_varied(first: Make) -> None:
    made = trained(model(first()))
    still: list[Layer] = [each for each in first() if isinstance(each, Scaling)]
    plain = model(still)
    plain.set_weights(made.get_weights())
    plain.pixels = made.pixels
    assert_array_equal(made.predict(IMAGES), plain.predict(IMAGES))
    assert made.evaluate(IMAGES, LABELS) == plain.evaluate(IMAGES, LABELS)


@varied
def test_a_training_step_allocates_nothing(first: Make) -> None:
    made = trained(model(first()))
    before = made._twin().backend.allocations
    trained(made)
    assert made._twin().backend.allocations == before

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

import small
from gpucnn import Dense, Flatten, Model, Rescaling, Sequential, load_mnist
from gpucnn.errors import GpucnnWarning, InvalidFileError, InvalidValueError
from gpucnn.layers import Layer
from gpucnn.models.checkpoint import read_checkpoint, write_checkpoint
from gpucnn.models.exchange.imported import Imported
from gpucnn.models.pixels import (
    BYTES,
    ENCODINGS,
    FLOATS,
    Pixels,
    as_bytes,
    like_training,
    trained_on,
)

DTYPE = np.dtype(np.float64)
IMAGES = small.images(20)  # of all bytes
OF_FOUR = np.array([0, 10, 200, 255], np.uint8).reshape(1, 2, 2, 1)
BYTE_IMAGES = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)

ENCODED = {  # each encoding of the bytes, written out
    "unit": IMAGES / 255,
    "centred": IMAGES / 255 - 0.5,
    "symmetric": IMAGES / 127.5 - 1,
    "whole": IMAGES.astype(np.float64),
}
ALL: list[NDArray[Any]] = [IMAGES, *ENCODED.values()]
STANDARDISED = (IMAGES / 255 - 0.1307) / 0.3081


def given_to(trained: NDArray[Any], images: NDArray[Any]) -> NDArray[Any]:
    """The images that a model trained on other images is given."""
    return like_training(images, trained_on(Pixels.of(trained), None), DTYPE)


def check_refused(trained: NDArray[Any], images: NDArray[Any]) -> None:
    with pytest.raises(InvalidValueError, match="normalise them as the training images were"):
        given_to(trained, images)


def between(low: float, high: float) -> NDArray[np.float64]:
    """An image whose pixels span a range."""
    return np.linspace(low, high, 36).reshape(1, 6, 6, 1)


class TestConversion:
    @pytest.mark.parametrize("source", ENCODED)
    @pytest.mark.parametrize("target", ENCODED)
    def test_of_floats_to_the_encoding_of_training(self, source: str, target: str) -> None:
        converted = given_to(ENCODED[target], ENCODED[source])
        assert_allclose(converted, ENCODED[target], rtol=0, atol=1e-13)
        if source == target:
            assert converted is ENCODED[source]

    @pytest.mark.parametrize("target", ["unit", "symmetric", "whole"])
    def test_of_bytes_is_exact(self, target: str) -> None:
        assert_array_equal(given_to(ENCODED[target], IMAGES), ENCODED[target])

    def test_of_bytes_is_of_the_models_dtype(self) -> None:
        converted = like_training(IMAGES, Pixels(FLOATS, 0, 1), np.dtype(np.float32))
        assert_array_equal(converted, (IMAGES / 255).astype(np.float32))
        assert converted.dtype == np.float32

    @pytest.mark.parametrize("source", ["unit", "symmetric", "whole"])
    def test_of_floats_to_what_bytes_become(self, source: str) -> None:
        converted = given_to(IMAGES, ENCODED[source])
        assert_allclose(converted, ENCODED["centred"], rtol=0, atol=1e-13)

    def test_leaves_the_images_as_they_were(self) -> None:
        images = ENCODED["unit"].copy()
        given_to(IMAGES, images)
        assert_array_equal(images, ENCODED["unit"])

    @pytest.mark.parametrize("trained", [IMAGES, ENCODED["centred"]], ids=["bytes", "centred"])
    @pytest.mark.parametrize("images", [IMAGES, ENCODED["centred"]], ids=["bytes", "centred"])
    def test_is_not_done_where_bytes_become_the_same(
        self, trained: NDArray[Any], images: NDArray[Any]
    ) -> None:
        assert given_to(trained, images) is images

    def test_is_not_done_where_training_is_not_known(self) -> None:
        for images in ALL:
            assert like_training(images, None, DTYPE) is images

    @pytest.mark.parametrize("dtype", [np.float16, np.float32])
    def test_of_floats_of_few_digits(self, dtype: type) -> None:
        images: NDArray[Any] = (BYTE_IMAGES / 255).astype(dtype)
        expected = BYTE_IMAGES / 255 - 0.5
        assert_allclose(given_to(BYTE_IMAGES, images), expected, atol=1e-3)


class TestWhatIsUsedAsItIs:
    @pytest.mark.parametrize(
        ("trained", "low", "high"),
        [
            ("unit", 0, 0.3),  # dark
            ("unit", 0.4, 0.7),  # pale
            ("unit", 0, 0),  # blank
            ("centred", 0, 0),
            ("centred", -0.5, -0.2),
            ("centred", -0.1, 0.2),
            ("symmetric", -0.8, 0.3),
            ("whole", 0, 90),
        ],
    )
    def test_floats_in_the_interval_of_training(
        self, trained: str, low: float, high: float
    ) -> None:
        images = between(low, high)
        assert given_to(ENCODED[trained], images) is images

    def test_a_blank_image_of_a_model_of_bytes(self) -> None:
        blank = np.zeros((1, 6, 6, 1))
        assert given_to(IMAGES, blank) is blank

    @pytest.mark.parametrize(("low", "high"), [(-0.42, 2.8), (-0.4, 0.2), (0, 0.5), (-5, 7)])
    def test_floats_of_a_model_of_floats_normalised_otherwise(
        self, low: float, high: float
    ) -> None:
        images = between(low, high)
        assert given_to(STANDARDISED, images) is images

    def test_an_image_that_happens_to_fill_an_encoding(self) -> None:
        images = between(0.01, 0.99)
        assert given_to(between(-9, 9), images) is images


class TestVectors:
    """Their numbers are no pixels, unless they are bytes."""

    @pytest.mark.parametrize("trained", [(0, 1), (-3, 3), (-0.5, 0.5)])
    @pytest.mark.parametrize("given", [(-1, 1), (0, 2), (0, 1), (0, 255)])
    def test_are_used_as_they_are(
        self, trained: tuple[float, float], given: tuple[float, float]
    ) -> None:
        rows, x = (np.linspace(*each, 12).reshape(6, 2) for each in (trained, given))
        assert given_to(rows, x) is x

    def test_of_bytes_are_not_mixed_with_others(self) -> None:
        check_refused(np.linspace(0, 1, 12).reshape(6, 2), np.zeros((1, 2), np.uint8))


class TestRefusal:
    def test_of_bytes_where_training_was_normalised_otherwise(self) -> None:
        with pytest.raises(InvalidValueError) as caught:
            given_to(STANDARDISED, IMAGES)
        assert str(caught.value) == (
            "the images are bytes from 0 to 255, but the model was trained on floats from "
            "-0.424213 to 2.82149, and how to convert them is not known: normalise them as the "
            "training images were"
        )

    @pytest.mark.parametrize("source", ["unit", "centred", "symmetric", "whole"])
    def test_of_an_encoding_where_training_was_normalised_otherwise(self, source: str) -> None:
        check_refused(STANDARDISED, ENCODED[source])

    @pytest.mark.parametrize("trained", ALL)
    def test_of_images_normalised_otherwise(self, trained: NDArray[Any]) -> None:
        if trained.max() < 200:
            check_refused(trained, STANDARDISED)
        else:
            check_refused(trained, STANDARDISED * 100)

    @pytest.mark.parametrize(
        ("trained", "low", "high"),
        [
            ("centred", 0, 0.4),  # a dark image of 0 to 1, perhaps
            ("symmetric", 0, 0.5),
            ("symmetric", 0.1, 0.9),
            ("whole", 0, 0.4),
            ("whole", 0.1, 0.9),
            ("unit", 0, 1 / 255),  # divided by 255 twice, perhaps
        ],
    )
    def test_of_what_can_be_two_things(self, trained: str, low: float, high: float) -> None:
        check_refused(ENCODED[trained], between(low, high))

    def test_of_a_dark_image_of_floats_for_a_model_of_bytes(self) -> None:
        check_refused(IMAGES, between(0, 0.4))


class TestDarkBytes:
    @pytest.mark.parametrize(("high", "factor"), [(1, 255), (16, 15)])
    def test_are_told_in_training(self, high: int, factor: int) -> None:
        text = f"bytes of at most {high}, which are nearly black .* multiply them by {factor},"
        with pytest.warns(GpucnnWarning, match=text):
            trained_on(Pixels.of(IMAGES % (high + 1)), None)

    @pytest.mark.parametrize("trained", [IMAGES, ENCODED["unit"]], ids=["bytes", "floats"])
    def test_are_told_in_use(self, trained: NDArray[Any]) -> None:
        with pytest.warns(GpucnnWarning, match="bytes of at most 1, which are nearly black"):
            given_to(trained, IMAGES % 2)

    @pytest.mark.parametrize("high", [0, 17, 255])
    def test_are_not_all_bytes(self, high: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            images = np.minimum(IMAGES, np.uint8(high))
            trained_on(Pixels.of(images), None)
            given_to(IMAGES, images)

    def test_are_what_a_model_of_such_takes_alone(self) -> None:
        trained = Pixels(BYTES, 0, 1)
        dark = IMAGES % 2
        assert like_training(dark, trained, DTYPE) is dark
        for images in ALL[:2]:
            with pytest.raises(InvalidValueError, match="trained on bytes from 0 to 1: give it"):
                like_training(images, trained, DTYPE)

    def test_may_be_blank(self) -> None:
        blank = np.zeros((1, 6, 6, 1), np.uint8)
        assert like_training(blank, Pixels(BYTES, 0, 1), DTYPE) is blank


class TestAsBytes:
    @pytest.mark.parametrize("images", ALL)
    def test_of_an_encoding(self, images: NDArray[Any]) -> None:
        assert_array_equal(as_bytes(images), IMAGES)

    def test_of_no_encoding(self) -> None:
        shown = as_bytes(between(-3, 9))
        assert shown.dtype == np.uint8
        assert (shown.min(), shown.max()) == (0, 255)

    def test_of_a_blank_image(self) -> None:
        assert_array_equal(as_bytes(np.full((2, 2), 5.0)), np.zeros((2, 2)))


class TestRecord:
    def test_of_bytes(self) -> None:
        assert trained_on(Pixels.of(IMAGES[:, 1:]), None) == Pixels(BYTES, 0, 255)

    def test_of_floats(self) -> None:
        assert trained_on(Pixels.of(between(-3, 4.5)), None) == Pixels(FLOATS, -3, 4.5)

    @pytest.mark.parametrize(("data", "kept"), [("folder", "folder"), ("a\033b", None)])
    def test_of_a_data_set(self, data: str, kept: str | None) -> None:
        assert Pixels.of(IMAGES, data).data == kept

    def test_of_images_one_after_the_other_is_of_all(self) -> None:
        earlier = Pixels(FLOATS, 0, 0.4, "folder")
        now = trained_on(Pixels.of(between(0.1, 1)), earlier)
        assert now == Pixels(FLOATS, 0, 1)  # of another set, perhaps: where from is not known

    @pytest.mark.parametrize("images", [between(0, 255), IMAGES])
    def test_of_another_kind_or_encoding_is_of_the_latest(self, images: NDArray[Any]) -> None:
        assert trained_on(Pixels.of(images), Pixels(FLOATS, 0, 1, "folder")) == Pixels.of(images)

    @given(low=st.floats(-300, 300), width=st.floats(0, 600))
    def test_is_of_one_encoding_at_most(self, low: float, width: float) -> None:
        pixels = Pixels(FLOATS, low, low + width)
        fitting = [each for each in ENCODINGS if each.contains(pixels) and width > 0.6 * each.width]
        assert [each for each in [pixels.encoding()] if each is not None] == fitting

    @pytest.mark.parametrize(
        "wrong",
        [
            {"kind": "words"},
            {"low": float("nan")},
            {"high": float("inf")},
            {"high": 10**400},
            {"low": "0"},
            {"low": True},
            {"low": 2},
            {"kind": "bytes", "high": 256},
            {"kind": "bytes", "low": -1},
            {"data": 5},
            {"data": "a\033b"},
            {"data": "a" * 5000},
        ],
    )
    def test_that_is_wrong_is_refused(self, wrong: dict[str, Any]) -> None:
        right: dict[str, Any] = {"kind": "floats", "low": 0, "high": 1}
        Pixels(**right)
        with pytest.raises(InvalidValueError):
            Pixels(**(right | wrong))


@pytest.fixture(scope="module")
def model() -> Sequential:
    """A model trained on floats from 0 to 1."""
    model = Sequential([Flatten(), Dense(small.CLASSES)], small.SHAPE, "float64", "cpu")
    model.fit(ENCODED["unit"], small.labels(20), verbose=0)
    return model


class TestModel:
    @pytest.mark.parametrize("images", ALL)
    def test_gives_the_same(self, model: Sequential, images: NDArray[Any]) -> None:
        expected = model.predict(ENCODED["unit"])
        assert_allclose(model.predict(images), expected, rtol=1e-9)
        measured = model.evaluate(images, small.labels(20))
        assert measured == pytest.approx(model.evaluate(ENCODED["unit"], small.labels(20)))

    def test_refuses_what_is_not_known(self, model: Sequential) -> None:
        with pytest.raises(InvalidValueError, match="how to convert them is not known"):
            model.predict(STANDARDISED)
        with pytest.raises(InvalidValueError, match="how to convert them is not known"):
            model.evaluate(STANDARDISED, small.labels(20))

    def test_is_validated_on_images_like_those_of_training(self) -> None:
        model = small.model(dtype="float64")
        images, labels = ENCODED["unit"], small.labels(20)
        history = model.fit(images, labels, validation_data=(IMAGES, labels), verbose=0)
        loss, accuracy = model.evaluate(images, labels)
        (record,) = history.epochs
        assert (record["val_loss"], record["val_accuracy"]) == pytest.approx((loss, accuracy))

    def test_keeps_the_record_in_its_file(self, model: Sequential, tmp_path: Path) -> None:
        model.save(tmp_path / "model.safetensors")
        loaded = Sequential.load(tmp_path / "model.safetensors")
        assert loaded.pixels == model.pixels == Pixels(FLOATS, 0, 1)
        assert_array_equal(loaded.predict(IMAGES), model.predict(ENCODED["unit"]))

    def test_that_was_not_trained_has_none(self, tmp_path: Path) -> None:
        path = tmp_path / "model.safetensors"
        small.model().save(path)
        assert "pixels" not in read_checkpoint(path)[1]
        assert Sequential.load(path).pixels is None

    @pytest.mark.parametrize("pixels", [None, 5, [], {}, {"kind": "bytes"}, {"low": 0, "x": 1}])
    def test_with_a_damaged_record_is_refused(self, tmp_path: Path, pixels: Any) -> None:
        path = tmp_path / "model.safetensors"
        small.model().save(path)
        arrays, description = read_checkpoint(path)
        write_checkpoint(path, arrays, description | {"pixels": pixels})
        with pytest.raises(InvalidFileError, match="does not describe a model"):
            Sequential.load(path)


class TestElsewhere:
    """A model that another library has trained, on pixels that are not known."""

    WEIGHTS = np.arange(12).reshape(4, 3) / 10, np.zeros(3)

    def model(self, *first: Layer) -> Model:
        layers = [*first, Flatten(), Dense(3)]
        weights = [*([] for _ in range(len(layers) - 1)), [*self.WEIGHTS]]
        return Sequential.from_imported(Imported(layers, weights, (2, 2, 1)), device="cpu")

    def test_it_takes_numbers_as_they_are(self) -> None:
        x = np.array([0.1, 0.2, 0.3, 0.9], np.float32).reshape(1, 2, 2, 1)
        expected = x.reshape(1, 4) @ self.WEIGHTS[0]
        np.testing.assert_allclose(self.model().predict(x), expected, rtol=1e-6)

    def test_it_takes_no_bytes(self) -> None:
        with pytest.raises(InvalidValueError, match=r"as set_encoding\(0, 1\) or `gpucnn import"):
            self.model().predict(OF_FOUR)

    def test_it_takes_bytes_once_it_is_told(self) -> None:
        model = self.model()
        model.set_encoding(0, 1)
        expected = self.model().predict(np.float32(OF_FOUR / 255))
        np.testing.assert_allclose(model.predict(OF_FOUR), expected, rtol=1e-6)
        with pytest.raises(InvalidValueError, match=r"is \(0, 2\): choose one of \(0, 1\)"):
            model.set_encoding(0, 2)

    def test_one_that_begins_with_rescaling_takes_bytes(self) -> None:
        model = self.model(Rescaling(1 / 255))
        expected = self.model().predict(np.float32(OF_FOUR / 255))
        np.testing.assert_allclose(model.predict(OF_FOUR), expected, rtol=1e-6)

    def test_training_on_bytes_warns(self) -> None:
        model = self.model()
        with pytest.warns(GpucnnWarning, match="and goes on with bytes as pixel / 255 - 0.5"):
            model.fit(OF_FOUR, np.array([1]), verbose=0)
        assert model.predict(OF_FOUR).shape == (1, 3)

    def test_it_is_saved(self, tmp_path: Path) -> None:
        self.model().save(tmp_path / "model.safetensors")
        again = Sequential.load(tmp_path / "model.safetensors", "cpu")
        with pytest.raises(InvalidValueError, match="which are not known"):
            again.predict(OF_FOUR)


def test_mnist_in_bytes_is_recognised_as_well_as_in_floats() -> None:
    (images, labels), _ = load_mnist()
    images, labels = images[:2000], labels[:2000]
    model = Sequential([Flatten(), Dense(10)], (28, 28, 1))
    model.fit(images / 255, labels, epochs=3, verbose=0)
    accuracy = model.evaluate(images / 255, labels).accuracy
    assert accuracy > 0.85
    assert model.evaluate(images, labels).accuracy == pytest.approx(accuracy, abs=0.002)

"""Models with losses, weights of images and metrics of every kind, on either device."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import small
from expect import refusal
from gpucnn import SGD, Dense, Flatten, Sequential, Sigmoid
from gpucnn.backends import Array, CpuBackend
from gpucnn.callbacks import LambdaCallback
from gpucnn.errors import InvalidTypeError, InvalidValueError
from gpucnn.layers import Dropout
from gpucnn.losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Loss,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
)
from gpucnn.metrics import ConfusionMatrix, F1Score, TopKCategoricalAccuracy, confusion_matrix
from gpucnn.models.training.parallel import ParallelTrainer
from microbatches import InMicrobatches, Plain
from own import Cubed

IMAGES, BATCH = 17, 5
X, Y = small.images(IMAGES), small.labels(IMAGES)
ROWS = np.eye(3)[Y]
WEIGHTS = np.random.default_rng(1).uniform(0, 2, IMAGES)

devices = pytest.mark.parametrize("device", ["cpu", "simulator"])


def model(
    outputs: int = 3, end: str | None = "softmax", device: str = "cpu", dtype: str = "float64"
) -> Sequential:
    layers = [*small.layers()[:-2], Dense(outputs, activation=end)]
    return Sequential(layers, small.SHAPE, dtype, device, seed=4, threads=1)


LOSSES: dict[str, tuple[Any, int, str | None, Any]] = {
    "classes": ("sparse_categorical_crossentropy", 3, "softmax", Y),
    "rows": ("categorical_crossentropy", 3, "softmax", ROWS),
    "logits": (CategoricalCrossentropy(from_logits=True), 3, None, ROWS),
    "smoothed": (CategoricalCrossentropy(label_smoothing=0.2), 3, "softmax", ROWS),
    "smoothed classes": (
        SparseCategoricalCrossentropy(from_logits=True, label_smoothing=0.2),
        3,
        None,
        Y,
    ),
    "binary": ("binary_crossentropy", 1, "sigmoid", Y > 0),
    "binary, of several": (BinaryCrossentropy(), 3, "sigmoid", ROWS),
    "binary, of logits": (BinaryCrossentropy(from_logits=True), 1, None, Y[:, None] > 0),
    "squared error": ("mse", 2, None, np.stack([Y, -Y], axis=1)),
    "squared error of sigmoids": (MeanSquaredError(), 1, "sigmoid", Y / 3),
    "one of one's own": (Cubed(), 2, "tanh", np.stack([Y, -Y], axis=1) / 3),
}

losses = pytest.mark.parametrize(("loss", "outputs", "end", "y"), LOSSES.values(), ids=LOSSES)


def loss_by_hand(made: Sequential, loss: Any, y: Any) -> Array:
    """The loss of each image, by the definition, of what the model predicts."""
    found = made.predict(X).astype(np.float64)
    rows = ROWS if np.ndim(y) == 1 and found.shape[1] == 3 else np.reshape(y, found.shape)
    name = loss if isinstance(loss, str) else type(loss).__name__
    smoothing = getattr(loss, "label_smoothing", 0.0)
    if "ategorical" in name:
        rows = rows * (1 - smoothing) + smoothing / 3
        if getattr(loss, "from_logits", False):
            found = np.exp(found) / np.exp(found).sum(axis=1, keepdims=True)
        return -(rows * np.log(found)).sum(axis=1)  # type: ignore[no-any-return]
    if "inary" in name:
        if getattr(loss, "from_logits", False):
            found = 1 / (1 + np.exp(-found))
        return -np.where(rows, np.log(found), np.log(1 - found)).mean(axis=1)  # type: ignore[no-any-return]
    return (abs(found - rows) ** (3 if name == "Cubed" else 2)).mean(axis=1)  # type: ignore[no-any-return]


@devices
@losses
class TestLosses:
    def test_evaluation_is_the_mean_of_what_is_predicted(
        self, loss: Any, outputs: int, end: str | None, y: Any, device: str
    ) -> None:
        made = model(outputs, end, device)
        made.compile(SGD(0.1), loss)
        found = made.evaluate(X, y, 4)
        assert found.loss == pytest.approx(loss_by_hand(made, loss, y).mean(), rel=1e-9)

    def test_weights_of_images(
        self, loss: Any, outputs: int, end: str | None, y: Any, device: str
    ) -> None:
        made = model(outputs, end, device)
        made.compile(SGD(0.1), loss)
        found = made.evaluate(X, y, 4, sample_weight=WEIGHTS)
        expected = (WEIGHTS * loss_by_hand(made, loss, y)).mean()
        assert found.loss == pytest.approx(expected, rel=1e-9)

    def test_a_step_goes_down_the_gradient_of_the_weighted_loss(
        self, loss: Any, outputs: int, end: str | None, y: Any, device: str
    ) -> None:
        """By differences along the step: of a loss L, -rate |g|^2 to first order."""
        rate = 1e-4
        made = model(outputs, end, device)
        made.compile(SGD(rate), loss)
        before = made.get_weights()
        first = (WEIGHTS * loss_by_hand(made, loss, y)).mean()
        made.fit(X, y, IMAGES, sample_weight=WEIGHTS, verbose=0)
        moves = [new - old for new, old in zip(made.get_weights(), before, strict=True)]
        squares = sum(float((move**2).sum()) for move in moves)
        fall = first - (WEIGHTS * loss_by_hand(made, loss, y)).mean()
        assert fall == pytest.approx(squares / rate, rel=1e-2)

    def test_a_model_that_is_saved_trains_on(
        self, loss: Any, outputs: int, end: str | None, y: Any, device: str, tmp_path: Path
    ) -> None:
        made = model(outputs, end, device)
        made.compile(SGD(0.1), loss)
        made.fit(X, y, BATCH, verbose=0)
        if isinstance(loss, Cubed):
            with pytest.raises(InvalidTypeError, match="cannot be saved"):
                made.save(tmp_path / "model.safetensors")
            return
        made.save(tmp_path / "model.safetensors")
        loaded = Sequential.load(tmp_path / "model.safetensors", device, threads=1)
        assert loaded.evaluate(X, y) == made.evaluate(X, y)
        for each in (made, loaded):
            each.fit(X, y, BATCH, verbose=0)
        assert small.weight_bytes(loaded) == small.weight_bytes(made)


@losses
@pytest.mark.usefixtures("workers")
def test_workers_give_the_same_bytes(loss: Any, outputs: int, end: str | None, y: Any) -> None:
    results = []
    for joined in (False, True):
        made = model(outputs, end)
        made.place(InMicrobatches(2, 3))
        made.compile(SGD(0.1), loss, metrics=[F1Score()] if outputs == 3 else [])
        with pytest.MonkeyPatch.context() as patch:
            if joined:
                patch.setattr("gpucnn.models.training.parallel.ParallelTrainer.load", joining)
            history = made.fit(
                X, y, BATCH, 2, verbose=0, sample_weight=WEIGHTS, validation_data=(X, y)
            )
        measured = {k: v for k, v in history.history.items() if not k.endswith("seconds")}
        measured.pop("images_per_second")
        results.append((small.weight_bytes(made), measured))
    assert results[0] == results[1]


LOAD = ParallelTrainer.load


def joining(self: Any, *arguments: Any) -> None:
    LOAD(self, *arguments)
    self.join()
    assert self._sharing.has_joined()


class TestPredictions:
    def test_of_a_model_without_a_loss_are_probabilities(self) -> None:
        assert_allclose(model(end=None).predict(X).sum(axis=1), 1)

    def test_of_logits_are_logits_where_the_loss_takes_them(self) -> None:
        made = model(end=None)
        probabilities = made.predict(X)
        made.compile(SGD(0.1), SparseCategoricalCrossentropy(from_logits=True))
        logits = made.predict(X)
        exponentials = np.exp(logits)
        expected = exponentials / exponentials.sum(axis=1, keepdims=True)
        assert_allclose(probabilities, expected, rtol=1e-12)

    @devices
    @pytest.mark.parametrize("ends_in_layer", [False, True])
    def test_of_sigmoids_are_probabilities(self, ends_in_layer: bool, device: str) -> None:
        end = [Dense(2), Sigmoid()] if ends_in_layer else [Dense(2, activation="sigmoid")]
        made = Sequential([Flatten(), *end], small.SHAPE, device=device, seed=4)
        made.compile("adam", "binary_crossentropy")
        x = small.images(3) / np.float32(255)
        logits = made.backend.to_host(made.forward(made.backend.asarray(x)))
        assert_allclose(made.predict(x), 1 / (1 + np.exp(-logits)), rtol=1e-5)


class TestMetrics:
    @devices
    def test_are_those_of_what_is_predicted(self, device: str) -> None:
        made = model(device=device)
        top_2 = TopKCategoricalAccuracy(2)
        made.compile(SGD(0.1), "sparse_categorical_crossentropy", ["acc", ConfusionMatrix(), top_2])
        found = made.evaluate(X, Y, 4, return_dict=True)
        predicted = made.predict(X)
        assert found["confusion_matrix"] == confusion_matrix(Y, predicted).tolist()
        assert found["top_k_categorical_accuracy"] == top_2.result(Y, predicted)
        assert found["acc"] == (predicted.argmax(axis=1) == Y).mean()

    @pytest.mark.parametrize("backend", [lambda: Plain(), lambda: InMicrobatches(2, 3)])
    def test_of_training_are_measured_before_each_update(self, backend: Any) -> None:
        """So with a learning rate that moves nothing, they are those of an evaluation."""
        made = model()
        made.place(backend())
        made.compile(SGD(1e-30), "sparse_categorical_crossentropy", [ConfusionMatrix(), F1Score()])
        history = made.fit(X, Y, BATCH, verbose=0, validation_data=(X, Y)).history
        for name in ("confusion_matrix", "f1_score", "loss", "accuracy"):
            assert_allclose(history[name], history[f"val_{name}"], rtol=1e-9)

    def test_of_training_are_of_the_labels_in_their_order(self) -> None:
        made = model()
        made.compile(SGD(1e-30), metrics=[ConfusionMatrix()])
        counts = made.fit(X, Y, BATCH, verbose=0).history["confusion_matrix"][0]
        assert_array_equal(np.sum(counts, axis=1), np.bincount(Y))

    def test_the_accuracy_of_a_squared_error_is_measured_if_it_is_asked_for(self) -> None:
        made = model(3, None)
        made.compile(SGD(0.1), "mse")
        assert list(made.evaluate(X, ROWS, return_dict=True)) == ["loss", "accuracy"]
        made.compile(SGD(0.1), "mse", metrics=["mae"])
        assert list(made.evaluate(X, ROWS, return_dict=True)) == ["loss", "mae"]
        made.compile(SGD(0.1), "mse", metrics=[])
        assert len(made.evaluate(X, ROWS)) == 1

    @devices
    def test_of_a_single_output_are_those_of_two_classes(self, device: str) -> None:
        made = model(1, "sigmoid", device)
        named = ["precision", "recall", "f1_score", "accuracy", "confusion_matrix"]
        made.compile(SGD(0.1), "binary_crossentropy", named)
        labels = Y > 0
        found = made.evaluate(X, labels, 4, return_dict=True)
        yes = made.predict(X)[:, 0] > 0.5
        right = (yes & labels).sum()
        assert 0 < right < labels.sum()
        assert found["precision"] == right / yes.sum()
        assert found["recall"] == right / labels.sum()
        assert found["f1_score"] == 2 * right / (yes.sum() + labels.sum())
        assert found["accuracy"] == pytest.approx((yes == labels).mean())
        assert found["confusion_matrix"][1] == [labels.sum() - right, right]

    @pytest.mark.parametrize(
        ("loss", "end"),
        [
            ("binary_crossentropy", "sigmoid"),
            ("categorical_crossentropy", "softmax"),
            ("mse", None),
            (CategoricalCrossentropy(label_smoothing=0.2), "softmax"),
        ],
    )
    def test_an_accuracy_is_what_it_is_called_with_any_loss(
        self, loss: Any, end: str | None
    ) -> None:
        made = model(3, end)
        made.compile(SGD(0.1), loss, ["binary_accuracy", "accuracy", "categorical_accuracy"])
        found = made.evaluate(X, ROWS, return_dict=True)
        predicted = made.predict(X)
        categorical = (predicted.argmax(axis=1) == Y).mean()
        binary = ((predicted > 0.5) == (ROWS > 0.5)).mean()
        assert categorical != binary
        assert list(found) == ["loss", "binary_accuracy", "accuracy", "categorical_accuracy"]
        assert list(found.values())[1:] == pytest.approx([binary, categorical, categorical])

    def test_that_say_nothing_of_a_model_are_refused(self) -> None:
        made = model(1, "sigmoid")
        with refusal(
            "top_k_categorical_accuracy is of the greatest of several outputs, but the model has "
            "one: use accuracy or binary_accuracy"
        ):
            made.compile("adam", "binary_crossentropy", ["top_k_categorical_accuracy"])
        assert made.loss is None

    def test_are_shown(self, capsys: pytest.CaptureFixture[str]) -> None:
        made = model()
        made.compile(SGD(0.1), metrics=[F1Score("macro"), ConfusionMatrix()])
        made.evaluate(X, Y, verbose=2)
        shown = capsys.readouterr().out
        assert "f1_score 0." in shown
        assert "confusion" not in shown

    def test_a_function(self) -> None:
        def certainty(labels: Any, outputs: Any) -> Any:
            assert labels.shape == (IMAGES,)
            return outputs.max(axis=1)

        made = model()
        made.compile(SGD(0.1), metrics=[certainty])
        found = made.evaluate(X, Y, return_dict=True)
        assert found["certainty"] == pytest.approx(made.predict(X).max(axis=1).mean())


class TestWeights:
    def test_of_classes_are_those_of_their_images(self) -> None:
        by_class, by_image = model(), model()
        by_class.fit(X, Y, BATCH, 2, verbose=0, class_weight={0: 2.0, 2: 0.5})
        by_image.fit(X, Y, BATCH, 2, verbose=0, sample_weight=np.array([2, 1, 0.5])[Y])
        assert small.weight_bytes(by_class) == small.weight_bytes(by_image)

    def test_of_both_are_multiplied(self) -> None:
        both, by_image = model(), model()
        both.fit(X, Y, BATCH, verbose=0, class_weight={1: 3.0}, sample_weight=WEIGHTS)
        weights = WEIGHTS * np.array([1, 3, 1])[Y]
        by_image.fit(X, Y, BATCH, verbose=0, sample_weight=weights)
        assert small.weight_bytes(both) == small.weight_bytes(by_image)

    def test_of_1_are_none(self) -> None:
        with_ones, without = model(), model()
        with_ones.fit(X, Y, BATCH, verbose=0, sample_weight=np.ones(IMAGES))
        without.fit(X, Y, BATCH, verbose=0)
        for one, other in zip(with_ones.get_weights(), without.get_weights(), strict=True):
            assert_allclose(one, other, rtol=1e-12)

    def test_of_validation_data(self) -> None:
        made = model()
        data = X, Y, WEIGHTS
        history = made.fit(X, Y, BATCH, verbose=0, validation_data=data).history
        expected = made.evaluate(X, Y, BATCH, sample_weight=WEIGHTS).loss
        assert history["val_loss"] == [pytest.approx(expected, rel=1e-12)]

    def test_are_split_with_the_images(self) -> None:
        split, apart = model(), model()
        split.fit(X, Y, BATCH, verbose=0, sample_weight=WEIGHTS, validation_split=0.25)
        part = slice(int(IMAGES * 0.75))
        apart.fit(X[part], Y[part], BATCH, verbose=0, sample_weight=WEIGHTS[part])
        assert small.weight_bytes(split) == small.weight_bytes(apart)

    @pytest.mark.parametrize(
        ("given", "message", "kind"),
        [
            (
                {"sample_weight": WEIGHTS[:3]},
                f"sample_weight has the shape (3,): give one for each image, ({IMAGES},)",
                InvalidValueError,
            ),
            (
                {"sample_weight": -WEIGHTS},
                "sample_weight has a number that is negative or not finite",
                InvalidValueError,
            ),
            (
                {"sample_weight": ["a"] * IMAGES},
                "sample_weight is of dtype <U1: give numbers",
                InvalidTypeError,
            ),
            (
                {"class_weight": [1, 2]},
                "class_weight is [1, 2]: give a dictionary of numbers by class, such as {0: 2.0}",
                InvalidTypeError,
            ),
            (
                {"class_weight": {1: -2}},
                "the class_weight of 1 is -2: it must be a number of at least 0",
                InvalidValueError,
            ),
            (
                {"class_weight": {"0": 5.0}},
                "a class of class_weight is '0': it must be a whole number of at least 0",
                InvalidValueError,
            ),
            (
                {"class_weight": {-1: 5.0}},
                "a class of class_weight is -1: it must be a whole number of at least 0",
                InvalidValueError,
            ),
            (
                {"class_weight": {2: 1.0, 3: 5.0}},
                "class_weight has a weight for class 3, but there are 3 classes: give weights for "
                "classes from 0 to 2",
                InvalidValueError,
            ),
        ],
    )
    def test_that_are_none(self, given: dict[str, Any], message: str, kind: Any) -> None:
        with refusal(message, kind):
            model().fit(X, Y, BATCH, verbose=0, **given)

    def test_of_a_single_output_are_of_two_classes(self) -> None:
        made = model(1, "sigmoid")
        made.compile("adam", "binary_crossentropy")
        with refusal(
            "class_weight has a weight for class 2, but there are 2 classes: give weights for "
            "classes from 0 to 1"
        ):
            made.fit(X, Y > 0, verbose=0, class_weight={2: 5.0})

    def test_of_numbers_may_be_of_any_class(self) -> None:
        by_class, by_image = model(1, None), model(1, None)
        for each in (by_class, by_image):
            each.compile("adam", "mse")
        by_class.fit(X, Y, BATCH, verbose=0, class_weight={2: 5.0, 7: 3.0})
        by_image.fit(X, Y, BATCH, verbose=0, sample_weight=np.array([1, 1, 5])[Y])
        assert small.weight_bytes(by_class) == small.weight_bytes(by_image)

    def test_of_classes_may_be_those_of_a_single_output(self) -> None:
        by_class, by_image = model(1, "sigmoid"), model(1, "sigmoid")
        for each in (by_class, by_image):
            each.compile("adam", BinaryCrossentropy(label_smoothing=0.1))
        by_class.fit(X, Y > 0, BATCH, verbose=0, class_weight={1: 3.0})
        weights = np.where(Y > 0, 3.0, 1.0)
        by_image.fit(X, Y > 0, BATCH, verbose=0, sample_weight=weights)
        assert small.weight_bytes(by_class) == small.weight_bytes(by_image)


class TestInitialEpoch:
    def test_counts_as_done(self) -> None:
        made = model()
        history = made.fit(X, Y, epochs=5, initial_epoch=3, verbose=0)
        assert history.epoch == [3, 4]
        assert made.epochs_trained == 2

    def test_numbers_epochs_for_callbacks(self) -> None:
        made, told = model(), list[Any]()
        telling = LambdaCallback(
            on_epoch_begin=lambda epoch, logs: told.append(epoch),
            on_epoch_end=lambda epoch, logs: told.append(epoch),
        )
        for initial in (3, 0):
            made.fit(
                X, Y, epochs=initial + 2, initial_epoch=initial, verbose=0, callbacks=[telling]
            )
        assert told == [3, 3, 4, 4, 0, 0, 1, 1]

    def test_numbers_what_is_printed(self, capsys: pytest.CaptureFixture[str]) -> None:
        made = model()
        made.fit(X, Y, verbose=0)
        made.fit(X, Y, epochs=5, initial_epoch=3, verbose=2)
        numbers = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()]
        assert numbers == ["epoch 4/5", "epoch 5/5"]

    def test_changes_no_byte(self) -> None:
        """Shuffles and dropout are those of the epochs trained before."""
        numbered, not_numbered = model(), model()
        for epoch in range(2):
            numbered.fit(X, Y, epochs=epoch + 5, initial_epoch=epoch + 4, verbose=0)
        not_numbered.fit(X, Y, epochs=2, verbose=0)
        assert small.weight_bytes(numbered) == small.weight_bytes(not_numbered)

    def test_must_leave_one(self) -> None:
        with refusal("initial_epoch is 2: it must be below epochs, the number of the last"):
            model().fit(X, Y, epochs=2, initial_epoch=2, verbose=0)


def test_a_loss_that_does_not_fit_the_end() -> None:
    with refusal(
        "the model ends in softmax, which MeanSquaredError does not take: end with a layer without "
        "an activation, or compile with categorical_crossentropy"
    ):
        model().compile("adam", "mse")
    with refusal(
        "the model ends in logits, but BinaryCrossentropy() takes probabilities: end the model "
        'with activation="sigmoid", or give BinaryCrossentropy(from_logits=True)'
    ):
        model(1, None).compile("adam", "binary_crossentropy")


def test_a_built_model_takes_another_loss() -> None:
    made, other = model(1, "sigmoid"), model(1, "sigmoid")
    made.compile(SGD(0.1), "mse")
    made.fit(X, Y > 0, BATCH, verbose=0)
    other.compile(SGD(0.1), "mse")
    other.fit(X, Y > 0, BATCH, verbose=0)
    made.compile(SGD(0.1), "binary_crossentropy")
    assert small.weight_bytes(made) == small.weight_bytes(other)
    assert made.evaluate(X, Y > 0).accuracy <= 1


@pytest.mark.parametrize("loss", [Loss(), Cubed()])
def test_a_loss_of_ones_own_has_to_say_what_it_computes(loss: Loss) -> None:
    made = model(2, None)
    made.compile("adam", loss)
    if type(loss) is Loss:
        with pytest.raises(NotImplementedError, match="Loss does not define value"):
            made.evaluate(X, np.stack([Y, Y], axis=1))
    else:
        assert made.evaluate(X, np.stack([Y, Y], axis=1)).loss > 0


class Scaled(Loss):
    """A loss with a setting, two of which compare equal whatever it is."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def __eq__(self, other: object) -> bool:
        return type(other) is Scaled

    __hash__ = None  # type: ignore[assignment]

    def value(self, labels: Array, outputs: Array) -> Array:
        return self.scale + 0 * outputs[:, 0]

    def gradient(self, labels: Array, outputs: Array) -> Array:
        return 0 * outputs


def test_a_loss_that_compares_equal_takes_the_place_of_the_one_before() -> None:
    made = model(2, None)
    for scale in (1.0, 5.0):
        made.compile("adam", Scaled(scale), metrics=[])
        assert made.evaluate(X, np.stack([Y, Y], axis=1)).loss == scale


@devices
def test_a_loss_of_ones_own_may_derive_from_one_of_the_library(device: str) -> None:
    class Sevens(SparseCategoricalCrossentropy):
        def value(self, labels: Array, outputs: Array) -> Array:
            return 7 + 0 * outputs[:, 0]

        def gradient(self, labels: Array, outputs: Array) -> Array:
            return 0 * outputs

    made = model(device=device)
    made.compile(SGD(0.1), Sevens())
    before = small.weight_bytes(made)
    assert made.fit(X, Y, BATCH, verbose=0).history["loss"] == [7]
    assert small.weight_bytes(made) == before


def test_metrics_have_the_labels_as_they_were_given() -> None:
    seen: list[Any] = []

    def look(labels: Any, outputs: Any) -> float:
        seen.append(labels)
        return 0.0

    made = model()
    made.compile("adam", CategoricalCrossentropy(label_smoothing=0.2), metrics=[look, "mae"])
    made.evaluate(X, ROWS)
    assert_allclose(seen[-1], ROWS, atol=1e-12)
    made.compile("adam", "categorical_crossentropy", metrics=[look, "mse"])
    made.evaluate(X, ROWS)
    assert_array_equal(seen[-1], ROWS)
    made.compile("adam", SparseCategoricalCrossentropy(label_smoothing=0.2), metrics=[look])
    made.evaluate(X, Y)
    assert_array_equal(seen[-1], Y)


def test_errors_of_classes_are_refused() -> None:
    made = model()
    made.compile("adam", "sparse_categorical_crossentropy", metrics=["mae"])
    before = small.weight_bytes(made)
    for use in (made.evaluate, made.fit):
        with refusal(
            "the labels are classes, whose difference from the outputs says nothing: compile with "
            "categorical_crossentropy and rows, or leave the metric out"
        ):
            use(X, Y)
    assert small.weight_bytes(made) == before


def test_a_model_that_ends_in_sigmoid_predicts_that_before_it_is_compiled() -> None:
    made = model(1, "sigmoid")
    before = made.predict(X)
    made.compile("adam", "binary_crossentropy")
    assert_allclose(before, made.predict(X), rtol=1e-12)


def test_the_first_images_to_predict_build_a_model() -> None:
    layers = [Flatten(), Dense(3)]
    assert Sequential(layers, device="cpu").predict(X).shape == (IMAGES, 3)
    assert Sequential([Flatten(), Dense(3)], device="cpu")(X).shape == (IMAGES, 3)


def test_dropout_and_metrics_leave_the_bytes_of_training() -> None:
    """Measuring more does not change what is trained, where nothing is fused."""
    results = []
    for metrics in ([], [F1Score()]):
        layers = [Flatten(), Dense(4), Dropout(0.5), Dense(3)]
        made = Sequential(layers, small.SHAPE, device="cpu", seed=4, threads=2)
        made.place(CpuBackend(2))
        made.compile(SGD(0.1), metrics=metrics)
        made.fit(X, Y, BATCH, 2, verbose=0)
        results.append(small.weight_bytes(made))
    assert results[0] == results[1]

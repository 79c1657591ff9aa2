"""Batches that are given one by one, to be trained on, measured or predicted; and model(x)."""

import pickle
import threading
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import small
from expect import refusal
from gpucnn import SGD, Adam, Conv2D, Dense, Flatten, Sequential, Sigmoid
from gpucnn.errors import GpucnnWarning, InvalidTypeError, ModelInUseError, TrainingError
from gpucnn.layers import BatchNormalization, Dropout, ReLU
from gpucnn.losses import CategoricalCrossentropy, SparseCategoricalCrossentropy
from gpucnn.metrics import Evaluation, F1Score
from gpucnn.models.pixels import BYTES, FLOATS, Pixels
from gpucnn.utils import to_categorical
from microbatches import InMicrobatches

IMAGES, BATCH = 22, 4  # the last batch is a smaller one
X, Y = small.images(IMAGES), small.labels(IMAGES)
WEIGHTS = np.random.default_rng(1).uniform(0, 2, IMAGES)
PARTS = [slice(first, first + BATCH) for first in range(0, IMAGES, BATCH)]

devices = pytest.mark.parametrize("device", ["cpu", "simulator"])


def model(device: str = "cpu", **options: Any) -> Sequential:
    return small.model(Adam(0.01), device=device, seed=4, **options)


def state(made: Sequential) -> tuple[Any, ...]:
    slots = made.optimizer.state().slots
    arrays = {name: each.tobytes() for name, each in slots.items()}
    return small.weight_bytes(made), arrays, made.optimizer.iterations, made.pixels


def in_steps(made: Sequential, y: Any = Y, **options: Any) -> list[Any]:
    return [made.train_on_batch(X[part], y[part], **options) for part in PARTS]


def fit(made: Sequential, y: Any = Y, **options: Any) -> None:
    made.fit(X, y, BATCH, shuffle=False, verbose=0, **options)


class TestTraining:
    @devices
    @pytest.mark.parametrize("eagerly", [False, True])
    def test_gives_the_bytes_of_an_epoch(self, eagerly: bool, device: str) -> None:
        stepped, fitted = model(device), model(device)
        stepped.run_eagerly = eagerly
        for _ in range(2):
            in_steps(stepped)
            fit(fitted)
        assert state(stepped) == state(fitted)
        assert (stepped.epochs_trained, fitted.epochs_trained) == (0, 2)

    @devices
    def test_takes_turns_with_all_else(self, device: str) -> None:
        stepped, fitted = model(device), model(device)
        for _ in range(2):
            in_steps(stepped)
            assert_array_equal(stepped.predict(X, 13), deepcopy(stepped).predict(X, 13))
            fit(stepped)
            fit(fitted, epochs=2)
        assert state(stepped) == state(fitted)

    @pytest.mark.parametrize("threads", [1, 2, 3])
    def test_gives_the_bytes_of_as_many_threads(
        self, threads: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gpucnn.models.replica.replica.LEAST_SHARD", 1)
        results = []
        for train in (in_steps, fit):
            made = Sequential(
                [Conv2D(4, 3), BatchNormalization(), ReLU(), Flatten(), Dropout(0.5), Dense(3)],
                small.SHAPE,
                seed=4,
            )
            made.place(InMicrobatches(threads, 1))
            train(made)
            results.append(state(made))
        assert results[0] == results[1]

    @devices
    def test_with_weights(self, device: str) -> None:
        stepped, fitted = model(device), model(device)
        by_class = {1: 3.0}
        for part in PARTS:
            stepped.train_on_batch(X[part], Y[part], WEIGHTS[part], by_class)
        fit(fitted, sample_weight=WEIGHTS, class_weight=by_class)
        assert state(stepped) == state(fitted)

    @devices
    def test_measures_the_batch_before_the_update(self, device: str) -> None:
        made = Sequential([Flatten(), Dense(3)], small.SHAPE, "float64", device)
        made.compile(SGD(0.1), metrics=[F1Score()])
        for part in PARTS:
            expected = made.evaluate(X[part], Y[part])
            found = made.train_on_batch(X[part], Y[part])
            assert isinstance(found, Evaluation)
            assert found[:2] == pytest.approx(expected[:2])
            assert found[2] == expected[2]
        named = made.train_on_batch(X[:4], Y[:4], return_dict=True)
        assert isinstance(named, dict)
        assert list(named) == ["loss", "accuracy", "f1_score"]

    @devices
    def test_takes_batches_of_all_kinds_in_turns(self, device: str) -> None:
        """Larger ones, smaller ones, with weights and without, of bytes and floats."""
        rows = to_categorical(Y)
        soft = rows * 0.5 + 0.5 / 3
        calls: list[tuple[Any, ...]] = [
            (X[:4], rows[:4], None),
            (X[:9], rows[:9], WEIGHTS[:9]),
            (X[:2], soft[:2], None),
            (X[:9] / 255 - 0.5, rows[:9], None),
        ]
        results = []
        for anew in (False, True):
            made = model(device)
            made.compile(SGD(0.1), CategoricalCrossentropy(from_logits=True))
            for _ in range(3):
                for call in calls:
                    made.train_on_batch(*call)
                    if anew:
                        made._batch_trainers.clear()
            results.append((small.weight_bytes(made), made.optimizer.iterations))
        assert results[0] == results[1]

    def test_keeps_its_memory(self) -> None:
        made = model("simulator")
        memory = made.backend.runtime._memory  # type: ignore[attr-defined]
        blocks = []
        for _ in range(3):
            in_steps(made)
            blocks.append(len(memory.blocks()))
        assert blocks[1] == blocks[2]
        (trainer,) = made._batch_trainers
        recorded = [each._recording for each in trainer._trainer._steps.values()]
        assert len(recorded) == 2
        assert None not in recorded
        for count in range(1, 9):  # memory for batches of every size would be too much
            made.train_on_batch(X[: count + 4], Y[: count + 4])
        assert len(made._batch_trainers) == 4

    @devices
    @pytest.mark.parametrize("change", ["compile", "optimizer", "move", "pickle", "rate"])
    def test_takes_over_what_changes(self, change: str, device: str) -> None:
        results = []
        for train in (in_steps, fit):
            made = model(device)
            train(made)
            if change == "compile":
                made.compile(made.optimizer)
            elif change == "optimizer":
                made.compile(SGD(0.1, momentum=0.5), metrics=[F1Score()])
            elif change == "move":
                made.to(device)
            elif change == "pickle":
                made = pickle.loads(pickle.dumps(made))
            else:
                made.optimizer.learning_rate = 0.5
                made.layers[4].rate = 0.75  # type: ignore[attr-defined]
            train(made)
            made.set_weights([each / 2 for each in made.get_weights()])
            train(made)
            results.append(state(made))
        assert results[0] == results[1]

    def test_builds_a_model(self) -> None:
        made = Sequential([Flatten(), Dense(3)])
        made.train_on_batch(X[:4], Y[:4])
        assert made.input_shape == small.SHAPE

    def test_records_pixels(self) -> None:
        made = model()
        made.train_on_batch(X[:4].clip(9, 99), Y[:4])
        made.train_on_batch(X[:4].clip(50, 150), Y[:4])
        assert made.pixels == Pixels(BYTES, 9, 150)
        made.train_on_batch(X[:4] * 0.0, Y[:4])
        assert made.pixels == Pixels(FLOATS, 0, 0)

    def test_tells_of_dark_pixels_once(self) -> None:
        made = model()
        with pytest.warns(GpucnnWarning, match="nearly black") as told:
            made.train_on_batch(X[:4] % 2, Y[:4])
        assert [each.filename for each in told] == [__file__]
        made.train_on_batch(X[:4] % 2, Y[:4])

    def test_tells_that_it_diverged(self) -> None:
        made = model()
        made.compile(SGD(1e30))
        made.train_on_batch(X[:4], Y[:4])
        with pytest.raises(TrainingError, match=r"^the loss became (nan|inf): load or set weights"):
            in_steps(made)
        with pytest.raises(TrainingError, match="has values that are not finite"):
            made.predict(X)

    def test_refuses_what_fit_refuses(self) -> None:
        with refusal(
            "the label of image 0 is 3, but the model has 3 classes: give labels from 0 to 2"
        ):
            model().train_on_batch(X[:4], Y[:4] + 3)
        with refusal("sample_weight has the shape (3,): give one for each image, (4,)"):
            model().train_on_batch(X[:4], Y[:4], WEIGHTS[:3])
        with refusal("there is no image: give at least one"):
            model().train_on_batch(X[:0], Y[:0])
        with refusal("return_dict is 1: it must be True or False"):
            model().train_on_batch(X, Y, return_dict=1)  # type: ignore[arg-type]


class TestThreads:
    def test_cannot_train_what_another_trains(self) -> None:
        made, told = model(), []

        def elsewhere(record: Any) -> None:
            def train() -> None:
                with pytest.raises(ModelInUseError, match="trained by another thread") as error:
                    made.train_on_batch(X, Y)
                told.append(error)

            thread = threading.Thread(target=train)
            thread.start()
            thread.join(60)

        made.fit(X, Y, verbose=0, on_epoch_end=elsewhere)
        assert len(told) == 1

    def test_of_a_fit_cannot_train_in_its_callback(self) -> None:
        made = model()
        with pytest.raises(ModelInUseError, match="by the call of fit that this call comes from"):
            made.fit(X, Y, verbose=0, on_epoch_end=lambda _: made.train_on_batch(X, Y))  # type: ignore[arg-type]

    def test_see_the_weights_between_two_steps(self) -> None:
        made, alone = model(), model()
        ends, seen, done = {small.weight_bytes(made)}, set(), threading.Event()

        def look() -> None:
            while not done.is_set():
                seen.add(small.weight_bytes(made))
                made.evaluate(X, Y)

        thread = threading.Thread(target=look)
        thread.start()
        for _ in range(30):
            for part in PARTS:
                made.train_on_batch(X[part], Y[part])
                alone.train_on_batch(X[part], Y[part])
                ends.add(small.weight_bytes(alone))
        done.set()
        thread.join(60)
        assert seen <= ends
        assert state(made) == state(alone)


class TestUse:
    @devices
    def test_measures_as_evaluate(self, device: str) -> None:
        made = model(device)
        expected = made.evaluate(X, Y, IMAGES, sample_weight=WEIGHTS)
        assert made.test_on_batch(X, Y, WEIGHTS) == expected
        assert made.test_on_batch(X, Y, WEIGHTS, return_dict=True) == expected._asdict()

    @devices
    def test_predicts_as_predict(self, device: str) -> None:
        made = model(device)
        assert_array_equal(made.predict_on_batch(X), made.predict(X, IMAGES))

    @devices
    @pytest.mark.parametrize("end", ["logits", "softmax", "sigmoid", "a layer of sigmoids"])
    @pytest.mark.parametrize("is_compiled", [False, True])
    def test_a_model_is_a_function(self, is_compiled: bool, end: str, device: str) -> None:
        """Of what its layers give, whatever it is compiled with."""
        activation = end if end in ("softmax", "sigmoid") else None
        layers = [Flatten(), Dropout(0.5), Dense(3, activation=activation)]
        layers += [Sigmoid()] if end == "a layer of sigmoids" else []
        made = Sequential(layers, small.SHAPE, "float64", device, seed=4)
        kernel, bias = made.get_weights()
        if is_compiled:
            losses: dict[str, Any] = {
                "logits": SparseCategoricalCrossentropy(from_logits=True),
                "softmax": "categorical_crossentropy",
            }
            made.compile("adam", losses.get(end, "binary_crossentropy"))
        logits = (X / 255 - 0.5).reshape(IMAGES, -1) @ kernel + bias
        exponentials = np.exp(logits)
        expected = {
            "logits": logits,
            "softmax": exponentials / exponentials.sum(axis=1, keepdims=True),
        }.get(end, 1 / (1 + np.exp(-logits)))
        assert_allclose(made(X), expected, rtol=1e-11, atol=1e-13)
        assert_array_equal(made(X, training=False), made(X, training=None))

    def test_a_function_converts_pixels(self) -> None:
        made = model()
        in_steps(made)
        assert_allclose(made(X / 255), made(X), rtol=1e-4, atol=1e-6)

    def test_of_training_is_refused(self) -> None:
        with refusal(
            "training is True, but to call a model computes what it gives when it is used: train "
            "with fit or train_on_batch"
        ):
            model()(X, training=True)

    def test_of_no_image_is_refused(self) -> None:
        made = model()
        for use in (made, made.predict_on_batch, lambda x: made.test_on_batch(x, Y[:0])):
            with refusal("there is no image: give at least one"):
                use(X[:0])


def test_arguments_of_keras_that_are_not_there() -> None:
    made: Any = model()
    made.train_on_batch(X[:4], Y[:4], reset_metrics=True)
    made.test_on_batch(X[:4], Y[:4], reset_metrics=True)
    made(X[:4], training=False, mask=None)
    with refusal(
        "train_on_batch has no argument reset_metrics=False: what is measured is of this batch "
        "alone; leave it out",
        InvalidTypeError,
    ):
        made.train_on_batch(X[:4], Y[:4], reset_metrics=False)
    with refusal(
        "test_on_batch has no argument foo: it takes x, y, sample_weight, return_dict",
        InvalidTypeError,
    ):
        made.test_on_batch(X[:4], Y[:4], foo=1)
    with refusal("Model has no argument foo: it takes x, training", InvalidTypeError):
        made(X[:4], foo=1)


@pytest.mark.parametrize("is_built", [False, True])
@pytest.mark.parametrize(
    "use",
    [
        lambda made, x: made.predict_on_batch(x),
        lambda made, x: made.test_on_batch(x, Y),
        lambda made, x: made.fit(x, Y, sample_weight=[1]),
        lambda made, x: made.evaluate(x, Y, sample_weight=[1]),
        lambda made, x: made.fit(X, Y, validation_data=(x, Y, [1]), verbose=0),
    ],
)
@pytest.mark.parametrize("x", [None, 3])
def test_what_is_no_array_of_images_is_refused(is_built: bool, use: Any, x: Any) -> None:
    made = Sequential([Flatten(), Dense(small.CLASSES)], device="cpu")
    if is_built:
        made.build(small.SHAPE)
    with refusal(
        f"the images are {x}: give an array of them, whose first axis is that of the batch",
        InvalidTypeError,
    ):
        use(made, x)

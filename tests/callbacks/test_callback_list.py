from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import small
from expect import refusal
from gpucnn import Adam
from gpucnn.callbacks import Callback, EarlyStopping, LambdaCallback, Logs
from gpucnn.errors import InvalidTypeError, TrainingError

X, Y = small.images(12), small.labels(12)


class Noting(Callback):
    def __init__(self) -> None:
        self.told: list[Any] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.told.append("begin")

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.told.append(epoch)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        assert logs is not None
        self.told.append((epoch, *logs))

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.told.append("end")


METRICS = ("loss", "accuracy", "seconds", "images_per_second")


def test_all_are_told_in_order() -> None:
    noting, model = Noting(), small.model()
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[noting])
    assert noting.model is model
    assert noting.told == ["begin", 0, (0, *METRICS), 1, (1, *METRICS), "end"]


def test_a_callback_stops_the_training() -> None:
    model = small.model()

    def stop(epoch: int, logs: Logs) -> None:
        model.stop_training = epoch == 1

    history = model.fit(X, Y, epochs=5, verbose=0, callbacks=[LambdaCallback(on_epoch_end=stop)])
    assert history.epoch == [0, 1]
    assert model.epochs_trained == 2
    model.fit(X, Y, epochs=1, verbose=0)
    assert model.epochs_trained == 3


class Adding(Callback):
    """Adds to the metrics of an epoch."""

    def __init__(self, name: str, values: list[Any]) -> None:
        self.name, self.values = name, values

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        assert logs is not None
        logs[self.name] = self.values[epoch]


def test_what_a_callback_adds_reaches_those_after_it_and_the_history(
    capsys: pytest.CaptureFixture[str],
) -> None:
    adding = Adding("val_mine", [0.1, 0.2, np.float32(0.125), 0.9])
    stopping, noting = EarlyStopping("val_mine", mode="max"), Noting()
    told: list[Any] = []
    history = small.model().fit(
        X, Y, epochs=4, callbacks=[adding, stopping, noting], on_epoch_end=told.append
    )
    assert history.history["val_mine"] == [0.1, 0.2, 0.125]
    assert noting.told[2] == (0, *METRICS, "val_mine")
    assert told == history.epochs
    assert "  val_mine 0.1250  " in capsys.readouterr().out.splitlines()[-1]


def test_what_is_added_to_some_epochs_alone() -> None:
    def add(epoch: int, logs: Logs) -> None:
        if epoch % 2:
            logs["odd"] = epoch

    history = small.model().fit(
        X, Y, epochs=4, verbose=0, callbacks=[LambdaCallback(on_epoch_end=add)]
    )
    assert history.history["odd"] == [1, 3]
    assert len(history.history["loss"]) == 4


def test_the_number_of_an_epoch_is_not_a_metric() -> None:
    adding = Adding("epoch", [5, 6])
    history = small.model().fit(X, Y, epochs=2, verbose=0, callbacks=[adding])
    assert history.epoch == [0, 1]


class NotingTests(Noting):
    """Notes what it is told of validation, and the weights that the model then has."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self.note(logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        self.note(logs)

    def note(self, logs: Logs | None) -> None:
        self.told.append((logs, small.weight_bytes(self.model)))  # type: ignore[arg-type]


@pytest.mark.parametrize("threads", [1, 2])
def test_validation_is_told_with_the_model_that_is_validated(threads: int) -> None:
    testing, weights, states = NotingTests(), list[bytes](), list[Any]()
    told, alone = (small.model(Adam(0.01), threads=threads, seed=3) for _ in range(2))

    def after(epoch: int, logs: Logs) -> None:
        weights.append(small.weight_bytes(told))

    callbacks = [testing, LambdaCallback(on_epoch_end=after)]
    given: dict[str, Any] = {"epochs": 2, "verbose": 0, "validation_data": (X, Y)}
    history = told.fit(X, Y, 4, callbacks=callbacks, **given).history
    names = (*METRICS, "val_loss", "val_accuracy")
    found = [
        {name: history[f"val_{name}"][epoch] for name in ("loss", "accuracy")} for epoch in (0, 1)
    ]
    assert testing.told == [
        "begin",
        *(0, ({}, weights[0]), (found[0], weights[0]), (0, *names)),
        *(1, ({}, weights[1]), (found[1], weights[1]), (1, *names)),
        "end",
    ]
    alone.fit(X, Y, 4, **given)
    for model in (told, alone):
        states.append((model.optimizer.state(), small.weight_bytes(model)))
    assert states[0][1] == states[1][1]
    assert states[0][0].iterations == states[1][0].iterations == 6
    for name, slot in states[0][0].slots.items():
        assert_array_equal(slot, states[1][0].slots[name])


def test_weights_set_for_a_validation_are_those_that_are_validated() -> None:
    """As an average of them is, and then put back."""
    model, kept, seen = small.model(), list[Any](), list[Any]()

    def swap(logs: Logs) -> None:
        kept.append(model.get_weights())
        model.set_weights([np.zeros_like(each) for each in kept[-1]])

    def put_back(logs: Logs) -> None:
        seen.append(logs["loss"])
        model.set_weights(kept[-1])

    swapping = LambdaCallback(on_test_begin=swap, on_test_end=put_back)
    model.fit(X, Y, epochs=2, verbose=0, validation_data=(X, Y), callbacks=swapping)
    assert seen == pytest.approx([np.log(3)] * 2, rel=1e-6)
    for mine, last in zip(model.get_weights(), kept[-1], strict=True):
        assert_array_equal(mine, last)


def test_a_validation_that_diverges_leaves_the_model_as_it_was_before_the_epoch() -> None:
    model = small.model()
    before, steps = small.weight_bytes(model), model.optimizer.iterations

    def spoil(logs: Logs) -> None:
        model.set_weights([np.full_like(each, 1e30) for each in model.get_weights()])

    with pytest.raises(TrainingError, match="in epoch 1"):
        model.fit(
            X, Y, verbose=0, validation_data=(X, Y), callbacks=LambdaCallback(on_test_begin=spoil)
        )
    assert small.weight_bytes(model) == before
    assert (model.optimizer.iterations, model.epochs_trained) == (steps, 0)


def test_without_validation_data_nothing_is_told_of_it() -> None:
    testing = NotingTests()
    small.model().fit(X, Y, verbose=0, callbacks=testing)
    assert testing.told == ["begin", 0, (0, *METRICS), "end"]


def test_predictions_are_not_told() -> None:
    class Predicting(Callback):
        def on_predict_end(self, logs: Logs | None = None) -> None:
            pass

    with refusal(
        "Predicting has on_predict_end, but predict takes no callbacks: do it before or after the "
        "call of predict",
        InvalidTypeError,
    ):
        small.model().fit(X, Y, verbose=0, callbacks=[Predicting()])


def test_callbacks_know_the_parameters_of_the_training() -> None:
    class Knowing(Callback):
        def on_train_begin(self, logs: Logs | None = None) -> None:
            known.append(self.params)

    known: list[Any] = []
    model = small.model()
    model.fit(X, Y, 5, epochs=4, initial_epoch=3, verbose=0, callbacks=[Knowing()])
    batches = ((X[:4], Y[:4]) for _ in range(1))
    model.fit(batches, verbose=2, callbacks=[Knowing()])
    assert known == [
        {"verbose": 0, "epochs": 4, "steps": 3},
        {"verbose": 2, "epochs": 1, "steps": None},
    ]


@pytest.mark.parametrize("wrong", [3, Noting, "EarlyStopping"])
def test_what_is_no_callback(wrong: Any) -> None:
    with refusal(
        f"{wrong!r} is among the callbacks: give objects such as EarlyStopping()", InvalidTypeError
    ):
        small.model().fit(X, Y, verbose=0, callbacks=[wrong])


def test_steps_are_not_told() -> None:
    class Stepwise(Callback):
        def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
            pass

    with refusal(
        "Stepwise has on_train_batch_end, but nothing is told of single steps, which do not wait "
        "for Python: do it in on_epoch_end",
        InvalidTypeError,
    ):
        small.model().fit(X, Y, verbose=0, callbacks=[Stepwise()])


def test_a_single_callback() -> None:
    noting = Noting()
    small.model().fit(X, Y, verbose=0, callbacks=noting)
    assert noting.told == ["begin", 0, (0, *METRICS), "end"]


def test_callbacks_that_are_no_list() -> None:
    with refusal("callbacks is 'EarlyStopping': give a list of callbacks", InvalidTypeError):
        small.model().fit(X, Y, verbose=0, callbacks="EarlyStopping")  # type: ignore[arg-type]


def test_what_a_lambda_calls_is_a_function() -> None:
    with refusal("on_epoch_end is 3: it must be a function"):
        LambdaCallback(on_epoch_end=3)  # type: ignore[arg-type]


class Counting(Callback):
    """Notes the images of each step."""

    def __init__(self) -> None:
        self.images: list[int] = []

    def on_progress(self, images: int) -> None:
        self.images.append(images)


@pytest.mark.parametrize("threads", [1, 2])
def test_progress_is_told_step_by_step(threads: int) -> None:
    counting, silent = Counting(), Noting()
    told, alone = (small.model(threads=threads, seed=3) for _ in range(2))
    told.fit(X, Y, 4, epochs=2, verbose=0, callbacks=[silent, counting])
    alone.fit(X, Y, 4, epochs=2, verbose=0)
    sizes = [min(4, len(X) - start) for start in range(0, len(X), 4)]
    assert counting.images == 2 * sizes
    assert small.weight_bytes(told) == small.weight_bytes(alone)

from typing import Any

import numpy as np
import pytest

import small
from expect import refusal
from gpucnn.callbacks import Callback, EarlyStopping, LambdaCallback, Logs
from gpucnn.errors import InvalidTypeError

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

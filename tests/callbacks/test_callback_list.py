from typing import Any

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


def test_callbacks_that_are_no_list() -> None:
    stopping = EarlyStopping()
    with refusal(f"callbacks is {stopping!r}: give a list of callbacks", InvalidTypeError):
        small.model().fit(X, Y, verbose=0, callbacks=stopping)  # type: ignore[arg-type]

"""Callbacks, told of metrics that are made up, and within `fit`."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import small
from expect import refusal
from gpucnn import SGD, CosineDecay, Sequential
from gpucnn.callbacks import (
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    Logs,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from gpucnn.errors import InvalidFileError, InvalidTypeError
from gpucnn.optimizers import Optimizer, Schedule

X, Y = small.images(12), small.labels(12)


class Model:
    """A model as callbacks see it, whose weights are the number of its epoch."""

    def __init__(self, rate: float | Schedule = 1.0) -> None:
        self.optimizer: Optimizer = SGD(rate)
        self.stop_training = False
        self.weights = [np.array(-1)]
        self.saved: list[str] = []
        self.rates: list[Any] = []

    def get_weights(self) -> list[Any]:
        return [each.copy() for each in self.weights]

    def set_weights(self, weights: Any) -> None:
        self.weights = weights

    def save(self, path: Any) -> None:
        self.saved.append(path)


def run(callback: Callback, values: list[float], name: str = "val_loss", **model: Any) -> Model:
    """A training with these values of a metric, up to where it is stopped."""
    made = Model(**model)
    told = CallbackList([callback], made)
    with told.training():
        for epoch, value in enumerate(values, 1):
            told.epoch_begins(epoch)
            made.weights = [np.array(epoch - 1)]
            told.epoch_ends(epoch, {"epoch": epoch, "loss": 0.5, name: value})
            made.rates.append(made.optimizer.learning_rate)
            if made.stop_training:
                break
    return made


# Within fit


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


def test_the_best_weights_are_restored() -> None:
    """Though the last epochs are at a rate at which the loss rises."""
    model, weights = small.model(SGD(0.01)), list[Any]()
    keep = LambdaCallback(on_epoch_end=lambda *_: weights.append(model.get_weights()))
    rise = LearningRateScheduler(lambda epoch, rate: 0.01 if epoch < 3 else 3.0)
    stop = EarlyStopping("loss", patience=2, restore_best_weights=True)
    history = model.fit(X, Y, epochs=20, verbose=0, callbacks=[rise, keep, stop])
    best = int(np.argmin(history.history["loss"]))
    assert stop.best_epoch == best < len(history.epoch) - 1
    for mine, kept in zip(model.get_weights(), weights[best], strict=True):
        assert_array_equal(mine, kept)


def test_models_are_saved_as_they_were(tmp_path: Path) -> None:
    model, path = small.model(), tmp_path / "{epoch:02d}.safetensors"
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[ModelCheckpoint(path)])
    assert sorted(each.name for each in tmp_path.iterdir()) == ["01.safetensors", "02.safetensors"]
    loaded = Sequential.load(tmp_path / "02.safetensors")
    assert small.weight_bytes(loaded) == small.weight_bytes(model)


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


# Each by itself


@pytest.mark.parametrize(
    ("options", "values", "epochs"),
    [
        ({}, [3, 2, 2, 1], 3),
        ({"patience": 2}, [3, 4, 2, 3, 3, 1], 5),
        ({"min_delta": 0.5}, [3, 2, 1.6, 0], 3),
        ({"mode": "max", "patience": 1}, [1, 2, 3, 3, 9], 4),
        ({"baseline": 1.0, "patience": 2}, [3, 2, 0], 2),
        ({"start_from_epoch": 2}, [1, 2, 3, 4, 0], 4),
        ({"patience": 9}, [1, 2, 3], 3),
    ],
)
def test_early_stopping(options: dict[str, Any], values: list[float], epochs: int) -> None:
    stopping = EarlyStopping(**options)
    made = run(stopping, values)
    assert len(made.rates) == epochs
    assert stopping.stopped_epoch == (epochs - 1 if made.stop_training else 0)


@pytest.mark.parametrize("restore", [False, True])
def test_early_stopping_ends_with_the_best_weights(restore: bool) -> None:
    made = run(EarlyStopping(patience=2, restore_best_weights=restore), [3, 1, 2, 2, 0])
    assert made.weights == [1 if restore else 3]


def test_more_accuracy_is_better() -> None:
    stopping = EarlyStopping("val_accuracy")
    run(stopping, [0.5, 0.7, 0.6, 0.9], name="val_accuracy")
    assert (stopping.best, stopping.best_epoch, stopping.stopped_epoch) == (0.7, 1, 2)


def test_the_best_weights_are_restored_below_a_baseline_too() -> None:
    stopping = EarlyStopping(patience=3, baseline=0.5, restore_best_weights=True)
    assert run(stopping, [3, 1, 2, 4]).weights == [1]


WRONG: list[tuple[Callable[..., Callback], dict[str, Any], str]] = [
    (EarlyStopping, {"monitor": None}, "monitor is None: it must be a text"),
    (EarlyStopping, {"min_delta": "a"}, "min_delta is 'a': it must be a number of at least 0"),
    (EarlyStopping, {"baseline": "a"}, "baseline is 'a': it must be a number"),
    (ReduceLROnPlateau, {"factor": 0}, "factor is 0.0: it must be a number above 0"),
    (
        CSVLogger,
        {"filename": "log.csv", "separator": ";;"},
        "separator is ';;': it must be a single character",
    ),
]


@pytest.mark.parametrize(("make", "options", "line"), WRONG)
def test_wrong_arguments(make: Callable[..., Callback], options: dict[str, Any], line: str) -> None:
    with refusal(line):
        make(**options)


def test_callbacks_that_are_no_list() -> None:
    stopping = EarlyStopping()
    with refusal(f"callbacks is {stopping!r}: give a list of callbacks", InvalidTypeError):
        small.model().fit(X, Y, verbose=0, callbacks=stopping)  # type: ignore[arg-type]


def test_a_metric_that_is_not_measured() -> None:
    with refusal(
        "EarlyStopping watches 'val_loss', but there are only loss, accuracy, seconds, "
        "images_per_second: give one of these, or validation data to fit"
    ):
        small.model().fit(X, Y, verbose=0, callbacks=[EarlyStopping()])


def test_wrong_mode() -> None:
    with refusal("mode is 'least': choose one of auto, min, max"):
        EarlyStopping(mode="least")


def test_checkpoints_of_better_epochs() -> None:
    checkpoint = ModelCheckpoint("{epoch}-{val_loss:.1f}", save_best_only=True)
    assert run(checkpoint, [3, 4, 2, 2.5, 1]).saved == ["1-3.0", "3-2.0", "5-1.0"]


def test_checkpoints_below_a_threshold() -> None:
    checkpoint = ModelCheckpoint("{epoch}", save_best_only=True, initial_value_threshold=2.5)
    assert run(checkpoint, [3, 2]).saved == ["2"]


def test_a_checkpoint_with_a_field_that_is_not_there() -> None:
    with refusal(
        "filepath is '{step}', whose fields are not all among epoch, loss, val_loss: use these"
    ):
        run(ModelCheckpoint("{step}"), [1])
    with pytest.raises(ValueError, match=r"^filepath is '\{epoch\.foo\}'"):
        run(ModelCheckpoint("{epoch.foo}"), [1])


@pytest.mark.parametrize(
    ("options", "values", "rates"),
    [
        ({"patience": 1}, [3, 3, 3, 2], [1, 0.5, 0.25, 0.25]),
        ({"patience": 2}, [3, 3, 3, 3], [1, 1, 0.5, 0.5]),
        ({"patience": 1, "cooldown": 2}, [3, 3, 3, 3, 3], [1, 0.5, 0.5, 0.25, 0.25]),
        ({"patience": 1, "min_lr": 0.4}, [3, 3, 3], [1, 0.5, 0.4]),
        ({"patience": 1, "min_lr": 2}, [3, 3, 3], [1, 1, 1]),
        ({"patience": 1, "mode": "max"}, [1, 2, 1], [1, 1, 0.5]),
    ],
)
def test_reduce_on_plateau(
    options: dict[str, Any], values: list[float], rates: list[float]
) -> None:
    assert run(ReduceLROnPlateau(factor=0.5, **options), values).rates == rates


def test_scheduler() -> None:
    made = run(LearningRateScheduler(lambda epoch, rate: rate / (epoch + 1)), [1, 1, 1])
    assert made.rates == [1, 1 / 2, 1 / 6]


def test_a_schedule_of_the_epoch_alone() -> None:
    assert run(LearningRateScheduler(lambda epoch: epoch + 1), [1, 1]).rates == [1, 2]


def test_a_wrong_rate() -> None:
    with refusal("the learning rate is -1: it must be a number above 0"):
        run(LearningRateScheduler(lambda *_: -1), [1])


@pytest.mark.parametrize(
    "callback", [ReduceLROnPlateau(), LearningRateScheduler(lambda epoch, rate: rate)]
)
def test_a_rate_that_is_a_schedule_is_not_set(callback: Callback) -> None:
    rate = CosineDecay(0.1, 10)
    with refusal(
        f"{type(callback).__name__} sets the learning rate, but the optimizer has the schedule "
        f"{rate!r}: give the optimizer a number"
    ):
        run(callback, [1], rate=rate)


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    for append in (False, True, False):
        before = len(path.read_text().splitlines()) if append else 1
        run(CSVLogger(path, append=append), [3, 2])
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == before - 1 + 2
        assert rows[-1] == {"epoch": "1", "loss": "0.5", "val_loss": "2"}


def test_csv_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "no" / "log.csv"
    line = f"the folder of {path} does not exist: make it, or give another file"
    with refusal(line, InvalidFileError):
        CSVLogger(path)


def test_csv_after_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.touch()
    run(CSVLogger(path, append=True), [3])
    assert path.read_text().startswith("epoch,loss,val_loss\n")


def test_csv_with_another_separator(tmp_path: Path) -> None:
    run(CSVLogger(tmp_path / "log.csv", separator=";"), [3])
    assert (tmp_path / "log.csv").read_text() == "epoch;loss;val_loss\n0;0.5;3\n"


def test_nothing_more_is_done_for_nan() -> None:
    run(TerminateOnNaN(), [1])

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import small
from callbacks.made_up import run
from gpucnn import SGD
from gpucnn.callbacks import EarlyStopping, LambdaCallback, LearningRateScheduler, TerminateOnNaN
from gpucnn.metrics import Accuracy

X, Y = small.images(12), small.labels(12)


@pytest.mark.parametrize(
    ("options", "values", "epochs"),
    [
        ({}, [3, 2, 2, 1], 3),
        ({"patience": 2}, [3, 4, 2, 3, 3, 1], 5),
        ({"min_delta": 0.5}, [3, 2, 1.6, 0], 3),
        ({"mode": "max", "patience": 1}, [1, 2, 3, 3, 9], 4),
        ({"baseline": 1.0, "patience": 2}, [5, 4, 3, 2.5, 2, 1.5, 0.9], 7),
        ({"baseline": 1.0, "patience": 1}, [5, 4, 3], 3),
        ({"baseline": 1.0, "patience": 4}, [5, 4, 4, 3, 4], 5),  # no wait began anew
        ({"baseline": 1.0, "patience": 2}, [5, 0.5, 0.7, 0.6, 0.4], 4),
        ({"baseline": 3.0, "min_delta": 0.5, "patience": 3}, [5, 4, 2.9, 2.8, 2.4], 4),
        ({"baseline": 3.0, "min_delta": 0.5, "patience": 3}, [5, 4, 2.4, 2.3, 2.2, 2.1], 6),
        ({"baseline": 0.5, "mode": "max", "patience": 2}, [0.1, 0.2, 0.3, 0.3], 4),
        ({"baseline": 1.0, "patience": 2, "start_from_epoch": 2}, [0, 0, 3, 2, 2], 5),
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
    run(stopping, [0.5, 0.7, 0.6, 0.9], name="val_accuracy", metrics=[Accuracy()])
    assert (stopping.best, stopping.best_epoch, stopping.stopped_epoch) == (0.7, 1, 2)


def test_the_best_weights_are_restored_below_a_baseline_too() -> None:
    stopping = EarlyStopping(patience=3, baseline=0.5, restore_best_weights=True)
    assert run(stopping, [3, 1, 2, 4]).weights == [1]


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


def test_nothing_more_is_done_for_nan() -> None:
    run(TerminateOnNaN(), [1])


def test_stopping_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    run(EarlyStopping(patience=2, restore_best_weights=True, verbose=1), [3, 1.5, 2, 2, 0])
    assert capsys.readouterr().out.splitlines() == [
        "epoch 4: val_loss does not get better, so the training stops",
        "epoch 2: its weights are restored, with val_loss 1.5",
    ]

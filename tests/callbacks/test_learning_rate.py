from pathlib import Path
from typing import Any

import pytest
from numpy.testing import assert_array_equal

import small
from callbacks.made_up import run
from expect import refusal
from gpucnn import SGD, CosineDecay, Sequential
from gpucnn.callbacks import (
    Callback,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
)
from gpucnn.optimizers import Optimizer

X, Y = small.images(12), small.labels(12)


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
    with refusal("the learning rate is -1: it must be a number of at least 0"):
        run(LearningRateScheduler(lambda *_: -1), [1])


def test_a_schedule_that_is_no_function() -> None:
    with refusal("schedule is 0.1: it must be a function"):
        LearningRateScheduler(0.1)  # type: ignore[arg-type]


@pytest.mark.parametrize("optimizer", small.optimizers(), ids=lambda each: type(each).__name__)
def test_a_training_may_begin_at_a_rate_of_zero(optimizer: Optimizer, tmp_path: Path) -> None:
    model = small.model(optimizer)
    before, weights = model.get_weights(), list[Any]()
    warming = LearningRateScheduler(lambda epoch: 0.01 * epoch)
    keeping = LambdaCallback(on_epoch_end=lambda *_: weights.append(model.get_weights()))
    saving = ModelCheckpoint(tmp_path / "{epoch}.safetensors")
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[warming, keeping, saving])
    for mine, then, now in zip(before, *weights, strict=True):
        assert_array_equal(mine, then)
        assert (then != now).any()
    assert Sequential.load(tmp_path / "1.safetensors").optimizer.learning_rate == 0


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


def test_rates_are_in_the_history() -> None:
    model = small.model(SGD(0.5))
    halving = LearningRateScheduler(lambda epoch, rate: rate / 2)
    history = model.fit(X, Y, epochs=3, verbose=0, callbacks=[halving])
    assert history.history["learning_rate"] == [0.25, 0.125, 0.0625]
    lowering = ReduceLROnPlateau("loss", 0.5, patience=1, min_delta=99)
    history = model.fit(X, Y, epochs=3, verbose=0, callbacks=[lowering])
    assert history.history["learning_rate"] == [0.0625, 0.0625, 0.03125]  # before each is lowered


def test_rates_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    run(LearningRateScheduler(lambda epoch: 0.5, verbose=1), [1])
    run(ReduceLROnPlateau(factor=0.5, patience=1, verbose=1), [3, 3])
    assert capsys.readouterr().out.splitlines() == [
        "epoch 1: the learning rate is set to 0.5",
        "epoch 2: the learning rate is lowered to 0.5",
    ]

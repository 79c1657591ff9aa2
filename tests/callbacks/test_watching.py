from collections.abc import Callable
from typing import Any

import pytest

import small
from expect import refusal
from gpucnn.callbacks import Callback, CSVLogger, EarlyStopping, ReduceLROnPlateau

X, Y = small.images(12), small.labels(12)


WRONG: list[tuple[Callable[..., Callback], dict[str, Any], str]] = [
    (EarlyStopping, {"monitor": None}, "monitor is None: it must be a text"),
    (EarlyStopping, {"min_delta": "a"}, "min_delta is 'a': it must be a number of at least 0"),
    (EarlyStopping, {"baseline": "a"}, "baseline is 'a': it must be a number"),
    (EarlyStopping, {"verbose": 2}, "verbose is 2: choose 0 or 1"),
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


def test_a_metric_that_is_not_measured() -> None:
    with refusal(
        "EarlyStopping watches 'val_loss', but there are only loss, accuracy, seconds, "
        "images_per_second: give one of these, or validation data to fit"
    ):
        small.model().fit(X, Y, verbose=0, callbacks=[EarlyStopping()])


def test_wrong_mode() -> None:
    with refusal("mode is 'least': choose one of auto, min, max"):
        EarlyStopping(mode="least")

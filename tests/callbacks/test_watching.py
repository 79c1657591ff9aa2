from collections.abc import Callable
from typing import Any

import pytest

import small
from expect import refusal
from gpucnn.callbacks import Callback, CSVLogger, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from gpucnn.errors import GpucnnWarning
from gpucnn.metrics import ConfusionMatrix, F1Score, Metric, MetricLike, TopKCategoricalAccuracy

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


class Shortness(Metric):
    name = "shortness"
    direction = "down"

    def result(self, labels: Any, outputs: Any) -> float:
        return 0.0


def certainty(y_true: Any, y_pred: Any) -> Any:
    return y_pred.max(axis=1)


@pytest.mark.parametrize(
    ("monitor", "metrics", "rises"),
    [
        ("loss", [], False),
        ("val_loss", [], False),
        ("val_accuracy", [], True),  # of every cross-entropy
        ("acc", ["acc"], True),
        ("val_f1_score", [F1Score("macro")], True),
        ("val_precision", ["precision"], True),
        ("recall", ["recall"], True),
        ("val_top2", [TopKCategoricalAccuracy(2, "top2")], True),
        ("val_mse", ["mse"], False),
        ("mae", ["mae"], False),
        ("val_shortness", [Shortness()], False),
    ],
)
def test_a_metric_says_whether_more_is_better(
    monitor: str, metrics: list[MetricLike], rises: bool
) -> None:
    model = small.model()
    model.compile("sgd", metrics=metrics)
    for watching in (
        EarlyStopping(monitor),
        ReduceLROnPlateau(monitor),
        ModelCheckpoint("best", monitor, save_best_only=True),
    ):
        watching.set_model(model)
        assert watching.rises is rises


@pytest.mark.parametrize("monitor", ["val_certainty", "confusion_matrix", "seconds", "val_mine"])
def test_a_mode_is_asked_for_where_nothing_says_it(monitor: str) -> None:
    model = small.model()
    model.compile("sgd", metrics=[certainty, ConfusionMatrix()])
    with refusal(
        f"EarlyStopping watches {monitor!r}, and nothing says whether more of it is better: watch "
        'one of loss, accuracy, also with val_ before it, or give mode="max" or mode="min"'
    ):
        model.fit(X, Y, verbose=0, callbacks=[EarlyStopping(monitor)])
    assert model.epochs_trained == 0
    stopping = EarlyStopping(monitor, mode="max")
    stopping.set_model(model)
    assert stopping.rises


@pytest.mark.parametrize("watching", [EarlyStopping(), ReduceLROnPlateau()])
def test_a_metric_that_is_not_measured(watching: Callback) -> None:
    line = (
        f"{type(watching).__name__} watches 'val_loss', but there are only loss, accuracy, .*: "
        "give one of these, or validation data to fit"
    )
    with pytest.warns(GpucnnWarning, match=line) as told:
        history = small.model().fit(X, Y, epochs=3, verbose=0, callbacks=[watching])
    assert history.epoch == [0, 1, 2]
    assert told[0].filename == __file__


def test_a_metric_that_is_not_one_number() -> None:
    model = small.model()
    model.compile("sgd", metrics=[F1Score()])
    with refusal(
        "EarlyStopping watches 'f1_score', which is not one number: watch one of loss, accuracy, "
        "seconds, images_per_second"
    ):
        model.fit(X, Y, verbose=0, callbacks=[EarlyStopping("f1_score")])


def test_wrong_mode() -> None:
    with refusal("mode is 'least': choose one of auto, min, max"):
        EarlyStopping(mode="least")

from typing import Any

import numpy as np
import pytest

from expect import refusal
from gpucnn.errors import InvalidTypeError
from gpucnn.metrics import (
    METRICS,
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    F1Score,
    MeanSquaredError,
    Metric,
    Precision,
    SparseCategoricalAccuracy,
    TopKCategoricalAccuracy,
    metrics_of,
)
from gpucnn.utils.objects.config import to_config


class TestMetricsOf:
    @pytest.mark.parametrize("metrics", [None, []])
    def test_none(self, metrics: Any) -> None:
        assert metrics_of(metrics) == ()

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("accuracy", Accuracy),
            ("acc", Accuracy),
            ("sparse_categorical_accuracy", SparseCategoricalAccuracy),
            ("categorical_accuracy", CategoricalAccuracy),
            ("binary_accuracy", BinaryAccuracy),
            ("Accuracy", Accuracy),
            ("BinaryAccuracy", BinaryAccuracy),
            ("Precision", Precision),
            ("F1Score", F1Score),
            ("mse", MeanSquaredError),
            ("MSE", MeanSquaredError),
            ("TopKCategoricalAccuracy", TopKCategoricalAccuracy),
        ],
    )
    def test_values_have_the_name_that_is_given(self, name: str, kind: type[Any]) -> None:
        assert metrics_of([name]) == (kind(name=name),)

    def test_objects_and_functions(self) -> None:
        def halves(labels: Any, outputs: Any) -> Any:
            return np.full(len(labels), 0.5)

        found = metrics_of([F1Score("macro"), halves])
        assert [each.name for each in found] == ["f1_score", "halves"]
        assert found[1].result(np.zeros(3), np.ones((3, 2))) == 0.5

    def test_a_function_gives_a_number_for_each_image_or_their_mean(self) -> None:
        def shape(labels: Any, outputs: Any) -> Any:
            return outputs.shape

        (metric,) = metrics_of([shape])
        with refusal(
            "shape gives the shape (2,) for 3 images: give a number for each, or their mean"
        ):
            metric.result(np.zeros(3), np.ones((3, 2)))

    def test_other_names(self) -> None:
        names = ", ".join(METRICS)
        with refusal(f"a metric is 'auc': choose one of {names}"):
            metrics_of(["accuracy", "auc"])

    @pytest.mark.parametrize("metrics", ["accuracy", 3, {"accuracy"}])
    def test_no_list(self, metrics: Any) -> None:
        message = f'metrics is {metrics!r}: give a list, such as ["accuracy"]'
        with refusal(message, InvalidTypeError):
            metrics_of(metrics)

    @pytest.mark.parametrize("metric", [3, F1Score, None])
    def test_no_metric(self, metric: Any) -> None:
        with refusal(
            f"{metric!r} is among the metrics: give names, objects such as F1Score(), or functions "
            "of y_true and y_pred",
            InvalidTypeError,
        ):
            metrics_of([metric])

    @pytest.mark.parametrize(
        ("metrics", "name"),
        [(["acc", Accuracy("acc")], "acc"), ([F1Score(name="loss")], "loss")],
    )
    def test_a_name_of_something_else(self, metrics: list[Any], name: str) -> None:
        with refusal(
            f"{name} is the name of a metric, and of something else that is measured: give the "
            "metric another name"
        ):
            metrics_of(metrics)

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: TopKCategoricalAccuracy(0), "k is 0: it must be a whole number of at least 1"),
            (lambda: F1Score("micro"), "average is 'micro': choose None or macro"),
        ],
    )
    def test_bad_arguments(self, make: Any, message: str) -> None:
        with refusal(message):
            make()


class MeanOfAll(Metric):
    """Without a name or a constructor."""

    def result(self, labels: Any, outputs: Any) -> Any:
        return outputs.mean()


class Named(MeanOfAll):
    """In Keras's style, but for `result`."""

    def __init__(self, name: str = "mine", **options: Any) -> None:
        super().__init__(name=name, **options)


class Updated(Named):
    """In Keras's style."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...

    def result(self) -> float:  # type: ignore[override]
        return 0.0


class F2ScoreByHand(MeanOfAll):
    def __init__(self) -> None: ...


class TestOnesOwn:
    def test_names(self) -> None:
        assert MeanOfAll().name == "mean_of_all"
        assert F2ScoreByHand().name == "f2_score_by_hand"
        assert MeanOfAll("other").name == "other"
        assert Named(dtype=None).name == "mine"

    def test_configurations_have_the_name(self) -> None:
        assert to_config(MeanOfAll("other"), [MeanOfAll]) == {"class": "MeanOfAll", "name": "other"}

    def test_that_are_given_something_else_are_refused(self) -> None:
        with refusal(
            "result of Updated takes (), but is given (labels, outputs), those of all images of an "
            "epoch: see gpucnn.metrics.Metric",
            InvalidTypeError,
        ):
            metrics_of([Updated()])

    def test_functions_of_something_else_are_refused(self) -> None:
        def certainty(outputs: Any) -> Any:
            return outputs.max(axis=1)

        with refusal(
            "certainty takes (outputs), but is given (labels, outputs), those of all images of an "
            "epoch: see gpucnn.metrics.Metric",
            InvalidTypeError,
        ):
            metrics_of([certainty])

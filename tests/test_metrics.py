from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from expect import refusal
from gpucnn import losses
from gpucnn.errors import InvalidTypeError
from gpucnn.metrics import (
    METRICS,
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    ConfusionMatrix,
    Evaluation,
    F1Score,
    MeanAbsoluteError,
    MeanSquaredError,
    Measures,
    Metric,
    Precision,
    Recall,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    confusion_matrix,
    metrics_of,
    per_class,
)

SQUARED = losses.MeanSquaredError()
LABELS = np.array([0, 0, 1, 1, 1, 3])
TAKEN = np.array([0, 1, 1, 1, 0, 1])  # nothing for 2 and 3, and nothing is 2
OUTPUTS = np.eye(4)[TAKEN] + 0.01 * np.arange(4)[::-1]  # then in the order of the classes
ROWS = np.eye(4)[LABELS]

either = pytest.mark.parametrize("labels", [LABELS, ROWS], ids=["classes", "rows"])


@either
def test_confusion_matrix(labels: Any) -> None:
    expected = [[1, 1, 0, 0], [1, 2, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0]]
    assert_array_equal(confusion_matrix(labels, OUTPUTS), expected)
    assert_array_equal(ConfusionMatrix().result(labels, OUTPUTS), expected)


@either
def test_precision_recall_and_f1_of_each_class(labels: Any) -> None:
    found = per_class(labels, OUTPUTS)
    assert_allclose(found.precision, [1 / 2, 2 / 4, 0, 0])
    assert_allclose(found.recall, [1 / 2, 2 / 3, 0, 0])
    assert_allclose(found.f1, [1 / 2, 2 * (1 / 2) * (2 / 3) / (1 / 2 + 2 / 3), 0, 0])


@pytest.mark.parametrize(
    ("metric", "name"), [(Precision, "precision"), (Recall, "recall"), (F1Score, "f1")]
)
def test_metrics_of_classes(metric: Any, name: str) -> None:
    expected = getattr(per_class(LABELS, OUTPUTS), name)
    assert_array_equal(metric().result(LABELS, OUTPUTS), expected)
    assert metric("macro").result(LABELS, OUTPUTS) == pytest.approx(expected.mean())


@either
@pytest.mark.parametrize("kind", [TopKCategoricalAccuracy, SparseTopKCategoricalAccuracy])
@pytest.mark.parametrize(("k", "hits"), [(1, 3), (2, 5), (3, 5), (4, 6), (5, 6)])
def test_top_k(labels: Any, kind: Any, k: int, hits: int) -> None:
    assert kind(k).result(labels, OUTPUTS) == pytest.approx(hits / 6)


@either
def test_accuracy_of_classes(labels: Any) -> None:
    assert Accuracy().result(labels, OUTPUTS) == pytest.approx(3 / 6)


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_accuracy_of_a_single_output(shape: tuple[int, ...]) -> None:
    labels = np.array([1.0, 0, 1]).reshape(shape)
    assert Accuracy().result(labels, np.array([[0.6], [0.5], [0.4]])) == pytest.approx(2 / 3)


def test_errors() -> None:
    labels, outputs = np.array([[1.0, 2], [3, 4]]), np.array([[0.0, 2], [6, 4]])
    assert MeanSquaredError().result(labels, outputs) == 10 / 4
    assert MeanAbsoluteError().result(labels, outputs) == 4 / 4


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
        ],
    )
    def test_names_of_the_accuracy(self, name: str, kind: type[Accuracy]) -> None:
        assert metrics_of([name]) == (kind(name=name),)

    def test_objects_and_functions(self) -> None:
        def halves(labels: Any, outputs: Any) -> Any:
            return np.full(len(labels), 0.5)

        found = metrics_of([F1Score("macro"), halves])
        assert [each.name for each in found] == ["f1_score", "halves"]
        assert found[1].result(LABELS, OUTPUTS) == 0.5

    def test_other_names(self) -> None:
        names = ", ".join(METRICS)
        with refusal(f"'auc' is among the metrics: choose of {names}"):
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


class TestMeasures:
    def test_the_accuracy_is_that_of_the_loss(self) -> None:
        assert Measures.of([Accuracy(), F1Score()]) == Measures(True, (F1Score(),), (Accuracy(),))

    def test_the_accuracy_has_the_names_that_it_is_given(self) -> None:
        measures = Measures.of([CategoricalAccuracy(), Accuracy("acc")])
        found = measures.evaluate(np.zeros(4), np.array([0, 1, 1, 1]), None, None)
        assert found._asdict() == {"loss": 0, "categorical_accuracy": 0.75, "acc": 0.75}

    def test_an_accuracy_of_ones_own_is_computed(self) -> None:
        class Mine(Accuracy):
            pass

        assert Measures.of([Mine()]) == Measures(True, (Mine(),))

    def test_the_accuracy_is_a_metric_where_the_loss_has_none(self) -> None:
        assert Measures.of([Accuracy()], SQUARED) == Measures(False, (Accuracy(),), (), SQUARED)

    def test_means_are_in_float64(self) -> None:
        losses = np.full(2**16, 0.1, np.float32)
        found = Measures().evaluate(losses, losses, None, None)
        assert found == (np.float64(np.float32(0.1)), np.float64(np.float32(0.1)))

    def test_values_are_plain(self) -> None:
        measures = Measures(False, (F1Score(), ConfusionMatrix(), Plus(name="plus")))
        found = measures.evaluate(np.ones(6), np.ones(6), LABELS, OUTPUTS)
        assert list(found._asdict()) == ["loss", "f1_score", "confusion_matrix", "plus"]
        assert [type(each) for each in found] == [float, list, list, int]


class Plus(Metric):
    def __init__(self, name: str) -> None:
        self.name = name

    def result(self, labels: Any, outputs: Any) -> Any:
        return np.int64(7)


class TestEvaluation:
    def test_is_a_tuple_with_names(self) -> None:
        found = Evaluation({"loss": 0.5, "accuracy": 0.25})
        loss, accuracy = found
        assert (loss, accuracy) == (found.loss, found.accuracy) == (0.5, 0.25)
        assert found._asdict() == {"loss": 0.5, "accuracy": 0.25}
        assert repr(found) == "Evaluation(loss=0.5, accuracy=0.25)"

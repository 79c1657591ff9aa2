from typing import Any

import numpy as np
import pytest

from gpucnn import losses
from gpucnn.metrics import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    ConfusionMatrix,
    Evaluation,
    F1Score,
    MeanSquaredError,
    Measures,
    Metric,
    SparseCategoricalAccuracy,
)

SQUARED = losses.MeanSquaredError()
BINARY = losses.BinaryCrossentropy()
CATEGORICAL = losses.CategoricalCrossentropy()
CLASSES = losses.SparseCategoricalCrossentropy(from_logits=True)
LABELS = np.array([0, 0, 1, 1, 1, 3])
OUTPUTS = np.eye(4)[[0, 1, 1, 1, 0, 1]]
ROWS = np.eye(4)[LABELS]


class TestMeasures:
    def test_the_accuracy_is_counted_by_the_loss(self) -> None:
        measures = Measures.of([F1Score(), Accuracy("acc")], CLASSES, 3)
        assert [each.name for each in measures.metrics] == ["f1_score", "acc"]
        assert measures.told == {"acc"}

    def test_the_accuracy_is_measured_if_it_is_not_asked_for(self) -> None:
        assert Measures.of([], CLASSES, 3) == Measures((Accuracy(),), frozenset({"accuracy"}))
        assert Measures.of([], BINARY, 1).told == {"accuracy"}
        assert Measures.of([F1Score()], CLASSES, 3).metrics == (Accuracy(), F1Score())

    @pytest.mark.parametrize(("loss", "outputs"), [(SQUARED, 3), (SQUARED, 1), (BINARY, 3)])
    def test_the_accuracy_is_a_metric_where_the_loss_has_none(
        self, loss: losses.Loss, outputs: int
    ) -> None:
        assert Measures.of([], loss, outputs) == Measures((), frozenset(), loss)
        measures = Measures.of([Accuracy()], loss, outputs)
        assert measures == Measures((Accuracy(),), frozenset(), loss)
        assert measures.needs_outputs

    @pytest.mark.parametrize(
        ("metric", "loss", "outputs"),
        [
            (CategoricalAccuracy(), CLASSES, 3),
            (SparseCategoricalAccuracy(), CLASSES, 3),
            (BinaryAccuracy(), BINARY, 1),
            (BinaryAccuracy(), losses.BinaryCrossentropy(from_logits=True), 1),
            (BinaryAccuracy(threshold=0.5), BINARY, 1),
        ],
    )
    def test_an_accuracy_of_the_same_rule_is_counted_too(
        self, metric: Metric, loss: losses.Loss, outputs: int
    ) -> None:
        measures = Measures.of([metric], loss, outputs)
        assert not measures.needs_outputs
        found = measures.evaluate(np.zeros(4), np.array([0, 1, 1, 1]), None, None)
        assert found._asdict() == {"loss": 0, metric.name: 0.75}

    @pytest.mark.parametrize(
        ("metric", "loss", "outputs"),
        [
            (BinaryAccuracy(), CLASSES, 3),
            (BinaryAccuracy(), BINARY, 3),
            (BinaryAccuracy(threshold=0.4), BINARY, 1),
            (CategoricalAccuracy(), BINARY, 3),
        ],
    )
    def test_an_accuracy_of_another_rule_is_computed(
        self, metric: Metric, loss: losses.Loss, outputs: int
    ) -> None:
        assert Measures.of([metric], loss, outputs).told <= {"accuracy"}

    def test_an_accuracy_of_ones_own_is_computed(self) -> None:
        class Mine(Accuracy):
            pass

        assert Measures.of([Mine()], CLASSES, 3) == Measures((Mine(),), frozenset())

    def test_a_loss_of_ones_own_counts_by_its_own_rule(self) -> None:
        class Mine(losses.Loss):
            measures_accuracy = True

            def hits(self, labels: Any, outputs: Any) -> Any:
                return np.ones(len(labels))

        measures = Measures.of([Accuracy(), CategoricalAccuracy()], Mine(), 3)
        assert measures.told == {"accuracy"}

    def test_values_are_in_the_order_of_the_metrics(self) -> None:
        measures = Measures.of([MeanSquaredError(), Accuracy()], CATEGORICAL, 4)
        found = measures.evaluate(np.ones(6), np.ones(6), ROWS, OUTPUTS)
        assert list(found._asdict()) == ["loss", "mean_squared_error", "accuracy"]

    def test_means_are_in_float64(self) -> None:
        losses = np.full(2**16, 0.1, np.float32)
        found = Measures().evaluate(losses, losses, None, None)
        assert found == (np.float64(np.float32(0.1)), np.float64(np.float32(0.1)))

    def test_values_are_plain(self) -> None:
        measures = Measures((F1Score(), ConfusionMatrix(), Plus(name="plus")), frozenset())
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

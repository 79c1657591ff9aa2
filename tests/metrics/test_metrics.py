from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from expect import refusal
from gpucnn import losses
from gpucnn.metrics import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    ConfusionMatrix,
    F1Score,
    MeanAbsoluteError,
    MeanSquaredError,
    Metric,
    Precision,
    Recall,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    confusion_matrix,
    per_class,
)

BINARY = losses.BinaryCrossentropy()
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


@pytest.mark.parametrize("of_labels", [LABELS, ROWS], ids=["classes", "rows"])
def test_binary_accuracy_is_of_each_output(of_labels: Any) -> None:
    outputs = 0.6 * OUTPUTS
    right = (outputs > 0.5) == (ROWS > 0.5)
    assert BinaryAccuracy().result(of_labels, outputs) == right.mean() == 18 / 24
    above = (outputs > 0.01) == (ROWS > 0.5)
    assert BinaryAccuracy(threshold=0.01).result(of_labels, outputs) == above.mean() != 18 / 24


class TestSingleOutput:
    """Whether it is above a threshold, as of two classes."""

    labels = np.array([1, 1, 1, 0, 0, 0, 0])
    outputs = np.array([0.9, 0.6, 0.3, 0.7, 0.8, 0.55, 0.1])[:, None]

    @pytest.mark.parametrize("of_labels", [labels, labels[:, None].astype(float)])
    def test_metrics_of_classes_are_those_of_class_1(self, of_labels: Any) -> None:
        assert Precision().result(of_labels, self.outputs) == 2 / 5
        assert Recall().result(of_labels, self.outputs) == 2 / 3
        assert F1Score().result(of_labels, self.outputs) == 2 * 2 / (5 + 3)
        counts = ConfusionMatrix().result(of_labels, self.outputs)
        assert_array_equal(counts, [[1, 3], [1, 2]])

    def test_other_thresholds(self) -> None:
        assert Precision(thresholds=0.75).result(self.labels, self.outputs) == 1 / 2
        assert F1Score(threshold=0.2).result(self.labels, self.outputs) == 2 * 3 / (6 + 3)
        counts = ConfusionMatrix(threshold=0.75).result(self.labels, self.outputs)
        assert_array_equal(counts, [[3, 1], [2, 1]])

    @pytest.mark.parametrize("metric", [Precision(), Recall(), F1Score(), ConfusionMatrix()])
    def test_logits_are_compared_with_0(self, metric: Metric) -> None:
        logits = np.log(self.outputs / (1 - self.outputs))
        of_logits = metric.of_model(losses.BinaryCrossentropy(from_logits=True), 1)
        expected = metric.of_model(BINARY, 1).result(self.labels, self.outputs)
        assert_array_equal(of_logits.result(self.labels, logits), expected)

    @pytest.mark.parametrize(
        "metric",
        [
            CategoricalAccuracy(),
            SparseCategoricalAccuracy(),
            TopKCategoricalAccuracy(),
            SparseTopKCategoricalAccuracy(),
        ],
    )
    def test_metrics_of_the_greatest_are_refused(self, metric: Metric) -> None:
        with refusal(
            f"{metric.name} is of the greatest of several outputs, but the model has one: use "
            "accuracy or binary_accuracy"
        ):
            metric.of_model(BINARY, 1)

    @pytest.mark.parametrize("metric", [Precision(), ConfusionMatrix(), BinaryAccuracy()])
    def test_labels_of_no_classes_are_refused(self, metric: Metric) -> None:
        labels = np.array([[0.5], [2.5], [-1]])
        message = (
            "the labels are from -1 to 2.5, which are not those of classes: leave out the metrics "
            "of classes, or give labels of 0 and 1"
        )
        with refusal(message):
            metric.result(labels, self.outputs[:3])
        with refusal(message):
            metric.check_labels(labels, 1)


class TestOutputsByThemselves:
    """Those of a model with a binary cross-entropy."""

    labels = np.array([[1, 0, 1], [1, 1, 0], [0, 0, 0], [1, 0, 1.0]])
    outputs = np.array([[0.9, 0.6, 0.7], [0.2, 0.6, 0.1], [0.6, 0.6, 0.1], [0.8, 0.2, 0.9]])

    @pytest.mark.parametrize(
        ("metric", "expected"),
        [
            (Precision(), [2 / 3, 1 / 3, 1]),
            (Recall(), [2 / 3, 1, 1]),
            (F1Score(), [2 * 2 / (3 + 3), 2 * 1 / (3 + 1), 1]),
        ],
    )
    def test_metrics_of_classes_are_of_each_output(self, metric: Any, expected: Any) -> None:
        found = metric.of_model(BINARY, 3)
        assert_allclose(found.result(self.labels, self.outputs), expected)

    def test_the_threshold_of_the_argument_goes_before_that_of_the_loss(self) -> None:
        found = Recall(thresholds=0.75).of_model(BINARY, 3)
        assert_allclose(found.result(self.labels, self.outputs), [2 / 3, 0, 1 / 2])

    def test_a_threshold_takes_labels_that_are_classes(self) -> None:
        metric = F1Score(threshold=0.5)
        expected = metric.result(ROWS, OUTPUTS)
        assert_array_equal(metric.result(LABELS, OUTPUTS), expected)

    def test_there_is_no_confusion_matrix(self) -> None:
        with refusal(
            "confusion_matrix is of images that have one class each, but with BinaryCrossentropy "
            "each of the 3 outputs tells by itself: use precision and recall"
        ):
            ConfusionMatrix().of_model(BINARY, 3)


def test_errors() -> None:
    labels, outputs = np.array([[1.0, 2], [3, 4]]), np.array([[0.0, 2], [6, 4]])
    assert MeanSquaredError().result(labels, outputs) == 10 / 4
    assert MeanAbsoluteError().result(labels, outputs) == 4 / 4

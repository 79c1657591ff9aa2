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
from gpucnn.utils.config import to_config

SQUARED = losses.MeanSquaredError()
BINARY = losses.BinaryCrossentropy()
CATEGORICAL = losses.CategoricalCrossentropy()
CLASSES = losses.SparseCategoricalCrossentropy(from_logits=True)
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
        assert found[1].result(LABELS, OUTPUTS) == 0.5

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

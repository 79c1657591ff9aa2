"""Labels as the cross-entropies take them, and what they compute of them."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from expect import refusal
from gpucnn import get_backend
from gpucnn.errors import InvalidTypeError, InvalidValueError
from gpucnn.losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Loss,
    PlacedLoss,
    SparseCategoricalCrossentropy,
)
from gradients import assert_gradient

OUTPUTS = np.random.default_rng(0).standard_normal((4, 3))
CLASSES = np.array([2, 0, 1, 2])


def losses_of(loss: Loss, y: Any, outputs: Any = OUTPUTS) -> Any:
    """The losses, and the gradient of their mean."""
    labels = loss.labels(y, len(outputs), outputs.shape[1])
    losses, correct = np.empty((2, len(outputs)))
    placed = PlacedLoss(loss, get_backend("cpu"), outputs.shape[1], np.dtype(np.float64))
    return losses, placed.gradient(outputs, labels, losses, correct, len(outputs))


def log_softmax(outputs: Any) -> Any:
    return outputs - np.log(np.exp(outputs).sum(axis=1, keepdims=True))


LABELS: dict[str, tuple[Loss, Any, Any]] = {
    "classes": (SparseCategoricalCrossentropy(), CLASSES, np.eye(3)[CLASSES]),
    "a column of classes": (SparseCategoricalCrossentropy(), CLASSES[:, None], np.eye(3)[CLASSES]),
    "rows": (CategoricalCrossentropy(), np.eye(3)[CLASSES], np.eye(3)[CLASSES]),
    "rows of probabilities": (
        CategoricalCrossentropy(),
        [[0.5, 0.25, 0.25]] * 4,
        [[0.5, 0.25, 0.25]] * 4,
    ),
    "smoothed classes": (
        SparseCategoricalCrossentropy(label_smoothing=0.3),
        CLASSES,
        np.eye(3)[CLASSES] * 0.7 + 0.1,
    ),
    "smoothed rows": (
        CategoricalCrossentropy(label_smoothing=0.3),
        [[0.5, 0.25, 0.25]] * 4,
        [[0.45, 0.275, 0.275]] * 4,
    ),
}


@pytest.mark.parametrize(("loss", "y", "targets"), LABELS.values(), ids=LABELS)
class TestCategorical:
    def test_losses(self, loss: Loss, y: Any, targets: Any) -> None:
        expected = -(np.asarray(targets) * log_softmax(OUTPUTS)).sum(axis=1)
        assert_allclose(losses_of(loss, y)[0], expected, rtol=1e-12)

    def test_gradient(self, loss: Loss, y: Any, targets: Any) -> None:
        outputs = OUTPUTS.copy()
        gradient = losses_of(loss, y, outputs)[1].copy()
        assert_gradient(lambda: float(losses_of(loss, y, outputs)[0].mean()), outputs, gradient)


def test_certain_labels_become_whole_numbers() -> None:
    labels = CategoricalCrossentropy().labels(np.eye(3)[CLASSES], 4, 3)
    assert_array_equal(labels, CLASSES)
    assert labels.dtype == np.int64


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize(("outputs", "y"), [(1, [0, 1, 1, 0]), (3, np.eye(3)[CLASSES])])
def test_binary(outputs: int, y: Any, smoothing: float) -> None:
    logits = OUTPUTS[:, :outputs].copy()
    loss = BinaryCrossentropy(label_smoothing=smoothing)
    targets = np.reshape(y, (4, outputs)) * (1 - smoothing) + smoothing / 2
    p = 1 / (1 + np.exp(-logits))
    expected = -(targets * np.log(p) + (1 - targets) * np.log(1 - p)).mean(axis=1)
    losses, gradient = losses_of(loss, y, logits)
    assert_allclose(losses, expected, rtol=1e-12)
    assert_gradient(lambda: float(losses_of(loss, y, logits)[0].mean()), logits, gradient.copy())


@pytest.mark.parametrize(
    ("loss", "y", "message", "kind"),
    [
        (
            CategoricalCrossentropy(),
            CLASSES,
            "the labels have the shape (4,): give a row of 3 numbers for each, as to_categorical "
            "makes it, or compile with sparse_categorical_crossentropy",
            InvalidValueError,
        ),
        (
            CategoricalCrossentropy(),
            [[0.5, 0.25, 0.5]] * 4,
            "the labels are not rows of probabilities that add up to 1: give the probability of "
            "each class, as to_categorical makes it of a class that is certain",
            InvalidValueError,
        ),
        (
            CategoricalCrossentropy(),
            [["a", "b", "c"]] * 4,
            "the labels are of dtype <U1: give numbers",
            InvalidTypeError,
        ),
        (
            BinaryCrossentropy(),
            [[0, 1, 2]] * 4,
            "the labels are from 0 to 2: give probabilities, such as 0 and 1",
            InvalidValueError,
        ),
        (
            BinaryCrossentropy(),
            [0, 1, 1, 0],
            "the labels have the shape (4,): give a row of 3 for each image, (4, 3)",
            InvalidValueError,
        ),
        (
            BinaryCrossentropy(),
            [[0, np.nan, 1]] * 4,
            "a label is NaN or infinite: give finite numbers",
            InvalidValueError,
        ),
    ],
)
def test_other_labels(loss: Loss, y: Any, message: str, kind: Any) -> None:
    with refusal(message, kind):
        loss.labels(y, 4, 3)


@pytest.mark.parametrize("smoothing", [1, -0.1, "a"])
def test_other_smoothing(smoothing: Any) -> None:
    with refusal(f"label_smoothing is {smoothing!r}: it must be at least 0 and below 1"):
        CategoricalCrossentropy(label_smoothing=smoothing)

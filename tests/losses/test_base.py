import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

import loops
from backends.strategies import seeds
from gpucnn import get_backend
from gpucnn.backends import Array
from gpucnn.losses import DEFAULT, PlacedLoss
from gradients import assert_gradient

Drawn = tuple[NDArray[np.float64], NDArray[np.int64]]


def loss(classes: int, dtype: type[np.floating] = np.float64) -> PlacedLoss:
    return PlacedLoss(DEFAULT, get_backend("cpu"), classes, np.dtype(dtype))


def draw(rows: int, classes: int, seed: int = 0) -> Drawn:
    """Logits and labels."""
    generator = np.random.default_rng(seed)
    return generator.standard_normal((rows, classes)), generator.integers(0, classes, rows)


def room(rows: int) -> tuple[Array, Array]:
    """Memory for `losses` and `correct`."""
    return np.empty(rows), np.empty(rows)


def losses_of(logits: Array, labels: Array) -> Array:
    losses, correct = np.empty((2, len(logits)), logits.dtype)
    loss(logits.shape[1], logits.dtype.type).evaluate(logits, labels, losses, correct)
    return losses


def gradient_of(logits: Array, labels: Array, images: int | None = None) -> Array:
    """The gradient for `logits` of a batch, or of a microbatch of a batch of `images`."""
    losses, correct = np.empty((2, len(logits)), logits.dtype)
    return loss(logits.shape[1], logits.dtype.type).gradient(
        logits, labels, losses, correct, images or len(logits)
    )


def test_losses_are_those_in_loops() -> None:
    logits, labels = draw(5, 4)
    assert_allclose(losses_of(logits, labels), loops.cross_entropy(logits, labels), rtol=1e-12)


def test_loss_of_equal_logits_is_the_logarithm_of_the_classes() -> None:
    assert losses_of(np.full((1, 10), 3.0), np.array([7])) == pytest.approx(np.log(10))


@given(rows=st.integers(1, 5), classes=st.integers(1, 6), seed=seeds)
def test_gradient_is_that_of_the_mean_loss(rows: int, classes: int, seed: int) -> None:
    logits, labels = draw(rows, classes, seed)
    gradient = gradient_of(logits, labels)
    if classes == 1:  # the loss is 0 whatever the logit
        assert_array_equal(gradient, np.zeros((rows, 1)))
    else:
        assert_gradient(lambda: float(losses_of(logits, labels).mean()), logits, gradient)


def test_gradients_of_parts_are_those_of_the_whole_batch() -> None:
    logits, labels = draw(5, 4)
    parts = [gradient_of(logits[part], labels[part], 5) for part in (slice(2), slice(2, 5))]
    assert_array_equal(np.concatenate(parts), gradient_of(logits, labels))


def test_correct_are_the_rows_whose_largest_logit_is_the_labels() -> None:
    logits = np.array([[1.0, 3.0, 2.0], [1.0, 3.0, 2.0], [2.0, 2.0, 0.0], [2.0, 2.0, 0.0]])
    losses, correct = np.empty((2, 4))
    loss(3).evaluate(logits, np.array([1, 2, 0, 1]), losses, correct)
    assert_array_equal(correct, [1, 0, 1, 0])  # the first, among equals


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
class TestHugeLogits:
    @pytest.mark.parametrize(("label", "expected"), [(0, 0.0), (1, 2e4)])
    def test_loss(self, dtype: type[np.floating], label: int, expected: float) -> None:
        logits = np.array([[1e4, -1e4]], dtype)
        assert_array_equal(losses_of(logits, np.array([label])), [expected])

    @pytest.mark.parametrize(("label", "expected"), [(0, [0, 0]), (1, [1, -1])])
    def test_gradient(self, dtype: type[np.floating], label: int, expected: list[int]) -> None:
        logits = np.array([[1e4, -1e4]], dtype)
        assert_array_equal(gradient_of(logits, np.array([label])), [expected])


class TestTwoWays:
    """`gradient` is `evaluate` with a gradient."""

    def test_give_the_same_losses(self) -> None:
        logits, labels = draw(5, 4)
        losses, correct = np.empty((2, 5))
        loss(4).gradient(logits, labels, losses, correct, 5)
        assert_array_equal(losses, losses_of(logits, labels))

    def test_give_the_same_hits(self) -> None:
        logits, labels = draw(5, 4)
        losses, correct, hits = np.empty((3, 5))
        loss(4).gradient(logits, labels, losses, correct, 5)
        loss(4).evaluate(logits, labels, losses, hits)
        assert_array_equal(correct, hits)


@pytest.mark.parametrize("rows", [1, 4, 5])
def test_memory_of_the_gradient_is_used_again(rows: int) -> None:
    cross_entropy = loss(3)
    first = cross_entropy.gradient(*draw(5, 3), *room(5), images=5)
    again = cross_entropy.gradient(*draw(rows, 3), *room(rows), images=rows)
    assert again.ctypes.data == first.ctypes.data
    assert again.shape == (rows, 3)


def test_memory_of_the_gradient_grows() -> None:
    cross_entropy = loss(3)
    cross_entropy.gradient(*draw(2, 3), *room(2), images=2)
    logits, labels = draw(5, 3)
    gradient = cross_entropy.gradient(logits, labels, *room(5), images=5)
    assert_allclose(gradient, loops.cross_entropy_gradient(logits, labels, 5), rtol=1e-12)

"""The learning-rate finder, and its curve."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import small
from expect import refusal
from gpucnn import SGD, Adam, CosineDecay, Dense, Flatten, Sequential
from gpucnn.errors import TrainingError
from gpucnn.losses import CategoricalCrossentropy
from gpucnn.optimizers import LearningRateCurve, Optimizer, find_learning_rate
from gpucnn.utils import to_categorical

X, Y = small.images(30), small.labels(30)


def find(model: Sequential, y: Any = Y, **options: Any) -> LearningRateCurve:
    return find_learning_rate(model, X, y, **({"batch_size": 8, "steps": 20} | options))


def curve(losses: Any, lowest: float = 1e-4, highest: float = 1.0) -> LearningRateCurve:
    return LearningRateCurve(np.geomspace(lowest, highest, len(losses)), np.array(losses, float))


class TestCurve:
    """Of a training."""

    def test_rates_rise_by_one_factor(self) -> None:
        found = find(small.model(SGD()), min_rate=1e-5, max_rate=1e-3)
        assert_allclose(found.rates[[0, -1]], [1e-5, 1e-3], rtol=1e-12)
        assert_allclose(found.rates[1:] / found.rates[:-1], np.full(19, 100 ** (1 / 19)))
        assert found.losses.shape == found.smoothed.shape == (20,)

    def test_losses_are_those_of_training_at_these_rates(self) -> None:
        """Of a model that takes the images of every batch in one order, as all are the same."""
        x, y = np.repeat(X[:1], 8, axis=0), np.repeat(Y[:1], 8)
        made, losses = model(), []
        found = find_learning_rate(model(), x, y, 8, min_rate=1e-3, max_rate=0.1, steps=6)
        for rate in found.rates:
            made.optimizer.learning_rate = float(rate)
            losses += made.fit(x, y, batch_size=8, verbose=0, shuffle=False).history["loss"]
        assert_array_equal(found.losses, losses)

    def test_is_the_same_each_time(self) -> None:
        one, other = find(small.model(Adam())), find(small.model(Adam()))
        assert_array_equal(one.losses, other.losses)

    def test_is_that_of_the_optimizer_without_state(self) -> None:
        trained, fresh = model(), model()
        trained.fit(X, Y, batch_size=8, epochs=3, verbose=0)
        fresh.set_weights(trained.get_weights())
        assert_array_equal(find(trained).losses, find(fresh).losses)

    def test_takes_the_place_of_a_schedule(self) -> None:
        assert_array_equal(find(model(SGD(CosineDecay(0.1, 3)))).losses, find(model()).losses)

    def test_ends_where_training_diverges(self) -> None:
        found = find(small.model(SGD()), min_rate=1.0, max_rate=1e12, steps=100)
        assert len(found.losses) == len(found.rates) < 100
        assert np.isfinite(found.losses).all()
        assert found.losses.max() > 4 * found.losses.min()

    @pytest.mark.parametrize("device", ["cpu", "simulator"])
    def test_leaves_the_model_as_it_is(self, device: str, tmp_path: Path) -> None:
        made = small.model(Adam(0.01), device=device)
        made.fit(X, Y, batch_size=8, verbose=0)
        before, after = tmp_path / "before.safetensors", tmp_path / "after.safetensors"
        made.save(before)
        find(made, steps=3)
        made.save(after)
        assert before.read_bytes() == after.read_bytes()

    def test_of_a_model_that_is_not_built(self) -> None:
        made = Sequential([Flatten(), Dense(small.CLASSES)])
        made.compile(SGD())
        assert len(find(made).losses) == 20
        assert not made.is_built

    def test_of_labels_that_the_loss_takes(self) -> None:
        made = model()
        made.compile(SGD(), CategoricalCrossentropy(from_logits=True))
        found = find(made, to_categorical(Y, small.CLASSES))
        assert_array_equal(found.losses, find(model()).losses)


def model(optimizer: Optimizer | None = None) -> Sequential:
    return small.model(optimizer or SGD())


class TestSuggestion:
    def test_is_where_the_loss_falls_most_steeply(self) -> None:
        places = np.linspace(-4, 0, 201)
        found = curve(2 - np.tanh(4 * (places + 1.5)))
        assert found.suggestion == pytest.approx(10**-1.5, rel=0.1)

    def test_is_sought_before_the_least_loss(self) -> None:
        places = np.linspace(-4, 0, 201)
        losses = 2 - np.tanh(4 * (places + 2.5))
        losses[places > -0.8] += 9
        losses[places > -0.4] -= 5
        assert curve(losses).suggestion == pytest.approx(10**-2.5, rel=0.1)

    def test_is_not_misled_by_one_batch(self) -> None:
        places = np.linspace(-4, 0, 201)
        losses = 3 - np.tanh(4 * (places + 1.5))
        losses[20] -= 0.5
        assert curve(losses).suggestion == pytest.approx(10**-1.5, rel=0.1)

    def test_is_none_where_the_loss_falls_nowhere(self) -> None:
        assert curve(np.linspace(1, 2, 30)).suggestion is None
        assert curve([1.0]).suggestion is None

    def test_the_mean_is_of_the_steps_around(self) -> None:
        losses = np.zeros(31)
        losses[15] = 11.0
        assert_allclose(curve(losses).smoothed, [1.0 * (10 <= step <= 20) for step in range(31)])
        assert curve(np.arange(30)).smoothed[[0, -1]].tolist() == [2.5, 26.5]


class TestPlot:
    def test_is_a_png(self, tmp_path: Path) -> None:
        pytest.importorskip("matplotlib")
        curve(np.linspace(2, 1, 30)).plot(tmp_path / "curve.png")
        assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")

    def test_shows_the_curve_and_the_suggestion(self) -> None:
        pytest.importorskip("matplotlib")
        found = curve(2 - np.tanh(np.linspace(-4, 4, 30)))
        (axes,) = found.draw().axes
        of_steps, means, suggestion = axes.lines
        assert_array_equal(of_steps.get_xydata(), np.stack([found.rates, found.losses], 1))
        assert_array_equal(means.get_xydata(), np.stack([found.rates, found.smoothed], 1))
        assert set(np.ravel(suggestion.get_xdata())) == {found.suggestion}
        assert axes.get_xscale() == "log"
        legend: Any = axes.get_legend()
        assert [text.get_text() for text in legend.get_texts()] == [
            "of each step",
            "mean of 11 steps",
            f"falls most steeply: {found.suggestion:.2g}",
        ]

    def test_of_a_loss_that_falls_nowhere(self) -> None:
        pytest.importorskip("matplotlib")
        assert len(curve(np.linspace(1, 2, 30)).draw().axes[0].lines) == 2

    def test_another_kind_of_file_is_refused(self) -> None:
        with refusal("the plot's file is 'curve.pdf': give a name that ends in .png"):
            curve([2, 1]).plot("curve.pdf")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"batch_size": 0}, "batch_size is 0: it must be a whole number of at least 1"),
        ({"steps": 1}, "steps is 1: it must be at least 2"),
        ({"min_rate": 0}, "min_rate is 0: it must be a number above 0"),
        ({"max_rate": 1e-7}, "max_rate is 1e-07: it must be above min_rate, 1e-07"),
        ({"y": Y[:9]}, "the images have the shape (30, 6, 6, 1), and the labels (9,): "
         "give as many of each"),
    ],
)  # fmt: skip
def test_wrong_arguments(options: dict[str, Any], line: str) -> None:
    with refusal(line):
        find(model(), **options)


def test_no_images() -> None:
    with pytest.raises(ValueError, match="give as many of each"):
        find_learning_rate(model(), X[:0], Y[:0])


def test_divergence_in_the_first_step() -> None:
    line = "training diverged in its first step, at a learning rate of 1e+38: give a lower min_rate"
    x = 1000 * X.astype(np.float32)
    with refusal(line, TrainingError):
        find_learning_rate(model(), x, Y, min_rate=1e38, max_rate=2e38)

"""The learning-rate finder: the loss of a short training whose learning rate rises.

Smith, "Cyclical learning rates for training neural networks", WACV 2017, section 3.3.
"""

import os
from collections.abc import Iterator
from copy import copy, deepcopy
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import InvalidValueError, TrainingError
from gpucnn.optimizers.base import Optimizer
from gpucnn.utils import arguments
from gpucnn.utils.plots import BLUE, SKY, VERMILION, check_plot, new_figure, write_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMOOTHED = 11
"""The losses of which a smoothed one is the mean: of a step, and of as many before and after it."""

DIVERGED = 4
"""How many times its least value the mean of the last losses reaches when training diverges."""


class Trained(Protocol):
    """What a training of a model returns, see `History`."""

    @property
    def history(self) -> dict[str, list[Any]]:
        """The values of each metric, epoch by epoch."""


class Trainable(Protocol):
    """What the finder uses of a model, see `Sequential`."""

    optimizer: Optimizer
    loss: Any

    def compile(self, optimizer: Optimizer, loss: Any) -> None:
        """Set the optimizer, which starts without state, and the loss."""

    def fit(self, x: Any, y: Any, *, batch_size: int, verbose: int, shuffle: bool) -> Trained:
        """Train for an epoch."""


@dataclass(frozen=True, eq=False)
class LearningRateCurve:
    """The losses of a training at rising learning rates, up to where it diverged, if it did.

    Attributes:
        rates: float64 (n,), the learning rate of each step.
        losses: float64 (n,), the mean loss of each step's batch, before the step.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]

    @property
    def smoothed(self) -> NDArray[np.float64]:
        """float64 (n,), the means of the losses around each step, of fewer at the ends."""
        before, steps = SMOOTHED // 2, range(len(self.losses))
        windows = (self.losses[max(step - before, 0) : step + before + 1] for step in steps)
        return np.array([window.mean() for window in windows])

    @property
    def suggestion(self) -> float | None:
        """The rate at which the smoothed loss falls most steeply, over the logarithm of the rate.

        It is sought up to the least smoothed loss; None if that is the first one. Higher rates may
        serve a schedule that rises to them, lower ones a long training.
        """
        smoothed = self.smoothed
        fall = slice(int(smoothed.argmin()) + 1)
        if fall.stop < 2:
            return None
        slopes = np.gradient(smoothed[fall], np.log(self.rates[fall]))
        return float(self.rates[slopes.argmin()])

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw the curve to a PNG file.

        Raises:
            InvalidValueError: the name does not end in .png.
            InvalidFileError: `path` is a directory, or its folder does not exist.
            MissingExtraError: Matplotlib is not installed.
            OSError: the file cannot be written.
        """
        check_plot(path)
        write_figure(path, self.draw())

    def draw(self) -> "Figure":
        """The figure that `plot` saves."""
        figure, smoothed = new_figure(8.0, 4.5), self.smoothed
        axes = figure.subplots()
        axes.semilogx(self.rates, self.losses, color=SKY, linewidth=0.8, label="of each step")
        axes.semilogx(self.rates, smoothed, color=BLUE, label=f"mean of {SMOOTHED} steps")
        if self.suggestion is not None:
            label = f"falls most steeply: {self.suggestion:.2g}"
            axes.axvline(self.suggestion, color=VERMILION, linestyle="--", label=label)
        least, first = float(smoothed.min()), float(smoothed[0])
        axes.set_ylim(0.9 * min(least, float(self.losses.min())), 1.5 * first)
        axes.set_xlabel("learning rate")
        axes.set_ylabel("loss")
        axes.legend(loc="lower left")
        return figure


def find_learning_rate(
    model: Trainable,
    x: Any,
    y: Any,
    batch_size: int = 32,
    *,
    min_rate: float = 1e-7,
    max_rate: float = 10.0,
    steps: int = 100,
) -> LearningRateCurve:
    """Try learning rates from small to large on a copy of a model, which itself stays as it is.

    The copy starts from the model's weights, with its optimizer without state, and takes steps at
    rates that rise by one factor, until it diverges. The same call gives the same curve.

    Args:
        model: compiled with the optimizer whose learning rate is sought.
        x: the images, as for `fit`.
        y: the labels, as for `fit`.
        batch_size: images in a step.
        min_rate: the learning rate of the first step, above 0.
        max_rate: that of the last step, above `min_rate`.
        steps: their number, at least 2. Batches are drawn at random, each image about as often.

    Raises:
        InvalidTypeError: the dtype of the images or labels cannot be used.
        InvalidValueError: an argument, or the shape or a value of the images or labels, cannot be
            used.
        TrainingError: the model diverges in its first step.
    """
    size = arguments.positive_integer(batch_size, "batch_size")
    if arguments.positive_integer(steps, "steps") < 2:
        raise InvalidValueError(f"steps is {steps}: it must be at least 2")
    lowest = arguments.positive_number(min_rate, "min_rate")
    if arguments.positive_number(max_rate, "max_rate") <= lowest:
        raise InvalidValueError(f"max_rate is {max_rate}: it must be above min_rate, {min_rate}")
    x, y = np.asarray(x), np.asarray(y)
    if x.shape[:1] != y.shape[:1] or not x.shape[:1] or not len(x):
        raise InvalidValueError(
            f"the images have the shape {x.shape}, and the labels {y.shape}: give as many of each"
        )
    rates = np.geomspace(lowest, max_rate, steps)
    losses = list(_losses(deepcopy(model), x, y, size, rates))
    if not losses:
        raise TrainingError(
            f"training diverged in its first step, at a learning rate of {min_rate:g}: give a "
            "lower min_rate"
        )
    return LearningRateCurve(rates[: len(losses)], np.array(losses))


def _losses(
    model: Trainable, x: NDArray[Any], y: NDArray[Any], size: int, rates: NDArray[np.float64]
) -> Iterator[float]:
    """Train a model at one rate after the other, until it diverges; the loss of each step."""
    optimizer = copy(model.optimizer)
    optimizer.use_ema = False  # whose average would take the place of the weights after each step
    model.compile(optimizer, model.loss)
    order = _order(len(x), size * len(rates))
    seen: list[float] = []
    least = np.inf
    for step, rate in enumerate(rates.tolist()):
        rows = order[step * size : (step + 1) * size]
        model.optimizer.learning_rate = rate
        try:
            done = model.fit(x[rows], y[rows], batch_size=size, verbose=0, shuffle=False)
        except TrainingError:
            return
        (loss,) = done.history["loss"]
        yield loss
        seen.append(loss)
        mean = float(np.mean(seen[-SMOOTHED:]))
        least = min(least, mean)
        if mean > DIVERGED * least:
            return


def _order(images: int, count: int) -> NDArray[np.int64]:
    """The images of `count` places, in permutations of all of them one after the other."""
    generator = np.random.default_rng(0)
    return np.concatenate([generator.permutation(images) for _ in range(ceil(count / images))])

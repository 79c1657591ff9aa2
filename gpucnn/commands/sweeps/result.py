"""The results of a sweep's trainings, and what they come to."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import NamedTuple

from gpucnn.commands.runs.history import read_history


@dataclass(frozen=True)
class Result:
    """What became of the training with one seed.

    Attributes:
        seed: of the training.
        val_accuracy: on the test images after the last epoch, in [0, 1]; None if it failed.
        val_loss: likewise.
        seconds: of all its training steps; None if it failed.
        failure: why it failed, in one line; None if it did not.
    """

    seed: int
    val_accuracy: float | None = None
    val_loss: float | None = None
    seconds: float | None = None
    failure: str | None = None


class Spread(NamedTuple):
    """What the values of several trainings come to."""

    mean: float
    deviation: float | None
    """The standard deviation of the sample; None of a single value."""

    min: float
    max: float


def spread(values: Sequence[float]) -> Spread:
    """The mean of values, of which there is at least one, and how they spread."""
    deviation = stdev(values) if len(values) > 1 else None
    return Spread(mean(values), deviation, min(values), max(values))


def read_result(run: Path, seed: int, epochs: int) -> Result | None:
    """The result of the run in a folder; None if it has not come to its last epoch.

    Raises:
        InvalidFileError: there is no run in the folder, or its history is damaged.
    """
    done = read_history(run).epochs
    if len(done) < epochs:
        return None
    last, seconds = done[-1], sum(epoch.get("seconds", 0) for epoch in done)
    return Result(seed, last["val_accuracy"], last["val_loss"], seconds)

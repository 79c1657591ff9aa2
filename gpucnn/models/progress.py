"""Progress of training on standard output: a bar on a terminal, plain lines elsewhere."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Real

from gpucnn.errors import InvalidValueError
from gpucnn.metrics import Evaluation
from gpucnn.models.training import EpochRecord


class Progress(ABC):
    """Receives the progress of training."""

    @abstractmethod
    def batch(self, images: int) -> None:
        """Report that a batch of `images` images is done."""

    @abstractmethod
    def epoch(self, record: EpochRecord) -> None:
        """Report that an epoch is done."""


def verbosity(verbose: int | str) -> int:
    """How much to print: 0 for nothing, 1 for a bar on a terminal, 2 for a line an epoch.

    Raises:
        InvalidValueError: it is none of these, nor "auto" or True for 1, or False for 0.
    """
    if verbose not in ("auto", 0, 1, 2):
        raise InvalidValueError(f"verbose is {verbose!r}: choose one of auto, 0, 1, 2")
    return 1 if verbose == "auto" else int(verbose)


def show_evaluation(level: int, found: Evaluation) -> None:
    """Print the result of an evaluation, unless `level`, see `verbosity`, is 0."""
    if level and sys.stdout is not None:
        print("  ".join(_measured(found._asdict())), flush=True)


@contextmanager
def show_progress(level: int, last_epoch: int, images: int | None) -> Iterator[Progress]:
    """Show the progress of training within the context.

    Args:
        level: see `verbosity`.
        last_epoch: the number of the last epoch.
        images: the number of images in an epoch; None if it is not known.
    """
    if level == 0 or sys.stdout is None:  # None in a program without standard streams
        yield _Silence()
    elif level == 1 and sys.stdout.isatty():
        with _bar(last_epoch, images) as progress:
            yield progress
    else:
        yield _Lines(last_epoch)


def describe_epoch(record: EpochRecord, last_epoch: int) -> str:
    """Format an epoch's record as one line."""
    speed = f"{record['seconds']:.1f} s", f"{record['images_per_second']:,.0f} images/s"
    return "  ".join((f"epoch {record['epoch']}/{last_epoch}", *_measured(record), *speed))


def _measured(record: EpochRecord) -> list[str]:
    """What is measured, for display, except what is more than a number."""
    shown = {name: each for name, each in record.items() if name not in NOT_MEASURED}
    return [
        f"{name} {float(each):.2%}"
        if name.endswith("accuracy")
        else f"{name} {_decimal(float(each))}"
        for name, each in shown.items()
        if isinstance(each, Real)
    ]


def _decimal(value: float) -> str:
    """A number with four decimals, of which a small one, such as a learning rate, shows none."""
    return f"{value:.4e}" if 0 < abs(value) < 1e-3 else f"{value:.4f}"


NOT_MEASURED = ("epoch", "seconds", "images_per_second")
"""What an epoch's record has besides."""


class _Silence(Progress):
    def batch(self, images: int) -> None:
        pass

    def epoch(self, record: EpochRecord) -> None:
        pass


class _Lines(Progress):
    def __init__(self, last_epoch: int) -> None:
        self._last_epoch = last_epoch

    def batch(self, images: int) -> None:
        pass

    def epoch(self, record: EpochRecord) -> None:
        print(describe_epoch(record, self._last_epoch), flush=True)


@contextmanager
def _bar(last_epoch: int, images: int | None) -> Iterator[Progress]:
    from rich import progress as rich_progress  # imported here: `import gpucnn` stays light

    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TextColumn("images"),
        rich_progress.TimeRemainingColumn(),
    )
    with rich_progress.Progress(*columns, transient=True) as display:
        task = display.add_task("training", total=images)

        class Bar(Progress):
            def batch(self, images: int) -> None:
                display.advance(task, images)

            def epoch(self, record: EpochRecord) -> None:
                line = describe_epoch(record, last_epoch)
                display.console.print(line, highlight=False, soft_wrap=True)
                display.reset(task)

        yield Bar()

"""Progress of training: a bar on a terminal and in a notebook, plain lines elsewhere."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from numbers import Real
from time import monotonic
from typing import TYPE_CHECKING, Any

from gpucnn.errors import InvalidValueError
from gpucnn.metrics import Evaluation
from gpucnn.models.training import EpochRecord

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

REFRESH = 0.1  # seconds between what a notebook is shown
WIDTH = 100  # characters of a bar in a notebook
PAGE = '<pre style="white-space:pre;overflow-x:auto;line-height:normal">{code}</pre>'


class Progress(ABC):
    """Receives the progress of training."""

    @abstractmethod
    def batch(self, images: int) -> None:
        """Report that a batch of `images` images is done."""

    @abstractmethod
    def epoch(self, record: EpochRecord) -> None:
        """Report that an epoch is done."""


def verbosity(verbose: int | str) -> int:
    """How much to print: 0 for nothing, 1 for a bar where there can be one, 2 for a line an epoch.

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
    elif level == 1 and (sys.stdout.isatty() or _is_notebook()):
        show = _bar if sys.stdout.isatty() else _output
        with show(last_epoch, images) as progress:
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


# On a terminal


@contextmanager
def _bar(last_epoch: int, images: int | None) -> Iterator[Progress]:
    with _rich_progress(transient=True) as display:
        task = display.add_task("training", total=images)

        class Bar(Progress):
            def batch(self, images: int) -> None:
                display.advance(task, images)

            def epoch(self, record: EpochRecord) -> None:
                line = describe_epoch(record, last_epoch)
                display.console.print(line, highlight=False, soft_wrap=True)
                display.reset(task)

        yield Bar()


def _rich_progress(**options: Any) -> "RichProgress":
    from rich import progress  # imported here: `import gpucnn` stays light

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("images"),
        progress.TimeRemainingColumn(),
    )
    return progress.Progress(*columns, **options)


# In a notebook


def _is_notebook() -> bool:
    """Whether what is printed goes to a notebook, as a cell of Jupyter's has it."""
    kernel = sys.modules.get("ipykernel.iostream")
    return kernel is not None and isinstance(sys.stdout, kernel.OutStream)


@contextmanager
def _output(last_epoch: int, images: int | None) -> Iterator[Progress]:
    output = _Output(last_epoch, images)
    try:
        yield output
    finally:
        output.close()


class _Output(Progress):
    """The lines of the epochs, and a bar below them, in one output that is replaced as they change.

    Rich itself shows bars in notebooks by ipywidgets, which are not always installed, and which no
    saved notebook shows.
    """

    def __init__(self, last_epoch: int, images: int | None) -> None:
        from IPython.display import display

        self._last_epoch = last_epoch
        self._lines: list[str] = []
        self._bars = _rich_progress()
        self._task = self._bars.add_task("training", total=images)
        self._handle = display(self._with_bar(), raw=True, display_id=True)
        self._shown_at = monotonic()

    def batch(self, images: int) -> None:
        self._bars.advance(self._task, images)
        if monotonic() >= self._shown_at + REFRESH:
            self._show(self._with_bar())

    def epoch(self, record: EpochRecord) -> None:
        self._lines.append(describe_epoch(record, self._last_epoch))
        self._bars.reset(self._task)
        self._show(self._with_bar())

    def close(self) -> None:
        """Leave the lines alone, as plain text, which every viewer of saved notebooks shows."""
        self._show({"text/plain": "\n".join(self._lines)})

    def _show(self, shown: dict[str, str]) -> None:
        self._handle.update(shown, raw=True)
        self._shown_at = monotonic()

    def _with_bar(self) -> dict[str, str]:
        """The output in colour, and without, by its type."""
        from rich.console import Console

        console = Console(
            file=StringIO(), record=True, width=WIDTH, color_system="truecolor", force_jupyter=False
        )
        for line in self._lines:
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        console.print(self._bars.get_renderable())
        page = console.export_html(inline_styles=True, code_format=PAGE, clear=False)
        return {"text/html": page, "text/plain": console.export_text()}

import io
import re
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest

import small
from gpucnn.models.progress import Progress, describe_epoch, show_progress
from watched_notebook import Shown, watch

RECORD = {
    "epoch": 2,
    "loss": 0.12345,
    "accuracy": 0.98765,
    "seconds": 1.25,
    "images_per_second": 48_000.4,
}
LINE = "epoch 2/5  loss 0.1235  accuracy 98.77%  1.2 s  48,000 images/s"


class Terminal(io.StringIO):
    """A stand-in for a terminal."""

    def isatty(self) -> bool:
        return True

    @property
    def text(self) -> str:
        """All that was written to it, without colours."""
        return re.sub(r"\x1b\[[\d;]*m", "", self.getvalue())


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only standard output tells Rich whether there is a terminal."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")


def train(progress: Progress) -> None:
    """Report an epoch of 100 images to `progress`, and the first batch of another."""
    progress.batch(60)
    progress.batch(40)
    progress.epoch(RECORD)
    progress.batch(30)


def shown_on_terminal(verbose: int = 1, steps: Callable[[Progress], None] = train) -> str:
    """All that is written to a terminal while `steps` are taken."""
    with redirect_stdout(Terminal()) as terminal, show_progress(verbose, 5, 100) as progress:
        steps(progress)
    return terminal.text


def test_an_epoch_in_one_line() -> None:
    assert describe_epoch(RECORD, 5) == LINE


def test_an_epoch_with_validation_in_one_line() -> None:
    record = RECORD | {"val_loss": 0.5, "val_accuracy": 1.0}
    assert describe_epoch(record, 5) == (
        "epoch 2/5  loss 0.1235  accuracy 98.77%  val_loss 0.5000  val_accuracy 100.00%  "
        "1.2 s  48,000 images/s"
    )


def test_small_numbers_are_shown_in_an_epochs_line() -> None:
    record = RECORD | {"learning_rate": 2.5e-4, "zero": 0.0, "rate": np.float32(0.25)}
    assert "  learning_rate 2.5000e-04  zero 0.0000  rate 0.2500  1.2 s" in describe_epoch(
        record, 5
    )


class TestWithoutTerminal:
    def test_epochs_are_lines(self, capsys: pytest.CaptureFixture[str]) -> None:
        with show_progress(1, 5, 100) as progress:
            train(progress)
        assert capsys.readouterr() == (f"{LINE}\n", "")

    def test_silence_is_silent(self, capfd: pytest.CaptureFixture[str]) -> None:
        with show_progress(0, 5, 100) as progress:
            train(progress)
        assert capfd.readouterr() == ("", "")


class TestOnTerminal:
    def test_silence_is_silent(self) -> None:
        assert shown_on_terminal(verbose=0) == ""

    def test_epochs_are_lines_that_stay(self) -> None:
        assert f"{LINE}\n" in shown_on_terminal()

    def test_batches_are_counted_where_it_is_not_known_how_many_come(self) -> None:
        with redirect_stdout(Terminal()) as terminal, show_progress(1, 5, None) as progress:
            train(progress)
        assert " 30/? images" in terminal.text
        assert f"{LINE}\n" in terminal.text

    def test_batches_move_a_bar(self) -> None:
        assert " 60/100 images" in shown_on_terminal(steps=lambda progress: progress.batch(60))

    def test_the_bar_starts_again_with_each_epoch(self) -> None:
        assert " 30/100 images" in shown_on_terminal()

    def test_the_bar_is_gone_at_the_end(self) -> None:
        erase_line = "\x1b[2K"
        assert shown_on_terminal().endswith(erase_line)

    def test_fit_shows_the_bar(self) -> None:
        with redirect_stdout(Terminal()) as terminal:
            small.model().fit(small.images(8), small.labels(8))
        assert "/8 images" in terminal.text


CELLS = {
    "setup": """
from contextlib import redirect_stdout
from io import StringIO
from threading import Thread
import small
from gpucnn.models import progress
model, images, labels = small.model(), small.images(64), small.labels(64)
""",
    "fit": "model.fit(images, labels, epochs=2);",
    "batches": """
clock, progress.monotonic = progress.monotonic, lambda: batch // 500 / 9
batch = 0
with progress.show_progress(1, 5, 1000) as shown:
    for batch in range(1000):
        shown.batch(1)
progress.monotonic = clock
""",
    "thread": """
thread = Thread(target=model.fit, args=(images, labels))
thread.start()
thread.join()
""",
    "redirected": """
with redirect_stdout(StringIO()) as file:
    model.fit(images, labels)
print(file.getvalue(), end="")
""",
    "lines": "model.fit(images, labels, epochs=2, verbose=2);",
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shown]:
    """What each of the cells of a notebook shows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        patch.setenv("PYTHONPATH", str(Path(small.__file__).parent))
        return watch(CELLS)


class TestInNotebook:
    def test_the_lines_of_the_epochs_are_the_only_output(self, shown: dict[str, Shown]) -> None:
        (output,) = shown["fit"].outputs
        assert output.output_type == "display_data"
        assert list(output.data) == ["text/plain"]
        lines = output.data["text/plain"].splitlines()
        assert [line[:16] for line in lines] == ["epoch 1/2  loss ", "epoch 2/2  loss "]

    def test_meanwhile_that_shows_a_bar(self, shown: dict[str, Shown]) -> None:
        first, *_, last, _ = shown["fit"].in_its_course
        assert " 0/64 images" in first["text/plain"]
        assert "epoch 1/2" not in first["text/html"]
        assert last["text/html"].startswith("<pre ")
        assert [part in last["text/html"] for part in ("epoch 2/2", "<span ", "━━━")] == [True] * 3

    def test_a_bar_is_refreshed_at_times_and_not_with_each_batch(
        self, shown: dict[str, Shown]
    ) -> None:
        bars = [each["text/plain"] for each in shown["batches"].in_its_course]
        assert [bar.split()[-3] for bar in bars[:-1]] == ["0/1000", "501/1000"]
        assert bars[-1] == ""

    def test_a_thread_has_an_output_too(self, shown: dict[str, Shown]) -> None:
        (output,) = shown["thread"].outputs
        assert output.data["text/plain"].startswith("epoch 1/1  loss ")

    def test_where_the_output_goes_elsewhere_there_are_lines(self, shown: dict[str, Shown]) -> None:
        (output,) = shown["redirected"].outputs
        assert output.text.startswith("epoch 1/1  loss ")

    def test_a_line_an_epoch_is_printed(self, shown: dict[str, Shown]) -> None:
        (output,) = shown["lines"].outputs
        assert (output.output_type, output.text.count("\n")) == ("stream", 2)


def test_without_standard_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    with show_progress(1, 5, 100) as progress:
        train(progress)

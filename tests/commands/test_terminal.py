import io
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from gpucnn.commands.terminal import SHADES, new_table, print_table, show_prediction

PROBABILITIES = np.array([0.004, 0, 0, 0.2, 0, 0, 0, 0.75, 0, 0.046], dtype=np.float32)
WHITE_OVER_GREY = "\x1b[38;2;255;255;255;48;2;128;128;128m▀"
DIGITS = tuple("0123456789")
COLOUR: dict[str, Any] = {"force_terminal": True, "color_system": "truecolor"}


def shown(
    pixels: list[list[int]] | None = None,
    label: int | None = None,
    title: str = "seven.png",
    names: Sequence[str] = DIGITS,
    **console: Any,
) -> str:
    """The output on a console that ignores the environment variables of the tests."""
    options: dict[str, Any] = {"width": 80, "file": io.StringIO(), "_environ": {}} | console
    image = np.array([[0] * 28] * 28 if pixels is None else pixels, dtype=np.uint8)
    show_prediction(Console(**options), title, image, PROBABILITIES, names, label)
    file = options["file"]
    file.seek(0)
    return str(file.read())


def without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", text)


# In plain characters


def test_all_of_it_in_plain_text() -> None:
    image = [[0, 255, 255, 255], [0, 255, 255, 255], [0, 0, 255, 0], [0, 0, 255, 0]]
    lines = [line.rstrip() for line in shown(image, label=7).splitlines()]
    assert lines == [
        "seven.png",
        " @@@     0                       0.4%",
        "  @      1                       0.0%",
        "         2                       0.0%",
        "         3 ####                 20.0%",
        "         4                       0.0%",
        "         5                       0.0%",
        "         6                       0.0%",
        "       > 7 ###############      75.0%",
        "         8                       0.0%",
        "         9 #                     4.6%",
        "7, with 75.0%: right",
    ]


def test_every_shade() -> None:
    row = [round(255 * step / (len(SHADES) - 1)) for step in range(len(SHADES))]
    assert shown([row, row]).splitlines()[1].startswith(SHADES)


def test_two_rows_of_pixels_make_a_line_of_their_mean() -> None:
    top, bottom = [255, 255, 0], [255, 0, 0]
    assert shown([top, bottom]).splitlines()[1].startswith("@= ")


def test_an_odd_row_at_the_end_is_shown_above_black() -> None:
    assert shown([[0], [0], [255]]).splitlines()[2].startswith("=")


def test_mnists_images_are_shown_at_14_lines_of_28_characters() -> None:
    lines = shown([[255] * 28] * 28).splitlines()
    assert sum(line.startswith("@" * 28 + " ") for line in lines) == 14


@pytest.mark.parametrize(
    "console",
    [
        {},
        {"force_terminal": True, "color_system": None},
        {"color_system": "truecolor"},
        COLOUR | {"no_color": True},
        COLOUR | {"file": io.TextIOWrapper(io.BytesIO(), "ascii")},
    ],
    ids=["a file", "no colours", "no terminal", "NO_COLOR", "an ASCII terminal"],
)
def test_plain_characters_where_there_is_no_colour(console: dict[str, Any]) -> None:
    text = shown([[255, 255], [255, 255]], **console)
    assert text.isascii()
    assert "@@" in text


# In colour


def test_two_pixels_are_the_halves_of_a_character() -> None:
    assert WHITE_OVER_GREY in shown([[255], [128]], **COLOUR)


def test_the_image_in_half_blocks() -> None:
    lines = without_colours(shown([[255, 0, 255]] * 5, **COLOUR)).splitlines()
    assert [line.startswith("▀▀▀ ") for line in lines[1:5]] == [True, True, True, False]


def test_bars_in_blocks() -> None:
    assert f"> 7 {'█' * 15} " in without_colours(shown(**COLOUR))


def test_the_most_likely_class_is_bold() -> None:
    assert re.search(r"\x1b\[1m *> 7", shown(**COLOUR))


# Layout, verdict and title


@pytest.mark.parametrize("console", [{}, COLOUR], ids=["plain", "colour"])
def test_probabilities_are_below_the_image_where_it_is_narrow(console: dict[str, Any]) -> None:
    lines = without_colours(shown(width=40, **console)).splitlines()
    assert len(lines) == 1 + 14 + 10 + 1
    assert lines[-2].split() == ["9", "█" if console else "#", "4.6%"]


@pytest.mark.parametrize(
    ("label", "verdict"),
    [
        (None, "7, with 75.0%"),
        (7, "7, with 75.0%: right"),
        (0, "7, with 75.0%: wrong, it is 0"),
    ],
)
def test_the_verdict(label: int | None, verdict: str) -> None:
    assert shown(label=label).splitlines()[-1] == verdict


def test_titles_are_not_markup() -> None:
    assert shown(title="[red]7[/] :smile:.png").splitlines()[0] == "[red]7[/] :smile:.png"


def test_titles_are_not_obeyed() -> None:
    assert shown(title="\x1b]0;mine\x07 7.png").splitlines()[0] == r"\x1b]0;mine\x07 7.png"


def test_rich_is_imported_when_something_is_shown() -> None:
    code = "import sys; import gpucnn.commands.terminal; sys.exit('rich' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# Tables


@pytest.mark.parametrize("text", ["[red]cpu", "[/]", ":warning: cpu"])
def test_a_cell_is_printed_as_it_is(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    table = new_table("", numbers=())
    table.add_row(text)
    print_table(table)
    assert capsys.readouterr().out.strip() == text

"""A short one of each campaign, and what becomes of its figures."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from campaign.figures import Figures
from campaigns import BLOCK, PAGE, table
from tables import with_block

TESTS = Path(__file__).parents[1]
START, END = f"<!-- {BLOCK} -->\n", f"<!-- end of {BLOCK} -->\n"
COUNTS = {"kills": 3, "file_operations": 30, "inputs": 1000, "requests": 400, "soak": 30}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="campaigns look into /proc")


@pytest.mark.parametrize("name", COUNTS)
def test_campaign(name: str, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    command = [sys.executable, "-m", f"campaign.{name}", "--json", str(file)]
    done = subprocess.run(
        [*command, "--count", str(COUNTS[name])],
        cwd=TESTS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = Figures(**json.loads(file.read_text()))
    assert (figures.cases, figures.failures) == (COUNTS[name], [])


def test_a_failure_is_told_and_ends_with_1(tmp_path: Path) -> None:
    program = (
        "from campaign.figures import Figures, main\n"
        "raise SystemExit(main('', 1, lambda *_: Figures('none', 1, failures=['a case'])))"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "FAILED  a case\n" in done.stdout


def test_figures_take_the_place_of_others() -> None:
    old, new = Figures("old", 1), Figures("new", 2_000, {"read": 5}, ["one"], seed=3, seconds=1.5)
    text = f"# Title\n{START}{END}the rest\n"
    for each in (old, new):
        text = with_block(text, BLOCK, table([asdict(each)]))
    lines = text.splitlines()
    assert lines[0] == "# Title"
    assert lines[-1] == "the rest"
    assert "| new | 2,000 | 1 | 1.5 | 3 | read: 5 |" in lines
    assert "old" not in text


def test_the_page_has_the_figures_of_each_campaign() -> None:
    text = PAGE.read_text()
    assert text.count(START) == text.count(END) == 1
    rows = text.partition(START)[2].partition(END)[0].splitlines()[2:]
    assert len(rows) == len(COUNTS)
    assert {row.split("|")[3].strip() for row in rows} == {"0"}  # failures

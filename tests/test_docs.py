"""The pages: their code runs, their commands exist, their links lead somewhere."""

import re
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import partial
from operator import eq
from pathlib import Path
from shlex import split
from typing import Any

import pytest
import typer

import ablation
import gpucnn.datasets
import scaling
import tables
from benchmark.example import RANKS, REPORT
from gpucnn.commands.app import app
from gpucnn.models import building
from small_mnist import small_mnist, write_small_mnist

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
FRONT = ROOT / "docs" / "index.md"  # of the site, which is the README
DOCS = sorted({*(ROOT / "docs").glob("*.md")} - {FRONT})
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *DOCS]
EXAMPLES = ROOT / "examples"

MOST_WORDS = 1000  # of the README

FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(r"(?<![\w/])((?:gpucnn|kernels|tests|docs|examples)/[\w./-]*[\w/])(?![\w<*])")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)

QUICK = ["gpucnn --version", "gpucnn devices", "gpucnn notebook", "gpucnn train --help"]

pages = pytest.mark.parametrize("page", PAGES, ids=[each.name for each in PAGES])


@dataclass(frozen=True)
class Block:
    """A block of code: its language, the name of the file that it is, if any, and its text."""

    language: str
    file: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [block(head, text) for head, text in FENCED.findall(page.read_text())]


def block(head: str, text: str) -> Block:
    """That with `head` behind its opening fence, such as "python" or "cuda reverse.cu"."""
    language, *file = head.split()
    return Block(language, "".join(file), text)


def commands(page: Path) -> list[str]:
    """The command lines that begin with gpucnn: in blocks for a shell, and in sentences."""
    text = page.read_text()
    shells = [each.text for each in blocks(page) if each.language in ("sh", "console")]
    lines = [line for shell in shells for line in shell.replace("\\\n", " ").splitlines()]
    spans = [" ".join(span.split()) for span in INLINE.findall(FENCED.sub("", text))]
    candidates = [line.removeprefix("$ ").strip() for line in lines] + spans
    return [each for each in candidates if re.match(r"gpucnn [a-z-]", each)]


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    headings = HEADING.findall(FENCED.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


# Code


few_images = partial(small_mnist, train=640, test=64)


@pytest.mark.parametrize("page", [README, *DOCS], ids=lambda page: page.name)
def test_python_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a page, one after the other, in one namespace and an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gpucnn.datasets, "load_mnist", few_images)
    monkeypatch.setitem(gpucnn._exports(), "load_mnist", few_images)
    monkeypatch.setattr(building, "next_seed", iter(range(1000)).__next__)  # as outside of tests
    namespace: dict[str, Any] = {"__name__": "page"}
    for each in blocks(page):
        if each.file:
            Path(each.file).write_text(each.text)
        if each.language == "python":
            exec(compile(each.text, f"{page.name}: {each.text[:40]}", "exec"), namespace)


def test_pages_have_code() -> None:
    of_python = {page.name for page in DOCS for each in blocks(page) if each.language == "python"}
    assert of_python >= {"api.md", "simulator.md", "notebook.md", "adding.md", "own.md"}
    assert [each.language for each in blocks(README)] == ["sh", "sh", "python", "sh"]


@pytest.mark.parametrize(
    ("example", "printed"),
    [
        ("train_mnist.py", "predicted"),
        ("own_kernel.py", "without the barrier"),
        ("cupy_kernel.py", "right"),
    ],
)
def test_example_runs(example: str, printed: str, tmp_path: Path) -> None:
    data = [str(write_small_mnist(tmp_path, 640, 64))] if example == "train_mnist.py" else []
    command = [sys.executable, "-W", "error", str(EXAMPLES / example), *data]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert printed in done.stdout


def test_the_example_of_training_has_a_help() -> None:
    command = [sys.executable, str(EXAMPLES / "train_mnist.py"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: train_mnist.py [-h] [data]\n")


# Commands


@pages
def test_commands_are_commands(page: Path) -> None:
    """None is run: its name, options and arguments are held to what the command line takes."""
    group: Any = typer.main.get_command(app)
    for line in commands(page):
        _, first, *rest = split(line)
        if first.startswith("--"):
            assert first in ("--version", "--help"), line
        elif rest not in ([], ["--help"]):  # which end the program
            group.commands[first].make_context(first, rest)
        else:
            assert first in group.commands, line


@pytest.mark.parametrize("line", QUICK)
def test_quick_command_runs(line: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", *split(line)]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)


def test_every_command_is_on_a_page() -> None:
    group: Any = typer.main.get_command(app)
    assert {line.split()[1] for page in PAGES for line in commands(page)} >= set(group.commands)


# Text


@pages
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(FENCED.sub("", page.read_text())):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link


@pages
def test_files_that_are_named_exist(page: Path) -> None:
    for name in FILE.findall(page.read_text()):
        assert (ROOT / name).exists(), name


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {
        (ROOT / link).resolve() for link in LINK.findall(README.read_text()) if ":" not in link
    }
    assert {*PAGES, *EXAMPLES.glob("*.py")} - {README} <= linked


def test_the_readme_is_short() -> None:
    assert len(README.read_text().split()) <= MOST_WORDS


# Tables that are written by docs/tables.py


@pytest.mark.parametrize("line", tables.COMMANDS)
def test_the_tables_of_kernels_are_what_the_command_prints(line: str) -> None:
    text = (ROOT / "docs" / "kernels.md").read_text()
    assert f"<!-- {line} -->\n" in text
    assert tables.with_block(text, line, tables.printed_block(line)) == text


def test_the_floors_are_what_is_computed() -> None:
    text = (ROOT / "docs" / "kernels.md").read_text()
    assert text.count("<!-- floor -->\n| step |") == 1
    assert tables.with_block(text, tables.FLOOR, tables.floor_block()) == text


def test_a_report_becomes_tables() -> None:
    found = tables.report_blocks(REPORT)
    assert set(found) == {
        "training step, notebook",
        "inference, notebook",
        "start-up and memory, notebook",
    }
    assert "A processor, 2 cores" in found["training step, notebook"]
    assert found["training step, notebook"].splitlines()[-3:] == [
        "| images | gpucnn (cpu) | torch | to the fastest peer |",
        "| --- | --- | --- | --- |",
        "| 64 | 64,000 | 32,000 | 2.00 (2.00-2.00) |",
    ]
    assert found["inference, notebook"].splitlines()[-1] == "| 64 | 160,000 |"
    assert found["start-up and memory, notebook"].splitlines()[-4:] == [
        "|  | start to first step, s | most memory, MB | to 98%, s (epochs) |",
        "| --- | --- | --- | --- |",
        "| gpucnn (cpu) | 0.40 | 200 | 7.2 (4) |",
        "| torch | 2.75 |  | not reached |",
    ]


def test_reports_held_to_avx2_have_tables_of_their_own() -> None:
    versions = REPORT.environment.versions | {"BLAS": "openblas 0.3.31 Haswell"}
    held = replace(REPORT, environment=replace(REPORT.environment, versions=versions))
    assert {name.rpartition(", ")[2] for name in tables.report_blocks(held)} == {"AVX2"}


@pytest.mark.parametrize("page", [README, ROOT / "docs" / "benchmarks.md"], ids=lambda p: p.name)
def test_pages_have_the_blocks_of_reports(page: Path) -> None:
    written = partial(tables.with_block, page.read_text(), block="new\n")
    assert written("training step, notebook").count("new\n") == 1
    assert written("training step, another") == page.read_text()


# Tables that are written by docs/scaling.py


@pytest.mark.parametrize(("name", "block"), scaling.blocks().items())
def test_the_tables_of_gpus_are_what_is_computed(name: str, block: str) -> None:
    text = scaling.PAGE.read_text()
    assert f"<!-- {name} -->\n{block}<!-- end of {name} -->\n" in text


@pytest.mark.parametrize("preset", ["lenet", "notebook"])
def test_the_page_has_the_steps_of_ranks(preset: str) -> None:
    assert f"<!-- ranks, {preset} -->\n{preset}" in scaling.PAGE.read_text()


def test_steps_of_ranks_become_tables() -> None:
    lines = scaling.ranks_block(RANKS).splitlines()
    assert "A processor, 2 cores" in lines[0]
    of_two = [line for line in lines if line.startswith("| 2 ")]
    assert of_two == [
        "| 2 | 1 | 64 | 1.25 (1.24 to 1.27) | 1.60 (1.60 to 1.60) | 0.80 (0.80 to 0.80) | "
        "250 (248 to 254) | 20% | 200 (198 to 203) | 1.18 |",
        "| 2 | 4 | 180 (178 to 183) | 180.0 |",
        "| 2 | 8 | 260 (257 to 264) | 260.0 |",
    ]
    assert lines[-1] == "2 ranks: 100.0 µs an exchange, 0.05 GB/s."


def test_an_all_reduce_takes_its_hops_and_bytes() -> None:
    ring = scaling.Algorithm("", False, call=1e-6, hop=1e-6, far_hop=10e-6, share=0.5)
    tree = scaling.Algorithm("", True, call=1e-6, hop=1e-6, far_hop=10e-6, share=0.5)
    size = 1_000_000
    in_one = 2 * size / 225e9
    assert ring.seconds(size, 8) == pytest.approx(1e-6 + 14e-6 + in_one * 7 / 8)
    assert tree.seconds(size, 8) == pytest.approx(1e-6 + 14e-6 + in_one)
    across = 2 * size / 200e9
    assert ring.seconds(size, 32) == pytest.approx(1e-6 + 56e-6 + 60e-6 + across * 31 / 32)
    assert tree.seconds(size, 32) == pytest.approx(1e-6 + 14e-6 + 40e-6 + across)
    assert scaling.all_reduce(size, 1) == (0, "")


def test_a_network_is_a_line_through_two_steps() -> None:
    lenet = scaling.LENET
    assert lenet.compute(64) == pytest.approx(77.6e-6)
    assert lenet.compute(1024) == pytest.approx(569e-6)
    assert lenet.parameters == 225_034
    for gpus in (2, 8):
        first = lenet.pays_from(gpus)
        assert lenet.step(first, gpus) <= lenet.step(first, 1)
        assert lenet.step(first - 1, gpus) > lenet.step(first - 1, 1)
        part = lenet.is_efficient_from(gpus)
        assert lenet.compute(part) >= 0.8 * lenet.step(part * gpus, gpus)
        assert lenet.compute(part - 1) < 0.8 * lenet.step((part - 1) * gpus, gpus)


@pytest.mark.parametrize("technique", ablation.TECHNIQUES)
def test_a_technique_can_be_switched_off(technique: str) -> None:
    before = [getattr(place, name) for place, name, _ in ablation.TECHNIQUES[technique]]
    with ablation.without(technique):
        without = [getattr(place, name) for place, name, _ in ablation.TECHNIQUES[technique]]
    assert not any(map(eq, before, without))

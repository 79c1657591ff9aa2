"""The sources of the kernels as text."""

from pathlib import Path

import pytest

from gpucnn.backends.backend import KERNELS
from gpucnn.backends.cuda.sources import source

FOLDER = Path(__file__).parents[3] / "kernels"
FILES = sorted(path.name for path in FOLDER.glob("*.cu"))


def line_numbers(text: str) -> list[tuple[str, int, str]]:
    """Each line of a text with the file and the number that its #line directives give it."""
    lines, file, number = [], "", 0
    for line in text.splitlines():
        if line.startswith("#line "):
            _, digits, name = line.split()
            file, number = name.strip('"'), int(digits)
        else:
            lines.append((file, number, line))
            number += 1
    return lines


@pytest.mark.parametrize("file", FILES)
def test_source_is_complete_in_itself(file: str) -> None:
    assert "#include" not in source(file)


@pytest.mark.parametrize("file", FILES)
def test_lines_keep_their_files_and_numbers(file: str) -> None:
    for name, number, line in line_numbers(source(file)):
        original = (FOLDER / name).read_text().splitlines()[number - 1]
        assert line == original or (line == "" and original.startswith("#include"))


def test_headers_are_read() -> None:
    assert "first_window" in source("windows.cuh")
    assert source("windows.cuh") in source("col2im.cu")


def test_options_name_the_real_type_and_the_sizes() -> None:
    assert KERNELS["relu"].options("float64", {}) == (
        "-DREAL=double",
        "-DTHREADS=256",
        "-DITEMS=4",
    )

"""The mutants of a file: of CUDA C, or of Python that has CUDA C in strings."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gpucnn.errors import InvalidFileError
from gpucnn.simulator.mutation.code import Code
from gpucnn.simulator.mutation.operators import changes

_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include\b.*$", re.MULTILINE)
_ACCEPTED = re.compile(r"//.*?\bmutants?: *(.+)")
_ACCEPTED_BELOW = re.compile(rf"\s*{_ACCEPTED.pattern}")


@dataclass(frozen=True)
class Part:
    """A piece of a file that reaches the compiler as it is: between two `#include` lines."""

    file: str
    text: str = field(repr=False)
    line: int
    """The number of its first line."""


@dataclass(frozen=True)
class Mutant:
    """A part of a file with one place of its code changed."""

    part: Part
    line: int
    """The number of the line in its file."""

    operator: str
    """What it is about, such as "barrier"; see `operators.OPERATORS`."""

    old: str
    new: str
    """The code that is changed, and what becomes of it."""

    text: str = field(repr=False)
    """The part, changed."""

    accepted: str | None
    """Why nothing has to notice it: what follows `mutant:` in a comment of its line, or above."""

    @property
    def place(self) -> str:
        """The file and the line."""
        return f"{self.part.file}:{self.line}"

    @property
    def lines(self) -> tuple[list[str], list[str]]:
        """The lines that are changed, before and after, without their indentation."""
        first = self.line - self.part.line
        end = first + self.old.count("\n") + 1
        before, after = (text.splitlines()[first:end] for text in (self.part.text, self.text))
        return [each.strip() for each in before], [each.strip() for each in after if each.strip()]


def parts_of(path: Path) -> list[Part]:
    """The parts of a file that have device code.

    Raises:
        InvalidFileError: it cannot be read, or no function in it is `__global__` or `__device__`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidFileError(f"{path}: {error.strerror}: give a file of CUDA C") from None
    except UnicodeDecodeError:
        raise InvalidFileError(f"{path} is not text in UTF-8: give a file of CUDA C") from None
    sources = _strings(path, text) if path.suffix == ".py" else [(text, 1)]
    parts = [Part(str(path), *piece) for source in sources for piece in between_includes(*source)]
    found = [part for part in parts if Code(part.text).bodies]
    if not found:
        raise InvalidFileError(
            f"{path} has no body of a __global__ or __device__ function: give a file of CUDA C, or "
            "of Python with CUDA C in its strings"
        )
    return found


def mutants_of(part: Part) -> Iterator[Mutant]:
    """The mutants of a part, in the order of their places."""
    text, lines = part.text, part.text.splitlines()
    for change in changes(text):
        number = text.count("\n", 0, change.begin)
        accepted = _ACCEPTED.search(lines[number]) or (
            _ACCEPTED_BELOW.match(lines[number - 1]) if number else None
        )
        old = text[change.begin : change.end]
        new = change.new + "\n" * old.count("\n")  # the lines after it keep their numbers
        yield Mutant(
            part,
            part.line + number,
            change.operator,
            old,
            change.new,
            text[: change.begin] + new + text[change.end :],
            accepted[1] if accepted else None,
        )


def _strings(path: Path, text: str) -> Iterator[tuple[str, int]]:
    """The strings of a Python file, each with its first line."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        raise InvalidFileError(f"{path} is not Python: correct it") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value, node.lineno


def between_includes(text: str, line: int = 1) -> Iterator[tuple[str, int]]:
    """The pieces of a source that no `#include` interrupts, each with the number of its first line.

    Args:
        text: the source.
        line: the number of its own first line.
    """
    begin = 0
    for include in [*_INCLUDE.finditer(text), None]:
        end = include.start() if include else len(text)
        if text[begin:end].strip():
            yield text[begin:end], line + text.count("\n", 0, begin)
        begin = include.end() if include else end

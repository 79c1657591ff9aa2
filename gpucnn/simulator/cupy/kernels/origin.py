"""Where a source was written, so that its faults are at a line of that file."""

import sys
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from types import FrameType

ROOM = str(Path(__file__).parents[1])
NEAREST = 10
"""Callers that are looked at."""


def located(code: str, name: str | None = None) -> str:
    """The source, with the file and line of it if one of the callers' files has it.

    It is looked for as it is, in the callers' files and the CUDA sources beside these, and else
    among the constants of all modules.

    Args:
        code: the source.
        name: of the file if it is not found.
    """
    files = _callers(sys._getframe(1))
    found = next(filter(None, (_line_in(file, code) for file in files)), None)
    found = found or _line_of_constant(code)
    if found:
        path, line = found
        return f'#line {line} "{path}"\n{code}'
    return code if name is None else f'#line 1 "{name}"\n{code}'


def _callers(frame: FrameType | None) -> list[str]:
    files = dict.fromkeys(islice(_files(frame), NEAREST))
    return [each for each in files if not each.startswith((ROOM, "<"))]


def _files(frame: FrameType | None) -> Iterator[str]:
    while frame is not None:
        yield frame.f_code.co_filename
        frame = frame.f_back


@cache
def _line_of_constant(code: str) -> tuple[str, int] | None:
    """The file, and the line at which it has the source, of a module that keeps it by a name."""
    for module in list(sys.modules.values()):
        names = dict(getattr(module, "__dict__", {}))  # which other threads may change
        file = names.get("__file__")
        is_there = any(type(each) is str and each == code for each in names.values())
        if file and is_there and (found := _line_in(file, code)):
            return found
    return None


@cache
def _line_in(file: str, code: str) -> tuple[str, int] | None:
    """The file, and the line at which it has the source."""
    if not code.strip():
        return None
    text = _text(file)
    place = text.find(code)
    if place >= 0:
        return _shown(Path(file)), text.count("\n", 0, place) + 1
    for beside in sorted(Path(file).parent.glob("*.cu*")):
        if _text(str(beside)) == code:
            return _shown(beside), 1
    return None


@cache
def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _shown(path: Path) -> str:
    """The path, from the working folder if it is in that."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)

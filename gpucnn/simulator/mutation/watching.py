"""A process whose kernels are watched, and changed, for `gpucnn mutate`.

The variable GPUCNN_MUTATION names a folder for it, whose file `parts.json` lists the parts of
sources that are looked for, and what is compiled in their place, if anything. The folder gets what
is learned of them: which sources were compiled, and by which tests their kernels were launched; or
which libraries were made of a mutant.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from gpucnn.simulator.errors import SimulatorError
from gpucnn.simulator.library import Library
from gpucnn.simulator.mutation.includes import with_includes
from gpucnn.simulator.source import SOURCE
from gpucnn.utils.storage.sealed import key_of

VARIABLE = "GPUCNN_MUTATION"

WITHIN = "GPUCNN_MUTATION_TEST"
"""The variable with the test to which launches belong, if that is of another process."""

_PARTS, _LOADS, _LAUNCHES = "parts.json", "loads", "launches"
_LIBRARIES, _REFUSED = "libraries", "refused"
_PHASE = re.compile(r"(.+) \(call\)", re.DOTALL)


Load = Callable[[str | Path, Sequence[str]], Library]
"""Compiles a source with options."""


class Source(NamedTuple):
    """What was compiled of the parts that are looked for."""

    parts: tuple[int, ...]
    """Which of them, by their numbers."""

    text: str
    options: tuple[str, ...]
    names: tuple[str, ...]


def prepare(folder: Path, parts: Sequence[str], mutated: str | None = None) -> None:
    """Write what a process that is given the folder looks for.

    Args:
        folder: its own, empty.
        parts: of sources.
        mutated: what is compiled in place of the only one.
    """
    (folder / _PARTS).write_text(json.dumps({"parts": parts, "mutated": mutated}))


def watched(
    load: Load, source: str | Path, options: Sequence[str], names: Sequence[str]
) -> tuple[Library, Callable[[], None]]:
    """The library of a source, and what to call when a kernel of it is launched."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        return load(source, options), _nothing
    return _watch(Path(folder)).load(load, source, options, names)


def _nothing() -> None:
    """What is done about a launch that nobody asks about."""


class _Watch:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        read = json.loads((folder / _PARTS).read_text())
        self._parts: list[str] = read["parts"]
        self._mutated: str | None = read["mutated"]
        self._noted = set[tuple[str, str]]()

    def load(
        self, load: Load, source: str | Path, options: Sequence[str], names: Sequence[str]
    ) -> tuple[Library, Callable[[], None]]:
        text, folders = with_includes(source, options, self._parts)
        found = tuple(number for number, part in enumerate(self._parts) if part in text)
        if not found:
            return load(source, options), _nothing
        options = (*options, *folders)
        if self._mutated is None:
            self._note(_LOADS, json.dumps(Source(found, text, options, tuple(names))))
            return load(source, options), lambda: self._launched(found)
        if isinstance(source, str):  # it is in no file, and includes those of the working folder
            text, options = f'# 1 "{SOURCE}"\n{text}', (*options, f"-I{Path.cwd()}")
        try:
            library = load(self._file(text.replace(self._parts[0], self._mutated)), options)
        except SimulatorError as error:
            self._note(_REFUSED, str(error))
            raise
        self._note(_LIBRARIES, library.path)
        return library, _nothing

    def _file(self, text: str) -> Path:
        """A file of the text of a mutant: of files no translation is kept."""
        path = self._folder / f"{key_of([text]).hex()[:16]}.cu"
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
        return path

    def _launched(self, parts: tuple[int, ...]) -> None:
        """Note the test that launches a kernel; "" outside of one: others may depend on it."""
        running = os.environ.get(WITHIN) or os.environ.get("PYTEST_CURRENT_TEST", "")
        test = _PHASE.fullmatch(running)
        for part in parts:
            self._note(_LAUNCHES, json.dumps((part, test[1] if test else "")))

    def _note(self, file: str, line: str) -> None:
        """Append a line to a file, once a process; several processes may do so at a time."""
        if (file, line) in self._noted:
            return
        self._noted.add((file, line))
        descriptor = os.open(self._folder / file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, f"{line}\n".encode())
        finally:
            os.close(descriptor)


_watch = cache(_Watch)


# What was learned, for the process that has written the folder


def sources(folder: Path) -> list[Source]:
    """The sources with the parts, as they were compiled."""
    read = (json.loads(line) for line in _lines(folder, _LOADS))
    found = (Source(tuple(p), text, tuple(o), tuple(n)) for p, text, o, n in read)
    return list(dict.fromkeys(found))


def launching_tests(folder: Path, part: int) -> set[str]:
    """The tests that launch a kernel of a part, "" among them if it was outside of one."""
    return {test for number, test in map(json.loads, _lines(folder, _LAUNCHES)) if number == part}


def refusal(folder: Path) -> str | None:
    """Why a mutant does not compile, if it does not."""
    return next(_lines(folder, _REFUSED), None)


def remove_libraries(folder: Path) -> None:
    """Remove the libraries of a mutant from the cache."""
    for path in _lines(folder, _LIBRARIES):
        Path(path).unlink(missing_ok=True)


def _lines(folder: Path, file: str) -> Iterator[str]:
    path = folder / file
    yield from path.read_text().splitlines() if path.exists() else []

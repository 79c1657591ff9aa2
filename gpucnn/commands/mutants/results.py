"""What became of mutants, kept in the user's cache folder."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from gpucnn.simulator.mutation.code import without_comments
from gpucnn.simulator.mutation.mutants import Mutant
from gpucnn.utils.storage.cache import user_cache_folder
from gpucnn.utils.storage.files import write_bytes
from gpucnn.utils.storage.sealed import key_of, make_private
from gpucnn.version import __version__

_CODE = {".cu", ".cuh", ".h", ".hpp", ".cpp", ".c"}
_OTHERS = {".py", ".toml", ".ini", ".cfg"}

KINDS = ("killed", "survived", "not reached", "equal", "not compiled")
"""What may become of a mutant."""

LEFT = ("survived", "not reached")
"""What should not: no test notices it."""


class Outcome(NamedTuple):
    """What became of a mutant."""

    kind: str
    """One of `KINDS`."""

    reason: str
    """By which test it was killed, why it does not compile, and so on; may be empty."""


class Results:
    """The outcomes of mutants by a command, as long as no file changes that they may depend on.

    Those are the command itself and all files below the working folder of Python and C, of which
    comments are left out in the latter.

    Args:
        command: that runs the tests.
    """

    def __init__(self, command: Sequence[str]) -> None:
        files = sorted(_files(Path.cwd()))
        self._key = [__version__, sys.version, *command, *map(_digest, files)]
        folder = user_cache_folder()
        self._folder = None if folder is None else folder / "mutants"

    def read(self, mutant: Mutant) -> Outcome | None:
        """The outcome of a mutant, if it is known."""
        if self._folder is None:
            return None
        try:
            kind, reason = json.loads(self._path(self._folder, mutant).read_bytes())
        except (OSError, ValueError, TypeError):
            return None
        return Outcome(kind, reason) if kind in KINDS else None

    def write(self, mutant: Mutant, outcome: Outcome) -> None:
        """Keep an outcome, if it can be."""
        if self._folder is not None:
            with suppress(OSError):
                make_private(self._folder)
                path = self._path(self._folder, mutant)
                write_bytes(path, json.dumps(outcome).encode())

    def _path(self, folder: Path, mutant: Mutant) -> Path:
        code = without_comments(mutant.part.text), without_comments(mutant.text)
        return folder / f"{key_of([*self._key, *code]).hex()[:32]}.json"


def _files(folder: Path) -> Iterator[Path]:
    """The files of Python and C in a folder, without hidden ones and environments."""
    for name, folders, files in os.walk(folder):
        here = Path(name)
        folders[:] = [
            each
            for each in folders
            if not each.startswith((".", "__pycache__"))
            and not (here / each / "pyvenv.cfg").exists()
        ]
        yield from (here / each for each in files if Path(each).suffix in _CODE | _OTHERS)


def _digest(file: Path) -> str:
    try:
        content = file.read_bytes()
    except OSError:
        content = b""
    if file.suffix in _CODE:
        content = without_comments(content.decode(errors="replace")).encode()
    return f"{file} {sha256(content).hexdigest()}"

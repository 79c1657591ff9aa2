"""The system's C++ compiler, and a cache of what it has made."""

import atexit
import os
import platform
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp

from platformdirs import user_cache_path

from gpucnn.files import replacing
from gpucnn.simulator.errors import SimulatorError

COMPILERS = ("g++", "clang++", "c++")

_ERROR = re.compile(r"^(.+?):(\d+):(?:\d+:)? (?:fatal )?error: (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler."""

    command: tuple[str, ...]
    """How it is called, without arguments."""

    version: str
    """The first line of what it says of itself, or else its command."""

    @property
    def key(self) -> tuple[str, ...]:
        """What the same text is compiled to depends on, besides the arguments."""
        return (*self.command, self.version, platform.machine())

    def run(self, arguments: Sequence[str | Path], folder: Path | None = None) -> str:
        """Call it in `folder`, and return what it prints.

        Raises:
            SimulatorError: it finds an error in what it compiles; the first is told.
        """
        done = subprocess.run(
            [*self.command, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            env=_environment(),
        )
        if done.returncode != 0:
            raise SimulatorError(_first_error(done.stderr))
        return done.stdout


def find_compiler() -> Compiler:
    """The compiler that CXX names, or else the first of g++, clang++ and c++ that is installed.

    Raises:
        SimulatorError: there is none, or CXX is no command.
    """
    return _find(os.environ.get("CXX", ""))


@cache
def _find(chosen: str) -> Compiler:
    for command in [_split(chosen)] if chosen else [[name] for name in COMPILERS]:
        if shutil.which(command[0]):
            told = subprocess.run(
                [*command, "--version"], capture_output=True, text=True, env=_environment()
            )
            return Compiler(tuple(command), told.stdout.partition("\n")[0] or shlex.join(command))
    missing = f"CXX={chosen}" if chosen else ", ".join(COMPILERS)
    raise SimulatorError(
        f"no C++ compiler found ({missing}): install g++ or clang++, or set CXX to one"
    )


def _split(chosen: str) -> list[str]:
    try:
        command = shlex.split(chosen)
    except ValueError:  # a quotation without its end
        command = []
    if not command or not command[0]:
        raise SimulatorError(f"CXX={chosen!r} is no command: set it to a C++ compiler, or unset it")
    return command


def _environment() -> dict[str, str]:
    """This process's, in English, and without the sanitizer that watches this process."""
    kept = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    return kept | {"LC_ALL": "C"}


def _first_error(report: str) -> str:
    found = _ERROR.search(report)
    if found:
        return f"{found[1]}:{found[2]}: {found[3]}: correct the source, or its options"
    lines = [line for line in report.splitlines() if "error" in line or "undefined" in line]
    return f"the C++ compiler failed: {(lines or report.splitlines() or ['without a word'])[0]}"


def cached(name: str, contents: Sequence[str], build: Callable[[Path], object]) -> Path:
    """The file that `build` makes of `contents`, kept from the first time on.

    It is kept in the user's cache folder or, if that cannot be written, in a temporary one until
    the process ends.

    Args:
        name: of the file; what is made of other contents has another prefix.
        contents: all that the result depends on.
        build: writes the file of the path that it is given.
    """
    key = sha256("\0".join(contents).encode()).hexdigest()[:32]
    file = f"{key}-{name}"
    kept = user_cache_path("gpucnn") / "simulator" / file
    if kept.exists():
        return kept
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with replacing(kept) as temporary:
            build(temporary)
    except OSError:
        kept = _temporary_folder() / file
        if not kept.exists():
            with replacing(kept) as temporary:
                build(temporary)
    return kept


@cache
def _temporary_folder() -> Path:
    folder = mkdtemp(prefix="gpucnn-simulator-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)

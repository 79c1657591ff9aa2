"""The system's C++ compiler."""

import errno
import os
import platform
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gpucnn.simulator.errors import SimulatorError

COMPILERS = ("g++", "clang++", "c++")

_FULL = {errno.ENOSPC: "No space left on device", errno.EDQUOT: "Disk quota exceeded"}

_ERROR = re.compile(r"^(.+?):(\d+):(?:\d+:)? (?:fatal )?error: (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler."""

    command: tuple[str, ...]
    """How it is called, without arguments."""

    version: str
    """The first line of what it says of itself, or else its command."""

    macros: str
    """Those that it defines itself, which tell the processor that it compiles for."""

    @property
    def key(self) -> tuple[str, ...]:
        """What the same text is compiled to depends on, besides the arguments."""
        return (*self.command, self.version, self.macros, platform.machine())

    def run(self, arguments: Sequence[str | Path], standard_input: str = "") -> str:
        """Call it, and return what it prints.

        Raises:
            SimulatorError: it cannot be started, or finds an error in what it compiles; the first
                is told.
            OSError: the disk that it writes to is full.
        """
        done = _run([*self.command, *map(str, arguments)], standard_input)
        report = done.stderr.decode(errors="backslashreplace")
        if done.returncode != 0 or _ERROR.search(report):  # 0 where SIGCHLD is ignored
            for number, text in _FULL.items():
                if text in report:
                    raise OSError(number, text)
            raise SimulatorError(_first_error(report))
        return done.stdout.decode(errors="surrogateescape")


def find_compiler() -> Compiler:
    """The compiler that CXX names, or else the first of g++, clang++ and c++ that is installed.

    Raises:
        SimulatorError: there is none, CXX is no command, or the system is not a POSIX one.
    """
    if os.name != "posix":
        raise SimulatorError("the simulator does not run on this system: use Linux")
    return _find(os.environ.get("CXX", ""))


@cache
def _find(chosen: str) -> Compiler:
    for command in [_split(chosen)] if chosen else [[name] for name in COMPILERS]:
        if shutil.which(command[0]):
            version, _, _ = _said(command, "--version").partition("\n")
            macros = _said(command, "-x", "c++", "-dM", "-E", "-")
            return Compiler(tuple(command), version or shlex.join(command), macros)
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


def _said(command: list[str], *arguments: str) -> str:
    """What a compiler prints, whether it fails or not."""
    return _run([*command, *arguments]).stdout.decode(errors="replace")


def _run(command: Sequence[str], text: str = "") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            command,
            input=text.encode(errors="surrogateescape"),
            capture_output=True,
            env=_environment(),
        )
    except OSError as error:
        raise SimulatorError(
            f"the C++ compiler {command[0]} cannot be started ({error.strerror}): install g++ or "
            "clang++, or set CXX to one"
        ) from error


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

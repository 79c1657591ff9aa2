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

# A name that a template uses before it is declared: NVRTC looks it up where that is instantiated,
# and so do g++ and clang with an option.
_LATE = re.compile(
    r"there are no arguments to '\w+' that depend on a template parameter"
    r"|'\w+' was not declared in this scope, and no declarations were found by argument-dependent"
    r"|use of undeclared identifier"
)
_LATE_OPTIONS = {False: "-fpermissive", True: "-fdelayed-template-parsing"}  # of clang, if True

# CUDA's, and not the user's, by its name; as g++ and clang say that it is missing.
_CUDAS = r"(?:__|tex|surf|cuda|curand|nvcuda|wmma|mma|atomic|cub|thrust|cooperative_groups|nv/)"
_SPACES = r"(?:cooperative_groups|cuda|nvcuda|cub)\b"
_MISSING = re.compile(
    rf"the simulator does not have (.+)"
    rf"|'({_CUDAS}\w*)' (?:was not declared|has not been declared|does not name a type)"
    rf"|(?:undeclared identifier|unknown type name|no template named) '({_CUDAS}\w*)'"
    rf"|({_CUDAS}\S*): No such file or directory"
    rf"|'({_CUDAS}\S*)' file not found"
    rf"|'(\w+)' is not a member of '{_SPACES}"
    rf"|no (?:type |template )?(?:member )?named '(\w+)' in (?:namespace )?'{_SPACES}"
    rf"|'(?:class |struct )?{_SPACES}[^']*' has no member named '(\w+)'"
)


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler."""

    command: tuple[str, ...]
    """The command line that calls it, without arguments."""

    version: str
    """The first line of `--version`, or the command if that prints nothing."""

    macros: str
    """Its predefined macros, which identify the target processor."""

    @property
    def key(self) -> tuple[str, ...]:
        """Everything that the output depends on, apart from the source and the arguments."""
        return (*self.command, self.version, self.macros, platform.machine())

    @property
    def is_clang(self) -> bool:
        """Whether it is clang; else it takes GCC's options."""
        return "__clang__" in self.macros

    def run(self, arguments: Sequence[str | Path], standard_input: str = "") -> str:
        """Run the compiler, and return its standard output.

        Raises:
            SimulatorError: it cannot be started, or reports an error; the message has the first.
            OSError: the disk that it writes to is full.
        """
        done = _run([*self.command, *map(str, arguments)], standard_input)
        messages = done.stderr.decode(errors="backslashreplace")
        if done.returncode != 0 or _ERROR.search(messages):  # it is 0 where SIGCHLD is ignored
            for number, text in _FULL.items():
                if text in messages:
                    raise OSError(number, text)
            late = _LATE_OPTIONS[self.is_clang]
            if late not in arguments and _are_late(messages):
                return self.run([*arguments, late], standard_input)
            raise SimulatorError(_first_error(messages))
        return done.stdout.decode(errors="surrogateescape")


def find_compiler() -> Compiler:
    """The compiler in CXX, or else the first of g++, clang++ and c++ that is installed.

    Raises:
        SimulatorError: there is none, CXX is not a command, or the system is not POSIX.
    """
    if os.name != "posix":
        raise SimulatorError("the simulator does not run on this system: use Linux")
    return _find(os.environ.get("CXX", ""))


@cache
def _find(chosen: str) -> Compiler:
    for command in [_split(chosen)] if chosen else [[name] for name in COMPILERS]:
        if shutil.which(command[0]):
            version, _, _ = _output(command, "--version").partition("\n")
            macros = _output(command, "-x", "c++", "-dM", "-E", "-")
            return Compiler(tuple(command), version or shlex.join(command), macros)
    missing = f"CXX={chosen}" if chosen else ", ".join(COMPILERS)
    raise SimulatorError(
        f"no C++ compiler found ({missing}): install g++ or clang++, or set CXX to one"
    )


def _split(chosen: str) -> list[str]:
    try:
        command = shlex.split(chosen)
    except ValueError:  # an unclosed quotation
        command = []
    if not command or not command[0]:
        raise SimulatorError(f"CXX={chosen!r} is no command: set it to a C++ compiler, or unset it")
    return command


def _output(command: list[str], *arguments: str) -> str:
    """The standard output of a compiler, whether it succeeds or not."""
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
    """This process's environment, with English messages and without a preloaded sanitizer."""
    kept = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    return kept | {"LC_ALL": "C"}


def _are_late(messages: str) -> bool:
    """Whether all errors are names in templates that may be declared later."""
    errors = _ERROR.findall(messages)
    return bool(errors) and all(_LATE.match(text) for _, _, text in errors)


def _is_permissible(error: str) -> bool:
    return bool(_LATE.match(error)) and error.endswith("[-fpermissive]")


def _first_error(messages: str) -> str:
    if errors := list(_ERROR.finditer(messages)):
        found = min(errors, key=lambda each: _is_permissible(each[3]))  # the first that is not
        if missing := _MISSING.search(found[3]):
            name = next(filter(None, missing.groups()))
            return f"{found[1]}:{found[2]}: the simulator does not have {name}"
        return f"{found[1]}:{found[2]}: {found[3]}: correct the source, or its options"
    lines = [line for line in messages.splitlines() if "error" in line or "undefined" in line]
    return f"the C++ compiler failed: {(lines or messages.splitlines() or ['without a word'])[0]}"

"""Running a program as its user would: with a limit of time, and a look at what it leaves."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import randrange
from types import MappingProxyType
from uuid import uuid4

LIMIT = 60.0
"""Seconds that a program may take."""

SETTLE = 10.0
"""Seconds after its end in which its other processes must have ended."""

POLL = 0.02

HERE = Path(__file__).parent
SHARED_MEMORY = Path("/dev/shm")
MARK = "GPUCNN_TEST_PROGRAM"  # in the environment of all processes of a program


@dataclass(frozen=True)
class Outcome:
    """How a program ended, and what it said."""

    status: int
    out: str
    err: str


class Program:
    """A program that runs in a session of its own, with its own folder of temporary files.

    If started by root it has a group of its own too, by which its files in shared memory are known.

    Args:
        command: what to run.
        folder: an empty one, for the program to work in.
        stdin: what it reads.
        env: variables beside those of this process, less what tells of tests and of threads.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        folder: Path,
        stdin: str = "",
        env: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._out, self._err, self.work = (folder / name for name in ("out", "err", "work"))
        self.work.mkdir()
        self.temporary = Path(tempfile.mkdtemp())  # of a short path, as that of a socket must be
        self._mark = f"{MARK}={uuid4().hex}"
        self._group = randrange(20_000, 60_000) if os.geteuid() == 0 else None
        self._shared_before = _shared_memory(self._group)
        (folder / "in").write_text(stdin)
        with (folder / "in").open() as read, self._out.open("w") as out, self._err.open("w") as err:
            self.process = subprocess.Popen(
                command,
                cwd=self.work,
                env=self._environment() | dict(env),
                stdin=read,
                stdout=out,
                stderr=err,
                group=self._group,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its first process."""
        return self.process.pid

    def _environment(self) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.endswith("_NUM_THREADS") and not name.startswith("PYTEST_")
        }
        name, _, value = self._mark.partition("=")
        return inherited | {
            name: value,
            "PYTHONPATH": str(HERE),
            "PYTHONFAULTHANDLER": "1",  # tells where it hangs, if it does
            "TMPDIR": str(self.temporary),
        }

    def wait_for(self, line: str) -> None:
        """Wait until it has printed `line`."""
        deadline = time.monotonic() + LIMIT
        while line not in self._out.read_text().splitlines():
            assert self.process.poll() is None, f"it has ended: {self._said()}"
            assert time.monotonic() < deadline, f"it does not say {line!r}: {self._said()}"
            time.sleep(POLL)

    def processes(self) -> list[int]:
        """Those of its processes that live, wherever they have gone."""
        return [pid for pid in _all_processes() if self._mark in _environment_of(pid)]

    def workers(self) -> list[int]:
        """Those of its processes that are not its first, nor keep the books of the others."""
        others = [pid for pid in self.processes() if pid != self.pid]
        return [pid for pid in others if "resource_tracker" not in command_line(pid)]

    def finish(self, *, tidy: bool = True) -> Outcome:
        """Wait for its end.

        Args:
            tidy: whether it has the chance to remove its temporary files.

        Raises:
            AssertionError: it hangs, it shows its user a traceback, or it leaves something behind.
        """
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGABRT)
            time.sleep(1)  # in which it says where it is
            self.end()
            raise AssertionError(f"it hangs: {self._said()}") from None
        left = self._left(tidy=tidy)
        self.end()
        assert not left, f"it leaves {', '.join(left)}: {self._said()}"
        assert "Traceback" not in self._said(), self._said()
        return Outcome(self.process.returncode, self._out.read_text(), self._err.read_text())

    def end(self) -> None:
        """Kill whatever of it still runs."""
        for pid in self.processes():
            _kill(pid)
        self.process.wait()
        deadline = time.monotonic() + SETTLE
        while self.processes() and time.monotonic() < deadline:  # somebody else's children
            time.sleep(POLL)
        shutil.rmtree(self.temporary, ignore_errors=True)

    def _left(self, *, tidy: bool) -> list[str]:
        deadline = time.monotonic() + SETTLE
        while (left := self._leavings(tidy=tidy)) and time.monotonic() < deadline:
            time.sleep(POLL)
        return left

    def _leavings(self, *, tidy: bool) -> list[str]:
        processes = [f"process {pid} ({command_line(pid)})" for pid in self.processes()]
        files = [str(each) for each in self.temporary.iterdir()] if tidy else []
        # Without a group of its own, what other programs leave at the same time counts too.
        shared = _shared_memory(self._group) - self._shared_before
        return processes + _unmapped(shared) + files

    def _said(self) -> str:
        return self._out.read_text() + self._err.read_text()


def script(name: str, *arguments: str) -> list[str | Path]:
    """The command that runs a script of this folder."""
    return [sys.executable, HERE / name, *arguments]


def command_line(pid: int) -> str:
    """The command line of a process, empty if it has ended."""
    return _read(Path(f"/proc/{pid}/cmdline")).replace("\0", " ").strip()


def _shared_memory(group: int | None) -> set[str]:
    """The files in shared memory that are of a group, or all of them."""
    files = SHARED_MEMORY.iterdir() if SHARED_MEMORY.is_dir() else ()
    return {str(each) for each in files if group in (None, _group_of(each))}


def _group_of(file: Path) -> int | None:
    try:
        return file.stat().st_gid
    except FileNotFoundError:  # it has just been removed
        return None


def _unmapped(files: set[str]) -> list[str]:
    """Those of the files that no living process has mapped."""
    maps = "".join(_read(Path(f"/proc/{pid}/maps")) for pid in _all_processes()) if files else ""
    return sorted(name for name in files if name not in maps)


def _all_processes() -> list[int]:
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal()]


def _environment_of(pid: int) -> list[str]:
    """The variables that a process was started with; of one that is dead, none."""
    return _read(Path(f"/proc/{pid}/environ")).split("\0")


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # another user's, or it has ended
        return ""


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)

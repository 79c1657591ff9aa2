"""Runs of the command that runs the tests: each a process, or a fork of one that has the tests.

pytest takes seconds to import and collect a large suite, and often less to notice a mutant. So one
waits behind its collection (plugin.py), and forks for each mutant: on a socket it is told the
environment of the run, and tells the process, then its exit status.
"""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from gpucnn.commands.mutants import CHOSEN, FAILED, SERVER
from gpucnn.errors import InvalidValueError, printable
from gpucnn.simulator.mutation import watching

_PLUGIN = "gpucnn.commands.mutants.plugin"
_FAILED = "failed"


class StoppedError(Exception):
    """The runs were ended."""


class Runs:
    """Runs of a command, one at a time, each in a process of its own.

    Args:
        command: runs the tests, and exits with 0 if they pass.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._groups = set[int]()
        self._is_stopped = False

    def run(self, folder: Path, tests: Collection[str] | None, limit: float | None) -> int | None:
        """Run the command, and end all that it has started.

        Args:
            folder: watched, see `watching`.
            tests: of pytest, which to run; None for all.
            limit: seconds.

        Returns:
            The exit status, or None if it did not end in time.

        Raises:
            InvalidValueError: the command cannot be started.
            StoppedError: `stop` was called.
        """
        process = self._start(_environment(folder, tests))
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            return None
        finally:
            self._end(process)

    def stop(self) -> None:
        """End what runs, from another thread; nothing runs any more."""
        self._is_stopped = True
        for group in list(self._groups):
            _kill(group)

    def close(self) -> None:
        """Give up what is kept from run to run."""

    def _start(self, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        try:
            process = subprocess.Popen(
                self._command,
                env={**_outside_of_tests(), **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # so that all that it starts can be ended
            )
        except OSError as error:
            name = printable(self._command[0])
            raise InvalidValueError(f"{name} cannot be started: {error.strerror}") from None
        self._groups.add(process.pid)
        if self._is_stopped:  # and would not be ended by `stop`
            self._end(process)
            raise StoppedError
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        _kill(process.pid)
        process.wait()
        self._groups.discard(process.pid)


class ForkedRuns(Runs):
    """Runs of a command that is pytest, as forks of one that has collected the tests.

    Where it is not, or compiles kernels before its first test, each is a process.

    Args:
        command: as of `Runs`.
        parts: of the sources whose mutants are tried.
    """

    def __init__(self, command: Sequence[str], parts: Sequence[str]) -> None:
        super().__init__(command)
        self._parts = list(parts)
        self._server: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None

    def run(self, folder: Path, tests: Collection[str] | None, limit: float | None) -> int | None:
        """As that of `Runs`."""
        if self._server is None:
            self._connect()
            self._check(tests, limit)
        if self._connection is None:
            return super().run(folder, tests, limit)
        try:
            return self._fork(self._connection, folder, tests, limit)
        except (OSError, ValueError):  # it has ended
            self.close()
            return super().run(folder, tests, limit)

    def _connect(self) -> None:
        """Start the pytest that forks, and wait until it has collected, or ended."""
        with TemporaryDirectory() as name, socket.socket(socket.AF_UNIX) as listener:
            folder = Path(name)
            watching.prepare(folder, self._parts)
            listener.bind(str(folder / "socket"))
            listener.listen()
            listener.settimeout(0.1)
            environment = {**_environment(folder, None), SERVER: str(folder / "socket")}
            self._server = self._start(environment)
            while self._connection is None and self._server.poll() is None:
                with suppress(TimeoutError):
                    self._connection, _ = listener.accept()
            if watching.sources(folder):  # which forks would not compile again
                self.close()

    def _check(self, tests: Collection[str] | None, limit: float | None) -> None:
        """See that one test passes without a mutant: with threads a fork may not even go on."""
        if self._connection is None:
            return
        with TemporaryDirectory() as name:
            watching.prepare(Path(name), [])
            one = None if tests is None else [min(tests)]
            passes = False
            with suppress(OSError, ValueError):  # it has ended
                passes = self._fork(self._connection, Path(name), one, limit) == 0
            if not passes:
                self.close()

    def close(self) -> None:
        """Do without forks."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._server is not None:
            self._end(self._server)

    def _fork(
        self,
        connection: socket.socket,
        folder: Path,
        tests: Collection[str] | None,
        limit: float | None,
    ) -> int | None:
        connection.settimeout(None)
        connection.sendall(json.dumps(_environment(folder, tests)).encode() + b"\n")
        group = _number(connection)
        self._groups.add(group)
        try:
            connection.settimeout(limit)
            return _number(connection)
        except TimeoutError:
            _kill(group)
            connection.settimeout(None)
            _number(connection)
            return None
        finally:
            _kill(group)
            self._groups.discard(group)
            if self._is_stopped:
                raise StoppedError


def _environment(folder: Path, tests: Collection[str] | None) -> dict[str, str]:
    """What a run has in its environment, with which pytest has the plugin."""
    environment = {
        watching.VARIABLE: str(folder),
        FAILED: str(folder / _FAILED),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis"),
        "PYTEST_ADDOPTS": " ".join(
            [os.environ.get("PYTEST_ADDOPTS", ""), "-p", _PLUGIN, "-p no:cacheprovider"]
        ),
    }
    if tests is not None:
        chosen = folder / "chosen"
        chosen.write_text("".join(f"{test}\n" for test in tests), encoding="utf-8")
        environment[CHOSEN] = str(chosen)
    return environment


def failed_test(folder: Path) -> str:
    """The first test that failed in the run of a folder; empty if none is known."""
    file = folder / _FAILED
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _outside_of_tests() -> dict[str, str]:
    """This environment; where a test calls this, as that was before it."""
    within = ("PYTEST_CURRENT_TEST", watching.WITHIN)
    return {name: value for name, value in os.environ.items() if name not in within}


def _number(connection: socket.socket) -> int:
    """The next line that was sent, a number; a ValueError if there is none."""
    line = b""
    while not line.endswith(b"\n"):
        received = connection.recv(1)
        if not received:
            break
        line += received
    return int(line)


def _kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)

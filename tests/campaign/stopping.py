"""A process that is killed at a certain one of its file operations."""

import builtins
import io
import os
import signal
import sys
from pathlib import Path
from typing import Any

EVENTS = {
    "open": (0,),
    "os.link": (0, 1),
    "os.mkdir": (0,),
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.rmdir": (0,),
    "os.truncate": (0,),
}
"""Operations that Python tells of before it does them, and which of the arguments are paths."""


class Stopper:
    """Counts this process's operations on the files of a folder, and kills it before one of them.

    Operations are what `EVENTS` has, flushes to the disk, and each half of every write: a process
    may be stopped in the middle of one.

    Args:
        folder: the folder whose files count; what lies elsewhere does not.
        at: the operation before which to kill, from 1; 0 for none.
    """

    def __init__(self, folder: Path, at: int) -> None:
        self._folder, self._at = str(folder), at
        self.count = 0
        self._open, self._fsync = io.open, os.fsync

    def install(self) -> None:
        """Count from now on, for as long as the process lives."""
        sys.addaudithook(self._hear)
        io.open = builtins.open = self._open_in_halves
        os.fsync = self._flush  # type: ignore[assignment]

    def step(self) -> None:
        """An operation is about to be done."""
        self.count += 1
        if self.count == self._at:
            os.kill(os.getpid(), signal.SIGKILL)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in EVENTS and any(map(self._concerns, (arguments[i] for i in EVENTS[event]))):
            self.step()

    def _concerns(self, path: object) -> bool:
        return isinstance(path, (str, os.PathLike)) and str(path).startswith(self._folder)

    def _flush(self, descriptor: int) -> None:
        self.step()
        self._fsync(descriptor)

    def _open_in_halves(self, file: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
        if not (set("wxa") & set(mode) and "b" in mode and self._concerns(file)):
            return self._open(file, mode, *rest, **options)
        return io.BufferedWriter(_InHalves(file, mode.replace("b", ""), self))


class _InHalves(io.FileIO):
    """A file whose every write is two, with a moment between them."""

    def __init__(self, file: Any, mode: str, stopper: Stopper) -> None:
        super().__init__(file, mode)
        self._stopper = stopper

    def write(self, content: Any) -> int:
        view = memoryview(content).cast("B")
        written = 0
        for half in (view[: len(view) // 2], view[len(view) // 2 :]):
            self._stopper.step()
            written += super().write(half)
        return written

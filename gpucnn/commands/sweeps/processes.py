"""Commands of gpucnn as processes of their own, some at a time."""

import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Sequence
from tempfile import TemporaryFile
from time import sleep

from gpucnn.backends.ranks.world import World
from gpucnn.commands.sweeps.slots import Slot
from gpucnn.errors import printable

PAUSE = 0.05
"""Seconds between two looks at the processes."""


class Process:
    """A command of gpucnn in a process of its own, which prints nothing.

    Args:
        slot: where it runs.
        arguments: of `gpucnn`.
    """

    def __init__(self, slot: Slot, arguments: Sequence[str]) -> None:
        self.slot = slot
        self._errors = TemporaryFile()  # noqa: SIM115 - open until the end; unlike a pipe, never full
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gpucnn", *arguments],
            env=slot.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
        )

    @property
    def has_ended(self) -> bool:
        """Whether it has come to its end."""
        return self._process.poll() is not None

    def failure(self) -> str | None:
        """After its end: why it failed, in one line; None if it did not."""
        status = self._process.returncode
        with self._errors as file:
            file.seek(0)
            lines = file.read().decode(errors="replace").split("\n")
        if status == 0:
            return None
        if status < 0:
            return f"killed by {signal.Signals(-status).name}"
        said = [line for line in lines if line.strip()]
        if not said:
            return f"ended with exit status {status}"
        return printable(said[-1].removeprefix("gpucnn: ").removeprefix("error: "))

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        self._process.terminate()
        self._process.wait()
        self._errors.close()


def run_all(
    seeds: Sequence[int],
    slots: Sequence[Slot],
    command: Callable[[int, Slot], list[str]],
    ranks: World,
) -> Generator[tuple[int, str | None]]:
    """Run a command for each seed, one at a time in each slot.

    Those that still run end with the generator: close it, whatever happens.

    Args:
        seeds: in the order in which the commands begin.
        slots: at least one.
        command: gives the arguments of `gpucnn` for a seed, and where it runs.
        ranks: of which this process is one, and ends when another does.

    Yields:
        A seed, and why its command failed or None, as each ends.
    """
    waiting, free = deque(seeds), deque(slots)
    running: dict[int, Process] = {}
    try:
        while waiting or running:
            while waiting and free:
                seed, slot = waiting.popleft(), free.popleft()
                running[seed] = Process(slot, command(seed, slot))
            ranks.check()
            sleep(PAUSE)
            for seed in [seed for seed, each in running.items() if each.has_ended]:
                ended = running.pop(seed)
                free.append(ended.slot)
                yield seed, ended.failure()
    finally:
        for each in running.values():
            each.stop()

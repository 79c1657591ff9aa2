"""A program that watches the ranks of a machine: it says which was killed, and ends the others.

Its arguments are the process and the number of each rank, such as 1234:0, and files of memory that
they share, which it removes where ranks are killed. It is a process of its own, since a launcher
ends all ranks as soon as it has noticed the death of one, and says no more than the number of that
process. Ranks that end together end this program first; one that fails sends it SIGUSR1, and tells
of its error by itself.
"""

import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

GRACE = 5.0
"""Seconds that the others have for ending, or the launcher for ending them."""

TOGETHER = 0.1
"""Seconds within which ranks that were ended for one reason are gone."""


def watch(ranks: dict[int, int], files: list[str]) -> None:
    """Wait for the first of some processes to end; then say so, and end the others.

    Args:
        ranks: the numbers of the ranks, by process.
        files: to be removed then.
    """
    told: list[int] = []
    signal.signal(signal.SIGUSR1, lambda number, frame: told.append(number))
    try:
        watched = {os.pidfd_open(process): rank for process, rank in ranks.items()}
    except OSError:  # they cannot be seen from here: the launcher then has to notice
        return
    ready, _, _ = select.select(list(watched), [], [])
    if len(ready) > 1:  # what the launcher ends may be gone before that which was killed is
        time.sleep(TOGETHER)
        ready, _, _ = select.select(list(watched), [], [], 0)
    if not told:
        _say([watched[each] for each in ready])
    for file in files:
        with suppress(OSError):
            Path(file).unlink()
    for stream in range(3):
        os.close(stream)  # which the launcher waits for
    time.sleep(GRACE)
    for descriptor in watched:
        with suppress(OSError):  # it has ended
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)


def _say(ranks: list[int]) -> None:
    """Say which ranks have ended; several if the launcher was as fast as this program."""
    named = f"rank {ranks[0]} was" if len(ranks) == 1 else f"ranks {ranks} were"
    os.write(2, f"gpucnn: {named} killed, or ended at once: all ranks end\n".encode())


if __name__ == "__main__":
    pairs = [each.split(":") for each in sys.argv[1:] if each[0] != "/"]
    ranks = {int(process): int(rank) for process, rank in pairs}
    watch(ranks, [each for each in sys.argv[1:] if each[0] == "/"])

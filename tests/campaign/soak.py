"""Fit for a long time and look at what grows: `python -m campaign.soak`.

To be started in `tests/`. One program makes models, fits them, goes on with old ones, predicts and
measures, over and over. After a first third, in which all that is kept for the program's life has
come to be, it may have no more processes, threads, descriptors or shared mappings at its end than
it had then; and its memory, shared pages counted once, must have grown by less than `GROWTH`.
"""

import gc
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from campaign.figures import Figures, main
from gpucnn import Sequential
from gpucnn.models import notebook
from small_mnist import Labelled, small_mnist

COUNT = 30
GROWTH = 24  # MiB
KIB_IN_MIB = 1024


@dataclass(frozen=True)
class Holdings:
    """What the program holds at a moment, its child processes included."""

    processes: int
    threads: int
    descriptors: int
    shared_mappings: int
    memory: float  # MiB

    @classmethod
    def now(cls) -> "Holdings":
        """After what is garbage is gone."""
        gc.collect()
        processes = [os.getpid(), *_descendants(os.getpid())]
        maps = [_read(pid, "maps") for pid in processes]
        shared = [line for text in maps for line in text.splitlines() if line.split()[1][3] == "s"]
        return cls(
            processes=len(processes),
            threads=sum(_entries(pid, "task") for pid in processes),
            descriptors=sum(_entries(pid, "fd") for pid in processes),
            shared_mappings=len(shared),
            memory=sum(map(_memory, processes)) / KIB_IN_MIB,
        )


def campaign(count: int, seed: int, folder: Path) -> Figures:
    """Fit `count` times."""
    figures = Figures("soak")
    data, test = small_mnist(train=8_200, test=8_200)
    held: list[Holdings] = []
    old = notebook(device="cpu", seed=seed, threads=2)
    for case in range(count):
        _use(old if case % 2 else notebook(device="cpu", seed=seed + case, threads=2), data, test)
        held.append(Holdings.now())
    kept, later = held[: count // 3], held[count // 3 :]
    figures.cases = count
    for name in ("processes", "threads", "descriptors", "shared_mappings"):
        most, last = max(getattr(each, name) for each in kept), getattr(later[-1], name)
        figures.measured[f"{name.replace('_', ' ')}, after a third and at the end"] = (
            f"{most} and {last}"
        )
        if last > most:
            figures.failures.append(f"{name} grow from {most} to {last}")
    before, after = kept[-1].memory, later[-1].memory
    figures.measured["memory in MiB, after a third and at the end"] = (
        f"{before:.0f} and {after:.0f}"
    )
    if after - before > GROWTH:
        figures.failures.append(f"memory grows from {before:.0f} to {after:.0f} MiB")
    return figures


def _use(model: Sequential, data: Labelled, test: Labelled) -> None:
    model.fit(*data, batch_size=128, verbose=0)
    model.predict(test[0])
    model.evaluate(*test)


def _descendants(pid: int) -> list[int]:
    children = [int(each) for each in _read(pid, f"task/{pid}/children").split()]
    return children + [each for child in children for each in _descendants(child)]


def _memory(pid: int) -> int:
    """The memory of a process in KiB, of shared pages its share."""
    lines = dict(line.split(":", 1) for line in _read(pid, "smaps_rollup").splitlines()[1:])
    return int(lines["Pss"].split()[0]) if lines else 0


def _entries(pid: int, name: str) -> int:
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/{name}").iterdir())
    except OSError:  # it has ended
        return 0


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:  # it has ended
        return ""


if __name__ == "__main__":
    sys.exit(main(__doc__, COUNT, campaign))

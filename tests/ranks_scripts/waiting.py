"""Trains without end in a process of rank 0's, in the folder of its argument; then rank 1 fails."""

import sys
import time
from pathlib import Path

from gpucnn.backends.ranks.world import world
from gpucnn.commands.sweeps.processes import run_all
from gpucnn.commands.sweeps.slots import Slot

ranks, run = world(), Path(sys.argv[1])


def command(seed, slot):
    if ranks.rank == 0:
        return ["train", "--device", "cpu", "--epochs", "100000", "--output", str(run)]
    while not (run / "history.json").exists():
        time.sleep(0.01)
    raise KeyError("a fault")


with ranks.together():
    list(run_all([0], [Slot("cpu", 1)], command, ranks))

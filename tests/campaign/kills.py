"""Kill `gpucnn train` at moments by chance, go on, and compare: `python -m campaign.kills`.

To be started in `tests/`. A run of a few epochs, long enough to have worker processes, is killed by
SIGKILL one to three times, each at a moment between its start and its end, and then let go on with
`--resume` (or be begun again, where it had not come so far as to have a history). It must end in
the bytes of a run that nothing stops, with the same measurements and no other files; and each time
its other processes must end by themselves and leave no shared memory.
"""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from campaign.figures import Figures, main
from campaign.runs import CHECKPOINT, arguments, result
from programs.program import Program
from small_mnist import write_small_mnist

COUNT = 3
EPOCHS = 4


def campaign(count: int, seed: int, folder: Path) -> Figures:
    """Kill `count` runs."""
    figures = Figures("kills at random moments")
    generator = np.random.default_rng(seed)
    data = folder / "data"
    data.mkdir()
    write_small_mnist(data, train=8_200, test=200)
    recipe = ["--data", str(data), "--epochs", str(EPOCHS), "--batch-size=128", "--threads=2"]
    started = time.monotonic()
    _train(folder / "whole", recipe, folder / "first")
    duration = time.monotonic() - started
    whole = result(folder / "whole")
    kills = early = 0
    for case in range(count):
        output = folder / f"run-{case}"
        moments = generator.uniform(0, duration, generator.integers(1, 4))
        for number, moment in enumerate(moments):
            kills += _train(output, recipe, folder / f"{case}-{number}", moment)
            early += not (output / CHECKPOINT).exists()
        _train(output, recipe, folder / f"{case}-last")
        figures.check(result(output) == whole, f"run {case}, killed after {moments} s: it differs")
    figures.measured = {"SIGKILLs": kills, "of them before the first checkpoint": early}
    return figures


def _train(output: Path, recipe: list[str], folder: Path, moment: float | None = None) -> bool:
    """Train in `output`, for `moment` seconds or to the end; whether it was killed."""
    folder.mkdir()
    program = Program([sys.executable, "-m", "gpucnn", *arguments(output, recipe)], folder)
    if moment is not None:
        time.sleep(moment)
        os.kill(program.pid, signal.SIGKILL)
    outcome = program.finish(tidy=moment is None)
    killed = moment is not None and outcome.status == -signal.SIGKILL
    assert killed or outcome.status == 0, outcome
    return killed


if __name__ == "__main__":
    sys.exit(main(__doc__, COUNT, campaign))

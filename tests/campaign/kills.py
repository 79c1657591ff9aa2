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
from numpy.typing import NDArray

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
    options = ["--data", str(data), "--epochs", str(EPOCHS), "--batch-size=128", "--threads=2"]
    started = time.monotonic()
    _train(folder / "whole", options, folder / "first")
    duration = time.monotonic() - started
    whole = result(folder / "whole")
    kills: list[bool] = []
    for case in range(count):
        moments = generator.uniform(0, duration, generator.integers(1, 4))
        name = f"run {case}, killed after {', '.join(f'{moment:.2f} s' for moment in moments)}"
        try:
            kills += _kill(folder / f"run-{case}", options, moments)
            figures.check(result(folder / f"run-{case}") == whole, f"{name}: it differs")
        except AssertionError as error:
            figures.check(False, f"{name}: {error}")
    figures.measured = {"SIGKILLs": len(kills), "before the first checkpoint": sum(kills)}
    return figures


def _kill(output: Path, options: list[str], moments: NDArray[np.float64]) -> list[bool]:
    """Train in `output`, killed after each of `moments`; whether each was before a checkpoint."""
    early = []
    for number, moment in enumerate(moments):
        if _train(output, options, output.with_name(f"{output.name}-{number}"), moment):
            early.append(not (output / CHECKPOINT).exists())
    _train(output, options, output.with_name(f"{output.name}-last"))
    return early


def _train(output: Path, options: list[str], folder: Path, moment: float | None = None) -> bool:
    """Train in `output`, for `moment` seconds or to the end; whether it was killed.

    Raises:
        AssertionError: it fails, or leaves something behind.
    """
    folder.mkdir()
    program = Program([sys.executable, "-m", "gpucnn", *arguments(output, options)], folder)
    if moment is not None:
        time.sleep(moment)
        os.kill(program.pid, signal.SIGKILL)
    outcome = program.finish(tidy=moment is None)
    killed = moment is not None and outcome.status == -signal.SIGKILL
    assert killed or outcome.status == 0, outcome
    return killed


if __name__ == "__main__":
    sys.exit(main(__doc__, COUNT, campaign))

"""Kill `gpucnn train` at its file operations, go on, and compare.

`python -m campaign.file_operations`, to be started in `tests/`. A run is killed by SIGKILL before
an operation on a file of its folder: opening, either half of a write, a flush, a rename, a link, a
removal. Then it goes on, with `--resume` or, where there is no history yet, from its beginning; a
second time it is killed at an operation of that, and goes on to its end. It must end in the bytes
of a run that nothing stops, with the same measurements, and with no other files. First come kills
at each operation of the first start, then pairs of that and one of what follows, by chance.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from campaign.figures import Figures, main
from campaign.runs import arguments, leftovers, result
from campaign.stopping import Stopper
from gpucnn.commands.main import main as command
from small_mnist import write_small_mnist

COUNT = 30
OPTIONS = ["--epochs=2", "--threads=1"]


def campaign(count: int, seed: int, folder: Path) -> Figures:
    """Kill `count` runs."""
    figures = Figures("kills at file operations")
    options = [f"--data={write_small_mnist(folder, train=256, test=100)}", *OPTIONS]
    operations = _train(folder / "whole", options)
    whole = result(folder / "whole")
    for case, (first, second) in enumerate(_moments(count, operations, seed)):
        output = folder / f"run-{case}"
        _train(output, options, first)
        if second:
            _train(output, options, second)
        _train(output, options)
        left = leftovers(output)
        name = f"killed at operation {first} of {operations}, then at {second or 'none'}"
        figures.check(result(output) == whole, f"{name}: {left or 'the result'} differs")
    figures.measured = {"operations of a run that nothing stops": operations}
    return figures


def _moments(count: int, operations: int, seed: int) -> Iterator[tuple[int, int]]:
    """Which operation to kill at in the first start, and in the second; 0 for none there."""
    generator = np.random.default_rng(seed)
    singles = min(count, operations)
    for number in range(singles):
        yield 1 + number * operations // singles, 0
    for _ in range(count - singles):
        first, second = generator.integers(1, operations + 1, 2)
        yield int(first), int(second)


def _train(output: Path, options: list[str], at: int = 0) -> int:
    """Begin a run, or go on with it, in a process of its own that is killed before operation `at`.

    Returns:
        How many operations it has done, if it was not killed.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        _command(output, options, at, write)
    os.close(write)
    with os.fdopen(read) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    if at == 0 and not told:
        raise RuntimeError(f"{output}: {(output.parent / 'err').read_text()}")
    return int(told or 0)


def _command(output: Path, options: list[str], at: int, tell: int) -> None:
    """What the process does."""
    sys.argv = ["gpucnn", *arguments(output, options)]
    sys.stdout = (output.parent / "out").open("w")
    sys.stderr = (output.parent / "err").open("w")
    stopper = Stopper(output, at)
    stopper.install()
    try:
        command()
    except SystemExit as stop:
        if not stop.code:
            os.write(tell, str(stopper.count).encode())
        sys.stderr.flush()
    finally:
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main(__doc__, COUNT, campaign))

"""Try mutants of the kernels, and see that the tests notice each: `python tests/mutate.py`.

Of the files in `DONE` all that `gpucnn mutate` makes of them, of the others those that are written
by hand in mutation/mutants.py. Prints those that survive, and exits with 1 if there are any.
`python tests/mutate.py 2/4` tries the second quarter of them, every fourth from the second on.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from loky import cpu_count

from gpucnn.commands.mutants.report import gathered, is_left, table_of
from gpucnn.commands.mutants.trials import Trials
from gpucnn.commands.terminal import print_table
from gpucnn.simulator.mutation.mutants import Mutant, mutants_of, parts_of
from mutation.mutants import MUTANTS

ROOT = Path(__file__).parents[1]

TESTS = [
    "tests/backends/test_contract.py",
    "tests/backends/cuda/test_backend.py",
    "tests/backends/ops/fused/test_classifier_head.py",
    "tests/backends/ops/fused/test_conv_classifier.py",
]

CHOICE = "(simulator or test_backend or test_classifier_head)"
"""Which of them: those that launch kernels, on no GPU."""

COMMAND = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", *TESTS, "-k", CHOICE]

DONE = ["gather.cu", "pixels.cuh", "relu.cu"]
"""The files of which every mutant is noticed, or accepted by a comment on its line."""


def all_mutants() -> Iterator[Mutant]:
    """Those of the files in `DONE`, then those by hand."""
    for file in DONE:
        for part in parts_of(Path("kernels") / file):
            yield from mutants_of(part)
    for edit in MUTANTS:
        yield edit.mutant(Path("kernels"))


def main() -> int:
    """Try the mutants; the exit status."""
    os.chdir(ROOT)
    number, shares = map(int, (sys.argv[1] if len(sys.argv) > 1 else "1/1").split("/"))
    mutants = [*all_mutants()][number - 1 :: shares]
    trials = Trials(COMMAND, list(dict.fromkeys(mutant.part for mutant in mutants)))
    with closing(trials.run(mutants, cpu_count())) as outcomes:
        found = gathered(outcomes)
    print_table(table_of(found))
    return int(any(is_left(*each) for each in found.items()))


if __name__ == "__main__":
    sys.exit(main())

"""Which mutants are tried, and what becomes of them."""

import re
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

from loky import cpu_count

from gpucnn.commands.mutants.results import Outcome, Results
from gpucnn.commands.mutants.trials import Trials
from gpucnn.errors import InvalidValueError, printable
from gpucnn.simulator.mutation.mutants import Mutant, mutants_of, parts_of


def chosen(kernels: Sequence[str], share: str) -> list[Mutant]:
    """The mutants of files, or of lines of them.

    Args:
        kernels: paths, each with a colon and the number of a line behind it or without.
        share: "i/n", for every n-th of all mutants, from the i-th on.

    Raises:
        InvalidFileError: a file cannot be used.
        InvalidValueError: a line has no mutant, or the share is not one.
    """
    found = list[Mutant]()
    for each in dict.fromkeys(kernels):
        file, line = _place(each)
        of_file = [mutant for part in parts_of(file) for mutant in mutants_of(part)]
        wanted = [mutant for mutant in of_file if line in (None, mutant.line)]
        if not wanted:
            raise InvalidValueError(f"{printable(each)} has nothing that a mutant changes")
        found += wanted
    one, of = _numbers(share)
    return found[one - 1 :: of]


def _place(kernel: str) -> tuple[Path, int | None]:
    """The file, and the line in it if one is given."""
    file, _, line = kernel.rpartition(":")
    if file and line.isdecimal() and not Path(kernel).exists():
        return Path(file), int(line)
    return Path(kernel), None


def _numbers(share: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9]\d{0,5})/([1-9]\d{0,5})", share)
    if found is None or int(found[1]) > int(found[2]):
        raise InvalidValueError(
            f"--share is {printable(share)}: give it as 2/4, for every fourth from the second on"
        )
    return int(found[1]), int(found[2])


def outcomes_of(
    mutants: Sequence[Mutant], command: Sequence[str]
) -> Generator[tuple[Mutant, Outcome]]:
    """The outcomes that are known, then the others, as they are found.

    Trials end with the generator: close it, whatever happens.

    Raises:
        TestsFailError: the command fails without any mutant, or compiles nothing of a file.
        InvalidValueError: it cannot be started.
    """
    results = Results(command)
    known = {mutant: outcome for mutant in mutants if (outcome := results.read(mutant))}
    print(f"{len(mutants)} mutants, {len(known)} of them tried before", flush=True)
    yield from known.items()
    unknown = [mutant for mutant in mutants if mutant not in known]
    if unknown:
        trials = Trials(command, list(dict.fromkeys(mutant.part for mutant in unknown)))
        with closing(trials.run(unknown, cpu_count())) as outcomes:
            for mutant, outcome in outcomes:
                results.write(mutant, outcome)
                yield mutant, outcome

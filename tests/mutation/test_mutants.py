"""Every mutant changes the file that it names: CI makes a part of them each day."""

from pathlib import Path

import pytest

from mutate import DONE
from mutation.mutants import MUTANTS, Mutant

KERNELS = Path(__file__).parents[2] / "kernels"


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_it_applies(mutant: Mutant) -> None:
    made = mutant.mutant(KERNELS)
    assert made.text != made.part.text
    assert made.part.text in (KERNELS / mutant.file).read_text()


def test_none_is_of_a_file_that_is_done() -> None:
    assert not {mutant.file for mutant in MUTANTS} & set(DONE)


def test_none_is_there_twice() -> None:
    assert len(set(MUTANTS)) == len(MUTANTS)

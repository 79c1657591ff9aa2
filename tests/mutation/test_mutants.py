"""Every mutant changes the file that it names: CI makes a part of them each day."""

from pathlib import Path

import pytest

from mutation.mutants import MUTANTS, Mutant

KERNELS = Path(__file__).parents[2] / "kernels"


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_it_applies(mutant: Mutant) -> None:
    text = (KERNELS / mutant.file).read_text()
    assert mutant.apply(text) != text


def test_none_is_there_twice() -> None:
    assert len(set(MUTANTS)) == len(MUTANTS)

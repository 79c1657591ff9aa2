import random

import numpy as np
import pytest

from expect import refusal
from gpucnn.utils import seeds, set_random_seed
from gpucnn.utils.seeds import next_seed


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeds, "_seeds", seeds._following(0))


def test_one_seed_gives_the_same_numbers() -> None:
    drawn = []
    for _ in range(2):
        set_random_seed(2**32 + 5)
        numbers = random.random(), np.random.random()  # noqa: NPY002
        drawn.append((next_seed(), next_seed(), *numbers))
    assert drawn[0] == drawn[1]
    assert drawn[0][0] == 2**32 + 5


def test_each_model_has_another() -> None:
    drawn = [next_seed() for _ in range(100)]
    set_random_seed(1)
    drawn += [next_seed() for _ in range(100)]
    assert drawn[0] == 0
    assert len(set(drawn)) == 200
    assert all(0 <= each < 2**64 for each in drawn)


def test_wrong_seed() -> None:
    with refusal("seed is -1: it must be a whole number, 0 to 2^64 - 1"):
        set_random_seed(-1)

import random

import numpy as np
import pytest

from expect import refusal
from gpucnn.utils import seeds, set_random_seed
from gpucnn.utils.seeds import default_seed


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeds, "_default", default_seed())


def test_one_seed_gives_the_same_numbers() -> None:
    drawn = []
    for _ in range(2):
        set_random_seed(2**32 + 5)
        drawn.append((default_seed(), random.random(), np.random.random()))  # noqa: NPY002
    assert drawn[0] == drawn[1]
    assert drawn[0][0] == 2**32 + 5


def test_wrong_seed() -> None:
    with refusal("seed is -1: it must be a whole number, 0 to 2^64 - 1"):
        set_random_seed(-1)

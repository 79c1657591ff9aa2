"""The seeds of models that are given none."""

import random
from collections.abc import Iterator
from functools import partial
from itertools import count

import numpy as np

from gpucnn.utils import arguments


def set_random_seed(seed: int) -> None:
    """Set the seeds of later models that are given none, and of Python's and NumPy's generators.

    The first of these models has this seed; those after it have others, which follow from it.

    Args:
        seed: in [0, 2^64); NumPy is given its low 32 bits.

    Raises:
        InvalidValueError: `seed` is not in this range.
    """
    global _seeds
    _seeds = _following(arguments.seed(seed))
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - which scripts of Keras's users draw from


def next_seed() -> int:
    """A seed that no model has had since `set_random_seed`, which counts as called with 0."""
    return next(_seeds)


def _following(seed: int) -> Iterator[int]:
    """The seed, and then seeds that are drawn from it."""
    # A map over a count, unlike a generator, may be used by several threads at once.
    return map(partial(_numbered, seed), count())


def _numbered(seed: int, number: int) -> int:
    if number == 0:
        return seed
    (drawn,) = np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)
    return int(drawn)


_seeds = _following(0)

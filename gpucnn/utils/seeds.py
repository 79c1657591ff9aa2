"""The seed of models that are given none."""

import random

import numpy as np

from gpucnn.utils import arguments

_default = 0


def set_random_seed(seed: int) -> None:
    """Set the seed of later models that are given none, and of Python's and NumPy's generators.

    Args:
        seed: in [0, 2^64); NumPy is given its low 32 bits.

    Raises:
        InvalidValueError: `seed` is not in this range.
    """
    global _default
    _default = arguments.seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - which scripts of Keras's users draw from


def default_seed() -> int:
    """The seed of `set_random_seed`; 0 if it was not called."""
    return _default

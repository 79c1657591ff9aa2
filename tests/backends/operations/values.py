"""Arrays of random numbers, and what makes a call of them."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import DTypeLike, NDArray

from backends.strategies import Sizes
from gpucnn.backends import Array
from gpucnn.verification.calls import Call, unset


class Values:
    """Arrays of one floating-point dtype, filled with random numbers from one seed."""

    def __init__(self, seed: int, real: DTypeLike) -> None:
        self.generator = np.random.default_rng(seed)
        self.real = real

    def reals(self, *shape: int) -> Array:
        return self.generator.standard_normal(shape).astype(self.real)

    def choices(self, numbers: Sequence[float], *shape: int) -> Array:
        """Reals that are each one of `numbers`, so that many are equal."""
        return self.generator.choice(np.array(numbers, self.real), shape)

    def integers(self, limit: int, *shape: int) -> NDArray[np.int64]:
        """Numbers from 0 to `limit` - 1."""
        return self.generator.integers(limit, size=shape)

    def integer(self, bits: int) -> int:
        return int.from_bytes(self.generator.bytes(bits // 8), "little")

    def unset(self, *shape: int) -> Array:
        """Reals that are yet to be written."""
        return unset(shape, self.real)


Builder = Callable[[Sizes, Values], Call]

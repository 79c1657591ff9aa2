"""`cupy.random`: NumPy's generators, whose numbers are others than a GPU's."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gpucnn.simulator.cupy import names
from gpucnn.simulator.cupy.calls import call, change, to_device

_INTEGERS = ("integers", "randint", "random_integers")
_IN_PLACE = ("shuffle",)


class _Generator:
    """A generator of NumPy's, for the device."""

    def __init__(self, host: Any) -> None:
        self._host = host

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._host, name)
        return sampling(function, name) if callable(function) else function


class RandomState(_Generator):
    """The generator of `numpy.random.RandomState`.

    Args:
        seed: as NumPy's.
        method: cuRAND's generator, of no meaning here.
    """

    def __init__(self, seed: Any = None, method: int = 100) -> None:
        super().__init__(np.random.RandomState(seed))

    def random_integers(self, low: int, high: int | None = None, size: Any = None) -> Any:
        """Whole numbers from `low` to `high`, both included."""
        low, high = (1, low) if high is None else (low, high)
        return self.randint(low, high + 1, size)

    def tomaxint(self, size: Any = None) -> Any:
        """Whole numbers from 0 to the greatest."""
        return call(self._host.tomaxint, size)


class Generator(_Generator):
    """The generator of `numpy.random.Generator`.

    Args:
        bit_generator: NumPy's.
    """

    def __init__(self, bit_generator: Any) -> None:
        super().__init__(np.random.Generator(bit_generator))


def default_rng(seed: Any = None) -> Generator:
    """A generator with a seed."""
    return Generator(np.random.PCG64(seed))


_state: list[RandomState] = []


def get_random_state() -> RandomState:
    """The generator of the module's functions."""
    if not _state:
        _state.append(RandomState())
    return _state[0]


def set_random_state(state: RandomState) -> None:
    """Set the generator of the module's functions."""
    _state[:] = [state]


def seed(seed: Any = None) -> None:
    """Begin the module's functions anew."""
    set_random_state(RandomState(seed))


def reset_states() -> None:
    """Begin anew with any seed."""
    _state.clear()


def sampling(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A function of a generator, with arrays as results, and with CuPy's argument `dtype`."""

    def sample(*args: Any, dtype: Any = None, **kwargs: Any) -> Any:
        if name in _IN_PLACE:
            return change(function, *args, **kwargs)
        if name in _INTEGERS and dtype is not None:
            kwargs["dtype"] = dtype
        found = call(function, *args, **kwargs)
        if isinstance(found, int | float):
            found = to_device(np.asarray(found))
        return found if dtype is None else found.astype(dtype, copy=False)

    return sample


def _of_module(name: str) -> Callable[..., Any]:
    def sample(*args: Any, **kwargs: Any) -> Any:
        return getattr(get_random_state(), name)(*args, **kwargs)

    sample.__name__ = name
    return sample


def random_names() -> dict[str, Any]:
    """What `cupy.random` has."""
    found: dict[str, Any] = {
        name: _of_module({"ranf": "random_sample", "sample": "random_sample"}.get(name, name))
        for name in [*names.RANDOM, *_IN_PLACE]
    }
    own = (RandomState, Generator, default_rng, get_random_state, set_random_state, seed)
    found |= {each.__name__: each for each in (*own, reset_states)}
    return (
        found
        | {"BitGenerator": np.random.BitGenerator, "XORWOW": np.random.PCG64}
        | dict.fromkeys(("Philox4x3210", "MRG32k3a"), np.random.Philox)
    )

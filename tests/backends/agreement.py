"""What a backend makes of a call, held to what is expected of it."""

from collections.abc import Iterator
from contextlib import contextmanager

from numpy.testing import assert_array_equal

from gpucnn.backends import Backend
from gpucnn.verification.bounds import BOUNDS, Expected
from gpucnn.verification.calls import Call, Results, perform


@contextmanager
def naming(backend: str) -> Iterator[None]:
    """Name the backend in whatever assertion fails."""
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"on {backend}: {error}") from error


def results(backend: Backend, call: Call) -> Results:
    """What the backend writes; fails if it writes to anything else."""
    after = perform(backend, call)
    assert_keeps(call, after)
    return {name: after[name] for name in BOUNDS[call.operation] if name in after}


def assert_keeps(call: Call, after: Results) -> None:
    """Fail if an argument that is not to be written was, from what the arrays hold after a call."""
    for name in call.arrays.keys() - BOUNDS[call.operation].keys():
        assert_array_equal(after[name], call.arrays[name], f"{call.operation} changed {name}")


def assert_agrees(call: Call, actual: Results, right: Results) -> None:
    """Fail unless all that a call was to write is within its bounds of the right values."""
    expected = Expected(call, right)
    for name in BOUNDS[call.operation].keys() & call.arrays.keys():
        deviation = expected.deviation(name, actual[name])
        assert deviation.share <= 1, f"{name}: {deviation}"

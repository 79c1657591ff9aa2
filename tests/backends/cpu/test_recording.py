"""Operations of the CPU that are noted, and not done."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gpucnn.backends import CpuBackend
from gpucnn.backends.cpu.recording import Noted, noted


@pytest.fixture
def backend() -> CpuBackend:
    return CpuBackend(threads=1)


def test_operations_are_noted_in_their_order(backend: CpuBackend) -> None:
    numbers, out = np.ones(3), np.zeros(3)

    def work() -> None:
        backend.copy(numbers, out)
        backend.relu(numbers, out=out)

    assert noted(backend, work) == [
        Noted("copy", (numbers, out), {}),
        Noted("relu", (numbers,), {"out": out}),
    ]
    assert_array_equal(out, 0)


@pytest.mark.parametrize("is_interrupted", [False, True])
def test_they_are_done_again_afterwards(backend: CpuBackend, *, is_interrupted: bool) -> None:
    before = set(vars(backend))

    def work() -> None:
        if is_interrupted:
            raise KeyboardInterrupt

    try:
        noted(backend, work)
    except KeyboardInterrupt:
        assert is_interrupted
    out = np.zeros(3)
    backend.copy(np.ones(3), out)
    assert_array_equal(out, 1)
    assert set(vars(backend)) == before

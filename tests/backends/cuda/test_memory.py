"""The memory of a device that runs kernels, and recording what is done with it."""

import gc
import threading
import weakref
from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gpucnn.backends import Array
from gpucnn.backends.backend import CudaBackend
from gpucnn.backends.cuda.simulator_runtime import SimulatorRuntime
from gpucnn.errors import DeviceError
from gpucnn.simulator import block_of


@pytest.fixture
def runtime() -> SimulatorRuntime:
    return SimulatorRuntime()


@pytest.fixture
def backend(runtime: SimulatorRuntime) -> CudaBackend:
    return CudaBackend(runtime)


def ones(backend: CudaBackend, count: int) -> list[Array]:
    return [backend.asarray(np.ones(3, np.float32)) for _ in range(count)]


def multiply(backend: CudaBackend, a: Array, b: Array, out: Array) -> Callable[[], None]:
    return lambda: backend.multiply(a, b, out)


def test_arrays_are_the_devices(backend: CudaBackend) -> None:
    made = [
        backend.empty((2,), np.float32),
        backend.zeros((2,), np.float32),
        backend.asarray(np.ones(2)),
        backend.counting(2),
        backend.workspace("w", (2,), np.float32),
    ]
    assert all(block_of(each) is not None for each in made)


def test_an_array_of_the_device_is_not_copied_to_it(backend: CudaBackend) -> None:
    array = backend.asarray(np.ones((2, 2), np.float32))
    assert backend.asarray(array, np.float32) is array
    for other in (backend.asarray(array, np.float64), backend.asarray(array.T)):
        assert not np.shares_memory(other, array)
        assert_array_equal(other, np.ones((2, 2)))


# Recording


def test_what_is_recorded_is_not_done(backend: CudaBackend) -> None:
    a, b, out = ones(backend, 3)
    out.fill(5)
    backend.record(multiply(backend, a, b, out))
    assert_array_equal(out, [5, 5, 5])


def test_a_replay_reads_what_the_memory_holds_then(backend: CudaBackend) -> None:
    a, b, out = ones(backend, 3)
    recording = backend.record(multiply(backend, a, b, out))
    for factor in (2, 3):
        a.fill(factor)
        recording.replay()
        assert_array_equal(out, [factor, factor, factor])


def test_launches_are_replayed_in_their_order(backend: CudaBackend) -> None:
    a, b, out = ones(backend, 3)
    a.fill(2)

    def work() -> None:
        backend.multiply(a, b, out)
        backend.multiply(out, out, b)

    recording = backend.record(work)
    recording.replay()
    recording.replay()
    assert_array_equal(out, [8, 8, 8])
    assert_array_equal(b, [64, 64, 64])


def test_scalars_are_those_of_the_recording(backend: CudaBackend) -> None:
    x, out, *_ = ones(backend, 2)
    x.fill(-1)
    slope = [0.5]
    recording = backend.record(lambda: backend.leaky_relu(x, slope[0], out))
    slope[0] = 0.25
    recording.replay()
    assert_array_equal(out, [-0.5, -0.5, -0.5])


def test_a_recording_keeps_alive_what_it_points_at(backend: CudaBackend) -> None:
    a, b, out = ones(backend, 3)
    recording = backend.record(multiply(backend, a, b[:], out))
    alive = weakref.ref(block_of(b))
    del b
    ones(backend, 1)[0].fill(7)
    recording.replay()
    assert_array_equal(out, [1, 1, 1])
    del recording
    gc.collect()
    assert alive() is None


def test_a_stale_pointer_shows(runtime: SimulatorRuntime, backend: CudaBackend) -> None:
    """A recording of the runtime keeps nothing alive by itself."""
    a, b, out = ones(backend, 3)
    recording = runtime.record(multiply(backend, a, b, out))
    del b
    recording.replay()
    assert np.isnan(out).all()
    another = ones(backend, 1)[0]
    another.fill(7)
    recording.replay()
    assert_array_equal(out, [7, 7, 7])


def touches(backend: CudaBackend, array: Array) -> dict[str, Callable[[], object]]:
    """What cannot be recorded, by how the error begins."""
    return {
        "an allocation": lambda: backend.empty((2,), np.float32),
        "an allocation ": lambda: backend.zeros((2,), np.float32),
        "an allocation  ": lambda: backend.workspace("new", (2,), np.float32),
        "a copy to the device": lambda: backend.asarray(np.ones(2)),
        "a copy to the device ": lambda: backend.counting(2),
        "a copy to the host": lambda: backend.to_host(array),
        "a copy": lambda: backend.copy(np.ones(3), array),
        "a copy ": lambda: backend.copy(array, array),
    }


TOUCHES = list(touches(CudaBackend(SimulatorRuntime()), np.ones(3)))


@pytest.mark.parametrize("what", TOUCHES)
def test_what_cannot_be_recorded(
    runtime: SimulatorRuntime, backend: CudaBackend, what: str
) -> None:
    (array,) = ones(backend, 1)
    touch = touches(backend, array)[what]

    def work() -> None:
        touch()

    line = f"^{what.strip()} cannot be recorded: a recording holds launches of kernels alone, on "
    with pytest.raises(DeviceError, match=line):
        backend.record(work)
    assert not runtime.is_recording
    work()


def test_an_operation_of_numpy_cannot_be_recorded(backend: CudaBackend) -> None:
    a, b, out = ones(backend, 3)

    def work() -> None:
        np.add(a, 1, out=a)
        backend.multiply(a, b, out)

    with pytest.raises(DeviceError, match=r"^an operation of NumPy, which changed an array"):
        backend.record(work)
    assert_array_equal(a, [1, 1, 1])


def test_an_error_ends_a_recording(runtime: SimulatorRuntime, backend: CudaBackend) -> None:
    a, b, out = ones(backend, 3)

    def work() -> None:
        backend.multiply(a, b, out)
        np.add(a, 1, out=a)
        raise KeyError("mine")

    with pytest.raises(KeyError):
        backend.record(work)
    assert not runtime.is_recording
    assert_array_equal(a, [1, 1, 1])


def test_other_threads_are_not_recorded(backend: CudaBackend) -> None:
    a, b, out = ones(backend, 3)
    theirs = backend.empty((3,), np.float32)

    def work() -> None:
        other = threading.Thread(target=multiply(backend, a, b, theirs))
        other.start()
        other.join()
        backend.multiply(a, b, out)

    recording = backend.record(work)
    assert_array_equal(theirs, [1, 1, 1])
    theirs.fill(5)
    recording.replay()
    assert_array_equal(out, [1, 1, 1])
    assert_array_equal(theirs, [5, 5, 5])


# Branches


def hasty(backend: CudaBackend, *, join: bool) -> tuple[Callable[[], None], Array]:
    """Work whose branch reads what is overwritten after it, and where the branch writes."""
    a, out = ones(backend, 2)
    two = backend.asarray(np.full(3, 2, np.float32))

    def work() -> None:
        with backend.branch():
            backend.multiply(a, two, out)
        if join:
            backend.join()
        backend.multiply(two, two, a)
        backend.join()

    return work, out


@pytest.mark.parametrize(("join", "written"), [(True, 2), (False, 8)])
def test_a_branch_is_replayed_as_late_as_it_may(
    backend: CudaBackend, join: bool, written: int
) -> None:
    work, out = hasty(backend, join=join)
    backend.record(work).replay()
    assert_array_equal(out, written)


def test_a_branch_that_is_not_recorded_comes_in_its_turn(backend: CudaBackend) -> None:
    work, out = hasty(backend, join=False)
    work()
    assert_array_equal(out, 2)


def test_a_branch_must_be_joined(backend: CudaBackend) -> None:
    a, b, out = ones(backend, 3)

    def work() -> None:
        with backend.branch():
            backend.multiply(a, b, out)

    with pytest.raises(DeviceError, match=r"^a branch cannot be recorded that is not joined$"):
        backend.record(work)


def test_a_branch_has_scratch_memory_of_its_own(backend: CudaBackend) -> None:
    def scratch() -> list[Array]:
        return [backend.workspace("w", (2,), np.float32), backend.tickets]

    before = scratch()
    with backend.branch():
        its = scratch()
    assert all(mine is not other for mine, other in zip(before, its, strict=True))
    assert not any(np.shares_memory(*each) for each in zip(before, its, strict=True))
    assert all(mine is same for mine, same in zip(before, scratch(), strict=True))

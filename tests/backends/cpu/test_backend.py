"""The CPU's memory: what it keeps, and that no operation allocates more once it has run."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from backends.contract import RowMajor
from backends.operations import CALLS
from backends.operations.values import Builder, Values
from backends.strategies import Sizes
from gpucnn.backends import Array, Backend, CpuBackend, Window
from gpucnn.backends.cpu.blas import SMALL
from gpucnn.verification.calls import place
from memory import allocated

# 2^19 pixels, and as many rows of logits: an array with one element for each, even of booleans, has
# half a megabyte. What an operation may take is far below that: views, small Python
# objects, and the buffers of 8192 elements in which NumPy converts from one dtype to another.
LARGEST = Sizes(images=512, window=Window((32, 32), (2, 2), (1, 1), "same"), channels=1, filters=3)
SMALLER = Sizes(images=350, window=LARGEST.window, channels=1, filters=3)
ALLOWED = 2**18


class Repeated(Values):
    """A few numbers over and over: to draw one for each pixel takes longer than all else."""

    FEW = 4099

    def reals(self, *shape: int) -> Array:
        return np.resize(super().reals(self.FEW), shape)

    def choices(self, numbers: Sequence[float], *shape: int) -> Array:
        return np.resize(super().choices(numbers, self.FEW), shape)


pytestmark = pytest.mark.usefixtures("traceable")


@pytest.fixture
def cpu() -> CpuBackend:
    return CpuBackend()


@pytest.fixture(params=[CpuBackend, RowMajor])
def either(request: pytest.FixtureRequest) -> CpuBackend:
    """The CPU with either layout of a batch."""
    made: CpuBackend = request.param()
    return made


def prepare(
    backend: Backend, build: Builder, sizes: Sizes, dtype: str = "float32"
) -> Callable[[], None]:
    """A call whose arguments are in place."""
    call = build(sizes, Repeated(0, dtype))
    operation, arguments = getattr(backend, call.operation), place(backend, call)
    return lambda: operation(**arguments)


@pytest.mark.parametrize("build", CALLS.values(), ids=CALLS)
def test_operation_that_has_run_allocates_nothing(either: CpuBackend, build: Builder) -> None:
    large, small = prepare(either, build, LARGEST), prepare(either, build, SMALLER)
    large()
    assert max(allocated(small), allocated(large)) < ALLOWED


@pytest.mark.parametrize(("before", "dtype"), [("float32", "float64"), ("float64", "float32")])
def test_sum_rows_allocates_nothing_after_another_dtype(
    cpu: CpuBackend, before: str, dtype: str
) -> None:
    prepare(cpu, CALLS["sum_rows"], LARGEST, before)()
    operation = prepare(cpu, CALLS["sum_rows"], LARGEST, dtype)
    operation()
    assert allocated(operation) < ALLOWED


def test_copy_allocates_nothing(cpu: CpuBackend) -> None:
    source, out = np.zeros(2**20), np.zeros(2**20, np.float32)
    assert allocated(lambda: cpu.copy(source, out)) < ALLOWED


@pytest.mark.parametrize(
    "name",
    [
        "relu_gradient",
        "max_pool",
        "softmax_cross_entropy",
        "soft_cross_entropy",
        "sigmoid_cross_entropy",
        "squared_error",
        "dropout",
        "sgd",
        "adam",
        "rmsprop, centred",
        "adagrad",
        "lion",
    ],
)
def test_the_check_sees_what_the_definitions_allocate(name: str) -> None:
    operation = prepare(Backend(), CALLS[name], LARGEST)
    operation()
    assert allocated(operation) > ALLOWED


def test_the_check_sees_one_byte_for_each_pixel() -> None:
    assert allocated(lambda: np.zeros(2**19, np.bool_).sum()) > ALLOWED


def test_workspace_is_kept(cpu: CpuBackend) -> None:
    cpu.workspace("a", (4, 5), "float32").fill(7)
    assert (cpu.workspace("a", (4, 5), "float32") == 7).all()


def test_smaller_workspace_is_the_beginning_of_the_larger(cpu: CpuBackend) -> None:
    cpu.workspace("a", (6,), "int64")[...] = np.arange(6)
    np.testing.assert_array_equal(cpu.workspace("a", (2, 2), "int64"), [[0, 1], [2, 3]])


def test_larger_workspace_after_a_smaller_one_is_the_first(cpu: CpuBackend) -> None:
    large = cpu.workspace("a", (100,), "float64")
    cpu.workspace("a", (10,), "float64")
    assert np.shares_memory(large[-1:], cpu.workspace("a", (100,), "float64"))


def test_workspace_grows(cpu: CpuBackend) -> None:
    cpu.workspace("a", (2,), "float32")
    assert cpu.workspace("a", (2, 100), "float64").shape == (2, 100)


def test_workspace_has_another_dtype_in_the_same_memory(cpu: CpuBackend) -> None:
    one, other = cpu.workspace("a", (8,), "float64"), cpu.workspace("a", (8,), "bool")
    assert np.shares_memory(one, other)


def test_workspaces_of_two_names_are_apart(cpu: CpuBackend) -> None:
    one, other = cpu.workspace("a", (8,), "float64"), cpu.workspace("b", (8,), "float64")
    assert not np.shares_memory(one, other)


def test_workspaces_of_two_backends_are_apart(cpu: CpuBackend) -> None:
    one, other = cpu.workspace("a", (8,), "bool"), CpuBackend().workspace("a", (8,), "bool")
    assert not np.shares_memory(one, other)


def test_counting_is_kept(cpu: CpuBackend) -> None:
    large = cpu.counting(100)
    assert np.shares_memory(large, cpu.counting(10))


def blas_threads() -> list[int]:
    """Of NumPy's BLAS, whatever else other tests have loaded; SciPy brings one of its own."""
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return [pool["num_threads"] for pool in pools if "scipy.libs" not in pool["filepath"]]


def test_blas_has_one_thread_in_a_session_and_all_its_own_after(cpu: CpuBackend) -> None:
    with threadpool_limits(2, "blas"):
        with cpu.session():
            assert blas_threads() == [1]
        assert blas_threads() == [2]


@pytest.mark.parametrize(("multiply_adds", "threads"), [(SMALL, 2), (SMALL + 1, 1)])
def test_blas_keeps_its_threads_for_what_it_does_not_split(
    cpu: CpuBackend, multiply_adds: int, threads: int
) -> None:
    with threadpool_limits(2, "blas"), cpu.session_of(multiply_adds):
        assert blas_threads() == [threads]


def test_buffers_of_numpy_are_small_within_a_session(cpu: CpuBackend) -> None:
    before = np.getbufsize()
    with cpu.session():
        assert np.getbufsize() < before
    assert np.getbufsize() == before


def test_buffers_of_numpy_are_as_before_after_an_error(cpu: CpuBackend) -> None:
    before = np.getbufsize()
    with pytest.raises(InterruptedError):
        interrupt(cpu)
    assert np.getbufsize() == before


def interrupt(cpu: CpuBackend) -> None:
    with cpu.session():
        raise InterruptedError

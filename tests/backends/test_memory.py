"""Memory for batches of any size up to the largest that was reserved."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gpucnn.backends import Backend, BatchMemory, Buffer

FLOAT32: "np.dtype[np.floating]" = np.dtype(np.float32)


@pytest.fixture
def memory(backend: Backend) -> BatchMemory:
    """Of what a convolution keeps for images: 2 positions, of 3 elements each."""
    return BatchMemory(backend, Buffer((2, 3), order="F"), FLOAT32)


@pytest.mark.parametrize(
    ("buffer", "size"),
    [(Buffer((2, 3)), 24), (Buffer((2, 3), "int32"), 24), (Buffer((2, 3), "int8"), 6)],
)
def test_size_of_a_buffer_in_bytes(buffer: Buffer, size: int) -> None:
    assert buffer.size(FLOAT32) == size


def test_size_of_a_buffer_depends_on_the_dtype_of_the_model() -> None:
    assert Buffer((2, 3)).size(np.dtype(np.float64)) == 48


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_is_of_the_dtype_of_the_model(backend: Backend, dtype: str) -> None:
    real: np.dtype[np.floating] = np.dtype(dtype)
    assert BatchMemory(backend, Buffer((3,)), real)[2].dtype == real


def test_is_of_the_dtype_of_its_buffer(backend: Backend) -> None:
    assert BatchMemory(backend, Buffer((3,), "int64"), FLOAT32)[2].dtype == np.int64


@pytest.mark.parametrize("batch", [1, 4])
def test_has_a_part_for_each_image(memory: BatchMemory, batch: int) -> None:
    assert memory[batch].shape == (batch, 2, 3)


def test_of_one_number_for_each_image_is_a_vector(backend: Backend) -> None:
    assert BatchMemory(backend, Buffer((), "int64"), FLOAT32)[4].shape == (4,)


def test_lies_as_the_backend_puts_batches(backend: Backend, memory: BatchMemory) -> None:
    expected = backend.batch_view(backend.empty((30,), FLOAT32), 4, (2, 3), "F")
    assert memory[4].strides == expected.strides


@pytest.mark.parametrize("batch", [1, 4])
def test_is_shared_from_batch_to_batch(backend: Backend, memory: BatchMemory, batch: int) -> None:
    first = memory[4]
    assert backend.xp.shares_memory(memory[batch], first[:1])


def test_is_the_same_array_for_as_many_images(memory: BatchMemory) -> None:
    first = memory[4]
    memory[2].fill(0)
    assert memory[4] is first


def test_of_a_larger_batch_is_all_there(backend: Backend, memory: BatchMemory) -> None:
    memory[2].fill(0)
    values = np.arange(30, dtype=np.float32).reshape(5, 2, 3)
    backend.copy(values, memory[5])
    assert_array_equal(backend.to_host(memory[5]), values)


@pytest.mark.parametrize("batch", [1, 4])
def test_stays_if_no_more_is_reserved(memory: BatchMemory, batch: int) -> None:
    memory.reserve(4)
    first = memory[3]
    memory.reserve(batch)
    assert memory[3] is first


def test_after_more_is_reserved_is_all_of_that(backend: Backend, memory: BatchMemory) -> None:
    first = memory[2]
    memory.reserve(5)
    again = memory[2]
    assert not backend.xp.shares_memory(again, first)
    assert backend.xp.shares_memory(memory[5], again)

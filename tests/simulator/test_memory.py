"""The simulated device's memory: handed out again, and filled with NaN when it is not in use."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gpucnn.simulator import DeviceMemory, block_of

SHAPES = [(), (0,), (3,), (2, 3), (0, 4)]


@pytest.fixture
def memory() -> DeviceMemory:
    return DeviceMemory()


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_arrays_are_numpys(memory: DeviceMemory, shape: tuple[int, ...], dtype: str) -> None:
    array = memory.empty(shape, dtype)
    assert type(array) is np.ndarray
    assert (array.shape, array.dtype) == (shape, np.dtype(dtype))
    assert array.flags.c_contiguous
    assert array.flags.writeable


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_unwritten_memory_is_nan(memory: DeviceMemory, dtype: str) -> None:
    assert np.isnan(memory.empty((5,), dtype)).all()


def test_freed_memory_is_handed_out_again_as_nan(memory: DeviceMemory) -> None:
    array = memory.empty((2, 3), "float32")
    address = array.ctypes.data
    array.fill(1)
    del array
    again = memory.empty((6,), "float32")
    assert again.ctypes.data == address
    assert np.isnan(again).all()


def test_memory_is_in_use_while_a_view_is_left(memory: DeviceMemory) -> None:
    view = memory.empty((2, 3), "float32")[1:].reshape(3)
    view.fill(1)
    other = memory.empty((2, 3), "float32")
    assert not np.shares_memory(view, other)
    assert_array_equal(view, np.ones(3))


def test_another_size_is_other_memory(memory: DeviceMemory) -> None:
    address = memory.empty((4,), "float32").ctypes.data
    assert memory.empty((3,), "float32").ctypes.data != address


def test_blocks_are_those_in_use(memory: DeviceMemory) -> None:
    first, second = memory.empty((3,), "float32"), memory.empty((3,), "float32")
    assert {*memory.blocks()} == {block_of(first), block_of(second)}
    del first
    assert memory.blocks() == [block_of(second[1:])]


def test_an_array_of_the_host_is_in_no_block() -> None:
    assert block_of(np.zeros(3)[1:]) is None

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from gpucnn.errors import GpucnnError
from gpucnn.simulator import Module, SimulatorError
from simulator.sources import kernel, module, zeros

SHARED = """
#define MIB (1 << 20)
extern "C" __global__ void much(int* x)
{
    __shared__ int values[48 * 256 + 1];
    values[threadIdx.x] = 1;
    *x = values[0];
}
extern "C" __global__ void half(int* x)
{
    __shared__ int values[24 * 256];
    values[threadIdx.x] = 1;
    *x = values[0];
}
extern "C" __global__ void other_half(int* x)
{
    __shared__ int values[25 * 256];
    values[threadIdx.x] = 1;
    *x = values[0];
}
"""


def error_of(launch: Any, *arguments: Any, **more: Any) -> str:
    with pytest.raises(SimulatorError) as caught:
        launch(*arguments, **more)
    return str(caught.value)


def test_saxpy() -> None:
    source = """
    extern "C" __global__ void saxpy(float a, const float* x, float* y, long long n)
    {
        const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
        if (i < n) y[i] += a * x[i];
    }
    """
    x = np.arange(1000, dtype=np.float32)
    y = np.ones(1000, dtype=np.float32)
    saxpy = Module(source).get_function("saxpy")
    saxpy((4,), (256,), (np.float32(2), x, y, np.int64(x.size)))
    np.testing.assert_array_equal(y, 2 * x + 1)


def test_errors_are_of_the_package() -> None:
    assert issubclass(SimulatorError, GpucnnError)
    assert issubclass(SimulatorError, RuntimeError)


def test_unknown_kernel() -> None:
    assert error_of(module("language").get_function, "exp") == (
        "there is no kernel exp: choose one of the source's, by_macros, floats, doubles, integers, "
        "vectors, atomics, printing, values, parameters"
    )


def test_source_without_kernels() -> None:
    error = error_of(Module("int x;").get_function, "x")
    assert error == "there is no kernel x: choose one of the source's, none"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("kernels/saxpy.cu", "'kernels/saxpy.cu' is no CUDA C: give a file as pathlib.Path('"),
        ("missing.cuh", "'missing.cuh' is no CUDA C: give a file as pathlib.Path('missing.cuh')"),
        (3, "the source is of type int: give CUDA C as a string, or the path of a file of it as"),
        (b"int x;", "the source is of type bytes: give CUDA C as a string, or the path of a file"),
    ],
)
def test_what_is_no_source(source: Any, told: str) -> None:
    assert error_of(Module, source).startswith(told)


def test_a_single_name_expression_that_is_not_in_a_sequence() -> None:
    error = error_of(Module, "", name_expressions="f<float>")
    assert error == "name_expressions is 'f<float>': give a sequence of expressions, ['f<float>']"


@pytest.mark.parametrize("order", ["random", 1.5, None, []])
def test_unknown_order(order: Any) -> None:
    assert error_of(Module, "", order=order) == (
        f"the order {order!r} is not known: give forward, reversed, or a whole number as the seed "
        "of a shuffled one"
    )


@pytest.mark.parametrize(
    "grid", [(), (0,), (1, 65536), (1, 1, 65536), (2**31,), (1, 1, 1, 1), (1.5,), 8]
)
def test_grid_that_no_device_takes(grid: Any) -> None:
    assert error_of(kernel("language", "printing"), grid, (1,), (np.int32(1),)) == (
        f"printing is launched with a grid of {grid}: give 1 to 3 numbers from 1 to 2147483647, "
        "65535 and 65535"
    )


@pytest.mark.parametrize("block", [(), (0,), (1025,), (1, 1, 65), (1, 1, 1, 1)])
def test_block_that_no_device_takes(block: tuple[int, ...]) -> None:
    assert error_of(kernel("language", "printing"), (1,), block, (np.int32(1),)) == (
        f"printing is launched with a block of {block}: give 1 to 3 numbers from 1 to 1024, 1024 "
        "and 64"
    )


def test_block_of_too_many_threads() -> None:
    assert error_of(kernel("language", "printing"), (1,), (32, 33), (np.int32(1),)) == (
        "printing is launched with 1056 threads a block, and a device allows 1024: launch smaller "
        "blocks"
    )


def test_block_beyond_its_launch_bounds() -> None:
    out = zeros(17, np.uint8)
    assert error_of(kernel("language", "by_macros"), (1,), (17,), (out,)) == (
        "by_macros is launched with 17 threads a block, and its __launch_bounds__ allows 16: "
        "launch smaller blocks"
    )


def test_too_much_static_shared_memory() -> None:
    assert error_of(Module(SHARED).get_function("much"), (1,), (1,), (zeros(1),)) == (
        "much has 49156 bytes of static shared memory, and a device allows 49152: make its arrays "
        "smaller"
    )


@pytest.mark.parametrize("name", ["half", "other_half"])
def test_static_shared_memory_is_counted_by_kernel(name: str) -> None:
    x = zeros(1)
    Module(SHARED).get_function(name)((1,), (1,), (x,))
    assert x == 1


def test_most_dynamic_shared_memory() -> None:
    half = Module(SHARED).get_function("half")
    half((1,), (1,), (zeros(1),), shared_mem=(227 - 24) * 1024)
    assert error_of(half, (1,), (1,), (zeros(1),), shared_mem=(227 - 24) * 1024 + 1) == (
        "half is launched with 207873 bytes of dynamic shared memory, and a device has 232448, "
        "24576 of them for its static arrays: launch it with less"
    )


def test_negative_dynamic_shared_memory() -> None:
    half = Module(SHARED).get_function("half")
    assert "half is launched with -1 bytes" in error_of(
        half, (1,), (1,), (zeros(1),), shared_mem=-1
    )


@pytest.mark.parametrize("order", ["forward", "reversed", 3])
def test_chosen_blocks(order: Any) -> None:
    out = zeros(2 * 3 * 4 * 6)
    kernel("threads", "indices", order)((2, 3, 4), (1,), (out,), blocks=[23, 0, 8])
    indices = out.reshape(24, 6)
    assert indices[[0, 8, 23], 3:].tolist() == [[0, 0, 0], [0, 1, 1], [1, 2, 3]]
    assert not indices[np.setdiff1d(np.arange(24), [0, 8, 23])].any()


def test_no_blocks() -> None:
    out = zeros(6)
    kernel("threads", "indices")((1,), (1,), (out,), blocks=[])
    assert not out.any()


@pytest.mark.parametrize("block", [-1, 24])
def test_blocks_outside_of_the_grid(block: int) -> None:
    error = error_of(kernel("threads", "indices"), (2, 3, 4), (1,), (zeros(6),), blocks=[0, block])
    assert error == f"indices has no block {block} in a grid of 24: give indices from 0 to 23"


def test_blocks_at_the_far_end_of_a_large_array() -> None:
    size = 2**32 + 5
    x = np.zeros(size, np.int8)  # pages are committed on first write
    grid = -(-size // 256)
    kernel("threads", "far")((grid,), (256,), (x, np.int64(size)), blocks=[0, grid - 1])
    assert [*x[:257], *x[-6:]] == [7] * 256 + [0] + [0] + [7] * 5


def test_launches_from_several_threads() -> None:
    def launch(i: int) -> bool:
        x = np.arange(256, dtype=np.float32) + i
        kernel("threads", "reverse", i % 2)((1,), (256,), (x,), shared_mem=1024)
        return bool((x == np.arange(256)[::-1] + i).all())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(launch, range(40)))


FORKING = """
import os, sys, threading
import numpy as np
from gpucnn.simulator import Module

source = '''
extern "C" __global__ void reverse(float* x)
{
    const float mine = x[threadIdx.x];
    __syncthreads();
    x[blockDim.x - 1 - threadIdx.x] = mine;
}
'''
reverse = Module(source).get_function("reverse")
ended = threading.Event()

def launch_on_and_on():
    x = np.zeros(256, np.float32)
    while not ended.is_set():
        reverse((2000,), (256,), (x,))

thread = threading.Thread(target=launch_on_and_on)
thread.start()
for _ in range(10):
    child = os.fork()
    if child == 0:
        x = np.arange(256, dtype=np.float32)
        reverse((1,), (256,), (x,))
        os._exit(int((x != np.arange(256)[::-1]).any()))
    _, status = os.waitpid(child, 0)
    assert status == 0
ended.set()
thread.join()
"""


def test_launches_in_a_child_forked_while_another_thread_launches() -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKING], check=True, timeout=60)

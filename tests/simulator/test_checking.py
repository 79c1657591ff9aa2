import os
import re
import signal
import subprocess
import sys
import threading
import time
from functools import cache
from typing import Any

import numpy as np
import pytest

from gpucnn.simulator import LaunchError, Module, Order
from simulator.sources import COMPILERS, FOLDER, kernel, line, module, zeros

PLANTED = (FOLDER / "planted.cu").read_text()

# The sizes of the grid, of `y`, and of dynamic shared memory, and the number `n`, of those that are
# not as the rest: of 1 block, of 128 elements, without any, and 5.
LAUNCHES: dict[str, dict[str, Any]] = {
    "sum_of_blocks": {"grid": 2},
    "count_of_blocks": {"grid": 2},
    "blocks_overlap": {"grid": 2},
    "halo_of_another_block": {"grid": 2},
    "last_block_without_fence": {"grid": 2},
    "counter_without_atomic": {"grid": 2},
    "atomic_and_plain": {"grid": 2},
    "flag_between_blocks": {"grid": 2},
    "no_bounds_check": {"grid": 2},
    "one_too_many": {"n": 128},
    "read_beyond": {"n": 128},
    "rows_and_columns_swapped": {"y": 100},
    "wider_type": {"grid": 2},
    "beyond_a_view": {"y": slice(32, 96)},
    "before_a_view": {"y": slice(32, 96)},
    "atomic_beyond": {"n": 100},
    "too_little_shared_mem": {"shared_mem": 128},
    "shared_mem_in_elements": {"shared_mem": 64},
    "kept_from_another_block": {"grid": 2},
    "null_array": {"x": None},
    "null_output": {"y": None},
}


@cache
def planted(compiler: str) -> Module:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXX", compiler)
        return Module(FOLDER / "planted.cu")


def launch(compiler: str, name: str) -> None:
    changes = LAUNCHES.get(name, {})
    declared = re.search(rf"^KERNEL {name}\((.*)\)$", PLANTED, re.MULTILINE)
    assert declared is not None
    size = changes.get("y", 128)
    part = size if isinstance(size, slice) else slice(None)
    arguments = {
        "const float* x": changes.get("x", np.arange(1, 129, dtype=np.float32)),
        "float* y": None if size is None else np.zeros(96 if size == part else size, "f4")[part],
        "int* i": np.zeros(128, np.int32),
        "unsigned char* bytes": np.zeros(128, np.uint8),
        "int n": np.int32(changes.get("n", 5)),
    }
    chosen = [arguments[each] for each in declared[1].split(", ")]
    shared_mem = changes.get("shared_mem", 0)
    grid = (changes.get("grid", 1),)
    planted(compiler).get_function(name)(grid, (64,), chosen, shared_mem=shared_mem)


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", re.findall(r"^KERNEL (\w+)", PLANTED, re.MULTILINE))
def test_planted_fault_is_reported_with_its_line(name: str, compiler: str) -> None:
    with pytest.raises(LaunchError) as caught:
        launch(compiler, name)
    assert str(caught.value).startswith(f"{name}, block (")
    assert line("planted", name) in str(caught.value)


@pytest.mark.parametrize("order", ["forward", "reversed", 1, 2])
def test_correct_kernels_are_not_accused(order: Order) -> None:
    x, y = np.ones(64, np.float32), np.zeros(3 * 64, np.float32)
    total, count = np.zeros(1, np.float32), zeros(1)
    correct = module("faults", order)
    correct.get_function("correct")((3,), (64,), (x, y, total, count), shared_mem=256)
    assert (y == 32).all()
    arguments = np.zeros(3, np.float32), total
    correct.get_function("last_block")((3,), (32,), arguments, shared_mem=4)
    assert total == 3


ALLOWED = """
extern "C" __global__ void flag(int* found, int n)
{
    if (threadIdx.x % n == 0) *found = 1;  // the same by all
}
extern "C" __global__ void bytes(unsigned char* bytes, int n)
{
    bytes[threadIdx.x] = n;  // four of a word by different threads
}
extern "C" __global__ void in_bytes(int* numbers, int n)
{
    ((unsigned char*)numbers)[threadIdx.x] = n;
}
extern "C" __global__ void row(int* numbers, int n)
{
    __shared__ int rows[2][64];
    for (int i = 0; i < 8; i++) {
        rows[i % 2][threadIdx.x] = i;
        __syncthreads();
        numbers[threadIdx.x] = rows[i % 2][63 - threadIdx.x];
    }
}
extern "C" __global__ void tree(int* numbers, int n)
{
    __shared__ int sums[64];
    sums[threadIdx.x] = 1;
    __syncthreads();
    if (threadIdx.x < 32) sums[threadIdx.x] += sums[threadIdx.x + 32];
    for (int k = 16; k > 0; k /= 2) {
        if (threadIdx.x >= 2 * k) continue;
        __syncwarp((1ull << 2 * k) - 1);
        if (threadIdx.x < k) sums[threadIdx.x] += sums[threadIdx.x + k];
    }
    if (threadIdx.x == 0) numbers[0] = sums[0];
}
extern "C" __global__ void exchanged(int* numbers, int n)
{
    __shared__ int latest;
    atomicExch(&latest, n);  // the first to write it
    __syncthreads();
    numbers[threadIdx.x] = latest;
}
__device__ void add(float* sum, float x)
{
    int* bits = (int*)sum;
    int old = *bits, assumed;
    do {
        assumed = old;
        old = atomicCAS(bits, assumed, __float_as_int(__int_as_float(assumed) + x));
    } while (old != assumed);
}
extern "C" __global__ void compared(int* numbers, int n)
{
    __shared__ float sum;
    if (threadIdx.x == 0) sum = 0;
    __syncthreads();
    add(&sum, n);
    __syncthreads();
    if (threadIdx.x == 0) add((float*)numbers, sum);
}
extern "C" __global__ void locked(int* numbers, int n)
{
    while (atomicCAS(numbers + 1, 0, 1) != 0) {}
    numbers[0] += n;
    __threadfence();
    atomicExch(numbers + 1, 0);
}
"""


FIRST_OF_ALLOWED = {
    "flag": 1,
    "bytes": 3,
    "in_bytes": 0x03030303,
    "row": 7,
    "tree": 64,
    "exchanged": 3,
    "compared": np.float32(2 * 64 * 3).view(np.int32),
    "locked": 2 * 64 * 3,
}


@pytest.mark.parametrize("name", FIRST_OF_ALLOWED)
def test_what_is_allowed_is_not_accused(name: str) -> None:
    out = zeros(64, np.uint8 if name == "bytes" else np.int32)
    grid = (2 if name in ("flag", "compared", "locked") else 1,)
    Module(ALLOWED).get_function(name)(grid, (64,), (out, np.int32(3)))
    assert out[0] == FIRST_OF_ALLOWED[name]


ALLOCATING = """
extern "C" __global__ void sums(int* x, int n)
{
    int* numbers = threadIdx.x % 2 ? new int[8] : (int*)malloc(8 * sizeof(int));
    for (int i = 0; i < n; i++) numbers[i] = i;
    for (int i = 0; i < n; i++) x[threadIdx.x] += numbers[i];
    if (threadIdx.x % 2)
        delete[] numbers;
    else
        free(numbers);
}
__device__ int* kept;
extern "C" __global__ void keep(int* x, int n) { kept = (int*)malloc(4); *kept = n; }
extern "C" __global__ void release(int* x, int n) { x[0] = *kept; free(kept); }
extern "C" __global__ void late(int* x, int n) { x[0] = *kept; }
"""


@pytest.mark.parametrize("compiler", COMPILERS)
def test_allocations_of_threads(compiler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", compiler)
    allocating, x = Module(ALLOCATING), zeros(32)
    allocating.get_function("sums")((1,), (32,), (x, np.int32(8)))
    assert (x == 28).all()
    with pytest.raises(LaunchError, match=r"source\.cu:5"):
        allocating.get_function("sums")((1,), (32,), (x, np.int32(9)))
    for name in ("keep", "release"):
        allocating.get_function(name)((1,), (1,), (x, np.int32(5)))
    assert x[0] == 5
    with pytest.raises(LaunchError, match="reads"):
        allocating.get_function("late")((1,), (1,), (x, np.int32(5)))
    with pytest.raises(LaunchError, match="reads"):
        allocating.get_function("release")((1,), (1,), (x, np.int32(5)))


def test_numbers_of_64_bits_are_no_addresses() -> None:
    source = """
    extern "C" __global__ void count(unsigned long long* x) { x[threadIdx.x] = 1; }
    extern "C" __global__ void follow(float** x) { x[threadIdx.x][1] = 1; }
    """
    with pytest.raises(LaunchError, match="element 31 of argument 0"):
        Module(source).get_function("count")((1,), (32,), (zeros(31, np.uint64),))
    y = np.zeros((32, 2), np.float32)
    addresses = y.ctypes.data + 8 * np.arange(32, dtype=np.uint64)
    Module(source).get_function("follow")((1,), (32,), (addresses,))
    assert y[:, 1].all()


WITHOUT_POINTERS = """
#include <cuda_bf16.h>
struct Rgb { float red, green, blue; };
extern "C" __global__ void narrow(__nv_bfloat16* x) { x[threadIdx.x] = 1.0f; }
extern "C" __global__ void colour(Rgb* x) { x[threadIdx.x].blue = 1; }
extern "C" __global__ void vector(float* x, float4 y) { x[threadIdx.x] = y.w; }
extern "C" __global__ void factor(float* x, Rgb y) { x[threadIdx.x] = y.red; }
"""


@pytest.mark.parametrize(
    ("name", "dtype", "value"),
    [
        ("narrow", "V2", None),
        ("colour", "V12", None),
        ("vector", "f4", np.zeros((), "V16")[()]),
        ("factor", "f4", np.zeros((), "V12")[()]),
    ],
)
def test_structs_without_room_for_pointers_leave_arrays_bounded(
    name: str, dtype: str, value: Any
) -> None:
    x = np.zeros(33, dtype)
    arguments = (x[:31],) if value is None else (x[:31], value)
    with pytest.raises(LaunchError, match="element 31 of argument 0"):
        Module(WITHOUT_POINTERS).get_function(name)((1,), (32,), arguments)
    assert not x[31:].tobytes().strip(b"\0")


def test_both_lines_of_a_race() -> None:
    source = """
    extern "C" __global__ void race(float* y)
    {
        y[threadIdx.x] = 1;
        y[31 - threadIdx.x] += 1;
    }"""
    with pytest.raises(LaunchError) as caught:
        Module(source).get_function("race")((1,), (32,), (zeros(32, np.float32),))
    assert str(caught.value) == (
        "race, block (0, 0, 0): thread (16, 0, 0) writes at source.cu:4 what thread (15, 0, 0) "
        "read at source.cu:5, and no barrier is in between: have them call __syncthreads() or "
        "__syncwarp() there, or use an atomic operation"
    )


UNCHECKED = {"divided_by_zero": "divides an integer by zero", "null_array": "a null pointer"}


@pytest.mark.parametrize("name", UNCHECKED)
def test_unchecked_faults_that_the_processor_refuses(name: str) -> None:
    x = None if name == "null_array" else zeros(64)
    arguments = (x, zeros(64, np.float32), np.int32(5)) if x is None else (x, np.int32(5))
    with pytest.raises(LaunchError, match=UNCHECKED[name]) as caught:
        kernel("planted", name, checked=False)((1,), (64,), arguments)
    assert f"{name}, block (0, 0, 0): thread (" in str(caught.value)
    assert line("planted", name) in str(caught.value)


LARGE_FRAME = """extern "C" __global__ void large(int* x, int n)
{
    char numbers[700000];
    for (int i = 0; i < 700000; i += n) numbers[i] = i;
    __syncthreads();
    x[threadIdx.x] = numbers[n * threadIdx.x];
}"""


@pytest.mark.parametrize("checked", [True, False])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_frame_reaches_over_no_inaccessible_pages(
    compiler: str, checked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", compiler)
    large = Module(LARGE_FRAME, checked=checked).get_function("large")
    with pytest.raises(LaunchError, match="needs more than the 256 KB of its stack"):
        large((1,), (32,), (zeros(32), np.int32(7)))


SPINNING = """extern "C" __global__ void spin(int* x)
{
    x[1] = 1;
    while (*(volatile int*)x == 0);
}"""


def interrupt_once_written(x: "np.ndarray[Any, Any]") -> None:
    """Interrupt this process as Ctrl-C does, soon after x[1] was written."""
    while not x[1]:
        time.sleep(0.01)
    time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("checked", [True, False])
def test_spinning_kernel_is_interrupted(checked: bool) -> None:
    spin = Module(SPINNING, checked=checked).get_function("spin")
    handler = signal.getsignal(signal.SIGINT)
    x = zeros(2)
    interrupter = threading.Thread(target=interrupt_once_written, args=(x,))
    interrupter.start()
    with pytest.raises(KeyboardInterrupt, match=r"spin, .* was interrupted at source\.cu:4"):
        spin((1,), (32,), (x,))
    interrupter.join()
    assert signal.getsignal(signal.SIGINT) is handler
    spin((1,), (32,), (np.ones(2, np.int32),))


def test_faults_of_others_are_theirs() -> None:
    """A segmentation fault outside of a launch ends the process, as without the simulator."""
    program = """
import ctypes, signal
import numpy as np
from gpucnn.simulator import Module
Module('extern "C" __global__ void one(int* x) { *x = 1; }').get_function("one")(
    (1,), (1,), (np.zeros(1, np.int32),))
ctypes.string_at(0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert done.returncode == -signal.SIGSEGV

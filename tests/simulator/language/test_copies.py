"""Copies in the background, pipelines, and barriers with phases."""

from typing import Any

import numpy as np
import pytest

from gpucnn.simulator import LaunchError, Module, Order

SOURCES = {
    "functions": """
        __pipeline_memcpy_async(&tile[i], &x[i], 4);
        __pipeline_commit();
        __pipeline_memcpy_async(&tile[64 + i], &x[64 + i], 4, 2);
        __pipeline_commit();
        __pipeline_wait_prior(PRIOR);
        __syncthreads();
        out[i] = tile[i ^ 1];
        __pipeline_wait_prior(0);
        __syncthreads();
        out[64 + i] = tile[64 + (i ^ 1)] & 0xffff;""",
    "groups": """
        const cg::thread_block block = cg::this_thread_block();
        cg::memcpy_async(block, tile, x, 64 * sizeof(int));
        cg::memcpy_async(block, tile + 64, 64, x + 64, 70);
        cg::wait_prior<PRIOR>(block);
        out[i] = tile[i ^ 1];
        cg::wait(block);
        out[64 + i] = tile[64 + (i ^ 1)];""",
    "barrier": """
        __shared__ cuda::barrier<cuda::thread_scope_block> bar;
        const cg::thread_block block = cg::this_thread_block();
        if (i == 0) init(&bar, 64);
        __syncthreads();
        if (i < 32)
            cuda::memcpy_async(&tile[i], &x[i], cuda::aligned_size_t<4>(4), bar);
        else
            tile[i] = x[i];
        auto token = bar.arrive();
        if (WAIT == 1) bar.wait(cuda::std::move(token));
        out[i] = tile[i ^ 63];
        cuda::memcpy_async(block, tile + 64, x + 64, 64 * sizeof(int), bar);
        bar.arrive_and_wait();
        out[64 + i] = tile[64 + (i ^ 1)];""",
    "thread_pipeline": """
        auto pipe = cuda::make_pipeline();
        for (int k = 0; k < 2; k++) {
            pipe.producer_acquire();
            cuda::memcpy_async(&tile[64 * k + i], &x[64 * k + i], sizeof(int), pipe);
            pipe.producer_commit();
        }
        for (int k = 0; k < 2; k++) {
            if (WAIT == 1) pipe.consumer_wait();
            out[64 * k + i] = tile[64 * k + i];
            pipe.consumer_release();
        }""",
    "block_pipeline": """
        __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, 2> state;
        const cg::thread_block block = cg::this_thread_block();
        auto pipe = cuda::make_pipeline(block, &state);
        for (int k = 0; k < 5; k++) {
            if (k < 4) {
                pipe.producer_acquire();
                cuda::memcpy_async(
                    block, tile + k % 2 * 64, x + k * 16, cuda::aligned_size_t<16>(64), pipe);
                pipe.producer_commit();
            }
            if (k == 0) continue;
            if (WAIT == 1) pipe.consumer_wait();
            if (i < 16) out[(k - 1) * 16 + i] = tile[(k - 1) % 2 * 64 + (i ^ 1)];
            pipe.consumer_release();
        }""",
    "roles": """
        __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, 2> state;
        const auto role = i < 32 ? cuda::pipeline_role::producer : cuda::pipeline_role::consumer;
        auto pipe = cuda::make_pipeline(cg::this_thread_block(), &state, role);
        for (int k = 0; k < 4; k++) {
            int* stage = tile + k % 2 * 64;
            if (i < 32) {
                pipe.producer_acquire();
                cuda::memcpy_async(&stage[i], &x[k * 32 + i], 4, pipe);
                pipe.producer_commit();
            } else {
                if (WAIT == 1) pipe.consumer_wait();
                out[k * 32 + i - 32] = stage[(i - 32) ^ 1];
                pipe.consumer_release();
            }
        }""",
    "mbarrier": """
        __shared__ __mbarrier_t bar;
        if (i == 0) __mbarrier_init(&bar, 64);
        __syncthreads();
        for (int k = 0; k < 2; k++) {
            tile[64 * k + i] = x[64 * k + i];
            const auto token = __mbarrier_arrive(&bar);
            if (WAIT == 1)
                while (!__mbarrier_test_wait(&bar, token)) {}
            out[64 * k + i] = tile[64 * k + (i ^ 1)];
        }""",
}


INCLUDES = """
#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
#include <cuda/barrier>
#include <cuda/pipeline>
#include <cuda_awbarrier_primitives.h>
#include <cuda_pipeline.h>
namespace cg = cooperative_groups;
"""
KERNELS = INCLUDES + "".join(
    f"""
    extern "C" __global__ void {name}(const int* x, int* out)
    {{
        __shared__ alignas(16) int tile[128];
        const int i = threadIdx.x;
        {body}
    }}"""
    for name, body in SOURCES.items()
)
WAITING, NOT_WAITING = ("-DWAIT=1", "-DPRIOR=1"), ("-DWAIT=0", "-DPRIOR=2")


LANE = np.arange(64)
EXPECTED: dict[str, list[Any]] = {
    "functions": [LANE ^ 1, 64 + (LANE ^ 1)],
    "groups": [LANE ^ 1, 64 + (LANE ^ 1)],
    "barrier": [LANE ^ 63, 64 + (LANE ^ 1)],
    "thread_pipeline": [LANE, 64 + LANE],
    "block_pipeline": [LANE ^ 1, np.zeros(64)],
    "roles": [LANE ^ 1, 64 + (LANE ^ 1)],
    "mbarrier": [LANE ^ 1, 64 + (LANE ^ 1)],
}


def run(module: Module, name: str) -> list[int]:
    out = np.zeros(128, np.int32)
    module.get_function(name)((1,), (64,), (np.arange(134, dtype=np.int32), out))
    return out.tolist()


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("checked", [True, False])
@pytest.mark.parametrize("order", ["forward", "reversed", 1])
def test_they_arrive_where_they_are_waited_for(
    compiler: str, checked: bool, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", compiler)
    module = Module(KERNELS, WAITING, order=order, checked=checked)
    for name, expected in EXPECTED.items():
        assert run(module, name) == np.concatenate(expected).tolist(), name


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("order", ["forward", "reversed"])
def test_a_missing_wait_is_found(name: str, order: Order) -> None:
    found = "that no thread of the block has written|no barrier is in|waits in pipeline::"
    with pytest.raises(LaunchError, match=found):
        run(Module(KERNELS, NOT_WAITING, order=order), name)


@pytest.mark.parametrize("name", ["functions", "groups", "barrier", "thread_pipeline"])
def test_unchecked_a_missing_wait_gives_what_was_not_copied(name: str) -> None:
    found = run(Module(KERNELS, NOT_WAITING, checked=False), name)
    assert -1 in found or 0xFFFF in found


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("bar.arrive_and_wait();", "for 1 of 33 arrivals, and all others wait too"),
        ("bar.arrive(30);", "arrives 30 times in .* expects 3 of 33 more"),
        (
            "__pipeline_memcpy_async(x, x + 4, 12);",
            "copies a number of bytes that is none of 4, 8 and 16",
        ),
        ("__pipeline_memcpy_async(x, x + 1, 16);", "has an address that is no multiple"),
        (
            "__pipeline_memcpy_async(x, x + 300, 4);",
            "reads at source.cu:9 element 300 of argument 0",
        ),
    ],
)
def test_faults(statement: str, message: str) -> None:
    module = Module(f"""
    #include <cuda/barrier>
    #include <cuda_pipeline.h>
    extern "C" __global__ void faulty(int* x)
    {{
        __shared__ cuda::barrier<cuda::thread_scope_block> bar;
        if (threadIdx.x == 0) init(&bar, 33);
        __syncthreads();
        {statement}
    }}""")
    with pytest.raises(LaunchError, match=message):
        module.get_function("faulty")((1,), (32,), (np.zeros(64, np.int32),))

"""CUB's collectives of a block and of a warp, against NumPy."""

import numpy as np
import pytest

from gpucnn.simulator import LaunchError, Module, Order

SOURCE = """
#include <cub/block/block_reduce.cuh>
#include <cub/block/block_scan.cuh>
#include <cub/block/block_load.cuh>
#include <cub/block/block_store.cuh>
#include <cub/block/block_radix_sort.cuh>
#include <cub/warp/warp_reduce.cuh>
#include <cub/warp/warp_scan.cuh>
struct Largest {
    __device__ int operator()(const int& a, const int& b) const { return a < b ? b : a; }
};
extern "C" __global__ void reduce(const int* x, int* out)
{
    using Reduce = cub::BlockReduce<int, 16, cub::BLOCK_REDUCE_WARP_REDUCTIONS, 4>;
    __shared__ typename Reduce::TempStorage storage;
    const int i = threadIdx.x + 16 * threadIdx.y;
    const int sum = Reduce(storage).Sum(x[i]);
    __syncthreads();
    const int most = Reduce(storage).Reduce(x[i], Largest());
    __syncthreads();
    const int first = Reduce(storage).Sum(x[i], 10);
    __syncthreads();
    int items[2] = {x[i], 2 * x[i]};
    const int all = Reduce(storage).Sum(items);
    if (i == 0) out[0] = sum, out[1] = most, out[2] = first, out[3] = all;
    if (i == 1) out[4] = sum;
    using WarpReduce = cub::WarpReduce<int, 8>;
    __shared__ typename WarpReduce::TempStorage eights[8];
    const int of_eight = WarpReduce(eights[i / 8]).Sum(x[i]);
    if (i % 8 == 0) out[8 + i / 8] = of_eight;
}
extern "C" __global__ void scan(const int* x, int* out)
{
    using Scan = cub::BlockScan<int, 64>;
    __shared__ typename Scan::TempStorage storage;
    const int i = threadIdx.x;
    int total, result;
    Scan(storage).InclusiveSum(x[i], out[i], total);
    __syncthreads();
    Scan(storage).ExclusiveScan(x[i], out[64 + i], -5, Largest());
    __syncthreads();
    int items[2] = {x[2 * i], x[2 * i + 1]};
    Scan(storage).ExclusiveSum(items, items);
    out[128 + 2 * i] = items[0], out[129 + 2 * i] = items[1];
    using WarpScan = cub::WarpScan<int>;
    __shared__ typename WarpScan::TempStorage warps[2];
    WarpScan(warps[i / 32]).InclusiveSum(x[i], result);
    out[256 + i] = result, out[320 + i] = total;
}
template <typename Key> __device__ void sort(const Key* x, Key* out, int* places, int n)
{
    using Load = cub::BlockLoad<Key, 32, 3, cub::BLOCK_LOAD_TRANSPOSE>;
    using Store = cub::BlockStore<int, 32, 3, cub::BLOCK_STORE_WARP_TRANSPOSE>;
    using Sort = cub::BlockRadixSort<Key, 32, 3, int>;
    __shared__ typename Load::TempStorage loading;
    __shared__ typename Store::TempStorage storing;
    __shared__ typename Sort::TempStorage sorting;
    Key keys[3];
    int items[3];
    for (int i = 0; i < 3; i++) items[i] = 3 * threadIdx.x + i;
    Load(loading).Load(x, keys, n, Key(7));
    Sort(sorting).Sort(keys, items);
    Store(storing).Store(places, items);
    for (int i = 0; i < 3; i++) out[3 * threadIdx.x + i] = keys[i];
    __syncthreads();
    Load(loading).Load(x, keys, n, Key(7));
    using SortKeys = cub::BlockRadixSort<Key, 32, 3>;
    __shared__ typename SortKeys::TempStorage sorting_keys;
    SortKeys(sorting_keys).SortDescendingBlockedToStriped(keys);
    for (int i = 0; i < 3; i++) out[96 + 32 * i + threadIdx.x] = keys[i];
}
extern "C" __global__ void sort_floats(const float* x, float* out, int* places, int n)
{
    sort(x, out, places, n);
}
extern "C" __global__ void sort_integers(const int* x, int* out, int* places, int n)
{
    sort(x, out, places, n);
}
extern "C" __global__ void no_barrier(const int* x, int* out)
{
    using Reduce = cub::BlockReduce<int, 64>;
    __shared__ typename Reduce::TempStorage storage;
    const int sum = Reduce(storage).Sum(x[threadIdx.x]);
    const int twice = Reduce(storage).Sum(2 * x[threadIdx.x]);
    if (threadIdx.x == 0) out[0] = sum + twice;
}
"""
X = np.random.default_rng(0).integers(-50, 50, 128).astype(np.int32)


@pytest.mark.parametrize("order", ["forward", "reversed", 1])
def test_reductions(order: Order) -> None:
    out = np.zeros(16, np.int32)
    Module(SOURCE, order=order).get_function("reduce")((1,), (16, 4), (X, out))
    x = X[:64]
    assert out[:5].tolist() == [x.sum(), x.max(), x[:10].sum(), 3 * x.sum(), -1]
    assert out[8:].tolist() == x.reshape(8, 8).sum(axis=1).tolist()


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_scans(compiler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", compiler)
    out = np.zeros(384, np.int32)
    Module(SOURCE, order="reversed").get_function("scan")((1,), (64,), (X, out))
    x = X[:64]
    np.testing.assert_array_equal(out[:64], np.cumsum(x))
    largest = np.maximum.accumulate([-5, *x[:-1]])
    np.testing.assert_array_equal(out[64:128], largest)
    np.testing.assert_array_equal(out[128:256], np.cumsum(X) - X)
    np.testing.assert_array_equal(out[256:320].reshape(2, 32), np.cumsum(x.reshape(2, 32), axis=1))
    assert (out[320:] == x.sum()).all()


@pytest.mark.parametrize("name", ["sort_floats", "sort_integers"])
def test_sorts(name: str) -> None:
    x = X[:90].astype(np.float32 if name == "sort_floats" else np.int32)
    if name == "sort_floats":
        x[3], x[5] = -0.0, 0
    out, places = np.zeros(192, x.dtype), np.zeros(96, np.int32)
    Module(SOURCE).get_function(name)((1,), (32,), (x, out, places, np.int32(90)))
    padded = np.concatenate([x, np.full(6, 7, x.dtype)])
    order = np.argsort(padded, kind="stable")
    np.testing.assert_array_equal(places, order)
    np.testing.assert_array_equal(out[:96], padded[order])
    np.testing.assert_array_equal(out[96:], np.sort(padded)[::-1])


def test_a_missing_barrier_is_found() -> None:
    no_barrier = Module(SOURCE).get_function("no_barrier")
    with pytest.raises(LaunchError, match=r"writes at source.cu:85 .*and no barrier is in between"):
        no_barrier((1,), (64,), (X, np.zeros(1, np.int32)))

"""Products of small matrices by a warp, against NumPy's."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from gpucnn.simulator import LaunchError, Module

CASES = {
    "halves": ("__half", "__half", "float", (16, 16, 16)),
    "halves_only": ("__half", "__half", "__half", (32, 8, 16)),
    "bfloats": ("__nv_bfloat16", "__nv_bfloat16", "float", (8, 32, 16)),
    "floats": ("precision::tf32", "float", "float", (16, 16, 8)),
    "doubles": ("double", "double", "double", (8, 8, 4)),
    "bytes": ("signed char", "signed char", "int", (16, 16, 16)),
    "unsigned_bytes": ("unsigned char", "unsigned char", "int", (8, 32, 16)),
}
KERNELS = "#include <mma.h>\nusing namespace nvcuda::wmma;\n" + "".join(
    f"""
    extern "C" __global__ void {name}(
        const {storage}* a, const {storage}* b, const {sum_type}* c, {sum_type}* out)
    {{
        fragment<matrix_a, {m}, {n}, {k}, {type_name}, row_major> left;
        fragment<matrix_b, {m}, {n}, {k}, {type_name}, col_major> right;
        fragment<accumulator, {m}, {n}, {k}, {sum_type}> sum;
        load_matrix_sync(left, a, {k});
        load_matrix_sync(right, b, {k});
        load_matrix_sync(sum, c, {n}, mem_row_major);
        for (int i = 0; i < left.num_elements; i++) left.x[i] = left.x[i] + left.x[i];
        for (int i = 0; i < 2; i++) mma_sync(sum, left, right, sum);
        store_matrix_sync(out, sum, {m}, mem_col_major);
    }}"""
    for name, (type_name, storage, sum_type, (m, n, k)) in CASES.items()
)
FAULTS = """
#include <mma.h>
using namespace nvcuda::wmma;
extern "C" __global__ void unaligned(half* x, int offset, int stride)
{
    fragment<accumulator, 16, 16, 16, half> sum;
    fill_fragment(sum, 1.0f);
    store_matrix_sync(x + offset, sum, stride, mem_row_major);
}
"""


def numbers(rng: np.random.Generator, storage: str, shape: tuple[int, int]) -> Any:
    if "char" in storage:
        dtype = np.uint8 if "unsigned" in storage else np.int8
        info = np.iinfo(dtype)
        return rng.integers(info.min // 2, info.max // 2, shape).astype(dtype)
    x = rng.standard_normal(shape)
    if storage == "__nv_bfloat16":
        return (x.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).view("V2")
    return x.astype({"__half": "f2", "float": "f4", "double": "f8"}[storage])


def values(x: Any) -> npt.NDArray[np.float64]:
    if x.dtype == "V2":
        x = (x.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    if x.dtype == np.float32:
        x = (x.view(np.uint32) & ~np.uint32(0x1FFF)).view(np.float32)  # as many bits as tf32 has
    found: npt.NDArray[np.float64] = x.astype(np.float64)
    return found


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("name", CASES)
def test_products(name: str, compiler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", compiler)
    _, storage, sum_type, (m, n, k) = CASES[name]
    rng = np.random.default_rng(0)
    a, b = numbers(rng, storage, (m, k)), numbers(rng, storage, (n, k))
    dtype = {"__half": "f2", "float": "f4", "double": "f8", "int": "i4"}[sum_type]
    c, out = rng.integers(-9, 9, (m, n)).astype(dtype), np.zeros((n, m), dtype)
    Module(KERNELS, order="reversed").get_function(name)((1,), (32,), (a, b, c, out))
    doubled = values((a + a).astype(a.dtype)) if a.dtype != "V2" else 2 * values(a)
    expected = 2 * doubled @ values(b).T + c
    # Each of the 2k + 1 sums is rounded once, to a part of the sum of sizes; halves are twice.
    sizes = 2 * abs(doubled) @ abs(values(b)).T + abs(c)
    epsilon = np.finfo(dtype).eps if dtype[0] == "f" else 0
    count = 4 if dtype == "f2" else 2 * k + 1
    assert (abs(out.T - expected) <= count * epsilon * sizes).all()


@pytest.mark.parametrize(
    ("offset", "stride", "message"),
    [
        (4, 16, "store_matrix_sync at source.cu:8 has an address that is no multiple of 16 bytes"),
        (0, 12, "has rows that are no multiple of 16 bytes apart"),
        (16, 16, "writes at source.cu:8 element 256 of argument 0"),
    ],
)
def test_faults(offset: int, stride: int, message: str) -> None:
    unaligned = Module(FAULTS).get_function("unaligned")
    x = np.zeros(256, np.float16)
    with pytest.raises(LaunchError, match=message):
        unaligned((1,), (32,), (x, np.int32(offset), np.int32(stride)))

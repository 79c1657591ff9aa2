"""The names of kernels and variables, which are those that NVRTC gives and CuPy looks for."""

import re
from typing import Any

import numpy as np
import pytest

from gpucnn.simulator import Module, SimulatorError
from simulator.sources import zeros

SOURCE = r"""
__constant__ float factors[2] = {1, 2}, last = 5;
__device__ int count;
namespace mine {
__device__ long long wide[3][4];
template <typename T, int n> __global__ void __launch_bounds__(n) reverse(T* x)
{
    __shared__ T tile[n], rest[2];
    tile[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = tile[n - 1 - threadIdx.x];
}
template <typename T> __device__ T square(T x)
{
    __shared__ T result;
    result = x * x;
    return result;
}
__global__ void cube(int* x)
{
    *x *= square(*x);
}
}
__global__ void add(float* x, float a)
{
    *x += a * factors[1];
    count++;
}
__global__ void add(int* x)
{
    *x += 1;
}
extern "C" {
__global__ void plain(int* x)
{
    __shared__ union { int whole; float real; } both;
    both.whole = 3;
    *x = both.whole;
}
}
static __global__ void hidden(int* x)
{
    *x = 9;
}
template <typename T> __global__ void sign(T* x)
{
    *x = *x < 0 ? -1 : 1;
}
template <> __global__ void sign<unsigned>(unsigned* x)
{
    *x = 1;
}
template __global__ void mine::reverse<double, 4>(double*);
"""
EXPRESSIONS = ("mine::reverse<float, 8>", "sign<int>", "hidden", "&mine::cube", "mine::wide")


@pytest.fixture(scope="module")
def module() -> Module:
    return Module(SOURCE, name_expressions=EXPRESSIONS)


def run(module: Module, name: str, value: Any, *more: Any) -> Any:
    x = np.array([value])
    module.get_function(name)((1,), (1,), (x, *more))
    return x[0]


def test_name_expressions(module: Module) -> None:
    x = np.arange(8, dtype=np.float32)
    module.get_function("mine::reverse<float, 8>")((1,), (8,), (x,))
    assert x.tolist() == [7, 6, 5, 4, 3, 2, 1, 0]
    assert run(module, "sign<int>", np.int32(-7)) == -1
    assert run(module, "hidden", np.int32(0)) == 9
    assert run(module, "&mine::cube", np.int32(3)) == 27


def test_symbols(module: Module) -> None:
    assert run(module, "plain", np.int32(0)) == 3
    assert run(module, "_Z3addPff", np.float32(1), np.float32(4)) == 9
    assert run(module, "_Z3addPi", np.int32(1)) == 2
    assert run(module, "_ZN4mine4cubeEPi", np.int32(2)) == 8
    assert run(module, "_Z4signIiEvPT_", np.int32(5)) == 1  # instantiated by an expression
    assert run(module, "_Z4signIjEvPT_", np.uint32(0)) == 1  # a specialisation
    x = np.arange(4.0)
    module.get_function("_ZN4mine7reverseIdLi4EEEvPT_")((1,), (4,), (x,))
    assert x.tolist() == [3, 2, 1, 0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "add",
            'the kernel add is not declared extern "C", so a device knows it as _Z3addPff: declare '
            "it extern \"C\", or give 'add' among the name_expressions",
        ),
        ("_ZL6hiddenPi", "there is no kernel _ZL6hiddenPi: choose one of the source's, _ZN4mine"),
        (
            "mine::reverse<float,8>",
            "mine::reverse is a template, whose kernels are those of the name_expressions: give "
            "'mine::reverse<float,8>' among them, and ask for it as it is written there",
        ),
        (
            "sign",
            "sign is a template, whose kernels are those of .*: give 'sign<float>' among them",
        ),
        ("mine::other<int>", "there is no kernel mine::other<int>: choose one of the source's, "),
    ],
)
def test_names_that_are_not_there(module: Module, name: str, message: str) -> None:
    with pytest.raises(SimulatorError) as caught:
        module.get_function(name)
    assert re.match(message, str(caught.value))


def test_variables(module: Module) -> None:
    assert module.get_global("factors").view(np.float32).tolist() == [1, 2]
    assert module.get_global("last").view(np.float32) == 5
    module.get_global("factors").view(np.float32)[1] = 10
    before = module.get_global("count").view(np.int32)[0]
    assert run(module, "_Z3addPff", np.float32(1), np.float32(4)) == 41
    module.get_global("factors").view(np.float32)[1] = 2  # as other tests expect it
    assert module.get_global("count").view(np.int32) == before + 1
    assert module.get_global("mine::wide").size == module.get_global("_ZN4mine4wideE").size == 96
    with pytest.raises(SimulatorError, match=r"^there is no variable none: choose one of the"):
        module.get_global("none")


def test_static_shared_memory_of_each_kernel(module: Module) -> None:
    sizes = {
        name: module.get_function(name).attributes["shared_size_bytes"]
        for name in ("mine::reverse<float, 8>", "_ZN4mine7reverseIdLi4EEEvPT_", "plain", "hidden")
    }
    assert list(sizes.values()) == [10 * 4, 6 * 8, 4, 0]


def test_shared_memory_of_templates_and_functions_begins_as_nan() -> None:
    source = """
    template <typename T> __device__ T first()
    {
        __shared__ T values[2];
        const T old = values[0];
        values[0] = 1;
        return old;
    }
    template <typename T> __global__ void firsts(T* x)
    {
        x[blockIdx.x] = first<T>();
    }
    """
    x = zeros(3, np.float32)
    module = Module(source, name_expressions=["firsts<float>"], checked=False)
    module.get_function("firsts<float>")((3,), (1,), (x,))
    assert np.isnan(x).all()


def test_expression_that_names_nothing() -> None:
    with pytest.raises(SimulatorError, match=r"^the name expression no<int>:1: "):
        Module(SOURCE, name_expressions=["no<int>"])

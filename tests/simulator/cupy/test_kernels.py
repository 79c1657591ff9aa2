"""RawKernel and RawModule: what CuPy passes, refuses, and is asked for."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpucnn.simulator.cupy.kernels.orders import in_order

SCALE = """
#ifndef FACTOR
#define FACTOR a
#endif
extern "C" __global__ void scale(const float* x, float* out, int n, float a)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = FACTOR * x[i];
}
extern "C" __global__ void last(int* out)
{
    extern __shared__ int values[];
    if (threadIdx.x == 0) values[0] = -1;
    __syncthreads();
    atomicExch(&values[0], threadIdx.x);
    __syncthreads();
    if (threadIdx.x == 0) out[0] = values[0];
}
extern "C" __global__ void through(const float** tables, float* out)
{
    out[threadIdx.x] = tables[threadIdx.x][1];
}
"""


@pytest.fixture
def scale(cupy: Any) -> Any:
    return cupy.RawModule(code=SCALE).get_function("scale")


def test_a_kernel_runs(cupy: Any) -> None:
    x = cupy.arange(6, dtype=cupy.float32)
    out = cupy.empty_like(x)
    kernel = cupy.RawKernel(SCALE, "scale", options=("-DFACTOR=7", "--use_fast_math"))
    kernel((1,), (32,), (x, out, 6, np.float32(2)))
    assert out.get().tolist() == [0, 7, 14, 21, 28, 35]


def test_blocks_wait_for_each_other_if_that_is_enabled(cupy: Any) -> None:
    source = """
    #include <cooperative_groups.h>
    extern "C" __global__ void sum(const int* x, int* y)
    {
        y[blockIdx.x] = x[blockIdx.x];
        cooperative_groups::this_grid().sync();
        if (blockIdx.x == 0) for (int i = 1; i < gridDim.x; i++) y[0] += y[i];
    }
    """
    x, y = cupy.arange(9, dtype=cupy.int32), cupy.zeros(9, cupy.int32)
    kernel = cupy.RawKernel(source, "sum", enable_cooperative_groups=True)
    kernel((9,), (1,), (x, y))
    assert y[0] == 36
    module = cupy.RawModule(code=source, enable_cooperative_groups=True)
    module.get_function("sum")((9,), (1,), (x, y))
    with pytest.raises(RuntimeError, match="launch it cooperatively"):
        kernel((9,), (1,), (x, y), enable_cooperative_groups=False)


def test_a_python_int_is_a_whole_number_of_any_size(cupy: Any, scale: Any) -> None:
    x = cupy.ones(3, dtype=cupy.float32)
    for n in (2, np.int64(2), np.uint32(2), np.array(2)):
        out = cupy.zeros_like(x)
        scale((1,), (4,), (x, out, n, np.float32(3)))
        assert out.get().tolist() == [3, 3, 0]


@pytest.mark.parametrize(
    ("n", "a", "message"),
    [
        (2, 3.0, "argument 3 of scale is 3.0, which is passed as float64, and .* float: give "),
        (2, 3, "argument 3 of scale is 3, which is passed as int64"),
        (2, np.float64(3), "argument 3 .* passed as float64"),
        (2.0, np.float32(3), "argument 2 of scale is 2.0"),
        (np.int16(2), np.float32(3), "argument 2 .* passed as int16"),
        (2**40, np.float32(3), "argument 2 of scale is 1099511627776"),
        (True, np.float32(3), "argument 2 of scale is True, which is passed as bool"),
    ],
)
def test_other_bytes_than_the_parameter_has_are_refused(
    cupy: Any, scale: Any, n: Any, a: Any, message: str
) -> None:
    x = cupy.ones(3, dtype=cupy.float32)
    with pytest.raises(cupy.cuda.driver.CUDADriverError, match=message):
        scale((1,), (4,), (x, x, n, a))


def test_strides_and_dtypes_are_ignored(cupy: Any, scale: Any) -> None:
    x = cupy.arange(6, dtype=cupy.float32).reshape(2, 3)
    out = cupy.zeros(6, dtype=cupy.float32)
    scale((1,), (8,), (x.T, out, 6, np.float32(1)))
    assert out.get().tolist() == [0, 1, 2, 3, 4, 5]  # as if it was `x`
    scale((1,), (8,), (x[:, 1], out, 4, np.float32(1)))
    assert out.get().tolist() == [1, 2, 3, 4, 4, 5]
    scale((1,), (8,), (x.view(cupy.int32), out, 2, np.float32(1)))
    assert out.get().tolist()[:2] == [0, 1]


def test_arguments_of_other_types(cupy: Any, scale: Any) -> None:
    x = cupy.ones(3, dtype=cupy.float32)
    for wrong, message in (
        (np.ones(3, np.float32), "^You are trying to pass a numpy.ndarray of shape"),
        ("text", "argument 0 of scale is 'text'"),
        ([1], r"argument 0 of scale is \[1\]"),
    ):
        with pytest.raises((TypeError, RuntimeError), match=message):
            scale((1,), (4,), (wrong, x, 1, np.float32(1)))
    with pytest.raises(TypeError, match=r"^Unsupported type <class 'str'>"):
        scale((1,), (4,), (x, x, "1", np.float32(1)))
    with pytest.raises(RuntimeError, match=r"given 1 arguments and takes 4"):
        scale((1,), (4,), (x,))
    with pytest.raises(TypeError, match=r"^Argument 'grid' has incorrect type \(expected tuple"):
        scale(1, (4,), (x, x, 1, np.float32(1)))
    for grid, block in (((0,), (4,)), ((1,), (2048,))):
        with pytest.raises(cupy.cuda.driver.CUDADriverError, match=r"^CUDA_ERROR_INVALID_VALUE: s"):
            scale(grid, block, (x, x, 1, np.float32(1)))


def test_addresses_are_arguments(cupy: Any, scale: Any) -> None:
    x, out = cupy.ones(3, dtype=cupy.float32), cupy.zeros(3, dtype=cupy.float32)
    for pointer in (x.data.ptr, np.uint64(x.data.ptr), x.data):
        out.fill(0)
        scale((1,), (4,), (pointer, out, 3, np.float32(2)))
        assert (out == 2).all()
    with pytest.raises(RuntimeError, match=r"the address 0x1 lies in no array of the device"):
        scale((1,), (4,), (1, out, 3, np.float32(2)))


def test_a_variable_is_written_from_the_host(cupy: Any) -> None:
    source = """
__constant__ float factors[2];
template <typename T> __global__ void scale(T* x) { x[threadIdx.x] *= factors[threadIdx.x]; }
"""
    module = cupy.RawModule(
        code=source, name_expressions=("scale<float>", "scale<double>", "factors")
    )
    factors = cupy.ndarray(2, cupy.float32, module.get_global("factors"))
    factors[:] = np.array([3, 4], np.float32)
    for name, dtype in (("scale<float>", cupy.float32), ("scale<double>", cupy.float64)):
        x = cupy.ones(2, dtype=dtype)
        module.get_function(name)((1,), (2,), (x,))
        assert x.get().tolist() == [3, 4]
    with pytest.raises(cupy.cuda.driver.CUDADriverError, match=r"named symbol not found"):
        module.get_global("nothing")


def test_a_module_of_another_file_shares_its_variables(cupy: Any, tmp_path: Path) -> None:
    source = """
__constant__ float factor;
extern "C" __global__ void scaled(float* x) { *x *= factor; }
"""
    file = tmp_path / "kernels.py"
    file.write_text(f'module = cupy.RawModule(code="""{source}""")\n')
    names = {"cupy": cupy}
    exec(compile(file.read_text(), file, "exec"), names)
    factor = cupy.ndarray(1, cupy.float32, names["module"].get_global("factor"))
    factor[:] = np.array([3], np.float32)
    x = cupy.ones(1, dtype=cupy.float32)
    names["module"].get_function("scaled")((1,), (1,), (x,))
    assert x == 3


def test_a_fault_is_at_the_line_of_a_constant_of_another_module(
    cupy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = 'extern "C" __global__ void beyond(int* x)\n{\n    x[9] = 1;\n}\n'
    (tmp_path / "sources_of_another.py").write_text(f'"""Kernels."""\n\nBEYOND = """{kernel}"""\n')
    monkeypatch.syspath_prepend(tmp_path)
    source = importlib.import_module("sources_of_another").BEYOND
    beyond = cupy.RawKernel(source, "beyond")
    with pytest.raises(RuntimeError, match=r"writes at sources_of_another\.py:5 element 9 of"):
        beyond((1,), (1,), (cupy.zeros(3, dtype=cupy.int32),))


def test_a_template_has_the_instances_that_are_asked_for(cupy: Any) -> None:
    source = "template <typename T> __global__ void f(T* x) { *x = 1; }"
    for name in ("f", "f<int>"):
        with pytest.raises(
            cupy.cuda.driver.CUDADriverError,
            match=r"^CUDA_ERROR_NOT_FOUND: .* f is a template, .* give 'f<\w+>' among them",
        ):
            cupy.RawModule(code=source).get_function(name)
    x = cupy.zeros(1, dtype=cupy.int32)
    module = cupy.RawModule(code=source, name_expressions=["f<int>"])
    module.get_function("f<int>")((1,), (1,), (x,))
    assert x == 1


def test_an_array_of_addresses_is_a_pointer_to_pointers(cupy: Any) -> None:
    tables = [cupy.arange(n, n + 3, dtype=cupy.float32) for n in (0, 10)]
    out = cupy.zeros(2, dtype=cupy.float32)
    through = cupy.RawKernel(SCALE, "through")
    through((1,), (2,), (cupy.array([each.data.ptr for each in tables]), out))
    assert out.get().tolist() == [1, 11]


def test_shared_memory_has_to_be_asked_for(cupy: Any) -> None:
    kernel = cupy.RawKernel(SCALE, "last")
    out = cupy.zeros(1, dtype=cupy.int32)
    with pytest.raises(cupy.cuda.driver.CUDADriverError, match=r"^CUDA_ERROR_INVALID_VALUE: last"):
        kernel((1,), (2,), (out,), shared_mem=64 * 1024)
    kernel.max_dynamic_shared_size_bytes = 64 * 1024
    kernel((1,), (2,), (out,), shared_mem=64 * 1024)
    assert kernel.attributes["max_dynamic_shared_size_bytes"] == 64 * 1024
    assert kernel.attributes["max_threads_per_block"] == 1024
    assert kernel.attributes["shared_size_bytes"] == 0


def test_the_order_of_threads_is_chosen(cupy: Any) -> None:
    kernel = cupy.RawKernel(SCALE, "last")
    found = []
    for order in ("forward", "reversed"):
        out = cupy.zeros(1, dtype=cupy.int32)
        with in_order(order):
            kernel((1,), (4,), (out,), shared_mem=4)
        found.append(out.item())
    assert found == [3, 0]


def test_a_source_that_does_not_compile(cupy: Any) -> None:
    exception = cupy.cuda.compiler.CompileException
    kernel = cupy.RawKernel("\nthis is no C", "f")
    with pytest.raises(exception, match=r"source.cu:2:") as raised:
        kernel((1,), (1,), ())
    assert raised.value.__suppress_context__  # of the frames of caches and compilers
    with pytest.raises(exception, match=r"unrecognized option --what found"):
        cupy.RawModule(code=SCALE, options=("--what",)).compile()
    with pytest.raises(cupy.cuda.driver.CUDADriverError, match=r"named symbol not found.*nothing"):
        cupy.RawModule(code=SCALE).get_function("nothing")


def test_the_source_of_a_compiled_module_is_run(cupy: Any, tmp_path: Path) -> None:
    (tmp_path / "scale.cu").write_text(SCALE)
    scale = cupy.RawModule(path=str(tmp_path / "scale.cubin")).get_function("scale")
    x = cupy.ones(3, dtype=cupy.float32)
    scale((1,), (3,), (x, x, 3, np.float32(2)))
    assert (x == 2).all()


def test_modules_that_cannot_be(cupy: Any) -> None:
    with pytest.raises(TypeError, match=r"^Exactly one of `code` and `path`"):
        cupy.RawModule()
    with pytest.raises(AttributeError, match=r"what a.cubin is compiled for: put .* as a.cu$"):
        cupy.RawModule(path="a.cubin")
    with pytest.raises(ValueError, match=r"^Invalid backend clang"):
        cupy.RawModule(code=SCALE, backend="clang")

"""A script for CuPy that runs without a GPU as well: the sum of each row, by a kernel.

    python examples/cupy_kernel.py

Where there is no driver of NVIDIA's, the simulator takes the place of a GPU; nothing else of the
script changes.
"""

import shutil
from contextlib import nullcontext
from typing import Any

from gpucnn.simulator import as_cupy

SOURCE = r"""
extern "C" __global__ void sum_rows(const float* x, float* out, int columns)
{
    __shared__ float parts[128];
    float sum = 0;
    for (int i = threadIdx.x; i < columns; i += 128) sum += x[blockIdx.x * columns + i];
    parts[threadIdx.x] = sum;
    __syncthreads();
    for (int half = 64; half > 0; half /= 2) {
        if (threadIdx.x < half) parts[threadIdx.x] += parts[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0) out[blockIdx.x] = parts[0];
}
"""


def has_gpu() -> bool:
    """Whether there is a driver of NVIDIA's, which is asked without importing CuPy."""
    return shutil.which("nvidia-smi") is not None


def sum_rows(x: Any) -> Any:
    """The sum of each row of `x`, (rows, columns), by the kernel."""
    import cupy

    rows, columns = x.shape
    out = cupy.empty(rows, dtype=cupy.float32)
    cupy.RawKernel(SOURCE, "sum_rows")((rows,), (128,), (x, out, columns))
    return out


def main() -> None:
    """Hold the kernel against CuPy's own sum."""
    found = has_gpu()
    with nullcontext() if found else as_cupy():
        import cupy

        x = cupy.arange(50 * 300, dtype=cupy.float32).reshape(50, 300) % 7
        assert (sum_rows(x) == x.sum(axis=1)).all()  # whole numbers, so that no sum is rounded
    print(f"the sums of 50 rows are right, {'on a GPU' if found else 'without a GPU'}")


if __name__ == "__main__":
    main()

import numpy as np

from gpucnn.simulator import Module

SAXPY = """
extern "C" __global__ void saxpy(float a, const float* x, float* y, long long n)
{
    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] += a * x[i];
}
"""


def test_saxpy() -> None:
    x = np.arange(1000, dtype=np.float32)
    y = np.ones(1000, dtype=np.float32)
    saxpy = Module(SAXPY).get_function("saxpy")
    saxpy((4,), (256,), (np.float32(2), x, y, np.int64(x.size)))
    np.testing.assert_array_equal(y, 2 * x + 1)

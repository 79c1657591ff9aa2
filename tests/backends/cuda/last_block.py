"""A sum over blocks by kernels/last_block.cuh, with or without its fences; run under a sanitizer.

The kernel has no shared memory, so that nothing but the fences orders one block after another.
"""

import sys

import numpy as np

from gpucnn.backends.cuda.sources import source
from gpucnn.simulator import Module

KERNEL = """
extern "C" __global__ void sum(const int* x, int* slabs, unsigned* ticket, int* out)
{
    if (threadIdx.x == 0) slabs[blockIdx.x] = x[blockIdx.x];
    if (!is_last_block(ticket, gridDim.x)) return;
    if (threadIdx.x == 0) {
        int sum = 0;
        for (unsigned i = 0; i < gridDim.x; i++) sum += slabs[i];
        out[0] += sum;
    }
}
"""

header = source("last_block.cuh")
if "without fences" in sys.argv:
    header = header.replace("__threadfence();", "")
x, slabs = np.arange(5, dtype=np.int32), np.zeros(5, np.int32)
ticket, out = np.zeros(1, np.uint32), np.zeros(1, np.int32)
for order in ("forward", "reversed", 1):
    function = Module(header + KERNEL, order=order).get_function("sum")
    function((5,), (64,), (x, slabs, ticket, out))
assert (out[0], ticket[0]) == (30, 0)

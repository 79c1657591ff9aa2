"""NumPy on the CPU."""

from gpucnn.backends.backend import Backend
from gpucnn.backends.ops.conv_relu_pool import CpuConvReluPools
from gpucnn.backends.ops.data import CpuData
from gpucnn.backends.ops.loss import CpuLoss
from gpucnn.backends.ops.optimizers import CpuOptimizers
from gpucnn.backends.ops.random import CpuRandom


class CpuBackend(CpuData, CpuConvReluPools, CpuRandom, CpuLoss, CpuOptimizers, Backend):
    """The operations in NumPy, fast because of their memory layout, see `CpuMemory`.

    Args:
        threads: the processes that split a batch, this one included; None for one per core that
            this process may use.

    Raises:
        InvalidValueError: `threads` is not a positive integer, or far above the number of cores.
    """

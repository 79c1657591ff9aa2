"""NumPy on the CPU."""

from gpucnn.backends.backend import Backend
from gpucnn.backends.ops.conv_relu_pool import CpuConvReluPools
from gpucnn.backends.ops.data import CpuData
from gpucnn.backends.ops.loss import CpuLoss
from gpucnn.backends.ops.optimizers import CpuOptimizers
from gpucnn.backends.ops.random import CpuRandom


class CpuBackend(CpuData, CpuConvReluPools, CpuRandom, CpuLoss, CpuOptimizers, Backend):
    """The operations over NumPy, fast by where things lie in memory, see `CpuMemory`.

    Args:
        threads: how many worker processes share a batch, this one included; as many as this process
            may use cores if None.

    Raises:
        InvalidValueError: `threads` is not such a number, or many times that of the cores.
    """

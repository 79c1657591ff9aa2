"""The operations as CUDA kernels, on an NVIDIA GPU or in the simulator."""

from gpucnn.backends.backend import Backend
from gpucnn.backends.cuda.kernel import Kernel
from gpucnn.backends.ops.convolution import CudaConvolution
from gpucnn.backends.ops.data import CudaData
from gpucnn.backends.ops.loss import CudaLoss
from gpucnn.backends.ops.optimizers import CudaOptimizers
from gpucnn.backends.ops.pooling import CudaPooling
from gpucnn.backends.ops.random import CudaRandom


class CudaBackend(
    CudaData, CudaConvolution, CudaPooling, CudaRandom, CudaLoss, CudaOptimizers, Backend
):
    """The operations as launches of kernels; none waits for the device.

    No kernel uses an atomic operation on reals, and the split of a sum depends on its shape alone,
    so the same call gives the same bytes each time.

    Args:
        runtime: the runtime of the kernels, a GPU or the simulator.
    """


KERNELS: dict[str, Kernel] = {
    each.name: each
    for family in CudaBackend.__mro__
    for each in vars(family).values()
    if isinstance(each, Kernel)
}
"""All kernels, by name."""

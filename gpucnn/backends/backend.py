"""Backends: all families of operations on a device."""

from gpucnn.backends.cuda.kernel import Kernel
from gpucnn.backends.ops.convolution import Convolution, CpuConvolution, CudaConvolution
from gpucnn.backends.ops.data import CpuData, CudaData, Data
from gpucnn.backends.ops.dense import CpuDense, CudaDense, Dense
from gpucnn.backends.ops.elementwise import CpuElementwise, CudaElementwise, Elementwise
from gpucnn.backends.ops.fused.classifier_head import ClassifierHeads, CudaClassifierHeads
from gpucnn.backends.ops.fused.conv_classifier import ConvClassifiers, CudaConvClassifiers
from gpucnn.backends.ops.fused.conv_relu_pool import (
    ConvReluPools,
    CpuConvReluPools,
    CudaConvReluPools,
)
from gpucnn.backends.ops.grouped_convolution import (
    CpuGroupedConvolution,
    CudaGroupedConvolution,
    GroupedConvolution,
)
from gpucnn.backends.ops.images.mixing import CpuMixing, CudaMixing, Mixing
from gpucnn.backends.ops.images.moves import CpuImages, CudaImages, Images
from gpucnn.backends.ops.images.resampling import CpuResampling, CudaResampling, Resampling
from gpucnn.backends.ops.images.tones import CpuTones, CudaTones, Tones
from gpucnn.backends.ops.images.transforms import CpuTransforms, CudaTransforms, Transforms
from gpucnn.backends.ops.inference import CpuInference, Inference
from gpucnn.backends.ops.matrices import CpuMatrices, CudaMatrices, Matrices
from gpucnn.backends.ops.normalization import (
    CpuNormalization,
    CudaNormalization,
    Normalization,
)
from gpucnn.backends.ops.parts import CudaParts, Parts
from gpucnn.backends.ops.pooling import CpuPooling, CudaPooling, Pooling
from gpucnn.backends.ops.random import CpuRandom, CudaRandom, Random
from gpucnn.backends.ops.training.loss import CpuLoss, CudaLoss, Loss
from gpucnn.backends.ops.training.norms import CpuNorms, CudaNorms, Norms
from gpucnn.backends.ops.training.optimizers import CpuOptimizers, CudaOptimizers, Optimizers
from gpucnn.backends.ops.training.penalties import CpuPenalties, CudaPenalties, Penalties


class Backend(
    Inference,
    ClassifierHeads,
    ConvClassifiers,
    ConvReluPools,
    Data,
    GroupedConvolution,
    Convolution,
    Dense,
    Matrices,
    Images,
    Normalization,
    Norms,
    Parts,
    Pooling,
    Mixing,
    Random,
    Resampling,
    Tones,
    Transforms,
    Elementwise,
    Loss,
    Optimizers,
    Penalties,
):
    """Every operation that layers, losses and optimizers need, in plain array code over `xp`.

    This class is the definition: it is written to be read, and every other backend is tested
    against it. The backend of a device is composed of the same families, which override the
    operations that the device can do faster.

    Conventions that every operation shares:

    - All arrays live on the backend's device. Images are NHWC: (images, rows, columns, channels).
      Kernels are HWIO: (rows, columns, input channels, filters). Arrays of a batch may lie in
      memory in the order that `batch_view` gives them; all others are C-contiguous.
    - "real" is the floating-point dtype of the model, float32 or float64, the same for all
      arguments of a call.
    - Results are written to output arguments (`out`, `input_gradient`, ...), every element of which
      is overwritten; nothing is returned. Outputs do not overlap inputs.
    - Values that change from step to step (the learning rate, the step number) are passed in
      one-element arrays on the device, so that recorded operations can be replayed with new values.
    """


class CpuBackend(
    CpuInference,
    CpuConvReluPools,
    CpuData,
    CpuGroupedConvolution,
    CpuConvolution,
    CpuDense,
    CpuMatrices,
    CpuImages,
    CpuNormalization,
    CpuNorms,
    CpuPooling,
    CpuMixing,
    CpuRandom,
    CpuResampling,
    CpuTones,
    CpuTransforms,
    CpuElementwise,
    CpuLoss,
    CpuOptimizers,
    CpuPenalties,
    Backend,
):
    """The operations in NumPy, fast because of their memory layout, see `CpuMemory`.

    Args:
        threads: the processes that split a batch, this one included; None for one per core that
            this process may use.

    Raises:
        InvalidValueError: `threads` is not a positive integer, or far above the number of cores.
    """


class CudaBackend(
    CudaClassifierHeads,
    CudaConvClassifiers,
    CudaConvReluPools,
    CudaData,
    CudaGroupedConvolution,
    CudaConvolution,
    CudaDense,
    CudaMatrices,
    CudaImages,
    CudaNormalization,
    CudaNorms,
    CudaParts,
    CudaPooling,
    CudaMixing,
    CudaRandom,
    CudaResampling,
    CudaTones,
    CudaTransforms,
    CudaElementwise,
    CudaLoss,
    CudaOptimizers,
    CudaPenalties,
    Backend,
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

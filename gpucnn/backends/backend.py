"""The backend: all families of operations on one device."""

from gpucnn.backends.ops.conv_relu_pool import ConvReluPools
from gpucnn.backends.ops.convolution import Convolution
from gpucnn.backends.ops.data import Data
from gpucnn.backends.ops.elementwise import Elementwise
from gpucnn.backends.ops.loss import Loss
from gpucnn.backends.ops.matrices import Matrices
from gpucnn.backends.ops.optimizers import Optimizers
from gpucnn.backends.ops.pooling import Pooling
from gpucnn.backends.ops.random import Random


class Backend(
    Data, ConvReluPools, Convolution, Matrices, Pooling, Random, Elementwise, Loss, Optimizers
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

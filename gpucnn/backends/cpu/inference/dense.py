"""Dense layers in inference."""

import numpy as np

from gpucnn.backends.calls import Calls
from gpucnn.backends.cpu.products import bound_product
from gpucnn.backends.memory import Array

TRANSPOSED = 2**17
"""The most bytes of a kernel that is transposed for one image: a copy of a larger one takes the
place of other things in a core's cache."""


def add_dense(x: Array, kernel: Array, bias: Array, out: Array, calls: Calls) -> None:
    """Add the calls of a product and a sum.

    BLAS multiplies one row by a narrow kernel several times as fast if that is transposed: each
    output is then a dot product of contiguous vectors.

    Args:
        x: real (n, inputs).
        kernel: real (inputs, units), contiguous.
        bias: real (units,).
        out: real (n, units).
        calls: of the pass.
    """
    if len(x) == 1 and kernel.nbytes <= TRANSPOSED:
        transposed = np.empty(kernel.shape[::-1], kernel.dtype)
        calls.follow(kernel, lambda: np.copyto(transposed, kernel.T))
        calls.add(np.dot, transposed, x[0], out=out[0])
    else:
        calls.add(bound_product(x, kernel, out))
    calls.add(np.add, out, bias, out=out)

"""Dense layers in inference."""

import numpy as np

from gpucnn.backends.calls import Calls
from gpucnn.backends.cpu.products import (
    BLOCK,
    SHORTEST,
    bound_product,
    count_blocks,
    in_blocks,
)
from gpucnn.backends.memory import Array
from gpucnn.utils.arithmetic import slices

TRANSPOSED = 2**17
"""The most bytes of a kernel that is transposed for one image: a copy of a larger one takes the
place of other things in a core's cache."""


def add_dense(x: Array, kernel: Array, bias: Array, out: Array, calls: Calls) -> None:
    """Add the calls of a product and a sum.

    BLAS multiplies one row by a narrow kernel several times as fast if that is transposed: each
    output is then a dot product of contiguous vectors. Where the inputs are so many that a product
    of all images cannot be split into `count_blocks`, those of fewer images can be.

    Args:
        x: real (n, inputs).
        kernel: real (inputs, units), contiguous.
        bias: real (units,).
        out: real (n, units).
        calls: of the pass.
    """
    inputs, units = kernel.shape
    at_once = max(BLOCK // (inputs * min(units, SHORTEST)), 1)
    if len(x) == 1 and kernel.nbytes <= TRANSPOSED:
        transposed = np.empty(kernel.shape[::-1], kernel.dtype)
        calls.follow(lambda: np.copyto(transposed, kernel.T))
        out = out[0]  # a vector as the bias is, so that NumPy needs no iterator to add that
        calls.add(np.dot, transposed, x[0], out=out)
    elif len(x) <= at_once or count_blocks(units, at_once * inputs) == 1:
        calls.add(bound_product(x, kernel, out))
    else:
        for some in slices(len(x), at_once):
            blocks = count_blocks(units, len(x[some]) * inputs)
            arrays = in_blocks(kernel, blocks), in_blocks(out[some], blocks)
            calls.add(np.matmul, x[some], arrays[0], out=arrays[1])
    calls.add(np.add, out, bias, out=out)

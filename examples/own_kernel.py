"""Run a CUDA kernel of your own on the CPU, in several orders of its threads.

    python examples/own_kernel.py

No GPU is needed, only a C++ compiler. On a machine that has a GPU, `cupy.RawModule` takes the same
source, the same grid and the same arguments.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpucnn.simulator import LaunchError, Module, Order

SOURCE = Path(__file__).with_name("transpose.cu").read_text()
BARRIER = "__syncthreads();"
TILE, BLOCK = 32, (32, 8)
ORDERS: tuple[Order, ...] = ("forward", "reversed", 0, 1)  # numbers are seeds of shuffled orders


def transpose(
    x: NDArray[np.float32], source: str = SOURCE, order: Order = "forward"
) -> NDArray[np.float32]:
    """The transpose of `x`, (rows, columns), by the kernel in `source`."""
    rows, columns = x.shape
    out = np.full((columns, rows), np.nan, np.float32)
    grid = -(-columns // TILE), -(-rows // TILE)
    kernel = Module(source, order=order).get_function("transpose")
    kernel(grid, BLOCK, (x, out, np.int32(rows), np.int32(columns)))
    return out


def main() -> None:
    """Check the kernel against NumPy, and see that a missing barrier is found."""
    x = np.random.default_rng(0).standard_normal((50, 70), dtype=np.float32)
    for order in ORDERS:
        np.testing.assert_array_equal(transpose(x, order=order), x.T)
        print(f"order {order}: equal to NumPy's transpose")

    try:
        transpose(x, SOURCE.replace(BARRIER, ""))
    except LaunchError as error:
        print(f"without the barrier: {error}")


if __name__ == "__main__":
    main()

"""The backends that are held to the contract of `Backend`. A new one joins by a line here."""

from collections.abc import Callable, Mapping
from functools import cache
from unittest.mock import patch

import gpu
from gpucnn.backends import (
    Array,
    Backend,
    ConvReluPool,
    ConvReluPoolPlan,
    CpuBackend,
    get_backend,
)
from gpucnn.backends.backend import CudaBackend
from gpucnn.backends.cpu.layout import images_first, images_last
from gpucnn.backends.cuda.simulator_runtime import SimulatorRuntime


class RowMajor(CpuBackend):
    """The CPU with the images of a batch outermost in memory, as its callers' arrays may lie."""

    batch_view = Backend.batch_view

    def conv_relu_pool_plan(
        self, fused: ConvReluPool, arrays: dict[str, Array]
    ) -> ConvReluPoolPlan:
        inner = {name: images_first(images_last(array).copy()) for name, array in arrays.items()}
        return super().conv_relu_pool_plan(fused, inner)


class InRowTiles(CpuBackend):
    """The CPU as it works on large images: in row tiles (here of two rows), products in blocks (of
    a column), and gradients of weights of some positions at a time (of two), joined."""

    def conv_relu_pool_plan(
        self, fused: ConvReluPool, arrays: dict[str, Array]
    ) -> ConvReluPoolPlan:
        with (
            patch("gpucnn.backends.cpu.fused.conv_relu_pool.tile_height", lambda *_: 2),
            patch("gpucnn.backends.cpu.fused.row_tiles.count_blocks", lambda columns, _: columns),
            patch("gpucnn.backends.cpu.fused.row_tiles.positions_at_once", lambda _: 2),
            patch("gpucnn.backends.cpu.fused.row_tiles.is_gradient_joined", lambda _: True),
        ):
            return super().conv_relu_pool_plan(fused, arrays)


BACKENDS: dict[str, Callable[[], Backend]] = {
    "reference": Backend,
    "cpu": lambda: CpuBackend(threads=2),
    "cpu, row-major": lambda: RowMajor(threads=2),
    "cpu, in row tiles": lambda: InRowTiles(threads=2),
    "simulator": lambda: CudaBackend(SimulatorRuntime(checked=True)),
    "simulator, reversed": lambda: CudaBackend(SimulatorRuntime("reversed", checked=True)),
    "simulator, shuffled": lambda: CudaBackend(SimulatorRuntime(1, checked=True)),
}

if gpu.contexts():
    BACKENDS["cuda"] = lambda: get_backend("cuda")

Backends = Mapping[str, Backend]
"""Backends by their names."""

KINDS = {
    "NumPy": [name for name in BACKENDS if name.startswith(("reference", "cpu"))],
    "simulator": [name for name in BACKENDS if name.startswith("simulator")],
    "cuda": [name for name in BACKENDS if name == "cuda"],
}
"""The names of those that take the same examples, which are drawn and defined once for them."""


@cache
def backend_of(name: str) -> Backend:
    """The backend of that name, kept from test to test, as a training run keeps it."""
    return BACKENDS[name]()

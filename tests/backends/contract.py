"""The backends that are held to the contract of `Backend`. A new one joins by a line here."""

from collections.abc import Callable
from unittest.mock import patch

import numpy as np

from gpucnn.backends import (
    Array,
    Backend,
    CpuBackend,
    FusedMemory,
    Window,
    available_devices,
    get_backend,
)
from gpucnn.backends.cpu.layout import images_first, images_last
from gpucnn.backends.cuda.backend import CudaBackend
from gpucnn.backends.cuda.simulator_runtime import Simulation


class RowMajor(CpuBackend):
    """The CPU with the images of a batch outermost in memory, as its callers' arrays may lie."""

    batch_view = Backend.batch_view

    def fused_memory(
        self,
        window: Window,
        pool: Window,
        channels: int,
        filters: int,
        real: "np.dtype[np.floating]",
        arrays: dict[str, Array],
    ) -> FusedMemory:
        inner = {name: images_first(images_last(array).copy()) for name, array in arrays.items()}
        return super().fused_memory(window, pool, channels, filters, real, inner)


class InBands(CpuBackend):
    """The CPU as it works on large images: in bands (here of two rows), blocks (of a column), and
    gradients of weights of some positions at a time (of two)."""

    def fused_memory(
        self,
        window: Window,
        pool: Window,
        channels: int,
        filters: int,
        real: "np.dtype[np.floating]",
        arrays: dict[str, Array],
    ) -> FusedMemory:
        with (
            patch("gpucnn.backends.cpu.conv_relu_pool.band_height", lambda *_: 2),
            patch("gpucnn.backends.cpu.row_tiles.count_blocks", lambda columns, _: columns),
            patch("gpucnn.backends.cpu.row_tiles.positions_at_once", lambda _: 2),
        ):
            return super().fused_memory(window, pool, channels, filters, real, arrays)


BACKENDS: dict[str, Callable[[], Backend]] = {
    "reference": Backend,
    "cpu": lambda: CpuBackend(threads=2),
    "cpu, row-major": lambda: RowMajor(threads=2),
    "cpu, in bands": lambda: InBands(threads=2),
    "simulator": lambda: CudaBackend(Simulation()),
    "simulator, reversed": lambda: CudaBackend(Simulation("reversed")),
    "simulator, shuffled": lambda: CudaBackend(Simulation(1)),
}

if "cuda" in available_devices():
    BACKENDS["cuda"] = lambda: get_backend("cuda")

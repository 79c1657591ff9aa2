"""The backends that are held to the contract of `Backend`. A new one joins by a line here."""

from collections.abc import Callable

from gpucnn.backends import Backend, CpuBackend, available_devices, get_backend
from gpucnn.backends.cuda import CudaBackend
from gpucnn.cuda.simulation import Simulation


class RowMajor(CpuBackend):
    """The CPU with the images of a batch outermost in memory, as its callers' arrays may lie."""

    batch_view = Backend.batch_view


BACKENDS: dict[str, Callable[[], Backend]] = {
    "reference": Backend,
    "cpu": CpuBackend,
    "cpu, row-major": RowMajor,
    "simulator": lambda: CudaBackend(Simulation()),
    "simulator, reversed": lambda: CudaBackend(Simulation("reversed")),
    "simulator, shuffled": lambda: CudaBackend(Simulation(1)),
}

if "cuda" in available_devices():
    BACKENDS["cuda"] = lambda: get_backend("cuda")

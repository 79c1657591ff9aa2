import pytest

from gpucnn.backends.backend import KERNELS
from gpucnn.backends.cuda.kernel import Kernel
from gpucnn.backends.cuda.machine_code.nvrtc import ARCHITECTURES
from gpucnn.backends.cuda.machine_code.occupancy import occupancy
from gpucnn.backends.cuda.machine_code.resources import Compilation, compilations
from gpucnn.models.network import DTYPES

STATIC = 48 * 1024  # the most bytes of shared memory that arrays of constant size may take

Kernels = list[Kernel]


def every_compilation() -> dict[Compilation, Kernels]:
    """All that is compiled, each with the kernels that it makes."""
    made: dict[Compilation, Kernels] = {}
    for kernel in KERNELS.values():
        for real in DTYPES:
            for architecture in ARCHITECTURES:
                for each in compilations(kernel, real, architecture):
                    made.setdefault(each, []).append(kernel)
    return made


def describe(value: Compilation | Kernels) -> str:
    if isinstance(value, Compilation):
        real = next(each for each in value.options if each.startswith("-DREAL="))
        return f"{value.file}-{real.removeprefix('-DREAL=')}-{value.architecture}"
    return "+".join(kernel.name for kernel in value)


@pytest.mark.parametrize(("compiled", "kernels"), every_compilation().items(), ids=describe)
def test_kernels_fit_in_registers_and_shared_memory(
    compiled: Compilation, kernels: Kernels
) -> None:
    resources = compiled.run().resources
    for kernel in kernels:
        needs = resources[kernel.function]
        where = f"{kernel.name} on {compiled.architecture}: {needs}"
        assert needs.stack == needs.spill_stores == needs.spill_loads == 0, where
        assert needs.shared_memory <= STATIC, where
        assert occupancy(needs, kernel.threads, compiled.architecture) > 0, where

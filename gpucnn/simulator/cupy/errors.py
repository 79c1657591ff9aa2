"""The errors of CuPy's interface, which are CuPy's own kinds as well as the simulator's."""

from gpucnn.errors import GpucnnError, MissingNameError
from gpucnn.simulator.errors import SimulatorError


class CompileException(SimulatorError):  # noqa: N818 - CuPy's name
    """A source that does not compile: `cupy.cuda.compiler.CompileException`."""


class CUDADriverError(SimulatorError):
    """What the driver refuses, such as a launch: `cupy.cuda.driver.CUDADriverError`."""


class CUDARuntimeError(SimulatorError):
    """What CUDA's runtime refuses, such as a device that is not there."""


class OutOfMemoryError(GpucnnError, MemoryError):
    """An allocation beyond the limit of a pool: `cupy.cuda.memory.OutOfMemoryError`."""


def missing(name: str) -> MissingNameError:
    """The error of a name that CuPy may have and the simulator has not."""
    return MissingNameError(f"the simulator does not have {name}")

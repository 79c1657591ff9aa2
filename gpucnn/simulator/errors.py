"""The errors of the simulator."""

from gpucnn.errors import GpucnnError


class SimulatorError(GpucnnError, RuntimeError):
    """A kernel that does not compile, a launch that CUDA forbids, or a tool that is missing."""

    def __str__(self) -> str:
        return RuntimeError.__str__(self)  # uncut, with the lines of the compiler's message


class LaunchError(SimulatorError):
    """A thread of a kernel that did what CUDA does not allow, with the line where it did."""

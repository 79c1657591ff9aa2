"""What can be wrong with a kernel, its launch, or what it is compiled with."""

from gpucnn.errors import GpucnnError


class SimulatorError(GpucnnError, RuntimeError):
    """A kernel that does not compile, a launch that CUDA forbids, or a tool that is missing."""

    def __str__(self) -> str:
        return RuntimeError.__str__(self)  # with the lines that a compiler has said

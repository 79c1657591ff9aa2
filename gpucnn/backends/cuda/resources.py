"""The compilations that report the resources of each kernel."""

from dataclasses import dataclass

from gpucnn.backends.cuda.kernel import Kernel
from gpucnn.backends.cuda.nvrtc import Resources, compile_kernels
from gpucnn.backends.cuda.sources import source


@dataclass(frozen=True)
class Compilation:
    """One run of the compiler, for one or more kernels: a file, its options and an architecture."""

    file: str
    options: tuple[str, ...]
    architecture: str

    def run(self) -> dict[str, Resources]:
        """Compile, and return the resources of each function by its name.

        Raises:
            CompilationError: the file does not compile.
            GpucnnError: NVRTC is not installed.
        """
        return compile_kernels(source(self.file), self.options, self.architecture, self.file)


def compilations(kernel: Kernel, real: str, architecture: str) -> list[Compilation]:
    """The compilations of a kernel for reals of dtype `real`, one for each of its samples."""
    options = (kernel.options(real, sample) for sample in kernel.samples(real))
    return [Compilation(kernel.file, each, architecture) for each in options]

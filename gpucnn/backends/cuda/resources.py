"""What each kernel needs of a GPU."""

from dataclasses import dataclass

from gpucnn.backends.cuda.kernel import Kernel
from gpucnn.backends.cuda.nvrtc import Resources, compile_kernels
from gpucnn.backends.cuda.sources import source


@dataclass(frozen=True)
class Compilation:
    """What is compiled at once, one kernel or several: a file, its options and an architecture."""

    file: str
    options: tuple[str, ...]
    architecture: str

    def run(self) -> dict[str, Resources]:
        """What each function needs, by its name.

        Raises:
            CompilationError: the file does not compile.
            GpucnnError: NVRTC is not installed.
        """
        return compile_kernels(source(self.file), self.options, self.architecture, self.file)


def compilation(kernel: Kernel, real: str, architecture: str) -> Compilation:
    """The compilation that makes a kernel, for reals of dtype `real`."""
    return Compilation(kernel.file, kernel.options(real), architecture)

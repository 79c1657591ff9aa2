"""The compilations that tell what each kernel is on a GPU."""

from dataclasses import dataclass

from gpucnn.backends.cuda.kernel import Kernel
from gpucnn.backends.cuda.machine_code.compiler_cache import compile_once
from gpucnn.backends.cuda.machine_code.nvrtc import Compiled
from gpucnn.backends.cuda.sources import source


@dataclass(frozen=True)
class Compilation:
    """One run of the compiler, for one or more kernels: a file, its options and an architecture."""

    file: str
    options: tuple[str, ...]
    architecture: str

    def run(self) -> Compiled:
        """Compile, or take from the cache what was compiled before.

        Raises:
            CompilationError: the file does not compile.
            MissingExtraError: NVRTC is not installed.
        """
        return compile_once(source(self.file), self.options, self.architecture, self.file)


def compilations(kernel: Kernel, real: str, architecture: str) -> list[Compilation]:
    """The compilations of a kernel for reals of dtype `real`, one for each of its samples."""
    options = (kernel.options(real, sample) for sample in kernel.samples(real))
    return [Compilation(kernel.file, each, architecture) for each in options]

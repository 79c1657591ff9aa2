"""The CUDA C sources of the kernels, as text that can be compiled by itself."""

import re
from functools import cache
from importlib.resources import files

from gpucnn.backends.cuda.table import Kernel

FOLDER = "gpucnn.kernels"

INCLUDE = re.compile(r'^#include "(\w+\.cuh)"$', re.MULTILINE)

REALS = {"float32": "float", "float64": "double"}


@cache
def source(file: str) -> str:
    """The text of a file of kernels, with the headers that it includes in their places.

    So the text says all that is compiled, and a cache of compiled kernels that goes by it never
    misses a change of a header. Lines keep their files and numbers in the compiler's messages.
    """
    text = files(FOLDER).joinpath(file).read_text(encoding="utf-8")
    return f'#line 1 "{file}"\n' + INCLUDE.sub(lambda found: _inlined(text, file, found), text)


def compile_options(kernel: Kernel, real: str) -> tuple[str, ...]:
    """The compiler's options for a kernel, for reals of dtype `real`."""
    macros = {"REAL": REALS[real], "THREADS": kernel.threads, **kernel.macros}
    return tuple(f"-D{name}={value}" for name, value in macros.items())


def _inlined(text: str, file: str, include: re.Match[str]) -> str:
    next_line = text.count("\n", 0, include.start()) + 2
    return f'{source(include[1])}#line {next_line} "{file}"'

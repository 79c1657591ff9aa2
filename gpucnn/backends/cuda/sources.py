"""The CUDA C sources of the kernels: their text, and the signatures of their functions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from gpucnn.backends.window import Window

FOLDER = "gpucnn.kernels"

INCLUDE = re.compile(r'^#include "(\w+\.cuh)"$', re.MULTILINE)

SIGNATURE = re.compile(
    r'extern "C" __global__ void __launch_bounds__\(THREADS(?:, \w+)?\) (\w+)\((.*?)\)\s*\{',
    re.DOTALL,
)

REAL = "real"
"""The dtype of REAL, which is float32 or float64 in each compilation."""

DTYPES: Mapping[str, "str | np.dtype[np.void]"] = {
    "REAL": REAL,
    "double": "float64",
    "int": "int32",
    "long long": "int64",
    "unsigned": "uint32",
    "unsigned char": "uint8",
    "Window": Window.dtype,
}
"""The dtypes of the types that kernels take."""


@dataclass(frozen=True)
class KernelParameter:
    """A parameter of a kernel: an array, or a value.

    Attributes:
        dtype: the dtype of the value or of the array's elements, see `DTYPES`.
        is_array: whether it is a pointer.
        is_written: whether it is a pointer to elements that are not const.
        is_optional: whether the source compares it with null, so that None may be given.
    """

    dtype: "str | np.dtype[np.void]"
    is_array: bool
    is_written: bool
    is_optional: bool

    @property
    def is_real(self) -> bool:
        """Whether it is, or points to, numbers that are not whole."""
        return self.dtype in (REAL, "float64")


@cache
def source(file: str) -> str:
    """The text of a file of kernels, with the headers that it includes in place.

    So the text is all that is compiled, and a cache of compiled kernels whose key it is never
    misses a change of a header. The compiler's messages still name the original files and lines.
    """
    text = files(FOLDER).joinpath(file).read_text(encoding="utf-8")
    return f'#line 1 "{file}"\n' + INCLUDE.sub(lambda found: _inlined(text, file, found), text)


@cache
def signatures(file: str) -> Mapping[str, Mapping[str, KernelParameter]]:
    """The parameters of each kernel in a file, by the name of the kernel, then their own."""
    text = source(file)
    return {
        function: dict(_parameter(each, text) for each in parameters.split(","))
        for function, parameters in SIGNATURE.findall(text)
    }


def _inlined(text: str, file: str, include: re.Match[str]) -> str:
    next_line = text.count("\n", 0, include.start()) + 2
    return f'{source(include[1])}#line {next_line} "{file}"'


def _parameter(declaration: str, text: str) -> tuple[str, KernelParameter]:
    words = declaration.replace("__restrict__", "").replace("*", " * ").split()
    name = words.pop()
    is_array, is_constant = "*" in words, "const" in words
    dtype = DTYPES[" ".join(word for word in words if word not in ("*", "const"))]
    is_optional = re.search(rf"\b{name} [=!]= nullptr", text) is not None
    return name, KernelParameter(dtype, is_array, is_array and not is_constant, is_optional)

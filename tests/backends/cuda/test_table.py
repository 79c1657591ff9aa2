"""The table of kernels, against the signatures in the .cu files."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from gpucnn.backends.cuda.table import KERNELS, ArrayParameter, Kernel, Parameter, parts, value

FOLDER = Path(__file__).parents[3] / "kernels"

SIGNATURE = re.compile(
    r'extern "C" __global__ void __launch_bounds__\(THREADS(?:, 2)?\) (\w+)\((.*?)\)\s*\{',
    re.DOTALL,
)

DTYPES = {
    "REAL": "real",
    "double": "float64",
    "int": "int32",
    "long long": "int64",
    "unsigned": "uint32",
    "unsigned char": "uint8",
}


def signatures() -> dict[tuple[str, str], list[tuple[str, str, str]]]:
    """By file and function: of each parameter its name, dtype, and "reads", "writes" or "takes"."""
    return {
        (path.name, name): [parameter(text) for text in arguments.split(",")]
        for path in FOLDER.glob("*.cu")
        for name, arguments in SIGNATURE.findall(path.read_text())
    }


def parameter(text: str) -> tuple[str, str, str]:
    words = text.replace("__restrict__", "").replace("*", " * ").split()
    name = words.pop()
    pointer, constant = "*" in words, "const" in words
    dtype = DTYPES[" ".join(word for word in words if word not in ("*", "const"))]
    assert constant <= pointer, text
    return name, dtype, "reads" if constant else "writes" if pointer else "takes"


def described(parameters: Mapping[str, Parameter]) -> list[tuple[str, str, str]]:
    return [(name, each.dtype, role(each)) for name, each in parameters.items()]


def role(parameter: Parameter) -> str:
    if not isinstance(parameter, ArrayParameter):
        return "takes"
    return "writes" if parameter.written else "reads"


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_parameters_are_those_of_the_source(kernel: Kernel) -> None:
    assert described(kernel.parameters) == signatures()[kernel.file, kernel.function]


def test_every_function_is_in_the_table() -> None:
    assert {(kernel.file, kernel.function) for kernel in KERNELS.values()} == set(signatures())


def test_every_global_function_has_a_signature_that_is_read() -> None:
    functions = sum(
        path.read_text().count("__global__") for path in FOLDER.iterdir() if path.suffix
    )
    assert functions == len(signatures())


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.cu")), ids=lambda path: path.name)
def test_header_comment_says_what_and_where_and_how_much(path: Path) -> None:
    header = path.read_text().split("\n\n")[0]
    for part in ("// Index map:", "// Bytes per ", "Operations"):
        assert part in header


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.cu*")), ids=lambda path: path.name)
def test_kernels_use_no_atomics_and_no_templates(path: Path) -> None:
    code = re.sub("//.*", "", path.read_text())
    assert not re.search(r"\batomic|\btemplate\b|#include <", code)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_threads_are_whole_warps(kernel: Kernel) -> None:
    assert kernel.threads % 32 == 0
    assert 0 < kernel.threads <= 1024


def test_value_of_a_dimension() -> None:
    assert value("3", {}) == 3
    assert value("rows*2*columns", {"rows": 5, "columns": 7}) == 70


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1, 1), (8, 1), (9, 2)])
def test_parts(count: int, expected: int) -> None:
    assert parts(count, 8) == expected

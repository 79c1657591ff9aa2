"""Translating CUDA C to C++.

The source is preprocessed first, with cuda.hpp included, so that macros and included files are
expanded. Then the few keywords of CUDA that no macro can define are replaced in the text. Line
numbers and the compiler's line markers are preserved.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gpucnn.simulator.compiler import Compiler
from gpucnn.simulator.errors import SimulatorError

RUNTIME = Path(__file__).parent / "runtime"
LANGUAGE = ("-std=c++17", "-w", "-U_FORTIFY_SOURCE")
SECTION = "gpucnn_shared"  # prefix of the sections of static shared memory

_OPTION = re.compile(r"-[DUI].+|--?std=c\+\+(17|20)")

_PARENTHESES = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
# A digit separator, as in 1'000, does not begin a character literal.
_LITERAL = re.compile(r'"(?:[^"\\\n]|\\.)*"|' + r"(?<!\w)(?:u8|[uUL])?'(?:[^'\\\n]|\\.)+'")
_ATTRIBUTE = re.compile(rf"\b(?:__attribute__|alignas)\s*{_PARENTHESES}")
_BOUNDS = re.compile(rf"\b__launch_bounds__\s*({_PARENTHESES})")
_NAMESPACE = re.compile(r"\bnamespace\s+\w[^;{}()=]*\{")
_GLOBAL = re.compile(r"\b__global__\b")
_KERNEL = re.compile(r"\b__global__\b[^;{}()]*?\b(\w+)\s*\(")
_DYNAMIC = re.compile(
    r"\bextern\b([^;{}()=]*?)\b__shared__\b([^;{}()=]*?)\b(\w+)\s*\[\s*\]\s*;", re.DOTALL
)
_STATIC = re.compile(r"(?:\bstatic\s+)?\b__shared__\b")


@dataclass(frozen=True)
class Source:
    """A translated source."""

    text: str
    """Preprocessed C++, with a description of each kernel at the end."""

    kernels: tuple[str, ...]
    """The names of the kernels."""


@dataclass(frozen=True)
class _Kernel:
    name: str
    bounds: str  # __launch_bounds__, in parentheses
    begin: int  # of its declaration
    end: int  # of its body


def preprocess(compiler: Compiler, source: str | Path, options: Sequence[str]) -> str:
    """Preprocess `source`: expand its macros and included files.

    Args:
        compiler: the C++ compiler to use.
        source: CUDA C, or the path of a file of it.
        options: -D, -U, -I and -std, each with its value.

    Raises:
        SimulatorError: an unknown option, a missing file, or an error in the source.
    """
    for option in options:
        if not _OPTION.fullmatch(option):
            raise SimulatorError(
                f"the option {option} is not one of the simulator's: give -DNAME=VALUE, -UNAME, "
                "-IFOLDER, -std=c++17 or -std=c++20"
            )
    arguments: list[str | Path] = [
        *LANGUAGE,
        "-E",
        "-x",
        "c++",
        "-include",
        RUNTIME / "cuda.hpp",
        *options,
    ]
    if isinstance(source, str):
        return compiler.run([*arguments, "-"], f'# 1 "source.cu"\n{source}')
    if not source.is_file():
        raise SimulatorError(f"there is no file {source}: give the path of a CUDA C source")
    return compiler.run([*arguments, source])


def translate(text: str) -> Source:
    """Translate preprocessed CUDA C to C++, and append a description of each kernel.

    Raises:
        SimulatorError: a kernel is in a namespace.
    """
    bare = _blank(_ATTRIBUTE, _blank(_LITERAL, text))
    kernels = list(_kernels(bare))
    _check_namespaces(bare, kernels)
    edits = [(*found.span(), "") for found in _BOUNDS.finditer(bare)]
    edits += [(*found.span(), "") for found in _GLOBAL.finditer(bare)]
    dynamic = list(_DYNAMIC.finditer(bare))
    edits += [(*found.span(), _dynamic(found)) for found in dynamic]
    functions: list[str] = []  # sections of the shared memory that other functions declare
    for found in _STATIC.finditer(bare):
        if any(other.start() < found.start() < other.end() for other in dynamic):
            continue
        inside = [each.name for each in kernels if each.begin <= found.start() < each.end]
        section = f"{SECTION}_{inside[0] if inside else len(functions)}"
        functions += [] if inside else [section]
        edits.append((*found.span(), f'static __attribute__((section("{section}")))'))
    names = {kernel.name: kernel for kernel in kernels}
    descriptions = [_description(kernel, functions) for kernel in names.values()]
    return Source(_edited(text, edits) + "".join(descriptions), tuple(names))


def _blank(pattern: re.Pattern[str], text: str) -> str:
    """`text` with spaces in place of all matches, so that positions stay valid."""
    return pattern.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def _edited(text: str, edits: Sequence[tuple[int, int, str]]) -> str:
    pieces = []
    end = 0
    for start, next_end, replacement in sorted(edits):
        pieces += [text[end:start], replacement]
        end = next_end
    return "".join([*pieces, text[end:]])


def _kernels(bare: str) -> Iterator[_Kernel]:
    """The kernels of a source, except templates, which cannot be launched by name."""
    declarations = _blank(_BOUNDS, bare)
    for found in _KERNEL.finditer(declarations):
        begin = 1 + max(declarations.rfind(mark, 0, found.start()) for mark in ";{}")
        if re.search(r"\btemplate\b", declarations[begin : found.start()]):
            continue
        bounds = _BOUNDS.search(bare, begin, found.end())
        end = _end_of_body(declarations, found.end())
        yield _Kernel(found[1], bounds[1] if bounds else "(0)", begin, end)


def _check_namespaces(bare: str, kernels: Sequence[_Kernel]) -> None:
    """Refuse kernels in namespaces: their descriptions refer to them by unqualified names."""
    for found in _NAMESPACE.finditer(bare):
        end = _end_of_body(bare, found.start())
        inside = [kernel.name for kernel in kernels if found.end() <= kernel.begin < end]
        if inside:
            raise SimulatorError(
                f"the kernel {inside[0]} is in a namespace: declare kernels outside namespaces"
            )


def _end_of_body(bare: str, start: int) -> int:
    """The end of the declaration at `start`: its last brace, or its semicolon."""
    depth = 0
    for mark in re.compile(r"[{};]").finditer(bare, start):
        depth += {"{": 1, "}": -1, ";": 0}[mark[0]]
        if depth == 0:
            return mark.end()
    return len(bare)


def _dynamic(found: re.Match[str]) -> str:
    """The declaration of dynamic shared memory, as a pointer that the scheduler sets."""
    element = " ".join(f"{found[1]} {found[2]}".split())
    pointer = f"{element}* const&"
    memory = f"reinterpret_cast<{pointer}>(::gpucnn_simulator::dynamic_shared)"
    return f"{pointer} {found[3]} = {memory};" + "\n" * found[0].count("\n")


def _description(kernel: _Kernel, functions: Sequence[str]) -> str:
    """The C++ description of a kernel for the launcher, with all shared memory it may use."""
    name = kernel.name
    stub = f"gpucnn_simulator::Stub<&{name}>"
    sections = [f"{SECTION}_{name}", *functions]
    bounds = [f"__{end}_{section}" for section in sections for end in ("start", "stop")]
    declared = ", ".join(f"{bound}[]" for bound in bounds)
    parts = ", ".join(f"{{__start_{section}, __stop_{section}}}" for section in sections)
    return f"""
# 1 "description"
extern "C" __attribute__((weak, visibility("hidden"))) char {declared};
static const gpucnn_simulator::SharedMemory gpucnn_shared_of_{name}[] = {{{parts}}};
extern "C" __attribute__((visibility("default"))) gpucnn_simulator::Kernel gpucnn_kernel_{name} = {{
    {stub}::call, {stub}::parameters, {stub}::count, gpucnn_simulator::first_of{kernel.bounds},
    gpucnn_shared_of_{name}, {len(sections)}}};
"""

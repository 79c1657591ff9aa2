"""Translating CUDA C to C++.

The source is preprocessed first, with cuda.hpp included, so that macros and included files are
expanded. Then the few keywords of CUDA that no macro can define are replaced in the text, where
`declarations.py` finds them. Line numbers and the compiler's line markers are preserved.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from gpucnn.simulator.compiler import Compiler
from gpucnn.simulator.declarations import (
    Declaration,
    DynamicShared,
    Edit,
    KernelDeclaration,
    assembly,
    bare_text,
    dynamic_shared,
    edited,
    function_bodies,
    kernels,
    keywords,
    static_shared,
    variables,
)
from gpucnn.simulator.errors import SimulatorError

CUDA = Path(__file__).parent / "language" / "cuda.hpp"
INCLUDE = Path(__file__).parent / "include"
HEADERS = (INCLUDE, INCLUDE / "builtin")  # the latter have what is there without them
SOURCE = "source.cu"  # the name of a source that is not a file
LANGUAGE = ("-std=c++17", "-w", "-U_FORTIFY_SOURCE")

_OPTION = re.compile(r"-[DUI].+|--?std=c\+\+(17|20)")
_PTX = (
    '::gpucnn_simulator::fail({"asm", __builtin_FILE(), __builtin_LINE()}, "is a PTX statement: '
    'the simulator does not have them, write it in C++")'
)
_LANGUAGE_END = "#pragma gpucnn source\n"  # of cuda.hpp
_STATIC = re.compile(r"(?:static|extern)\b")


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
        "-fno-exceptions",  # which device code does not have
        "-E",
        "-x",
        "c++",
        "-include",
        CUDA,
        *options,
        *(f"-I{folder}" for folder in HEADERS),
    ]
    if isinstance(source, str):
        return compiler.run([*arguments, "-"], f'# 1 "{SOURCE}"\n{source}')
    if not source.is_file():
        raise SimulatorError(f"there is no file {source}: give the path of a CUDA C source")
    return compiler.run([*arguments, source])


def translate(text: str, name_expressions: Sequence[str] = ()) -> str:
    """Translate preprocessed CUDA C to C++.

    After each kernel and each variable of the device follows an object that puts it into the
    library's list of them (language/listing.hpp); at the end follow those of `name_expressions`.
    """
    language, end, source = text.rpartition(_LANGUAGE_END)
    named = map(_named, range(len(name_expressions)), name_expressions)
    return language + end + _translated(source) + "".join(named)


def _translated(text: str) -> str:
    bare = bare_text(text)
    bodies = function_bodies(bare)
    edits: list[Edit] = []
    for variable in variables(bare):
        edits += _listed_variables(variable)
    edits += _listed_kernels(list(kernels(bare)))
    edits += _shared_declarations(bare, bodies)
    for array in dynamic_shared(bare):
        edits.append((array.begin, array.end, _dynamic(array, bare, bodies)))
    for begin, end in assembly(bare, bodies):
        edits.append((begin, end, _PTX + "\n" * bare.count("\n", begin, end)))
    edits += keywords(bare)
    return edited(text, edits)


def _listed_kernels(found: Sequence[KernelDeclaration]) -> Iterator[Edit]:
    """Each kernel's entry in the list, after its definition."""
    for number, kernel in enumerate(found):
        # It is told by its type from others, and from CUDA's functions, of its name.
        parameters = " ".join(kernel.parameters.split())  # in the line where the kernel ends
        type_of = "" if "=" in parameters else f"(void (*){parameters})"
        sizes = f"::dim3{kernel.cluster}, {kernel.bounds[1:-1]}"
        entry = f"kernel_entry<({type_of}&{kernel.name})>(0, {sizes})"
        yield kernel.end, kernel.end, _entry(f"kernel_{number}", entry)


def _listed_variables(variable: Declaration) -> Iterator[Edit]:
    """The entries of variables of the device, after their declaration."""
    for name in variable.names:
        entry = f"variable_entry<(&{name})>(0)"
        yield variable.end, variable.end, _entry(f"variable_{name}", entry)


def _named(number: int, expression: str) -> str:
    """The entry of what a name expression says, as a user wrote it."""
    text = expression.replace("\\", "\\\\").replace('"', '\\"')
    entry = f'entry_of<(&{expression.strip().removeprefix("&")})>("{text}")'
    return f'\n# 1 "the name expression {text}"\n{_entry(f"named_{number}", entry)}\n'


def _entry(name: str, value: str) -> str:
    return f" static const ::gpucnn_simulator::Listed gpucnn_{name} = ::gpucnn_simulator::{value};"


def _shared_declarations(bare: str, bodies: Sequence[range]) -> Iterator[Edit]:
    """Each declaration as a struct, and references to the one that the running block has.

    The references follow the struct, or begin each function that may use it if it is outside.
    """
    for number, declaration in enumerate(static_shared(bare)):
        struct = f"gpucnn_shared_{number}"
        references = {
            name: f" auto& {name} = ::gpucnn_simulator::shared<"
            f"decltype({struct}::{name}), {struct}, {place}>();"
            for place, name in enumerate(declaration.names)
        }
        yield declaration.begin, declaration.begin, f"struct {struct} {{ "
        if storage := _STATIC.match(bare, declaration.begin):
            yield *storage.span(), ""
        yield declaration.end, declaration.end, " };"
        if any(declaration.begin in body for body in bodies):
            yield declaration.end, declaration.end, "".join(references.values())
            continue
        for body in bodies:
            for name, reference in references.items():
                if body.start > declaration.end and re.search(
                    rf"\b{name}\b", bare[body.start : body.stop]
                ):
                    yield body.start + 1, body.start + 1, reference


def _dynamic(array: DynamicShared, bare: str, bodies: Sequence[range]) -> str:
    """The declaration of dynamic shared memory, as the pointer to it that a thread has."""
    lines = "\n" * bare.count("\n", array.begin, array.end)
    if any(array.begin in body for body in bodies):
        memory = f"({array.type}(*){array.rows})::gpucnn_simulator::dynamic_shared"
        return f"{array.type} (*const {array.name}){array.rows} = {memory};{lines}"
    declared = f"extern __thread {array.type} (*const {array.name}){array.rows}"
    return f'{declared} __asm__("gpucnn_dynamic_shared");{lines}'

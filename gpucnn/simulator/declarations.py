"""Finding CUDA's declarations in preprocessed text, where its keywords stand as they were written.

The functions here take a *bare* text, with spaces in place of whatever could be mistaken for code:
its positions are those of the text itself.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Edit = tuple[int, int, str]
"""Begin and end of a piece of a text, and what replaces it."""


def _parentheses(depth: int) -> str:
    """A pattern of a pair of parentheses with so many others in each other at most."""
    inner = rf"|{_parentheses(depth - 1)}" if depth else ""
    return rf"\((?:[^()]{inner})*\)"


_PARENTHESES = _parentheses(9)
# A digit separator, as in 1'000, does not begin a character literal.
_LITERAL = re.compile(r'"(?:[^"\\\n]|\\.)*"|' + r"(?<!\w)(?:u8|[uUL])?'(?:[^'\\\n]|\\.)+'")
_DIRECTIVE = re.compile(r"^[ \t]*#.*$", re.MULTILINE)  # a line marker, or a #pragma
_ATTRIBUTE = re.compile(rf"\b(?:__attribute__|alignas)\s*{_PARENTHESES}")
_STANDARD_ATTRIBUTE = re.compile(r"\[\[.*?\]\]", re.DOTALL)
_BOUNDS = re.compile(rf"\b__launch_bounds__\s*({_PARENTHESES})")
_CLUSTER = re.compile(rf"\b__cluster_dims__\s*({_PARENTHESES})")
_KEYWORD = re.compile(r"\b__(?:global|device|constant|managed|shared)__\b")
_KERNEL = re.compile(r"\b__global__\b[^;{}()]*?((?:\b\w+\s*::\s*)*\b\w+)\s*(<[^;{}()]*>)?\s*\(")
_VARIABLE = re.compile(r"\b__(?:device|constant|managed)__\b(?:[^;{}()=\[]|\[[^;{}\]]*\])*[;={]")
_NO_VARIABLE = re.compile(r"\b(?:operator|template|extern|typedef|using|struct|class|union|enum)\b")
_ASSEMBLY = (
    re.compile(  # at the begin of a statement, so that it is not the symbol of a declaration
        r"(?P<before>[;{}):]\s*)(?:asm|__asm__|__asm)\s*(?:volatile|__volatile__)?\s*\("
    )
)
_SHARED = re.compile(r"\b__shared__\b")
_DYNAMIC = re.compile(
    r"\bextern\b([^;{}()=]*?)\b__shared__\b([^;{}()=]*?)\b(\w+)"
    r"\s*\[\s*\]\s*((?:\[[^\[\];{}]*\]\s*)*);"
)
_NAME = re.compile(r"(\w+)\s*(?:\[[^\[\]]*\]\s*|\{[^{}]*\}\s*)*$")


@dataclass(frozen=True)
class Declaration:
    """Variables that are declared in one statement."""

    names: tuple[str, ...]
    begin: int
    end: int
    """After its semicolon."""


@dataclass(frozen=True)
class DynamicShared:
    """An `extern __shared__` array without a size."""

    type: str
    """Of its elements."""

    name: str
    rows: str
    """The brackets after the first, of an array of more dimensions."""

    begin: int
    end: int


@dataclass(frozen=True)
class KernelDeclaration:
    """The definition of a kernel, or the explicit instantiation of a template."""

    name: str
    parameters: str
    """With their parentheses."""

    bounds: str
    """Of `__launch_bounds__`, in parentheses."""

    cluster: str
    """Of `__cluster_dims__`, in parentheses."""

    end: int


def bare_text(text: str) -> str:
    """`text` with spaces in place of literals, attributes and directives."""
    for pattern in (_LITERAL, _DIRECTIVE, _ATTRIBUTE):
        text = _blank(pattern, text)
    return text


def _blank(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def edited(text: str, edits: Iterable[Edit]) -> str:
    """`text` with each piece replaced, apart from those within a larger one that is."""
    pieces = []
    end = 0
    for start, next_end, replacement in sorted(edits, key=lambda edit: edit[:2]):
        if start >= end:
            pieces += [text[end:start], replacement]
            end = next_end
    return "".join([*pieces, text[end:]])


def kernels(bare: str) -> Iterator[KernelDeclaration]:
    """The kernels that a source defines or instantiates, in their order."""
    declarations = _blank(_CLUSTER, _blank(_BOUNDS, bare))
    for found in _KERNEL.finditer(declarations):
        begin = _begin_of_statement(declarations, found.start())
        head = re.search(r"\btemplate\b\s*(<\s*>|<|)", declarations[begin : found.start()])
        if head and (head[1] == "<" or found[2] is None):
            continue  # a template, which is nothing until it is instantiated
        last = _end_of_group(declarations, found.end() - 1)
        end = _end_of_body(declarations, last)
        if declarations[end - 1] == ";" and not (head and head[1] == ""):
            continue  # a declaration, whose definition follows
        bounds = _BOUNDS.search(bare, begin, last)
        cluster = _CLUSTER.search(bare, begin, last)
        yield KernelDeclaration(
            name=found[1] + (found[2] or ""),
            parameters=bare[found.end() - 1 : last],
            bounds=bounds[1] if bounds and not head else "(0)",
            cluster=cluster[1] if cluster and not head else "()",
            end=end,
        )


def variables(bare: str) -> Iterator[Declaration]:
    """The variables of the device that have a name outside of the source."""
    end = 0
    for found in _VARIABLE.finditer(bare):
        if found.start() < end:
            continue
        begin = _begin_of_statement(bare, found.start())
        if _NO_VARIABLE.search(bare[begin : found.end()]):
            continue
        declaration = _declaration(bare, begin)
        if declaration.names:
            end = declaration.end
            yield declaration


def static_shared(bare: str) -> Iterator[Declaration]:
    """The variables in shared memory of constant size."""
    for found in _SHARED.finditer(bare):
        declaration = _declaration(bare, _begin_of_statement(bare, found.start()))
        if not _DYNAMIC.fullmatch(bare[declaration.begin : declaration.end]):
            yield declaration


def dynamic_shared(bare: str) -> Iterator[DynamicShared]:
    """The arrays of dynamic shared memory."""
    for found in _DYNAMIC.finditer(bare):
        element = " ".join(f"{found[1]} {found[2]}".split())
        yield DynamicShared(element, found[3], found[4].strip(), *found.span())


def function_bodies(bare: str) -> list[range]:
    """Where the bodies of functions are, from their first brace to their last."""
    bodies: list[range] = []
    for brace in re.finditer(r"\{", bare):
        begin = brace.start()
        head = _STANDARD_ATTRIBUTE.sub("", bare[_begin_of_statement(bare, begin) : begin])
        if ")" in head and not (bodies and begin in bodies[-1]):
            bodies.append(range(begin, _end_of_body(bare, begin)))
    return bodies


def assembly(bare: str, bodies: Iterable[range]) -> Iterator[tuple[int, int]]:
    """The PTX statements in the bodies of functions, without their semicolons."""
    for body in bodies:
        for found in _ASSEMBLY.finditer(bare, body.start, body.stop):
            yield found.end("before"), _end_of_group(bare, found.end() - 1)


def keywords(bare: str) -> Iterator[Edit]:
    """CUDA's keywords, to be removed."""
    for pattern in (_KEYWORD, _BOUNDS, _CLUSTER):
        for found in pattern.finditer(bare):
            yield *found.span(), ""


def _begin_of_statement(bare: str, position: int) -> int:
    begin = 1 + max(bare.rfind(mark, 0, position) for mark in ";{}")
    while bare[begin].isspace():
        begin += 1
    return begin


def _declaration(bare: str, begin: int) -> Declaration:
    """The declaration that begins there, with the names that it declares."""
    pieces, piece_begin, has_value = [], begin, False
    open_brackets: list[str] = []
    position = begin
    for position in range(begin, len(bare)):
        mark = bare[position]
        if mark in "([{" or (mark == "<" and not has_value and set(open_brackets) <= {"<"}):
            open_brackets.append(mark)
        elif mark in ")]}" or (mark == ">" and open_brackets[-1:] == ["<"]):
            del open_brackets[-1:]
        elif mark in ",;=" and not open_brackets:
            if not has_value:
                pieces.append(bare[piece_begin:position])
            has_value = mark == "="
            piece_begin = position + 1
            if mark == ";":
                break
    names = (_NAME.search(piece.rstrip()) for piece in pieces)
    return Declaration(tuple(name[1] for name in names if name), begin, position + 1)


def _end_of_group(bare: str, start: int) -> int:
    """After the parenthesis that closes the one at `start`."""
    depth = 0
    for mark in re.compile(r"[()]").finditer(bare, start):
        depth += 1 if mark[0] == "(" else -1
        if depth == 0:
            return mark.end()
    return len(bare)


def _end_of_body(bare: str, start: int) -> int:
    """The end of the declaration at `start`: its last brace, or its semicolon."""
    depth = 0
    for mark in re.compile(r"[{};]").finditer(bare, start):
        depth += {"{": 1, "}": -1, ";": 0}[mark[0]]
        if depth == 0:
            return mark.end()
    return len(bare)

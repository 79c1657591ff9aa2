"""The operators: small edits of device code, of the kind that people get wrong."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from gpucnn.simulator.mutation.code import Code

COMPARISONS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
LOGIC = {"&&": "||", "||": "&&", "true": "false", "false": "true"}
ARITHMETIC = {"+": "-", "-": "+", "*": "/", "/": "*", "%": "/"}
ARITHMETIC |= {"&": "|", "|": "&", "^": "&", "<<": ">>", ">>": "<<"}
ASSIGNMENTS = {"+=": "-=", "-=": "+=", "*=": "/=", "/=": "*=", "%=": "/=", "++": "--", "--": "++"}
ASSIGNMENTS |= {"&=": "|=", "|=": "&=", "^=": "&=", "<<=": ">>=", ">>=": "<<="}
EXTREMES = {"min": "max", "fmin": "fmax", "fminf": "fmaxf"}
EXTREMES |= {largest: smallest for smallest, largest in EXTREMES.items()}
AXES = {"x": "y", "y": "x", "z": "x"}
SIZES = {"blockDim": "gridDim", "gridDim": "blockDim"}
FENCES = {"__syncthreads", "__syncwarp", "__threadfence", "__threadfence_block"}
FENCES |= {"__threadfence_system", "sync"}
VOTES = {"__any_sync": "__all_sync", "__all_sync": "__any_sync"}
SHUFFLES = {"shfl_down": "shfl_up", "shfl_up": "shfl_down", "shfl_xor": "shfl_down"}
SHUFFLES |= {f"__{old}_sync": f"__{new}_sync" for old, new in SHUFFLES.items()}
WITH_LANES = {*SHUFFLES, "__shfl_sync", "shfl"}
WITH_MASKS = {name for name in WITH_LANES if name.startswith("__")} | {*VOTES, "__ballot_sync"}
PLAIN = {
    "atomicAdd": ("*({0}) += {1}", "((*({0}) += {1}) - ({1}))"),
    "atomicSub": ("*({0}) -= {1}", "((*({0}) -= {1}) + ({1}))"),
    "atomicExch": ("*({0}) = {1}", None),
    "atomicMax": ("*({0}) = max(*({0}), {1})", None),
    "atomicMin": ("*({0}) = min(*({0}), {1})", None),
    "atomicAnd": ("*({0}) &= {1}", None),
    "atomicOr": ("*({0}) |= {1}", None),
    "atomicXor": ("*({0}) ^= {1}", None),
    "atomicInc": (None, "(*({0}) >= ({1}) ? (*({0}) = 0, ({1})) : (*({0}))++)"),
    "atomicCAS": (None, "(*({0}) == ({1}) ? (*({0}) = ({2}), ({1})) : *({0}))"),
}
"""What an atomic operation is without being one: as a statement, and where its value is used."""

NARROWER = {"size_t": "unsigned", "uint64_t": "unsigned", "int64_t": "int", "ptrdiff_t": "int"}
NARROWER |= {"double": "float"}

FACTORS = ("*", "/", "%")

_WHOLE = re.compile(r"(0[xX][\da-fA-F]+|\d+)([uUlL]*)")
_REAL = re.compile(r"((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([fFlL]?)")
_SIMPLE = re.compile(r"[\w.:+*/%()\[\]-]+")  # to which 1 can be added without parentheses
_TERMS = {("/", "*"), ("*", "/"), ("/", "/"), ("%", "*"), ("*", "%"), ("/", "%"), ("%", "/")}
"""Operators of a row whose order of evaluation matters for more than the last digit."""


class Change(NamedTuple):
    """A place of a text, and what is put there."""

    operator: str
    begin: int
    end: int
    new: str


def changes(text: str) -> Iterator[Change]:
    """What the operators make of the bodies of a source's kernels and device functions.

    Comments, literals, preprocessor's lines, sizes of arrays and the arguments of templates are
    left alone. No two changes are alike; they are in the order of their places.
    """
    code = Code(text)
    found = {(c.begin, c.end, c.new): c for at in code.places for c in _at(code, at)}
    yield from sorted(found.values(), key=lambda change: change[1:])


def _at(code: Code, at: int) -> Iterator[Change]:
    for name, operator in OPERATORS.items():
        for begin, end, new in operator(code, at):
            yield Change(name, code.tokens[begin].begin, code.tokens[end].end, new)


Edits = Iterator[tuple[int, int, str]]
"""The first and the last token that are replaced, and by what."""


def _comparisons(code: Code, at: int) -> Edits:
    text = code.tokens[at].text
    if text in COMPARISONS:
        yield at, at, COMPARISONS[text]


def _guards(code: Code, at: int) -> Edits:
    """An `if` that is always taken, or never, where it only leaves."""
    if code.tokens[at].text != "if" or code.tokens[at + 1].text != "(":
        return
    end = code.partners[at + 1]
    after = code.tokens[end + 1 + (code.tokens[end + 1].text == "{")].text
    yield at + 1, end, "(false)" if after in ("return", "continue", "break") else "(true)"


def _logic(code: Code, at: int) -> Edits:
    text = code.tokens[at].text
    if text in LOGIC and (code.tokens[at].kind == "word" or code.is_binary(at)):
        yield at, at, LOGIC[text]


def _indices(code: Code, at: int) -> Edits:
    if code.tokens[at].text != "[" or code.partners.get(at, at) <= at + 1:
        return
    inside = range(at + 1, code.partners[at])
    if len(inside) > 1 or code.tokens[at + 1].kind != "number":
        yield inside[0], inside[-1], _plus_one(code.source(inside))


def _axes(code: Code, at: int) -> Edits:
    if code.tokens[at].text not in ("threadIdx", "blockIdx", *SIZES):
        return
    if code.tokens[at + 1].text == "." and code.tokens[at + 2].text in AXES:
        yield at + 2, at + 2, AXES[code.tokens[at + 2].text]


def _geometry(code: Code, at: int) -> Edits:
    if code.tokens[at].text in SIZES and code.tokens[at + 1].text == ".":
        yield at, at, SIZES[code.tokens[at].text]


def _strides(code: Code, at: int) -> Edits:
    """Of each two steps of a `for`, only one."""
    step = _step(code, at)
    text = code.tokens[at].text
    if step is None:
        return
    if text in ("++", "--"):
        name = code.source(range(step[0], step[-1] + 1)).replace(text, "").strip()
        yield step[0], step[-1], f"{name} {text[0]}= 2"
    elif text in ("+=", "-="):
        size = code.source(range(at + 1, step.stop))
        yield at + 1, step[-1], f"2 * {size}" if step.stop == at + 2 else f"2 * ({size})"


def _step(code: Code, at: int) -> range | None:
    """The part of a `for` that a token is in, if that is its last and of one expression."""
    begin = code.begin_of_statement(at)
    end = begin
    while code.tokens[end].text not in (")", ";", ",", "{", "}"):
        end = max(end, code.partners.get(end, end)) + 1
    opening = code.partners.get(end, end) if code.tokens[end].text == ")" else end
    is_last = code.tokens[begin - 1].text == ";" and opening < begin
    return range(begin, end) if is_last and code.tokens[opening - 1].text == "for" else None


def _barriers(code: Code, at: int) -> Edits:
    name = code.tokens[at].text
    if code.tokens[at + 1].text != "(":
        return
    end = code.partners[at + 1]
    if name in FENCES and code.tokens[end + 1].text == ";":
        yield code.begin_of_operand(at), end, "(void)0"
    elif name.startswith("__syncthreads_"):
        yield at, end, f"!!({code.source(range(at + 2, end))})"


def _atomics(code: Code, at: int) -> Edits:
    name = code.tokens[at].text
    if name not in PLAIN or code.tokens[at + 1].text != "(":
        return
    end = code.partners[at + 1]
    is_statement = code.begin_of_statement(at) == at and code.tokens[end + 1].text == ";"
    statement, value = PLAIN[name]
    form = (statement or value) if is_statement else value
    if form is not None:
        yield at, end, form.format(*map(code.source, code.arguments(at + 1)))


def _shuffles(code: Code, at: int) -> Edits:
    name = code.tokens[at].text
    if name not in WITH_LANES | WITH_MASKS or code.tokens[at + 1].text != "(":
        return
    arguments = code.arguments(at + 1)
    if new := (SHUFFLES | VOTES).get(name):
        yield at, at, new
    if name in WITH_MASKS and _is_no_number(code, arguments[0]):
        yield arguments[0][0], arguments[0][-1], f"{code.source(arguments[0])} >> 1"
    lane = 2 if name in WITH_MASKS else 1
    if name in WITH_LANES and len(arguments) > lane and _is_no_number(code, arguments[lane]):
        yield arguments[lane][0], arguments[lane][-1], _plus_one(code.source(arguments[lane]))


def _constants(code: Code, at: int) -> Edits:
    """The next number; of a mask of all bits, the lower ones."""
    if code.tokens[at].kind != "number":
        return
    text = code.tokens[at].text.replace("'", "")
    if found := _WHOLE.fullmatch(text):
        digits, suffix = found.groups()
        if set(digits[2:].lower()) == {"f"}:
            yield at, at, f"0x7{digits[3:]}{suffix}"
        else:
            number = int(digits, 16 if digits[1:2] in ("x", "X") else 10) + 1
            yield at, at, (hex(number) if digits[1:2] in ("x", "X") else str(number)) + suffix
    elif found := _REAL.fullmatch(text):
        yield at, at, f"{float(found[1]) + 1}{found[2]}"


def _arithmetic(code: Code, at: int) -> Edits:
    text = code.tokens[at].text
    if text in EXTREMES and code.tokens[at + 1].text == "(":
        yield at, at, EXTREMES[text]
    elif text in ARITHMETIC and code.is_binary(at):
        yield at, at, ARITHMETIC[text]
    elif text in ASSIGNMENTS and _step(code, at) is None:  # in which it would never end
        yield at, at, ASSIGNMENTS[text]


def _order(code: Code, at: int) -> Edits:
    """Operations in another order: parentheses left out, or put around the last two operands."""
    yield from _without_parentheses(code, at)
    first = code.tokens[at].text
    middle = code.operand(at + 1) if first in "*/%-" and code.is_binary(at) else None
    if middle is None:
        return
    if first == "-":
        middle = _end_of_term(code, middle)
    second = code.tokens[middle + 1].text
    if (first, second) in _TERMS or (first == "-" and second in "+-"):
        last = code.operand(middle + 2)
        if last is not None:
            last = _end_of_term(code, last) if first == "-" else last
            yield at + 1, last, f"({code.source(range(at + 1, last + 1))})"


def _without_parentheses(code: Code, at: int) -> Edits:
    """A sum in parentheses beside a product, a quotient or a minus."""
    end = code.partners.get(at, at)
    if code.tokens[at].text != "(" or end <= at + 1:
        return
    before, after = code.tokens[at - 1], code.tokens[end + 1]
    if before.text in (")", "]", ">") or (before.kind == "word" and before.text != "return"):
        return
    is_sum = any(code.tokens[i].text in "+-" and code.is_binary(i) for i in code.level(at + 1, end))
    if is_sum and (before.text in FACTORS or before.text == "-" or after.text in FACTORS):
        yield at, end, code.source(range(at + 1, end))


def _end_of_term(code: Code, end: int) -> int:
    """The last token of a product or quotient, of which an operand is given."""
    while code.tokens[end + 1].text in FACTORS:
        last = code.operand(end + 2)
        if last is None:
            return end
        end = last
    return end


def _types(code: Code, at: int) -> Edits:
    """Values of 64 bits in 32."""
    text, end = code.tokens[at].text, at
    new = NARROWER.get(text)
    if text == "long" and code.tokens[at + 1].text == "long":
        end = at + 1
        is_unsigned = code.tokens[at - 1].text == "unsigned"
        at -= is_unsigned
        new = "unsigned" if is_unsigned else "int"
    if new and code.tokens[end + 1].text not in ("*", "&"):
        yield at, end, new


def _plus_one(text: str) -> str:
    return f"{text} + 1" if _SIMPLE.fullmatch(text.replace(" ", "")) else f"({text}) + 1"


def _is_no_number(code: Code, tokens: range) -> bool:
    return len(tokens) > 1 or code.tokens[tokens[0]].kind != "number"


OPERATORS: dict[str, Callable[[Code, int], Edits]] = {
    "comparison": _comparisons,
    "guard": _guards,
    "logic": _logic,
    "index": _indices,
    "axis": _axes,
    "geometry": _geometry,
    "stride": _strides,
    "barrier": _barriers,
    "atomic": _atomics,
    "shuffle": _shuffles,
    "constant": _constants,
    "type": _types,
    "arithmetic": _arithmetic,
    "order": _order,
}
"""The edits that each makes at a token, by what it is about."""

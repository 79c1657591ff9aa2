"""Device code as tokens: what stands in the bodies of kernels and device functions."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<directive> ^[ \t]*\#(?:\\\r?\n|[^\n])* )
    | (?P<blank> \n | [ \t\r\f\v]+ | //(?:\\\r?\n|[^\n])* | /\*.*?\*/ )
    | (?P<literal> R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"
        | "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)+' )
    | (?P<number> \.?\d(?:[eEpP][+-]|'(?=\w)|[\w.])* )
    | (?P<word> [A-Za-z_]\w* )
    | (?P<operator> <<= | >>= | -> | \+\+ | -- | << | >> | && | \|\| | :: | [-+*/%&|^<>=!]= | . )
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_DEVICE = {"__global__", "__device__"}
_BEFORE_BODY = {")", "const", "noexcept"}
_UNEVALUATED = {"sizeof", "alignof", "alignas", "decltype", "static_assert", "asm", "__asm__"}
_QUALIFIERS = {"const", "constexpr", "static", "volatile", "extern", "__shared__", "register"}
_FUNDAMENTAL = {"unsigned", "signed", "long", "short", "int", "char", "float", "double", "bool"}
_NO_OPERANDS = {"return", "else", "case", "do", "goto", "new", "delete", "using", "typedef"}
_IN_ANGLES = re.compile(r"[\w.:,*&+/%-]+")


class Token(NamedTuple):
    """A piece of code, which is neither a comment nor of a preprocessor's line."""

    kind: str
    """number, word, literal or operator; brackets are operators."""

    text: str
    begin: int
    end: int


@dataclass(frozen=True)
class Code:
    """A source, and what is known of its tokens."""

    text: str

    @cached_property
    def tokens(self) -> Sequence[Token]:
        """All tokens, in order."""
        return [each for each in _tokens(self.text) if each.kind != "directive"]

    @cached_property
    def partners(self) -> dict[int, int]:
        """The closing bracket of each that opens, and the other way round, by their indices."""
        partners, open_ones = dict[int, int](), list[int]()
        for index, token in enumerate(self.tokens):
            if token.text in _BRACKETS and token.kind == "operator":
                open_ones.append(index)
            elif open_ones and token.text == _BRACKETS[self.tokens[open_ones[-1]].text]:
                begin = open_ones.pop()
                partners[begin], partners[index] = index, begin
        return partners

    @cached_property
    def bodies(self) -> Sequence[range]:
        """The tokens of each body of a kernel or a device function."""
        bodies, begin, index = list[range](), 0, 0
        while index < len(self.tokens):
            text = self.tokens[index].text
            if text == "{" and self._is_device(begin, index):
                bodies.append(range(index + 1, self.partners[index]))
                index = self.partners[index]
            if text in ("{", "}", ";"):
                begin = index + 1
            index += 1
        return bodies

    def _is_device(self, begin: int, end: int) -> bool:
        header = {token.text for token in self.tokens[begin:end]}
        is_body = end in self.partners and self.tokens[end - 1].text in _BEFORE_BODY
        return is_body and not _DEVICE.isdisjoint(header)

    @cached_property
    def places(self) -> Sequence[int]:
        """The tokens of the bodies, by index, without sizes of arrays and what is not evaluated."""
        passive = {index for each in self._passive() for index in each}
        return [index for body in self.bodies for index in body if index not in passive]

    def _passive(self) -> Iterator[range]:
        for body in self.bodies:
            for index in body:
                text, after = self.tokens[index].text, self.tokens[index + 1].text
                if text in _UNEVALUATED and after == "(":
                    yield range(index, self.partners.get(index + 1, index) + 1)
                elif text == "[" and self.is_declarator(index):
                    yield range(index, self.partners.get(index, index) + 1)
                elif after == "<" and (end := self.end_of_angles(index + 1)):
                    yield range(index + 1, end + 1)

    def end_of_angles(self, begin: int) -> int | None:
        """The index of the > that ends what a < before it begins as arguments of a template."""
        if self.tokens[begin - 1].kind != "word":
            return None
        depth = 0
        for index in range(begin, len(self.tokens)):
            text = self.tokens[index].text
            depth += {"<": 1, ">": -1, ">>": -2}.get(text, 0)
            if depth <= 0:
                after = self.tokens[index + 1]
                is_end = after.kind == "word" or after.text in ("(", "::", ">", ",", ")", "{", "&")
                return index if is_end else None
            if text not in ("<", ">") and not _IN_ANGLES.fullmatch(text):
                return None
        return None

    def begin_of_statement(self, index: int) -> int:
        """The first token of the statement, or of the part of a `for`, that a token is in."""
        while index > 0:
            if self.tokens[index - 1].text in (";", "{", "}", "(", "["):
                return index
            index = self.partners.get(index - 1, index - 1)
        return index

    def is_declaration(self, begin: int) -> bool:
        """Whether a statement declares variables."""
        first = self.tokens[begin]
        if first.text in _QUALIFIERS | _FUNDAMENTAL:
            return True
        if first.kind != "word" or first.text in _NO_OPERANDS:
            return False
        index = begin + 1
        if self.tokens[index].text == "<" and (end := self.end_of_angles(index)):
            index = end + 1
        while self.tokens[index].text in ("*", "&", "const", "__restrict__"):
            index += 1
        is_named = self.tokens[index].kind == "word"
        return is_named and self.tokens[index + 1].text in ("=", ";", ",", "[", "(", "{")

    def is_declarator(self, index: int) -> bool:
        """Whether an opening square bracket begins the size of an array, or a capture."""
        before = index - 1
        while self.tokens[before].text == "]" and before in self.partners:
            before = self.partners[before] - 1
        if self.tokens[before].kind != "word":
            return self.tokens[before].text != ")"
        begin = self.begin_of_statement(before)
        if not self.is_declaration(begin):
            return False
        return not self._is_value(begin, before)

    def level(self, begin: int, end: int) -> Sequence[int]:
        """The tokens from one to before another that are in no brackets between these."""
        level, index = list[int](), begin
        while index < end:
            level.append(index)
            index = max(index, self.partners.get(index, index)) + 1
        return level

    def _is_value(self, begin: int, index: int) -> bool:
        """Whether a token of a declaration stands behind its equals sign."""
        return any(self.tokens[each].text == "=" for each in self.level(begin, index))

    def is_binary(self, index: int) -> bool:
        """Whether an operator stands between two operands, as far as can be told."""
        before, after = self.tokens[index - 1], self.tokens[index + 1]
        if not (before.kind in ("number", "word") or before.text in (")", "]")):
            return False
        if before.text in _NO_OPERANDS or before.text in _FUNDAMENTAL | _QUALIFIERS:
            return False
        if self.tokens[index].text not in ("*", "&", "&&"):
            return True
        if after.text in (")", ">", ",", "const", "__restrict__"):
            return False
        begin = self.begin_of_statement(index)
        return not self.is_declaration(begin) or self._is_value(begin, index)

    def operand(self, begin: int) -> int | None:
        """The last token of the operand that a token begins: of a name, a number, a call, ..."""
        index = begin
        while self.tokens[index].text in ("-", "+", "!", "~", "*", "&"):
            index += 1
        if self.tokens[index].text == "(":
            index = self.partners.get(index, index)
            after = self.tokens[index + 1]  # of a cast, what is cast
            if after.kind in ("word", "number") or after.text == "(":
                return self.operand(index + 1)
        elif self.tokens[index].kind not in ("word", "number"):
            return None
        while True:
            text = self.tokens[index + 1].text
            if text in ("(", "["):
                index = self.partners.get(index + 1, index + 1)
            elif text in (".", "->", "::"):
                index += 2
            else:
                return index

    def begin_of_operand(self, index: int) -> int:
        """The first token of a name with what it is a member of, such as `block.sync`."""
        while self.tokens[index - 1].text in (".", "->", "::"):
            index -= 2
            if self.tokens[index].text in (")", "]"):
                index = self.partners.get(index, index) - 1
        return index

    def arguments(self, begin: int) -> Sequence[range]:
        """The tokens of each argument of a call, given its opening bracket."""
        end = self.partners[begin]
        commas = [i for i in self.level(begin + 1, end) if self.tokens[i].text == ","]
        bounds = pairwise([begin, *commas, end]) if end > begin + 1 else ()
        return [range(left + 1, right) for left, right in bounds]

    def source(self, tokens: range) -> str:
        """The text of neighbouring tokens."""
        return self.text[self.tokens[tokens[0]].begin : self.tokens[tokens[-1]].end]


def without_comments(text: str) -> str:
    """The tokens and directives of a source."""
    return " ".join(token.text for token in _tokens(text))


def _tokens(text: str) -> Iterator[Token]:
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup
        if kind is not None and kind != "blank":
            yield Token(kind, found[0], *found.span())

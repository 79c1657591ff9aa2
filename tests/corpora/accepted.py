"""What NVRTC accepts of a text: the oracle of the corpora.

A text that was written for nvcc has declarations for the host between those for the device. NVRTC
names the lines that it refuses, and what is declared there is taken out, until it accepts the rest.
"""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

from cuda.bindings import nvrtc

from corpora.repositories import Text, bare_code, directives

PRELUDE = """\
typedef signed char int8_t; typedef unsigned char uint8_t;
typedef short int16_t; typedef unsigned short uint16_t;
typedef int int32_t; typedef unsigned int uint32_t;
typedef long long int64_t; typedef unsigned long long uint64_t;
typedef long long intptr_t; typedef unsigned long long uintptr_t;
typedef unsigned char uchar; typedef unsigned short ushort;
typedef unsigned int uint; typedef unsigned long ulong;
#ifndef NULL
#define NULL 0
#endif
#ifndef INT_MAX
#define INT_MAX 2147483647
#endif
#ifndef INT_MIN
#define INT_MIN (-INT_MAX - 1)
#endif
#ifndef UINT_MAX
#define UINT_MAX 4294967295u
#endif
#ifndef FLT_MAX
#define FLT_MAX 3.402823466e+38f
#endif
#ifndef FLT_MIN
#define FLT_MIN 1.175494351e-38f
#endif
#ifndef FLT_EPSILON
#define FLT_EPSILON 1.192092896e-07f
#endif
#ifndef DBL_MAX
#define DBL_MAX 1.7976931348623157e+308
#endif
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#endif
#ifndef M_PI
#define M_PI 3.14159265358979323846
#endif
#ifndef assert
#define assert(condition)
#endif
"""
"""What a host's headers define and device code uses."""

_ROUNDS = 40
_ERROR = re.compile(r"^x\.cu\((\d+)\): (?:catastrophic )?error(?: #\S+)?: (.+)$", re.MULTILINE)
_KERNEL = re.compile(r"__global__[^;{}]*?\b(?!__launch_bounds__)(\w+)\s*\((?:[^;{}]|\{\})*\)\s*\{")
_TEMPLATE = re.compile(r"template\s*<(?P<parameters>[^;{}()]*)>(?:(?!template)[^;{}])*$")
_NAMESPACE = re.compile(r"\bnamespace\s+(\w+)\s*\{")
_OPENS = re.compile(r"\s*(?:extern|(?:inline\s+)?namespace\b[\s\w:]*)\s*")
_TYPE = re.compile(  # or an array with its values, which goes on to a semicolon as well
    r"\s*(?:template\s*<[^{}()]*>\s*)*(?:(?:typedef|static|const)\s+)*(?:struct|class|union|enum)\b[^()]*?\{"
    r"|[^{}();]*=\s*\{"
)
_DEVICE = re.compile(r"__global__|__device__|__constant__")
_TYPES = ("float", "int", "float4")
_FUNDAMENTAL = ("bool", "char", "short", "int", "long", "unsigned", "signed", "float", "double")
_CONSTANT = {*_FUNDAMENTAL, "true", "false"}
_SIZES = ("32", "8", "256")


class Accepted(NamedTuple):
    """A text as NVRTC accepts it."""

    code: str
    expressions: dict[str, str]
    """The name expression of each kernel, by its name."""


def accept(text: Text, include: Path) -> tuple[Accepted | None, str]:
    """The part of a text that NVRTC accepts, with its kernels; or else its first complaint.

    A template counts with the arguments that the host code launches it with, or else with the first
    of a few guesses that NVRTC accepts.
    """
    code = text.code
    first = ""
    for prelude in ("", _headers(text.code) + PRELUDE):
        complaints = _complaints(prelude + code, include)
        if not complaints:
            break
    code = prelude + code
    for _ in range(_ROUNDS):
        if not complaints:
            break
        first = first or next(iter(complaints.values()))
        shorter = _without(code, complaints)
        if shorter == code or "__global__" not in shorter:
            return None, first
        code = shorter
        complaints = _complaints(code, include)
    else:
        return None, first
    found = _valid(code, include, dict(_expressions(code, text.launched)))
    if not found:
        return None, first or "no kernel is left"
    return Accepted(code, found), ""


def _valid(code: str, include: Path, guesses: dict[str, list[str]]) -> dict[str, str]:
    """The first name expression of each kernel that is valid: all at once, or else one by one."""
    firsts = {name: each[0] for name, each in guesses.items()}
    if not _complaints(code, include, *firsts.values()):
        return firsts
    found = {}
    for name, expressions in guesses.items():
        valid = (each for each in expressions if not _complaints(code, include, each))
        if first := next(valid, ""):
            found[name] = first
    return found


def _headers(code: str) -> str:
    """CUDA's headers that those of its host libraries include."""
    words = {"cuda_fp16.h": r"\b(?:__)?half", "cuda_bf16.h": r"\b__nv_bfloat16"}
    return "".join(f"#include <{name}>\n" for name, word in words.items() if re.search(word, code))


def _complaints(code: str, include: Path, *expressions: str) -> dict[int, str]:
    """What NVRTC says against a text, by the line."""
    _, program = nvrtc.nvrtcCreateProgram(code.encode(), b"x.cu", 0, [], [])
    for expression in expressions:
        nvrtc.nvrtcAddNameExpression(program, expression.encode())
    options = ["--std=c++17", "-arch=compute_90", "-default-device", "-G", *_folders(include)]
    encoded = [option.encode() for option in options]
    (status,) = nvrtc.nvrtcCompileProgram(program, len(encoded), encoded)
    _, size = nvrtc.nvrtcGetProgramLogSize(program)
    log = bytearray(size)
    nvrtc.nvrtcGetProgramLog(program, log)
    nvrtc.nvrtcDestroyProgram(program)
    if status == nvrtc.nvrtcResult.NVRTC_SUCCESS:
        return {}
    text = log.decode(errors="replace")
    found = {int(line): message for line, message in _ERROR.findall(text)}
    return found or {0: next((line for line in text.splitlines() if "error" in line), text)}


def _folders(include: Path) -> list[str]:
    import nvidia.cu13

    toolkit = Path(next(iter(nvidia.cu13.__path__))) / "include"
    return [f"-I{toolkit}", f"-I{toolkit}/cccl", f"-I{include}"]


def without_host(code: str, line: int) -> str:
    """A text without the declaration of that line, if it is for the host."""
    shorter = _without(code, {line: ""})
    return shorter if len(_DEVICE.findall(shorter)) == len(_DEVICE.findall(code)) else code


def _without(code: str, complaints: dict[int, str]) -> str:
    """A text without the declarations that NVRTC complains of, those for the host first."""
    starts = [0, *(found.end() for found in re.finditer("\n", code))]
    refused = []
    for begin, end in _declarations(bare_code(code)):
        lines = (starts[line - 1] for line in complaints if 0 < line <= len(starts))
        if any(begin <= start < end or start <= begin < _line_end(code, start) for start in lines):
            refused.append((begin, end))
    host = [piece for piece in refused if not _DEVICE.search(code, *piece)]
    for begin, end in reversed(host or refused):
        code = code[:begin] + directives(code, begin, end) + code[end:]
    if not refused:  # an #error, or an #include
        for line in complaints:
            if 0 < line <= len(starts) and code[starts[line - 1] :].lstrip().startswith("#"):
                end = _line_end(code, starts[line - 1])
                return code[: starts[line - 1]] + code[end:]
    return code


def _line_end(code: str, start: int) -> int:
    end = code.find("\n", start)
    return len(code) if end < 0 else end


def _declarations(bare: str) -> Iterator[tuple[int, int]]:
    """Where the declarations outside of functions and types begin and end."""
    begin, depth = 0, 0
    for mark in re.compile(r"[{};]").finditer(bare):
        if mark[0] == "{":
            if not depth and _OPENS.fullmatch(bare, begin, mark.start()):
                begin = mark.end()
            else:
                depth += 1
            continue
        elif mark[0] == "}":
            if not depth:
                begin = mark.end()
                continue
            depth -= 1
            goes_on = bare[mark.end() :].lstrip()[:1]
            if depth or goes_on == ";" or _TYPE.match(bare, begin):
                continue
        elif depth:
            continue
        begin += len(bare[begin:]) - len(bare[begin:].lstrip())
        yield begin, mark.end()
        begin = mark.end()


def _expressions(code: str, launched: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    """The name of each kernel, and the name expressions that it may have."""
    bare = bare_code(code)
    for found in _KERNEL.finditer(bare):
        name = found[1]
        scope = "".join(f"{each}::" for each in _namespaces(bare, found.start()))
        template = _TEMPLATE.search(bare, max(0, found.start() - 2000), found.start())
        if template is None or not template["parameters"].strip():
            yield name, [scope + name]
            continue
        theirs = [
            each
            for each in launched
            if re.match(rf"(\w+::)*{name}\s*<", each) and _is_constant(each, code)
        ]
        guesses = [f"{scope}{name}<{each}>" for each in _guesses(template["parameters"])]
        yield name, [*theirs[:4], *guesses]


def _is_constant(expression: str, code: str) -> bool:
    """Whether the arguments of a template are numbers, fundamental types and macros."""
    words = re.findall(r"[A-Za-z_]\w*", expression.split("<", 1)[1])
    return all(word in _CONSTANT or re.search(rf"#\s*define\s+{word}\b", code) for word in words)


def _namespaces(bare: str, position: int) -> Iterator[str]:
    for found in _NAMESPACE.finditer(bare, 0, position):
        depth = 1
        for mark in re.compile(r"[{}]").finditer(bare, found.end(), position):
            depth += 1 if mark[0] == "{" else -1
            if not depth:
                break
        if depth:
            yield found[1]


def _guesses(parameters: str) -> list[str]:
    """Arguments for a template's parameters."""
    declared = [each.split("=")[0].split() for each in parameters.split(",")]
    found = []
    for type_name, size in product(_TYPES, _SIZES):
        found.append(
            ", ".join(
                type_name
                if "typename" in words or "class" in words
                else "true"
                if "bool" in words
                else size
                for words in declared
            )
        )
    return list(dict.fromkeys(found))

"""Changes that damage a file, by chance: of its bytes, of the JSON in it, of a PNG's header."""

import struct
import zlib
from typing import Any

import numpy as np

Generator = np.random.Generator

NASTY: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    3,
    10**6,
    2**31,
    2**63,
    10**400,
    -(10**400),
    0.5,
    -0.0,
    1e-320,
    float("nan"),
    float("inf"),
    "",
    "0",
    "a\0b",
    "\x1b[31mred\x1b[0m\n\r",
    "\N{RIGHT-TO-LEFT OVERRIDE}abc",
    "\ud800",
    "x" * 200_000,
    "../../etc/passwd",
    "Dense",
    "Conv2D",
    "Sequential",
    "simulator?",
    [],
    {},
    [[]],
    [1, 2, 2],
    [10**6, 10**6],
    {"class": "Dense", "units": 10**9},
]
"""Values that something may be set to, in a file that was made to do harm."""


def of_bytes(content: bytes, generator: Generator) -> bytes:
    """Some content, damaged once or a few times."""
    for _ in range(generator.choice([1, 1, 2, 8])):
        content = _BYTES[generator.integers(len(_BYTES))](content, generator)
    return content


def _place(content: bytes, generator: Generator) -> int:
    """A place in the content, every other time near its start, where headers are."""
    length = min(len(content), 64) if generator.random() < 0.5 else len(content)
    return int(generator.integers(length + 1))


def _flip(content: bytes, generator: Generator) -> bytes:
    changed, place = bytearray(content), _place(content, generator)
    if place < len(changed):
        changed[place] ^= 1 << int(generator.integers(8))
    return bytes(changed)


def _cut(content: bytes, generator: Generator) -> bytes:
    return content[: _place(content, generator)]


def _splice(content: bytes, generator: Generator) -> bytes:
    """A piece of the content moved over another."""
    start, target = _place(content, generator), _place(content, generator)
    piece = content[start : start + int(generator.integers(1, 64))]
    return content[:target] + piece + content[target + len(piece) :]


def _insert(content: bytes, generator: Generator) -> bytes:
    place = _place(content, generator)
    return content[:place] + generator.bytes(int(generator.integers(1, 16))) + content[place:]


def _remove(content: bytes, generator: Generator) -> bytes:
    place = _place(content, generator)
    return content[:place] + content[place + int(generator.integers(1, 16)) :]


def _number(content: bytes, generator: Generator) -> bytes:
    """Four bytes set to a number that sizes and counts may have."""
    place = _place(content, generator)
    number = int(generator.choice([0, 1, 255, 2**16, 2**31 - 1, 2**32 - 1]))
    packed = struct.pack(">I" if generator.random() < 0.5 else "<I", number)
    return content[:place] + packed + content[place + 4 :]


def _repeat(content: bytes, generator: Generator) -> bytes:
    return content + content[_place(content, generator) :]


_BYTES = [_flip, _flip, _cut, _splice, _insert, _remove, _number, _repeat]


def of_json(value: Any, generator: Generator) -> Any:
    """A document with one of its values, at any depth, set to another, removed or doubled."""
    places = list(_places(value))
    if not places:
        return NASTY[generator.integers(len(NASTY))]
    container, key = places[generator.integers(len(places))]
    chance = generator.random()
    if chance < 0.1:
        del container[key]
    elif chance < 0.2 and isinstance(container, list):
        container.append(container[key])
    elif chance < 0.3 and isinstance(container, dict):
        container[str(NASTY[generator.integers(len(NASTY))])] = container[key]
    else:
        container[key] = NASTY[generator.integers(len(NASTY))]
    return value


def _places(value: Any) -> Any:
    """Each container in a document with each of its keys."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in list(keys):
        yield value, key
        yield from _places(value[key])


def of_png_header(content: bytes, generator: Generator) -> bytes:
    """A PNG whose header says something else, with a checksum that fits."""
    width, height, *rest = struct.unpack(">IIBBBBB", content[16:29])
    sizes = [0, 1, 28, 29, 4_000, 30_000, 89_000_000, 2**31 - 1]
    if generator.random() < 0.7:
        width, height = (int(generator.choice([*sizes, width])) for _ in range(2))
    else:
        rest[generator.integers(len(rest))] = int(generator.integers(256))
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, *rest)
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]

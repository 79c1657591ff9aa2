"""Launches, as the scheduler takes them, and the lines of the source that its messages name."""

import ctypes
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from gpucnn.simulator.counting import Counting
from gpucnn.simulator.listing import KernelDescription
from gpucnn.simulator.parameters import Memory
from gpucnn.simulator.source import CUDA, SOURCE

DONE, FAILED, INTERRUPTED = range(3)  # Outcome in state.hpp

_TOOLS = (
    ("addr2line", "-a", "-i", "-e"),
    ("llvm-symbolizer", "--output-style=GNU", "-a", "-i", "-e"),
)
_PLACE = re.compile("\x1b([0-9a-f]+)\x1b")  # an offset in the library, as errors.hpp writes it


class Array(ctypes.Structure):
    """An argument that is an array, as in state.hpp."""

    _fields_ = (
        ("begin", ctypes.c_void_p),
        ("size", ctypes.c_size_t),
        ("element", ctypes.c_uint),
        ("argument", ctypes.c_int),
    )


class Launch(ctypes.Structure):
    """The description of a launch, as in state.hpp."""

    _fields_ = (
        ("kernel", ctypes.POINTER(KernelDescription)),
        ("name", ctypes.c_char_p),
        ("arguments", ctypes.POINTER(ctypes.c_void_p)),
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("group", ctypes.c_uint * 3),
        ("is_cooperative", ctypes.c_int),
        ("dynamic_shared", ctypes.c_size_t),
        ("order", ctypes.c_int),
        ("seed", ctypes.c_ulonglong),
        ("blocks", ctypes.c_void_p),
        ("block_count", ctypes.c_ulonglong),
        ("arrays", ctypes.POINTER(Array)),
        ("array_count", ctypes.c_size_t),
        ("is_strict", ctypes.c_int),
        ("is_checked", ctypes.c_int),
        ("is_interruptible", ctypes.c_int),
        ("worker_count", ctypes.c_int),
        ("message", ctypes.c_char_p),
        ("message_size", ctypes.c_size_t),
        ("counting", ctypes.POINTER(Counting)),
    )


def disjoint(arrays: Mapping[int, Memory]) -> "ctypes.Array[Array]":
    """The arrays by their addresses; those that overlap are one, named after the first of them."""
    found: list[Array] = []
    for place, memory in sorted(arrays.items(), key=lambda each: each[1].address):
        if found and memory.address < found[-1].begin + found[-1].size:
            last = found[-1]
            last.size = max(last.size, memory.address + memory.size - last.begin)
            last.element = min(last.element, memory.element)
        elif memory.size:
            found.append(Array(memory.address, memory.size, memory.element, place))
    return (Array * len(found))(*found)


def with_lines(message: str, library: str) -> str:
    """`message` with " at file:line" in place of each offset in `library`, or with nothing.

    The line is that of the source from which the code there was inlined, and not one of the
    simulator's headers.
    """
    places = dict.fromkeys(_PLACE.findall(message))
    lines = _lines(library, tuple(places)) if places else {}
    return _PLACE.sub(lambda found: lines.get(found[1], ""), message)


@cache
def _lines(library: str, places: tuple[str, ...]) -> dict[str, str]:
    tool = next((tool for tool in _TOOLS if shutil.which(tool[0])), None)
    if tool is None:
        return {}
    try:
        done = subprocess.run(
            [*tool, library, *(f"0x{place}" for place in places)], capture_output=True, text=True
        )
    except OSError:
        return {}
    answers = re.split(r"^0x[0-9a-f]+$", done.stdout, flags=re.MULTILINE)[1:]
    return {
        place: _line(answer.split("\n")) for place, answer in zip(places, answers, strict=False)
    }


def _line(frames: Iterable[str]) -> str:
    """Where the first frame is that is not in the simulator's headers, or nothing."""
    for frame in frames:
        path, colon, line = frame.partition(" (")[0].rpartition(":")
        if colon and line.isdigit() and int(line) and not _is_own(Path(path)):
            name = SOURCE if path == "<stdin>" else Path(path).name
            return f" at {name}:{line}"
    return ""


def _is_own(path: Path) -> bool:
    """Whether a file is one of the simulator's headers."""
    return CUDA.parent.parent in path.parents

"""Reading the data in a pickle without running anything that it says.

A pickle is a program. Of its instructions, listed in Python's `pickletools`, only those are carried
out that make numbers, strings, lists, tuples and dictionaries; of the functions that it may name,
only those with which NumPy's arrays are written, and what is called then is not NumPy.
"""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import InvalidFileError, printable
from gpucnn.utils.storage.bounds import LARGEST_ARRAY
from gpucnn.utils.storage.damage import DAMAGE

MOST_READS = 1_000_000  # one or two for each of its instructions: CIFAR-100's takes half of that
LARGE = 2**16  # bytes of a string that is read into an array
CHUNK = 2**20  # bytes read at a time
MOST_ARRAYS = 16
MOST_AXES = 4  # of an array
LONGEST_KEY = 100  # characters

INSTRUCTIONS = (
    *(pickle.PROTO, pickle.FRAME, pickle.MARK, pickle.STOP, pickle.NONE),
    *(pickle.PUT, pickle.BINPUT, pickle.LONG_BINPUT, pickle.MEMOIZE),
    *(pickle.GET, pickle.BINGET, pickle.LONG_BINGET),
    *(pickle.INT, pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG, pickle.LONG1),
    *(pickle.NEWTRUE, pickle.NEWFALSE),
    *(pickle.STRING, pickle.BINSTRING, pickle.SHORT_BINSTRING),
    *(pickle.BINBYTES, pickle.SHORT_BINBYTES, pickle.BINBYTES8),
    *(pickle.UNICODE, pickle.BINUNICODE, pickle.SHORT_BINUNICODE),
    *(pickle.LIST, pickle.EMPTY_LIST, pickle.APPEND, pickle.APPENDS),
    *(pickle.TUPLE, pickle.EMPTY_TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3),
    *(pickle.DICT, pickle.EMPTY_DICT, pickle.SETITEM, pickle.SETITEMS),
    *(pickle.GLOBAL, pickle.STACK_GLOBAL, pickle.REDUCE, pickle.BUILD),
)


def read_pickle(file: IO[bytes], size: int, origin: str) -> dict[str, Any]:
    """Read the dictionary in a pickle.

    Args:
        file: at its start.
        size: of the pickle, in bytes.
        origin: its name in error messages.

    Returns:
        The dictionary, whose keys are text. What it holds are numbers, strings of bytes (Python
        2's) and of text, lists, tuples, dictionaries, and arrays (n, ...) of bytes, uint8.

    Raises:
        InvalidFileError: it is damaged, or holds anything else.
        OSError: the file cannot be read.
    """
    try:
        read = _Reader(_Source(file, size)).load()
        if not isinstance(read, _Dictionary):
            raise TypeError(f"it holds a {type(read).__name__}")
        arrays = [name for name, value in read.items() if isinstance(value, _Array)]
        if len(arrays) > MOST_ARRAYS:  # of which each might be a copy of the same bytes
            raise ValueError("it holds too many arrays")
        return read | {name: read[name].array() for name in arrays}
    except (*DAMAGE, pickle.UnpicklingError) as error:
        raise InvalidFileError(
            f"{origin} is not a pickle of numbers and arrays alone "
            f"({printable(str(error) or type(error).__name__, 100)}), and only such a one is read, "
            "for a pickle could run anything: give another copy"
        ) from error


class _Source:
    """The bytes of a pickle, of which no more are read than there are."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self.left, self._reads = file, size, 0

    def read(self, count: int) -> bytes:
        self._take(count)
        parts = (min(CHUNK, count - first) for first in range(0, count, CHUNK))
        return b"".join(map(self._file.read, parts))

    def readline(self) -> bytes:
        line = self._file.readline(self.left)
        self._take(len(line))
        return line

    def readinto(self, target: memoryview) -> None:
        self._take(len(target))
        for first in range(0, len(target), CHUNK):
            part = target[first : first + CHUNK]
            part[:] = self._file.read(len(part))  # a ValueError if there are fewer

    def _take(self, count: int) -> None:
        self._reads += 1
        self.left -= count
        if self.left < 0:
            raise EOFError("it is cut short")
        if self._reads > MOST_READS:
            raise ValueError("it holds too many things")


class _Dictionary(dict[str, Any]):
    """One whose keys are strings, kept as text; hashing others could take a deep recursion."""

    __slots__ = ()

    def __setitem__(self, key: Any, value: Any) -> None:
        if not isinstance(key, (bytes, str)) or len(key) > LONGEST_KEY:
            raise TypeError(f"a key is a {type(key).__name__}, or a long one")
        super().__setitem__(key.decode() if isinstance(key, bytes) else key, value)


@dataclass(frozen=True)
class _Large:
    """A string of many bytes, in memory that can be written to."""

    values: NDArray[np.uint8]


@dataclass(frozen=True)
class _Type:
    """NumPy's dtype of a name, in its place."""

    name: Any

    def set(self, state: Any) -> None:
        """Take what else is said of the type, the order of its bytes for one: bytes have none."""


class _Array:
    """NumPy's array, in its place, until it has its shape and content."""

    def __init__(self) -> None:
        self._state: Any = None

    def set(self, state: Any) -> None:
        self._state = state

    def array(self) -> NDArray[np.uint8]:
        """The array, in memory of its own.

        Raises:
            DAMAGE: it has not been given its shape and content, or ones that do not fit.
        """
        _, shape, of_type, is_fortran, content = self._state
        if not isinstance(of_type, _Type) or of_type.name not in (b"u1", "u1", b"|u1", "|u1"):
            raise TypeError("an array holds other things than bytes")
        if len(shape) > MOST_AXES or not all(type(each) is int for each in shape) or is_fortran:
            raise ValueError("an array has a shape that images have not")
        if isinstance(content, str):
            content = content.encode("latin-1")
        if isinstance(content, bytes):
            content = _Large(np.array(np.frombuffer(content, np.uint8)))
        array: NDArray[np.uint8] = content.values
        if prod(shape) != array.size:
            raise ValueError("an array has other bytes than its shape says")
        array.resize(shape, refcheck=False)  # no view, which would not own its memory
        return array


def _encoded(text: Any, encoding: Any) -> str:
    """The text as which Python 3 writes bytes for Python 2; a copy of each might be too many."""
    if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
        raise TypeError("it calls the function encode in another way than for bytes")
    return text


NAMES = {
    ("numpy", "ndarray"): None,
    ("numpy", "dtype"): lambda name, *_: _Type(name),
    ("numpy.core.multiarray", "_reconstruct"): lambda *_: _Array(),
    ("numpy._core.multiarray", "_reconstruct"): lambda *_: _Array(),
    ("_codecs", "encode"): _encoded,
}
"""What is called in place of the functions that a pickle names."""


class _Instructions(dict[int, Any]):
    """What carries out an instruction, by its code."""

    def __missing__(self, code: int) -> Any:
        raise pickle.UnpicklingError(f"it has the instruction {bytes([code])!r}")


class _Reader(pickle._Unpickler):
    """Python's own, written in Python, with fewer instructions."""

    stack: list[Any]
    append: Callable[[Any], None]  # to the stack
    read: Callable[[int], bytes]
    pop_mark: Callable[[], list[Any]]

    dispatch = _Instructions(
        {each[0]: pickle._Unpickler.dispatch[each[0]] for each in INSTRUCTIONS}
    )

    def __init__(self, source: _Source) -> None:
        super().__init__(source, encoding="bytes")
        self._source = source

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in NAMES:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return NAMES[module, name]

    def load_frame(self) -> None:
        self.read(8)  # how much might be read at once

    def load_build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], (_Array, _Type)):
            raise pickle.UnpicklingError("it changes something other than an array")
        self.stack[-1].set(state)

    def load_empty_dict(self) -> None:
        self.append(_Dictionary())

    def load_dict(self) -> None:
        values = self.pop_mark()
        self.append(_Dictionary())
        for key, value in zip(values[::2], values[1::2], strict=True):
            self.stack[-1][key] = value

    def load_long_string(self, digits: int) -> None:
        length = int.from_bytes(self.read(digits), "little")
        if length < LARGE:
            self.append(self.read(length))
            return
        if length > min(LARGEST_ARRAY, self._source.left):
            raise EOFError("it is cut short")
        array = np.empty(length, np.uint8)
        self._source.readinto(array.data)
        self.append(_Large(array))

    dispatch |= {
        pickle.FRAME[0]: load_frame,
        pickle.BUILD[0]: load_build,
        pickle.EMPTY_DICT[0]: load_empty_dict,
        pickle.DICT[0]: load_dict,
        pickle.BINSTRING[0]: lambda self: self.load_long_string(4),
        pickle.BINBYTES[0]: lambda self: self.load_long_string(4),
        pickle.BINBYTES8[0]: lambda self: self.load_long_string(8),
    }

"""What a compiled library has: its kernels and the variables of the device, by their names.

A kernel or variable is known by its symbol, as on a device, which is its name if it is declared
`extern "C"` and else the name that C++ makes of it; and by the name expressions of its module.
"""

import ctypes
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from gpucnn.simulator.errors import SimulatorError
from gpucnn.simulator.parameters import Parameter


class KernelDescription(ctypes.Structure):
    """The description of a kernel in its library, as in runtime.hpp."""

    _fields_ = (
        ("call", ctypes.c_void_p),
        ("parameters", ctypes.POINTER(Parameter)),
        ("parameter_count", ctypes.c_int),
        ("largest_block", ctypes.c_int),
        ("cluster", ctypes.c_uint * 3),
    )


class _Entry(ctypes.Structure):
    """As in listing.hpp."""


_Entry._fields_ = (
    ("type", ctypes.c_char_p),
    ("expression", ctypes.c_char_p),
    ("kernel", ctypes.POINTER(KernelDescription)),
    ("address", ctypes.c_void_p),
    ("size", ctypes.c_ulong),
    ("next", ctypes.POINTER(_Entry)),
)

_T = TypeVar("_T")

_MANGLED = re.compile(r"XadL(_Z.+)EEEE$")  # in the name of gpucnn_simulator::Named<&it>
_LOCAL = re.compile(r"_ZL|_ZN?.*\d+_GLOBAL__N_")  # static, or in a namespace without a name
_PLAIN = re.compile(r"_Z(\d+)(\w+)")


@dataclass(frozen=True)
class Kernel:
    """A kernel of a library.

    Attributes:
        description: for the scheduler.
        static_shared: bytes of shared memory that it declares, without those of the functions that
            it calls.
    """

    description: KernelDescription
    static_shared: int


@dataclass(frozen=True)
class Variable:
    """A variable of the device."""

    address: int
    size: int
    """Bytes."""


@dataclass(frozen=True)
class Listing:
    """The kernels and variables of a library, each by all of its names."""

    kernels: Mapping[str, Kernel]
    variables: Mapping[str, Variable]

    def kernel(self, name: str) -> Kernel:
        """The kernel of that symbol or name expression.

        Raises:
            SimulatorError: there is none.
        """
        return _find("kernel", name, self.kernels)

    def variable(self, name: str) -> Variable:
        """The variable of that symbol or name expression.

        Raises:
            SimulatorError: there is none.
        """
        return _find("variable", name, self.variables)


def _find(kind: str, name: str, found: Mapping[str, _T]) -> _T:
    if name in found:
        return found[name]
    if hidden := [symbol for symbol in found if _base_name(symbol) == name]:
        raise SimulatorError(
            f'the {kind} {name} is not declared extern "C", so a device knows it as {hidden[0]}: '
            f'declare it extern "C", or give {name!r} among the name_expressions'
        )
    names = ", ".join(found) or "none"
    raise SimulatorError(f"there is no {kind} {name}: choose one of the source's, {names}")


def read_listing(library: ctypes.CDLL) -> Listing:
    """Read the list that a library of kernels has (language/listing.hpp)."""
    library.gpucnn_entries.restype = ctypes.POINTER(_Entry)
    entries = list(_entries(library.gpucnn_entries()))[::-1]  # in the source's order
    shared = [(entry.type.decode(), entry.size) for entry in entries if _is_shared(entry)]
    kernels: dict[str, Kernel] = {}
    variables: dict[str, Variable] = {}
    for entry in entries:
        if _is_shared(entry):
            continue
        mangled = _mangled(entry)
        for name in _names(entry, mangled):
            if entry.kernel:
                own = f"{mangled[1:]}E"
                size = sum(size for type_name, size in shared if type_name.startswith(own))
                kernels[name] = Kernel(entry.kernel.contents, size)
            else:
                variables[name] = Variable(entry.address, entry.size)
    return Listing(kernels, variables)


def _entries(entry: "ctypes._Pointer[_Entry]") -> Iterator[_Entry]:
    while entry:
        yield entry.contents
        entry = entry.contents.next


def _is_shared(entry: _Entry) -> bool:
    return not entry.kernel and not entry.address


def _mangled(entry: _Entry) -> str:
    found = _MANGLED.search(entry.type.decode())
    assert found is not None, entry.type
    return found[1]


def _names(entry: _Entry, mangled: str) -> Iterator[str]:
    if entry.expression:
        yield entry.expression.decode()
    if not _LOCAL.match(mangled):
        yield _symbol(mangled)


def _symbol(mangled: str) -> str:
    """The symbol of what has no types in its mangled name: `extern "C"`, or a global variable."""
    plain = _PLAIN.fullmatch(mangled)
    return plain[2] if plain and int(plain[1]) == len(plain[2]) else mangled


def _base_name(symbol: str) -> str:
    """The name in the source of a function outside of namespaces."""
    plain = _PLAIN.match(symbol)
    return plain[2][: int(plain[1])] if plain else symbol

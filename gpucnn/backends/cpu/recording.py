"""Recording of the CPU's operations."""

from collections import deque
from collections.abc import Callable
from functools import cache, partial
from itertools import repeat
from typing import Any, NamedTuple

from gpucnn.backends.memory import Memory


class Noted(NamedTuple):
    """An operation that was asked for, and what it was given."""

    name: str
    arguments: tuple[Any, ...]
    named: dict[str, Any]


def noted(backend: Memory, work: Callable[[], None]) -> list[Noted]:
    """The operations of `work` on a backend, in their order, none of which is done."""
    operations: list[Noted] = []

    def note(name: str, *arguments: Any, **named: Any) -> None:
        operations.append(Noted(name, arguments, named))

    kind: Any = type(backend)
    of_instance = vars(backend)  # found before the methods of its class
    notes = {name: partial(note, name) for name in _operations(kind)}
    try:
        of_instance.update(notes)
        work()
    finally:  # in one call, which a signal does not interrupt: what is left is never done again
        deque(map(of_instance.pop, notes, repeat(None)), maxlen=0)
    return operations


@cache
def _operations(kind: Any) -> frozenset[str]:
    """The names of the methods that write to arrays, or call what does."""
    bounded = {
        name
        for family in kind.__mro__
        for name, method in vars(family).items()
        if hasattr(method, "bounds")
    }
    return frozenset(bounded | {"call", "copy"})

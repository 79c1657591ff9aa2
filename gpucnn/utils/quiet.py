"""Silencing the warnings of other libraries."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()


@contextmanager
def without_warnings() -> Iterator[None]:
    """A context in which warnings are ignored; one thread at a time enters it.

    Warning filters belong to the whole process: two overlapping contexts that restore the filters
    in the wrong order would leave them changed for good.
    """
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

"""Doing without the warnings of others' code, where its errors tell all."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()


@contextmanager
def without_warnings() -> Iterator[None]:
    """A span without warnings, for one thread at a time.

    The filters are those of the whole process. Two threads that put back what they found, in
    another order than they found it, would leave them changed for good.
    """
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

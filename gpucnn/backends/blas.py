"""The threads of BLAS, a setting of the whole process."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_holders = 0
_before: Any = None


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread, as long as any thread of the program is within.

    The first to come in sets the limit, and the last to leave restores what was before: in whatever
    order they leave.
    """
    global _holders, _before
    with _lock:
        if _holders == 0:
            _before = _controller().limit(limits=1, user_api="blas")
        _holders += 1
    try:
        yield
    finally:
        with _lock:
            _holders -= 1
            if _holders == 0:
                _before.restore_original_limits()


@cache
def _controller() -> ThreadpoolController:
    """Of the libraries that are loaded now; to find them takes milliseconds."""
    return ThreadpoolController()


def _renew_lock() -> None:
    """In a process that was forked, where the thread that held it is no more."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)

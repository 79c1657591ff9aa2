"""The threads of BLAS, a setting of the whole process."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

_lock = threading.RLock()  # which a handler of signals may take again
_holders = 0
_before: Any = None
_is_of_a_fork = False


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread, as long as any thread of the program is within.

    The first to come in sets the limit, and the last to leave restores what was before: in whatever
    order they leave.
    """
    _begin()
    try:
        yield
    finally:
        _end()


def _begin() -> None:
    global _holders, _before
    with _lock:
        _forget_threads_before_the_fork()
        if _holders == 0:
            _before = _controller().limit(limits=1, user_api="blas")
        _holders += 1


def _end() -> None:
    global _holders
    with _lock:
        _holders = max(_holders - 1, 0)
        if _holders == 0:
            _before.restore_original_limits()


def _forget_threads_before_the_fork() -> None:
    """In a process that was forked: those that were within are no more."""
    global _holders, _is_of_a_fork
    if _is_of_a_fork and _holders:
        _before.restore_original_limits()
        _holders = 0
    _is_of_a_fork = False


@cache
def _controller() -> ThreadpoolController:
    """Of the libraries that are loaded now; to find them takes milliseconds."""
    return ThreadpoolController()


def _renew_lock() -> None:
    """In a process that was forked, where the thread that held it is no more."""
    global _lock, _is_of_a_fork
    _lock, _is_of_a_fork = threading.RLock(), True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)

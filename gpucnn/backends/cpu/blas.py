"""The number of BLAS threads, a setting of the whole process."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import OpenBLASController, ThreadpoolController

_lock = threading.RLock()  # reentrant, since a signal handler may take it again
_holders = 0
_before: Any = None
_is_of_a_fork = False


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread while any thread of the program is in this context.

    The first thread to enter sets the limit, and the last to leave restores the previous one, in
    whatever order they leave.
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
            _release_control()
            _before = _controller().limit(limits=1, user_api="blas")
        _holders += 1


def _end() -> None:
    global _holders
    with _lock:
        _holders = max(_holders - 1, 0)
        if _holders == 0:
            _restore()


def _forget_threads_before_the_fork() -> None:
    """In a forked child, leave the context for the parent's threads, which do not exist here."""
    global _holders, _is_of_a_fork
    if _is_of_a_fork and _holders:
        _restore()
        _holders = 0
    _is_of_a_fork = False


def _restore() -> None:
    _release_control()
    _before.restore_original_limits()
    _release_control()


def _release_control() -> None:
    """Let any thread set limits.

    From threadpoolctl 3.8 on, those of other threads than the first that set one are ignored.
    """
    release = getattr(OpenBLASController, "clear_controlling_thread", None)
    if release is not None:
        release(force=True)


@cache
def _controller() -> ThreadpoolController:
    """The controller of the libraries that are loaded; finding them takes milliseconds."""
    return ThreadpoolController()


def _renew_lock() -> None:
    """Replace the lock in a forked child, where the thread that held it does not exist."""
    global _lock, _is_of_a_fork
    _lock, _is_of_a_fork = threading.RLock(), True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)

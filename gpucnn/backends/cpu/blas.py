"""The number of BLAS threads, a setting of the whole process."""

import os
import threading
from functools import cache
from itertools import takewhile

from threadpoolctl import LibController, OpenBLASController, ThreadpoolController

SMALL = 2**18
"""The most multiply-adds of a product that OpenBLAS leaves to one thread (interface/gemm.c); if one
operand is a vector, it does up to 460,800 (interface/gemv.c), but before `SINCE` up to 9,216."""

SINCE = (0, 3, 27)

_lock = threading.RLock()  # reentrant, since a signal handler may take it again
_holders = 0
_before: list[tuple[LibController, int]] = []
_is_of_a_fork = False


class OneBlasThread:
    """Hold BLAS to one thread while any thread of the program is in this context.

    The first thread to enter sets the limit, and the last to leave restores the previous one, in
    whatever order they leave.
    """

    def __enter__(self) -> None:
        _begin()

    def __exit__(self, *error: object) -> None:
        _end()


def _begin() -> None:
    global _holders
    with _lock:
        _forget_threads_before_the_fork()
        if _holders == 0:
            _before[:] = [
                (library, count)
                for library in _libraries()
                if (count := library.get_num_threads()) not in (None, 1)
            ]
            _set([(library, 1) for library, _ in _before])
        _holders += 1


def _end() -> None:
    global _holders
    with _lock:
        _holders = max(_holders - 1, 0)
        if _holders == 0:
            _set(_before)


def _forget_threads_before_the_fork() -> None:
    """In a forked child, leave the context for the parent's threads, which do not exist here."""
    global _holders, _is_of_a_fork
    if _is_of_a_fork and _holders:
        _set(_before)
        _holders = 0
    _is_of_a_fork = False


def _set(threads: list[tuple[LibController, int]]) -> None:
    """Set the threads of libraries."""
    if not threads:
        return
    _release_control()
    for library, count in threads:
        library.set_num_threads(count)
    _release_control()


def _release_control() -> None:
    """Let any thread set limits.

    From threadpoolctl 3.8 on, those of other threads than the first that set one are ignored.
    """
    release = getattr(OpenBLASController, "clear_controlling_thread", None)
    if release is not None:
        release(force=True)


def is_whole(multiply_adds: float) -> bool:
    """Whether BLAS does not split a product of so many multiply-adds, whatever its threads."""
    return multiply_adds <= SMALL and _is_known()


@cache
def _is_known() -> bool:
    """Whether each BLAS that is loaded is one of which `SMALL` holds."""
    return all(
        isinstance(each, OpenBLASController) and _numbers(each.version) >= SINCE
        for each in _libraries()
    )


def _numbers(version: str | None) -> tuple[int, ...]:
    """Those that a version such as "0.3.31.dev" begins with."""
    parts = takewhile(str.isdecimal, (version or "").split("."))
    return tuple(map(int, parts))


@cache
def _libraries() -> list[LibController]:
    """The libraries of BLAS that are loaded; finding them takes milliseconds."""
    found: list[LibController] = ThreadpoolController().select(user_api="blas").lib_controllers
    return found


def _renew_lock() -> None:
    """Replace the lock in a forked child, where the thread that held it does not exist."""
    global _lock, _is_of_a_fork
    _lock, _is_of_a_fork = threading.RLock(), True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)

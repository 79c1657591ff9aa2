"""Locks: of a model, between threads; of a folder, between processes."""

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from gpucnn.errors import ModelInUseError


class ModelLock:
    """A lock that one thread holds at a time, and that refuses the thread that holds it.

    In a forked process it is free if another thread held it: that thread does not exist there.
    Pickling or copying it gives a new, free lock.

    Args:
        refusal: the error message for a thread that already holds the lock.
    """

    def __init__(self, refusal: str) -> None:
        self._refusal = refusal
        self._lock = threading.RLock()
        self._owner: int | None = None
        _all.add(self)

    def __reduce__(self) -> tuple[type["ModelLock"], tuple[str]]:
        return ModelLock, (self._refusal,)

    def claim(self) -> AbstractContextManager[bool]:
        """A context that holds the lock, after waiting for other threads to release it.

        Raises:
            ModelInUseError: this thread holds it already.
        """
        if self.is_mine:
            raise ModelInUseError(self._refusal)
        return self._lock  # itself: no interrupt can come between acquiring and releasing it

    @contextmanager
    def owned(self) -> Iterator[None]:
        """As `claim`, but other threads see `is_anothers` and need not wait."""
        with self.claim():
            self._owner = threading.get_ident()
            try:
                yield
            finally:
                self._owner = None

    @property
    def is_mine(self) -> bool:
        """Whether this thread holds the lock."""
        return self._lock._is_owned()  # type: ignore[attr-defined, no-any-return]

    @property
    def is_anothers(self) -> bool:
        """Whether another thread holds the lock through `owned`."""
        if self._owner in (None, threading.get_ident()):
            return False
        if self._lock.acquire(blocking=False):
            self._lock.release()
            return False
        return True


_all: "weakref.WeakSet[ModelLock]" = weakref.WeakSet()


def _renew_after_fork() -> None:
    for each in list(_all):
        if not each.is_mine:
            each._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_after_fork)


@contextmanager
def exclusive_lock(file: Path, timeout: float) -> Iterator[None]:
    """Hold the lock of a folder, which one caller of one process holds at a time.

    The operating system releases it when the process ends, however it ends; the thread that
    releases it may be another than the one that acquired it.

    Args:
        file: the lock file in the folder; it is created, and stays.
        timeout: seconds to wait for the holder.

    Raises:
        TimeoutError: it is still held after `timeout`.
        OSError: the file cannot be created, or its file system has no locks.
    """
    from filelock import FileLock  # imported here: `import gpucnn` stays light

    lock = FileLock(file, timeout=timeout, thread_local=False)
    try:
        lock.acquire()
    except NotImplementedError as error:  # no locks
        raise OSError(str(error)) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def shared_lock(file: Path, when_alone: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of a folder together with any number of other processes.

    A file system without locks is no error: nothing is held there, and `when_alone` is not called.
    The system needs to be a POSIX one.

    Args:
        file: the lock file in the folder; it is created, and stays.
        when_alone: called first if nobody else holds the lock; may raise OSError, which is ignored.

    Raises:
        OSError: the file cannot be created.
    """
    import fcntl

    with file.open("wb") as lock:
        with suppress(OSError):  # others hold it, or there are no locks
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            when_alone()
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield

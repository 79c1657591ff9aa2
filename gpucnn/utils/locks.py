"""Locks by which a model can be used from several threads."""

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from gpucnn.errors import ModelInUseError


class ModelLock:
    """A lock that one thread holds at a time, and that its own thread is refused.

    In a process that was forked while another thread held it, it is free: that thread is no more.
    Pickled or copied, it is a new one.

    Args:
        refusal: what is said to the thread that holds it and asks for it again.
    """

    def __init__(self, refusal: str) -> None:
        self._refusal = refusal
        self._lock = threading.RLock()
        self._owner: int | None = None
        _all.add(self)

    def __reduce__(self) -> tuple[type["ModelLock"], tuple[str]]:
        return ModelLock, (self._refusal,)

    def claim(self) -> AbstractContextManager[bool]:
        """A span in which this thread holds the lock; it waits until it can.

        Raises:
            ModelInUseError: this thread holds it already.
        """
        if self.is_mine:
            raise ModelInUseError(self._refusal)
        return self._lock  # itself: an interrupt cannot come between its taking and its release

    @contextmanager
    def owned(self) -> Iterator[None]:
        """A span in which this thread holds the lock, and others are told so rather than wait."""
        with self.claim():
            self._owner = threading.get_ident()
            try:
                yield
            finally:
                self._owner = None

    @property
    def is_mine(self) -> bool:
        """Whether this thread holds it."""
        return self._lock._is_owned()  # type: ignore[attr-defined, no-any-return]

    @property
    def is_anothers(self) -> bool:
        """Whether another thread holds it, and has said so by `owned`."""
        if self._owner in (None, threading.get_ident()):
            return False
        if self._lock.acquire(blocking=False):
            self._lock.release()
            return False
        return True


_all: "weakref.WeakSet[ModelLock]" = weakref.WeakSet()


def _renew() -> None:
    for each in list(_all):
        if not each.is_mine:
            each._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)

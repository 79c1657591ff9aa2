"""Processes that work on the parts of one batch."""

import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from multiprocessing import get_context
from multiprocessing.synchronize import Semaphore

import numpy as np
from numpy.typing import DTypeLike

from gpucnn.backends.base import Array
from gpucnn.backends.buffer import Shape
from gpucnn.backends.pages import mapped
from gpucnn.errors import DeviceError

CAN_FORK = hasattr(os, "fork") and sys.platform != "darwin"
"""Whether processes are forked: not on Windows, nor on macOS, whose BLAS does not outlive it."""

SPINS = 2000
"""How often a process looks whether another has come, before it sleeps: for some 500 us."""

REASON = 500
"""Bytes of the reason for which a process has failed, that another tells."""

PATIENCE = 0.1
"""Seconds of sleep after which it looks whether the others are alive."""


class Crew:
    """Processes that run the same code, each its part of what is given to `run`.

    Threads would take turns: they need Python's lock around every call of NumPy, and as soon as the
    calls are short, as those on a piece of a small batch are, two threads together are no faster
    than one. So for the length of an epoch the process is forked, as ranks are in MPI. Each member
    goes through the same steps on its own copy of everything, parameters included, and they meet
    where the gradients are added up, in memory that they share.

    Where processes are not forked, see `CAN_FORK`, the parts are worked on one after the other, to
    the same result.
    """

    def __init__(self) -> None:
        self._size, self._rank = 1, 0
        self._others: list[int] = []  # the processes that must be alive for a meeting
        self._signals: list[list[Semaphore]] = []

    @property
    def leads(self) -> bool:
        """Whether this process is the one that goes on after `gather`."""
        return self._rank == 0

    @contextmanager
    def gather(self, size: int) -> Iterator[None]:
        """A span of time whose code `size` processes run alike; at its end all but this one end.

        The code must take the same way in all of them: it may not depend on time or chance. What it
        computes in private memory, all compute alike; what parts of `run` write, and is to be seen
        by all, belongs into `shared` arrays. Within another such span, nothing changes.

        Raises:
            DeviceError: another process has failed or was ended.
        """
        if size == 1 or self._size > 1 or not CAN_FORK:
            yield
            return
        try:
            self._fork(size)
            yield
        except BaseException as error:
            self._report(error)
            self._end(1, signal.SIGKILL)
            raise
        self._end(0)

    def run(self, tasks: Sequence[Callable[[], None]]) -> None:
        """Run tasks, each in one member of the crew; returns when all are done.

        Raises:
            DeviceError: another process has failed or was ended.
        """
        self._meet()
        for task in tasks[self._rank :: self._size]:
            task()
        self._meet()

    def _fork(self, size: int) -> None:
        # Ctrl-C waits until each process knows what it is.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            semaphore = get_context("fork").Semaphore
            self._signals = [[semaphore(0) for _ in range(size)] for _ in range(size)]
            self._reason = shared((REASON,), np.uint8)
            self._size, self._others = size, []
            parent = os.getpid()
            for rank in range(1, size):
                with warnings.catch_warnings():  # of threads, whose locks nothing here takes
                    warnings.simplefilter("ignore", DeprecationWarning)
                    child = os.fork()
                if child == 0:
                    self._rank, self._others = rank, [parent]
                    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process ends this one
                    return
                self._others.append(child)
        except OSError as error:
            raise DeviceError(
                f"{size} processes cannot be started ({error.strerror}): use one thread"
            ) from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _report(self, error: BaseException) -> None:
        """Leave the first process word of why this one fails."""
        if self._rank > 0:
            text = f"{type(error).__name__}: {error}".encode()[:REASON]
            self._reason[: len(text)] = np.frombuffer(text, np.uint8)

    def _end(self, status: int, how: int = 0) -> None:
        """End the other processes, or wait for their end; a process other than the first, end."""
        if self._rank > 0:
            os._exit(status)
        others, self._others, self._size = self._others, [], 1
        if how:
            for child in others:
                os.kill(child, how)
        failed = [child for child in others if _has_failed(child)]
        if failed and status == 0:
            raise self._failure()

    def _failure(self) -> DeviceError:
        reason = self._reason.tobytes().rstrip(b"\0").decode(errors="replace")
        return DeviceError(
            "a process that worked on parts of the batches has ended "
            f"({reason or 'without a word'}): begin again, or use one thread"
        )

    def _meet(self) -> None:
        """Wait until all members of the crew are here."""
        if self._size == 1:
            return
        others = [rank for rank in range(self._size) if rank != self._rank]
        for other in others:
            self._signals[self._rank][other].release()
        for other in others:
            self._await(self._signals[other][self._rank])

    def _await(self, semaphore: Semaphore) -> None:
        # A sleep takes longer to end than most waits take here.
        for _ in range(SPINS):
            if semaphore.acquire(False):
                return
        while not semaphore.acquire(timeout=PATIENCE):
            self._check_alive()

    def _check_alive(self) -> None:
        if self._rank > 0:
            if os.getppid() != self._others[0]:
                os._exit(1)
            return
        for child in self._others:
            if _has_failed(child, os.WNOHANG):
                self._others.remove(child)
                raise self._failure()


def shared(shape: Shape, dtype: DTypeLike) -> Array:
    """An array in memory that processes share which are forked from now on; of zeros.

    Raises:
        MemoryError: there is not so much.
    """
    dtype = np.dtype(dtype)
    size = prod(shape) * dtype.itemsize
    return np.frombuffer(mapped(max(size, 1)), dtype, prod(shape)).reshape(shape)


def _has_failed(child: int, options: int = 0) -> bool:
    """Whether a child process has ended otherwise than it should; waits for it by default."""
    try:
        process, status = os.waitpid(child, options)
    except ChildProcessError:  # this process takes no notice of its children's ends
        return bool(options)
    return process != 0 and (bool(options) or os.waitstatus_to_exitcode(status) != 0)

"""Processes that work on the parts of one batch."""

import mmap
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
from gpucnn.errors import DeviceError

CAN_FORK = hasattr(os, "fork") and sys.platform != "darwin"
"""Whether processes are forked: not on Windows, nor on macOS, whose BLAS does not outlive it."""

SPINS = 2000
"""How often a process looks whether another has come, before it sleeps: for some 500 us."""

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
        semaphore = get_context("fork").Semaphore
        self._signals = [[semaphore(0) for _ in range(size)] for _ in range(size)]
        self._fork(size)
        try:
            yield
        except BaseException:
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
        parent = os.getpid()
        self._size, self._others = size, []
        for rank in range(1, size):
            with warnings.catch_warnings():  # Python's, of threads, whose locks nothing here takes
                warnings.simplefilter("ignore", DeprecationWarning)
                child = os.fork()
            if child == 0:
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process ends the others
                self._rank, self._others = rank, [parent]
                return
            self._others.append(child)

    def _end(self, status: int, how: int = 0) -> None:
        """End the other processes, or wait for their end; a process other than the first, end."""
        if self._rank > 0:
            os._exit(status)
        others, self._others, self._size = self._others, [], 1
        failed = False
        for child in others:
            if how:
                os.kill(child, how)
            failed |= _wait_for(child) != 0
        if failed and status == 0:
            raise DeviceError(
                "a process that worked on parts of the batches has failed: begin again"
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
            if os.waitpid(child, os.WNOHANG)[0]:
                self._others.remove(child)
                raise DeviceError(
                    "a process that worked on parts of the batches has ended: begin again, or use "
                    "one thread"
                )


def shared(shape: Shape, dtype: DTypeLike) -> Array:
    """An array in memory that processes share which are forked from now on; of zeros."""
    dtype = np.dtype(dtype)
    size = prod(shape) * dtype.itemsize
    memory = mmap.mmap(-1, max(size, 1))
    return np.frombuffer(memory, dtype, prod(shape)).reshape(shape)


def _wait_for(child: int) -> int:
    """The exit status of a child process, once it has ended."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

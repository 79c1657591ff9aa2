"""Worker processes: started once, fresh, and kept for the life of the program.

Threads would take turns: they need Python's lock around every call of NumPy, and where the calls
are short, as those on a part of a small batch are, two threads are no faster than one. Processes
are. They are never forked from the user's: a fork copies locks that no thread of the child will
release, descriptors, and thread-local objects whose destructors run twice. loky starts them as new
programs, from scripts without a guard of their main module, too.
"""

import multiprocessing
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from gpucnn.backends.workers.team import Team
from gpucnn.backends.workers.worker import Worker, WorkersLostError
from gpucnn.errors import GpucnnWarning


def usable_cores() -> int:
    """The cores that this process may use: its affinity, the quota of its cgroup, the machine's.

    No more than `OMP_NUM_THREADS`, if that is set; and one within a process that is a worker itself
    (of a pool, of a test runner, of a server that forks), since its siblings use the others.
    """
    if is_nested():
        return 1
    limit, cores = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip(), _cores()
    return min(cores, int(limit)) if limit.isdecimal() and int(limit) > 0 else cores


def _cores() -> int:
    try:
        from loky import cpu_count
    except ImportError:  # of a Python without semaphores, where there are no workers
        return os.cpu_count() or 1
    return int(cpu_count())


def is_nested() -> bool:
    """Whether this process is one of several that share the machine's cores."""
    return (
        POOL.is_of_a_fork
        or multiprocessing.parent_process() is not None
        or "PYTEST_XDIST_WORKER" in os.environ
    )


class WorkerPool:
    """The workers of this process, which are leased to one team at a time.

    Nothing waits for its lock: where another thread has it, or the code that a handler of signals
    has interrupted, there are no workers for the moment.

    Attributes:
        is_of_a_fork: whether the process was forked from one that had a pool.
    """

    def __init__(self, *, is_of_a_fork: bool = False) -> None:
        self.is_of_a_fork = is_of_a_fork
        self._lock = threading.Lock()
        self._workers: list[Worker] = []
        self._leased: list[Worker] = []
        self._is_refused = False

    def request(self, count: int) -> bool:
        """Begin to start workers until there are `count`; whether there can be any."""
        if self._is_refused or is_nested() or os.name != "posix":  # whose semaphores have names
            return False
        with self._held() as is_held:
            if is_held:
                self._start(count)
        return not self._is_refused

    def is_ready(self, count: int) -> bool:
        """Whether a team of `count` workers could be leased now."""
        with self._held() as is_held:
            return is_held and self._are_ready(count)

    def lease(self, count: int, largest: int) -> Team | None:
        """A team of `count` workers; None if they are not ready, or work for somebody else.

        Args:
            count: of workers, as `request` was asked for.
            largest: bytes of the largest array that the team reduces.
        """
        if self._leased or len(self._workers) < count:  # as it is asked before every step
            return None
        with self._held() as is_held:
            if not is_held or not self._are_ready(count):
                return None
            self._leased = self._workers[:count]
            try:
                return Team(self, self._leased, largest)
            except OSError as error:
                self._refuse(error)
            except WorkersLostError:
                self.drop(self._leased)
            return None

    def take_back(self, team: Team) -> None:
        """End the lease of a team whose workers have nothing to do any more."""
        team.end_lease.detach()
        self._leased = []

    def drop(self, workers: list[Worker]) -> None:
        """End the workers of a lease."""
        self._workers = [each for each in self._workers if each not in workers]
        for worker in workers:
            worker.end()
        if workers is self._leased:
            self._leased = []

    def do_without(self, reason: str) -> None:
        """Have no workers from now on, and say so once."""
        if self._is_refused:
            return
        self._is_refused = True
        idle = [each for each in self._workers if each not in self._leased]
        self._workers = [each for each in self._workers if each in self._leased]
        for worker in idle:
            worker.end()
        warnings.warn(
            f"{reason}: batches are worked on by this process alone, to the same result",
            GpucnnWarning,
            stacklevel=2,
        )

    @contextmanager
    def _held(self) -> Iterator[bool]:
        """A span in which this thread has the lock, if it is to be had at once."""
        is_held = self._lock.acquire(blocking=False)
        try:
            yield is_held
        finally:
            if is_held:
                self._lock.release()

    def _start(self, count: int) -> None:
        try:
            self._forget_lost()
            while len(self._workers) < count:
                self._workers.append(Worker(len(self._workers) + 1))
        except Exception as error:  # of any class: there are many ways to have no processes
            self._refuse(error)

    def _are_ready(self, count: int) -> bool:
        if self._leased or len(self._workers) < count:
            return False
        try:
            return all(worker.is_ready() for worker in self._workers[:count])
        except (OSError, WorkersLostError) as error:
            self._refuse(error)
            return False

    def _forget_lost(self) -> None:
        """Do without the workers that have ended since they started; a team sees to its own.

        Raises:
            WorkersLostError: one has ended before; others would, too.
        """
        idle = [each for each in self._workers if each not in self._leased]
        for worker in [each for each in idle if each.is_lost()]:
            worker.end()
            self._workers.remove(worker)

    def _refuse(self, error: Exception) -> None:
        told = error.__context__ if isinstance(error, UnboundLocalError) else error  # of loky's
        reason = " ".join(str(told).split()) or type(told).__name__
        self.do_without(f"no worker processes can be started ({reason})")


POOL = WorkerPool()


def _forget() -> None:
    """In a process that was forked: the workers are the other's, and its locks may be held."""
    global POOL
    POOL = WorkerPool(is_of_a_fork=True)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def pool() -> WorkerPool:
    """The workers of this process."""
    return POOL

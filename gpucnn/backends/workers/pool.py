"""The pool of worker processes, which are started once and kept until the program ends.

Threads would take turns: they need Python's lock around every call of NumPy, and where calls are
short, as on a part of a small batch, two threads are no faster than one. Processes are. They are
never forked from the user's process: a fork copies locks that no thread of the child will release,
file descriptors, and thread-local objects whose destructors run twice. loky starts them as new
programs, even from scripts that do not guard their main module.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from gpucnn.backends.ranks.launcher import cores_of_one
from gpucnn.backends.workers.team import Team
from gpucnn.backends.workers.worker import Worker, WorkersLostError
from gpucnn.utils.cores import at_most_openmp, available_cores, is_one_of_several
from gpucnn.utils.warn import warn


def usable_cores() -> int:
    """The number of cores that this process may use, by its affinity and the quota of its cgroup.

    It is at most `OMP_NUM_THREADS`, if that is set, and 1 in a process that is itself a worker (of
    a pool, of a test runner, of a server that forks), since its siblings use the other cores. The
    ranks of a machine share its cores.
    """
    if is_nested():
        return 1
    return at_most_openmp(cores_of_one(available_cores()))


def is_nested() -> bool:
    """Whether this process is one of several that share the machine's cores."""
    return POOL.is_of_a_fork or is_one_of_several()


class WorkerPool:
    """The workers of this process, which are leased to one team at a time.

    No call waits for the pool's lock: while another thread holds it, or code that a signal handler
    has interrupted, there are no workers to be had.

    Attributes:
        is_of_a_fork: whether this process was forked from one that had a pool.
    """

    def __init__(self, *, is_of_a_fork: bool = False) -> None:
        self.is_of_a_fork = is_of_a_fork
        self._lock = threading.Lock()
        self._workers: list[Worker] = []
        self._leased: list[Worker] = []
        self._is_refused = False

    def request(self, count: int) -> bool:
        """Start workers up to `count`, without waiting; return whether there can be any."""
        if self._is_refused or is_nested() or os.name != "posix":  # with named semaphores
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
        """Lease a team of `count` workers; return None if they are not ready, or leased already.

        Args:
            count: the number of workers, as passed to `request`.
            largest: the bytes of the largest array that the team reduces.
        """
        if self._leased or len(self._workers) < count:  # fast: called before every step
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
        """End the lease of a team whose workers are idle."""
        team.end_lease.detach()
        self._leased = []

    def drop(self, workers: list[Worker]) -> None:
        """End the processes of leased workers, and with them the lease."""
        self._workers = [each for each in self._workers if each not in workers]
        for worker in workers:
            worker.end()
        if workers is self._leased:
            self._leased = []

    def do_without(self, reason: str) -> None:
        """Have no workers from now on, and warn of that once."""
        if self._is_refused:
            return
        self._is_refused = True
        idle = [each for each in self._workers if each not in self._leased]
        self._workers = [each for each in self._workers if each in self._leased]
        for worker in idle:
            worker.end()
        warn(
            f"{reason}: batches are worked on by this process alone, to the same result",
        )

    @contextmanager
    def _held(self) -> Iterator[bool]:
        """Hold the lock in this context if it is free; yield whether it is held."""
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
        except Exception as error:  # of any class: starting a process fails in many ways
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
        """Remove idle workers that have ended since they started; a team checks its own workers.

        Raises:
            WorkersLostError: a worker has ended before it had started; others would, too.
        """
        idle = [each for each in self._workers if each not in self._leased]
        for worker in [each for each in idle if each.is_lost()]:
            worker.end()
            self._workers.remove(worker)

    def _refuse(self, error: Exception) -> None:
        # loky raises an UnboundLocalError while it handles the actual error.
        cause = error.__context__ if isinstance(error, UnboundLocalError) else error
        reason = " ".join(str(cause).split()) or type(cause).__name__
        self.do_without(f"no worker processes can be started ({reason})")


POOL = WorkerPool()


def _forget() -> None:
    """Replace the pool in a forked child: its workers are the parent's, its lock may be held."""
    global POOL
    POOL = WorkerPool(is_of_a_fork=True)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def pool() -> WorkerPool:
    """The pool of this process."""
    return POOL

"""Worker processes: started once, fresh, and kept for the life of the program.

Threads would take turns: they need Python's lock around every call of NumPy, and where the calls
are short, as those on a part of a small batch are, two threads are no faster than one. Processes
are. They are never forked from the user's: a fork copies locks that no thread of the child will
release, descriptors, and thread-local objects whose destructors run twice. loky starts them as new
programs, from scripts without a guard of their main module, too.
"""

import gc
import multiprocessing
import os
import pickle
import signal
import threading
import warnings
import weakref
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import connection as connections
from multiprocessing import process as processes
from multiprocessing import resource_tracker
from types import ModuleType
from typing import Any

import numpy as np

from gpucnn.backends.communicator import (
    Link,
    SharedMemoryCommunicator,
    reduction_bytes,
)
from gpucnn.backends.shared_arrays import SharedArrays
from gpucnn.errors import DeviceError, GpucnnWarning

LIBRARIES = ("OPENBLAS", "MKL", "OMP", "VECLIB_MAXIMUM")
"""Those of BLAS, in which a worker has one thread: the cores are for the other workers."""

ENVIRONMENT = {f"{library}_NUM_THREADS": "1" for library in LIBRARIES} | {"PYTHONSAFEPATH": "1"}
"""Of a worker. It takes the path of its modules from this process, not from the working folder."""

IDLE = 1.0
"""Seconds after which a worker that waits for work looks whether its program is alive."""


class WorkersLostError(DeviceError):
    """Worker processes have failed or were ended; what they worked on can be done without them."""


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


class Context:
    """What a function that runs in a worker is given.

    Attributes:
        communicator: of this rank, for the length of a lease.
        kept: what functions leave for those after them, for the length of a lease.
    """

    communicator: SharedMemoryCommunicator

    def __init__(self, connection: Any, check: Callable[[], None]) -> None:
        self._connection, self._check = connection, check
        self.kept: dict[str, Any] = {}

    def open_link(self, names: list[str]) -> None:
        """Open the semaphores of these names, and say so."""
        from _multiprocessing import SemLock  # type: ignore[import-not-found]

        kind, most = 1, SemLock.SEM_VALUE_MAX  # as those of `multiprocessing` and loky
        self._link = Link(*(SemLock._rebuild(0, kind, most, name) for name in names))
        self._connection.send("")

    def join(self, rank: int, size: int, memory: SharedArrays) -> None:
        """Be rank `rank` of `size` from now on."""
        self.communicator = SharedMemoryCommunicator(
            rank, size, [self._link], memory["rows"], self._check
        )


class Team:
    """The workers of one lease, and this process, which is rank 0 among them.

    Args:
        pool: which leases them.
        workers: rank 1 and so on.
        largest: bytes of the largest array that is reduced.

    Attributes:
        communicator: of this process.
        by_value: modules of the user's, which may have changed since a worker imported them, or
            that it cannot import.
        end_lease: ends the workers, and with them the lease; called when nobody has the team.

    Raises:
        OSError: there is no memory to share.
        WorkersLostError: a worker has ended.
    """

    def __init__(self, pool: "WorkerPool", workers: "list[_Worker]", largest: int) -> None:
        self._pool, self._workers = pool, workers
        self.by_value: Collection[ModuleType] = ()
        size = len(workers) + 1
        memory = SharedArrays({"rows": ((reduction_bytes(size, largest),), np.uint8)})
        links = [worker.link for worker in workers]
        check = partial(_check, workers)
        self.communicator = SharedMemoryCommunicator(0, size, links, memory["rows"], check)
        self._memory = memory  # kept, so that workers find it
        # A team that nobody has any more, after an error or an interrupt, has been abandoned.
        self.end_lease = weakref.finalize(self, pool.drop, workers)
        for rank, worker in enumerate(workers, 1):
            worker.send(_join, rank, size, memory)

    def call(self, function: Callable[..., None], *arguments: Any) -> None:
        """Have each worker run `function(context, *arguments)`; returns at once.

        What this process does meanwhile has to meet the same barriers.

        Raises:
            WorkersLostError: a worker has ended.
        """
        for worker in self._workers:
            worker.send(function, *arguments, by_value=self.by_value)

    def disband(self) -> None:
        """Give the workers back; they forget what they kept."""
        try:
            self.call(_leave)
            # They have done all that they were sent, and need nothing of it any more: what a path
            # names that they have yet to open, may soon be something else.
            self.communicator.barrier()
        except WorkersLostError:
            self.abandon()
        except BaseException:
            self.abandon()
            raise
        else:
            self._pool.take_back(self)

    def abandon(self) -> None:
        """End the workers, whatever they are doing: they wait for this process in vain."""
        self.end_lease()


def _check(workers: "list[_Worker]") -> None:
    for worker in workers:
        worker.check()


class _Worker:
    """A worker process, seen from the process that it works for.

    Attributes:
        link: for barriers.
        has_started: whether it has been seen to be ready.
    """

    def __init__(self, number: int) -> None:
        from loky.backend import get_context
        from loky.backend.resource_tracker import ensure_running

        # Before there is anything to clean up. And they let Ctrl-C through as they start.
        ensure_running()
        resource_tracker.ensure_running()
        self._context = get_context("loky")
        self._named: list[Any] = []
        self._connection, theirs = self._context.Pipe()
        self._process = self._context.Process(
            target=_work,
            args=(theirs, os.getpid()),
            name=f"gpucnn-worker-{number}",
            env=ENVIRONMENT,
        )
        with _without_interrupts():
            self._process.start()
        theirs.close()
        # It ends with this process whatever ends that. `multiprocessing` would wait for it, and in
        # a process that the user forks, for somebody else's child.
        processes._children.discard(self._process)  # type: ignore[attr-defined]
        self._owner = os.getpid()
        self.has_started = False

    def is_ready(self) -> bool:
        """Whether it has started.

        Raises:
            WorkersLostError: it has ended before that.
        """
        if not self.has_started:
            self.check()
        return self.has_started

    def send(
        self,
        function: Callable[..., None],
        *arguments: Any,
        by_value: Collection[ModuleType] = (),
    ) -> None:
        """Have it run `function(context, *arguments)` when it has done what it was sent before.

        What `by_value` defines is sent as it is now; of other modules the names are sent.
        """
        import cloudpickle  # which takes functions and classes of a script as well

        if os.getpid() != self._owner:
            raise WorkersLostError("the worker processes are those of the process that forked")
        try:
            with _pickling_by_value(by_value):
                message = cloudpickle.dumps((function, arguments))
        except Exception as error:  # of any class, a layer of the user's for example
            raise WorkersLostError(f"this cannot be sent to a worker process ({error})") from error
        try:
            self._connection.send_bytes(message)
        except OSError as error:
            self._fail(error)

    def check(self) -> None:
        """Look whether it is alive and well.

        Raises:
            WorkersLostError: it is not.
        """
        try:
            if self._connection.poll():
                self._receive()
        except OSError as error:  # of a connection that this process has closed
            self._fail(error)
        if connections.wait([self._process.sentinel], 0):
            self._fail()

    def is_lost(self) -> bool:
        """Whether it has ended since it started.

        Raises:
            WorkersLostError: it has ended before that.
        """
        try:
            self.check()
        except WorkersLostError:
            if self.has_started:
                return True
            raise
        return False

    def end(self) -> None:
        """End it at once."""
        if os.getpid() != self._owner:
            return
        with suppress(OSError):  # where it is no more
            os.kill(self._process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        self._connection.close()
        self._process.join(IDLE)

    def _receive(self) -> None:
        """Take note of what it says: why it fails, or nothing if it has come a step further."""
        try:
            failure = self._connection.recv()
        except (EOFError, OSError) as error:
            self._fail(error)
        if failure:
            raise WorkersLostError(f"a worker process failed ({failure})")
        if not self._named:
            self._make_link()
        else:
            self.has_started, self._named = True, []

    def _make_link(self) -> None:
        """Make the semaphores, which have names in the system until the worker has opened them."""
        self._named = [self._context.Semaphore(0) for _ in Link._fields]
        itself = [each.acquire.__self__ for each in self._named]  # without what keeps its name
        self.link = Link(*itself)
        self.send(_open_link, [each.name for each in itself])

    def _fail(self, error: BaseException | None = None) -> None:
        raise WorkersLostError("a worker process has ended without a word") from error


@contextmanager
def _pickling_by_value(modules: Collection[ModuleType]) -> Iterator[None]:
    import cloudpickle

    known = cloudpickle.list_registry_pickle_by_value()
    added = [each for each in modules if each.__name__ not in known]
    for module in added:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in added:
            cloudpickle.unregister_pickle_by_value(module)


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
        self._workers: list[_Worker] = []
        self._leased: list[_Worker] = []
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

    def drop(self, workers: list[_Worker]) -> None:
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
                self._workers.append(_Worker(len(self._workers) + 1))
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


# In a worker


def _work(connection: Any, program: int) -> None:
    """Run what is sent, until the program ends or something fails, which is told."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program alone
    end_after_program = partial(_end_after, program)
    context = Context(connection, end_after_program)
    with suppress(OSError):  # where the program has ended by now
        connection.send("")
    while (message := _next(connection, end_after_program)) is not None:
        try:
            function, arguments = pickle.loads(message)
            function(context, *arguments)
        except Exception as error:
            with suppress(OSError):
                connection.send(f"{type(error).__name__}: {error}")
            return
        del message, function, arguments


def _next(connection: Any, check: Callable[[], None]) -> bytes | None:
    """The next message; None if there will be none."""
    try:
        while not connection.poll(IDLE):
            check()
        return connection.recv_bytes()  # type: ignore[no-any-return]
    except (EOFError, OSError):
        return None


def _end_after(program: int) -> None:
    """End if the program has ended, whatever it was that ended it."""
    if os.name == "posix" and os.getppid() != program:
        os._exit(1)


def _open_link(context: Context, names: list[str]) -> None:
    context.open_link(names)


def _join(context: Context, rank: int, size: int, memory: SharedArrays) -> None:
    context.join(rank, size, memory)


def _leave(context: Context) -> None:
    context.kept.clear()
    context.communicator.barrier()
    del context.communicator  # with the memory that it shares
    gc.collect()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block Ctrl-C in this thread, and in what it starts."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

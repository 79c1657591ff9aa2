"""A worker process, seen from the program that it works for."""

import os
import signal
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import connection as connections
from multiprocessing import process as processes
from multiprocessing import resource_tracker
from types import ModuleType
from typing import Any

from gpucnn.backends.workers.communicator import Link
from gpucnn.backends.workers.in_worker import IDLE, open_link, work
from gpucnn.errors import DeviceError

LIBRARIES = ("OPENBLAS", "MKL", "OMP", "VECLIB_MAXIMUM")
"""Those of BLAS, in which a worker has one thread: the cores are for the other workers."""

ENVIRONMENT = {f"{library}_NUM_THREADS": "1" for library in LIBRARIES} | {"PYTHONSAFEPATH": "1"}
"""Of a worker. It takes the path of its modules from this process, not from the working folder."""


class WorkersLostError(DeviceError):
    """Worker processes have failed or were ended; what they worked on can be done without them."""


class Worker:
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
            target=work,
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
        self.send(open_link, [each.name for each in itself])

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

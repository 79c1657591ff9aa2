"""A worker process, as its program sees it."""

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
"""BLAS libraries, which have one thread in a worker: the other cores are for other workers."""

ENVIRONMENT = {f"{library}_NUM_THREADS": "1" for library in LIBRARIES} | {"PYTHONSAFEPATH": "1"}
"""The environment variables of a worker, which takes its module path from this process alone."""


class WorkersLostError(DeviceError):
    """Worker processes have failed or were ended; their work can be done without them."""


class Worker:
    """A worker process, as the process that started it sees it.

    Args:
        number: the number in the name of the process.

    Attributes:
        link: the semaphores of barriers; set while the worker starts.
        has_started: whether the worker has reported that it is ready.
    """

    def __init__(self, number: int) -> None:
        from loky.backend import get_context
        from loky.backend.resource_tracker import ensure_running

        # Before there is anything to clean up, and before Ctrl-C is blocked: these unblock it.
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
        # The worker ends with this process, however that ends. `multiprocessing` would wait for it
        # at exit, and in a process that the user forks, for a child that is not its own.
        processes._children.discard(self._process)  # type: ignore[attr-defined]
        self._owner = os.getpid()
        self.has_started = False

    def is_ready(self) -> bool:
        """Whether the worker has started.

        Raises:
            WorkersLostError: the worker has ended before it had started.
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
        """Have the worker run `function(context, *arguments)` after what it was sent before.

        Functions and classes of the modules `by_value` are sent as they are now, others by name.

        Raises:
            WorkersLostError: the worker has ended, or a function or argument cannot be sent.
        """
        import cloudpickle  # pickles functions and classes of a script as well

        if os.getpid() != self._owner:
            raise WorkersLostError("the worker processes are those of the process that forked")
        try:
            with _pickling_by_value(by_value):
                message = cloudpickle.dumps((function, arguments))
        except Exception as error:  # of any class, by a user's layer for example
            raise WorkersLostError(f"this cannot be sent to a worker process ({error})") from error
        try:
            self._connection.send_bytes(message)
        except OSError as error:
            self._fail(error)

    def check(self) -> None:
        """Check that the worker is alive, and receive its report if there is one.

        Raises:
            WorkersLostError: the worker has failed or ended.
        """
        try:
            if self._connection.poll():
                self._receive()
        except OSError as error:  # the connection is closed
            self._fail(error)
        if connections.wait([self._process.sentinel], 0):
            self._fail()

    def is_lost(self) -> bool:
        """Whether the worker has ended since it started.

        Raises:
            WorkersLostError: the worker has ended before it had started.
        """
        try:
            self.check()
        except WorkersLostError:
            if self.has_started:
                return True
            raise
        return False

    def end(self) -> None:
        """End the worker at once."""
        if os.getpid() != self._owner:
            return
        with suppress(OSError):  # it has ended already
            os.kill(self._process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        self._connection.close()
        self._process.join(IDLE)

    def _receive(self) -> None:
        """Receive a report: the reason of a failure, or nothing after each step of starting."""
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
        """Make the semaphores, which keep their names until the worker has opened them."""
        self._named = [self._context.Semaphore(0) for _ in Link._fields]
        bare = [each.acquire.__self__ for each in self._named]  # without what keeps the names
        self.link = Link(*bare)
        self.send(open_link, [each.name for each in bare])

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
    """Block Ctrl-C in this thread, and in the processes that it starts."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

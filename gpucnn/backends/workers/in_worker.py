"""The main loop of a worker process: it runs what it is sent, until its program ends."""

import gc
import os
import pickle
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from gpucnn.backends.workers.communicator import Link, SharedMemoryCommunicator
from gpucnn.backends.workers.shared_arrays import SharedArrays

IDLE = 1.0
"""Seconds after which an idle worker checks that its program is alive."""


class Context:
    """The state of a worker, which is passed to every function that runs in it.

    Attributes:
        communicator: the communicator of this rank, for the duration of a lease.
        kept: objects that functions keep for later ones, by name, for the duration of a lease.
    """

    communicator: SharedMemoryCommunicator

    def __init__(self, connection: Any, check: Callable[[], None]) -> None:
        self._connection, self._check = connection, check
        self.kept: dict[str, Any] = {}

    def open_link(self, names: list[str]) -> None:
        """Open the semaphores of the link to rank 0 by their names, and report that."""
        from _multiprocessing import SemLock  # type: ignore[import-not-found]

        kind, most = 1, SemLock.SEM_VALUE_MAX  # as in `multiprocessing` and loky
        self._link = Link(*(SemLock._rebuild(0, kind, most, name) for name in names))
        self._connection.send("")

    def join(self, rank: int, size: int, memory: SharedArrays) -> None:
        """Become rank `rank` of `size`, for the duration of a lease."""
        self.communicator = SharedMemoryCommunicator(
            rank, size, [self._link], memory["rows"], self._check
        )


def work(connection: Any, program: int) -> None:
    """Run the functions that are sent, until the program ends or one fails, which is reported."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is left to the program
    end_after_program = partial(_end_after, program)
    context = Context(connection, end_after_program)
    with suppress(OSError):  # the program has ended
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
    """Wait for the next message; None if there will be none."""
    try:
        while not connection.poll(IDLE):
            check()
        return connection.recv_bytes()  # type: ignore[no-any-return]
    except (EOFError, OSError):
        return None


def _end_after(program: int) -> None:
    """Exit if the program has ended, however it ended."""
    if os.name == "posix" and os.getppid() != program:
        os._exit(1)


def open_link(context: Context, names: list[str]) -> None:
    """Call `Context.open_link`; a function that a worker can be sent."""
    context.open_link(names)


def join(context: Context, rank: int, size: int, memory: SharedArrays) -> None:
    """Call `Context.join`; a function that a worker can be sent."""
    context.join(rank, size, memory)


def leave(context: Context) -> None:
    """End the lease: forget all that was kept, and wait for the other ranks."""
    context.kept.clear()
    context.communicator.barrier()
    del context.communicator  # and with it the shared memory
    gc.collect()

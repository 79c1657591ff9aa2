"""What runs in a worker process: it does what it is sent, until its program ends."""

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
"""Seconds after which a worker that waits for work looks whether its program is alive."""


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


def work(connection: Any, program: int) -> None:
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


def open_link(context: Context, names: list[str]) -> None:
    """See `Context.open_link`."""
    context.open_link(names)


def join(context: Context, rank: int, size: int, memory: SharedArrays) -> None:
    """See `Context.join`."""
    context.join(rank, size, memory)


def leave(context: Context) -> None:
    """End the lease: forget what it left, after the other ranks have come here."""
    context.kept.clear()
    context.communicator.barrier()
    del context.communicator  # with the memory that it shares
    gc.collect()

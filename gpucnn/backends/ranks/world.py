"""The ranks of this program, and what becomes of all when one ends.

A rank that fails tells the others, which poll for that while they wait for it. One that is killed
is noticed by the next one on its machine, which holds a descriptor of its process; launchers end
the rest as well. So no rank waits for one that has ended.
"""

import atexit
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from math import inf
from threading import Thread
from time import monotonic, sleep
from types import TracebackType
from typing import Any, NoReturn

from gpucnn.backends.communicator import ALONE, Communicator
from gpucnn.backends.ranks.launcher import Place, place
from gpucnn.backends.ranks.mpi import MpiCommunicator
from gpucnn.errors import DeviceError, InvalidValueError, RankLostError, printable

FAILED, ENDED = 1, 2
"""Tags of the messages by which a rank tells the others that it has failed, or has come to its
end."""

ALIKE = 0.5
"""Seconds in which a rank that fails hears of others that do, which have more to tell than it."""

GRACE = 3.0
"""Seconds that ranks have for ending by themselves after one was lost, and for what they still do
together with one that has come to its end."""


class World:
    """The ranks of this program; just this process if no launcher has started it.

    Attributes:
        place: of this rank.
        communicator: of all ranks, for arrays on the host.
    """

    place = Place()
    communicator: Communicator = ALONE

    @property
    def rank(self) -> int:
        """The number of this rank, in [0, size)."""
        return self.place.rank

    @property
    def size(self) -> int:
        """The number of ranks."""
        return self.place.size

    def gather(self, value: object) -> list[Any]:
        """The values of all ranks in their order; every rank calls this, and gets them."""
        return [value]

    def any(self, value: bool) -> bool:
        """Whether `value` is true on any rank; every rank calls this."""
        return any(self.gather(value))

    @contextmanager
    def together(self) -> Iterator[None]:
        """A context in which all ranks are; an error that leaves it ends the work of all."""
        yield

    def fail(self, reason: str, status: int) -> bool:
        """Fail: tell the other ranks, which end.

        Args:
            reason: in a few words.
            status: the exit status of this process.

        Returns:
            Whether the user is to be told: the same may have happened to a rank before this one.
        """
        return True


class MpiWorld(World):
    """The ranks that `mpiexec` has started.

    Args:
        mpi: the module `mpi4py.MPI`.
        of_launcher: the place that the launcher has told.
    """

    def __init__(self, mpi: Any, of_launcher: Place) -> None:
        self._mpi, self._all = mpi, mpi.COMM_WORLD.Dup()
        size = self._all.Get_size()
        if size != of_launcher.size:
            raise DeviceError(
                f"{of_launcher.size} processes were started, but {_library(mpi)}, which mpi4py "
                f"uses, knows of {size}: start them by the mpiexec of that MPI"
            )
        local = mpi.COMM_WORLD.Split_type(mpi.COMM_TYPE_SHARED)
        self.place = Place(self._all.Get_rank(), size, local.Get_rank(), local.Get_size())
        communicator = MpiCommunicator(mpi.COMM_WORLD.Dup(), self.check)
        self.communicator, self._gather = communicator, communicator.gather
        self._sent: list[Any] = []  # requests, and their messages
        self._has_failed, self._lost, self._lost_rank, self._status = False, "", -1, 1
        self._ended, self._ended_at = 0, inf  # how many others, and when the first
        self._watch_next(local)
        atexit.register(self._end)
        self._hook, sys.excepthook = sys.excepthook, self._tell_uncaught

    def gather(self, value: object) -> list[Any]:
        return self._gather(value)

    @contextmanager
    def together(self) -> Iterator[None]:
        self.check()
        try:
            yield
        except RankLostError:
            self._has_failed = True
            raise
        except BaseException as error:
            self._tell_failure(f"{type(error).__name__}: {error}")
            raise

    def fail(self, reason: str, status: int) -> bool:
        self._status = status
        was_lost = bool(self._lost)
        self._tell_failure(reason)
        until = monotonic() + ALIKE
        while self.rank and monotonic() < until and not was_lost:
            self._lost = self._lost or self._receive(FAILED)
            if 0 <= self._lost_rank < self.rank:
                return False
            sleep(0.001)
        return not was_lost

    def _tell_failure(self, reason: str) -> None:
        """Tell the other ranks that this one has failed, so that none waits for it."""
        if not self._has_failed:
            self._has_failed = True
            self._tell(FAILED, f"rank {self.rank} has failed ({printable(reason)})")

    def check(self) -> None:
        """Check that no other rank has failed or ended.

        Raises:
            RankLostError: one has.
        """
        self._lost = self._lost or self._receive(FAILED)
        ended = self._receive(ENDED)
        if ended:
            self._ended += 1
            self._ended_at = min(self._ended_at, monotonic())
        if not self._lost and monotonic() > self._ended_at + GRACE:
            self._lost = "another rank has come to its end, while this one trains"
        if self._lost:
            self._has_failed = True
            raise RankLostError(self._lost)

    def _tell(self, tag: int, text: str) -> None:
        message = text.encode(errors="replace")
        others = (rank for rank in range(self.size) if rank != self.rank)
        for rank in others:
            self._sent.append((self._all.Isend([message, self._mpi.BYTE], rank, tag), message))

    def _receive(self, tag: int) -> str:
        """Receive a message of that tag; "" if there is none."""
        status = self._mpi.Status()
        if not self._all.Iprobe(self._mpi.ANY_SOURCE, tag, status):
            return ""
        message = bytearray(status.Get_count(self._mpi.BYTE))
        self._all.Recv([message, self._mpi.BYTE], status.Get_source(), tag)
        if tag == FAILED:
            self._lost_rank = status.Get_source()
        return message.decode(errors="replace")

    # The end

    def _tell_uncaught(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        """Handle an exception that ends the program: that of another rank is told by that one."""
        if not issubclass(kind, RankLostError):
            self._hook(kind, error, trace)
            _print_line(f"rank {self.rank} has ended by {kind.__name__}, and so do the others")
        self._tell_failure(f"{kind.__name__}: {error}")

    def _end(self) -> None:
        """At exit: come to the end together; if any rank has failed, end all."""
        if not self._has_failed:
            self._tell(ENDED, "ended")
            while self._ended < self.size - 1 and not self._receive(FAILED):
                self._ended += bool(self._receive(ENDED))
                sleep(0.001)
            self._has_failed = self._ended < self.size - 1
        if self._has_failed:
            self._abandon()

    def _abandon(self) -> NoReturn:
        """End this process, and let the launcher end the others if they do not themselves."""
        until = monotonic() + 1  # for messages to arrive, and others to print
        while monotonic() < until and not all(request.Test() for request, _ in self._sent):
            sleep(0.01)
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(self._status)

    def _watch_next(self, local: Any) -> None:
        """Watch the process of the next rank of this machine."""
        about = local.allgather((os.getpid(), self.rank))
        pid, rank = about[(local.Get_rank() + 1) % len(about)]
        if len(about) == 1 or not hasattr(os, "pidfd_open"):
            return
        with suppress(OSError):  # the launcher then has to notice
            descriptor = os.pidfd_open(pid)
            Thread(target=self._watch, args=(descriptor, rank), daemon=True).start()

    def _watch(self, descriptor: int, rank: int) -> None:
        select.select([descriptor], [], [])
        if self._has_failed or self._lost or sys.is_finalizing():
            return
        self._lost = f"rank {rank} was killed"
        _print_line(f"{self._lost}, and so all ranks end")
        sleep(GRACE)
        os._exit(1)


@cache
def world() -> World:
    """The ranks of this program; the first call, of all ranks, joins them.

    Raises:
        DeviceError: a launcher has started several, but they cannot find each other.
    """
    of_launcher = place()
    if of_launcher.size == 1:
        return World()
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise DeviceError(
            f"{of_launcher.size} processes were started by a launcher, and they need mpi4py to "
            f"train together ({error}): pip install 'gpucnn[mpi]', or set GPUCNN_ALONE=1 to let "
            "each train by itself"
        ) from error
    return MpiWorld(MPI, of_launcher)


def check_equal(ranks: World, described: dict[str, object]) -> None:
    """Check that all ranks describe things in the same way.

    Args:
        ranks: all of which call this.
        described: descriptions by what they are of, such as "the images".

    Raises:
        InvalidValueError: a rank describes something in another way than rank 0 does.
    """
    first, *others = ranks.gather(described)
    for rank, other in enumerate(others, 1):
        for what, value in first.items():
            if other.get(what) != value:
                raise InvalidValueError(
                    f"rank {rank} has another {what} than rank 0: give all ranks the same, or set "
                    "GPUCNN_ALONE=1 to let each train by itself"
                )


def _library(mpi: Any) -> str:
    first, *_ = mpi.Get_library_version().splitlines()
    return printable(str(first))


def _print_line(text: str) -> None:
    with suppress(OSError):
        os.write(2, f"gpucnn: {printable(text, len(text))}\n".encode())

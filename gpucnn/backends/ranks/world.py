"""The ranks of this program, and what becomes of all when one ends.

A rank that fails tells the others, which poll for that while they wait for it. One that is killed
is noticed by a guard, see `gpucnn.backends.ranks.guard`, and by the launcher. So no rank waits for
one that has ended.
"""

import atexit
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any, NoReturn

from gpucnn.backends.communicator import ALONE, Communicator
from gpucnn.backends.ranks.launcher import Place, place
from gpucnn.backends.ranks.mpi import MpiCommunicator
from gpucnn.errors import (
    DeviceError,
    GpucnnError,
    InvalidValueError,
    RankLostError,
    printable,
)

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

    def end(self) -> None:
        """Come to the end together, at the exit of the program."""


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
        self._ended = 0  # how many others
        self._first_ended: tuple[float, str] | None = None  # when, and which
        self._guard = _start_guard(local)

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
            if isinstance(error, SystemExit):  # which no traceback tells of
                _print_line(f"rank {self.rank} has ended by SystemExit, and so do the others")
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
        self._dismiss_guard()
        if not self._has_failed:
            self._has_failed = True
            self._tell(FAILED, f"rank {self.rank} has failed ({printable(reason)})")

    def check(self) -> None:
        """Check that no other rank has failed or ended.

        Raises:
            RankLostError: one has failed.
            DeviceError: one has ended.
        """
        self._lost = self._lost or self._receive(FAILED)
        if self._lost:
            self._has_failed = True
            raise RankLostError(self._lost)
        if ended := self._receive(ENDED):
            self._ended += 1
            self._first_ended = self._first_ended or (monotonic(), ended)
        if self._first_ended and monotonic() > self._first_ended[0] + GRACE:
            raise DeviceError(
                f"{self._first_ended[1]} has come to its end, while others train: let all ranks "
                "train, or set GPUCNN_ALONE=1 to let each train by itself"
            )

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

    def end(self) -> None:
        self._dismiss_guard()
        if not self._has_failed:
            self._tell(ENDED, f"rank {self.rank}")
            while self._ended < self.size - 1 and not self._lost:
                self._ended += bool(self._receive(ENDED))
                self._lost = self._receive(FAILED)
                sleep(0.001)
            self._has_failed = bool(self._lost)
        if self._has_failed:
            self._abandon()

    def _abandon(self) -> NoReturn:
        """End this process, without waiting for others in MPI."""
        if self._lost:
            sleep(2 * ALIKE)  # since a launcher ends the others once one has left without MPI
        until = monotonic() + 2 * ALIKE  # for messages to arrive
        while monotonic() < until and not all(request.Test() for request, _ in self._sent):
            sleep(0.01)
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(self._status)

    def _dismiss_guard(self) -> None:
        """End the guard: this rank says by itself what becomes of it."""
        if self._guard:
            with suppress(OSError):
                os.kill(self._guard, signal.SIGKILL)
            self._guard = 0


def _start_guard(local: Any) -> int:
    """Start the guard of this machine's ranks; its process, or 0 if there is none.

    Args:
        local: the communicator of these ranks, which all call this.
    """
    pairs = local.allgather((os.getpid(), place().rank))
    guard = 0
    if local.Get_rank() == 0 and hasattr(os, "pidfd_open"):
        file = Path(__file__).with_name("guard.py")
        watched = (f"{process}:{rank}" for process, rank in pairs)
        command = [sys.executable, "-S", "-E", str(file), *watched]
        guard = subprocess.Popen(command, start_new_session=True).pid
    return int(local.bcast(guard))


def _is_launched() -> bool:
    try:
        return place().size > 1
    except GpucnnError:  # which is raised again where the ranks are needed
        return False


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


def _end_by(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Handle an exception that ends the program: that of another rank is told by that one."""
    name = kind.__name__
    if issubclass(kind, RankLostError):
        return
    joined = _joined_or_none()
    if joined is None or joined.fail(f"{name}: {error}", 1):
        _hook(kind, error, trace)
        _print_line(f"rank {place().rank} has ended by {name}, and so do the others")


def _end_together() -> None:
    """At exit: let no rank wait for this one."""
    joined = _joined_or_none()
    if joined is not None:
        joined.end()


def _joined_or_none() -> World | None:
    """The ranks, which this one joins now if it has not; None if it cannot.

    Those that have joined wait for this one. But a program that uses MPI by itself may well have
    ranks that train nothing.
    """
    uses_mpi = "mpi4py.MPI" in sys.modules
    if uses_mpi and world.cache_info().currsize == 0:
        return None
    with suppress(GpucnnError):
        return world()
    return None


if _is_launched():
    atexit.register(_end_together)
    _hook, sys.excepthook = sys.excepthook, _end_by


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

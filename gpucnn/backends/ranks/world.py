"""The ranks of this program, and what becomes of all when one ends.

A rank that fails tells the others, which poll for that while they wait for it. One that is killed
is noticed by a guard, see `gpucnn.backends.ranks.guard`, and by the launcher. So no rank waits for
one that has ended.
"""

import atexit
import os
import re
import signal
import subprocess
import sys
from ast import literal_eval
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from types import TracebackType
from typing import Any, NamedTuple, NoReturn

from gpucnn.backends.communicator import ALONE, Communicator
from gpucnn.backends.ranks.launcher import Place, place
from gpucnn.backends.ranks.mpi import PAUSE, MpiCommunicator
from gpucnn.errors import (
    DeviceError,
    GpucnnError,
    InvalidValueError,
    ModelInUseError,
    RankLostError,
    installing,
    printable,
)

FAILED, ENDED = 1, 2
"""Tags of the messages by which a rank tells the others that it has left a call by an error, or has
come to its end."""

ALIKE = 0.5
"""Seconds in which a rank that fails hears of others that do, which have more to tell than it."""

GRACE = 3.0
"""Seconds that ranks have for ending by themselves after one was lost, and for what they still do
together with one that has come to its end."""

LONG = 10.0
"""Seconds of waiting for other ranks to join after which the user is told."""

TOGETHER = "let all ranks train, or set GPUCNN_ALONE=1 to let each train by itself"


class Failure(NamedTuple):
    """What a rank tells of an error by which it has left a call of `World.together`.

    Attributes:
        call: its number.
        is_own: whether the error is its own, and not the loss of another rank.
        is_amid: whether it was in an exchange with others, which cannot be completed.
        reason: in a few words.
    """

    call: int
    is_own: bool
    is_amid: bool
    reason: str


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

    def check(self) -> None:
        """Check that all other ranks are in the same call of `together` as this one.

        What waits for another rank does so; what takes long without, asks now and then.

        Raises:
            RankLostError: one has left it by an error.
            DeviceError: one has come to its end.
        """

    @contextmanager
    def together(self) -> Iterator[None]:
        """A context in which all ranks are, the same number of times.

        An error that leaves it on one rank is the loss of that rank for the others; one that leaves
        it on all is the error of each alone.
        """
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

    communicator: MpiCommunicator

    def __init__(self, mpi: Any, of_launcher: Place) -> None:
        self._mpi = mpi
        size = mpi.COMM_WORLD.Get_size()
        if size != of_launcher.size:
            raise DeviceError(
                f"{of_launcher.size} processes were started, but {_library(mpi)}, which mpi4py "
                f"uses, knows of {size}: start them by the mpiexec of that MPI"
            )
        _wait_for_all(mpi.COMM_WORLD)
        self._all = mpi.COMM_WORLD.Dup()
        local = mpi.COMM_WORLD.Split_type(mpi.COMM_TYPE_SHARED)
        self.place = Place(self._all.Get_rank(), size, local.Get_rank(), local.Get_size())
        self.communicator = MpiCommunicator(mpi.COMM_WORLD.Dup(), self.check)
        self._sent: list[Any] = []  # requests, and their messages

        self._calls = self._settled = 0  # of `together`, and the last that all have left by errors
        self._training = Lock()
        self._failure: Failure | None = None  # of this rank
        self._heard: dict[int, Failure] = {}  # the last of each other rank
        self._ended: dict[int, float] = {}  # when each other rank came to its end
        self._status, self._is_told = 1, False
        self._guard = _start_guard(local, self.rank)

    def gather(self, value: object) -> list[Any]:
        return self.communicator.gather(value)

    @contextmanager
    def together(self) -> Iterator[None]:
        if not self._training.acquire(blocking=False):
            raise ModelInUseError(
                "another thread trains on these ranks: let one training follow the other, or set "
                "GPUCNN_ALONE=1 to let each rank train by itself"
            )
        try:
            self._settle()
            self._calls += 1
            yield
        except BaseException as error:
            self._leave(error)
            raise
        finally:
            self._training.release()

    def check(self) -> None:
        self._listen()
        for rank, failure in self._heard.items():
            if failure.call > self._settled:
                raise RankLostError(f"rank {rank} has failed ({failure.reason})")
        self._check_ends()

    def fail(self, reason: str, status: int) -> bool:
        self._status = status
        if self._failure is None:
            self._tell_failure(Failure(self._calls + 1, True, False, reason))
        is_first = self._failure is not None and self._failure.is_own
        until = monotonic() + ALIKE
        while self.rank and is_first and monotonic() < until:
            self._listen()
            before = (self._heard[rank] for rank in range(self.rank) if rank in self._heard)
            is_first = not any(each.is_own for each in before)
            sleep(PAUSE)
        self._is_told = True  # by this rank, or by another
        return is_first

    def end(self) -> None:
        if self._mpi.Is_finalized():
            return
        try:
            self._settle()
        except GpucnnError:
            self._abandon()
        self._guard.dismiss()
        self._tell(ENDED, "")
        while len(self._ended) < self.size - 1:
            self._listen()
            if any(each.call > self._settled for each in self._heard.values()):
                self._abandon()
            sleep(PAUSE)

    # Errors

    def _leave(self, error: BaseException) -> None:
        """Tell the others that this rank has left the call by an error."""
        if self._failure is None:
            is_own, is_amid = not isinstance(error, RankLostError), self.communicator.is_amid
            reason = f"{type(error).__name__}: {error}" if is_own else str(error)
            self._tell_failure(Failure(self._calls, is_own, is_amid, printable(reason)))

    def _tell_failure(self, failure: Failure) -> None:
        self._failure = failure
        self._tell(FAILED, repr(tuple(failure)))

    def _settle(self) -> None:
        """After an error: wait for all others to leave the call by one of their own.

        Raises:
            RankLostError: some have not, or they were in an exchange; the ranks cannot go on.
            DeviceError: one has come to its end.
        """
        if self._failure is None:
            return
        until = monotonic() + GRACE
        while len(self._left()) < self.size - 1:
            self._listen()
            self._check_ends()
            if monotonic() > until:
                raise RankLostError("the others have not had the error of this rank")
            sleep(PAUSE)
        of_all = [self._failure, *self._left()]
        if any(each.is_amid or not each.is_own for each in of_all):
            raise RankLostError(f"the ranks are no longer together ({of_all[0].reason})")
        self._settled, self._failure = self._failure.call, None

    def _left(self) -> list[Failure]:
        """How the others have left the call that this rank has left by an error."""
        assert self._failure is not None
        return [each for each in self._heard.values() if each.call >= self._failure.call]

    def _check_ends(self) -> None:
        for rank, when in self._ended.items():
            if monotonic() > when + GRACE:
                raise DeviceError(
                    f"rank {rank} has come to its end, while others train: {TOGETHER}"
                )

    # Messages

    def _tell(self, tag: int, text: str) -> None:
        message = text.encode(errors="replace")
        others = (rank for rank in range(self.size) if rank != self.rank)
        for rank in others:
            self._sent.append((self._all.Isend([message, self._mpi.BYTE], rank, tag), message))

    def _listen(self) -> None:
        """Receive the messages that there are."""
        status = self._mpi.Status()
        while self._all.Iprobe(self._mpi.ANY_SOURCE, self._mpi.ANY_TAG, status):
            rank, tag = status.Get_source(), status.Get_tag()
            message = bytearray(status.Get_count(self._mpi.BYTE))
            self._all.Recv([message, self._mpi.BYTE], rank, tag)
            if tag == ENDED:
                self._ended[rank] = monotonic()
            else:
                self._heard[rank] = Failure(*literal_eval(message.decode(errors="replace")))

    def _abandon(self) -> NoReturn:
        """End this process, without waiting for others in MPI.

        A launcher then ends the others: so one whose error it is tells the user first.
        """
        self._guard.let_end()
        if self._failure is None or not self._failure.is_own:
            sleep(2 * ALIKE)
        elif not self._is_told:
            _print_line(f"rank {self.rank} has failed ({self._failure.reason}): all ranks end")
        until = monotonic() + 2 * ALIKE  # for messages to arrive
        while monotonic() < until and not all(request.Test() for request, _ in self._sent):
            sleep(PAUSE)
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(self._status)


class Guard:
    """The guard of this machine's ranks, see `gpucnn.backends.ranks.guard`.

    Args:
        process: its number; 0 if there is none.
        started: the process itself, on the rank that has started it.
    """

    def __init__(self, process: int, started: "subprocess.Popen[bytes] | None") -> None:
        self._process, self._started = process, started

    def let_end(self) -> None:
        """Tell it that ranks end by an error, which they tell of by themselves."""
        if self._process:
            with suppress(OSError):
                os.kill(self._process, signal.SIGUSR1)

    def dismiss(self) -> None:
        """End it, before any rank of its machine ends."""
        if self._started is not None:
            self._started.kill()
            self._started.wait()


def _start_guard(local: Any, rank: int) -> Guard:
    """Start the guard of this machine's ranks.

    Args:
        local: the communicator of these ranks, which all call this.
        rank: the number of this one among all.
    """
    ranks = local.allgather((os.getpid(), rank))
    started = None
    if local.Get_rank() == 0 and hasattr(os, "pidfd_open"):
        file = Path(__file__).with_name("guard.py")
        watched = (f"{process}:{number}" for process, number in ranks)
        command = [sys.executable, "-S", "-E", str(file), *watched, *_shared_files()]
        started = subprocess.Popen(command, start_new_session=True)
    return Guard(local.bcast(0 if started is None else started.pid), started)


def _shared_files() -> set[str]:
    """The files of shared memory that MPICH leaves behind where ranks are killed."""
    try:
        maps = Path("/proc/self/maps").read_text()
    except OSError:
        return set()
    return set(re.findall(r"/dev/shm/mpich_shm_\w+", maps))


# This program's world

_joining = Lock()
_joined: dict[int, World] = {}  # by process: one that is forked is no rank


def world() -> World:
    """The ranks of this program; the first call, of all ranks, joins them.

    Raises:
        DeviceError: a launcher has started several, but they cannot find each other.
    """
    with _joining:
        if os.getpid() not in _joined:
            of_launcher = place()
            _joined[os.getpid()] = World() if of_launcher.size == 1 else _join(of_launcher)
        return _joined[os.getpid()]


def is_leader() -> bool:
    """Whether this process is to write what all ranks have alike, once they have joined."""
    joined = _joined.get(os.getpid())
    return joined is None or joined.rank == 0


def _join(of_launcher: Place) -> World:
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # the latter if there is no MPI
        raise DeviceError(
            f"{of_launcher.size} processes were started by a launcher, and they need mpi4py and an "
            f"MPI to train together ({printable(str(error))}): {installing('mpi')}, or set "
            "GPUCNN_ALONE=1 to let each train by itself"
        ) from error
    return MpiWorld(MPI, of_launcher)


def _wait_for_all(comm: Any) -> None:
    """Wait until all ranks are here, without keeping a core from them."""
    request, told = comm.Ibarrier(), monotonic() + LONG
    while not request.Test():
        if monotonic() > told:
            told = float("inf")
            _print_line(f"rank {comm.Get_rank()} waits for other ranks to train: {TOGETHER}")
        sleep(PAUSE)


def check_equal(ranks: World, described: dict[str, object]) -> None:
    """Check that all ranks describe things in the same way.

    Args:
        ranks: all of which call this.
        described: descriptions by what they are of, such as "set of images".

    Raises:
        InvalidValueError: a rank describes something in another way than rank 0 does.
    """
    first, *others = ranks.gather(described)
    for rank, other in enumerate(others, 1):
        for what, value in first.items():
            if other.get(what) != value:
                raise InvalidValueError(
                    f"rank {rank} has another {what} than rank 0: since fit itself divides each "
                    "batch among the ranks, give all of them the same, in the same order"
                )


# The end of this program


def _end_by(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Handle an exception that ends the program: that of another rank is told by that one."""
    joined, name = _joined.get(os.getpid()), kind.__name__
    if joined is not None and not joined.fail(f"{name}: {error}", 1):
        return
    _hook(kind, error, trace)
    mine = place()
    if mine.size == 1:  # a process that a rank has forked
        return
    _print_line(f"rank {mine.rank} has ended by {name}, and so do the others")
    if joined is None:
        with suppress(ImportError, RuntimeError):
            from mpi4py import MPI  # waits for those that have yet to come here

            MPI.COMM_WORLD.Abort(1)


def _end_together() -> None:
    """At exit: let no rank wait for this one, unless the program has uses of its own for MPI."""
    if place().size == 1 or ("mpi4py.MPI" in sys.modules and os.getpid() not in _joined):
        return
    with suppress(GpucnnError):
        world().end()


def is_launched() -> bool:
    """Whether a launcher has started this process as one of several, by variables that are right.

    Wrong ones are told where the ranks are needed.
    """
    try:
        return place().size > 1
    except GpucnnError:
        return False


if is_launched():
    atexit.register(_end_together)
    _hook, sys.excepthook = sys.excepthook, _end_by


def _library(mpi: Any) -> str:
    first, *_ = mpi.Get_library_version().splitlines()
    return printable(str(first))


def _print_line(text: str) -> None:
    with suppress(OSError):
        os.write(2, f"gpucnn: {printable(text, len(text))}\n".encode())

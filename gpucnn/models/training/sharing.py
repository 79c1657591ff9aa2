"""What a replica shares with worker processes: its layers, and arrays in shared memory.

Until the workers are ready, and where there are none, this process computes all shards itself, one
after the other. The bytes of the result are the same: a batch is split as the number of threads
says, and gradients are summed in the order of the shards, whoever computes them.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import sleep
from types import ModuleType
from typing import Any

import numpy as np

from gpucnn.backends import Array, Communicator, Shape
from gpucnn.backends.workers.in_worker import Context
from gpucnn.backends.workers.pool import pool
from gpucnn.backends.workers.shared_arrays import SharedArrays
from gpucnn.backends.workers.team import Team
from gpucnn.backends.workers.worker import WorkersLostError
from gpucnn.models.replica import Replica
from gpucnn.utils.warn import warn

PAUSE = 0.001
"""Seconds between polls for workers that are starting."""

LEAST_SPAN = 500_000_000
"""Multiply-adds of the forward passes of a call from which workers are worth their cost."""

Arrays = Mapping[str, Array]
Kinds = Mapping[str, tuple[Shape, Any]]
"""The shapes and dtypes of arrays to be allocated, by name."""


class Sharing:
    """A replica that each worker gets a copy of, and arrays that all processes share.

    Args:
        replica: of this process, rank 0.
        workers: the maximum number of workers; they are started in the background.
        given: arrays to be read; each worker maps a copy of them when it joins.
        new: arrays to be allocated, which every rank writes to.
        set_up: called in a worker when it joins; `context.kept` has "replica" and "arrays".
        users: objects sent to workers, besides the layers, that may be of the user's classes.

    Attributes:
        arrays: the given and the new arrays by name; given arrays of reals in the model's dtype.
    """

    arrays: Arrays

    def __init__(
        self,
        replica: Replica,
        workers: int,
        given: Arrays,
        new: Kinds,
        set_up: Callable[[Context], None] | None = None,
        users: Sequence[object] = (),
    ) -> None:
        self._replica, self._set_up = replica, set_up
        self._users = (*replica.plain, *users)
        self._team: Team | None = None
        self._workers = workers if workers and pool().request(workers) else 0
        self._given = {name: _to_dtype(array, replica.dtype) for name, array in given.items()}
        written: Arrays | None = self._share(SharedArrays, new)
        if written is None:
            written = {name: replica.backend.empty(*new[name]) for name in new}
        self._written = written
        self._copies: SharedArrays | None = None
        self.arrays = {**self._given, **written}

    @property
    def can_be_joined(self) -> bool:
        """Whether there are workers, or will be."""
        return self._workers > 0

    def has_joined(self) -> bool:
        """Let the workers join if they are ready; whether they take part."""
        if self._team is None and self._workers:
            self._team = pool().lease(self._workers, self._replica.largest_sum)
            if self._team is not None:
                self._do(self._let_join)
        return self._team is not None

    def join(self) -> None:
        """Wait until the workers take part, if there can be any."""
        while self._workers and pool().request(self._workers) and not self.has_joined():
            sleep(PAUSE)

    def together(
        self, theirs: Callable[[Context], None], ours: Callable[[Communicator], None]
    ) -> bool:
        """Run `theirs` in each worker and `ours` in this process, at the same time.

        Returns:
            Whether all ranks completed. If workers were lost, a warning says so, and the caller
            completes the work without them.
        """

        def work(team: Team) -> None:
            team.call(theirs)
            ours(team.communicator)

        return self._do(work)

    def close(self) -> None:
        """Return the workers to the pool; they join again when needed."""
        team, self._team = self._team, None
        if team is not None:
            team.disband()

    def _let_join(self, team: Team) -> None:
        if self._copies is None:
            self._copies = self._share(SharedArrays.copies, self._given)
        if self._copies is None:
            self._team = None
            team.abandon()
            return
        team.by_value = _modules_of(self._users)
        team.call(_join, self._replica, self._copies, self._written, self._set_up)

    def _share(self, make: Callable[..., SharedArrays], what: object) -> SharedArrays | None:
        """Call `make(what)`; if memory is lacking, return None and give up on workers."""
        if not self._workers:
            return None
        try:
            return make(what)
        except OSError as error:
            self._workers = 0
            pool().do_without(f"no memory can be shared with worker processes ({error})")
            return None

    def _do(self, work: Callable[[Team], None]) -> bool:
        """Call `work`; whether it completed. Any failure ends the workers."""
        assert self._team is not None
        try:
            work(self._team)
            return True
        except BaseException as error:
            team, self._team, self._workers = self._team, None, 0
            team.abandon()
            if not isinstance(error, WorkersLostError):
                raise
            warn(f"{error}: this process goes on alone")
            return False


def count_workers(replica: Replica, images: int, batch_size: int) -> int:
    """The number of workers that pay off for `images` images in batches of `batch_size`."""
    if replica.multiply_adds(images) < LEAST_SPAN:
        return 0
    return replica.shards_of_each(min(batch_size, images)) - 1


def load_vectors(context: Context) -> None:
    """In a worker that joins: copy the shared vectors of parameters and of state to its replica."""
    for name, vector in context.kept["replica"].vectors.items():
        np.copyto(vector, context.kept["arrays"][name])


def _to_dtype(array: Array, real: "np.dtype[np.floating]") -> Array:
    """A real array in the model's dtype; any other as it is."""
    return array.astype(real, copy=False) if array.dtype.kind == "f" else array


def _modules_of(things: Iterable[object]) -> set[ModuleType]:
    """The user's modules, other than the main one, that define the classes of `things`."""
    names = {each.__module__ for thing in things for each in type(thing).__mro__}
    theirs = {name for name in names if name.split(".")[0] not in ("gpucnn", "abc", "builtins")}
    return {sys.modules[name] for name in theirs - {"__main__"} if name in sys.modules}


def _join(
    context: Context,
    replica: Replica,
    given: SharedArrays,
    written: SharedArrays,
    set_up: Callable[[Context], None] | None,
) -> None:
    """In a worker: keep the replica and the shared arrays."""
    context.kept |= {"replica": replica, "arrays": {**given, **written}}
    if set_up is not None:
        set_up(context)

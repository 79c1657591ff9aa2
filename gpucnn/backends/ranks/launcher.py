"""What a launcher, `mpiexec` or `srun`, tells a process by its environment."""

import os
import re
from functools import cache
from typing import NamedTuple

from gpucnn.errors import InvalidValueError
from gpucnn.utils.warn import warn


class Place(NamedTuple):
    """The place of a process among those that a launcher has started.

    Attributes:
        rank: in [0, size).
        size: the number of processes.
        local_rank: the rank among those of the same machine.
        local_size: the number of those of the same machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1


VARIABLES = (
    # Open MPI
    (
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_SIZE",
        "OMPI_COMM_WORLD_LOCAL_RANK",
        "OMPI_COMM_WORLD_LOCAL_SIZE",
    ),
    # MPICH, Intel MPI; before Slurm, which may have started their own processes
    ("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"),
    # Slurm: the variables of a step, which the shell of a batch script has not
    (
        "SLURM_PROCID",
        "SLURM_STEP_NUM_TASKS",
        "SLURM_LOCALID",
        "SLURM_STEP_TASKS_PER_NODE",
    ),
)
"""The names of the variables of each launcher, for the numbers of a `Place` in their order."""

OWNER = "GPUCNN_RANK_PROCESS"
"""The variable by which a rank tells processes that it starts that they are none."""

ALONE = "GPUCNN_ALONE"
"""The variable that a user sets to 1 for processes that train each by itself."""


def place() -> Place:
    """The place of this process; that of a single one if no launcher has started it.

    Processes that a rank starts inherit its environment, but they are no ranks. Those that train
    each by itself still share the cores and GPUs of their machine.

    Raises:
        InvalidValueError: the launcher's variables are not numbers.
    """
    is_alone = os.environ.get(ALONE, "0") not in ("", "0")
    try:
        found = _of_launcher()
    except InvalidValueError:
        if is_alone:
            return Place()
        raise
    if found.size == 1 or not _is_a_rank():
        return Place()
    return found._replace(rank=0, size=1) if is_alone else found


def _of_launcher() -> Place:
    """The place by the variables of the first launcher that has set its own."""
    for names in VARIABLES:
        values = [os.environ.get(name) for name in names]
        if None not in values:
            return _parsed(names, [value or "" for value in values])
    return Place()


def rank() -> int:
    """The number of this process among those that `mpiexec` or `srun` has started, from 0."""
    return place().rank


def world_size() -> int:
    """The number of processes that `mpiexec` or `srun` has started; 1 without them."""
    return place().size


def _is_a_rank() -> bool:
    if os.environ.get(OWNER) is None and not _has_launcher():
        return False
    return os.environ.setdefault(OWNER, str(os.getpid())) == str(os.getpid())


def _has_launcher() -> bool:
    """Whether the connection to MPICH's launcher is open, which no process inherits from a rank."""
    descriptor = os.environ.get("PMI_FD", "")
    if not descriptor.isdecimal():
        return True  # another launcher
    try:
        os.fstat(int(descriptor))
    except OSError:
        return False
    return True


def _parsed(names: tuple[str, ...], values: list[str]) -> Place:
    # Slurm's counts of tasks are those of all machines, such as "4(x2),3": ours is not among the
    # variables by itself, and the first is that of all but the last machine.
    numbers = [re.match(r"\d+", value) for value in values]
    for name, value, number in zip(names, values, numbers, strict=True):
        if number is None:
            raise InvalidValueError(
                f"the environment variable {name} is {value!r}, which is no number: start the "
                f"program by mpiexec or srun, or set {ALONE}=1"
            )
    return Place(*(int(number[0]) for number in numbers if number is not None))


def cores_of_one(cores: int) -> int:
    """The cores of this process, if it shares `cores` with the others of its machine.

    A launcher may have bound each to cores of its own: then its own parent has more.
    """
    mine = place()
    if mine.local_size == 1 or _is_bound():
        return cores
    if mine.local_rank == 0:
        _warn_if_crowded(mine.local_size, cores)
    return max(cores // mine.local_size, 1)


def gpus_of_one(count: int) -> list[int]:
    """The GPUs of this process, if it shares `count` with the others of its machine.

    Where there are more processes than GPUs, as each may see its own alone, some have the same.
    """
    mine = place()
    return list(range(count))[mine.local_rank :: mine.local_size] or [mine.local_rank % count]


@cache  # once
def _warn_if_crowded(ranks: int, cores: int) -> None:
    if ranks > cores:
        warn(
            f"{ranks} ranks share {cores} cores of this machine, and wait for each other: start at "
            f"most {cores} here, unless they train on GPUs"
        )


def _is_bound() -> bool:
    try:
        own, launcher = os.sched_getaffinity(0), os.sched_getaffinity(os.getppid())
    except (AttributeError, OSError):  # no such call on this system, or the launcher has ended
        return False
    return own < launcher

"""Training steps and all-reduces timed on ranks, processes that `mpiexec` starts for that."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from shutil import which
from typing import Any, NamedTuple

from numpy.typing import NDArray

from gpucnn.backends import Communicator
from gpucnn.backends.ranks.launcher import place
from gpucnn.backends.ranks.world import World, world
from gpucnn.benchmark.contenders import DeviceContender, training_task
from gpucnn.benchmark.processes import run_python
from gpucnn.benchmark.timing import FEWEST, SHORTEST, Clock, Sampler, Task
from gpucnn.benchmark.workload import Workload, load_data
from gpucnn.errors import DeviceError, GpucnnError, RankLostError, installing
from gpucnn.models.training.parallel import ParallelTrainer

RUN = "from gpucnn.benchmark.ranks import main; main()"  # the code of each rank


@dataclass(frozen=True)
class Launch:
    """What the ranks of one launch time.

    Args:
        device: by name; of GPUs, "cuda" is one for each rank of a machine.
        model: the name of a preset.
        dtype: "float32" or "float64".
        ranks: how many.
        workers: of each rank, on the CPU.
        batch_sizes: images in a training step of all ranks together.
        sizes: bytes of the arrays that are summed by themselves.
    """

    device: str
    model: str
    dtype: str
    ranks: int
    workers: int
    batch_sizes: tuple[int, ...]
    sizes: tuple[int, ...] = ()


class StepTimes(NamedTuple):
    """The seconds of a training step, and those of it in all-reduces; see `RankMeasurement`."""

    step: float
    exchange: float = 0.0
    held: float = 0.0


class Times(NamedTuple):
    """The times of one launch.

    Attributes:
        steps: one for each of its batch sizes.
        sums: the seconds of an all-reduce by itself, for each of its sizes.
    """

    steps: list[StepTimes]
    sums: list[float]


def find_mpiexec() -> str:
    """The path of `mpiexec`: that of this Python's environment, or else the first of PATH.

    Raises:
        DeviceError: there is none, or no mpi4py, by which ranks find each other.
    """
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = which("mpiexec", path=folders)
    if found is None or find_spec("mpi4py") is None:
        lacking = "mpiexec" if found is None else "mpi4py"
        raise DeviceError(f"there is no {lacking} to start ranks with: {installing('mpi')}")
    return found


def time_on_ranks(launch: Launch) -> Times:
    """Start ranks, which time what `launch` says, and end.

    Raises:
        DeviceError: they failed.
    """
    launcher = [find_mpiexec(), "-n", str(launch.ranks)]
    printed = json.loads(run_python("-c", RUN, json.dumps(asdict(launch)), launcher=launcher))
    return Times([StepTimes(*each) for each in printed["steps"]], printed["sums"])


# In the new processes


def main() -> None:
    """Time what the command's argument says, JSON of a `Launch`; rank 0 prints `Times` as JSON."""
    try:
        ranks = world()
        with ranks.together():
            times = measure(Launch(**json.loads(sys.argv[1])), ranks)
    except RankLostError:  # that rank says why
        sys.exit(1)
    except GpucnnError as error:
        sys.exit(f"rank {place().rank}: {error}")
    if ranks.rank == 0:
        print(json.dumps(times._asdict()))


def measure(launch: Launch, ranks: World) -> Times:
    """Time what `launch` says; all ranks call this, and get the same."""
    workload = Workload(launch.model, launch.dtype, load_data())
    contender = DeviceContender(launch.device, workload, launch.workers)
    trainers = [contender.trainer(size) for size in launch.batch_sizes]
    steps = [time_step(trainer, ranks) for trainer in trainers]
    return Times(steps, [time_sum(trainers[0], size, ranks) for size in launch.sizes])


def time_step(trainer: ParallelTrainer, ranks: World) -> StepTimes:
    """Time the steps of a trainer; and then, of several ranks, the all-reduces in them."""
    task = training_task(trainer)
    seconds = Sampler(_together(task, ranks), SHORTEST).sample()
    if ranks.size == 1:
        return StepTimes(seconds)
    count = max(ceil(SHORTEST / seconds), FEWEST)
    mine = [each / count for each in _all_reduces(trainer, task, count)]
    of_ranks = ranks.gather(mine)
    return StepTimes(seconds, sum(map(min, zip(*of_ranks, strict=True))), sum(of_ranks[0]))


def time_sum(trainer: ParallelTrainer, size: int, ranks: World) -> float:
    """The seconds of an all-reduce of `size` bytes, by the trainer's communicator."""
    backend, dtype = trainer.replica.backend, trainer.replica.dtype
    zeros = backend.zeros((size // dtype.itemsize,), dtype)  # whose sums stay what they are
    call = partial(trainer.communicator.all_reduce, zeros, ranks.size)
    task = replace(training_task(trainer), call=call, session=backend.session, repeat=None)
    return Sampler(_together(task, ranks), SHORTEST).sample()


def _together(task: Task, ranks: World) -> Task:
    """The task with a clock that all ranks share, so that all repeat the task equally often.

    It begins when the last is there, and tells the time of the slowest.
    """

    def clock(work: Any) -> float:
        ranks.communicator.barrier()
        return float(max(ranks.gather(task.clock(work))))

    return replace(task, clock=clock)


def _all_reduces(trainer: ParallelTrainer, task: Task, count: int) -> list[float]:
    """The seconds of each all-reduce in `count` steps, after one that is not timed."""
    assert task.repeat is not None
    with _watched(trainer, task.clock) as seconds, task.session():
        task.call()
        seconds.clear()
        task.repeat(count)
    return seconds


@contextmanager
def _watched(trainer: ParallelTrainer, clock: Clock) -> Iterator[list[float]]:
    """A context in which the trainer's all-reduces are timed, in the list that it yields."""
    own = trainer.communicator
    watching = TimedCommunicator(own, clock)
    trainer.communicator = watching
    yield watching.seconds
    trainer.communicator = own


class TimedCommunicator(Communicator):
    """A communicator that notes how long its all-reduces take; steps with it are not recorded.

    Args:
        timed: does the work.
        clock: measures the seconds that work takes.

    Attributes:
        seconds: of each call.
    """

    def __init__(self, timed: Communicator, clock: Clock) -> None:
        self._timed, self._clock = timed, clock
        self.rank, self.size = timed.rank, timed.size
        self.seconds: list[float] = []

    def barrier(self) -> None:
        """See `Communicator.barrier`."""
        self._timed.barrier()

    def all_reduce(self, values: NDArray[Any], contributors: int) -> None:
        """See `Communicator.all_reduce`."""
        work = partial(self._timed.all_reduce, values, contributors)
        self.seconds.append(self._clock(work))

    def broadcast(self, values: NDArray[Any]) -> None:
        """See `Communicator.broadcast`."""
        self._timed.broadcast(values)

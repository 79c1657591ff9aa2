"""Strong and weak scaling of training over ranks, beside a model of what a step takes.

The same batch on more ranks shows strong scaling, a batch that grows with the ranks weak scaling.
In the model a step takes as long as one rank takes for the largest of the parts that the batch is
split into, and as long as an all-reduce of the gradients:

    t(ranks, batch) = t(1, part) + exchanges * latency + received / bandwidth

Latency and bandwidth are fitted to the times of all-reduces of a few sizes, in the same rounds.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from math import inf
from typing import NamedTuple

import numpy as np

from gpucnn.backends.ranks.mpi import WHOLE
from gpucnn.benchmark.plan import Plan
from gpucnn.benchmark.ranks import Launch, StepTimes, Times, time_on_ranks
from gpucnn.benchmark.report import AllReduceMeasurement, RankMeasurement
from gpucnn.benchmark.workload import make_network
from gpucnn.models.replica import Replica
from gpucnn.utils.arithmetic import ceil_div

SIZES = (2**12, 2**14, 2**16, 2**18, 2**20, 2**22)
"""Bytes of the arrays whose all-reduces are timed by themselves."""


# The model


class Exchange(NamedTuple):
    """What an all-reduce does.

    Attributes:
        rounds: exchanges, one after the other.
        received: the bytes that a rank gets from others in all of them.
    """

    rounds: int
    received: float


class Link(NamedTuple):
    """What an exchange between ranks costs.

    Attributes:
        latency: the seconds of one exchange, of however many messages.
        bandwidth: the bytes a second that a rank gets from others.
    """

    latency: float
    bandwidth: float

    def seconds(self, exchange: Exchange) -> float:
        """The time of an all-reduce."""
        return exchange.rounds * self.latency + exchange.received / self.bandwidth


def exchange_of(size: int, ranks: int, contributors: int, device: str) -> Exchange:
    """What an all-reduce of `size` bytes does, see `MpiCommunicator`; on GPUs, what NCCL's does.

    Args:
        size: of the array, in bytes.
        ranks: that take part.
        contributors: the ranks that have something to add.
        device: where the array is, by name.
    """
    if contributors == 1:  # the others are told
        return Exchange(1, size)
    if device.startswith("cuda"):  # in a ring, which NCCL runs as one call
        return Exchange(1, 2 * size * (ranks - 1) / ranks)
    if ranks == 2 or size * ranks <= WHOLE:  # from each to each
        return Exchange(1, size * (ranks - 1))
    return Exchange(2, 2 * size * (ranks - 1) / ranks)  # slices, and then their sums


def fit(exchanges: Sequence[Exchange], seconds: Sequence[float]) -> Link:
    """The link for which the relative errors of the times have the least sum of squares.

    Neither latency nor the time of a byte is below 0.
    """
    costs = np.array(exchanges, np.float64) / np.array(seconds)[:, None]
    latency, of_byte = _least_squares(costs)
    if latency < 0:
        latency, of_byte = 0.0, _least_squares(costs[:, 1:])[0]
    elif of_byte <= 0:
        latency, of_byte = _least_squares(costs[:, :1])[0], 0.0
    return Link(latency, 1 / of_byte if of_byte else inf)


def _least_squares(costs: "np.ndarray[tuple[int, int], np.dtype[np.float64]]") -> list[float]:
    found: list[float] = np.linalg.lstsq(costs, np.ones(len(costs)))[0].tolist()
    return found


def fit_all(all_reduces: Iterable[AllReduceMeasurement]) -> dict[tuple[str, int], Link]:
    """The link of each device and number of ranks, by the medians of what was measured."""
    groups: dict[tuple[str, int], list[AllReduceMeasurement]] = {}
    for each in all_reduces:
        groups.setdefault((each.contender, each.ranks), []).append(each)
    return {key: fit([alone(e) for e in of], [e.median for e in of]) for key, of in groups.items()}


def alone(each: AllReduceMeasurement) -> Exchange:
    """What an all-reduce that was timed by itself does."""
    return exchange_of(each.bytes, each.ranks, each.ranks, each.contender)


class Scaled(NamedTuple):
    """A step beside those of a single rank of one worker.

    Attributes:
        step: measured.
        same_batch: a single rank's on the same batch: how many times as long it takes is the
            speed-up (strong scaling).
        same_part: a single rank's on the largest part of it: as a share of the step this is the
            efficiency (weak scaling).
    """

    step: RankMeasurement
    same_batch: RankMeasurement
    same_part: RankMeasurement

    def all_reduce(self, link: Link) -> float:
        """The seconds of the step's all-reduce by the model."""
        step = self.step
        contributors = min(step.shards, step.ranks)
        exchange = exchange_of(step.bytes, step.ranks, contributors, step.contender)
        return link.seconds(exchange)

    def model(self, link: Link) -> float:
        """The seconds of the step by the model."""
        return self.same_part.median + self.all_reduce(link)


def scaled(steps: Sequence[RankMeasurement]) -> list[Scaled]:
    """Each step of more than one rank, or worker, beside those of a single rank of one worker."""
    single = {
        (each.contender, each.batch_size): each for each in steps if each.ranks == each.workers == 1
    }
    return [
        Scaled(each, single[each.contender, each.batch_size], single[each.contender, each.part])
        for each in steps
        if each.ranks * each.workers > 1
    ]


# The measurements


class Scaling:
    """The measurements of a plan's ranks on one device, taken round by round.

    A round starts each number of ranks once, one after the other, and as many workers of a single
    rank beside them.

    Args:
        plan: what to time.
        device: by name.

    Attributes:
        device: see above.
    """

    def __init__(self, plan: Plan, device: str) -> None:
        self.device = device
        self._replica = make_network(plan.model, plan.dtype, "cpu", 1).replica
        self._launches = list(_launches(plan, device, self._replica))
        self._rounds: list[list[Times]] = []

    def round(self) -> None:
        """Take a round."""
        self._rounds.append([time_on_ranks(launch) for launch in self._launches])

    def steps(self) -> list[RankMeasurement]:
        """The times of steps."""
        return [
            self._step(launch, size, [times[number].steps[index] for times in self._rounds])
            for number, launch in enumerate(self._launches)
            for index, size in enumerate(launch.batch_sizes)
        ]

    def _step(self, launch: Launch, size: int, rounds: list[StepTimes]) -> RankMeasurement:
        step, exchange, held = map(list, zip(*rounds, strict=True))
        of_several = launch.ranks > 1
        return RankMeasurement(
            self.device,
            launch.ranks,
            launch.workers,
            size,
            _count_shards(self._replica, size, launch.ranks * launch.workers),
            step,
            self._replica.gradients.nbytes,
            exchange if of_several else [],
            held if of_several else [],
        )

    def all_reduces(self) -> list[AllReduceMeasurement]:
        """The times of all-reduces by themselves."""
        return [
            AllReduceMeasurement(
                self.device,
                launch.ranks,
                size,
                [times[number].sums[index] for times in self._rounds],
            )
            for number, launch in enumerate(self._launches)
            for index, size in enumerate(launch.sizes)
        ]


def _launches(plan: Plan, device: str, replica: Replica) -> Iterable[Launch]:
    """What a round starts."""
    launch = partial(Launch, device, plan.model, plan.dtype)
    of_ranks = {ranks: _batch_sizes(plan, ranks) for ranks in plan.ranks}
    single = set(plan.batch_sizes)
    for ranks, sizes in of_ranks.items():
        single |= {*sizes, *(ceil_div(size, _count_shards(replica, size, ranks)) for size in sizes)}
    yield launch(1, 1, tuple(sorted(single)))
    for ranks, sizes in of_ranks.items():
        yield launch(ranks, 1, sizes, SIZES)
        if device == "cpu":
            yield launch(1, ranks, sizes)


def _batch_sizes(plan: Plan, ranks: int) -> tuple[int, ...]:
    """The batches of the plan, and those with as many images for each rank."""
    return tuple(sorted({*plan.batch_sizes, *(ranks * size for size in plan.batch_sizes)}))


def _count_shards(replica: Replica, batch_size: int, parts: int) -> int:
    """The shards of a batch for that many ranks or workers."""
    replica.spread_over(parts)
    return len(replica.shards(batch_size))

"""The report of a benchmark: what was measured, a record a figure."""

from dataclasses import dataclass, field
from statistics import median

from gpucnn.utils.arithmetic import ceil_div

CACHED_BYTES = tuple(2**n for n in range(14, 26))
"""What a `Roofline` measures the caches with: 16 KiB to 32 MiB."""


@dataclass(frozen=True)
class Environment:
    """The conditions under which a benchmark ran.

    Args:
        date: of the start, in ISO 8601, UTC.
        machine: the processor's name, its usable cores, and the memory.
        threads: of the CPU, for each contender that runs there.
        versions: of Python, gpucnn, NumPy and its BLAS, and of peers and CuPy if they were timed.
        devices: the description of each device, by its name.
        model: the preset, and what it is "without", see `describe_model`.
        dtype: of all arithmetic.
        rounds: how many times each measurement was repeated.
    """

    date: str
    machine: str
    threads: int
    versions: dict[str, str]
    devices: dict[str, str]
    model: str
    dtype: str
    rounds: int


@dataclass(frozen=True)
class Preparation:
    """A one-time cost, which no measurement includes.

    Args:
        contender: a device of gpucnn, such as "cpu", or a peer, such as "torch".
        what: "import", "compilation", "transfer" or "warm-up".
        seconds: how long it took.
    """

    contender: str
    what: str
    seconds: float


@dataclass(frozen=True)
class Roofline:
    """The peak rates of a device, of a CPU on one thread.

    Args:
        contender: a device of gpucnn.
        flops: operations per second in a large matrix product.
        bandwidth: bytes per second, read and written, in a large copy.
        cached: the most bytes per second that are read, or read and written, where each of
            `CACHED_BYTES` are gone through again and again; empty for a GPU.
    """

    contender: str
    flops: float
    bandwidth: float
    cached: list[float] = field(default_factory=list)

    def bandwidth_of(self, held: int) -> float:
        """The bytes per second at most of a computation whose arrays are so many bytes."""
        rates = zip(CACHED_BYTES, self.cached, strict=False)  # as far as there are some
        return max([rate for size, rate in rates if size >= held], default=self.bandwidth)


class Sampled:
    """What was timed in each round."""

    seconds: list[float]

    @property
    def median(self) -> float:
        """The median of the seconds."""
        return median(self.seconds)


class SampledBatches(Sampled):
    """Work on a batch that was timed in each round."""

    batch_size: int

    @property
    def images_per_second(self) -> float:
        """The images per second at the median."""
        return self.batch_size / self.median


@dataclass(frozen=True)
class Measurement(SampledBatches):
    """The times of a task, one in each round; a round times all contenders one after the other.

    Args:
        contender: a device of gpucnn, or a peer.
        task: "training step" or "inference".
        batch_size: images in a batch.
        seconds: for one batch, in each round.
    """

    contender: str
    task: str
    batch_size: int
    seconds: list[float]


@dataclass(frozen=True)
class LayerMeasurement(Sampled):
    """The times of one direction of one layer, one in each round, on one thread of a CPU.

    Args:
        contender: a device of gpucnn.
        layer: the layer's name in the model, such as "conv2d".
        direction: "forward" or "backward".
        batch_size: images in a batch.
        seconds: for one batch, in each round.
        operations: the least floating-point operations that the batch needs.
        bytes: the least bytes that the batch moves: inputs, parameters and outputs, once each.
        held: those that are moved at once, of a microbatch; 0 if they are not known, in files of
            old.
    """

    contender: str
    layer: str
    direction: str
    batch_size: int
    seconds: list[float]
    operations: int
    bytes: int
    held: int = 0

    def least_seconds(self, roofline: Roofline) -> float:
        """The least time that the device's roofline allows, by the cache that holds the arrays."""
        bandwidth = roofline.bandwidth_of(self.held or self.bytes)
        return max(self.operations / roofline.flops, self.bytes / bandwidth)

    def share(self, roofline: Roofline) -> float:
        """The least time that the device's roofline allows, as a share of the time taken."""
        return self.least_seconds(roofline) / self.median


@dataclass(frozen=True)
class KernelMeasurement(Sampled):
    """The times of one launch of a training step, one in each round, see `measure_kernels`.

    Args:
        contender: a device of gpucnn.
        part: the layer and direction, such as "conv2d backward", that the launch is a part of, the
            last layer "and loss", or "all layers"; "" for what is outside of the layers.
        kernel: its name in the source.
        batch_size: images in a batch.
        grid: the blocks along each axis, such as "132 x 2".
        threads: of a block.
        seconds: for one launch, in each round.
        operations: the least floating-point operations of the part, see `roofline`; 0 outside of
            the layers.
        bytes: the least bytes that the part moves, likewise.
    """

    contender: str
    part: str
    kernel: str
    batch_size: int
    grid: str
    threads: int
    seconds: list[float]
    operations: int
    bytes: int


@dataclass(frozen=True)
class RankMeasurement(SampledBatches):
    """The times of a training step on ranks of their own, one in each round, see `ranks`.

    Args:
        contender: a device of gpucnn.
        ranks: how many train together.
        workers: the shards, and processes, of each rank.
        batch_size: images in a batch, of all ranks together.
        shards: the parts that it is split into, no more than one for each worker.
        seconds: for one batch.
        bytes: of the gradients that are summed.
        exchange: the seconds a step in all-reduces, of each call those of the rank that spent least
            in it, which waits least for the others; empty for a single rank.
        held: the same of rank 0, with its waits for the others.
    """

    contender: str
    ranks: int
    workers: int
    batch_size: int
    shards: int
    seconds: list[float]
    bytes: int
    exchange: list[float]
    held: list[float]

    @property
    def part(self) -> int:
        """The images of the largest shard."""
        return ceil_div(self.batch_size, self.shards)


@dataclass(frozen=True)
class AllReduceMeasurement(Sampled):
    """The times of an all-reduce by itself, one in each round, see `ranks`.

    Args:
        contender: a device of gpucnn.
        ranks: how many sum.
        bytes: of the array.
        seconds: for one call, those of the rank that it took longest.
    """

    contender: str
    ranks: int
    bytes: int
    seconds: list[float]


@dataclass(frozen=True)
class TimeToAccuracy:
    """The time that a contender trained, without evaluations, to reach an accuracy.

    Args:
        contender: a device of gpucnn, or a peer.
        target: the accuracy on the test set, in [0, 1].
        seconds: of training, to the end of the last epoch.
        epochs: how many there were.
        accuracy: after the last epoch; below the target if the epochs ended first.
    """

    contender: str
    target: float
    seconds: float
    epochs: int
    accuracy: float

    @property
    def is_reached(self) -> bool:
        """Whether the target was reached."""
        return self.accuracy >= self.target


@dataclass(frozen=True)
class PeakMemory:
    """The peak memory of a process that only trains and evaluates one contender.

    Args:
        contender: a device of gpucnn, or a peer.
        batch_size: images in a step.
        bytes: the process's largest resident set.
    """

    contender: str
    batch_size: int
    bytes: int


@dataclass(frozen=True)
class StartUp(Sampled):
    """The start-up of a process that trains one contender, see `processes.start_up`.

    Args:
        contender: a device of gpucnn, or a peer.
        batch_size: images in its first step.
        seconds: from its start to the end of that step, of several processes.
    """

    contender: str
    batch_size: int
    seconds: list[float]


@dataclass(frozen=True)
class Report:
    """The results of a benchmark."""

    environment: Environment
    preparations: list[Preparation]
    rooflines: list[Roofline]
    measurements: list[Measurement]
    layers: list[LayerMeasurement]
    accuracies: list[TimeToAccuracy]
    memory: list[PeakMemory]
    kernels: list[KernelMeasurement] = field(default_factory=list)  # files of old have none
    ranks: list[RankMeasurement] = field(default_factory=list)  # nor those below
    all_reduces: list[AllReduceMeasurement] = field(default_factory=list)
    start_ups: list[StartUp] = field(default_factory=list)

    def label(self, contender: str) -> str:
        """What a contender is called beside others: gpucnn, with the device if there are several.

        A peer keeps its name.
        """
        device, _, way = contender.partition(", ")
        if device not in self.environment.devices:
            return contender
        if len(self.environment.devices) > 1:
            return f"gpucnn ({contender})"
        return f"gpucnn, {way}" if way else "gpucnn"

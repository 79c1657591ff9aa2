"""What a benchmark measured, and the JSON file that keeps it."""

import json
import os
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from statistics import median
from typing import Any, TypeVar, get_type_hints

from gpucnn.errors import InvalidFileError, printable
from gpucnn.utils.files import write_bytes

VERSION = 1
KEY = "gpucnn_benchmark"  # of the format's version, in the file

Record = TypeVar("Record")


@dataclass(frozen=True)
class Stamp:
    """What was measured, on what, and with which versions.

    Args:
        date: when, in ISO 8601, UTC.
        machine: the processor's name, its cores that could be used, and the memory.
        threads: of the CPU, for each subject that runs there.
        versions: of Python, gpucnn, NumPy and its BLAS, and of the peers and CuPy if they were
            measured.
        devices: the description of each device, by its name.
        model: the preset.
        dtype: of the arithmetic.
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
    """A time that is paid once, and is part of no measurement.

    Args:
        subject: a device of gpucnn, such as "cpu", or a peer, such as "torch".
        what: "import", "compilation", "transfer" or "warm-up".
        seconds: how long it took.
    """

    subject: str
    what: str
    seconds: float


@dataclass(frozen=True)
class Limits:
    """The most that a device does with one thread, or with the whole GPU.

    Args:
        subject: a device of gpucnn.
        flops: operations per second in a large matrix product.
        bandwidth: bytes per second, read and written, in a large copy.
    """

    subject: str
    flops: float
    bandwidth: float


@dataclass(frozen=True)
class Measurement:
    """A task, timed once in each round; round i of all subjects lies together in time.

    Args:
        subject: a device of gpucnn, or a peer.
        task: "training step" or "inference".
        batch_size: images at a time.
        seconds: for one batch, one number a round.
    """

    subject: str
    task: str
    batch_size: int
    seconds: list[float]

    @property
    def median(self) -> float:
        """The median of the seconds."""
        return median(self.seconds)

    @property
    def images_per_second(self) -> float:
        """By the median."""
        return self.batch_size / self.median


@dataclass(frozen=True)
class LayerMeasurement:
    """One direction of one layer, timed once in each round, on one thread of a CPU.

    Args:
        subject: a device of gpucnn.
        layer: the layer's name in the model, such as "conv2d".
        direction: "forward" or "backward".
        batch_size: images at a time.
        seconds: for one batch, one number a round.
        operations: the least floating-point operations that the batch needs.
        bytes: the least bytes that the batch moves: inputs, parameters and outputs, once each.
    """

    subject: str
    layer: str
    direction: str
    batch_size: int
    seconds: list[float]
    operations: int
    bytes: int

    @property
    def median(self) -> float:
        """The median of the seconds."""
        return median(self.seconds)

    def least_seconds(self, limits: Limits) -> float:
        """The least time that the device's limits allow."""
        return max(self.operations / limits.flops, self.bytes / limits.bandwidth)

    def share(self, limits: Limits) -> float:
        """The least time that the device's limits allow, as a share of the time taken."""
        return self.least_seconds(limits) / self.median


@dataclass(frozen=True)
class TimeToAccuracy:
    """How long a subject trained, evaluations apart, until it reached an accuracy.

    Args:
        subject: a device of gpucnn, or a peer.
        target: the accuracy on the test images, in [0, 1].
        seconds: of training, to the end of the epoch that reached it.
        epochs: how many that were.
        accuracy: what was reached; below the target if all epochs of the recipe did not do.
    """

    subject: str
    target: float
    seconds: float
    epochs: int
    accuracy: float

    @property
    def is_reached(self) -> bool:
        """Whether the accuracy was reached."""
        return self.accuracy >= self.target


@dataclass(frozen=True)
class PeakMemory:
    """The most memory of a process that does nothing but one subject's training steps.

    Args:
        subject: a device of gpucnn, or a peer.
        batch_size: images in a step.
        bytes: the process's largest resident set.
    """

    subject: str
    batch_size: int
    bytes: int


@dataclass(frozen=True)
class Report:
    """All that a benchmark measured."""

    stamp: Stamp
    preparations: list[Preparation]
    limits: list[Limits]
    measurements: list[Measurement]
    layers: list[LayerMeasurement]
    accuracies: list[TimeToAccuracy]
    memory: list[PeakMemory]


MAY_BE_ZERO = {
    (Preparation, "seconds"),
    (LayerMeasurement, "operations"),
    (TimeToAccuracy, "accuracy"),
}


def write_report(path: str | os.PathLike[str], report: Report) -> None:
    """Write a report as JSON, under a temporary name first.

    Raises:
        InvalidFileError: `path` is a directory, or its folder does not exist.
        OSError: the file cannot be written.
    """
    text = json.dumps({KEY: VERSION} | asdict(report), indent=2)
    write_bytes(Path(path), (text + "\n").encode())


def read_report(path: str | os.PathLike[str]) -> Report:
    """The report in a file that `write_report` wrote.

    Raises:
        InvalidFileError: there is no such file, or it is not a report of this version.
    """
    file = Path(path)
    if not file.is_file():
        raise InvalidFileError(f"there is no file {path}: give one that gpucnn bench --json wrote")
    try:
        content = json.loads(file.read_bytes())
        if not isinstance(content, dict) or KEY not in content:
            raise ValueError(f"it has no {KEY}, the version of the format")
        version = content.pop(KEY)
        if type(version) is not int or version != VERSION:  # true is 1 in Python
            raise ValueError(f"its version is {version}, this gpucnn reads version {VERSION}")
        return _report(content)
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise InvalidFileError(
            f"{path} is not a report of gpucnn bench ({printable(error)}): give one that "
            "gpucnn bench --json wrote"
        ) from error


def _report(content: dict[str, Any]) -> Report:
    kinds: dict[str, Any] = {
        "preparations": Preparation,
        "limits": Limits,
        "measurements": Measurement,
        "layers": LayerMeasurement,
        "accuracies": TimeToAccuracy,
        "memory": PeakMemory,
    }
    wrong = {"stamp", *kinds} ^ content.keys()
    if wrong:
        raise ValueError(f"it lacks, or should not have, {' and '.join(sorted(wrong))}")
    records = {name: _records(kind, content[name]) for name, kind in kinds.items()}
    return Report(_record(Stamp, content["stamp"]), **records)


def _records(kind: type[Record], content: list[dict[str, Any]]) -> list[Record]:
    return [_record(kind, each) for each in content]


def _record(kind: type[Record], content: dict[str, Any]) -> Record:
    record = kind(**content)
    for name, annotation in get_type_hints(kind).items():
        value = content[name]
        if not _is_a(value, annotation) or (value == 0 and (kind, name) not in MAY_BE_ZERO):
            raise TypeError(f"{name} is {value!r}")
    return record


def _is_a(value: Any, annotation: Any) -> bool:
    """Whether a value is of the type of a record's field; numbers are finite and not negative."""
    if annotation == list[float]:
        return isinstance(value, list) and value != [] and all(map(_is_positive, value))
    if annotation == dict[str, str]:
        return isinstance(value, dict) and all(map(_is_text, (*value, *value.values())))
    if annotation is float:
        return value == 0 or _is_positive(value)
    if annotation is str:
        return _is_text(value)
    return type(value) is annotation and value >= 0


def _is_text(value: Any) -> bool:
    """Whether a value is text that can be printed: a terminal would obey an escape."""
    return isinstance(value, str) and value.isprintable()


def _is_positive(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < inf

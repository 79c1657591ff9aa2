"""A plan carried out."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from importlib.util import find_spec
from typing import cast

import numpy as np

from gpucnn.backends import get_backend
from gpucnn.benchmark.accuracy import train_to_accuracy
from gpucnn.benchmark.layer_times import measure_layers
from gpucnn.benchmark.limits import measure_limits
from gpucnn.benchmark.networks import Data, load_data
from gpucnn.benchmark.peers import make_peer
from gpucnn.benchmark.plan import PACKAGES, TRAINING_PEERS, Plan
from gpucnn.benchmark.processes import import_seconds, peak_memory
from gpucnn.benchmark.report import (
    LayerMeasurement,
    Limits,
    Measurement,
    PeakMemory,
    Preparation,
    Report,
    TimeToAccuracy,
)
from gpucnn.benchmark.stamp import make_stamp
from gpucnn.benchmark.subjects import (
    INFERENCE,
    TRAINING_STEP,
    DeviceSubject,
    Subject,
    TrainingSubject,
)
from gpucnn.benchmark.timing import Sampler, clock_of, host_seconds, take_turns
from gpucnn.errors import InvalidValueError

SHORTEST = 0.05  # seconds of a sample

Job = tuple[str, Callable[[], None]]  # what is measured, and what measures it


def run_benchmark(plan: Plan, progress: Callable[[str, float], None]) -> Report:
    """Measure what is planned.

    Args:
        plan: what to measure.
        progress: is told what is measured now, and the share of the whole that is done, in [0, 1].

    Raises:
        InvalidValueError: a batch is larger than MNIST, or a peer computes something else.
        DeviceError: a device fails, or a process that was to be measured.
    """
    benchmark = _Benchmark(plan, load_data())
    jobs = list(benchmark.jobs())
    for number, (what, do) in enumerate(jobs):
        progress(what, number / len(jobs))
        do()
    progress("done", 1.0)
    return benchmark.report()


class _Benchmark:
    """The jobs that a plan consists of, each of which adds to the report."""

    def __init__(self, plan: Plan, data: Data) -> None:
        largest, images = max(plan.batch_sizes), len(data[0][0])
        if largest > images:
            raise InvalidValueError(
                f"batch_size is {largest}: MNIST has {images:,} images to train on, give at most "
                "as many"
            )
        self._plan, self._data = plan, data
        self._threads = get_backend("cpu", plan.threads).threads
        self._stamp = make_stamp(plan, self._threads)
        self._preparations: list[Preparation] = []
        self._warm_up: defaultdict[str, float] = defaultdict(float)  # seconds
        self._limits: list[Limits] = []
        self._measurements: list[Measurement] = []
        self._layers: list[LayerMeasurement] = []
        self._accuracies: list[TimeToAccuracy] = []
        self._memory: list[PeakMemory] = []

    def report(self) -> Report:
        """What the jobs that are done have measured."""
        warm_up = [Preparation(name, "warm-up", s) for name, s in self._warm_up.items()]
        return Report(
            self._stamp,
            [*self._preparations, *warm_up],
            self._limits,
            self._measurements,
            self._layers,
            self._accuracies,
            self._memory,
        )

    def jobs(self) -> Iterator[Job]:
        """What there is to do, in order."""
        plan = self._plan
        for peer in filter(PACKAGES.get, plan.peers):
            yield f"importing {peer}", partial(self._import, peer, *PACKAGES[peer])
        for device in self._devices:
            yield f"preparing {device.name}", partial(self._prepare, device)
            yield f"the limits of {device.name}", partial(self._limit, device)
        for size in plan.batch_sizes:
            for task in (TRAINING_STEP, INFERENCE):
                yield f"{task}, batches of {size}", partial(self._measure, task, size)
            for device in self._devices:
                what = f"layers on {device.name}, batches of {size}"
                yield what, partial(self._measure_layers, device, size)
        if plan.to_accuracy is not None:
            for name in self._trained:
                what = f"training to {plan.to_accuracy:.2%} on {name}"
                yield what, partial(self._train, name, plan.to_accuracy)
        if find_spec("resource"):  # which tells the memory, and is not there on Windows
            for size in plan.batch_sizes:
                for name in self._trained:
                    what = f"memory on {name}, batches of {size}"
                    yield what, partial(self._measure_memory, name, size)

    @cached_property
    def _devices(self) -> list[DeviceSubject]:
        names = self._plan.resolved_devices()
        return [DeviceSubject(name, self._plan, self._data) for name in names]

    @cached_property
    def _subjects(self) -> list[Subject]:
        peers = self._plan.peers
        made = [make_peer(name, self._plan, self._data, self._threads) for name in peers]
        subjects: list[Subject] = [*self._devices, *made]
        return subjects

    @property
    def _trained(self) -> list[str]:
        """The names of the subjects that can train."""
        peers = [peer for peer in self._plan.peers if peer in TRAINING_PEERS]
        return [*(device.name for device in self._devices), *peers]

    def _import(self, subject: str, *modules: str) -> None:
        seconds = import_seconds(*modules)
        self._preparations.append(Preparation(subject, "import", seconds))

    def _prepare(self, device: DeviceSubject) -> None:
        """The import; on a GPU the transfer of the images; where there are kernels, the first step.

        What was compiled before is taken from a cache: the first step tells how long that takes.
        """
        backend = get_backend(device.name, self._plan.threads)
        on_gpu = backend.xp is not np
        self._import(device.name, "gpucnn", *(["cupy"] if on_gpu else []))
        if on_gpu:
            with backend.session():
                seconds = clock_of(backend)(lambda: backend.asarray(self._data[0][0]))
            self._preparations.append(Preparation(device.name, "transfer", seconds))
        if device.name != "cpu":
            task = device.tasks[TRAINING_STEP](min(self._plan.batch_sizes))
            with task.session():
                seconds = host_seconds(task.call)
            self._preparations.append(Preparation(device.name, "compilation", seconds))

    def _limit(self, device: DeviceSubject) -> None:
        backend = get_backend(device.name, 1)
        self._limits.append(measure_limits(backend, self._plan.dtype))

    def _measure(self, task: str, batch_size: int) -> None:
        """All subjects that do a task, in turns."""
        subjects = [subject for subject in self._subjects if task in subject.tasks]
        samplers = [Sampler(each.tasks[task](batch_size), SHORTEST) for each in subjects]
        for subject, sampler in zip(subjects, samplers, strict=True):
            self._warm_up[subject.name] += sampler.warm_up
        seconds = take_turns(samplers, self._plan.rounds)
        self._measurements += [
            Measurement(subject.name, task, batch_size, mine)
            for subject, mine in zip(subjects, seconds, strict=True)
        ]

    def _measure_layers(self, device: DeviceSubject, batch_size: int) -> None:
        network, rounds = device.network(threads=1), self._plan.rounds
        self._layers += measure_layers(network, self._data, batch_size, rounds)

    def _train(self, name: str, target: float) -> None:
        subject = next(each for each in self._subjects if each.name == name)
        images = len(self._data[0][0])
        self._accuracies.append(
            train_to_accuracy(cast(TrainingSubject, subject), self._plan, target, images)
        )

    def _measure_memory(self, name: str, batch_size: int) -> None:
        plan = self._plan
        peak = peak_memory(name, plan.model, plan.dtype, batch_size, self._threads)
        self._memory.append(PeakMemory(name, batch_size, peak))

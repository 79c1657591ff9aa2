"""Run a benchmark: the plan as a list of measurements, whose results make the report."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from importlib.util import find_spec
from itertools import product
from typing import cast

import numpy as np

from gpucnn.applications.recipes import RECIPES
from gpucnn.backends import get_backend
from gpucnn.benchmark.accuracy import train_to_accuracy
from gpucnn.benchmark.contenders import (
    INFERENCE,
    TRAINING_STEP,
    Contender,
    DeviceContender,
    TrainingContender,
)
from gpucnn.benchmark.environment import describe_environment
from gpucnn.benchmark.kernels import measure_kernels
from gpucnn.benchmark.peers import TrainingPeer, make_peer, peer_class
from gpucnn.benchmark.plan import Plan
from gpucnn.benchmark.processes import import_seconds, modules_of, peak_memory, start_up
from gpucnn.benchmark.report import (
    KernelMeasurement,
    LayerMeasurement,
    Measurement,
    PeakMemory,
    Preparation,
    Report,
    Roofline,
    StartUp,
    TimeToAccuracy,
)
from gpucnn.benchmark.roofline import measure_layers, measure_roofline
from gpucnn.benchmark.scaling import Scaling
from gpucnn.benchmark.timing import SHORTEST, Sampler, clock_of, host_seconds, take_turns
from gpucnn.benchmark.workload import Data, Workload, load_data
from gpucnn.errors import InvalidValueError

START_UPS = 3  # rounds in which each contender starts once

Job = tuple[str, Callable[[], None]]  # what is measured, for the user, and the function doing it


def run_benchmark(plan: Plan, progress: Callable[[str, float], None]) -> Report:
    """Time the contenders of a plan.

    Args:
        plan: what to time.
        progress: called before each measurement with what is measured, and the share of the
            benchmark that is done, in [0, 1].

    Raises:
        InvalidValueError: a batch is larger than MNIST, or a peer does not compute what gpucnn
            computes.
        DeviceError: a device failed, or a process to be measured.
    """
    benchmark = _Benchmark(plan, load_data())
    jobs = list(benchmark.jobs())
    for number, (what, run) in enumerate(jobs):
        progress(what, number / len(jobs))
        run()
    progress("done", 1.0)
    return benchmark.report()


def _check_batches(plan: Plan, images: int) -> None:
    """Check that there are as many images as the largest batch has."""
    largest, ranks = max(plan.batch_sizes), max(plan.ranks, default=1)
    if largest * ranks > images:
        of_ranks = f", and {ranks} ranks train on {ranks} times as many" if plan.ranks else ""
        raise InvalidValueError(
            f"batch_size is {largest}{of_ranks}: MNIST has {images:,} images to train on, give at "
            f"most {images // ranks:,}"
        )


class _Benchmark:
    """The measurements of a plan, each of which adds to the report."""

    def __init__(self, plan: Plan, data: Data) -> None:
        _check_batches(plan, len(data[0][0]))
        self._plan, self._workload = plan, Workload(plan.model, plan.dtype, data)
        self._threads = get_backend("cpu", plan.threads).threads
        self._environment = describe_environment(plan, self._threads)
        self._preparations: list[Preparation] = []
        self._warm_up: defaultdict[str, float] = defaultdict(float)  # seconds
        self._rooflines: list[Roofline] = []
        self._measurements: list[Measurement] = []
        self._layers: list[LayerMeasurement] = []
        self._accuracies: list[TimeToAccuracy] = []
        self._memory: list[PeakMemory] = []
        self._kernels: list[KernelMeasurement] = []
        self._start_ups: defaultdict[str, list[float]] = defaultdict(list)  # seconds

    def report(self) -> Report:
        """The results of the jobs that have run."""
        warm_up = [Preparation(name, "warm-up", s) for name, s in self._warm_up.items()]
        return Report(
            self._environment,
            [*self._preparations, *warm_up],
            self._rooflines,
            self._measurements,
            self._layers,
            self._accuracies,
            self._memory,
            self._kernels,
            [each for scaling in self._scalings for each in scaling.steps()],
            [each for scaling in self._scalings for each in scaling.all_reduces()],
            [StartUp(name, self._batch_size, seconds) for name, seconds in self._start_ups.items()],
        )

    def jobs(self) -> Iterator[Job]:
        """All measurements, in order."""
        if not self._plan.only_speeds:
            yield from self._preparing()
        for size in self._plan.batch_sizes:
            for task in (TRAINING_STEP, INFERENCE):
                yield f"{task}, batches of {size}", partial(self._measure, task, size)
            if not self._plan.only_speeds:
                yield from self._in_parts(size)
        if not self._plan.only_speeds:
            yield from self._whole_trainings()

    def _preparing(self) -> Iterator[Job]:
        """What is paid once, and the limits of the devices."""
        for peer in self._plan.peers:
            if packages := peer_class(peer).packages:
                yield f"importing {peer}", partial(self._import, peer, *packages)
        for device in self._devices:
            yield f"preparing {device.name}", partial(self._prepare, device)
            yield f"the limits of {device.name}", partial(self._measure_roofline, device)

    def _in_parts(self, size: int) -> Iterator[Job]:
        """Layers and kernels by themselves."""
        for device in self._devices:
            what = f"layers on {device.name}, batches of {size}"
            yield what, partial(self._measure_layers, device, size)
        for device in self._recording:
            what = f"kernels on {device.name}, batches of {size}"
            yield what, partial(self._measure_kernels, device, size)

    def _whole_trainings(self) -> Iterator[Job]:
        """To an accuracy, on ranks, and in processes of their own."""
        plan = self._plan
        if plan.to_accuracy is not None:
            for name in self._trained:
                what = f"training to {plan.to_accuracy:.2%} on {name}"
                yield what, partial(self._train, name, plan.to_accuracy)
        for number in range(plan.rounds):
            for scaling in self._scalings:
                yield f"ranks on {scaling.device}, round {number + 1}", scaling.round
        for number in range(START_UPS):
            for name in self._trained:
                what = f"start-up of {name}, round {number + 1}"
                yield what, partial(self._measure_start_up, name)
        if find_spec("resource"):  # measures memory; Windows lacks it
            for name in self._trained:
                yield f"memory on {name}", partial(self._measure_memory, name)

    @cached_property
    def _devices(self) -> list[DeviceContender]:
        names = self._plan.resolved_devices()
        return [DeviceContender(name, self._workload, self._plan.threads) for name in names]

    @cached_property
    def _scalings(self) -> list[Scaling]:
        devices = self._devices if self._plan.ranks else []
        return [Scaling(self._plan, each.name) for each in devices]

    @cached_property
    def _recording(self) -> list[DeviceContender]:
        """The devices that record a step of kernels."""
        backends = {each: get_backend(each.name) for each in self._devices}
        return [each for each, its in backends.items() if its.can_record and not its.is_host]

    @cached_property
    def _gpus(self) -> list[str]:
        return [each.name for each in self._devices if get_backend(each.name).xp is not np]

    @cached_property
    def _peers_on_cpu(self) -> list[str]:
        """The peers, but for those that can run on a GPU where only GPUs are timed."""
        are_all_gpus = len(self._gpus) == len(self._devices)
        return [
            peer for peer in self._plan.peers if not (are_all_gpus and peer_class(peer).runs_on_gpu)
        ]

    @cached_property
    def _contenders(self) -> list[Contender]:
        plan, workload = self._plan, self._workload
        contenders: list[Contender] = []
        for device in self._devices:
            contenders.append(device)
            if device in self._recording:
                contenders.append(
                    DeviceContender(device.name, workload, plan.threads, run_eagerly=True)
                )
        contenders += [make_peer(name, workload, self._threads) for name in self._peers_on_cpu]
        for peer, gpu in product(plan.peers, self._gpus):
            contenders += peer_class(peer).on_gpu(gpu, workload)
        return contenders

    @property
    def _trained(self) -> list[str]:
        """The names of the contenders that can be trained to an accuracy."""
        peers = [peer for peer in self._peers_on_cpu if issubclass(peer_class(peer), TrainingPeer)]
        return [*(device.name for device in self._devices), *peers]

    def _import(self, contender: str, *modules: str) -> None:
        seconds = import_seconds(*modules)
        self._preparations.append(Preparation(contender, "import", seconds))

    def _prepare(self, device: DeviceContender) -> None:
        """Time the import, the transfer of the images to a GPU, and the first step with kernels.

        Kernels compiled earlier are loaded from a cache, which the first step then times.
        """
        backend = get_backend(device.name, self._plan.threads)
        on_gpu = backend.xp is not np
        self._import(device.name, *modules_of(device.name))
        if on_gpu:
            images = self._workload.data[0][0]
            with backend.session():
                seconds = clock_of(backend)(lambda: backend.asarray(images))
            self._preparations.append(Preparation(device.name, "transfer", seconds))
        if device.name != "cpu":
            task = device.tasks[TRAINING_STEP](min(self._plan.batch_sizes))
            with task.session():
                seconds = host_seconds(task.call)
            self._preparations.append(Preparation(device.name, "compilation", seconds))

    def _measure_roofline(self, device: DeviceContender) -> None:
        backend = get_backend(device.name, 1)
        self._rooflines.append(measure_roofline(backend, self._plan.dtype))

    def _measure(self, task: str, batch_size: int) -> None:
        """Time all contenders that do a task, in turns."""
        contenders = [each for each in self._contenders if task in each.tasks]
        samplers = [Sampler(each.tasks[task](batch_size), SHORTEST) for each in contenders]
        for contender, sampler in zip(contenders, samplers, strict=True):
            self._warm_up[contender.name] += sampler.warm_up
        seconds = take_turns(samplers, self._plan.rounds)
        self._measurements += [
            Measurement(contender.name, task, batch_size, mine)
            for contender, mine in zip(contenders, seconds, strict=True)
        ]

    def _measure_layers(self, device: DeviceContender, batch_size: int) -> None:
        network, rounds = device.network(threads=1), self._plan.rounds
        self._layers += measure_layers(network, self._workload.data, batch_size, rounds)

    def _measure_kernels(self, device: DeviceContender, batch_size: int) -> None:
        self._kernels += measure_kernels(device.name, self._workload, batch_size, self._plan.rounds)

    def _train(self, name: str, target: float) -> None:
        contender = next(each for each in self._contenders if each.name == name)
        self._accuracies.append(
            train_to_accuracy(cast(TrainingContender, contender), self._workload, target)
        )

    @property
    def _batch_size(self) -> int:
        """The images of a step of the preset's own training, by which scripts are measured."""
        return RECIPES[self._plan.model].batch_size

    def _measure_start_up(self, name: str) -> None:
        plan = self._plan
        seconds = start_up(name, plan.model, plan.dtype, self._batch_size, self._threads)
        self._start_ups[name].append(seconds)

    def _measure_memory(self, name: str) -> None:
        plan = self._plan
        peak = peak_memory(name, plan.model, plan.dtype, self._batch_size, self._threads)
        self._memory.append(PeakMemory(name, self._batch_size, peak))

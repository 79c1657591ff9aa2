"""The kernels of a training step: the launches that it makes, and the time of each.

On a GPU an event takes longer than most of these kernels, and a launch by the host too. So each
launch is recorded `REPEATS` times in a row, and the replay is timed as one, with work before it
that keeps the GPU busy until the host has started it.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from gpucnn.backends import get_backend
from gpucnn.backends.backend import CudaBackend
from gpucnn.backends.cuda.kernel import Form, Kernel
from gpucnn.backends.cuda.runtime import Function, Module, Runtime
from gpucnn.backends.memory import Recording
from gpucnn.benchmark.report import KernelMeasurement
from gpucnn.benchmark.roofline import bytes_moved, operations
from gpucnn.benchmark.timing import clock_of, repeat
from gpucnn.benchmark.workload import LEARNING_RATE, Workload, full_batches, make_network
from gpucnn.datasets.device_dataset import DeviceDataset
from gpucnn.layers.fused import FusedConv2D, FusedDense
from gpucnn.models.graph import copied
from gpucnn.models.replica import Replica
from gpucnn.models.training import STEPS_AT_ONCE, Trainer
from gpucnn.optimizers import SGD, Optimizer

REPEATS = 20  # of a launch in a recording
DIRECTIONS = ("forward", "backward")
WHOLE = "all layers"
"""The part of launches of a single operation that computes all layers."""


class Launch(NamedTuple):
    """A launch of a kernel.

    Attributes:
        part: the layer and direction, such as "conv2d forward"; the last layer and the loss, such
            as "dense and loss", where they are one operation; `WHOLE`; or "" for what is outside of
            the layers.
        kernel: its name in the source.
        grid: blocks along each axis.
        block: threads along each axis.
        run: launches it again.
        definition: what is launched.
        arguments: those of the operation or of the kernel, by name.
        depth: the launches of the longest chain that ends with it, each after the one before: those
            of a branch of the recorded step come after what was launched before it.
    """

    part: str
    kernel: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    run: Callable[[], None]
    definition: Kernel
    arguments: dict[str, Any]
    depth: int


class _Chains:
    """The lengths of the chains of launches, of which those of a branch run beside the others."""

    def __init__(self) -> None:
        self._main = self._branch = 0
        self._is_branch = False

    def launch(self) -> int:
        """Lengthen the current chain by a launch; returns its length."""
        if self._is_branch:
            self._branch += 1
            return self._branch
        self._main += 1
        return self._main

    @contextmanager
    def branch(self) -> Iterator[None]:
        """Launches in this context come after those before, and after those of earlier branches."""
        self._branch = max(self._main, self._branch)
        self._is_branch = True
        try:
            yield
        finally:
            self._is_branch = False

    def join(self) -> None:
        """Launches after it come after those of all branches."""
        self._main = max(self._main, self._branch)


class _Listener:
    """A `Runtime` that notes the launches made on another while it listens."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._launches: list[Launch] | None = None
        self._part = ""
        self._call: tuple[Kernel, dict[str, Any]]
        self._chains = _Chains()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)

    def load(self, source: str, options: tuple[str, ...]) -> "_HeardModule":
        return _HeardModule(self, self._runtime.load(source, options))

    def hear(self, kernel: str, function: Function, *launch: Any) -> None:
        """Note a launch, if it listens."""
        if self._launches is not None:
            grid, block, _ = launch
            run = partial(function, *launch)
            depth = self._chains.launch()
            self._launches.append(Launch(self._part, kernel, grid, block, run, *self._call, depth))

    def called(self, kernel: Kernel, arguments: dict[str, Any]) -> None:
        """Note of which call the next launch is."""
        self._call = kernel, arguments

    @contextmanager
    def branch(self) -> Iterator[None]:
        """See `Runtime`."""
        with self._chains.branch(), self._runtime.branch():
            yield

    def join(self) -> None:
        """See `Runtime`."""
        self._chains.join()
        self._runtime.join()

    @contextmanager
    def listening(self) -> Iterator[list[Launch]]:
        """Collect the launches in this context."""
        launches: list[Launch] = []
        self._launches, self._chains = launches, _Chains()
        try:
            yield launches
        finally:
            self._launches = None

    def within(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """`call`, whose launches are noted as those of `part` if they are of none yet."""

        def named(*arguments: Any, **by_name: Any) -> Any:
            before = self._part
            self._part = before or part
            try:
                return call(*arguments, **by_name)
            finally:
                self._part = before

        return named


class _HeardModule:
    """A `Module` whose functions tell a listener of their launches."""

    def __init__(self, listener: _Listener, module: Module) -> None:
        self._listener, self._module = listener, module

    def get_function(self, name: str) -> Function:
        function = self._module.get_function(name)

        def launch(grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...]) -> None:
            self._listener.hear(name, function, grid, block, args)
            function(grid, block, args)

        return launch


class _HeardBackend(CudaBackend):
    """A backend that tells a listener of its calls of kernels."""

    def __init__(self, listener: Any) -> None:
        super().__init__(listener)
        self._listener = listener

    def launch(self, form: Form, values: tuple[Any, ...]) -> None:
        """See `CudaMemory`."""
        self._listener.called(form.kernel, dict(zip(form.names, values, strict=True)))
        super().launch(form, values)


class TrainingStep:
    """A training step whose launches can be listened to and timed.

    Args:
        device: a GPU, or the simulator, by name; or a runtime.
        workload: what it computes.
        batch_size: images in a batch.
        optimizer: of the step; by default the one that other contenders are timed with.
    """

    def __init__(
        self,
        device: str | Runtime,
        workload: Workload,
        batch_size: int,
        optimizer: Optimizer | None = None,
    ) -> None:
        self._listener: Any = _Listener(_runtime(device))
        network = make_network(workload.model, workload.dtype, "cpu", 1)
        self.backend = _HeardBackend(self._listener)
        stretches = copied(network.replica.stretches)
        replica = Replica(stretches, self.backend, network.input_shape, network.dtype)
        for name, vector in network.replica.vectors.items():
            self.backend.copy(vector, replica.vectors[name])
        optimizer = optimizer or SGD(LEARNING_RATE)
        optimizer.place(self.backend, replica.parameters, replica.layout)
        images, labels = workload.data[0]
        data = DeviceDataset(self.backend, network.dtype, images, labels)
        self._trainer = Trainer(replica, optimizer, data, batch_size)
        self._order = np.concatenate(full_batches(len(images), batch_size))
        self._batch_size = batch_size
        self._before = STEPS_AT_ONCE if self.backend.xp is not np else 1
        self._trainer.begin(self._order)

    @property
    def repeats(self) -> int:
        """How often a launch may be repeated after `rewind`: it may move on to the next batch."""
        return min(REPEATS, self._trainer.batches - self._before)

    def rewind(self) -> None:
        """Begin an epoch, and take its first steps, for which a GPU takes a while."""
        self._trainer.begin(self._order)
        self._trainer.run(range(self._before))

    def launches(self) -> list[Launch]:
        """The launches of a step, in order."""
        self.rewind()  # what is allocated once, is now
        self._trainer.run_eagerly = True
        with ExitStack() as parts:
            for owner, method, part in self._parts():
                parts.enter_context(self._named(owner, method, part))
            launches: list[Launch] = parts.enter_context(self._listener.listening())
            self._trainer.step(self._before)
        self._trainer.run_eagerly = False
        return launches

    def _parts(self) -> Iterator[tuple[object, str, str]]:
        """The methods that launch kernels, each with its object and its part."""
        for layer in self._trainer.replica.layers:
            for direction in DIRECTIONS:
                yield layer, direction, f"{layer.name} {direction}"
            if isinstance(layer, FusedConv2D):
                yield layer, "forward_gathered", f"{layer.name} forward"
            if isinstance(layer, FusedDense):
                yield layer, "backward_from_scores", f"{layer.name} backward"
        yield self.backend, "conv_classifier_gradients", WHOLE
        for operation in ("dense_softmax_cross_entropy", "dense_gradients"):  # of a `FusedHead`
            yield self.backend, operation, self._head

    @property
    def _head(self) -> str:
        """The part of the last layer and the loss."""
        return f"{self._trainer.replica.layers[-1].name} and loss"

    @contextmanager
    def _named(self, owner: object, method: str, part: str) -> Iterator[None]:
        """Note launches within a method of an object as those of a part."""
        setattr(owner, method, self._listener.within(part, getattr(owner, method)))
        try:
            yield
        finally:
            delattr(owner, method)

    def costs(self) -> dict[str, tuple[int, int]]:
        """The least operations and bytes of each part, see `roofline`; none outside of layers."""
        each = {
            f"{layer.name} {direction}": (
                operations(layer, direction, self._batch_size),
                bytes_moved(layer, direction, self._batch_size),
            )
            for layer in self._trainer.replica.layers
            for direction in DIRECTIONS
        }
        costs = list(each.values())
        return each | {WHOLE: _total(costs), self._head: _total(costs[-2:]), "": (0, 0)}


def _total(costs: list[tuple[int, int]]) -> tuple[int, int]:
    """The operations and the bytes of several parts."""
    counted, moved = zip(*costs, strict=True)
    return sum(counted), sum(moved)


def _runtime(device: str | Runtime) -> Runtime:
    if not isinstance(device, str):
        return device
    backend = get_backend(device)
    assert isinstance(backend, CudaBackend)
    return backend.runtime


def measure_kernels(
    device: str, workload: Workload, batch_size: int, rounds: int
) -> list[KernelMeasurement]:
    """Time each launch of a training step by itself, all in turns.

    Each time is that of a kernel that depends on the one before, as most of a step do, and
    contains its part of what starting a graph takes. A recorded step may take less than their sum:
    its branches run side by side.

    Args:
        device: a GPU, or the simulator, by name.
        workload: what is computed.
        batch_size: images in a batch.
        rounds: how many times each measurement is repeated.
    """
    step = TrainingStep(device, workload, batch_size)
    with step.backend.session():
        launches = step.launches()
        recordings = [
            step.backend.record(partial(repeat, each.run, step.repeats)) for each in launches
        ]
        seconds: list[list[float]] = [[] for _ in launches]
        for _ in range(rounds):
            for recording, mine in zip(recordings, seconds, strict=True):
                mine.append(_seconds(step, recording))
    costs = step.costs()
    return [
        KernelMeasurement(
            contender=device,
            part=launch.part,
            kernel=launch.kernel,
            batch_size=batch_size,
            grid=" x ".join(map(str, launch.grid)),
            threads=int(np.prod(launch.block)),
            seconds=mine,
            operations=costs[launch.part][0],
            bytes=costs[launch.part][1],
        )
        for launch, mine in zip(launches, seconds, strict=True)
    ]


def _seconds(step: TrainingStep, recording: Recording) -> float:
    step.rewind()
    return clock_of(step.backend)(recording.replay) / step.repeats

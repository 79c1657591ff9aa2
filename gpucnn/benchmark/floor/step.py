"""The floor of a training step: how fast a device could be at most, by a simple model.

A launch takes at least as long as its bytes take by the device's bandwidth, and its operations by
its peak arithmetic rate; and a kernel that waits for another begins a while after it.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gpucnn.backends.cuda.simulator_runtime import SimulatorRuntime
from gpucnn.benchmark.floor.costs import work_of
from gpucnn.benchmark.kernels import TrainingStep
from gpucnn.benchmark.workload import Workload
from gpucnn.models.presets import MNIST_CLASSES, MNIST_SHAPE
from gpucnn.optimizers import Optimizer


class Device(NamedTuple):
    """What a device can do at most.

    Attributes:
        bandwidth: of its memory, in bytes a second.
        flops: operations on float32 a second, without tensor cores.
        latency: seconds from the start of a kernel to that of one that waits for it, at least.
    """

    bandwidth: float
    flops: float
    latency: float


H100 = Device(bandwidth=3.35e12, flops=67e12, latency=2e-6)
"""NVIDIA's H100 SXM, by its data sheet; the latency is a round number."""


class NothingRuntime(SimulatorRuntime):
    """A runtime that runs no kernel, and compiles none."""

    def load(self, source: str, options: tuple[str, ...]) -> Any:
        """A module of functions that do nothing."""
        return self

    def get_function(self, name: str) -> Any:
        """A function that does nothing."""
        return lambda grid, block, args: None


class LaunchFloor(NamedTuple):
    """The least that a launch of a step does.

    Attributes:
        kernel: its name in the source.
        bytes: moved, see `work_of`.
        operations: likewise.
        seconds: that they take.
    """

    kernel: str
    bytes: int
    operations: int
    seconds: float


@dataclass(frozen=True)
class StepFloor:
    """The floor of a training step.

    Attributes:
        launches: in their order.
        chain: the launches of the longest chain of which each waits for the one before.
        seconds: what the launches take, one after another, and the latency of those of the chain.
    """

    launches: tuple[LaunchFloor, ...]
    chain: int
    seconds: float


def step_floor(
    model: str, batch_size: int, device: Device = H100, optimizer: Optimizer | None = None
) -> StepFloor:
    """The floor of a training step in float32.

    Args:
        model: the name of a preset; its dropout layers are left out.
        batch_size: images in a batch.
        device: on which it runs.
        optimizer: see `TrainingStep`.
    """
    images = np.zeros((2 * batch_size, *MNIST_SHAPE), np.uint8)
    labels = np.arange(len(images)) % MNIST_CLASSES
    workload = Workload(model, "float32", ((images, labels), (images, labels)))
    launches = TrainingStep(NothingRuntime(), workload, batch_size, optimizer).launches()
    floors = []
    for each in launches:
        work = work_of(each.definition, each.arguments)
        seconds = max(work.bytes / device.bandwidth, work.operations / device.flops)
        floors.append(LaunchFloor(each.kernel, work.bytes, work.operations, seconds))
    chain = max(each.depth for each in launches)
    total = sum(each.seconds for each in floors) + chain * device.latency
    return StepFloor(tuple(floors), chain, total)

"""PyTorch's training step on a GPU: eager, compiled, and captured in a CUDA graph.

All three gather a batch of images that lie on the GPU, and do a step of SGD. The compiled one has
`torch.compile(mode="reduce-overhead")` for the forward and the backward pass, which replays them as
CUDA graphs, and an eager update. The captured one is a single graph of the whole step, always on
the same batch. Settings are PyTorch's own, which let convolutions round to TF32.
"""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from itertools import cycle
from typing import Any

from gpucnn.benchmark.contenders import TRAINING_STEP, Tasks
from gpucnn.benchmark.timing import Task
from gpucnn.benchmark.workload import LEARNING_RATE, full_batches

WARM_UP = 5  # steps before a capture, in which PyTorch chooses algorithms and allocates

Step = Callable[[], object]


class TorchOnGpu:
    """A way of PyTorch to take a training step on a GPU, as a `Contender`.

    Args:
        device: of gpucnn, such as "cuda:1".
        way: one of `WAYS`.
        module: on the CPU; it is copied.
        images: real (n, channels, rows, columns), on the CPU.
        labels: int64 (n,), on the CPU.

    Attributes:
        name: such as "torch on cuda, eager".
        tasks: see `Contender`.
    """

    def __init__(self, device: str, way: str, module: Any, images: Any, labels: Any) -> None:
        self.name = f"torch on {device}, {way}"
        self.tasks: Tasks = {TRAINING_STEP: self._training_step}
        self._device, self._make = device, WAYS[way]
        self._module, self._images, self._labels = module, images, labels

    def _training_step(self, batch_size: int) -> Task:
        import torch

        with torch.cuda.device(self._device):
            step = self._make(_Training(self._module, self._images, self._labels, batch_size))
        return Task(step, lambda: torch.cuda.device(self._device), device_seconds)


class _Training:
    """A copy of a module on the current GPU, with the images.

    These are buffers of the module, whose addresses what is compiled relies on: other arrays it
    would copy in each step.
    """

    def __init__(self, module: Any, images: Any, labels: Any, batch_size: int) -> None:
        import torch

        self.module = deepcopy(module)
        self.module.register_buffer("images", images)
        self.module.register_buffer("labels", labels)
        self.module.cuda()
        self.optimizer = torch.optim.SGD(self.module.parameters(), LEARNING_RATE)
        batches = full_batches(len(labels), batch_size)
        self.batches = [torch.from_numpy(each).cuda() for each in batches]

    def loss(self, indices: Any) -> Any:
        """The mean loss over the images `indices`, int64 (n,)."""
        from torch.nn.functional import cross_entropy

        module = self.module
        return cross_entropy(module(module.images[indices]), module.labels[indices])

    def step(self, indices: Any, loss: Callable[[Any], Any]) -> None:
        """Do a training step on the images `indices` with `loss`, which is `self.loss` or equal."""
        self.optimizer.zero_grad()
        loss(indices).backward()
        self.optimizer.step()


def eager(training: _Training) -> Step:
    """The operations one by one."""
    batches = cycle(training.batches)
    return lambda: training.step(next(batches), training.loss)


def compiled(training: _Training) -> Step:
    """The forward and the backward pass compiled, and replayed as CUDA graphs."""
    import torch

    torch._dynamo.reset()  # what is compiled for other sizes would make these dynamic
    loss = torch.compile(training.loss, mode="reduce-overhead", dynamic=False)
    batches = cycle(training.batches)

    def step() -> None:
        torch.compiler.cudagraph_mark_step_begin()
        training.step(next(batches), loss)

    return step


def captured(training: _Training) -> Step:
    """The whole step as one CUDA graph."""
    import torch

    def step() -> None:
        training.step(training.batches[0], training.loss)

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return partial(_replay, graph, training)


def _replay(graph: Any, training: _Training) -> None:
    """Replay a graph, which points at the arrays of `training`."""
    graph.replay()


WAYS: dict[str, Callable[[_Training], Step]] = {
    "eager": eager,
    "compiled": compiled,
    "graph": captured,
}
"""Makes the step, by the name of the way."""


def device_seconds(work: Callable[[], object]) -> float:
    """The seconds that `work` takes on the current GPU, between two events of PyTorch."""
    import torch

    before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    before.record()
    work()
    after.record()
    after.synchronize()
    return float(before.elapsed_time(after)) / 1000

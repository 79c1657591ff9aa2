"""Times a training step on a GPU, by its events: gpucnn's and PyTorch's, each eager and replayed.

For machines with a GPU, CuPy and PyTorch, by hand: `python tests/on_gpu_timing.py`. All do the same
step on the same images: batch by index, forward, loss, backward, SGD. They take turns, and a ratio
is the median over the rounds.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, product
from statistics import median
from typing import Any

import numpy as np

from gpucnn.backends import get_backend
from gpucnn.benchmark.peers.torch import to_tensor, torch_module
from gpucnn.benchmark.timing import Sampler, Task, clock_of, take_turns
from gpucnn.benchmark.workload import (
    LEARNING_RATE,
    full_batches,
    load_data,
    make_network,
    normalise,
)
from gpucnn.datasets.device_dataset import DeviceDataset
from gpucnn.models.training import Trainer
from gpucnn.optimizers import SGD

MODELS = ("notebook", "lenet")
BATCH_SIZES = (64, 1024)
ROUNDS = 5
SHORTEST = 0.05  # seconds of a sample


def gpucnn_steps(model: str, batch_size: int) -> dict[str, Callable[[], object]]:
    """A step launched kernel by kernel, and one recorded in a graph and replayed."""

    def stepper(run_eagerly: bool) -> Callable[[], None]:
        network = make_network(model, "float32", "cuda", None)
        network.compile(SGD(LEARNING_RATE))
        images, labels = load_data()[0]
        data = DeviceDataset(network.backend, network.dtype, images, labels)
        trainer = Trainer(network.replica, network.optimizer, data, batch_size)
        trainer.run_eagerly = run_eagerly
        trainer.begin(np.concatenate(full_batches(len(images), batch_size)))
        numbers = cycle(range(trainer.batches))
        return lambda: trainer.run([next(numbers)])

    return {"gpucnn": stepper(True), "gpucnn, graph": stepper(False)}


def torch_steps(model: str, batch_size: int) -> dict[str, Callable[[], object]]:
    """A step in eager mode, and one captured in a graph and replayed."""
    import torch
    from torch.nn.functional import cross_entropy

    network = make_network(model, "float32", "cpu", 1)
    images, labels = load_data()[0]
    x = to_tensor(normalise(images, network.dtype)).cuda()
    y = torch.from_numpy(labels).cuda()
    indices = torch.from_numpy(full_batches(len(images), batch_size)[0]).cuda()

    def stepper() -> Callable[[], None]:
        module = torch_module(network).cuda()
        optimizer = torch.optim.SGD(module.parameters(), LEARNING_RATE)

        def step() -> None:
            optimizer.zero_grad(set_to_none=True)
            cross_entropy(module(x[indices]), y[indices]).backward()
            optimizer.step()

        return step

    captured, side = stepper(), torch.cuda.Stream()
    with torch.cuda.stream(side):
        for _ in range(5):
            captured()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured()
    return {"torch": stepper(), "torch, graph": graph.replay}


def measure(model: str, batch_size: int) -> dict[str, Any]:
    """The microseconds of a step of each, the median of the rounds."""
    steps = gpucnn_steps(model, batch_size) | torch_steps(model, batch_size)
    clock = clock_of(get_backend("cuda"))
    samplers = [Sampler(Task(step, clock=clock), SHORTEST) for step in steps.values()]
    seconds = dict(zip(steps, take_turns(samplers, ROUNDS), strict=True))
    ratios = {
        name: median(np.divide(seconds[f"torch{name}"], seconds[f"gpucnn{name}"]))
        for name in ("", ", graph")
    }
    return {
        "model": model,
        "batch size": batch_size,
        "microseconds": {name: round(median(each) * 1e6, 1) for name, each in seconds.items()},
        "eager, torch over gpucnn": round(ratios[""], 2),
        "graph, torch over gpucnn": round(ratios[", graph"], 2),
    }


@contextmanager
def told(what: str) -> Iterator[None]:
    """Print an error, and go on: the others are still to be measured."""
    try:
        yield
    except Exception as error:
        print(f"{what}: {type(error).__name__}: {error}", file=sys.stderr)


def main() -> None:
    for model, batch_size in product(MODELS, BATCH_SIZES):
        with told(f"{model}, batches of {batch_size}"):
            print(json.dumps(measure(model, batch_size)), flush=True)
    import cupy
    import torch

    torch_version = f"PyTorch {torch.__version__}, NumPy {np.__version__}, CuPy {cupy.__version__}"
    print(f"{get_backend('cuda').description}; {torch_version}")


if __name__ == "__main__":
    main()

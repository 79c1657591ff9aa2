"""Times a training step on a GPU: gpucnn's, PyTorch's, and each of gpucnn's launches.

For machines with a GPU, CuPy and perhaps PyTorch; `python tests/on_gpu_timing.py lenet 64` by hand.
All do the same step on the same images: batch by index, forward, loss, backward, SGD. They take
turns, and a ratio is the median over the rounds. What fails is told and left out.
"""

import argparse
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from gpucnn.backends import get_backend
from gpucnn.benchmark.contenders import TRAINING_STEP, Contender, DeviceContender
from gpucnn.benchmark.kernels import measure_kernels
from gpucnn.benchmark.peers import peer_class
from gpucnn.benchmark.timing import Sampler, paired_ratio, quartiles, take_turns
from gpucnn.benchmark.workload import Workload, load_data
from gpucnn.commands.tables.bench import print_kernels
from gpucnn.models import MODELS
from gpucnn.utils.storage.files import write_bytes

ROUNDS = 7
SHORTEST = 0.05  # seconds of a sample
LONGEST_START = 60  # seconds until a contender has taken its first steps; compiling takes most
FEW = 64  # batches, and 1 round, of what is slow

Result = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("batch_size", type=int)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json", type=Path, help="write the results to this file, as they come")
    parser.add_argument("--compile", action="store_true", help="only compile, and fail if it fails")
    parser.add_argument("--without", default=[], nargs="*", help="names to leave out")
    given = parser.parse_args()
    is_slow = given.device == "simulator"
    workload = Workload(given.model, "float32", load_data())
    if is_slow:
        count = FEW * given.batch_size
        (images, labels), test = workload.data
        workload = Workload(given.model, "float32", ((images[:count], labels[:count]), test))
    if given.compile:
        compile_only(workload, given.device, given.batch_size)
        return
    result: Result = {
        "model": given.model,
        "batch_size": given.batch_size,
        "device": get_backend(given.device).description,
        "rounds": 1 if is_slow else ROUNDS,
        "steps": {},
        "ratios": {},
        "launches": [],
        "errors": {},
    }
    for measure in (measure_steps, measure_launches):
        with told(measure.__name__, result):
            measure(workload, given.device, given.without, result)
        if given.json:
            write_bytes(given.json, json.dumps(result, indent=1).encode())
    show(result)
    sys.exit(bool(result["errors"]))


# Measuring


def measure_steps(workload: Workload, device: str, without: list[str], result: Result) -> None:
    """Add the microseconds of a step of each contender, and the ratios of PyTorch to gpucnn."""
    size, shortest = result["batch_size"], SHORTEST if result["rounds"] > 1 else 0
    samplers = {}
    for contender in contenders(workload, device, result):
        if contender.name in without:
            continue
        with told(contender.name, result), time_limit(LONGEST_START):
            samplers[contender.name] = Sampler(contender.tasks[TRAINING_STEP](size), shortest)
    seconds = take_turns(list(samplers.values()), result["rounds"])
    rounds = dict(zip(samplers, seconds, strict=True))
    for name, mine in rounds.items():
        low, middle, high = quartiles(mine)
        result["steps"][name] = {
            "microseconds": round(middle * 1e6, 2),
            "quartiles": [round(low * 1e6, 2), round(high * 1e6, 2)],
            "images_per_second": round(size / middle),
        }
    for theirs, ours in (("eager", f"{device}, eager"), ("graph", device), ("compiled", device)):
        name = f"torch on {device}, {theirs}"
        if name in rounds and ours in rounds:
            ratio = paired_ratio(rounds[name], rounds[ours]).median
            result["ratios"][f"{name} / {ours}"] = round(ratio, 3)


def contenders(workload: Workload, device: str, result: Result) -> list[Contender]:
    """Gpucnn's graph and eager step, and PyTorch's on a GPU if it is installed."""
    found: list[Contender] = [
        DeviceContender(device, workload, None),
        DeviceContender(device, workload, None, run_eagerly=True),
    ]
    if device != "simulator":
        with told("torch", result):
            found += torch_on(device, workload)
    return found


def torch_on(device: str, workload: Workload) -> list[Contender]:
    peer_class("torch").check_support(workload.model, workload.dtype)
    return peer_class("torch").on_gpu(device, workload)


def measure_launches(workload: Workload, device: str, without: list[str], result: Result) -> None:
    """Add the launches of a step, and the time of each."""
    found = measure_kernels(device, workload, result["batch_size"], result["rounds"])
    result["launches"] = [
        asdict(each) | {"microseconds": round(median(each.seconds) * 1e6, 3)} for each in found
    ]
    print_kernels(found)


def compile_only(workload: Workload, device: str, batch_size: int) -> None:
    """Take one step of PyTorch's compiled contender, which leaves what it compiled in a cache."""
    started = perf_counter()
    (compiled,) = (each for each in torch_on(device, workload) if "compiled" in each.name)
    task = compiled.tasks[TRAINING_STEP](batch_size)
    with task.session():
        for _ in range(3):  # the first ones compile, warm up and capture
            task.call()
    print(f"{perf_counter() - started:.1f} s")


# What fails or takes too long


@contextmanager
def told(what: str, result: Result) -> Iterator[None]:
    """Note an error, and go on: the others are still to be measured."""
    try:
        yield
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        result["errors"][what] = text[:2000]
        print(f"{what}: {text}", file=sys.stderr)


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raise a TimeoutError in what takes longer."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"it took longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def show(result: Result) -> None:
    """Print what was measured of whole steps."""
    print(f"\n{result['model']}, batches of {result['batch_size']:,}; {result['device']}")
    for name, step in result["steps"].items():
        low, high = step["quartiles"]
        print(
            f"{step['microseconds']:>12,.1f} us ({low:,.1f} to {high:,.1f}) "
            f"{step['images_per_second']:>12,} images/s  {name}"
        )
    for name, ratio in result["ratios"].items():
        print(f"{ratio:>12.2f} {name}")
    for name, error in result["errors"].items():
        print(f"failed: {name}: {error}")


if __name__ == "__main__":
    main()

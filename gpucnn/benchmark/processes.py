"""Measurements in a process of its own: an import, the start-up and the peak memory of training."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import time
from typing import Any

from gpucnn.backends.ranks.launcher import ALONE, OWNER, VARIABLES
from gpucnn.benchmark.peers import TrainingPeer, peer_class, peer_names
from gpucnn.benchmark.timing import host_seconds
from gpucnn.benchmark.workload import TEST_BATCH, Labelled, load_data, make_network
from gpucnn.errors import DeviceError

REPEATS = 3  # of an import, of which the median counts
STEPS = 300  # of the training whose memory is measured
TRAIN = "from gpucnn.benchmark.processes import main; main()"  # the code of that process
FIRST_STEP = (  # the code of the process whose start-up is measured, after its imports
    "import time; imported = time.time(); "
    "from gpucnn.benchmark.processes import first_step; first_step(imported)"
)


def import_seconds(*modules: str) -> float:
    """The seconds that importing modules adds to starting Python.

    Raises:
        DeviceError: the modules cannot be imported.
    """
    bare, full = _run_seconds("pass"), _run_seconds(f"import {', '.join(modules)}")
    return max(full - bare, 0.0)


def modules_of(contender: str) -> tuple[str, ...]:
    """The modules that a script imports to train a contender: a device of gpucnn, or a peer."""
    if contender in peer_names():
        return peer_class(contender).packages
    return ("gpucnn.models", *(["cupy"] if contender.startswith("cuda") else []))


def peak_memory(contender: str, model: str, dtype: str, batch_size: int, threads: int) -> int:
    """The largest resident set, in bytes, of a new process that trains and classifies.

    It trains for `STEPS` steps, or one epoch if that is less.

    Args:
        contender: a device of gpucnn, or a peer, by name.
        model: the name of a preset.
        dtype: "float32" or "float64".
        batch_size: images in a step.
        threads: of the CPU.

    Raises:
        DeviceError: the process failed.
    """
    arguments = _named(contender, model, dtype, batch_size, threads)
    return int(run_python("-c", TRAIN, json.dumps(arguments)))


def start_up(contender: str, model: str, dtype: str, batch_size: int, threads: int) -> float:
    """The seconds from the start of a new process to the end of its first training step.

    They are Python's own, and those of the import, of making the model, and of the step with what
    is compiled for it; not those of loading the images. Arguments and errors are those of
    `peak_memory`.
    """
    code = f"import {', '.join(modules_of(contender))}; {FIRST_STEP}"
    arguments = _named(contender, model, dtype, batch_size, threads)
    return float(run_python("-c", code, json.dumps(arguments | {"started": time()})))


def _named(contender: str, model: str, dtype: str, batch_size: int, threads: int) -> dict[str, Any]:
    return {
        "contender": contender,
        "model": model,
        "dtype": dtype,
        "batch_size": batch_size,
        "threads": threads,
    }


def _run_seconds(code: str) -> float:
    return median(host_seconds(lambda: run_python("-c", code)) for _ in range(REPEATS))


def run_python(*arguments: str, launcher: Sequence[str] = ()) -> str:
    """Run a new Python, which imports from where this one does, and return what it prints.

    Its working directory is empty, so that no files there are imported. What a launcher has told
    this process, and a user about it, is kept from the new one.

    Args:
        arguments: of Python.
        launcher: a command that starts Python several times; Python is started once if empty.

    Raises:
        DeviceError: it failed.
    """
    path = os.pathsep.join(map(os.path.abspath, sys.path))
    own = {OWNER, ALONE, *chain(*VARIABLES)}
    environment = {name: value for name, value in os.environ.items() if name not in own}
    with TemporaryDirectory() as folder:
        done = subprocess.run(
            [*launcher, sys.executable, *arguments],
            cwd=folder,
            env=environment | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
        )
    if done.returncode:
        reason = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        raise DeviceError(f"a process that was to be measured failed: {reason[-1]}")
    return done.stdout


# In the new process


def main() -> None:
    """Train as the command's argument says, JSON, and print the peak memory in bytes."""
    script(**json.loads(sys.argv[1]), steps=STEPS, evaluates=True)()
    print(peak_bytes())


def first_step(imported: float) -> None:
    """Train for a step, and print the seconds since the process was started, but for the data's.

    Args:
        imported: the time at which all was imported that the contender needs.
    """
    arguments = json.loads(sys.argv[1])
    started = arguments.pop("started")
    print(imported - started + host_seconds(script(**arguments, steps=1, evaluates=False)))


def script(
    contender: str,
    model: str,
    dtype: str,
    batch_size: int,
    threads: int,
    steps: int,
    evaluates: bool,
) -> Callable[[], None]:
    """Load MNIST, and make the function that trains for some steps, or one epoch if that is less.

    Args:
        contender: a device of gpucnn, or a peer derived from `TrainingPeer`, by name.
        model: the name of a preset, trained without its dropout layers.
        dtype: "float32" or "float64".
        batch_size: images in a step.
        threads: of the CPU.
        steps: how many.
        evaluates: whether the function also classifies the test set.
    """
    (images, labels), test = load_data()
    train = images[: steps * batch_size], labels[: steps * batch_size]
    given = train, test if evaluates else None, batch_size, threads
    if contender not in peer_names():
        return partial(_train_device, contender, model, dtype, *given)
    peer = peer_class(contender)
    assert issubclass(peer, TrainingPeer)
    return partial(peer.train, make_network(model, dtype, "cpu", threads), *given)


def _train_device(
    device: str,
    model: str,
    dtype: str,
    train: Labelled,
    test: Labelled | None,
    batch_size: int,
    threads: int,
) -> None:
    network = make_network(model, dtype, device, threads)
    network.fit(*train, batch_size, verbose=0)
    if test is not None:
        network.evaluate(*test, TEST_BATCH)


def peak_bytes() -> int:
    """The largest resident set of this process so far, in bytes.

    On Linux, `getrusage` includes what the parent process held when it started this one;
    /proc/self/status does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    from resource import RUSAGE_SELF, getrusage

    return getrusage(RUSAGE_SELF).ru_maxrss  # in bytes on macOS

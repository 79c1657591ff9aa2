"""Measurements in a process of its own: the time of an import, and the peak memory of training."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from gpucnn.backends.ranks.launcher import ALONE, OWNER, VARIABLES
from gpucnn.benchmark.peers import TrainingPeer, peer_class, peer_names
from gpucnn.benchmark.timing import host_seconds
from gpucnn.benchmark.workload import TEST_BATCH, Workload, load_data, make_network
from gpucnn.errors import DeviceError

REPEATS = 3  # of an import, of which the median counts
STEPS = 300  # of the training whose memory is measured
TRAIN = "from gpucnn.benchmark.processes import main; main()"  # the code of that process


def import_seconds(*modules: str) -> float:
    """The seconds that importing modules adds to starting Python.

    Raises:
        DeviceError: the modules cannot be imported.
    """
    bare, full = _run_seconds("pass"), _run_seconds(f"import {', '.join(modules)}")
    return max(full - bare, 0.0)


def peak_memory(contender: str, model: str, dtype: str, batch_size: int, threads: int) -> int:
    """The largest resident set, in bytes, of a new process that calls `train`.

    Args:
        contender: a device of gpucnn, or a peer, by name.
        model: the name of a preset.
        dtype: "float32" or "float64".
        batch_size: images in a step.
        threads: of the CPU.

    Raises:
        DeviceError: the process failed.
    """
    arguments = {
        "contender": contender,
        "model": model,
        "dtype": dtype,
        "batch_size": batch_size,
        "threads": threads,
    }
    return int(run_python("-c", TRAIN, json.dumps(arguments)))


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
    """Call `train` with the command's argument, JSON, and print the peak memory in bytes."""
    train(**json.loads(sys.argv[1]))
    print(peak_bytes())


def train(contender: str, model: str, dtype: str, batch_size: int, threads: int) -> None:
    """Load MNIST, train for `STEPS` steps or one epoch if that is less, and classify the test set.

    Args:
        contender: a device of gpucnn, or a peer derived from `TrainingPeer`, by name.
        model: the name of a preset, trained without its dropout layers.
        dtype: "float32" or "float64".
        batch_size: images in a step.
        threads: of the CPU.
    """
    workload = Workload(model, dtype, load_data())
    if contender in peer_names():
        peer = peer_class(contender)
        assert issubclass(peer, TrainingPeer)
        peer.train(workload, batch_size, STEPS, threads)
    else:
        _train_device(contender, workload, batch_size, threads)


def _train_device(device: str, workload: Workload, batch_size: int, threads: int) -> None:
    (images, labels), test = workload.data
    network = make_network(workload.model, workload.dtype, device, threads)
    count = STEPS * batch_size
    network.fit(images[:count], labels[:count], batch_size, verbose=0)
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

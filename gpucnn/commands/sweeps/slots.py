"""Where the trainings of a sweep run: on the CPU several at a time, on GPUs one on each."""

import os
import subprocess
import sys
from typing import NamedTuple

from gpucnn.backends import get_backend
from gpucnn.backends.cpu.memory import most_threads
from gpucnn.backends.devices import GPU
from gpucnn.backends.ranks.launcher import ALONE, gpus_of_one
from gpucnn.backends.workers.pool import usable_cores
from gpucnn.commands.options import WORKERS, check_workers
from gpucnn.errors import DeviceError, InvalidValueError

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""The variable by which CUDA knows which GPUs a process may use."""

TRIAL = "import gpucnn; gpucnn.get_backend('cuda')"
"""The program that fails on a GPU which cannot be used."""


class Slot(NamedTuple):
    """A place for one training at a time.

    Attributes:
        device: as `gpucnn train` takes it.
        threads: likewise; None on another device than the CPU.
        visible: the one GPU that the training sees, as in `VISIBLE`; None if it is on none.
    """

    device: str
    threads: int | None = None
    visible: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process that trains here, and is no rank."""
        gpus = {} if self.visible is None else {VISIBLE: self.visible}
        return os.environ | {ALONE: "1"} | gpus


def find_slots(
    device: str = "auto", jobs: int | None = None, threads: int | None = None
) -> list[Slot]:
    """Find places for trainings; of several ranks on a machine, each finds others.

    Args:
        device: "auto" for all GPUs that can be used, else the CPU; "cuda" for the GPUs; "cuda:0"
            and so on for one; "cpu"; "simulator".
        jobs: trainings at a time, if they are on no GPU; None for as many as the cores are enough
            for.
        threads: the worker processes of each on the CPU; None for 1, with which several trainings
            take less time than one after another with more.

    Warns:
        GpucnnWarning: as `get_backend`.

    Raises:
        InvalidValueError: there is no such device, it has no jobs or threads, or these are not
            numbers of processes that can be.
        DeviceError: the device cannot be used.
    """
    gpus = _usable(_gpus(device))
    if gpus:
        _refuse_on_gpus({"jobs": jobs, WORKERS: threads})
        return gpus
    check_workers(threads, [device])
    device = get_backend(device, threads).device
    count = max(usable_cores() // (threads or 1), 1) if jobs is None else _check_jobs(jobs)
    return [Slot(device, threads or 1 if device == "cpu" else None)] * count


def _gpus(device: str) -> list[Slot]:
    """The GPUs that a device's name stands for: for "auto" and "cuda", those of this rank."""
    gpu = GPU.fullmatch(device)
    if gpu and gpu[1]:
        return [_slot(int(gpu[1]))]
    return [_slot(index) for index in _own_gpus()] if gpu or device == "auto" else []


def _own_gpus() -> list[int]:
    from gpucnn.backends.cuda.cupy_runtime import count_gpus, import_cupy

    try:
        count = count_gpus(import_cupy())
    except DeviceError:  # `get_backend` says why
        return []
    return gpus_of_one(count)


def _slot(index: int) -> Slot:
    """That of a GPU of this process, which may itself see only some."""
    visible = os.environ.get(VISIBLE)
    name = str(index) if visible is None else ",".join(visible.split(",")[index : index + 1])
    return Slot("cuda", visible=name)


def _usable(slots: list[Slot]) -> list[Slot]:
    """The GPUs that can be used, tried in processes of their own.

    This process would keep memory of each, and a GPU in exclusive mode has only one process.
    """
    program = [sys.executable, "-c", TRIAL]
    tries = [
        subprocess.Popen(program, env=slot.environment, stderr=subprocess.DEVNULL) for slot in slots
    ]
    return [slot for slot, process in zip(slots, tries, strict=True) if process.wait() == 0]


def _refuse_on_gpus(options: dict[str, int | None]) -> None:
    for name, value in options.items():
        if value is not None:
            raise InvalidValueError(
                f"{name} is {value}, but this runs on GPUs, each with one training at a time and "
                "no workers: leave the option out, or give --device cpu"
            )


def _check_jobs(jobs: int) -> int:
    most = most_threads()
    if not 1 <= jobs <= most:
        raise InvalidValueError(
            f"jobs is {jobs}: it must be a whole number from 1 to {most} here, each a process with "
            "memory of its own"
        )
    return jobs

"""Launching a kernel with made-up arguments, in three orders of its threads.

Each kernel is run in a process of its own, which a time limit interrupts: with these arguments a
kernel may spin for ever, and what a structure of them points to is not known.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gpucnn.simulator import Module, Order, SimulatorError
from gpucnn.simulator.parameters import Parameter

SECONDS = 30
ORDERS: tuple[Order, ...] = ("forward", "reversed", 0)

_COUNTS = (64, 256, 4)
_BLOCKS = ((256,), (16, 16), (32,), (64,), (32, 8), (32, 32), (8, 8, 8), (1,))
_GRIDS = (4, 1)  # in each direction: 1 for a kernel whose threads ask for no block
_ELEMENTS = 1 << 18  # of each array: all of a matrix of `_COUNTS`
_SHARED = 16 * 1024
_POINTED_TO = np.zeros(1 << 20, np.uint8)


class Outcome(NamedTuple):
    """How the launches of a kernel ended."""

    kind: str
    """equal, rounding, different, idle, fault, spins or ended."""

    note: str


def outcome(modules: Sequence[Module], name: str, *, cooperative: bool) -> Outcome:
    """Launch a kernel from the same source's module for each order.

    Of the sizes that are tried the first counts with which the kernel, in the first order, is
    without a fault and writes something: it then has to write the same bytes in all orders.
    """
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(
        target=_send_outcome, args=(sender, modules, name, cooperative)
    )
    process.start()
    sender.close()
    if not receiver.poll(SECONDS):
        assert process.pid is not None
        os.kill(process.pid, signal.SIGINT)
        if not receiver.poll(SECONDS):
            process.kill()
            return Outcome("spins", f"for {SECONDS} seconds")
    try:
        return Outcome(*receiver.recv())
    except EOFError:
        process.join()
        return Outcome("ended", f"the process, with {process.exitcode}")


def _send_outcome(
    sender: Connection, modules: Sequence[Module], name: str, cooperative: bool
) -> None:
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)  # what a kernel prints
    try:
        sender.send(tuple(_outcome(modules, name, cooperative)))
    except KeyboardInterrupt as interrupted:
        sender.send(("spins", str(interrupted)))


def _outcome(modules: Sequence[Module], name: str, cooperative: bool) -> Outcome:
    faults, is_idle = [], False
    for sizes in product(_COUNTS, _GRIDS, _BLOCKS):
        where = "{}, {} x {}".format(*sizes)
        try:
            results = [_run(modules[0], name, cooperative, *sizes)]
        except SimulatorError as error:
            faults.append(f"{where}: {error}")
            if "the simulator does not have" in faults[-1]:
                return Outcome("missing", str(error))
            continue
        is_idle = True
        if not results[0].is_changed:
            continue
        try:
            results += [_run(module, name, cooperative, *sizes) for module in modules[1:]]
        except SimulatorError as error:
            faults.append(f"{where}, in another order: {error}")
            continue
        return _compared(results, where)
    return Outcome("idle", "it writes nothing") if is_idle else Outcome("fault", faults[0])


def _compared(results: Sequence["_Result"], where: str) -> Outcome:
    kind = "equal"
    for place, ours in results[0].arrays.items():
        for result in results[1:]:
            other = result.arrays[place]
            if ours.tobytes() == other.tobytes():
                continue
            if ours.dtype.kind == "f" and np.allclose(ours, other, 1e-3, 1e-4, equal_nan=True):
                kind = "rounding"
                continue
            differ = np.flatnonzero(ours.view("u1") != other.view("u1")) // ours.itemsize
            return Outcome("different", f"{where}: argument {place}, first at {differ[0]}")
    return Outcome(kind, where)


class _Result(NamedTuple):
    arrays: dict[int, npt.NDArray[Any]]
    """After the launch, by the places of the arguments."""

    is_changed: bool


def _run(
    module: Module, name: str, cooperative: bool, count: int, blocks: int, block: tuple[int, ...]
) -> _Result:
    kernel = module.get_function(name)
    arguments = list(_arguments(kernel.parameters, count))
    arrays = {i: each for i, each in enumerate(arguments) if isinstance(each, np.ndarray)}
    before = {i: each.copy() for i, each in arrays.items()}
    grid = (blocks,) * len(block)
    kernel(grid, block, arguments, shared_mem=_SHARED, cooperative=cooperative)
    is_changed = any(each.tobytes() != before[i].tobytes() for i, each in arrays.items())
    return _Result(arrays, is_changed)


def _arguments(parameters: Sequence[Parameter], count: int) -> Iterator[Any]:
    """Whole numbers are sizes or indices, so they are `count` or below it.

    Others are few multiples of 1/8, whose sums are exact in any order.
    """
    for parameter in parameters:
        kind, size = chr(parameter.kind) if parameter.kind else "", parameter.size
        if parameter.pointer:
            dtype = np.dtype(f"{kind}{size}") if kind and kind != "V" else np.dtype("i4")
            if kind == "b":
                dtype = np.dtype("?")
            array = _array(dtype, count).copy()
            if parameter.type == b"pointer":
                array[:] = _POINTED_TO.ctypes.data
            yield (
                array.view("u1")[: array.nbytes // size * size].view(f"V{size}")
                if kind == "V"
                else array
            )
        elif kind == "V":
            yield np.frombuffer(np.full(size // 4 + 1, count, "i4").tobytes()[:size], f"V{size}")[0]
        elif kind == "b":
            yield np.bool_(True)
        else:
            value = 0.5 if kind == "f" else count
            yield np.dtype(f"{kind}{size}").type(value)


@cache
def _array(dtype: np.dtype[Any], count: int) -> npt.NDArray[Any]:
    generator = np.random.default_rng(0)
    if dtype.kind == "f":
        return (generator.integers(0, 8, _ELEMENTS) / 8).astype(dtype)
    most = min(count, 127) if dtype.itemsize == 1 else count
    return generator.integers(0, most, _ELEMENTS).astype(dtype)

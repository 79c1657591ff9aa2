"""Streams that are captured: what would be done is kept as steps, to be replayed as a graph.

As on a device, nothing is done while a stream is captured. Results of NumPy's functions have to be
known by their shapes, so these are computed once, and their values thrown away.
"""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from gpucnn.simulator.cupy.errors import CUDARuntimeError
from gpucnn.simulator.memory import POISON

Step = Callable[[], object]

current_stream: ContextVar[Any] = ContextVar("current_stream", default=None)
"""The stream of the innermost `with`, None for the null stream."""


def steps() -> list[Step] | None:
    """What the current stream has recorded; None if it is not captured."""
    return getattr(current_stream.get(), "steps", None)


def refuse_in_capture(what: str) -> None:
    """Refuse what waits for a device, while a stream is captured.

    Raises:
        CUDARuntimeError: as CUDA refuses it.
    """
    if steps() is not None:
        raise CUDARuntimeError(
            f"cudaErrorStreamCaptureUnsupported: {what} is not permitted while a stream is "
            "captured: do it before or after the capture"
        )


def run_or_record(step: Step) -> None:
    """Do what changes arrays in place: now, or when the graph is launched."""
    recorded = steps()
    if recorded is None:
        step()
    else:
        recorded.append(step)


def record_results(function: Step, results: Any, inputs: Sequence[Any]) -> None:
    """Record a function whose `results` were computed, unless they are views of its inputs."""
    recorded = steps()
    arrays = _arrays(results)
    if recorded is None or any(np.may_share_memory(x, y) for x in arrays for y in _arrays(inputs)):
        return

    def again() -> None:
        for array, value in zip(arrays, _arrays(function()), strict=True):
            array[...] = value

    for array in arrays:
        if array.flags.c_contiguous and array.ndim:
            array.view(np.uint8).fill(POISON)
    recorded.append(again)


def _arrays(values: Any) -> list[Any]:
    if isinstance(values, np.ndarray):
        return [values]
    if isinstance(values, list | tuple):
        return [array for value in values for array in _arrays(value)]
    return []

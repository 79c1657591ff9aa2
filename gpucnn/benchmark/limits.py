"""What a device can do at the most, measured: its rate in matrix products, and of copying."""

from collections.abc import Callable
from functools import partial

import numpy as np

from gpucnn.backends import Backend
from gpucnn.benchmark.report import Limits
from gpucnn.benchmark.timing import clock_of

REPEATS = 5  # of which the best counts
LEAST_SECONDS = 0.01  # that a product has to last, to be large enough
SIZES = (64, 128, 256, 512, 1024, 2048, 4096)  # of the products, until one is large enough
COPIED = 128 * 2**20  # bytes, well above what a last-level cache holds


def measure_limits(backend: Backend, dtype: str) -> Limits:
    """What a backend does with one thread, or with the whole GPU, in arithmetic of `dtype`."""
    with backend.session():
        return Limits(backend.device, _flops(backend, dtype), _bandwidth(backend, dtype))


def _flops(backend: Backend, dtype: str) -> float:
    """Operations per second in a square product: of the first size that lasts, or the largest."""
    for size in SIZES:
        matrices = [backend.asarray(np.full((size, size), 0.5, dtype)) for _ in range(3)]
        product = partial(backend.matmul, *matrices)
        seconds = _best(backend, product)
        if seconds >= LEAST_SECONDS:
            break
    return 2 * size**3 / seconds


def _bandwidth(backend: Backend, dtype: str) -> float:
    """Bytes per second in a copy, those that are read and those that are written."""
    count = COPIED // np.dtype(dtype).itemsize
    source, out = backend.zeros((count,), dtype), backend.zeros((count,), dtype)
    source.fill(1)  # memory that was never written to need not be there
    return 2 * COPIED / _best(backend, partial(backend.copy, source, out))


def _best(backend: Backend, call: Callable[[], None]) -> float:
    clock = clock_of(backend)
    call()  # what only the first call does
    return min(clock(call) for _ in range(REPEATS))

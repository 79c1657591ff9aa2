"""The provenance of a run: the software, hardware and data that its history records."""

import platform
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Backend
from gpucnn.backends.ranks.launcher import place
from gpucnn.errors import printable
from gpucnn.utils.machine import blas, processor
from gpucnn.utils.warn import warn
from gpucnn.version import __version__

DECIDING = {
    "gpucnn": "gpucnn",
    "numpy": "NumPy",
    "blas": "BLAS",
    "processor": "the processor",
    "ranks": "the number of ranks",
}
"""The entries of `versions` that decide the last digits of results, and their names in messages."""

BEFORE = {"ranks": "1"}
"""What entries were when they were not recorded yet."""


def versions(backend: Backend) -> dict[str, str]:
    """The versions of the software that a run is computed with, and the processor or GPU."""
    return {
        "gpucnn": __version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "blas": blas(),
        "processor": processor() if backend.device == "cpu" else backend.description,
        "ranks": str(place().size),
    }


def warn_of_changes(before: Any, now: dict[str, str]) -> None:
    """Warn, in the name of the caller's caller, if a run is resumed with other `versions`.

    Args:
        before: the `versions` in the run's history, or anything else if they are not recorded.
        now: those of this process.

    Warns:
        GpucnnWarning: one of `DECIDING` changed.
    """
    before = before if isinstance(before, dict) else {}
    changed = [
        f"{called} was {printable(before.get(name, 'not recorded'), 100)} and is {now[name]}"
        for name, called in DECIDING.items()
        if before.get(name, BEFORE.get(name)) != now[name]
    ]
    if changed:
        warn(
            "the result may differ in its last digits from that of a run that was never "
            f"stopped: {', '.join(changed)}",
        )


def data_sha256(arrays: Iterable[NDArray[Any]]) -> str:
    """The SHA-256 of the elements of arrays, one after another, in hexadecimal digits."""
    digest = sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()

"""The backends that are held to the contract of `Backend`. A new one joins by a line here."""

from collections.abc import Callable

from gpucnn.backends import Backend, CpuBackend

BACKENDS: dict[str, Callable[[], Backend]] = {
    "reference": Backend,
    "cpu": CpuBackend,
}

"""CuPy's interface on the simulator: `import cupy` without a GPU.

For example::

    with as_cupy():
        import cupy

        x = cupy.arange(3)
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from gpucnn.errors import MissingModuleError
from gpucnn.simulator.cupy import names
from gpucnn.simulator.cupy.kernels.orders import in_order
from gpucnn.simulator.cupy.modules import modules
from gpucnn.simulator.cupy.namespace import Namespace, scipy_module
from gpucnn.simulator.errors import SimulatorError
from gpucnn.simulator.module import Order, check_order

__all__ = ["as_cupy"]

_PACKAGES = ("cupy", "cupyx", "cupy_backends")


@contextmanager
def as_cupy(order: Order = "forward") -> Iterator[Any]:
    """Let `import cupy` give a module whose kernels the simulator runs, on arrays of NumPy's.

    It holds for the whole process. Modules that imported it keep it, so enter this before they are
    imported.

    Args:
        order: the order in which blocks and threads run, as `Module` takes it.

    Returns:
        The module `cupy`.

    Raises:
        SimulatorError: CuPy itself was imported before, or the order is unknown.
    """
    check_order(order)
    ours = modules()
    if sys.modules.get("cupy") is ours["cupy"]:  # within another
        with in_order(order):
            yield ours["cupy"]
        return
    if any(_is_of_cupy(name) for name in sys.modules):
        raise SimulatorError(
            "CuPy is imported already: enter gpucnn.simulator.as_cupy() before whatever imports it"
        )
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    sys.modules.update(ours)
    try:
        with in_order(order):
            yield ours["cupy"]
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if _is_of_cupy(name)]:
            del sys.modules[name]


def _is_of_cupy(name: str) -> bool:
    return name.partition(".")[0] in _PACKAGES


class _Finder:
    """Finds the modules that are made when they are imported, and says which are not there."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's specification; None for those of other packages.

        Raises:
            MissingModuleError: the simulator does not have it.
        """
        if not _is_of_cupy(name):
            return None
        if name.removeprefix("cupyx.scipy.") not in [*names.SCIPY, "cupyx.scipy"]:
            raise MissingModuleError(f"the simulator does not have {name}")
        return ModuleSpec(name, _Loader(), is_package=True)


class _Loader(Loader):
    """Makes the modules of `cupyx.scipy`."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Make it."""
        if spec.name == "cupyx.scipy":
            content: dict[str, Any] = {"get_array_module": modules()["cupy"].get_array_module}
            return Namespace(spec.name, "SciPy's functions.", content)
        return scipy_module(spec.name.removeprefix("cupyx.scipy."))

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: it was made whole."""

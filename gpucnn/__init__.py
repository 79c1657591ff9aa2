"""Convolutional networks with nothing between you and the arithmetic."""

import sys
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from gpucnn.version import __version__ as __version__

if TYPE_CHECKING:
    from gpucnn import models as models
    from gpucnn.backends import available_devices as available_devices
    from gpucnn.backends import get_backend as get_backend
    from gpucnn.backends.ranks.launcher import rank as rank
    from gpucnn.backends.ranks.launcher import world_size as world_size
    from gpucnn.datasets import load_images as load_images
    from gpucnn.datasets import load_mnist as load_mnist
    from gpucnn.errors import GpucnnError as GpucnnError
    from gpucnn.layers import *  # noqa: F403
    from gpucnn.losses import Loss as Loss
    from gpucnn.metrics import Metric as Metric
    from gpucnn.models import History as History
    from gpucnn.models import Model as Model
    from gpucnn.models import Sequential as Sequential
    from gpucnn.models.exchange.interop import from_keras as from_keras
    from gpucnn.models.exchange.interop import from_torch as from_torch
    from gpucnn.models.exchange.interop import to_keras as to_keras
    from gpucnn.models.exchange.interop import to_torch as to_torch
    from gpucnn.optimizers import *  # noqa: F403


@cache
def _exports() -> dict[str, Any]:
    """The classes and functions that this module has, by name.

    They are imported when one is first used, so that the command `gpucnn` can see to Ctrl-C before
    NumPy and all else is imported.
    """
    from gpucnn.backends import available_devices, get_backend
    from gpucnn.backends.ranks.launcher import rank, world_size
    from gpucnn.datasets import load_images, load_mnist
    from gpucnn.errors import GpucnnError
    from gpucnn.layers import LAYERS, Activation, AvgPool2D, Input, Layer, MaxPooling2D, Softmax
    from gpucnn.losses import Loss
    from gpucnn.metrics import Metric
    from gpucnn.models import History, Model, Sequential
    from gpucnn.models.exchange.interop import from_keras, from_torch, to_keras, to_torch
    from gpucnn.optimizers import OPTIMIZERS, SCHEDULES, Optimizer

    of_devices: list[Any] = [available_devices, get_backend, rank, world_size]
    of_others = [from_keras, from_torch, to_keras, to_torch]
    functions = [*of_devices, *of_others, Activation, load_images, load_mnist]
    models = [History, Model, Sequential]
    classes = [GpucnnError, Input, Layer, Loss, Metric, *models, Optimizer, Softmax]
    kinds = [*LAYERS, *OPTIMIZERS, *SCHEDULES]
    named = {each.__name__: each for each in functions + classes + kinds}
    return named | {"AvgPool2D": AvgPool2D, "MaxPooling2D": MaxPooling2D}


if not TYPE_CHECKING:  # mypy would take any name for one of the module

    def __getattr__(name: str) -> object:
        """One of the exports, a submodule, or `__all__`."""
        if name == "__all__":
            return sorted([*_exports(), "__version__", "models"])
        from gpucnn.utils.keras import missing

        if not name.startswith("_"):
            if name in _exports():
                return _exports()[name]
            try:
                return import_module(f"gpucnn.{name}")
            except ModuleNotFoundError as error:
                if error.name != f"gpucnn.{name}":  # a library that the submodule needs
                    raise
        raise missing("gpucnn", name, sys._getframe(1))


class _AbsentModules:
    """The finder of modules that says of one of Keras's that it is not there, and what to use.

    It comes after all others, and so is asked only for what none of them has found; of that, only
    names below gpucnn concern it. `from gpucnn.initializers import HeNormal` is the first line of
    many scripts, and no `__getattr__` sees it.
    """

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        """Find nothing.

        Raises:
            MissingModuleError: Keras has a module of that name.
        """
        package, _, module = name.rpartition(".")
        if package.partition(".")[0] == "gpucnn":
            from gpucnn.utils.keras import refuse_module

            refuse_module(package, module)


sys.meta_path.append(_AbsentModules)


def __dir__() -> list[str]:
    return sorted({*globals(), *_exports(), "__all__", "models"})

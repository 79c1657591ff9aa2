"""What training that diverged leaves behind: weights that are not finite numbers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array
from gpucnn.datasets.device_dataset import is_finite
from gpucnn.errors import TrainingError
from gpucnn.models.network import Network


def first_not_finite(arrays: Mapping[str, NDArray[Any]]) -> str | None:
    """The name of the first array that has a number that is NaN or infinite; None if none has."""
    for name, values in arrays.items():
        if values.dtype.kind == "f" and values.size and not is_finite(values, values.dtype):
            return name
    return None


def check_weights(network: Network, parameters: Array) -> None:
    """Refuse parameters of a network that are not finite.

    Args:
        network: whose layers give them their names.
        parameters: real (p,), on its device.

    Raises:
        TrainingError: one is not; the text names the first array of weights that has such.
    """
    on_host = parameters
    if not isinstance(parameters, np.ndarray):
        on_host = network.backend.to_host(parameters)
    if not is_finite(on_host, network.dtype):
        refuse_not_finite(dict(zip(network.parameter_names, network.split(on_host), strict=True)))


def refuse_not_finite(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Refuse arrays of a model of which one is not finite, by its name.

    Raises:
        TrainingError: one is not.
    """
    name = first_not_finite(arrays)
    if name is not None:
        raise TrainingError(
            f"{name} has values that are not finite, since training diverged: load a model saved "
            "before that, or make a new one, and train with a lower learning rate"
        )

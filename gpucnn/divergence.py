"""What training that diverged leaves behind: weights that are not finite numbers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.batches import is_finite
from gpucnn.errors import TrainingError
from gpucnn.network import Network


def first_not_finite(arrays: Mapping[str, NDArray[Any]]) -> str | None:
    """The name of the first array that has a number that is NaN or infinite; None if none has."""
    for name, values in arrays.items():
        if values.dtype.kind == "f" and values.size and not is_finite(values, values.dtype):
            return name
    return None


def check_weights(network: Network) -> None:
    """Refuse a network that has weights which are not finite.

    Raises:
        TrainingError: it has; the text names the first of them.
    """
    parameters = network.parameters
    if not isinstance(parameters, np.ndarray):
        parameters = network.backend.to_host(parameters)
    if not is_finite(parameters, network.dtype):
        weights = dict(zip(network.parameter_names, network.get_weights(), strict=True))
        refuse_not_finite(weights)


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

"""Checks for weights that are not finite, which training that diverged leaves behind."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.datasets.device_dataset import is_finite
from gpucnn.errors import TrainingError
from gpucnn.models.network import Network
from gpucnn.models.replica import Replica


def first_not_finite(arrays: Mapping[str, NDArray[Any]]) -> str | None:
    """The name of the first array with a NaN or infinite element; None if all are finite."""
    for name, values in arrays.items():
        if values.dtype.kind == "f" and values.size and not is_finite(values, values.dtype):
            return name
    return None


def check_weights(network: Network, replica: Replica) -> None:
    """Check that the weights of a network are finite.

    Args:
        network: gives the weights their names.
        replica: of the network, has the weights.

    Raises:
        TrainingError: one is not; the message names the first weights affected.
    """
    if replica.is_known_finite:
        return
    for vector in replica.vectors.values():
        on_host = vector if isinstance(vector, np.ndarray) else replica.backend.to_host(vector)
        if not is_finite(on_host, network.dtype):
            check_finite_arrays(network.named_weights(replica))
    replica.is_known_finite = True


def check_finite_arrays(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Check that the arrays of a model are finite.

    Raises:
        TrainingError: one is not; the message names it.
    """
    name = first_not_finite(arrays)
    if name is not None:
        raise TrainingError(
            f"{name} has values that are not finite, since training diverged: load a model saved "
            "before that, or make a new one, and train with a lower learning rate"
        )

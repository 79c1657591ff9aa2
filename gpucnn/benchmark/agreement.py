"""Whether a peer computes what gpucnn computes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import InvalidValueError


def check_agreement(peer: str, what: str, theirs: NDArray[Any], ours: NDArray[Any]) -> None:
    """Hold what a peer computed to what gpucnn computed, both in the dtype of `ours`.

    Half of the dtype's digits have to agree, relative to the largest element. Rounding in sums of a
    few thousand terms takes a quarter of them at the most; another weight, order or formula leaves
    hardly any.

    Raises:
        InvalidValueError: the two do not agree.
    """
    off = float(np.abs(theirs - ours).max())
    allowed = float(np.sqrt(np.finfo(ours.dtype).eps) * np.abs(ours).max())
    if not off <= allowed:  # nor where it is NaN
        raise InvalidValueError(
            f"{peer} does not compute what gpucnn does: {what} off by {off:.2g} where "
            f"{allowed:.2g} is allowed; leave the peer out"
        )

"""Softmax in inference."""

import numpy as np

from gpucnn.backends.calls import Calls
from gpucnn.backends.memory import Array


def add_softmax(logits: Array, out: Array, column: Array, calls: Calls) -> None:
    """Add the calls that compute the probabilities of classes.

    A single row is taken as a vector, and its maximum and sum as scalars: NumPy then calls its
    loops without an iterator, in half of the time.

    Args:
        logits: real (n, classes).
        out: likewise, written.
        column: real (n, 1), memory for a number of each row.
        calls: of the pass.
    """
    is_single = len(logits) == 1
    if is_single:
        logits, out, column = logits[0], out[0], column.reshape(())
    calls.add(np.maximum.reduce, logits, axis=-1, keepdims=not is_single, out=column)
    calls.add(np.subtract, logits, column, out=out)
    calls.add(np.exp, out, out=out)
    calls.add(np.add.reduce, out, axis=-1, keepdims=not is_single, out=column)
    calls.add(np.divide, out, column, out=out)

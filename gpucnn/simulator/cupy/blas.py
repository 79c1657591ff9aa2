"""`cupy.cublas`: products of matrices, NumPy's here."""

from typing import Any

import numpy as np

from gpucnn.simulator.cupy.calls import call, change

_TRANSPOSED = {"N": 0, "T": 1, "H": 2, "C": 2}


def gemm(
    transa: str | int,
    transb: str | int,
    a: Any,
    b: Any,
    out: Any = None,
    alpha: float = 1.0,
    beta: float = 0.0,
) -> Any:
    """`alpha * a @ b + beta * out`, each transposed first if its letter says so.

    Args:
        transa: "N" for `a` as it is, "T" transposed, "H" conjugated too.
        transb: likewise of `b`.
        a: (m, k) when it is transposed.
        b: (k, n) when it is transposed.
        out: (m, n), to which the result is written; a new array if None.
        alpha: the factor of the product.
        beta: the factor of `out`.

    Returns:
        The result.

    Raises:
        ValueError: the shapes do not fit together.
    """
    if out is None:
        return call(lambda a, b: alpha * (_with(a, transa) @ _with(b, transb)), a, b)

    def write(out: Any, a: Any, b: Any) -> None:
        product = alpha * (_with(a, transa) @ _with(b, transb))
        out[...] = product + beta * out if beta else product

    change(write, out, a, b)
    return out


def nrm2(x: Any, out: Any = None) -> Any:
    """The length of a vector.

    Args:
        x: the vector.
        out: an array without dimensions for it; a new one if None.

    Returns:
        The length.
    """
    return call(lambda x, out=None: np.sqrt(np.vdot(x, x).real, out=out), x, out=out)


def _with(matrix: Any, how: str | int) -> Any:
    """A matrix as it is, transposed or conjugated."""
    number = _TRANSPOSED[how.upper()] if isinstance(how, str) else how
    return [matrix, matrix.T, np.conj(matrix.T)][number]

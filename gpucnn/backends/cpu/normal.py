"""The normal distribution in NumPy, which has no error function.

For t >= 0, erfc(t) = exp(-t^2) q(t) with a q that falls slowly and smoothly, from 1 to about 1 / (t
sqrt(pi)). As a function of u = offset - slope / (t + 3), which maps t from 0 to a farthest one to
[-1, 1], half of q is here the polynomial that interpolates it at the Chebyshev nodes, computed with
60 digits. The map is after Shepherd and Laframboise, "Chebyshev approximation of (1 + 2x) exp(x^2)
erfc x in 0 <= x < infinity", Mathematics of Computation 36, 1981. Beyond the farthest t exp(-t^2)
is so small that what the polynomial is there does not matter. The degrees are such that erfc is off
by what its evaluation rounds: below 4 eps, of 1.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from gpucnn.backends.memory import Array


@dataclass(frozen=True)
class _Polynomial:
    """Half of q as a polynomial of u, the coefficient of the highest power first."""

    offset: float
    slope: float
    coefficients: tuple[float, ...]


SHIFT = 3.0

_POLYNOMIALS = {
    np.dtype(np.float32): _Polynomial(  # farthest is 9
        5 / 3,
        8.0,
        (
            -2.157524728e-05,
            0.0001150925949,
            0.0001738324261,
            -0.003473907319,
            0.01670797379,
            -0.050253923,
            0.1094366467,
            -0.1808103155,
            0.1392800478,
        ),
    ),
    np.dtype(np.float64): _Polynomial(  # farthest is 26
        16 / 13,
        87 / 13,
        (
            -1.3610412462150627e-10,
            3.113601852659753e-10,
            1.999029261507536e-09,
            -2.535937316745658e-09,
            -1.8553589739930452e-08,
            8.019274738497322e-09,
            1.518991272974224e-07,
            1.595130321346363e-08,
            -1.2826481897919826e-06,
            -2.599407433235029e-07,
            1.2169681927981099e-05,
            -4.957762169490024e-06,
            -0.0001265868711074598,
            0.0002817868929602891,
            0.0009283515300832514,
            -0.007775401949009846,
            0.027438577069931806,
            -0.06574962846753635,
            0.11939329266594349,
            -0.17133066430686134,
            0.10777623957558874,
        ),
    ),
}

FARTHEST = 28.0
"""exp(-t^2) is 0 there in both dtypes; a greater t may overflow in t^2."""


def distribution(x: Array, t: Array, bell: Array, positive: Array, out: Array) -> None:
    """Write the normal distribution F(x) = erfc(-x / sqrt(2)) / 2 to `out`.

    Args:
        x: float32 or float64, of any shape; NaN gives NaN.
        t: of the shape and dtype of `x`, for intermediate values.
        bell: likewise; exp(-x^2 / 2) is written there.
        positive: bool, of the shape of `x`, where x > 0 is written.
        out: of the shape and dtype of `x`.
    """
    polynomial = _POLYNOMIALS[x.dtype]
    np.absolute(x, out=t)
    np.multiply(t, sqrt(0.5), out=t)
    np.minimum(t, FARTHEST, out=t)
    np.multiply(t, t, out=bell)
    np.negative(bell, out=bell)
    np.exp(bell, out=bell)

    np.add(t, SHIFT, out=t)
    np.divide(-polynomial.slope, t, out=t)
    np.add(t, polynomial.offset, out=t)
    highest, *others = polynomial.coefficients
    out.fill(highest)
    for coefficient in others:
        np.multiply(out, t, out=out)
        np.add(out, coefficient, out=out)
    np.multiply(out, bell, out=out)

    np.greater(x, 0, out=positive)
    np.subtract(positive, out, out=out)  # 1 less the tail where x > 0, else the tail negated
    np.absolute(out, out=out)

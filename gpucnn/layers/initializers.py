"""Initial values of kernels, under Keras's names."""

from collections.abc import Callable
from math import prod, sqrt

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Shape
from gpucnn.utils import arguments

Values = NDArray[np.float64]
Initializer = Callable[[np.random.Generator, Shape, int, int], Values]
"""Draws values of a shape, for outputs of `fan_in` inputs and inputs of `fan_out` outputs."""

TRUNCATED = 0.87962566103423978
"""The standard deviation of a standard normal distribution that is cut off at 2."""

SPREAD = 0.05
"""The standard deviation, and the limit, of Keras's initializers that heed no fans."""


def _uniform(limit: Callable[[int, int], float]) -> Initializer:
    """Uniform in ±limit(fan_in, fan_out)."""

    def draw(generator: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Values:
        most = limit(fan_in, fan_out)
        return generator.uniform(-most, most, shape)

    return draw


def _normal(deviation: Callable[[int, int], float]) -> Initializer:
    """Normal of a standard deviation, drawn anew beyond two of the normal distribution's."""

    def draw(generator: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Values:
        values = generator.standard_normal(shape)
        while (beyond := np.abs(values) > 2).any():
            values[beyond] = generator.standard_normal(np.count_nonzero(beyond))
        return values * (deviation(fan_in, fan_out) / TRUNCATED)

    return draw


def _random_normal(generator: np.random.Generator, shape: Shape, *_: int) -> Values:
    return generator.normal(0, SPREAD, shape)


def _orthogonal(generator: np.random.Generator, shape: Shape, *_: int) -> Values:
    """With rows, or columns, orthonormal: of the matrix whose columns are those of the outputs."""
    rows, columns = prod(shape[:-1]), shape[-1]
    normal = generator.standard_normal((max(rows, columns), min(rows, columns)))
    basis, triangle = np.linalg.qr(normal)
    basis *= np.sign(triangle.diagonal())  # so that no such matrix is more probable than another
    return (basis if rows >= columns else basis.T).reshape(shape)


INITIALIZERS: dict[str, Initializer] = {
    "glorot_uniform": _uniform(lambda fan_in, fan_out: sqrt(6 / (fan_in + fan_out))),
    "glorot_normal": _normal(lambda fan_in, fan_out: sqrt(2 / (fan_in + fan_out))),
    "he_uniform": _uniform(lambda fan_in, _: sqrt(6 / fan_in)),
    "he_normal": _normal(lambda fan_in, _: sqrt(2 / fan_in)),
    "lecun_uniform": _uniform(lambda fan_in, _: sqrt(3 / fan_in)),
    "lecun_normal": _normal(lambda fan_in, _: sqrt(1 / fan_in)),
    "variance_scaling": _normal(lambda fan_in, _: sqrt(1 / fan_in)),
    "orthogonal": _orthogonal,
    "random_uniform": _uniform(lambda *_: SPREAD),
    "uniform": _uniform(lambda *_: SPREAD),
    "random_normal": _random_normal,
    "normal": _random_normal,
    "truncated_normal": _normal(lambda *_: SPREAD * TRUNCATED),
    "zeros": lambda _, shape, *__: np.zeros(shape),
    "ones": lambda _, shape, *__: np.ones(shape),
}
"""The initializers by Keras's names, see `name_of`, with Keras's defaults.

Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
AISTATS 2010; He, Zhang, Ren and Sun, "Delving deep into rectifiers", ICCV 2015; LeCun, Bottou, Orr
and Müller, "Efficient BackProp", 1998; Saxe, McClelland and Ganguli, "Exact solutions to the
nonlinear dynamics of learning in deep linear neural networks", ICLR 2014, of orthogonal ones.
"""


def initializer_of(name: str, argument: str) -> Initializer:
    """The initializer given by its name as an argument.

    Raises:
        InvalidValueError: there is none of that name.
    """
    return INITIALIZERS[arguments.name_of(name, argument, tuple(INITIALIZERS))]

"""Muon."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod, sqrt
from typing import ClassVar

from gpucnn.backends import Array, Backend, Shape
from gpucnn.errors import InvalidValueError
from gpucnn.optimizers.adam import bias_correction
from gpucnn.optimizers.base import Optimizer, OptimizerState, Variable
from gpucnn.optimizers.schedules import Schedule
from gpucnn.utils import arguments

SMALLEST_NORM = 1e-7
"""Added to the norm of a direction, so that one of zeros stays zero."""


@dataclass(eq=False)
class Muon(Optimizer):
    """Steps of matrices in the direction of an orthogonal matrix; all else moves as by `AdamW`.

    The momentum of a matrix, see `Backend.momentum`, is scaled to norm 1 and then made nearly
    orthogonal: a step of Newton and Schulz, X <- a X + (b A + c A^2) X where A is X X', moves all
    its singular values towards 1. The parameters, decayed by learning_rate * weight_decay of
    themselves, move by -learning_rate * rms_rate * sqrt(max(rows, columns)) X.

    As in Keras, a matrix is a parameter of two axes, such as the kernel of a dense layer: that of a
    convolution has four, and moves as by `AdamW`. The output's layer should too: name it in
    `exclude_layers`.

    Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; Liu et al.,
    "Muon is scalable for LLM training", 2025, for `rms_rate` and the decay.

    Args:
        learning_rate: a number of at least 0, or a schedule.
        adam_beta_1: the decay rate of Adam's running mean of the gradients, in [0, 1).
        adam_beta_2: that of their squares, in [0, 1).
        adam_weight_decay: `weight_decay` of what moves as by `AdamW`.
        epsilon: added to Adam's denominator, above 0.
        weight_decay: the fraction of each element of a matrix to subtract, times the learning rate,
            at least 0; None for none.
        exclude_layers: regular expressions: a matrix in whose name, such as "dense_1.kernel", one
            of them is found moves as by `AdamW`. They hold from when the optimizer is compiled, as
            does the next.
        exclude_embeddings: whether so does a matrix that has "embedding" in its name.
        muon_a: the factor a.
        muon_b: the factor b.
        muon_c: the factor c.
        adam_lr_ratio: Adam's learning rate as a multiple of `learning_rate`, above 0.
        momentum: the decay rate of the momentum, in [0, 1).
        ns_steps: the steps of Newton and Schulz, at least 1.
        nesterov: whether to use Nesterov's momentum.
        rms_rate: the root of the mean square of a step's elements, about, times the learning rate,
            above 0; None for steps of -learning_rate X.

    Further arguments are those of `Optimizer`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    learning_rate: float | Schedule = 0.001
    adam_beta_1: float = 0.9
    adam_beta_2: float = 0.999
    adam_weight_decay: float | None = 0.004
    epsilon: float = 1e-7
    weight_decay: float | None = 0.004
    exclude_layers: Sequence[str] | None = None
    exclude_embeddings: bool = True
    muon_a: float = 3.4445
    muon_b: float = -4.7750
    muon_c: float = 2.0315
    adam_lr_ratio: float = 1.0
    momentum: float = 0.95
    ns_steps: int = 5
    nesterov: bool = True
    rms_rate: float | None = 0.2

    slot_names: ClassVar[tuple[str, ...]] = ("momentum", "square")
    square_names: ClassVar[tuple[str, ...]] = ("square",)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("adam_beta_1", "adam_beta_2", "momentum"):
            arguments.share(getattr(self, name), name)
        for name in ("weight_decay", "adam_weight_decay"):
            arguments.optional(arguments.non_negative_number, getattr(self, name), name)
        for name in ("muon_a", "muon_b", "muon_c"):
            arguments.number(getattr(self, name), name)
        for name in ("epsilon", "adam_lr_ratio"):
            arguments.positive_number(getattr(self, name), name)
        arguments.optional(arguments.positive_number, self.rms_rate, "rms_rate")
        arguments.positive_integer(self.ns_steps, "ns_steps")
        arguments.flag(self.exclude_embeddings, "exclude_embeddings")
        arguments.flag(self.nesterov, "nesterov")
        _check_expressions(self.exclude_layers)

    def place(
        self,
        backend: Backend,
        parameters: Array,
        layout: Sequence[Variable],
        state: OptimizerState | None = None,
    ) -> None:
        super().place(backend, parameters, layout, state)
        self._matrices = [each for each in layout if self._is_matrix(each)]
        self._others = _ranges(each for each in layout if not self._is_matrix(each))
        elements = max((prod(each.shape) for each in self._matrices), default=0)
        squares = max((min(each.shape) ** 2 for each in self._matrices), default=0)
        self._directions = [backend.empty((elements,), parameters.dtype) for _ in range(2)]
        self._squares = [backend.empty((squares,), parameters.dtype) for _ in range(2)]

    def factors(self, iteration: int) -> tuple[float, ...]:
        """The learning rate, and what Adam's steps are multiplied by besides."""
        correction = bias_correction(iteration, self.adam_beta_1, self.adam_beta_2)
        return (*super().factors(iteration), self.adam_lr_ratio * correction)

    def update(self, parameters: Array, gradients: Array, factors: Array) -> None:
        momentum, square = self.slots["momentum"], self.slots["square"]
        for each in self._others:
            self._backend.adam(
                parameters[each],
                gradients[each],
                momentum[each],
                square[each],
                factors[:1],
                factors[1:],
                beta_1=self.adam_beta_1,
                beta_2=self.adam_beta_2,
                epsilon=self.epsilon,
                weight_decay=self.adam_weight_decay or 0.0,
            )
        for matrix in self._matrices:
            self._backend.sgd(
                _view(parameters, matrix.shape, matrix.start),
                self._direction(matrix, gradients, momentum),
                None,
                factors[:1],
                momentum=0.0,
                nesterov=False,
                weight_decay=self.weight_decay or 0.0,
            )

    def _is_matrix(self, variable: Variable) -> bool:
        """Whether a parameter moves by Muon's rule."""
        if len(variable.shape) != 2:
            return False
        if self.exclude_embeddings and "embedding" in variable.name.lower():
            return False
        return not any(re.search(each, variable.name) for each in self.exclude_layers or ())

    def _direction(self, matrix: Variable, gradients: Array, momentum: Array) -> Array:
        """The direction of a matrix's step, real (rows, columns), which the next call overwrites.

        For a matrix of more rows than columns, A is X' X and a step X <- a X + X (b A + c A^2): the
        same for the transpose, with the smaller products.
        """
        backend, (rows, columns) = self._backend, matrix.shape
        is_tall, least = rows > columns, min(rows, columns)
        x, product = (_view(each, matrix.shape) for each in self._directions)
        a, b = (_view(each, (least, least)) for each in self._squares)
        backend.momentum(
            _view(gradients, matrix.shape, matrix.start),
            _view(momentum, matrix.shape, matrix.start),
            x,
            decay=self.momentum,
            nesterov=self.nesterov,
        )
        backend.unit_norm(x, epsilon=SMALLEST_NORM)
        for step in range(1, self.ns_steps + 1):
            backend.matmul(x, x, a, transpose_a=is_tall, transpose_b=not is_tall)
            backend.matmul(a, a, b)
            backend.axpby(a, b, alpha=self.muon_b, beta=self.muon_c)
            if is_tall:
                backend.matmul(x, b, product)
            else:
                backend.matmul(b, x, product)
            scale = self._scale(matrix) if step == self.ns_steps else 1.0
            backend.axpby(x, product, alpha=self.muon_a * scale, beta=scale)
            x, product = product, x
        return x

    def _scale(self, matrix: Variable) -> float:
        """The factor of the direction that makes steps as large for matrices of any shape."""
        return 1.0 if self.rms_rate is None else self.rms_rate * sqrt(max(matrix.shape))


def _view(vector: Array, shape: Shape, start: int = 0) -> Array:
    """The elements of a flat vector from `start` on, as an array of a shape."""
    return vector[start : start + prod(shape)].reshape(shape)


def _ranges(variables: Iterable[Variable]) -> list[slice]:
    """The ranges of the flat vectors that variables take up; those that meet are one."""
    ranges: list[slice] = []
    for each in variables:
        start, end = each.start, each.start + prod(each.shape)
        if ranges and ranges[-1].stop == start:
            start = ranges.pop().start
        ranges.append(slice(start, end))
    return ranges


def _check_expressions(expressions: object) -> None:
    """Check that expressions are None, or a list of regular ones.

    Raises:
        InvalidValueError: they are not.
    """
    if expressions is None:
        return
    if not isinstance(expressions, (list, tuple)):
        raise InvalidValueError(
            f"exclude_layers is {expressions!r}: it must be a list of names of layers, or None"
        )
    for each in expressions:
        arguments.regular_expression(each, "a name of exclude_layers")

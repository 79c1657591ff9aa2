"""Layers, a loss, an optimizer, a schedule and metrics as users define them, in array code."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, Shape
from gpucnn.layers import Layer, Step
from gpucnn.losses import Loss
from gpucnn.metrics import Metric
from gpucnn.optimizers import Optimizer, Schedule


@dataclass(eq=False, repr=False)
class Softplus(Layer):
    """log(1 + exp(sharpness x)) / sharpness."""

    sharpness: float = 1.0

    def build(self, input_shape: Shape) -> None:
        self.input_shape = self.output_shape = input_shape

    def forward(self, x: Array, step: Step | None) -> Array:
        self._x = x
        return self.xp.logaddexp(0, self.sharpness * x) / self.sharpness  # type: ignore[no-any-return]

    def backward(self, output_gradient: Array) -> Array:
        return output_gradient / (1 + self.xp.exp(-self.sharpness * self._x))  # type: ignore[no-any-return]


class Gains(Layer):
    """Multiplies each channel by a parameter, and turns the image upside down.

    It has neither fields nor arguments, and what it returns is not contiguous.
    """

    def build(self, input_shape: Shape) -> None:
        self.input_shape = self.output_shape = input_shape

    def parameter_shapes(self) -> dict[str, Shape]:
        return {"gain": self.input_shape[-1:]}

    def initial_parameters(self, generator: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        return {"gain": generator.uniform(0.5, 1.5, self.input_shape[-1:])}

    def forward(self, x: Array, step: Step | None) -> Array:
        self._x = x
        return (x * self.parameters["gain"])[:, ::-1]

    def backward(self, output_gradient: Array) -> Array:
        upright = output_gradient[:, ::-1]
        axes = tuple(range(upright.ndim - 1))
        self.gradients["gain"][...] = (upright * self._x).sum(axis=axes)
        return upright * self.parameters["gain"]


@dataclass(frozen=True)
class Cubed(Loss):
    """The mean of the cube of the difference from the label."""

    scale: float = 1.0

    def value(self, labels: Array, outputs: Array) -> Array:
        return self.scale * (abs(outputs - labels) ** 3).mean(axis=1)  # type: ignore[no-any-return]

    def gradient(self, labels: Array, outputs: Array) -> Array:
        off = outputs - labels
        return 3 * self.scale * self.xp.sign(off) * off**2 / outputs.shape[1]  # type: ignore[no-any-return]


@dataclass(eq=False)
class Signs(Optimizer):
    """Steps in the direction of the sign of a running sum of the gradients."""

    learning_rate: float | Schedule = 0.01

    slot_names: ClassVar[tuple[str, ...]] = ("sum",)

    def update(self, parameters: Array, gradients: Array, factors: Array) -> None:
        total = self.slots["sum"]
        total += gradients
        parameters -= factors[0] * self.xp.sign(total)


@dataclass(frozen=True)
class Halving(Schedule):
    """Half the rate every `steps_between` steps."""

    first: float
    steps_between: int

    def __call__(self, step: int) -> float:
        return self.first * 0.5 ** (step // self.steps_between)


@dataclass(frozen=True)
class Certainty(Metric):
    """The mean of the greatest output, to a power."""

    power: float = 1.0
    name: str = "certainty"

    def result(self, labels: NDArray[Any], outputs: NDArray[Any]) -> float:
        return float((outputs.max(axis=1) ** self.power).mean())


def doubt(labels: NDArray[Any], outputs: NDArray[Any]) -> Any:
    """1 less the greatest output, of each image."""
    return 1 - outputs.max(axis=1)

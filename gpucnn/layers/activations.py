"""Activations: functions of each element by itself."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from gpucnn.backends import Array, Calls, Shape
from gpucnn.layers.base import Layer, Settable, Step
from gpucnn.utils import arguments


class Elementwise(Layer):
    """A function of each element by itself, whose gradient follows from its input or its output."""

    gradient_takes_input: bool = False

    def build(self, input_shape: Shape) -> None:
        self.input_shape = self.output_shape = input_shape

    def forward(self, x: Array, step: Step | None) -> Array:
        output = self.buffer("output", len(x))
        self._apply(x, output)
        self._kept = x if self.gradient_takes_input else output
        return output

    def _bind(self, x: Array, calls: Calls) -> Array:
        output = self.buffer("output", len(x))
        calls.add(self._apply, self._laid_out(x, calls), output)
        return output

    def backward(self, output_gradient: Array) -> Array:
        input_gradient = self.buffer("input_gradient", len(output_gradient))
        self._apply_gradient(output_gradient, self._kept, input_gradient)
        return input_gradient

    @abstractmethod
    def _apply(self, x: Array, out: Array) -> None:
        """Write the function of `x` to `out`; both real and of one shape."""

    @abstractmethod
    def _apply_gradient(self, output_gradient: Array, kept: Array, input_gradient: Array) -> None:
        """Write the gradient of the input; all real and of one shape.

        Args:
            output_gradient: of the output.
            kept: the input if `gradient_takes_input`, else the output.
            input_gradient: is written.
        """


@dataclass(eq=False, repr=False)
class ReLU(Elementwise):
    """The positive part of each element, max(x, 0), or min(max(x, 0), max_value).

    The gradient at 0, and at `max_value`, is 0.

    Args:
        max_value: above 0, such as 6, with which it is called ReLU6; None for none.

    Raises:
        InvalidValueError: `max_value` is not such a number.
    """

    max_value: float | None = None

    def __post_init__(self) -> None:
        arguments.optional(arguments.positive_number, self.max_value, "max_value")
        # Of what is clipped the output does not tell whether it was: `max_value` may be rounded.
        vars(self)["gradient_takes_input"] = self.max_value is not None

    def _bind(self, x: Array, calls: Calls) -> Array:
        if self.max_value is not None:
            return super()._bind(x, calls)
        output = self.buffer("output", len(x))
        calls.add(self.backend.relu, self._laid_out(x, calls), output)
        return output

    def _apply(self, x: Array, out: Array) -> None:
        if self.max_value is None:
            self.backend.relu(x, out)
        else:
            self.backend.clipped_relu(x, self.max_value, out)

    def _apply_gradient(self, output_gradient: Array, kept: Array, input_gradient: Array) -> None:
        if self.max_value is None:
            self.backend.relu_gradient(output_gradient, kept, input_gradient)
        else:
            self.backend.clipped_relu_gradient(
                output_gradient, kept, self.max_value, input_gradient
            )


@dataclass(eq=False, repr=False)
class LeakyReLU(Elementwise):
    """Each element above 0 as it is, the others times a slope; so is the gradient.

    Args:
        negative_slope: at least 0.

    Raises:
        InvalidValueError: `negative_slope` is not such a number.
    """

    settable: ClassVar[Settable] = {"negative_slope": arguments.non_negative_number}

    negative_slope: float = 0.3

    def _apply(self, x: Array, out: Array) -> None:
        self.backend.leaky_relu(x, self.negative_slope, out)

    def _apply_gradient(self, output_gradient: Array, kept: Array, input_gradient: Array) -> None:
        self.backend.leaky_relu_gradient(output_gradient, kept, self.negative_slope, input_gradient)


@dataclass(eq=False, repr=False)
class ELU(Elementwise):
    """The exponential linear unit: x above 0, else alpha * (exp(x) - 1).

    Args:
        alpha: at least 0; the gradient at 0 is `alpha`.

    Raises:
        InvalidValueError: `alpha` is not such a number.
    """

    gradient_takes_input = True
    settable: ClassVar[Settable] = {"alpha": arguments.non_negative_number}

    alpha: float = 1.0

    def _apply(self, x: Array, out: Array) -> None:
        self.backend.elu(x, self.alpha, out)

    def _apply_gradient(self, output_gradient: Array, kept: Array, input_gradient: Array) -> None:
        self.backend.elu_gradient(output_gradient, kept, self.alpha, input_gradient)


@dataclass(eq=False, repr=False)
class GELU(Elementwise):
    """The Gaussian error linear unit, x (1 + erf(x / sqrt(2))) / 2."""

    gradient_takes_input = True

    def _apply(self, x: Array, out: Array) -> None:
        self.backend.gelu(x, out)

    def _apply_gradient(self, output_gradient: Array, kept: Array, input_gradient: Array) -> None:
        self.backend.gelu_gradient(output_gradient, kept, input_gradient)


@dataclass(eq=False, repr=False)
class SiLU(Elementwise):
    """The sigmoid linear unit, x / (1 + exp(-x)), also called swish."""

    gradient_takes_input = True

    def _apply(self, x: Array, out: Array) -> None:
        self.backend.silu(x, out)

    def _apply_gradient(self, output_gradient: Array, kept: Array, input_gradient: Array) -> None:
        self.backend.silu_gradient(output_gradient, kept, input_gradient)


@dataclass(eq=False, repr=False)
class Tanh(Elementwise):
    """The hyperbolic tangent."""

    def _apply(self, x: Array, out: Array) -> None:
        self.backend.tanh(x, out)

    def _apply_gradient(self, output_gradient: Array, kept: Array, input_gradient: Array) -> None:
        self.backend.tanh_gradient(output_gradient, kept, input_gradient)


@dataclass(eq=False, repr=False)
class Sigmoid(Elementwise):
    """The sigmoid, 1 / (1 + exp(-x))."""

    def _apply(self, x: Array, out: Array) -> None:
        self.backend.sigmoid(x, out)

    def _apply_gradient(self, output_gradient: Array, kept: Array, input_gradient: Array) -> None:
        self.backend.sigmoid_gradient(output_gradient, kept, input_gradient)

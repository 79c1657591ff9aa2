"""The fully connected layer."""

from collections.abc import Sequence
from dataclasses import InitVar, dataclass

from gpucnn.backends import Array, Backend, Calls, Shape
from gpucnn.errors import InvalidValueError
from gpucnn.layers.affine import Affine
from gpucnn.layers.base import Layer, Step
from gpucnn.regularizers import L2
from gpucnn.utils import arguments


@dataclass(eq=False, repr=False)
class Dense(Affine):
    """Each output is a weighted sum of all inputs, plus a bias.

    It maps (inputs,) to (units,), by a kernel (inputs, units).

    Args:
        units: the number of outputs.
        activation: as for `Affine`, like all that follow.
        use_bias: whether a bias is added.
        kernel_initializer: how the kernel begins.
        kernel_regularizer: its penalty, which is added to the loss.
        input_shape: of one image, of the first layer of a model; see `Input`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    units: int
    activation: str | Layer | None = None
    use_bias: bool = True
    kernel_initializer: str = "glorot_uniform"
    kernel_regularizer: str | L2 | None = None
    input_shape: InitVar[Sequence[int] | None] = None

    def __post_init__(self, input_shape: Sequence[int] | None) -> None:
        self._check_arguments(input_shape)
        arguments.positive_integer(self.units, "units")

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) != 1:
            raise InvalidValueError(
                f"{self.name} takes vectors of shape (inputs,), but its input has the shape "
                f"{input_shape}: put Flatten() before it"
            )
        self.input_shape = input_shape
        self.output_shape = (self.units,)

    def kernel_shape(self) -> Shape:
        return (*self.input_shape, self.units)

    def fans(self) -> tuple[int, int]:
        return self.input_shape[0], self.units

    def multiply_adds(self) -> int:
        return self.input_shape[0] * self.units

    def forward(self, x: Array, step: Step | None) -> Array:
        self._input = x  # for the gradient of the kernel
        output = self.buffer("output", len(x))
        self.backend.matmul(x, self.parameters["kernel"], output, bias=self.bias)
        return output

    def _bind(self, x: Array, calls: Calls) -> Array:
        output = self.buffer("output", len(x))
        self.backend.bind_dense(x, self.parameters["kernel"], self.bias, output, calls)
        return output

    def backward(self, output_gradient: Array) -> Array | None:
        input_gradient = self.input_gradient_buffer(len(output_gradient))
        compute_gradients(self.backend, self, self._input, output_gradient, input_gradient)
        return input_gradient


def compute_gradients(
    backend: Backend,
    dense: Dense,
    x: Array,
    output_gradient: Array,
    input_gradient: Array | None,
) -> None:
    """Compute the gradients of a dense layer, or of one that fuses it.

    Args:
        backend: the layer's.
        dense: the dense layer, whose gradients of parameters are written.
        x: real (n, inputs), its input.
        output_gradient: real (n, units).
        input_gradient: real (n, inputs), written, or None if it is not needed.
    """
    compute_parameter_gradients(backend, dense, x, output_gradient)
    if input_gradient is not None:
        kernel = dense.parameters["kernel"]
        backend.matmul(output_gradient, kernel, input_gradient, transpose_b=True)


def compute_parameter_gradients(
    backend: Backend, dense: Dense, x: Array, output_gradient: Array
) -> None:
    """Compute the gradients of the kernel and the bias alone, beside what follows."""
    with backend.branch():
        kernel_gradient, bias_gradient = dense.gradients["kernel"], dense.bias_gradient
        backend.dense_gradients(x, output_gradient, kernel_gradient, bias_gradient)

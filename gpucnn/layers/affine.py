"""What layers with a kernel share: a bias and an activation that may be left out."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, Backend, Shape
from gpucnn.errors import InvalidValueError
from gpucnn.layers.activations import ELU, GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Tanh
from gpucnn.layers.base import Layer, Settable
from gpucnn.layers.initializers import initializer_of
from gpucnn.regularizers import L2, regularizer_of
from gpucnn.utils import arguments

SOFTMAX = "softmax"
"""The activation of a model's last layer, which is computed with the loss, from the logits."""

ACTIVATION_LAYERS = (ReLU, LeakyReLU, ELU, GELU, SiLU, Tanh, Sigmoid)

ACTIVATIONS: dict[str, Callable[[], Layer]] = {
    "relu": ReLU,
    "relu6": lambda: ReLU(6.0),
    "leaky_relu": lambda: LeakyReLU(0.2),
    "elu": ELU,
    "gelu": GELU,
    "silu": SiLU,
    "swish": SiLU,
    "tanh": Tanh,
    "sigmoid": Sigmoid,
}
"""Makes the layer of an activation by Keras's name; "leaky_relu" has the slope of its function."""


def activation_layer(activation: str | Layer | None) -> Layer | None:
    """The layer of an activation; None for "linear", softmax and None.

    Raises:
        InvalidValueError: there is no such activation.
    """
    if activation in (None, "linear", SOFTMAX):
        return None
    if isinstance(activation, Layer) and (
        activation.is_own or type(activation) in ACTIVATION_LAYERS
    ):
        return activation
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise InvalidValueError(
            f"activation is {activation!r}: choose one of linear, {', '.join(ACTIVATIONS)}, "
            f"{SOFTMAX}, or give a layer such as LeakyReLU(0.1)"
        )
    return ACTIVATIONS[activation]()


class Affine(Layer):
    """A layer that multiplies by a kernel, and adds a bias.

    Attributes:
        activation: of the outputs, by Keras's name, or as a layer; None for none. It runs as a
            layer of its own, as if it followed this one in the model.
        use_bias: whether a bias is added.
        initializer_argument: the name of the argument that says how the kernel begins, one of
            `INITIALIZERS`; the bias begins as zeros.
        regularizer_argument: the name of the argument that is the kernel's penalty, an `L2`, "l2"
            or None.
        bias: real (units,), on the device: the parameter, or zeros.
        bias_gradient: real (units,), where its gradient is written, of use or not.
    """

    initializer_argument: ClassVar[str] = "kernel_initializer"
    regularizer_argument: ClassVar[str] = "kernel_regularizer"
    settable: ClassVar[Settable] = {"kernel_regularizer": regularizer_of}

    activation: str | Layer | None
    use_bias: bool
    bias: Array
    bias_gradient: Array

    def _check_arguments(self, input_shape: Sequence[int] | None) -> None:
        self._begin_model(input_shape)
        self._activation = activation_layer(self.activation)
        arguments.flag(self.use_bias, "use_bias")
        initializer_of(self._initializer, self.initializer_argument)

    def unrolled(self) -> tuple[Layer, ...]:
        return (self,) if self._activation is None else (self, self._activation)

    @property
    def _initializer(self) -> str:
        name: str = getattr(self, self.initializer_argument)
        return name

    @property
    def _regularizer(self) -> L2 | None:
        name = self.regularizer_argument
        return regularizer_of(getattr(self, name), name)

    @abstractmethod
    def kernel_shape(self) -> Shape:
        """The shape of the kernel."""

    @abstractmethod
    def fans(self) -> tuple[int, int]:
        """The inputs of an output, and the outputs of an input, for the initializer."""

    def parameter_shapes(self) -> dict[str, Shape]:
        bias = {"bias": self.output_shape[-1:]} if self.use_bias else {}
        return {"kernel": self.kernel_shape()} | bias

    def initial_parameters(self, generator: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        shapes = self.parameter_shapes()
        draw = initializer_of(self._initializer, self.initializer_argument)
        kernel = draw(generator, shapes.pop("kernel"), *self.fans())
        return {"kernel": kernel} | {name: np.zeros(shape) for name, shape in shapes.items()}

    def penalties(self) -> dict[str, float]:
        regularizer = self._regularizer
        return {} if regularizer is None else {"kernel": regularizer.l2}

    def place(
        self,
        backend: Backend,
        real: "np.dtype[np.floating]",
        parameters: dict[str, Array],
        gradients: dict[str, Array],
        state: Array,
    ) -> None:
        super().place(backend, real, parameters, gradients, state)
        shape = self.output_shape[-1:]
        self.bias, self.bias_gradient = (
            (parameters["bias"], gradients["bias"])
            if self.use_bias
            else (backend.zeros(shape, real), backend.empty(shape, real))
        )

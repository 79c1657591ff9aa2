"""What a list of layers may begin and end with, beside layers, as in Keras."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gpucnn.backends import Array, Shape
from gpucnn.errors import InvalidValueError
from gpucnn.layers.activations import Sigmoid
from gpucnn.layers.affine import SOFTMAX, Affine, activation_layer
from gpucnn.layers.base import Layer, Step
from gpucnn.layers.tensor import Tensor
from gpucnn.utils import arguments
from gpucnn.utils.keras.arguments import KerasArguments, keras_arguments


class Input(Tensor, metaclass=KerasArguments):
    """The images that a model takes: what its first layers are called on, or its list begins with.

    Args:
        shape: of one image, such as (28, 28, 1).
        dtype: that of the model, or None.

    Raises:
        InvalidValueError: `shape` is not the shape of an image.
    """

    def __init__(self, shape: Sequence[int], dtype: str | None = None) -> None:
        super().__init__(arguments.image_shape(shape, "shape"))
        self.dtype = dtype

    def __repr__(self) -> str:
        """The call that makes it, without the dtype."""
        return f"Input(shape={self.image_shape})"


@dataclass(eq=False, repr=False)
class Softmax(Layer):
    """The last of a model's layers: the probabilities of the classes.

    The loss takes the logits before it, so that nothing overflows, and predictions are their
    softmax. So it never runs as a layer; it is the same as `activation="softmax"` of the layer
    before.
    """

    def unrolled(self) -> tuple[Layer, ...]:
        return ()

    def build(self, input_shape: Shape) -> None:
        self.input_shape = self.output_shape = input_shape

    def forward(self, x: Array, step: Step | None) -> Array:
        raise NotImplementedError("softmax is computed with the loss")

    def backward(self, output_gradient: Array) -> Array:
        raise NotImplementedError("softmax is computed with the loss")


@keras_arguments
def Activation(  # noqa: N802 - a class in Keras
    activation: str | Layer, *, dtype: str | None = None, name: str | None = None
) -> Layer:
    """The layer of an activation, by Keras's name.

    Args:
        activation: the name, or the layer itself.
        dtype: that of the model, or None.
        name: of the layer, see there.

    Raises:
        InvalidValueError: there is no such activation.
    """
    layer = Softmax() if activation == SOFTMAX else activation_layer(activation)
    if layer is None:
        raise InvalidValueError(f"Activation({activation!r}) changes nothing: leave it out")
    if dtype is not None:
        vars(layer)["dtype"] = dtype  # as if its constructor had been given it
    if name is not None:
        layer.name = name
    return layer


def image_shape(layers: Sequence[Any]) -> Shape | None:
    """The shape of the images, if `Input` or the first layer tells it."""
    first = layers[0] if layers else None
    if isinstance(first, Input):
        return first.image_shape
    return first.given_shape if isinstance(first, Layer) else None


def without_input(layers: Sequence[Any]) -> list[Any]:
    """The layers after `Input`, if they begin with it."""
    return list(layers[1:] if layers and isinstance(layers[0], Input) else layers)


def ends_in_softmax(layers: Sequence[Any]) -> bool:
    """Whether the last layer is softmax, or has it as its activation."""
    last = layers[-1] if layers else None
    return isinstance(last, Softmax) or (isinstance(last, Affine) and last.activation == SOFTMAX)


def end_of(layers: Sequence[Layer]) -> str:
    """The activation of the last layer: "softmax", "sigmoid", or "linear" for any other."""
    if ends_in_softmax(layers):
        return SOFTMAX
    last = layers[-1].unrolled()[-1] if layers else None
    return "sigmoid" if type(last) is Sigmoid else "linear"

"""What a list of layers may begin and end with, beside layers, as in Keras."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gpucnn.backends import Shape
from gpucnn.errors import InvalidValueError
from gpucnn.layers.activations import Sigmoid
from gpucnn.layers.affine import SOFTMAX, Affine, activation_layer
from gpucnn.layers.base import Layer
from gpucnn.utils import arguments
from gpucnn.utils.keras.arguments import KerasArguments, keras_arguments


@dataclass(frozen=True)
class Input(metaclass=KerasArguments):
    """The shape of the images that a model takes, before its first layer.

    Args:
        shape: of one image, such as (28, 28, 1).

    Raises:
        InvalidValueError: `shape` is not the shape of an image.
    """

    shape: Sequence[int]

    def __post_init__(self) -> None:
        arguments.image_shape(self.shape, "shape")


@dataclass(frozen=True)
class Softmax(metaclass=KerasArguments):
    """The last of a model's layers: the probabilities of the classes.

    It is the same as `activation="softmax"` of the layer before.
    """


@keras_arguments
def Activation(  # noqa: N802 - a class in Keras
    activation: str | Layer, name: str | None = None
) -> Layer | Softmax:
    """The layer of an activation, by Keras's name.

    Args:
        activation: the name, or the layer itself.
        name: of the layer, see there; softmax, which is a part of the layer before, has none.

    Raises:
        InvalidValueError: there is no such activation.
    """
    if activation == SOFTMAX:
        return Softmax()
    layer = activation_layer(activation)
    if layer is None:
        raise InvalidValueError(f"Activation({activation!r}) changes nothing: leave it out")
    if name is not None:
        layer.name = name
    return layer


def image_shape(layers: Sequence[Any]) -> Shape | None:
    """The shape of the images, if `Input` or the first layer tells it."""
    first = layers[0] if layers else None
    if isinstance(first, Input):
        return tuple(first.shape)
    return first.given_shape if isinstance(first, Layer) else None


def without_ends(layers: Sequence[Any]) -> list[Any]:
    """The layers between `Input` and `Softmax`, which becomes the activation of the last of them.

    Raises:
        InvalidValueError: there is a `Softmax`, but no layer before it of which it can be the
            activation.
    """
    rest = list(layers[1:] if layers and isinstance(layers[0], Input) else layers)
    if not rest or not isinstance(rest[-1], Softmax):
        return rest
    last = rest[-2] if len(rest) > 1 else None
    if not isinstance(last, Affine) or last.activation not in (None, "linear", SOFTMAX):
        raise InvalidValueError(
            "Softmax() does not follow a layer of logits: end with Dense(classes), Softmax()"
        )
    last.activation = SOFTMAX
    return rest[:-1]


def ends_in_softmax(layers: Sequence[Layer]) -> bool:
    """Whether the last layer was given softmax as its activation."""
    last = layers[-1] if layers else None
    return isinstance(last, Affine) and last.activation == SOFTMAX


def end_of(layers: Sequence[Layer]) -> str:
    """The activation of the last layer: "softmax", "sigmoid", or "linear" for any other."""
    if ends_in_softmax(layers):
        return SOFTMAX
    last = layers[-1].unrolled()[-1] if layers else None
    return "sigmoid" if type(last) is Sigmoid else "linear"

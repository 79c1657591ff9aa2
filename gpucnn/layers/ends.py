"""What a list of layers may begin and end with, beside layers, as in Keras."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gpucnn.backends import Shape
from gpucnn.errors import InvalidValueError
from gpucnn.layers.affine import SOFTMAX, Affine, activation_layer
from gpucnn.layers.base import Layer
from gpucnn.utils import arguments


@dataclass(frozen=True)
class Input:
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
class Softmax:
    """The last of a model's layers: the probabilities of the classes.

    It is the same as `activation="softmax"` of the layer before.
    """


def Activation(activation: str | Layer) -> Layer | Softmax:  # noqa: N802 - a class in Keras
    """The layer of an activation, by Keras's name.

    Raises:
        InvalidValueError: there is no such activation.
    """
    if activation == SOFTMAX:
        return Softmax()
    layer = activation_layer(activation)
    if layer is None:
        raise InvalidValueError(f"Activation({activation!r}) changes nothing: leave it out")
    return layer


def without_ends(layers: Sequence[Any]) -> tuple[list[Any], Shape | None]:
    """The layers between `Input` and `Softmax`, and the shape of the images if they tell it.

    A `Softmax` becomes the activation of the layer before it.

    Raises:
        InvalidValueError: there is a `Softmax`, but no layer before it of which it can be the
            activation.
    """
    rest = list(layers)
    shape: Shape | None = None
    if rest and isinstance(rest[0], Input):
        shape = tuple(rest.pop(0).shape)
    elif rest and isinstance(rest[0], Layer):
        shape = rest[0].given_shape
    if rest and isinstance(rest[-1], Softmax):
        del rest[-1]
        last = rest[-1] if rest else None
        if not isinstance(last, Affine) or last.activation not in (None, "linear"):
            raise InvalidValueError(
                "Softmax() does not follow a layer of logits: end with Dense(classes), Softmax()"
            )
        last.activation = SOFTMAX
    return rest, shape

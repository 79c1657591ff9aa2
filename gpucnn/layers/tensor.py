"""What layers are called on before there are images, as in Keras's functional style."""

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, ClassVar, NoReturn

from gpucnn.backends import Shape
from gpucnn.errors import InvalidTypeError, InvalidValueError

NUMBERS = count()


class Tensor:
    """Images, or the output of a layer that was called, of which the shape alone is known.

    It has no numbers: a model computes them, once it is made, see `Model`.

    Args:
        image_shape: without the axis of the batch.
        layer: that gives it; None for images.
        inputs: what that layer takes.

    Attributes:
        number: greater than those of all tensors before it.
        needs_gradient: whether a layer up to it has parameters.
    """

    added: "ClassVar[Callable[[Sequence[Tensor]], Tensor]]"
    """What `+` does: it calls the layer `Add`, which is defined in terms of this class."""

    def __init__(
        self,
        image_shape: Shape,
        layer: Any = None,
        inputs: "Sequence[Tensor]" = (),
        *,
        needs_gradient: bool = False,
    ) -> None:
        self.image_shape, self.layer, self.inputs = image_shape, layer, tuple(inputs)
        self.needs_gradient, self.number = needs_gradient, next(NUMBERS)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The shape of a batch, whose number of images is None."""
        return (None, *self.image_shape)

    def __repr__(self) -> str:
        """The shape, and the layer."""
        return f"Tensor(shape={self.shape}, of {self.layer!r})"

    def __array_ufunc__(self, function: Callable[..., Any], *_: Any, **__: Any) -> NoReturn:
        """Say that functions of NumPy do not take it."""
        self._refuse(function.__name__)

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise InvalidTypeError(
            f"{self!r} has no numbers to compute with: give it to layers, such as Add()([x, y]), "
            "make a Model(inputs, outputs), and give images to that"
        )

    def __add__(self, other: Any) -> "Tensor":
        """The sum of two tensors, by `Add`."""
        return type(self).added([self, other]) if isinstance(other, Tensor) else self._refuse()

    __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __matmul__ = __rmatmul__ = __pow__ = __neg__ = __abs__ = __getitem__ = __len__ = __iter__ = (
        _refuse
    )
    __array__ = __array_function__ = __float__ = __int__ = __bool__ = _refuse


def check_is_called_for_both(training: bool | None) -> None:
    """Check the argument `training` of what is called on a tensor.

    Raises:
        InvalidValueError: it is given.
    """
    if training is not None:
        raise InvalidValueError(
            f"training is {training!r}, but a layer does what is due in fit, and in use, wherever "
            "it is called: leave it out"
        )

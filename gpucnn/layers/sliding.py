"""What convolution and pooling share as layers: a window over images."""

from gpucnn.backends import Shape, Window
from gpucnn.backends.window import Padding, Pair
from gpucnn.errors import InvalidValueError


def slide(layer: str, input_shape: Shape, size: Pair, strides: Pair, padding: Padding) -> Window:
    """The window of the layer named `layer` over images of `input_shape`.

    Raises:
        InvalidValueError: the input is not (height, width, channels), or the window does not fit.
    """
    if len(input_shape) != 3:
        raise InvalidValueError(
            f"{layer} takes images of shape (height, width, channels), "
            f"but its input has the shape {input_shape}: give the model an input_shape such as "
            "(28, 28, 1), and put this layer before Flatten and Dense"
        )
    height, width, _ = input_shape
    if padding == "valid" and (height < size[0] or width < size[1]):
        raise InvalidValueError(
            f"{layer} slides a window of {size} over its input, but that has the shape "
            f'{input_shape}: use a smaller window, fewer layers before it, or padding="same"'
        )
    return Window((height, width), size, strides, padding)

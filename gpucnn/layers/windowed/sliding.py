"""The window of convolution and pooling layers."""

from gpucnn.backends import Shape, Window
from gpucnn.backends.window import Padding, Pair
from gpucnn.errors import InvalidValueError


def slide(
    layer: str,
    input_shape: Shape,
    size: Pair,
    strides: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
) -> Window:
    """Make the window of a layer.

    Args:
        layer: its name, for error messages.
        input_shape: of one image.
        size: (height, width).
        strides: (vertical, horizontal).
        padding: "valid" or "same".
        dilation: how many pixels its elements are apart, (vertical, horizontal).

    Raises:
        InvalidValueError: `input_shape` is not (height, width, channels), or the window does not
            fit.
    """
    height, width = image_size(layer, input_shape)
    window = Window((height, width), size, strides, padding, dilation)
    if padding == "valid" and (height < window.extent[0] or width < window.extent[1]):
        dilated = "" if dilation == (1, 1) else f", extended to {window.extent} by its dilation,"
        raise InvalidValueError(
            f"{layer} slides a window of {size}{dilated} over its input, but that has the shape "
            f'{input_shape}: use a smaller window, fewer layers before it, or padding="same"'
        )
    return window


def image_size(layer: str, input_shape: Shape) -> Pair:
    """The (height, width) of the images that a layer takes.

    Args:
        layer: its name, for error messages.
        input_shape: of one image.

    Raises:
        InvalidValueError: `input_shape` is not (height, width, channels).
    """
    if len(input_shape) != 3:
        raise InvalidValueError(
            f"{layer} takes images of shape (height, width, channels), "
            f"but its input has the shape {input_shape}: give the model an input_shape such as "
            "(28, 28, 1), and put this layer before Flatten and Dense"
        )
    height, width, _ = input_shape
    return height, width

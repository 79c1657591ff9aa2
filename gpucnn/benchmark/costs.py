"""The least that layers need: floating-point operations, and bytes moved.

A comparison, an addition and a multiplication are an operation each; a multiply-add is two, and the
bias takes the place of the addition that a sum of k products does not need. Bytes are those of the
inputs, the parameters and the outputs, once each; a layer that stands for others, see `fuse`, moves
nothing between them.
"""

from math import prod

from gpucnn.layers import Conv2D, Dense, Flatten, FusedConv2D, Layer, MaxPool2D


def operations(layer: Layer, direction: str, batch: int) -> int:
    """The least operations of a placed layer for a batch.

    Args:
        layer: of any kind but dropout.
        direction: "forward" or "backward".
        batch: the number of images.
    """
    count = _forward if direction == "forward" else _backward
    return batch * sum(count(part) for part in _parts(layer))


def bytes_moved(layer: Layer, direction: str, batch: int) -> int:
    """The least bytes that a placed layer moves for a batch; arguments as for `operations`.

    Backward, that is the gradient of the output, and the gradient of the input where it is needed;
    of layers with parameters the input, the parameters and their gradients. What ReLU and pooling
    have to know of the pass forward is a bit or two for each element, and not counted.
    """
    if isinstance(layer, Flatten):
        return 0
    inputs, outputs = prod(layer.input_shape), prod(layer.output_shape)
    parameters = sum(each.size for each in layer.parameters.values())
    if direction == "forward":
        numbers = batch * (inputs + outputs) + parameters
    else:
        passed_on = inputs if layer.needs_input_gradient else 0
        looked_at = inputs if layer.has_parameters else 0
        read = parameters if layer.needs_input_gradient else 0
        numbers = batch * (outputs + passed_on + looked_at) + read + parameters
    return numbers * layer.real.itemsize


def _parts(layer: Layer) -> tuple[Layer, ...]:
    return layer.parts if isinstance(layer, FusedConv2D) else (layer,)


def _forward(layer: Layer) -> int:
    """For one image."""
    if isinstance(layer, (Conv2D, Dense)):
        return 2 * layer.multiply_adds()
    if isinstance(layer, MaxPool2D):
        return (layer.window.elements - 1) * prod(layer.output_shape)
    return _elementwise(layer)


def _backward(layer: Layer) -> int:
    """For one image."""
    if isinstance(layer, (Conv2D, Dense)):
        products = 2 if layer.needs_input_gradient else 1
        return 2 * products * layer.multiply_adds() + prod(layer.output_shape)
    return _elementwise(layer) if layer.needs_input_gradient else 0


def _elementwise(layer: Layer) -> int:
    return 0 if isinstance(layer, Flatten) else prod(layer.output_shape)

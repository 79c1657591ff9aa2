"""Gradients by central differences, as the reference for computed gradients.

The difference quotient (f(p + h) - f(p - h)) / 2h of a smooth function is off by h^2 / 6 times its
third derivative and, because f is rounded, by about eps |f| / h. For float64 and functions whose
values and derivatives are of the order of 1, the sum is least near h = eps^(1/3), about 1e-5, and
is about 1e-11 there: far below the `TOLERANCE`, which is far below what a mistake makes.

At a kink (an input of 0 to ReLU, a tie in a pool) there is no derivative, and a kink nearer than h
falsifies the quotient. So the functions are taken where the next kink is well over h away:
`distinct` gives the inputs of a layer, `smooth_images` those of a network.
"""

from collections.abc import Callable
from itertools import count

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array
from gpucnn.layers import GlobalMaxPooling2D, Layer, MaxPool2D, ReLU, Step
from gpucnn.models.graph import IMAGES
from gpucnn.models.network import Network
from gpucnn.models.replica.passes import taken

STEP = 1e-5
TOLERANCE = 1e-6  # of the norm of the gradient
WEIGHTS_SEED = 2718
CLEARANCE = 20 * STEP  # for a change of STEP that grows on its way through a network


def central_differences(function: Callable[[], float], point: Array) -> NDArray[np.float64]:
    """The numerical gradient of `function` with respect to `point`, a float64 array it reads."""
    gradient = np.empty(point.shape)
    for index in np.ndindex(point.shape):
        value = point[index]
        point[index] = value + STEP
        above = function()
        point[index] = value - STEP
        below = function()
        point[index] = value
        gradient[index] = (above - below) / (2 * STEP)
    return gradient


def assert_gradient(
    function: Callable[[], float], point: Array, gradient: Array, name: str = "point"
) -> None:
    """Fail unless `gradient` is the gradient of `function` with respect to `point`."""
    expected = central_differences(function, point)
    error = np.linalg.norm(gradient - expected)
    allowed = TOLERANCE * np.linalg.norm(expected)
    assert error <= allowed, f"the gradient of {name} is off by {error}, more than {allowed}"


def assert_layer_gradients(layer: Layer, x: Array, step: Step | None = None) -> None:
    """Fail unless `backward` gives the gradients of the input `x` and of all parameters.

    They are those of a weighted sum of the outputs, the weights being the output gradient.
    """
    step = step or Step()
    # Of a seed of their own: weighted by what the inputs were drawn as, a normalisation's outputs
    # have a sum that hardly depends on the inputs, and rounding is all that is left to compare.
    weights = np.random.default_rng(WEIGHTS_SEED).standard_normal((len(x), *layer.output_shape))

    def weighted_sum() -> float:
        return float(np.vdot(weights, layer.forward(x, step)))

    weighted_sum()
    input_gradient = layer.backward(weights)
    assert input_gradient is not None
    assert_gradient(weighted_sum, x, input_gradient.copy(), "the input")
    for name, parameter in layer.parameters.items():
        assert_gradient(weighted_sum, parameter, layer.gradients[name], name)


def assert_network_gradients(network: Network, loss: Callable[[], float], gradients: Array) -> None:
    """Fail unless the flat vector `gradients` is the gradient of `loss`, parameter by parameter."""
    start = 0
    for layer in network.replica.plain:
        for key, parameter in layer.parameters.items():
            gradient = gradients[start : start + parameter.size].reshape(parameter.shape)
            assert_gradient(loss, parameter, gradient, f"{layer.name}.{key}")
            start += parameter.size
    assert start == gradients.size


def distinct(generator: np.random.Generator, *shape: int) -> NDArray[np.float64]:
    """Numbers in [-1, 1], well separated from each other and from 0."""
    size = int(np.prod(shape))
    spacing = 2 / size
    assert spacing > CLEARANCE
    places = generator.permutation(size).astype(np.float64).reshape(shape)
    return (places - size // 2 + 0.25) * spacing


def smooth_images(network: Network, images: int) -> NDArray[np.float64]:
    """Images far from every kink of the network."""
    for seed in count():
        x = np.random.default_rng(seed).standard_normal((images, *network.input_shape))
        if _distance_to_kink(network, x) > CLEARANCE:
            return x
    raise AssertionError("unreachable")


def _distance_to_kink(network: Network, x: Array) -> float:
    distances = [np.inf]
    outputs = {IMAGES: x}
    for number, stretch in enumerate(network.replica.stretches):
        x = taken(stretch.inputs, outputs)
        for layer in stretch.layers:
            layer.reserve(len(outputs[IMAGES]), training=True)
            if isinstance(layer, ReLU):
                kinks = (0, layer.max_value or 0)
                distances += [float(np.abs(x - kink).min()) for kink in kinks]
            if isinstance(layer, (MaxPool2D, GlobalMaxPooling2D)):
                distances.append(_gap(layer, x))
            x = layer.forward(x, Step())
        outputs[number] = x
    return min(distances)


def _gap(pool: MaxPool2D | GlobalMaxPooling2D, x: Array) -> float:
    """The smallest gap between the maximum and the runner-up, over windows that are not all zeros.

    Zeros are what ReLU makes of all negative inputs, and a small change leaves them zeros.
    """
    seen = np.full((pool.window.elements, len(x), *pool.window.output, x.shape[3]), -np.inf)
    for tap in pool.window.taps:
        seen[(tap.index, *tap.outputs)] = x[tap.inputs]
    second, first = np.sort(seen, axis=0)[-2:]
    gaps = first - second
    return float(gaps[(first != 0) | (second != 0)].min(initial=np.inf))

"""Layers that move, scale and vary images beside those of Keras 3: `python tests/peers/images.py`.

To be run by hand where Keras and JAX are installed. Both have the same images and gradients of the
output, in float64; gpucnn computes on the CPU and in the simulator of its kernels. Prints a line a
case, and exits with 1 if outputs or gradients of the input differ by more than `TOLERANCE`. (On
PyTorch, Keras takes the root in `Normalization` in float32.)

What varies images is compared where nothing is left to chance: shifts, angles and zooms whose
lowest and highest share are one. Of flips and shears, each image that Keras's layer makes has to be
one of those made here: in the mode "horizontal_and_vertical" these are four flips, as Keras draws
once for both, and of shears along both axes four, as Keras draws one side for both.

Maps of images are rounded to units of 2^-16 of a pixel, by at most half a unit for each row and
column, and for two starts. Along each axis a pixel changes by at most twice the largest over one
pixel: that is `MAP_TOLERANCE`, of pixels that are interpolated.
"""

import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn import get_backend, layers
from gpucnn.backends.ops.images.resampling import FILL_MODES, PIXEL
from gpucnn.layers import Layer, Step

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"
import jax
import keras

TOLERANCE = 1e-9  # of the largest number of an array
IMAGE, IMAGES = (16, 8, 3), 6
DEVICES = ("cpu", "simulator")

Reals = NDArray[np.float64]

DIFFERENTIABLE: list[tuple[str, dict[str, Any]]] = [
    ("Flatten", {}),
    ("Reshape", {"target_shape": (8, 48)}),
    ("Reshape", {"target_shape": (-1, 4, 6)}),
    ("ZeroPadding2D", {}),
    ("ZeroPadding2D", {"padding": (2, 0)}),
    ("ZeroPadding2D", {"padding": ((1, 2), (3, 4))}),
    ("Cropping2D", {}),
    ("Cropping2D", {"cropping": 3}),
    ("Cropping2D", {"cropping": ((1, 0), (2, 5))}),
    ("Rescaling", {"scale": 1 / 255}),
    ("Rescaling", {"scale": 1 / 127.5, "offset": -1.0}),
    ("Rescaling", {"scale": [0.5, 2.0, -3.0], "offset": [1.0, 0.0, 0.25]}),
    ("Normalization", {"mean": 0.3, "variance": 2.5}),
    ("Normalization", {"mean": [0.1, -0.2, 7.0], "variance": [4.0, 1e-20, 0.5]}),
]
"""Layers, and arguments of theirs."""

MAP_TOLERANCE = 2 * 2 * (sum(IMAGE[:2]) + 2) / 2 / PIXEL

MAPS: list[tuple[str, dict[str, Any]]] = [
    *(("RandomRotation", {"factor": (a, a)}) for a in (0.0, 0.25, -0.5, 1.0, 0.01, -0.13)),
    *(("RandomZoom", {"height_factor": (z, z)}) for z in (0.0, 0.25, -0.3)),
    ("RandomZoom", {"height_factor": (0.93, 0.93), "width_factor": (-0.47, -0.47)}),
    ("RandomZoom", {"height_factor": (-0.1, -0.1), "width_factor": (0.37, 0.37)}),
    ("RandomShear", {}),
    ("RandomShear", {"x_factor": (0.47, 0.47)}),
    ("RandomShear", {"y_factor": (1.0, 1.0)}),
    ("RandomShear", {"x_factor": (0.23, 0.23), "y_factor": (0.11, 0.11)}),
]
"""Layers that map images, with but one map, or of shears with those to either side. No place is
halfway between two pixels: there Keras takes the one that is farther from 0 for the nearest."""

OF_NUMBERS: list[tuple[str, dict[str, Any]]] = [
    *(("RandomBrightness", {"factor": (f, f), "value_range": (-1, 2)}) for f in (0.25, -0.5, 1)),
    ("RandomContrast", {"factor": (0, 0), "value_range": (-1, 2)}),
    ("RandomErasing", {"factor": 0.0}),
    ("RandomErasing", {"factor": (1, 1), "scale": (1, 1), "fill_value": 0.5}),
    ("RandomErasing", {"factor": (1, 1), "scale": (1, 1), "fill_value": 9, "value_range": (0, 1)}),
]
"""Layers that change the numbers of images, of which no number is left to chance."""

SHIFTS = [(0.0, 0.0), (3 / 64, -5 / 32), (-0.5, 0.25), (11 / 64, 19 / 32), (1.0, -1.0)]
"""Shares of the height and the width that are whole multiples of 2^-16 of a pixel."""


def ours(
    kind: str, arguments: dict[str, Any], x: Reals, device: str, adapted_to: Any = None
) -> tuple[Reals, Any]:
    """The output in training of a layer of gpucnn, and the gradient of `x`, None if it has none."""
    layer: Layer = getattr(layers, kind)(**arguments)
    if adapted_to is not None:
        assert isinstance(layer, layers.Normalization)
        layer.adapt(adapted_to)
    backend = get_backend(device)
    layer.needs_input_gradient = not kind.startswith("Random")
    layer.build(x.shape[1:])
    layer.place(backend, np.dtype(np.float64), {}, {}, np.empty(0))
    layer.reserve(len(x), training=True)
    out = layer.forward(backend.asarray(x), Step(backend.asarray(np.array([1]))))
    gradient = layer.backward(backend.asarray(output_gradient(out.shape)))
    return np.array(out), None if gradient is None else np.array(gradient)


def theirs(
    kind: str, arguments: dict[str, Any], x: Reals, adapted_to: Any = None
) -> tuple[Reals, Any]:
    """Likewise, of Keras."""
    layer = getattr(keras.layers, kind)(**arguments)
    if adapted_to is not None:
        layer.adapt(adapted_to)
    if kind.startswith("Random"):
        return np.array(layer(x, training=True)), None
    out, gradient_of = jax.vjp(layer, x)
    return np.array(out), np.array(gradient_of(output_gradient(out.shape))[0])


def output_gradient(shape: tuple[int, ...]) -> Reals:
    """The gradient of an output of that shape."""
    return np.random.default_rng(2).standard_normal(shape)


def difference(one: tuple[Reals, Any], other: tuple[Reals, Any]) -> float:
    """The largest difference, relative to the largest number of its array."""
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a is not None]
    assert [a.shape for a, _ in pairs] == [b.shape for _, b in pairs]
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)


def differences(device: str) -> Iterator[tuple[float, str]]:
    """The difference of each case on a device, and what it is of."""
    x = np.random.default_rng(0).standard_normal((IMAGES, *IMAGE))
    for kind, arguments in DIFFERENTIABLE:
        pair = ours(kind, arguments, x, device), theirs(kind, arguments, x)
        yield difference(*pair), f"{kind} {arguments}"
    images = np.random.default_rng(1).integers(0, 256, (300, *IMAGE), np.uint8)
    for axis in (-1, None):
        data, arguments = images.astype(np.float64), {"axis": axis}
        mine = ours("Normalization", arguments, x, device, images)
        yield (
            difference(mine, theirs("Normalization", arguments, x, data)),
            f"Normalization {arguments}, adapted",
        )
    for fill_mode in FILL_MODES:
        for down, right in SHIFTS:
            arguments = {
                "height_factor": (down, down),
                "width_factor": (right, right),
                "fill_mode": fill_mode,
                "fill_value": 0.7,
            }
            pair = (
                ours("RandomTranslation", arguments, x, device),
                theirs("RandomTranslation", arguments, x),
            )
            yield difference(*pair), f"RandomTranslation {fill_mode} by {down}, {right}"
    yield from of_maps(x, device)
    for kind, arguments in OF_NUMBERS:
        yield from_nearest(kind, arguments, x[:1], device)[0], f"{kind} {arguments}"
    for mode, count in (("horizontal", 2), ("vertical", 2), ("horizontal_and_vertical", 4)):
        yield of_flips(mode, count, x[:1], device), f"RandomFlip {mode}"


def of_maps(x: Reals, device: str) -> Iterator[tuple[float, str]]:
    """The difference of each case of a map, as a share of what is allowed."""
    for interpolation, allowed in (("bilinear", MAP_TOLERANCE), ("nearest", TOLERANCE)):
        for fill_mode in FILL_MODES:
            filling = {"fill_mode": fill_mode, "fill_value": 0.7, "interpolation": interpolation}
            for kind, arguments in MAPS:
                apart = from_nearest(kind, arguments | filling, x[:1], device)[0]
                share = apart / np.abs(x[:1]).max() / allowed
                yield share * TOLERANCE, f"{kind} {arguments | filling}, of {allowed:.0e}"


def of_flips(mode: str, count: int, x: Reals, device: str) -> float:
    """The largest difference of an image that Keras makes of `x` from the nearest of `count`."""
    apart, made = from_nearest("RandomFlip", {"mode": mode}, x, device)
    assert made == count
    return apart


def from_nearest(kind: str, arguments: dict[str, Any], x: Reals, device: str) -> tuple[float, int]:
    """The largest difference of an image that Keras makes of `x` from the nearest made here.

    Returns:
        It, and how many are made here.
    """
    images = np.repeat(x, 60, axis=0)
    made = np.unique(ours(kind, arguments, images, device)[0], axis=0)
    possible = theirs(kind, arguments, images)[0]
    apart = np.abs(made[:, None] - possible).max((2, 3, 4))
    return float(apart.min(0).max()), len(made)


def main() -> int:
    """Compare all; the exit status."""
    keras.config.set_floatx("float64")
    print(f"Keras {keras.__version__} on JAX {jax.__version__}, in float64")
    count, worst = 0, 0.0
    for device in DEVICES:
        for apart, what in differences(device):
            count, worst = count + 1, max(worst, apart)
            print(f"{apart:8.1e}  {device:9}  {what}")
    print(f"{count} cases, the largest difference {worst:.1e}")
    return int(not worst <= TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())

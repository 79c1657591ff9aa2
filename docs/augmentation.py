"""A batch, and what each layer that varies images makes of it: `python docs/augmentation.py`.

Writes docs/pictures/augmentation.png; needs Matplotlib, the extra `plot`.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gpucnn import (
    CutMix,
    Dense,
    Flatten,
    MixUp,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
    Rescaling,
    Sequential,
    load_mnist,
)
from gpucnn.layers import Layer, MixingLayer, Step

PICTURE = Path(__file__).parent / "pictures" / "augmentation.png"
IMAGES = 12

LAYERS: list[Layer] = [
    RandomFlip("horizontal"),
    RandomTranslation(0.2, 0.2, "constant"),
    RandomRotation(0.1, "constant"),
    RandomZoom(0.4, fill_mode="constant"),
    RandomShear(0.4, fill_mode="constant"),
    RandomCrop(20, 20),
    RandomErasing((1.0, 1.0), (0.1, 0.3)),
    RandomBrightness(0.6),
    RandomContrast(0.9),
    MixUp(1.0),
    CutMix((1.0, 1.0)),
]


def varied(layer: Layer, images: NDArray[np.uint8]) -> NDArray[Any]:
    """What the first step of training makes of a batch."""
    model = Sequential([layer, Rescaling(1 / 255), Flatten(), Dense(10)], images.shape[1:], seed=7)
    backend, lane = model.replica.backend, model.replica.lane
    lane.reserve(len(images), training=True)
    step = Step(backend.asarray(np.array([1])), 0, len(images))
    if not isinstance(layer, MixingLayer):
        return np.array(layer.forward(images.astype(np.float32), step))

    def gather(indices: NDArray[np.int64], out: NDArray[Any]) -> None:
        out[...] = images[indices]

    shares = np.zeros((2, len(images)), np.float32)
    batch = np.arange(len(images))
    return np.array(layer.mix(images.astype(np.float32), batch, step, gather, shares)[0])


def main() -> None:
    """Draw a row for the batch, and one for each layer."""
    images = load_mnist()[0][0][:IMAGES].reshape(IMAGES, 28, 28, 1)
    rows = [("the batch", images.astype(np.float32))]
    rows += [(repr(layer), varied(layer, images)) for layer in LAYERS]
    figure = Figure(figsize=(8, 9.2), layout="constrained")
    grid = figure.add_gridspec(len(rows), 1, hspace=0)
    for number, (name, made) in enumerate(rows):
        axes = figure.add_subplot(grid[number])
        line = np.concatenate([np.pad(each[..., 0], 1, constant_values=255) for each in made], 1)
        axes.imshow(line, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_title(name, loc="left", fontsize=8, family="monospace", pad=2)
        axes.set_axis_off()
    figure.savefig(PICTURE, dpi=100)


if __name__ == "__main__":
    main()

"""What a model says of images, and why, as JSON."""

import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpucnn.models.pictures.passes import Explanation
from gpucnn.utils.arithmetic import ceil_div

MOST_MAPS, LONGEST_SIDE = 64, 64
"""Of a layer, the first maps are sent, of larger ones every second pixel, third, and so on."""


class Answer(NamedTuple):
    """What a model says of an image.

    Attributes:
        probabilities: float64 (classes,).
        class_names: by number.
        pixels: uint8 (height, width, channels), what it was given.
        explanation: of a batch; None if nobody asked.
        number: of the image in that batch.
    """

    probabilities: NDArray[np.float64]
    class_names: Sequence[str]
    pixels: NDArray[np.uint8]
    explanation: Explanation | None = None
    number: int = 0

    def encode(self) -> bytes:
        """The answer as JSON."""
        values = self.probabilities.tolist()
        said: dict[str, Any] = {
            "class": self.class_names[int(self.probabilities.argmax())],
            "probabilities": dict(zip(self.class_names, values, strict=True)),
        }
        if self.explanation is not None:
            said |= self._explained(self.explanation)
        return json.dumps(said, separators=(",", ":")).encode()

    def _explained(self, explanation: Explanation) -> dict[str, Any]:
        maps = {name: each[self.number] for name, each in explanation.maps.items()}
        sizes = np.abs(explanation.saliency.gradients[self.number]).max(axis=2, keepdims=True)
        return {
            "pixels": _image(np.moveaxis(self.pixels, 2, 0)),
            "layers": [{"name": name} | _image(_shown(each)) for name, each in maps.items()],
            "saliency": _image(as_bytes(sizes[None, ..., 0], low=0)),
        }


def _shown(maps: NDArray[Any]) -> NDArray[np.uint8]:
    """Feature maps, real (height, width, channels), as (channels, height, width), see above."""
    step = ceil_div(max(maps.shape[:2]), LONGEST_SIDE)
    return as_bytes(np.moveaxis(maps[::step, ::step, :MOST_MAPS], 2, 0))


def as_bytes(images: NDArray[Any], low: float | None = None) -> NDArray[np.uint8]:
    """Images, real (n, height, width), each scaled to its own range; one colour is 0.

    Args:
        images: see above.
        low: what becomes 0; None for the least value of each.
    """
    least = images.min(axis=(1, 2), keepdims=True) if low is None else low
    width = images.max(axis=(1, 2), keepdims=True) - least
    scaled = (images - least) / np.where(width > 0, width, 1)
    levels: NDArray[np.uint8] = np.rint(255 * scaled.clip(0, 1)).astype(np.uint8)
    return levels


def _image(images: NDArray[np.uint8]) -> dict[str, Any]:
    """Bytes (channels, height, width) as JSON."""
    channels, rows, columns = images.shape
    data = b64encode(images.tobytes()).decode()
    return {"rows": rows, "columns": columns, "channels": channels, "data": data}

"""Folders of small pictures, for tests."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Colour = tuple[int, int, int]
RED, GREEN, BLUE = (200, 0, 0), (0, 200, 0), (0, 0, 200)


def picture(colour: Colour = RED, size: tuple[int, int] = (6, 4)) -> Image.Image:
    """A picture of one colour; `size` is (height, width)."""
    return Image.new("RGB", size[::-1], colour)


def save(image: Image.Image, path: Path, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def write_classes(
    folder: Path, names: Iterable[str], count: int = 5, size: tuple[int, int] = (6, 4)
) -> Path:
    """A folder for each name, with pictures whose colour tells their class and number."""
    for label, name in enumerate(names):
        for number in range(count):
            save(
                picture((40 * label % 256, 10 * number % 256, 100), size),
                folder / name / f"{number}.png",
            )
    return folder


def colours(images: NDArray[np.uint8]) -> Sequence[Colour]:
    """The colour of the first pixel of each image."""
    return [(int(r), int(g), int(b)) for r, g, b in images[:, 0, 0]]

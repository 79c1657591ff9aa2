"""Ink as pixels, in the browser and by the library."""

import base64
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page

from browser import MODULES, ONE, SEVEN, THREE, ZERO
from gpucnn.datasets.digits.digits import read_digit

DRAW = """async ([modules, points, width, [height, side], shape]) => {
    const { Plane, toPixels } = await import(`${modules}/digit.js`);
    const canvas = Object.assign(document.createElement("canvas"), { width: side, height });
    const context = canvas.getContext("2d");
    Object.assign(context, { lineWidth: width, lineCap: "round", lineJoin: "round" });
    context.fillRect(0, 0, side, height);
    context.strokeStyle = "white";
    for (const [x, y] of points) context.lineTo(x, y);
    context.stroke();
    const { data } = context.getImageData(0, 0, side, height);
    const ink = Float64Array.from({ length: side * height }, (_, i) => data[4 * i]);
    return [[...toPixels(new Plane(height, side, ink), shape)], canvas.toDataURL()];
}"""

SIDE = 280


def draw(
    page: Page,
    points: NDArray[np.float64],
    path: Path,
    width: float = 20,
    size: tuple[int, int] = (SIDE, SIDE),
    shape: tuple[int, int, int] = (28, 28, 1),
) -> NDArray[np.uint8]:
    """What the browser makes of a stroke, whose picture is written to `path`."""
    pixels, url = page.evaluate(DRAW, [MODULES, points.tolist(), width, size, shape])
    path.write_bytes(base64.b64decode(url.partition(",")[2]))
    return np.array(pixels, np.uint8).reshape(shape)


def random_stroke(seed: int) -> NDArray[np.float64]:
    """A stroke that wanders, of any size and place."""
    random = np.random.default_rng(seed)
    steps = random.normal(0, 1, (12, 2)).cumsum(axis=0)
    shares = (steps - steps.min(axis=0)) / np.ptp(steps, axis=0)
    size = random.uniform(0.35, 0.8, 2)
    points: NDArray[np.float64] = SIDE * (0.05 + random.uniform(0, 0.9 - size) + shares * size)
    return points


def check(page: Page, points: NDArray[np.float64], path: Path, width: float = 20) -> None:
    """Check that a digit becomes what the library makes of its picture, but for rounding.

    A pixel is rounded after a sum of at most 2 x 255 weights, in float32 there and in float64 here:
    it can differ by one.
    """
    found = draw(page, points, path, width)[..., 0].astype(int)
    expected = read_digit(path).astype(int)
    assert abs(found - expected).max() <= 1


@pytest.mark.parametrize("stroke", [ZERO, ONE, THREE, SEVEN])
def test_digits_become_what_the_library_makes_of_them(
    modules: Page, tmp_path: Path, stroke: list[tuple[float, float]]
) -> None:
    check(modules, np.array(stroke) * SIDE / 100, tmp_path / "digit.png")


@pytest.mark.parametrize("seed", range(8))
def test_strokes_become_what_the_library_makes_of_them(
    modules: Page, tmp_path: Path, seed: int
) -> None:
    width = np.random.default_rng(seed).uniform(8, 24)
    check(modules, random_stroke(seed), tmp_path / "digit.png", width)


@pytest.mark.parametrize("shape", [(20, 12), (12, 20), (64, 64)])
def test_images_may_have_any_shape(modules: Page, tmp_path: Path, shape: tuple[int, int]) -> None:
    path, (height, width) = tmp_path / "digit.png", (14 * shape[0], 14 * shape[1])
    points = random_stroke(3) * np.array([width, height]) / SIDE
    found = draw(modules, points, path, 20, (height, width), (*shape, 1))[..., 0].astype(int)
    assert abs(found - read_digit(path, shape).astype(int)).max() <= 1


def test_a_network_of_colours_is_given_the_whole_picture_in_grey(
    modules: Page, tmp_path: Path
) -> None:
    path = tmp_path / "picture.png"
    found = draw(modules, random_stroke(1), path, shape=(32, 32, 3)).astype(int)
    grey = Image.open(path).convert("F").resize((32, 32), Image.Resampling.HAMMING)
    assert abs(found - np.rint(np.asarray(grey))[..., None]).max() <= 1


def test_where_there_is_no_ink_there_are_no_pixels(modules: Page, tmp_path: Path) -> None:
    code = """async (modules) => {
        const { Plane, toPixels } = await import(`${modules}/digit.js`);
        return toPixels(new Plane(280, 280), [28, 28, 1]);
    }"""
    assert modules.evaluate(code, MODULES) is None

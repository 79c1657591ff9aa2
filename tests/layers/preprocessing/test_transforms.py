from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import loops
from expect import refusal
from gpucnn import RandomRotation, RandomShear, RandomZoom
from gpucnn.backends import Array
from gpucnn.backends.ops.images.resampling import FILL_MODES, PIXEL
from gpucnn.backends.ops.images.transforms import INTERPOLATIONS
from gpucnn.layers.preprocessing.transforms import CHOICES
from layers.varied import SHAPE, X, drawn, first_of_a_model, varied

Range = tuple[float, float]

HEIGHT, WIDTH, _ = SHAPE
CENTRE = np.array([(HEIGHT - 1) / 2, (WIDTH - 1) / 2])
PLACES = np.stack(np.meshgrid(range(HEIGHT), range(WIDTH), indexing="ij"), -1).astype(float)
"""The row and the column of each pixel."""

ROUNDING = (HEIGHT + WIDTH + 2) / 2 / PIXEL
"""What a place may be off by: half a unit for each row and column, and for two starts."""


def index(image: int, k: int, step: int) -> int:
    """Which of the choices number k of an image is."""
    return drawn(image, k, k * CHOICES, (k + 1) * CHOICES - 1, step) - k * CHOICES


def places_seen(layer: Any, step: int) -> Array:
    """The places of images that a layer shows: of those whose pixels are their own places."""
    places = np.broadcast_to(PLACES, X.shape)
    return varied(layer, step, images=np.ascontiguousarray(places))


def check(layer: Any, place: Callable[[Array, int, int], Array], step: int) -> None:
    """Compare the places that are seen, where they are inside the image.

    Args:
        layer: what varies images.
        place: of a pixel at a place, by the choices of its image.
        step: of training.
    """
    compared = 0
    for image, actual in enumerate(places_seen(layer, step)):
        expected = place(PLACES, index(image, 0, step), index(image, 1, step))
        inside = ((expected > 0) & (expected < (HEIGHT - 1, WIDTH - 1))).all(-1)
        assert_allclose(actual[inside], expected[inside], rtol=0, atol=ROUNDING)
        compared += inside.sum()
    assert compared > len(X) * HEIGHT * WIDTH / 4


def spaced(low: float, high: float, choice: int, count: int = CHOICES) -> float:
    return low + (high - low) * choice / (count - 1)


def shear(low: float, high: float, choice: int) -> float:
    """The first half of the choices are those to the one side, from the highest to the lowest."""
    half = CHOICES // 2
    if choice < half:
        return -spaced(high, low, choice, half)
    return spaced(low, high, choice - half, half)


# What is drawn


@pytest.mark.parametrize("step", [1, 7])
@pytest.mark.parametrize(("factor", "low", "high"), [(0.1, -0.1, 0.1), ((0.4, 0.6), 0.4, 0.6)])
def test_rotations(factor: Any, low: float, high: float, step: int) -> None:
    """Counterclockwise, rows being counted from the top."""

    def place(at: Array, choice: int, _: int) -> Array:
        angle = 2 * np.pi * spaced(low, high, choice)
        down, right = np.moveaxis(at - CENTRE, -1, 0)
        of_columns = right * np.cos(angle) - down * np.sin(angle)
        of_rows = right * np.sin(angle) + down * np.cos(angle)
        turned: Array = np.stack([of_rows, of_columns], -1) + CENTRE
        return turned

    check(RandomRotation(factor), place, step)


@pytest.mark.parametrize("step", [1, 7])
@pytest.mark.parametrize(
    ("height", "width"), [((-0.5, 0.5), (-0.2, -0.1)), ((0.0, 0.3), (-0.4, 0.4))]
)
def test_zooms(height: Range, width: Range, step: int) -> None:
    def place(at: Array, of_rows: int, of_columns: int) -> Array:
        pairs = (*height, of_rows), (*width, of_columns)
        factors = [1 + spaced(low, high, choice) for low, high, choice in pairs]
        zoomed: Array = (at - CENTRE) * factors + CENTRE
        return zoomed

    check(RandomZoom(height, width), place, step)


def test_a_zoom_of_the_height_alone_keeps_the_shape() -> None:
    def place(at: Array, choice: int, _: int) -> Array:
        zoomed: Array = (at - CENTRE) * (1 + spaced(-0.3, 0.3, choice)) + CENTRE
        return zoomed

    check(RandomZoom(0.3), place, 1)


@pytest.mark.parametrize("step", [1, 7])
def test_shears(step: int) -> None:
    def place(at: Array, of_rows: int, of_columns: int) -> Array:
        down, right = np.moveaxis(at, -1, 0)
        to_the_side, up = shear(0.0, 0.5, of_rows), shear(0.2, 0.4, of_columns)
        return np.stack([down + up * right, right + to_the_side * down], -1)

    check(RandomShear(0.5, (0.2, 0.4)), place, step)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("fill_mode", FILL_MODES)
def test_what_stands_beyond_the_edges(fill_mode: str, interpolation: str) -> None:
    layer = first_of_a_model(RandomZoom((0.5, 1.0), None, fill_mode, interpolation, 0.75))
    choices = [[index(image, k, 1) + k * CHOICES for k in (0, 1)] for image in range(len(X))]
    expected = loops.transform(
        X, np.array(choices), layer._maps, fill_mode, 0.75, interpolation, PIXEL
    )
    assert_allclose(varied(layer), expected, rtol=0, atol=1e-14)


# Which are exact


def test_a_quarter_of_a_turn_is_counterclockwise() -> None:
    square = X[:, :, :5]
    turned = np.rot90(square, axes=(1, 2))
    images = np.pad(square, ((0, 0), (0, 0), (1, 1), (0, 0)))
    made = varied(RandomRotation((0.25, 0.25), "constant"), images=images)
    assert_array_equal(made[:, :, 1:6], turned)


def test_half_a_turn_is_exact() -> None:
    assert_array_equal(varied(RandomRotation((-0.5, -0.5))), X[:, ::-1, ::-1])


@pytest.mark.parametrize("layer", [RandomRotation(0), RandomZoom(0), RandomShear()], ids=repr)
def test_nothing_is_exact(layer: Any) -> None:
    assert_array_equal(varied(layer), X)


def test_shears_are_to_either_side() -> None:
    places = places_seen(RandomShear((1.0, 1.0), fill_mode="constant", fill_value=-1.0), 1)
    of_second_row = {tuple(each[1, :, 1]) for each in places}
    assert of_second_row == {(1, 2, 3, 4, 5, 6, -1), (-1, 0, 1, 2, 3, 4, 5)}


# Wrong arguments


def test_wrong_factors() -> None:
    allowed = "it must be a number from -1 to 1, or a pair of them, the lower first"
    with refusal(f"factor is 1.5: {allowed}"):
        RandomRotation(1.5)
    with refusal(f"height_factor is None: {allowed}"):
        RandomZoom(None)  # type: ignore[arg-type]
    with refusal(f"width_factor is (0.2, 0.1): {allowed}"):
        RandomZoom(0.1, (0.2, 0.1))
    allowed = "it must be a number from 0 to 1, or a pair of them, the lower first"
    with refusal(f"x_factor is -0.5: {allowed}"):
        RandomShear(-0.5)
    with refusal(f"y_factor is (-0.1, 0.1): {allowed}"):
        RandomShear(0.5, (-0.1, 0.1))


@pytest.mark.parametrize("kind", [RandomRotation, RandomZoom, RandomShear])
def test_other_wrong_arguments(kind: Any) -> None:
    with refusal("fill_mode is 'mirror': choose one of constant, nearest, reflect, wrap"):
        kind(0.1, fill_mode="mirror")
    with refusal("interpolation is 'cubic': choose one of nearest, bilinear"):
        kind(0.1, interpolation="cubic")
    with refusal("fill_value is nan: it must be a number"):
        kind(0.1, fill_value=float("nan"))


def test_images_that_are_too_large() -> None:
    layer = RandomZoom(0.1)
    layer.name, layer.needs_input_gradient = "randomzoom", False
    layer.build((8191, 1, 1))
    with refusal(
        "randomzoom takes images of up to 8,191 pixels a side, but its input has the shape "
        "(1, 8192, 1): scale the images down"
    ):
        layer.build((1, 8192, 1))

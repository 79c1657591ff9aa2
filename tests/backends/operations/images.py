"""Calls that vary images."""

import numpy as np

from backends.operations.shapes import input_shape
from backends.operations.values import Values
from backends.strategies import Sizes
from gpucnn.backends.ops.images.resampling import PIXEL
from gpucnn.verification.calls import Call, unset


def pad(sizes: Sizes, values: Values, top: int, left: int, rows: int, columns: int) -> Call:
    """Into a frame of so many more rows and columns than the images, or fewer, but not none."""
    x = values.reals(*input_shape(sizes))
    height, width = sizes.window.image
    frame = max(height + rows, 1), max(width + columns, 1)
    return Call(
        "pad",
        {
            "x": x,
            "padding_top": top,
            "padding_left": left,
            "out": values.unset(sizes.images, *frame, sizes.channels),
        },
    )


def flip(sizes: Sizes, values: Values) -> Call:
    x, flips = values.reals(*input_shape(sizes)), values.integers(2, sizes.images, 2)
    out = values.unset(*x.shape)
    return Call("flip", {"x": x, "flips": flips.astype(np.int32), "out": out})


def translate(sizes: Sizes, values: Values, fill_mode: str, fill_value: float = -0.7) -> Call:
    """By up to the size of an image either way, by parts of a pixel or not."""
    x, (height, width) = values.reals(*input_shape(sizes)), sizes.window.image
    limits = np.array([height, width]) * PIXEL
    shifts = values.generator.integers(-limits, limits, (sizes.images, 2), endpoint=True)
    whole = values.integers(2, sizes.images, 2)
    return Call(
        "translate",
        {
            "x": x,
            "shifts": np.where(whole, shifts // PIXEL * PIXEL, shifts).astype(np.int32),
            "fill_mode": fill_mode,
            "fill_value": fill_value,
            "out": values.unset(*x.shape),
        },
    )


def transform(
    sizes: Sizes, values: Values, fill_mode: str, interpolation: str, less: tuple[int, int] = (0, 0)
) -> Call:
    """By maps that lead as far beyond the edges as they may, or not at all, to images of a size.

    They have `less` rows and columns. Places of pixels, and halfway between, are among them.
    """
    x, (height, width) = values.reals(*input_shape(sizes)), sizes.window.image
    choices = sizes.filters + 1
    maps = np.zeros((choices, 2, 3), np.int32)
    linear = values.generator.uniform(-PIXEL // 2, PIXEL // 2, (choices, 2, 2))
    maps[..., 1:] = np.where(values.integers(2, choices, 1, 1), linear, linear.round(-4))
    most = np.array([height, width]) * PIXEL
    maps[..., 0] = values.generator.integers(-most // 2, most, (choices, 2))
    maps[0] = [[PIXEL // 4, PIXEL // 2, 0], [0, 0, PIXEL // 2]]
    drawn = values.integers(choices, sizes.images, 2)
    drawn[0] = 0
    of_result = max(height - less[0], 1), max(width - less[1], 1)
    return Call(
        "transform",
        {
            "x": x,
            "drawn": drawn.astype(np.int32),
            "maps": maps.reshape(choices, 6),
            "fill_mode": fill_mode,
            "fill_value": -0.7,
            "interpolation": interpolation,
            "out": values.unset(len(x), *of_result, sizes.channels),
        },
    )


def tones(sizes: Sizes, values: Values, operation: str) -> Call:
    """By shares, or factors, from -2 to 2, of some pixels that reach the ends of the range."""
    x = values.reals(*input_shape(sizes))
    drawn = values.generator.integers(-2 * PIXEL, 2 * PIXEL, (sizes.images, 2))
    arguments = {"x": x, "drawn": drawn.astype(np.int32), "low": -1.25, "high": 1.5}
    return Call(operation, arguments | {"out": values.unset(*x.shape)})


def draw_partners(sizes: Sizes, values: Values, first: int, more: int) -> Call:
    """Of a part of a batch of so many more images."""
    count = sizes.images
    return Call(
        "draw_partners",
        {
            "batch": values.integers(1000, first + count + more),
            "seed": values.integer(64),
            "stream": values.integer(32),
            "step": np.array([values.integer(40)], np.int64),
            "out": unset((count,), np.int64),
            "first": first,
        },
    )


def draw_noise(sizes: Sizes, values: Values, choices: int = 7, first: int = 0) -> Call:
    return Call(
        "draw_noise",
        {
            "table": values.reals(choices, sizes.channels),
            "seed": values.integer(64),
            "stream": values.integer(32),
            "step": np.array([values.integer(40)], np.int64),
            "out": values.unset(*input_shape(sizes)),
            "first": first,
        },
    )


def blend(sizes: Sizes, values: Values) -> Call:
    x, others = values.reals(*input_shape(sizes)), values.reals(*input_shape(sizes))
    weights = np.array([0, PIXEL, *values.integers(PIXEL, 3)], np.int32)
    return Call(
        "blend",
        {
            "x": x,
            "others": others,
            "drawn": values.integers(5, sizes.images, 2).astype(np.int32),
            "weights": weights,
            "out": values.unset(*x.shape),
            "shares": values.unset(2, sizes.images),
        },
    )


def paste(sizes: Sizes, values: Values, is_alike: bool = False, has_shares: bool = True) -> Call:
    """Rectangles of all sizes, some of nothing, or of everything, also at the ends."""
    x, others = values.reals(*input_shape(sizes)), values.reals(*input_shape(sizes))
    ratios = np.array([0, PIXEL, PIXEL // 2, *values.integers(PIXEL, 2)], np.int32)
    places = values.integers(PIXEL, sizes.images, 2)
    at_ends = PIXEL * values.integers(2, sizes.images, 2)
    return Call(
        "paste",
        {
            "x": x,
            "others": others,
            "drawn": values.integers(5, sizes.images, 2).astype(np.int32),
            "places": np.where(values.integers(2, sizes.images, 2), places, at_ends).astype("i4"),
            "ratios": ratios,
            "out": values.unset(*x.shape),
            "shares": values.unset(2, sizes.images) if has_shares else None,
            "is_alike": is_alike,
        },
    )

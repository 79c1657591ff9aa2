"""The tiles of the fused convolution: they fit in a block, and cover what is to be computed."""

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.fused import conv_relu_pool
from gpucnn.backends import ConvReluPool, Window
from gpucnn.backends.cuda.conv_relu_pool import (
    Patches,
    Values,
    can_compute,
    forward,
    input_gradient,
    kernel_gradient,
    slab_tiles,
)
from gpucnn.backends.cuda.kernel import MULTIPROCESSORS, THREADS
from gpucnn.backends.window import Padding
from gpucnn.utils.arithmetic import ceil_div

STATIC = 48 * 1024  # the most bytes of shared memory that arrays of constant size may take

sides = st.integers(1, 5)


@st.composite
def layers(draw: st.DrawFn) -> ConvReluPool:
    """Layers that the kernels compute, large and small."""
    image = draw(st.integers(5, 230)), draw(st.integers(5, 230))
    size = draw(sides), draw(sides)
    strides = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    fits = all(side >= 9 for side in image)
    dilation = draw(st.sampled_from([1, 2])) if strides == (1, 1) and fits else 1
    padding: Padding = draw(st.sampled_from(["valid", "same"]))
    window = Window(image, size, strides, padding, (dilation, 1))
    pool = (
        draw(st.integers(1, min(4, window.output[0]))),
        draw(st.integers(1, min(4, window.output[1]))),
    )
    sizes = st.integers(1, 40) | st.sampled_from([64, 100, 128, 512])
    real = np.dtype(draw(st.sampled_from(["float32", "float64"])))
    pooling = Window(window.output, pool, pool, "valid")
    return ConvReluPool(window, pooling, draw(sizes), draw(sizes), real)


def assert_tiled(of: Values, rows: int, columns: int) -> None:
    """Tiles cover the rows and the columns, and no tile is empty."""
    across = ceil_div(columns, of["tile_columns"])
    assert of["tiles_across"] == across
    assert of["tiles"] == across * ceil_div(rows, of["tile_rows"])


@given(fused=layers().filter(can_compute))
def test_forward(fused: ConvReluPool) -> None:
    of, patches = forward(fused), Patches(fused)
    assert_tiled(of, *fused.pool.output)
    outputs = of["tile_rows"] * of["tile_columns"]
    filters = of["filter_groups"] * of["thread_filters"]
    assert outputs * of["filter_groups"] * of["slices"] <= THREADS
    assert THREADS % filters == 0
    assert of["filter_tiles"] * filters >= fused.filters
    assert of["tile_channels"] % of["slices"] == 0
    weights = fused.window.elements * of["tile_channels"] * filters
    region = patches.region((of["tile_rows"], of["tile_columns"])) * of["pixel"]
    sums = of["slices"] // 2 * outputs * filters * fused.pool.elements
    reals = max(weights + region, sums, outputs * (filters + 1))
    assert reals * fused.real.itemsize + outputs * (filters + 1) <= STATIC


@given(fused=layers().filter(can_compute))
def test_kernel_gradient(fused: ConvReluPool) -> None:
    of, patches, taps = kernel_gradient(fused), Patches(fused), fused.window.elements
    assert_tiled(of, *fused.pool.output)
    groups = of["tile_channels"] // of["thread_channels"]
    assert of["tile_filters"] * groups * of["slices"] == THREADS
    assert of["filter_tiles"] * of["tile_filters"] >= fused.filters
    assert of["channel_tiles"] * of["tile_channels"] >= fused.channels
    assert of["pixel"] % of["thread_channels"] == 0  # what is read at once is aligned
    region = patches.region((of["tile_rows"], of["tile_columns"])) * of["pixel"]
    assert region < 2**16  # places are unsigned short
    gradients = of["tile_rows"] * of["tile_columns"] * of["tile_filters"]
    sums = THREADS // 2 * (taps * of["thread_channels"] + 1)
    reals = max(region + gradients, sums)
    assert reals * fused.real.itemsize + 2 * gradients <= STATIC


@given(fused=layers().filter(can_compute), images=st.sampled_from([1, 64, 1024]))
def test_input_gradient(fused: ConvReluPool, images: int) -> None:
    of, patches = input_gradient(fused, images), Patches(fused)
    assert_tiled(of, *patches.cells)
    outputs = of["tile_outputs"]
    assert patches.outputs((of["tile_rows"], of["tile_columns"])) == outputs
    assert of["lanes"] % of["thread_channels"] == 0
    assert of["channel_tiles"] * of["lanes"] >= fused.channels
    of_filter = fused.window.elements * of["lanes"] + of["thread_channels"]
    region = of["tile_rows"] * of["tile_columns"] * prod(patches.cell) * of["lanes"]
    listed = outputs * of["tile_filters"]
    assert of["tile_filters"] < 2**8  # ends of lists are unsigned char
    size = fused.real.itemsize
    lists = listed * (size + 1) + outputs * fused.pool.elements + size
    assert max(of["tile_filters"] * of_filter, region) * size + lists <= STATIC


LENET = conv_relu_pool(Window((13, 13), (3, 3), (1, 1), "valid"), (2, 2), 32, 64)


def test_patches() -> None:
    patches = Patches(LENET)
    assert (patches.size, patches.cell, patches.cells) == ((4, 4), (2, 2), (7, 7))
    assert patches.region((5, 5)) == 12 * 12
    assert patches.outputs((7, 7)) == 5 * 5
    assert patches.outputs((3, 7)) == 3 * 5  # as the last row of pixels is in no patch
    assert patches.outputs((1, 1)) == 2 * 2


@pytest.mark.parametrize(
    ("tiles", "blocks", "expected"),
    [(64, 4, 2), (128, 1, 1), (1024, 4, 16), (2048, 1, 8), (1, 1, 1), (7, 256, 4), (7, 257, 7)],
)
def test_slab_tiles(tiles: int, blocks: int, expected: int) -> None:
    assert slab_tiles(tiles, blocks) == expected
    assert ceil_div(tiles, expected) * blocks <= max(2 * MULTIPROCESSORS, 2 * blocks)


@pytest.mark.parametrize(
    ("window", "pool"),
    [
        (Window((20, 20), (6, 5), (1, 1), "valid"), (2, 2)),
        (Window((20, 20), (3, 3), (1, 1), "valid"), (5, 2)),
        (Window((20, 20), (5, 5), (2, 2), "valid"), (3, 3)),
    ],
    ids=["window", "pool", "patch"],
)
def test_what_is_too_large_for_the_registers_of_a_thread(
    window: Window, pool: tuple[int, int]
) -> None:
    assert not can_compute(conv_relu_pool(window, pool, 1, 1))

"""What the columns of the patches hold, against loops."""

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal

import loops
from backends.fused import Fusion, fusions
from backends.operations import Values
from backends.strategies import SETTINGS, seeds
from gpucnn.backends import Array, Window
from gpucnn.backends.order import images_last
from gpucnn.backends.patches import Patches

SMALL = fusions(largest=6)

either = pytest.mark.parametrize("merged", [True, False])


def layout_of(case: Fusion, merged: bool) -> Patches:
    return Patches(case.sizes.window, case.pool.size, case.pool.output, merged)


def images_of(case: Fusion, seed: int = 0) -> Array:
    sizes = case.sizes
    return Values(seed, np.float64).reals(sizes.images, *sizes.window.image, sizes.channels)


def padded(layout: Patches, x: Array) -> Array:
    """The images with their padding, (h, w, c, n)."""
    images = np.zeros((*layout.padded, x.shape[3], x.shape[0]))
    layout.inside(images)[...] = images_last(x)
    return images


@given(case=SMALL)
@SETTINGS
def test_unmerged_are_the_patches_in_loops(case: Fusion) -> None:
    layout, x, window = layout_of(case, merged=False), images_of(case), case.sizes.window
    expected = loops.im2col(x, loops.Slide(window.size, window.strides, window.padding))
    patches = layout.of(padded(layout, x))
    assert patches.shape == (*layout.shape(case.sizes.channels), case.sizes.images)
    for across, down, i, j, channel, row, column, image in np.ndindex(patches.shape):
        position = row * case.pool.size[0] + down, column * case.pool.size[1] + across
        actual = patches[across, down, i, j, channel, row, column, image]
        assert actual == expected[(image, *position, i, j, channel)]


@given(case=SMALL, seed=seeds)
@SETTINGS
def test_merged_give_the_convolution_in_loops(case: Fusion, seed: int) -> None:
    layout, x, window = layout_of(case, merged=True), images_of(case, seed), case.sizes.window
    values = Values(seed, np.float64)
    kernel = values.reals(*window.size, case.sizes.channels, case.sizes.filters)
    kernels = np.zeros((*layout.offsets, case.sizes.filters, *layout.taps, case.sizes.channels))
    layout.placements(kernels)[...] = kernel.transpose(3, 0, 1, 2)
    patches = layout.of(padded(layout, x))[0, 0]
    actual = np.einsum("bafijc,ijcrsn->nrasbf", kernels, patches)
    slide = loops.Slide(window.size, window.strides, window.padding)
    convolved = loops.convolve(x, kernel, np.zeros(case.sizes.filters), slide)
    rows, columns = (p * o for p, o in zip(case.pool.size, case.pool.output, strict=True))
    right = convolved[:, :rows, :columns]
    assert_allclose(actual.reshape(right.shape), right, rtol=0, atol=1e-12)


@given(case=SMALL)
@SETTINGS
@either
def test_inside_the_padding_are_the_images(case: Fusion, merged: bool) -> None:
    layout, x = layout_of(case, merged), images_of(case)
    images = padded(layout, x)
    top, left = case.sizes.window.padding_before
    height, width = case.sizes.window.image
    assert_array_equal(images[top : top + height, left : left + width], images_last(x))
    assert np.count_nonzero(images) == x.size


@either
def test_taps_are_written_each_by_itself(merged: bool) -> None:
    window, pool = Window((6, 6), (3, 3), (1, 1), "valid"), Window((4, 4), (2, 2), (2, 2), "valid")
    layout = Patches(window, pool.size, pool.output, merged)
    images = np.zeros((6, 6, 1, 2))
    patches = layout.of(images)
    for tap in np.ndindex(layout.taps):
        patches[(slice(None), slice(None), *tap)] += 1
    seen = np.zeros((6, 6))
    for row, column in np.ndindex(window.output if not merged else pool.output):
        top, left = (row, column) if not merged else (2 * row, 2 * column)
        seen[top : top + layout.taps[0], left : left + layout.taps[1]] += 1
    assert_array_equal(images[..., 0, 0], seen)


@pytest.mark.parametrize(
    ("window", "pool", "channels", "filters", "merged"),
    [
        (Window((28, 28), (3, 3), (1, 1), "valid"), (2, 2), 1, 8, True),  # the notebook's
        (Window((28, 28), (5, 5), (1, 1), "same"), (2, 2), 6, 16, False),
        (Window((28, 28), (3, 3), (1, 1), "valid"), (2, 2), 1, 64, False),
    ],
)
def test_few_pixels_and_filters_are_merged(
    window: Window, pool: tuple[int, int], channels: int, filters: int, merged: bool
) -> None:
    pooling = Window(window.output, pool, pool, "valid")
    assert Patches.pooled(window, pooling, channels, filters).merged == merged


def test_a_column_has_16_pixels_for_a_kernel_of_3_by_3_pooled_by_2_by_2() -> None:
    window = Window((28, 28), (3, 3), (1, 1), "valid")
    assert Patches(window, (2, 2), (13, 13), merged=True).shape(1) == (1, 1, 4, 4, 1, 13, 13)
    assert Patches(window, (2, 2), (13, 13), merged=False).shape(1) == (2, 2, 3, 3, 1, 13, 13)

"""What panels and the patches in them hold, against loops."""

from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal

import loops
from backends.fused import conv_relu_pools
from backends.operations.values import Values
from backends.strategies import batches, seeds
from gpucnn.backends import Array, ConvReluPool, Window
from gpucnn.backends.cpu.fused.panels import Panels
from gpucnn.backends.cpu.layout import images_last

NOTEBOOK = Panels(Window((28, 28), (3, 3), (1, 1), "valid"), (2, 2), (13, 13), 1)

small = given(fused=conv_relu_pools(largest=6), images=batches, seed=seeds)


def layout_of(fused: ConvReluPool) -> Panels:
    return Panels(fused.window, fused.pool.size, fused.pool.output, fused.channels)


def images_of(fused: ConvReluPool, images: int, seed: int) -> Array:
    return Values(seed, np.float64).reals(images, *fused.window.image, fused.channels)


def slide_of(fused: ConvReluPool) -> loops.Slide:
    window = fused.window
    return loops.Slide(window.size, window.strides, window.padding)


def padded(layout: Panels, x: Array) -> Array:
    """The images with their padding, (h, w, c, n)."""
    images = np.zeros((*layout.padded, x.shape[3], x.shape[0]))
    layout.inside(images)[...] = images_last(x)
    return images


def patches_of(layout: Panels, x: Array) -> Array:
    """(*offsets, columns, patch, rows, images)."""
    seen = layout.seen(padded(layout, x))
    patches = layout.patches(np.ascontiguousarray(seen).reshape(*layout.shape, -1))
    return patches.reshape(*patches.shape[:-1], layout.positions[0], len(x))


@small
def test_patches_are_those_in_loops(fused: ConvReluPool, images: int, seed: int) -> None:
    layout, x = layout_of(fused), images_of(fused, images, seed)
    expected = loops.im2col(x, slide_of(fused))
    patches = patches_of(layout, x)
    pool, size = fused.pool, fused.window.size
    assert patches.shape[:3] == (*pool.size[::-1], pool.output[1])
    for across, down, column, element, row, image in np.ndindex(patches.shape):
        j, i, channel = np.unravel_index(element, (*size[::-1], layout.channels))
        position = row * pool.size[0] + down, column * pool.size[1] + across
        actual = patches[across, down, column, element, row, image]
        assert actual == expected[(image, *position, i, j, channel)]


@small
def test_products_with_a_kernel_are_the_convolution_in_loops(
    fused: ConvReluPool, images: int, seed: int
) -> None:
    layout, x = layout_of(fused), images_of(fused, images, seed)
    kernel = Values(seed, np.float64).reals(*fused.window.size, fused.channels, fused.filters)
    weights = kernel.swapaxes(0, 1).reshape(layout.patch, fused.filters)
    actual = np.einsum("pf,abcprn->nrbcaf", weights, patches_of(layout, x))
    convolved = loops.convolve(x, kernel, np.zeros(fused.filters), slide_of(fused))
    rows, columns = (p * o for p, o in zip(fused.pool.size, fused.pool.output, strict=True))
    right = convolved[:, :rows, :columns]
    assert_allclose(actual.reshape(right.shape), right, rtol=0, atol=1e-12)


@small
def test_inside_the_padding_are_the_images(fused: ConvReluPool, images: int, seed: int) -> None:
    x = images_of(fused, images, seed)
    inside = padded(layout_of(fused), x)
    top, left = fused.window.padding_before
    height, width = fused.window.image
    assert_array_equal(inside[top : top + height, left : left + width], images_last(x))
    assert np.count_nonzero(inside) == x.size


@small
def test_what_is_seen_in_a_row_is_seen_there_once(
    fused: ConvReluPool, images: int, seed: int
) -> None:
    layout, x = layout_of(fused), images_of(fused, images, seed)
    seen = layout.seen(padded(layout, x))
    for panel, row in np.ndindex(seen.shape[0], seen.shape[2]):
        pixels = seen[panel, :, row]
        pixels[...] = np.arange(pixels.size).reshape(pixels.shape)
        assert_array_equal(pixels.ravel(), np.arange(pixels.size))


def test_some_rows_of_the_pool_have_the_same_panels() -> None:
    assert NOTEBOOK.of_rows(2).shape == NOTEBOOK.shape
    assert NOTEBOOK.of_rows(2).positions == (2, 13)


def test_numbers_of_the_notebook() -> None:
    """Those that docstrings tell."""
    panels = np.zeros((*NOTEBOOK.shape, 13))
    assert panels.size == 2184
    assert NOTEBOOK.patches(panels).size == 6084


@pytest.mark.parametrize("contiguous", [True, False])
def test_views_are_of_the_memory_they_are_given(contiguous: bool) -> None:
    images = np.zeros((28, 28, 1, 2 + (not contiguous)))[..., :2]
    assert images.flags.c_contiguous == contiguous
    assert np.shares_memory(NOTEBOOK.seen(images), images)
    assert NOTEBOOK.seen(images).shape == (2, 28, 3, 1, 13, 2)


@small
def test_outputs_that_read_a_column_are_those_in_loops(
    fused: ConvReluPool, images: int, seed: int
) -> None:
    layout = layout_of(fused)
    stride, size = fused.window.strides[1], fused.window.size[1]
    outputs = range(fused.pool.output[1] * fused.pool.size[1])
    assert sorted(layout.taps) == list(range(size))
    for column in range(layout.shape[1]):
        reading = [(x, column - stride * x) for x in outputs if 0 <= column - stride * x < size]
        found, taps = layout.readers(column)
        assert list(zip(outputs[found], layout.taps[taps], strict=True)) == reading


@small
def test_rows_of_panels_with_the_same_pixels_are_found(
    fused: ConvReluPool, images: int, seed: int
) -> None:
    layout = layout_of(fused)
    seen = layout.seen(padded(layout, images_of(fused, images, seed)))
    places = layout.places_of_rows
    assert sorted(chain(places, *places.values())) == list(np.ndindex(*seen.shape[:3:2]))

    def address(place: tuple[int, int]) -> int:
        return seen[place[0], :, place[1]].ctypes.data

    assert len({address(first) for first in places}) == len(places)
    for first, others in places.items():
        assert all(address(first) == address(other) for other in others)

"""Shapes of a call's arrays, by its sizes."""

from dataclasses import replace
from math import prod

from backends.strategies import Sizes


def count_pixels(sizes: Sizes) -> int:
    return sizes.images * prod(sizes.window.image)


def input_shape(sizes: Sizes) -> tuple[int, ...]:
    return sizes.images, *sizes.window.image, sizes.channels


def output_shape(sizes: Sizes, channels: int) -> tuple[int, ...]:
    return sizes.images, *sizes.window.output, channels


def patches_shape(sizes: Sizes) -> tuple[int, ...]:
    positions = prod(sizes.window.output)
    return sizes.images, positions, sizes.window.elements * sizes.channels


def kernel_shape(sizes: Sizes) -> tuple[int, ...]:
    return *sizes.window.size, sizes.channels, sizes.filters


def grouped_input_shape(sizes: Sizes, group_channels: int) -> tuple[int, ...]:
    """Images of as many groups of channels as the sizes have channels."""
    return sizes.images, *sizes.window.image, sizes.channels * group_channels


def grouped_kernel_shape(sizes: Sizes, group_channels: int) -> tuple[int, ...]:
    """One to three filters a group."""
    filters = sizes.channels * (sizes.filters % 3 + 1)
    return *sizes.window.size, group_channels, filters


def without_dilation(sizes: Sizes) -> Sizes:
    """The sizes with a window as pooling has it."""
    return replace(sizes, window=replace(sizes.window, dilation=(1, 1)))

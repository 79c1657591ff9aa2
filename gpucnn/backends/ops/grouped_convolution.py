"""Convolution in groups of channels, and its gradients; depthwise is in groups of one channel.

The filters are split into as many groups as the channels, in order, and those of a group see its
channels alone. How many groups there are follows from the shapes: the images have `groups` times as
many channels as the kernel.
"""

from collections.abc import Iterator
from math import prod

import numpy as np

from gpucnn.backends.cuda.columns import LEAST_ROWS, lanes_of_elements
from gpucnn.backends.cuda.kernel import IMAGES, MULTIPROCESSORS, THREADS, kernel, windowed
from gpucnn.backends.memory import Array
from gpucnn.backends.ops.bounds import (
    bounded,
    group_filters_and_window,
    positions,
    sums,
    weights_of_filter,
)
from gpucnn.backends.ops.convolution import Convolution, CpuConvolution, CudaConvolution
from gpucnn.backends.ops.matrices import as_rows
from gpucnn.backends.window import Window
from gpucnn.utils.arithmetic import ceil_div


def in_groups(array: Array, groups: int) -> Array:
    """View an array (..., channels) as (..., groups, channels of a group)."""
    return array.reshape(*array.shape[:-1], groups, -1)


class GroupedConvolution(Convolution):
    """Definitions of convolution in groups of channels, and of its gradients."""

    @bounded(out=sums(weights_of_filter))
    def grouped_conv2d(
        self, x: Array, kernel: Array, bias: Array, window: Window, out: Array
    ) -> None:
        """Compute the convolution of each group of channels with the filters of that group.

        Args:
            x: real (n, h, w, groups * c).
            kernel: real (kh, kw, c, filters), of which group number g has the filters from
                g * filters / groups on.
            bias: real (filters,).
            window: the geometry, of size (kh, kw).
            out: real (n, oh, ow, filters).
        """
        groups = x.shape[3] // kernel.shape[2]
        pixels, outputs, weights = (in_groups(each, groups) for each in (x, out, kernel))
        out[...] = bias
        for tap, of_tap in zip(window.taps, weights.reshape(-1, *weights.shape[2:]), strict=True):
            outputs[tap.outputs] += self.xp.einsum("nrsgc,cgf->nrsgf", pixels[tap.inputs], of_tap)

    @bounded(kernel_gradient=sums(positions), bias_gradient=sums(positions))
    def grouped_conv2d_parameter_gradients(
        self,
        x: Array,
        output_gradient: Array,
        window: Window,
        kernel_gradient: Array,
        bias_gradient: Array,
    ) -> None:
        """Compute the gradients of the kernel and the bias of `grouped_conv2d`.

        Args:
            x: real (n, h, w, groups * c).
            output_gradient: real (n, oh, ow, filters).
            window: the geometry.
            kernel_gradient: real (kh, kw, c, filters).
            bias_gradient: real (filters,).
        """
        groups = x.shape[3] // kernel_gradient.shape[2]
        pixels, gradients = in_groups(x, groups), in_groups(output_gradient, groups)
        of_taps = kernel_gradient.reshape(-1, *kernel_gradient.shape[2:])
        for tap, of_tap in zip(window.taps, of_taps, strict=True):
            pair = pixels[tap.inputs], gradients[tap.outputs]
            in_groups(of_tap, groups)[...] = self.xp.einsum("nrsgc,nrsgf->cgf", *pair)
        self.sum_rows(as_rows(output_gradient), bias_gradient)

    @bounded(input_gradient=sums(group_filters_and_window))
    def grouped_input_gradient(
        self, output_gradient: Array, kernel: Array, window: Window, input_gradient: Array
    ) -> None:
        """Compute the gradient of the input of `grouped_conv2d`.

        Args:
            output_gradient: real (n, oh, ow, filters).
            kernel: real (kh, kw, c, filters).
            window: the geometry.
            input_gradient: real (n, h, w, groups * c).
        """
        groups = input_gradient.shape[3] // kernel.shape[2]
        arrays = input_gradient, output_gradient, kernel
        pixels, gradients, weights = (in_groups(each, groups) for each in arrays)
        input_gradient.fill(0)
        for tap, of_tap in zip(window.taps, weights.reshape(-1, *weights.shape[2:]), strict=True):
            share = self.xp.einsum("nrsgf,cgf->nrsgc", gradients[tap.outputs], of_tap)
            pixels[tap.inputs] += share


def _slices(channels: int, kernel: Array) -> Iterator[tuple[slice, slice]]:
    """The channels and the filters of each group, for images of so many channels."""
    of_group, filters = kernel.shape[2:]
    groups = channels // of_group
    for channel, filter_ in zip(
        range(0, channels, of_group), range(0, filters, filters // groups), strict=True
    ):
        yield slice(channel, channel + of_group), slice(filter_, filter_ + filters // groups)


class CpuGroupedConvolution(CpuConvolution, GroupedConvolution):
    """Convolution in groups in NumPy: of several channels as products, a group after the other.

    Groups of one channel would make products of a single row. So these are added up element by
    element of the window, over all positions, channels and images at once.
    """

    def grouped_conv2d(
        self, x: Array, kernel: Array, bias: Array, window: Window, out: Array
    ) -> None:
        if kernel.shape[2] == 1:
            self._depthwise(x, kernel, bias, window, out)
            return
        patches = self._patches(len(x), kernel, window)
        for channels, filters in _slices(x.shape[3], kernel):
            of_group = kernel[..., filters], bias[filters], window, patches, out[..., filters]
            self.conv2d(x[..., channels], *of_group)

    def grouped_conv2d_parameter_gradients(
        self,
        x: Array,
        output_gradient: Array,
        window: Window,
        kernel_gradient: Array,
        bias_gradient: Array,
    ) -> None:
        if kernel_gradient.shape[2] == 1:
            self._depthwise_kernel_gradient(x, output_gradient, window, kernel_gradient)
            np.einsum("nrsf->f", output_gradient, out=bias_gradient)
            return
        patches = self._patches(len(x), kernel_gradient, window)
        for channels, filters in _slices(x.shape[3], kernel_gradient):
            self.im2col(x[..., channels], window, patches)
            gradients = kernel_gradient[..., filters], bias_gradient[filters]
            self.conv2d_parameter_gradients(output_gradient[..., filters], patches, *gradients)

    def grouped_input_gradient(
        self, output_gradient: Array, kernel: Array, window: Window, input_gradient: Array
    ) -> None:
        if kernel.shape[2] == 1:
            self._depthwise_input_gradient(output_gradient, kernel, window, input_gradient)
            return
        patches = self._patches(len(output_gradient), kernel, window)
        for channels, filters in _slices(input_gradient.shape[3], kernel):
            of_group = kernel[..., filters], window, patches, input_gradient[..., channels]
            self.conv2d_input_gradient(output_gradient[..., filters], *of_group)

    def _patches(self, images: int, kernel: Array, window: Window) -> Array:
        """Scratch memory for the patches of a group, in the order "F"."""
        shape = prod(kernel.shape[:3]), prod(window.output), images
        return self.workspace("patches of a group", shape, kernel.dtype).T

    def _depthwise(self, x: Array, kernel: Array, bias: Array, window: Window, out: Array) -> None:
        pixels, outputs, weights = _by_channel(x, out, kernel)
        np.copyto(out, bias)
        for tap, of_tap in zip(window.taps, weights, strict=True):
            sums = outputs[tap.outputs]
            terms = self._scratch("terms", sums.shape, sums.dtype)
            np.multiply(pixels[tap.inputs], of_tap, out=terms)
            np.add(sums, terms, out=sums)

    def _depthwise_kernel_gradient(
        self, x: Array, output_gradient: Array, window: Window, kernel_gradient: Array
    ) -> None:
        pixels, gradients, of_taps = _by_channel(x, output_gradient, kernel_gradient)
        for tap, of_tap in zip(window.taps, of_taps, strict=True):
            pair = pixels[tap.inputs][..., 0], gradients[tap.outputs]
            np.einsum("nrsc,nrscm->cm", *pair, out=of_tap)

    def _depthwise_input_gradient(
        self, output_gradient: Array, kernel: Array, window: Window, input_gradient: Array
    ) -> None:
        _, gradients, weights = _by_channel(input_gradient, output_gradient, kernel)
        input_gradient.fill(0)
        for tap, of_tap in zip(window.taps, weights, strict=True):
            sums = input_gradient[tap.inputs]
            terms = self._scratch("terms", sums.shape, sums.dtype)
            for number in range(of_tap.shape[1]):
                seen = gradients[tap.outputs][..., number]
                np.multiply(seen, of_tap[:, number], out=terms)
                np.add(sums, terms, out=sums)


def _by_channel(images: Array, outputs: Array, kernel: Array) -> tuple[Array, Array, Array]:
    """Views of the arrays of a depthwise convolution, channels apart.

    Args:
        images: real (n, h, w, channels).
        outputs: real (n, oh, ow, channels * m).
        kernel: real (kh, kw, 1, channels * m).

    Returns:
        (n, h, w, channels, 1), (n, oh, ow, channels, m) and (kh * kw, channels, m).
    """
    channels = images.shape[3]
    weights = kernel.reshape(-1, channels, kernel.shape[3] // channels)
    return images[..., None], in_groups(outputs, channels), weights


FILTERED = "images rows columns filters"
KERNEL = "height width group_channels filters"

TAPS_AT_ONCE = 4
"""The elements of a line of the window for which a thread sums the gradient of the kernel."""


class CudaGroupedConvolution(CudaConvolution, GroupedConvolution):
    """Convolution in groups in CUDA, without patches: a thread gathers what it sums."""

    grouped_conv2d = windowed(
        "grouped_conv2d.cu",
        {"x": IMAGES, "kernel": KERNEL, "bias": "filters", "out": FILTERED},
        "rows",
        "columns*filters",
        "height*width*group_channels*filters",
    )
    grouped_input_gradient = windowed(
        "grouped_conv2d.cu",
        {"output_gradient": FILTERED, "kernel": KERNEL, "input_gradient": IMAGES},
        "image_height",
        "columns*filters",
        "height*width*group_channels*filters",
    )

    def grouped_conv2d_parameter_gradients(
        self,
        x: Array,
        output_gradient: Array,
        window: Window,
        kernel_gradient: Array,
        bias_gradient: Array,
    ) -> None:
        """Slabs of positions are shared out over blocks, and their sums added up as rows."""
        height, width, group_channels, filters = kernel_gradient.shape
        lanes = lanes_of_elements(filters)
        positions = prod(output_gradient.shape[:3])
        blocks = ceil_div(filters, lanes) * height * ceil_div(width, TAPS_AT_ONCE) * group_channels
        slab_positions = _slab_positions(positions, blocks, THREADS // lanes)
        slabs = max(ceil_div(positions, slab_positions), 1)
        of_slabs = kernel_gradient[None]
        if slabs > 1:
            shape = slabs, *kernel_gradient.shape
            of_slabs = self.workspace("kernel gradients of slabs", shape, x.dtype)
        self._grouped_kernel_gradient(
            x=x,
            output_gradient=output_gradient,
            gradients=of_slabs,
            window=window,
            lanes=lanes,
            positions=positions,
            slab_positions=slab_positions,
        )
        if slabs > 1:
            self.sum_rows(of_slabs.reshape(slabs, -1), kernel_gradient.reshape(-1))
        self.sum_rows(as_rows(output_gradient), bias_gradient)

    _grouped_kernel_gradient = kernel(
        "grouped_kernel_gradient.cu",
        {"x": IMAGES, "output_gradient": FILTERED, "gradients": f"slabs {KERNEL}"},
        lambda sizes: (
            ceil_div(sizes["filters"], sizes["lanes"])
            * sizes["height"]
            * ceil_div(sizes["width"], TAPS_AT_ONCE)
            * sizes["group_channels"],
            sizes["slabs"],
        ),
        macros={"TAPS_AT_ONCE": TAPS_AT_ONCE},
        small=("image_width*channels", "height*width*group_channels*filters"),
    )


def _slab_positions(positions: int, blocks: int, slices: int) -> int:
    """The positions of a slab: `LEAST_ROWS` or more for each thread, in what fills a GPU.

    Args:
        positions: of all images.
        blocks: those of a slab.
        slices: the threads of a block that share out the positions.
    """
    most = ceil_div(2 * MULTIPROCESSORS, blocks)
    slabs = min(positions // (LEAST_ROWS * slices), most)
    return max(ceil_div(positions, max(slabs, 1)), 1)

"""Convolution as im2col and a product of matrices, and its gradients."""

import numpy as np

from gpucnn.backends.cpu.layout import (
    columns,
    copy_runs,
    filters_first,
    images_last,
    matrix,
)
from gpucnn.backends.cpu.products import product
from gpucnn.backends.cuda.kernel import IMAGES, PATCHES, windowed
from gpucnn.backends.memory import Array
from gpucnn.backends.ops.bounds import (
    EXACT,
    bounded,
    filters,
    filters_and_window,
    patch,
    positions,
    sums,
    window_elements,
)
from gpucnn.backends.ops.matrices import CpuMatrices, CudaMatrices, Matrices, as_rows
from gpucnn.backends.window import Window


class Convolution(Matrices):
    """Definitions of convolution, im2col and their gradients."""

    @bounded(patches=EXACT)
    def im2col(self, x: Array, window: Window, patches: Array) -> None:
        """Copy the patch that the window sees at each position, with zeros for the padding.

        Args:
            x: real (n, h, w, c).
            window: the geometry.
            patches: real (n, positions, elements * c): one row per position; the positions and the
                elements of the window are in row-major order.
        """
        columns = self._columns(patches, window)
        if window.padding == "same":
            columns.fill(0)
        for tap in window.taps:
            columns[tap.patches] = x[tap.inputs]

    @bounded(out=sums(window_elements))
    def col2im(self, patches: Array, window: Window, out: Array) -> None:
        """Compute the transpose of `im2col`: sum, for each pixel, the patch elements that read it.

        Args:
            patches: real (n, positions, elements * c), as `im2col` writes them.
            window: the geometry.
            out: real (n, h, w, c).
        """
        columns = self._columns(patches, window)
        out.fill(0)
        for tap in window.taps:
            out[tap.inputs] += columns[tap.patches]

    @bounded(patches=EXACT, out=sums(patch))
    def conv2d(
        self, x: Array, kernel: Array, bias: Array, window: Window, patches: Array, out: Array
    ) -> None:
        """Compute the convolution in the sense of neural networks (the kernel is not flipped).

        Args:
            x: real (n, h, w, c).
            kernel: real (kh, kw, c, filters).
            bias: real (filters,).
            window: the geometry, of size (kh, kw).
            patches: real (n, positions, kh * kw * c), written: `im2col` of `x`, which
                `conv2d_parameter_gradients` reads.
            out: real (n, oh, ow, filters).
        """
        self.im2col(x, window, patches)
        self.matmul(as_rows(patches), as_rows(kernel), as_rows(out), bias=bias)

    @bounded(kernel_gradient=sums(positions), bias_gradient=sums(positions))
    def conv2d_parameter_gradients(
        self, output_gradient: Array, patches: Array, kernel_gradient: Array, bias_gradient: Array
    ) -> None:
        """Compute the gradients of the kernel and the bias of `conv2d`.

        Args:
            output_gradient: real (n, oh, ow, filters).
            patches: as `conv2d` wrote them.
            kernel_gradient: real (kh, kw, c, filters).
            bias_gradient: real (filters,).
        """
        gradient = as_rows(output_gradient)
        self.matmul(as_rows(patches), gradient, as_rows(kernel_gradient), transpose_a=True)
        self.sum_rows(gradient, bias_gradient)

    @bounded(patches=sums(filters), input_gradient=sums(filters_and_window))
    def conv2d_input_gradient(
        self,
        output_gradient: Array,
        kernel: Array,
        window: Window,
        patches: Array,
        input_gradient: Array,
    ) -> None:
        """Compute the gradient of the input of `conv2d`.

        Args:
            output_gradient: real (n, oh, ow, filters).
            kernel: real (kh, kw, c, filters).
            window: the geometry.
            patches: real (n, positions, kh * kw * c), overwritten with the gradient of the
                patches, so call `conv2d_parameter_gradients` first.
            input_gradient: real (n, h, w, c).
        """
        self.matmul(as_rows(output_gradient), as_rows(kernel), as_rows(patches), transpose_b=True)
        self.col2im(patches, window, input_gradient)

    def _columns(self, patches: Array, window: Window) -> Array:
        """The patches as (n, rows, columns, elements of the window, channels), a view."""
        return patches.reshape(len(patches), *window.output, window.elements, -1)


class CpuConvolution(CpuMatrices, Convolution):
    """Convolution in NumPy: with patches in the order "F", copies and products have long runs."""

    def im2col(self, x: Array, window: Window, patches: Array) -> None:
        patches_of = self._columns(patches, window)
        if window.padding == "same":
            patches_of.fill(0)
        for tap in window.taps:
            copy_runs(images_last(x[tap.inputs]), images_last(patches_of[tap.patches]))

    def conv2d(
        self, x: Array, kernel: Array, bias: Array, window: Window, patches: Array, out: Array
    ) -> None:
        """With patches in the order "F", this is one product of long rows.

        In memory such patches are a matrix (elements * c, positions * n): im2col writes runs of n
        elements, and the product is (filters, positions * n), which is copied to `out` in runs too.
        """
        if not patches.flags.f_contiguous:
            super().conv2d(x, kernel, bias, window, patches, out)
            return
        self.im2col(x, window, patches)
        scores = self.workspace("scores", (len(bias), *patches.T.shape[1:]), out.dtype)
        product(matrix(kernel).T, columns(patches.T), columns(scores))
        scores += bias[:, None, None]
        copy_runs(scores, filters_first(out))

    def conv2d_parameter_gradients(
        self, output_gradient: Array, patches: Array, kernel_gradient: Array, bias_gradient: Array
    ) -> None:
        if not patches.flags.f_contiguous:
            super().conv2d_parameter_gradients(
                output_gradient, patches, kernel_gradient, bias_gradient
            )
            return
        gradient = self._filters_in_rows(output_gradient)
        np.matmul(columns(patches.T), gradient.T, out=matrix(kernel_gradient))
        self._sum_columns(gradient, bias_gradient)

    def conv2d_input_gradient(
        self,
        output_gradient: Array,
        kernel: Array,
        window: Window,
        patches: Array,
        input_gradient: Array,
    ) -> None:
        if not patches.flags.f_contiguous:
            super().conv2d_input_gradient(output_gradient, kernel, window, patches, input_gradient)
            return
        gradient = self._filters_in_rows(output_gradient)
        product(matrix(kernel), gradient, columns(patches.T))
        self.col2im(patches, window, input_gradient)

    def _filters_in_rows(self, images: Array) -> Array:
        """Copy images (n, oh, ow, filters) to a matrix (filters, positions * n)."""
        source = filters_first(images)
        rows = self.workspace("filters in rows", source.shape, images.dtype)
        copy_runs(source, rows)
        return columns(rows)

    def _sum_columns(self, a: Array, out: Array) -> None:
        np.matmul(a, self._constant(1, a.shape[1], a.dtype), out=out)


class CudaConvolution(CudaMatrices, Convolution):
    """Convolution in CUDA: a block computes one row of one image of the output."""

    im2col = windowed(
        "im2col.cu",
        {"x": IMAGES, "patches": PATCHES},
        "rows",
        "columns*height*width*channels",
    )
    col2im = windowed(
        "col2im.cu",
        {"patches": PATCHES, "out": IMAGES},
        "image_height",
        "height*width*channels",
    )

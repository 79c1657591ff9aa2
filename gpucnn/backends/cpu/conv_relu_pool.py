"""Convolution, ReLU and max-pooling as one operation on the CPU."""

from math import prod

import numpy as np

from gpucnn.backends.base import Array, FusedMemory
from gpucnn.backends.buffer import Buffer
from gpucnn.backends.cpu.layout import LastView, images_last
from gpucnn.backends.cpu.panels import Strips
from gpucnn.backends.cpu.row_tiles import Band, Workspace, band_height, slices
from gpucnn.backends.window import Window


def can_pool_side_by_side(pool: Window) -> bool:
    """Whether the windows of a pooling lie side by side, inside the image."""
    return pool.size == pool.strides and pool.padding == "valid"


def pooled_convolution_buffers(
    window: Window, pool: Window, channels: int, filters: int
) -> dict[str, Buffer]:
    """The memory that a `PooledConvolution` needs for each image."""
    layout = Strips(window, pool.size, pool.output, channels)
    scores = prod(pool.size) * filters * prod(pool.output)
    buffers = {"greater": Buffer((scores,), "bool")}
    if window.padding == "same":
        buffers["padded"] = Buffer((*layout.padded, channels))
    return buffers


class PooledConvolution(FusedMemory):
    """What the operation keeps for batches of one size: its memory, and the views of it.

    The outputs that share a window of the pool are computed side by side, see `Strips`. The
    maximum over a window is then one over a few contiguous blocks. It commutes with the bias and
    with ReLU, which are monotone: these are done on what pooling leaves, a quarter for 2x2.

    The images are worked through in bands of pooled rows, whose strips and scores stay in the
    caches and are not kept: to copy the strips again for the gradients costs less than to bring
    them from memory. What is kept is where the maxima are.

    Moved for each image, in elements, by the notebook's layer. Forward: 2,184 pixels of strips
    read and written; 6,084 of overlapping patches read by the products, which write 5,408 scores;
    for each of three comparisons 1,352 pairs read twice, 1,352 booleans and as many maxima written;
    for the bias and ReLU the maxima read three times and written twice, and as many booleans; and
    the maxima copied to the output. Backward: the strips again; 1,352 gradients copied, multiplied
    by as many booleans, and summed for the bias; for each of three comparisons 1,352 gradients
    multiplied by as many booleans, and subtracted; 5,408 gradients and 6,084 of patches read by the
    products; and, for a band and not for an image, 3,744 gradients of weights written and read.

    Making a view takes as long as a small operation. So all are made once, and those of arrays that
    come from outside when another array comes.

    Args:
        window: the geometry of the convolution.
        pool: the geometry of the pooling, see `can_pool_side_by_side`.
        channels: of the images.
        filters: of the convolution.
        real: the dtype of the images.
        arrays: as `pooled_convolution_buffers` describes them, of n images.
        workspace: gives memory for the length of an operation, by name, shape and dtype.
    """

    def __init__(
        self,
        window: Window,
        pool: Window,
        channels: int,
        filters: int,
        real: "np.dtype[np.floating]",
        arrays: dict[str, Array],
        workspace: Workspace,
    ) -> None:
        super().__init__(window, pool, arrays)
        self._workspace = workspace
        greater = images_last(arrays["greater"])
        self._layout = layout = Strips(window, pool.size, pool.output, channels)
        # In the order of patches, with the filters innermost, as kernels have them.
        weights = np.empty((*window.size[::-1], channels, filters), real)
        self._placed, self._weights = weights.swapaxes(0, 1), weights.reshape(-1, filters).T
        self._weight_gradient = np.empty((layout.patch, filters), real)
        self._placed_gradient = self._weight_gradient.reshape(weights.shape).swapaxes(0, 1)
        self._pixels = LastView(images_last)
        height = band_height(layout, filters, greater.shape[1] * real.itemsize)
        self._bands = [
            Band(layout, rows, filters, greater, workspace, real)
            for rows in slices(pool.output[0], height)
        ]

    def forward(self, x: Array, kernel: Array, bias: Array, out: Array, *, training: bool) -> None:
        """See `Backend.conv2d_relu_max_pool`."""
        self._images = self._with_padding(x)  # which the gradients need again
        np.copyto(self._placed, kernel)
        bias = bias[:, None, None, None]
        for band in self._bands:
            band.convolve(self._images, self._weights)
            if training:
                band.find_maxima_and_where(bias)
            else:
                band.find_maxima(bias)
            band.write(out)

    def gradients(
        self,
        output_gradient: Array,
        kernel_gradient: Array,
        bias_gradient: Array,
        input_gradient: Array | None,
    ) -> None:
        """See `Backend.conv2d_relu_max_pool_gradients`, for the weights of `forward`."""
        pixels = self._gradient_of_images(input_gradient)
        self._weight_gradient.fill(0)
        bias_gradient.fill(0)
        for band in self._bands:
            band.mask(output_gradient)
            band.add_bias_gradient(bias_gradient)
            band.choose()
            band.add_weight_gradient(self._images, self._weight_gradient)
            if pixels is not None:
                band.add_image_gradient(self._weights, pixels)
        np.copyto(kernel_gradient, self._placed_gradient)
        if input_gradient is not None and pixels is not None and "padded" in self.arrays:
            np.copyto(images_last(input_gradient), self._layout.inside(pixels))

    def _with_padding(self, x: Array) -> Array:
        """The images with the padding of the window around them, (n, h, w, c)."""
        if "padded" not in self.arrays:
            return x
        padded = images_last(self.arrays["padded"])
        padded.fill(0)
        np.copyto(self._layout.inside(padded), images_last(x))
        return self.arrays["padded"]

    def _gradient_of_images(self, input_gradient: Array | None) -> Array | None:
        """Where the gradient of the images is added up, (h, w, c, n), with their padding."""
        if input_gradient is None:
            return None
        pixels = self._pixels(input_gradient)
        if "padded" in self.arrays:
            shape = images_last(self.arrays["padded"]).shape
            pixels = self._workspace("padded gradient", shape, pixels.dtype)
        pixels.fill(0)
        return pixels

"""Convolution by 3x3, ReLU and 2x2 max-pooling in training, with fewer products."""

import numpy as np

from gpucnn.backends.calls import Calls
from gpucnn.backends.cpu import winograd
from gpucnn.backends.cpu.fused.frame import Frame
from gpucnn.backends.cpu.fused.row_tiles import comparisons, slices
from gpucnn.backends.cpu.layout import LastView, images_last
from gpucnn.backends.fused import ConvReluPool, ConvReluPoolPlan
from gpucnn.backends.memory import Array, Workspace

FEWEST = (16, 32, 24)
"""Channels, filters and images from which the products that are saved take longer than the sums."""


def suits_training(fused: ConvReluPool, images: int) -> bool:
    """Whether the operation and its gradients can be computed so, and faster."""
    sizes = fused.channels, fused.filters, images
    is_large = all(size >= least for size, least in zip(sizes, FEWEST, strict=True))
    return is_large and winograd.has_transforms(fused)


class FewerProductsPlan(ConvReluPoolPlan):
    """The tiles and weights for F(2x2, 3x3), see `winograd`, on batches of one size.

    Everything has the images innermost, and around them the channels or filters, so that all sums
    are of long contiguous runs, and each position of the pooling has products of its own.

    Transformed pixels are not kept for the gradients: to read them from memory takes as long as
    to transform the pixels again. What is kept is the position of each maximum.

    Args:
        fused: the operation, which `suits_training`.
        arrays: as for `CpuConvReluPoolPlan`, for n images.
        workspace: allocates scratch memory for one operation, by name, shape and dtype.
    """

    def __init__(self, fused: ConvReluPool, arrays: dict[str, Array], workspace: Workspace) -> None:
        super().__init__(fused, arrays)
        self._frame = Frame(fused, arrays, workspace)
        by_axis = winograd.of_weights(fused.real).reshape(4, 4, 9)
        self._of_weights = by_axis.swapaxes(0, 1).reshape(16, 9)
        self._weights, self._gradient = (
            np.empty((4, 4, fused.channels, fused.filters), fused.real) for _ in range(2)
        )
        greater = images_last(arrays["greater"])
        height = max(winograd.tile_size() // (winograd.column_size(fused) * greater.shape[1]), 1)
        self._tiles = [
            _Tile(fused, rows, self._weights, greater, workspace)
            for rows in slices(fused.pool.output[0], height)
        ]

    def forward(self, x: Array, kernel: Array, bias: Array, out: Array, *, training: bool) -> None:
        """Compute `Backend.conv2d_relu_max_pool`; what the gradients need is always kept."""
        self._images = self._frame.around(x)  # kept for the gradients
        np.dot(self._of_weights, kernel.reshape(9, -1), out=self._weights.reshape(16, -1))
        for tile in self._tiles:
            tile.convolve(self._images)
            tile.write(bias[:, None], out)

    def gradients(
        self,
        output_gradient: Array,
        kernel_gradient: Array,
        bias_gradient: Array,
        input_gradient: Array | None,
    ) -> None:
        """Compute `Backend.conv2d_relu_max_pool_gradients`, with the weights given to `forward`."""
        pixels = self._frame.gradient(input_gradient)
        self._gradient.fill(0)
        bias_gradient.fill(0)
        for tile in self._tiles:
            tile.choose(output_gradient, bias_gradient)
            tile.add_weight_gradient(self._images, self._gradient)
            if pixels is not None:
                tile.add_image_gradient(pixels)
        gradient = self._gradient.reshape(16, -1)
        np.dot(self._of_weights.T, gradient, out=kernel_gradient.reshape(9, -1))
        self._frame.write(pixels, input_gradient)


class _Tile:
    """A tile of rows of the pooled images, and the calls that compute it.

    Args:
        fused: the operation.
        rows: the rows of the tile.
        weights: real (4, 4, channels, filters), transformed.
        greater: bool (4 * filters * positions, n), the comparisons of all tiles.
        workspace: allocates scratch memory, by name, shape and dtype.
    """

    def __init__(
        self,
        fused: ConvReluPool,
        rows: slice,
        weights: Array,
        greater: Array,
        workspace: Workspace,
    ) -> None:
        height, (all_rows, width) = rows.stop - rows.start, fused.pool.output
        images, channels, filters = greater.shape[1], fused.channels, fused.filters
        self._rows, self._first = rows, 2 * rows.start

        def scratch(name: str, *shape: int) -> Array:
            return workspace(f"winograd {name}", shape, fused.real)

        self._lines = scratch("rows", 5, height, 2 * width + 2, channels, images)
        self._pixels = scratch("pixels", 4, 4, height, width, channels, images)
        self._products = scratch("products", 5, 5, height, width, filters, images)
        self._gradients = scratch("gradients", 5, 5, height, width, channels, images)
        self._by_position = scratch("by position", 4, 4, width, channels, filters)
        self._summed = scratch("summed", 4, 4, channels, filters)
        self._weights = weights[:, :, None, None]
        self._ones = np.ones(images, fused.real)
        self._zeros = np.zeros((filters, images), fused.real)
        self._bias_by_position = np.empty((height, width, filters), fused.real)
        self._bias_gradient = np.empty(filters, fused.real)

        each = len(greater) // all_rows
        scores = self._products[:2, :2]
        found = greater[rows.start * each : rows.stop * each].reshape(scores.shape)
        self._best, self._positive = scores[0, 0], found[0, 0]
        self._transform = LastView(self._calls_of_pixels)
        self._maximise, self._choose = self._calls_of_outputs(), Calls()
        pairs = list(comparisons(scores, found))
        for best, other, is_greater in pairs:
            self._maximise.add(np.greater, other, best, out=is_greater)
            self._maximise.add(np.maximum, best, other, out=best)
        for best, other, is_greater in reversed(pairs):
            self._choose.add(np.multiply, best, is_greater, out=other)
            self._choose.add(np.subtract, best, other, out=best)
        winograd.add_output_gradients(self._products, self._choose)
        self._image_gradient = LastView(self._calls_of_image_gradient)

    def _calls_of_pixels(self, images: Array) -> Calls:
        """Those that transform the pixels of images (n, h, w, c), which are padded."""
        calls, x = Calls(), images_last(images)[self._first :]
        winograd.add_pixels(x, self._lines[:4], self._pixels, calls)
        return calls

    def _calls_of_outputs(self) -> Calls:
        """Those that compute the scores from the transformed pixels."""
        calls, products = Calls(), self._products
        calls.add(np.matmul, self._weights.swapaxes(-1, -2), self._pixels, out=products[:4, :4])
        winograd.add_outputs(products, calls)
        return calls

    def _calls_of_image_gradient(self, pixels: Array) -> Calls:
        """Those that add the gradient of the images to `pixels`, (h, w, c, n)."""
        calls, gradients = Calls(), self._gradients
        calls.add(np.matmul, self._weights, self._products[:4, :4], out=gradients[:4, :4])
        winograd.add_pixel_gradients(gradients, self._lines, pixels[self._first :], calls)
        return calls

    def convolve(self, images: Array) -> None:
        """Compute the maxima of the scores of images (n, h, w, c), and where they are."""
        self._transform(images)()
        self._maximise()

    def write(self, bias: Array, out: Array) -> None:
        """Write ReLU of the maxima plus the bias, (filters, 1), to `out`, (n, ph, pw, filters)."""
        np.add(self._best, bias, out=self._best)
        np.greater(self._best, 0, out=self._positive)
        np.maximum(self._best, self._zeros, out=images_last(out)[self._rows])

    def choose(self, output_gradient: Array, bias_gradient: Array) -> None:
        """Compute the gradients of the products, and add that of the bias, (filters,).

        Args:
            output_gradient: real (n, ph, pw, filters).
            bias_gradient: updated.
        """
        np.multiply(images_last(output_gradient)[self._rows], self._positive, out=self._best)
        np.matmul(self._best, self._ones, out=self._bias_by_position)
        np.add.reduce(self._bias_by_position, axis=(0, 1), out=self._bias_gradient)
        bias_gradient += self._bias_gradient
        self._choose()

    def add_weight_gradient(self, images: Array, total: Array) -> None:
        """Add the gradient of the transformed weights to `total`, (4, 4, channels, filters)."""
        self._transform(images)()
        gradients = self._products[:4, :4].swapaxes(-1, -2)
        for row in range(gradients.shape[2]):
            np.matmul(self._pixels[:, :, row], gradients[:, :, row], out=self._by_position)
            np.add.reduce(self._by_position, axis=2, out=self._summed)
            total += self._summed

    def add_image_gradient(self, pixels: Array) -> None:
        """Add the gradients of the images to `pixels`, (h, w, c, n), after `choose`."""
        self._image_gradient(pixels)()

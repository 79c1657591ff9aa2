"""Convolution by 3x3, ReLU and 2x2 max-pooling in training, with fewer products."""

from math import prod

import numpy as np

from gpucnn.backends.calls import Calls
from gpucnn.backends.cpu import winograd
from gpucnn.backends.cpu.fused.frame import Frame
from gpucnn.backends.cpu.fused.maxima import add_choice, add_maxima, comparisons
from gpucnn.backends.cpu.fused.plan import CpuPlan
from gpucnn.backends.cpu.layout import images_last
from gpucnn.backends.fused import ConvReluPool
from gpucnn.backends.memory import Array, Buffer, Workspace


class FewerProductsPlan(CpuPlan):
    """The tiles and weights for F(2x2, 3x3), see `winograd`, on batches of one size.

    Transformed pixels are not kept for the gradients: to read them from memory takes as long as
    to transform the pixels again. What is kept is the position of each maximum.

    Args:
        fused: the operation, which `winograd.suits`.
        arrays: as for `CpuConvReluPoolPlan`, for n images.
        workspace: allocates scratch memory for one operation, by name, shape and dtype.
    """

    def __init__(self, fused: ConvReluPool, arrays: dict[str, Array], workspace: Workspace) -> None:
        super().__init__(fused, arrays)
        self._frame = Frame(fused, arrays, workspace, "channels")
        self._of_weights = winograd.of_weights(fused.real)
        shape = 16, fused.channels, fused.filters
        self._weights, self._gradient = (np.empty(shape, fused.real) for _ in range(2))
        self._swapped = np.empty((16, fused.filters, fused.channels), fused.real)
        weights = self._weights, self._swapped, self._gradient
        found = images_last(arrays["greater"]).reshape(-1)
        self._tiles: list[_Tile] = []
        for tile in winograd.tiles(fused, len(arrays["greater"])):
            self._tiles.append(_Tile(fused, *tile, weights, found, workspace))
            found = found[self._tiles[-1].size :]

    @staticmethod
    def buffers(fused: ConvReluPool) -> dict[str, Buffer]:
        """The buffers of a plan, by name."""
        scores = 4 * fused.filters * prod(fused.pool.output)
        return {"greater": Buffer((scores,), "bool"), **Frame.buffers(fused, "channels")}

    def _add_forward(self, calls: Calls, x: Array, kernel: Array, bias: Array, out: Array) -> Array:
        images, weights = self._frame.add_around(x, calls), self._weights.reshape(16, -1)
        calls.add(self._of_weights.dot, kernel.reshape(9, -1), weights)
        for tile in self._tiles:
            tile.add_scores(images, bias, calls)
            tile.add_output(out, calls)
        return images

    def _add_gradients(
        self,
        images: Array,
        calls: Calls,
        output_gradient: Array,
        kernel: Array,
        kernel_gradient: Array,
        bias_gradient: Array,
        input_gradient: Array | None,
    ) -> None:
        pixels = self._frame.gradient(input_gradient)
        if pixels is not None:
            height, width = (2 * size + 2 for size in self.fused.pool.output)
            calls.copy(0, pixels[:, height:])  # what no window sees
            calls.copy(0, pixels[:, :, width:])
            calls.copy(self._weights.swapaxes(1, 2), self._swapped)
        calls.add(self._gradient.fill, 0)
        calls.add(bias_gradient.fill, 0)
        for tile in self._tiles:
            tile.add_choice(output_gradient, bias_gradient, calls)
            tile.add_weight_gradient(images, calls)
            if pixels is not None:
                tile.add_image_gradient(pixels, calls)
        of_kernel = kernel_gradient.reshape(9, -1)
        calls.add(self._of_weights.T.dot, self._gradient.reshape(16, -1), of_kernel)
        self._frame.add_writing(pixels, input_gradient, calls)


class _Tile:
    """A tile of the pooled images, and the calls that compute it.

    Args:
        fused: the operation.
        columns: of the images.
        some: the images.
        weights: real (16, channels, filters), transformed; the same as (16, filters, channels); and
            their gradient, like the first.
        found: bool (elements,), whose first are for the comparisons of the tile.
        workspace: allocates scratch memory, by name, shape and dtype.

    Attributes:
        size: the elements of `found` that it takes.
    """

    def __init__(
        self,
        fused: ConvReluPool,
        columns: slice,
        some: slice,
        weights: tuple[Array, Array, Array],
        found: Array,
        workspace: Workspace,
    ) -> None:
        self._columns, self._some, self._workspace = columns, some, workspace
        self._weights, self._swapped, self._total = weights
        _, channels, filters = self._weights.shape
        windows = fused.pool.output[0], columns.stop - columns.start, some.stop - some.start
        positions = prod(windows)

        def scratch(name: str, *shape: int) -> Array:
            return workspace(f"winograd {name}", shape, fused.real)

        self._pixels = scratch("pixels", 4, 4, *windows, channels)
        self._by_element = self._pixels.reshape(16, positions, channels)
        self.size = 4 * positions * filters
        length = winograd.row_length(positions * filters, fused.real)
        self._terms = scratch("products", 17, length)[:, : positions * filters]
        self._products = self._terms[:16].reshape(16, positions, filters)
        self._bias = self._terms[16].reshape(positions, filters)
        self._gradients = scratch("gradients", *windows[:1], 4, 4, *windows[1:], channels)
        self._summed = scratch("summed", *self._total.shape)
        self._scores = scores = scratch("scores", 4, length)[:, : positions * filters]
        outcomes = found[: self.size].reshape(scores.shape)
        self._best, self._positive = (
            each[0].reshape(*windows, filters) for each in (scores, outcomes)
        )
        self._zeros = np.zeros(self._best.shape[2:], fused.real)
        self._ones = np.ones(positions, fused.real)
        self._bias_gradient = np.empty(filters, fused.real)

        self._comparisons = comparisons(*(each.reshape(2, 2, -1) for each in (scores, outcomes)))

    def _pooled(self, pooled: Array) -> Array:
        """View the tile of pooled images (n, ph, pw, filters), as (ph, columns, n, filters)."""
        return pooled.transpose(1, 2, 0, 3)[:, self._columns, self._some]

    def _seen(self, images: Array) -> Array:
        """View images (n, h, w, c), padded, as (h, w, n, c) from the tile's first column."""
        return images.transpose(1, 2, 0, 3)[:, 2 * self._columns.start :, self._some]

    def _add_pixels(self, images: Array, calls: Calls) -> None:
        winograd.add_pixels(self._workspace, self._seen(images), self._pixels, calls)

    def add_scores(self, images: Array, bias: Array, calls: Calls) -> None:
        """Compute the maxima of the scores of images (n, h, w, c), padded, and where they are."""
        calls.copy(bias, self._bias)
        self._add_pixels(images, calls)
        calls.add(np.matmul, self._by_element, self._weights, self._products)
        winograd.add_outputs(self._terms, self._scores, calls)
        add_maxima(self._comparisons, calls)

    def add_output(self, out: Array, calls: Calls) -> None:
        """Write ReLU of the maxima to `out`, (n, ph, pw, filters), and keep which are above 0."""
        calls.add(np.greater, self._best, np.zeros((), self._best.dtype), self._positive)
        calls.add(np.maximum, self._best, self._zeros, out=self._pooled(out))

    def add_choice(self, output_gradient: Array, bias_gradient: Array, calls: Calls) -> None:
        """Compute the gradients of the products, and add that of the bias, (filters,).

        Args:
            output_gradient: real (n, ph, pw, filters).
            bias_gradient: updated.
            calls: of the pass.
        """
        calls.add(np.multiply, self._pooled(output_gradient), self._positive, self._best)
        by_filter = self._best.reshape(-1, len(self._bias_gradient))
        calls.add(self._ones.dot, by_filter, self._bias_gradient)
        calls.add(np.add, bias_gradient, self._bias_gradient, bias_gradient)
        add_choice(self._comparisons, calls)
        winograd.add_output_gradients(self._scores, self._terms, calls)

    def add_weight_gradient(self, images: Array, calls: Calls) -> None:
        """Add the gradient of the transformed weights to their total."""
        self._add_pixels(images, calls)
        calls.add(np.matmul, self._by_element.swapaxes(1, 2), self._products, self._summed)
        calls.add(np.add, self._total, self._summed, self._total)

    def add_image_gradient(self, pixels: Array, calls: Calls) -> None:
        """Write the gradient of the images to `pixels`, (n, h, w, c), after `add_choice`."""
        gradients = self._gradients
        height, *_, channels = gradients.shape
        products = self._products.reshape(4, 4, height, -1, self._products.shape[2])
        weights = self._swapped.reshape(4, 4, 1, *self._swapped.shape[1:])
        out = gradients.reshape(height, 4, 4, -1, channels).transpose(1, 2, 0, 3, 4)
        calls.add(np.matmul, products, weights, out)
        mine, is_first = self._seen(pixels), self._columns.start == 0
        winograd.add_pixel_gradients(self._workspace, gradients, mine, calls, is_first=is_first)

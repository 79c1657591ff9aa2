"""The fused convolution on a tile of rows of the pooled images, which fits into the cache."""

from collections.abc import Iterator
from functools import cached_property
from math import prod

import numpy as np

from gpucnn.backends.calls import Calls
from gpucnn.backends.cpu.core_cache import core_cache
from gpucnn.backends.cpu.fused.maxima import add_choice, add_maxima, comparisons
from gpucnn.backends.cpu.fused.panels import Panels
from gpucnn.backends.cpu.layout import images_last, runs
from gpucnn.backends.cpu.products import (
    count_blocks,
    has_kernels_of_small_matrices,
    in_blocks,
)
from gpucnn.backends.memory import Array, Order, Workspace
from gpucnn.utils.arithmetic import slices

MOST_JOINED = 12
"""The most pixels that columns of a window see together, for which they are joined."""


def tile_height(layout: Panels, filters: int, size: int) -> int:
    """The most pooled rows of a tile; 0 if not even one fits.

    Their panels and scores fill a core's own cache, to half a row: so they stay in it.

    Args:
        layout: the panels of all rows.
        filters: the filters of the convolution.
        size: the bytes of one element of all images.
    """
    width = layout.positions[1]
    elements = prod(layout.shape) + prod(layout.offsets) * filters * width
    return round(core_cache() / (elements * size))


def are_panels_kept(layout: Panels, filters: int) -> bool:
    """Whether the pixels of all tiles are kept for the gradients, and not copied to panels again.

    Where they are few beside the scores, to read them from a shared cache takes less time.
    """
    scores = prod(layout.offsets) * filters * layout.positions[1]
    return 2 * prod(layout.shape) <= scores


def is_gradient_joined(layout: Panels) -> bool:
    """Whether the weight gradients of all columns of a window are one product.

    Some of it is of no use, but kernels that pack their operands read these once, and have fewer
    rows left over: for AVX2, twelve rows take less time than nine do twice.
    """
    return layout.joined_patch <= MOST_JOINED and not has_kernels_of_small_matrices()


def positions_at_once(each: int) -> int:
    """The number of positions whose weight gradients, `each` bytes, are computed together.

    They are added up while they are in a core's own cache, beside what they are computed from.
    """
    return max(core_cache() // (4 * each), 1)


class RowTile:
    """A tile of rows of the pooled images, and the views of arrays that its computation needs.

    Args:
        layout: the panels of all rows.
        rows: the rows of the tile.
        filters: the filters of the convolution.
        greater: bool (offsets * filters * positions, n), the comparisons of all tiles.
        panels: real (elements, n), memory for the panels of all rows, if they are kept.
        workspace: allocates scratch memory, by name, shape and dtype.
        real: the dtype of the images.
        order: of the pooled images in memory. Filters are innermost in the scores if they are so in
            these, and else images.
    """

    def __init__(
        self,
        layout: Panels,
        rows: slice,
        filters: int,
        greater: Array,
        panels: Array | None,
        workspace: Workspace,
        real: "np.dtype[np.floating]",
        order: Order = "C",
    ) -> None:
        (height, width), images = layout.positions, greater.shape[1]
        each = len(greater) // height
        self._layout = layout = layout.of_rows(rows.stop - rows.start)
        self._workspace, self._real, self._pooled_rows = workspace, real, rows
        self._first = rows.start * layout.pool[0] * layout.window.strides[0]
        run = layout.positions[0] * images
        self._are_innermost = order == "channels"
        self._are_copied = filters > run and not self._are_innermost
        if panels is None or self._are_copied:  # since copies are not kept
            self._panels = workspace("panels", (*layout.shape, run), real)
            self._extracted = workspace("extracted", (1,), np.int64)  # whose pixels are in them
        else:
            size = prod(layout.shape)
            mine = panels[rows.start * size : rows.stop * size]
            self._panels, self._extracted = mine.reshape(*layout.shape, run), np.zeros(1, np.int64)
        self._is_joined = is_gradient_joined(layout) and not (
            self._are_copied or self._are_innermost
        )
        around = layout.pool if self._is_joined else layout.offsets
        scores = workspace("scores", (*around, filters * width * run), real)
        scores = scores.swapaxes(0, 1) if self._is_joined else scores
        found = greater[rows.start * each : rows.stop * each].reshape(scores.shape)
        self._comparisons = comparisons(scores, found)
        # In rows of one position, to which the same bias is added, or of one filter.
        shape = (width if self._are_innermost else filters), -1
        self._best_in_rows, self._positive_in_rows = (
            each[0, 0].reshape(shape) for each in (scores, found)
        )
        self._ones = np.ones(width * run, real)
        self._gradient_shape = layout.patch, filters
        self._sums = np.empty(filters, real)

        scores, found = (self._arranged(each, filters) for each in (scores, found))
        self._place_products(scores)
        self._by_filter = scores[0, 0].reshape(filters, -1)
        split = *layout.offsets, filters, width, layout.positions[0], images
        self._scores = scores.reshape(split)
        self._best, self._positive = self._scores[0, 0], found.reshape(split)[0, 0]
        self._zeros = np.zeros_like(self._best[:, :1] if self._are_innermost else self._best[:1])

    def _pooled(self, array: Array) -> tuple[Array, ...]:
        """The tile's rows of (n, ph, pw, filters), in the order of the scores; and the best."""
        mine = images_last(array)[self._pooled_rows].transpose(2, 1, 0, 3)
        return (mine, self._best) if self._are_innermost else runs(mine, self._best)

    def _arranged(self, memory: Array, filters: int) -> Array:
        """View (*offsets, elements) as (*offsets, filters, positions, run)."""
        width, run, offsets = self._layout.positions[1], self._panels.shape[-1], memory.shape[:2]
        if self._are_innermost:
            return np.moveaxis(memory.reshape(*offsets, width, run, filters), -1, 2)
        return memory.reshape(*offsets, filters, width, run)

    def _place_products(self, scores: Array) -> None:
        """Make the operands and results of the products, (*offsets, positions, ...).

        The patches of a row overlap, so each position has a product of its own, which reads the
        weights and, backward, writes a gradient of them. With more filters than a patch has
        columns, that takes longer than copying the patches: then each offset has one product.
        """
        overlapping = self._layout.patches(self._panels)
        *offsets, positions, patch, run = overlapping.shape
        filters = scores.shape[2]
        operands, results = overlapping, scores.swapaxes(2, 3)
        if self._are_copied:
            operands = self._workspace("patches", (*offsets, 1, patch, self._ones.size), self._real)
            results = scores.reshape(*offsets, 1, filters, -1)
            apart = operands.reshape(*offsets, patch, positions, run).swapaxes(2, 3)
            self._copies = runs(apart, overlapping)
        joined = self._joined(scores) if self._is_joined else (operands, results)
        self._place_weight_gradients(*joined)

        blocks = count_blocks(operands.shape[-1], filters * patch)
        self._operands_in_blocks = in_blocks(operands, blocks)
        self._results_in_blocks = in_blocks(results, blocks)

    def _place_weight_gradients(self, operands: Array, results: Array) -> None:
        """Make the products that are the weight gradients, of a few positions at a time.

        Those of columns that are joined have the gradient of each in a block of their own.
        """
        *offsets, positions, filters, _ = results.shape
        shape = (operands.shape[-2], filters)
        self._weight_gradient = self._workspace("weight gradient", shape, self._real)
        (rows, columns), step = self._gradient_shape, self._layout.step
        self._blocks_of_weights = [
            self._weight_gradient[step * each :, columns * each :][:rows, :columns]
            for each in range(filters // columns)
        ]
        at_once = positions_at_once(prod(offsets) * self._weight_gradient.nbytes)
        shape = (*offsets, min(at_once, positions), *shape)
        gradients = self._workspace("weight gradients", shape, self._real)
        self._by_position = [
            (
                operands[:, :, some],
                results[:, :, some].swapaxes(-1, -2),
                gradients[:, :, : some.stop - some.start],
            )
            for some in slices(positions, at_once)
        ]

    def _joined(self, scores: Array) -> tuple[Array, Array]:
        """The operands and results of products for all columns of a window together."""
        across, down, filters, width, run = scores.shape
        results = scores.swapaxes(0, 1).reshape(1, down, across * filters, width, run)
        return self._layout.joined_patches(self._panels), results.swapaxes(2, 3)

    @cached_property
    def _gradient_by_column(self) -> Array:
        """The gradients of the scores in the order (rows, columns, filters, run)."""
        across, down, filters, positions, *_ = self._scores.shape
        shape = (down, positions * across, filters, self._panels.shape[-1])
        return self._workspace("gradient by column", shape, self._real)

    @cached_property
    def _column_products(self) -> list[tuple[slice, Array, Array]]:
        """For each column of the panels: the places of its weights, what they multiply, and it."""
        filters, run = self._gradient_by_column.shape[2:]
        blocks = count_blocks(run, filters * self._layout.patch)
        products = []
        for column in range(self._panels.shape[1]):
            outputs, taps = self._layout.readers(column)
            read = self._gradient_by_column[:, outputs]
            read = read.reshape(len(read), -1, run)
            pixels = self._panels[:, column].reshape(len(read), -1, run)
            weights = slice(taps.start * filters, taps.stop * filters)
            products.append((weights, in_blocks(read, blocks), in_blocks(pixels, blocks)))
        return products

    @cached_property
    def _same_pixels(self) -> list[tuple[Array, Array]]:
        """Rows of the panels, and others whose pixels are the same."""
        return [
            (self._panels[panel, :, row], self._panels[other, :, other_row])
            for (panel, row), others in self._layout.places_of_rows.items()
            for other, other_row in others
        ]

    def _places(self, images: Array) -> tuple[Array, Array]:
        """View the pixels that the tile reads of images (h, w, c, n), and their place in panels."""
        seen = self._layout.seen(images[self._first :])
        return seen, self._panels.reshape(seen.shape)

    def _rows(self, images: Array) -> Iterator[tuple[Array, Array]]:
        """The same views for each row of the panels that is the first of its pixels."""
        seen, pixels = self._places(images)
        for panel, row in self._layout.places_of_rows:
            yield seen[panel, :, row], pixels[panel, :, row]

    # Forward

    def add_scores(self, images: Array, weights: Array, calls: Calls) -> None:
        """Compute the scores of images (n, h, w, c), which are padded."""
        self._add_extraction(images, calls)
        calls.add(np.matmul, weights, self._operands_in_blocks, self._results_in_blocks)

    def add_maxima(self, bias: Array, calls: Calls) -> None:
        """Compute the maxima over the offsets, plus the bias, into the first offset's scores.

        Where they are is kept, and which of them are above 0.
        """
        add_maxima(self._comparisons, calls)
        calls.add(np.add, self._best_in_rows, bias, self._best_in_rows)
        zero = np.zeros((), self._real)
        calls.add(np.greater, self._best_in_rows, zero, self._positive_in_rows)

    def add_output(self, out: Array, calls: Calls) -> None:
        """Write ReLU of the maxima to `out`, (n, ph, pw, filters)."""
        output, best = self._pooled(out)
        if self._are_innermost:
            calls.add(np.maximum, best, self._zeros, out=output)
        else:  # which has shorter runs: they are copied as elements
            calls.add(np.maximum, self._best, self._zeros, out=self._best)
            calls.copy(best, output)

    # Backward

    def add_mask(self, output_gradient: Array, calls: Calls) -> None:
        """Compute the gradients of the maxima into the first offset's scores.

        They are equal to `output_gradient`, (n, ph, pw, filters), where a maximum is above 0; the
        others are 0.
        """
        gradient, best = self._pooled(output_gradient)
        if not self._are_innermost:
            calls.copy(gradient, best)
            gradient = self._best
        calls.add(np.multiply, gradient, self._positive, self._best)

    def add_bias_gradient(self, total: Array, calls: Calls) -> None:
        """Add the sum of the maxima's gradients to `total`, (filters,), by a product with ones."""
        calls.add(np.matmul, self._by_filter, self._ones, self._sums)
        calls.add(np.add, total, self._sums, total)

    def add_choice(self, calls: Calls) -> None:
        """Compute the gradients of the scores from the gradients of the maxima."""
        add_choice(self._comparisons, calls)

    def add_weight_gradient(self, images: Array, total: Array, calls: Calls) -> None:
        """Add the gradient of the weights to `total`, (patch, filters): faster so in BLAS."""
        extraction = Calls()
        self._add_extraction(images, extraction)

        def extract() -> None:
            if self._extracted[0] != id(self):  # else they are still there from `add_scores`
                extraction()

        calls.add(extract)
        for operands, scores, gradients in self._by_position:
            calls.add(np.matmul, operands, scores, gradients)
            calls.add(np.add.reduce, gradients, (0, 1, 2), None, self._weight_gradient)
            for block in self._blocks_of_weights:
                calls.add(np.add, total, block, total)

    def add_image_gradient(self, weights: Array, pixels: Array, calls: Calls) -> None:
        """Add to `pixels`, (n, h, w, c), the gradients of all patches that contain them.

        A column of a panel is read by adjacent columns of outputs. In memory these lie together,
        and so one product adds up what all of them contribute.

        Args:
            weights: real (kh * channels, kw * filters), kw in the order of `Panels.taps`.
            pixels: updated.
            calls: of the pass.
        """
        across, down, filters, positions, *rest = self._scores.shape
        split = self._gradient_by_column.reshape(down, positions, across, filters, *rest)
        calls.copy(*runs(self._scores, split.transpose(2, 0, 3, 1, 4, 5)))
        calls.add(self._extracted.fill, 0)  # the panels' pixels are no longer needed
        for some, gradients, panel in self._column_products:
            calls.add(np.matmul, weights[:, some], gradients, panel)
        for total, other in self._same_pixels:
            calls.add(np.add, total, other, total)
        for seen, gradient in self._rows(images_last(pixels)):
            calls.add(np.add, seen, gradient, seen)

    def _add_extraction(self, images: Array, calls: Calls) -> None:
        """Copy images (n, h, w, c), which are padded, to the panels."""
        calls.copy(*runs(*self._places(images_last(images))))
        calls.add(self._extracted.fill, id(self))
        if self._are_copied:
            apart, overlapping = self._copies
            calls.copy(overlapping, apart)

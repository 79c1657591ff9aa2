"""Convolution, ReLU and max-pooling as one operation on the CPU."""

from math import prod

import numpy as np

from gpucnn.backends.calls import Calls
from gpucnn.backends.cpu.fused.frame import Frame, panels_of
from gpucnn.backends.cpu.fused.plan import CpuPlan
from gpucnn.backends.cpu.fused.row_tiles import (
    RowTile,
    are_panels_kept,
    tile_height,
)
from gpucnn.backends.cpu.layout import images_last
from gpucnn.backends.fused import ConvReluPool
from gpucnn.backends.memory import Array, Buffer, Workspace
from gpucnn.backends.window import Window
from gpucnn.utils.arithmetic import slices


def can_pool_side_by_side(pool: Window) -> bool:
    """Whether the windows of a pooling are adjacent, without overlap, gap or padding."""
    return pool.size == pool.strides and pool.padding == "valid"


class CpuConvReluPoolPlan(CpuPlan):
    """The row tiles, weights and views with which the operation runs on batches of one size.

    Outputs with the same offset in their pooling windows are computed into one contiguous block,
    see `Panels`, so the maximum over a window is a maximum of a few blocks. It commutes with the
    bias and with ReLU, which are monotone: both are applied after pooling, to a quarter of the
    elements for 2x2.

    The images are processed in tiles of pooled rows, whose panels and scores stay in the caches.
    What is kept is the position of each maximum, and the panels where there are few channels, see
    `are_panels_kept`. Others are not, except those of the last tile: copying them again for the
    gradients costs less than reading them from memory.

    Elements moved for each image by the notebook's layer. Forward: 2,184 pixels of panels read and
    written; 6,084 pixels of overlapping patches read by the products, which write 5,408 scores; for
    each of three comparisons, 1,352 pairs read twice, 1,352 booleans and as many maxima written;
    for the bias and ReLU, the maxima read three times and written twice, and as many booleans
    written; and the maxima copied to the output. Backward: 1,352 gradients copied, multiplied by as
    many booleans, and summed for the bias; for each of three comparisons, 1,352 gradients
    multiplied by as many booleans, and subtracted; 5,408 gradients and 6,084 pixels of patches read
    by the products; and, per tile rather than per image, 3,744 gradients of weights written and
    read.

    Making a view takes as long as a small operation, so all views are made once, and the calls of
    NumPy are bound to them; again only when callers pass another array.

    Args:
        fused: the operation; `can_pool_side_by_side` must hold for its pooling.
        arrays: the arrays that `buffers` describes, for n images.
        workspace: allocates scratch memory for one operation, by name, shape and dtype.
    """

    def __init__(self, fused: ConvReluPool, arrays: dict[str, Array], workspace: Workspace) -> None:
        super().__init__(fused, arrays)
        window, pool, real, filters = fused.window, fused.pool, fused.real, fused.filters
        self._frame = Frame(fused, arrays, workspace)
        greater = images_last(arrays["greater"])
        panels = images_last(arrays["panels"]) if "panels" in arrays else None
        layout = panels_of(fused)
        # In the order of patches, (kw, kh, channels), with the filters innermost as in kernels.
        weights = np.empty((*window.size[::-1], fused.channels, filters), real)
        self._placed, self._weights = weights.swapaxes(0, 1), weights.reshape(-1, filters).T
        # In the order of `Panels.taps`, (kh, channels, kw, filters).
        by_column = np.empty((*window.size[:1], fused.channels, window.size[1], filters), real)
        self._by_column = by_column.reshape(window.size[0] * fused.channels, -1)
        self._taps = [
            (weights[tap], by_column[:, :, place]) for place, tap in enumerate(layout.taps)
        ]
        self._weight_gradient = np.empty((layout.patch, filters), real)
        self._placed_gradient = self._weight_gradient.reshape(weights.shape).swapaxes(0, 1)
        images = greater.shape[1]
        height = tile_height(layout, filters, images * real.itemsize)
        all_rows = list(slices(pool.output[0], height))
        self._tiles = [
            RowTile(layout, rows, filters, greater, panels, workspace, real, fused.order)
            for rows in all_rows
        ]
        runs = [(rows.stop - rows.start) * images for rows in all_rows]
        self._bias = np.empty((max(runs), filters), real)
        self._biases = [self._bias[:run].reshape(-1) for run in runs]

    @staticmethod
    def buffers(fused: ConvReluPool) -> dict[str, Buffer]:
        """The buffers of a plan, by name."""
        scores = prod(fused.pool.size) * fused.filters * prod(fused.pool.output)
        buffers, layout = {"greater": Buffer((scores,), "bool")}, panels_of(fused)
        if are_panels_kept(layout, fused.filters):
            buffers["panels"] = Buffer((prod(layout.shape) * layout.positions[0],))
        return buffers | Frame.buffers(fused)

    def _add_forward(self, calls: Calls, x: Array, kernel: Array, bias: Array, out: Array) -> Array:
        images = self._frame.add_around(x, calls)
        calls.copy(kernel, self._placed)
        biases = [bias[:, None]] * len(self._tiles)
        if self.fused.order == "channels":
            calls.copy(bias, self._bias)
            biases = self._biases
        for tile, repeated in zip(self._tiles, biases, strict=True):
            tile.add_scores(images, self._weights, calls)
            tile.add_maxima(repeated, calls)
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
            calls.add(pixels.fill, 0)
            for weights, by_column in self._taps:
                calls.copy(weights, by_column)
        calls.add(self._weight_gradient.fill, 0)
        calls.add(bias_gradient.fill, 0)
        for tile in reversed(self._tiles):  # the panels are those of the last
            tile.add_mask(output_gradient, calls)
            tile.add_bias_gradient(bias_gradient, calls)
            tile.add_choice(calls)
            tile.add_weight_gradient(images, self._weight_gradient, calls)
            if pixels is not None:
                tile.add_image_gradient(self._by_column, pixels, calls)
        calls.copy(self._placed_gradient, kernel_gradient)
        self._frame.add_writing(pixels, input_gradient, calls)

"""The sums of absolute values of a pooled convolution that is computed with fewer products.

Of the transforms of `gpucnn.backends.cpu.winograd`, of pixels, weights and products, each with the
absolute values of its elements. What cancels in them is rounded all the same.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import ConvReluPool
from gpucnn.backends.cpu import winograd

Reals = NDArray[np.float64]

PIXELS, WEIGHTS, OUTPUTS = (
    np.abs(each) for each in (winograd.PIXELS, winograd.KERNEL, winograd.OUTPUTS)
)


@dataclass(frozen=True)
class AbsoluteTransforms:
    """The sums of the operation and of its gradients, which go through so many roundings.

    Transformed pixels, gradients of outputs: one for each axis. Weights, and what is transformed
    back to their gradients: as many as the matrix has columns. Outputs: nine, of sums of nine
    products and the bias; gradients of pixels: three for each axis, of sums of four.

    Args:
        fused: the operation.
        x: (n, h, w, channels), absolute values.
        kernel: (3, 3, channels, filters), absolute values.
    """

    fused: ConvReluPool
    x: Reals
    kernel: Reals

    @property
    def score_roundings(self) -> int:
        """Those of a score, with a bias."""
        return 2 + 9 + self.fused.channels + 9

    @cached_property
    def scores(self) -> Reals:
        """(windows, 4, filters), without the bias."""
        products = np.einsum("wabc,abcf->wabf", self._pixels, self._weights, optimize=True)
        sums = np.einsum("pa,qb,wabf->wpqf", OUTPUTS, OUTPUTS, products, optimize=True)
        return sums.reshape(len(sums), 4, -1)  # type: ignore[no-any-return]

    @property
    def kernel_gradient_roundings(self) -> int:
        """Those of a gradient of a weight."""
        return 2 + 2 + len(self._pixels) + 16

    def kernel_gradient(self, size: Reals) -> Reals:
        """(taps, filters), for absolute gradients (windows, filters) of one element of a window.

        Each transformed gradient is then at most as great.
        """
        gradients = np.einsum("wabc,wf->abcf", self._pixels, size, optimize=True)
        of_kernel = np.einsum("ay,bx,abcf->yxcf", WEIGHTS, WEIGHTS, gradients, optimize=True)
        return of_kernel.reshape(-1, size.shape[1])  # type: ignore[no-any-return]

    @property
    def input_gradient_roundings(self) -> int:
        """Those of a gradient of a pixel."""
        return 2 + 9 + self.fused.filters + 6

    def input_gradient(self, size: Reals) -> Reals:
        """Like `x`, for gradients as in `kernel_gradient`."""
        gradients = np.einsum("wf,abcf->wabc", size, self._weights, optimize=True)
        of_pixels = np.einsum("ay,bx,wabc->wyxc", PIXELS, PIXELS, gradients, optimize=True)
        rows, columns = self.fused.pool.output
        of_pixels = of_pixels.reshape(len(self.x), rows, columns, 4, 4, -1)
        padded = np.zeros_like(self._padded)
        for row, column in np.ndindex(4, 4):
            seen = padded[:, row : row + 2 * rows : 2, column : column + 2 * columns : 2]
            seen += of_pixels[:, :, :, row, column]
        (top, left), (height, width) = self.fused.window.padding_before, self.fused.window.image
        return padded[:, top : top + height, left : left + width]

    @cached_property
    def _padded(self) -> Reals:
        window = self.fused.window
        pads = zip(window.padding_before, window.padding_after, strict=True)
        return np.pad(self.x, ((0, 0), *pads, (0, 0)))

    @cached_property
    def _pixels(self) -> Reals:
        """(windows, 4, 4, channels)."""
        tiles = np.lib.stride_tricks.sliding_window_view(self._padded, (4, 4), (1, 2))
        rows, columns = self.fused.pool.output
        tiles = tiles[:, : 2 * rows : 2, : 2 * columns : 2].reshape(-1, *tiles.shape[3:])
        return np.einsum("ay,bx,wcyx->wabc", PIXELS, PIXELS, tiles, optimize=True)  # type: ignore[no-any-return]

    @cached_property
    def _weights(self) -> Reals:
        """(4, 4, channels, filters)."""
        return np.einsum("ay,bx,yxcf->abcf", WEIGHTS, WEIGHTS, self.kernel, optimize=True)  # type: ignore[no-any-return]

"""Batch normalisation."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gpucnn.backends.cpu.layout import images_last
from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.cuda.columns import (
    COLUMNS,
    SUMMING,
    lanes_of_elements,
    over_columns,
    over_rows,
    summing,
)
from gpucnn.backends.cuda.kernel import ITEMS, Grid, kernel
from gpucnn.backends.cuda.memory import CudaMemory
from gpucnn.backends.memory import Array, Memory
from gpucnn.backends.ops.bounds import (
    Bound,
    bounded,
    deviations,
    normalized,
    normalized_gradient,
    normalized_products,
    positions,
    positions_of_x,
    sums,
)
from gpucnn.backends.ops.matrices import as_rows


class Normalization(Memory):
    """Definitions of batch normalisation and of its gradients.

    Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal
    covariate shift", ICML 2015.

    A batch may come in parts: shares of the means, of the variances and of the sums of gradients
    are added up over these before they are used.
    """

    @bounded(means=sums(positions_of_x))
    def channel_means(self, x: Array, count: int, means: Array) -> None:
        """Compute the share of a part of a batch in the mean of each channel over the batch.

        Args:
            x: real (n, ..., c), the part.
            count: the elements of a channel in the whole batch.
            means: real (c,).
        """
        means[...] = as_rows(x).sum(axis=0) / count

    @bounded(variances=Bound(deviations, "result"))
    def channel_variances(self, x: Array, means: Array, count: int, variances: Array) -> None:
        """Compute the share of a part of a batch in the variance of each channel over the batch.

        Args:
            x: real (n, ..., c), the part.
            means: real (c,), of the whole batch.
            count: the elements of a channel in the whole batch.
            variances: real (c,), means of squared deviations.
        """
        variances[...] = ((as_rows(x) - means) ** 2).sum(axis=0) / count

    @bounded(out=Bound(normalized, "one"))
    def normalize(
        self,
        x: Array,
        means: Array,
        variances: Array,
        epsilon: float,
        gamma: Array,
        beta: Array,
        out: Array,
    ) -> None:
        """Bring each channel to the mean beta and the standard deviation gamma.

        Args:
            x: real (n, ..., c).
            means: real (c,), like all that follow but the last.
            variances: real (c,), at least 0.
            epsilon: above 0, added to the variances.
            gamma: real (c,).
            beta: real (c,).
            out: real, of the shape of `x`.
        """
        sigma = self.xp.sqrt(variances + epsilon)
        out[...] = (x - means) * (gamma / sigma) + beta

    @bounded(gamma_gradient=Bound(normalized_products, "one"), beta_gradient=sums(positions))
    def normalize_gradient_sums(
        self,
        output_gradient: Array,
        x: Array,
        means: Array,
        variances: Array,
        epsilon: float,
        gamma_gradient: Array,
        beta_gradient: Array,
    ) -> None:
        """Compute the gradients of gamma and of beta.

        Args:
            output_gradient: real (n, ..., c).
            x: as for `normalize`, like all that follow.
            means: real (c,).
            variances: real (c,).
            epsilon: above 0.
            gamma_gradient: real (c,).
            beta_gradient: real (c,).
        """
        normal = (x - means) / self.xp.sqrt(variances + epsilon)
        gamma_gradient[...] = as_rows(output_gradient * normal).sum(axis=0)
        beta_gradient[...] = as_rows(output_gradient).sum(axis=0)

    @bounded(input_gradient=Bound(normalized_gradient, "one"))
    def normalize_gradient(
        self,
        output_gradient: Array,
        x: Array,
        means: Array,
        variances: Array,
        epsilon: float,
        gamma: Array,
        gamma_sum: Array,
        beta_sum: Array,
        count: int,
        input_gradient: Array,
    ) -> None:
        """Compute the gradient of the input of `normalize`, on which means and variances depend.

        Args:
            output_gradient: real (n, ..., c).
            x: as for `normalize`, like all that follow.
            means: real (c,).
            variances: real (c,).
            epsilon: above 0.
            gamma: real (c,).
            gamma_sum: real (c,), the gradient of gamma over the whole batch.
            beta_sum: real (c,), the gradient of beta over the whole batch.
            count: the elements of a channel in the whole batch.
            input_gradient: real, of the shape of `x`.
        """
        sigma = self.xp.sqrt(variances + epsilon)
        normal = (x - means) / sigma
        centred = output_gradient - beta_sum / count - normal * (gamma_sum / count)
        input_gradient[...] = gamma / sigma * centred


class CpuNormalization(CpuMemory, Normalization):
    """Batch normalisation in NumPy: row by row of the images, which stay in the caches.

    What belongs to a channel is repeated for each image, so that runs are as long as a pixel's
    channels of all images; sums over rows are products with ones, as in `sum_rows`.
    """

    def channel_means(self, x: Array, count: int, means: Array) -> None:
        self._sum_pixels(x, means)
        means /= count

    def channel_variances(self, x: Array, means: Array, count: int, variances: Array) -> None:
        centre = self._of_images("centre", means, x)
        total = self._zero_total(x)
        for row, deviations_ in self._rows(x, "deviations"):
            np.subtract(row, centre, out=deviations_)
            np.multiply(deviations_, deviations_, out=deviations_)
            self._add_row(deviations_, total)
        self._sum_images(total, variances)
        variances /= count

    def normalize(
        self,
        x: Array,
        means: Array,
        variances: Array,
        epsilon: float,
        gamma: Array,
        beta: Array,
        out: Array,
    ) -> None:
        centre, shift = self._of_images("centre", means, x), self._of_images("shift", beta, x)
        factor = self._of_images("factor", gamma / np.sqrt(variances + epsilon), x)
        for row, out_row in zip(_rows(x), _rows(out), strict=True):
            np.subtract(row, centre, out=out_row)
            np.multiply(out_row, factor, out=out_row)
            np.add(out_row, shift, out=out_row)

    def normalize_gradient_sums(
        self,
        output_gradient: Array,
        x: Array,
        means: Array,
        variances: Array,
        epsilon: float,
        gamma_gradient: Array,
        beta_gradient: Array,
    ) -> None:
        centre = self._of_images("centre", means, x)
        total = self._zero_total(x)
        for gradient, (row, products) in zip(
            _rows(output_gradient), self._rows(x, "deviations"), strict=True
        ):
            np.subtract(row, centre, out=products)
            np.multiply(products, gradient, out=products)
            self._add_row(products, total)
        self._sum_images(total, gamma_gradient)
        gamma_gradient /= np.sqrt(variances + epsilon)
        self._sum_pixels(output_gradient, beta_gradient)

    def normalize_gradient(
        self,
        output_gradient: Array,
        x: Array,
        means: Array,
        variances: Array,
        epsilon: float,
        gamma: Array,
        gamma_sum: Array,
        beta_sum: Array,
        count: int,
        input_gradient: Array,
    ) -> None:
        sigma = np.sqrt(variances + epsilon)
        centre = self._of_images("centre", means, x)
        factor = self._of_images("factor", gamma / sigma, x)
        slope = self._of_images("slope", gamma_sum / (count * sigma), x)
        shift = self._of_images("shift", beta_sum / count, x)
        for gradient, out, (row, share) in zip(
            _rows(output_gradient),
            _rows(input_gradient),
            self._rows(x, "deviations"),
            strict=True,
        ):
            np.subtract(row, centre, out=share)
            np.multiply(share, slope, out=share)
            np.subtract(gradient, shift, out=out)
            np.subtract(out, share, out=out)
            np.multiply(out, factor, out=out)

    def _of_images(self, name: str, values: Array, x: Array) -> Array:
        """The values of channels, real (c,), for each image of `x`: (c, n), in a workspace."""
        repeated = self.workspace(f"channel {name}", (len(values), len(x)), values.dtype)
        np.copyto(repeated, values[:, None])
        return repeated

    def _rows(self, x: Array, name: str) -> Iterator[tuple[Array, Array]]:
        """The rows of the images of `x`, see `_rows`, each with a workspace of its shape."""
        for row in _rows(x):
            yield row, self.workspace(f"channel {name}", row.shape, row.dtype)

    def _zero_total(self, x: Array) -> Array:
        """Zeros for each channel and image, (c, n), in a workspace."""
        total = self.workspace("channel total", (x.shape[-1], len(x)), x.dtype)
        total.fill(0)
        return total

    def _add_row(self, row: Array, total: Array) -> None:
        """Add the pixels of a row (columns, c, n) to `total` (c, n)."""
        pixels = row.reshape(-1, total.size)
        part = self.workspace("channel part", (total.size,), row.dtype)
        np.matmul(self._constant(1, len(pixels), row.dtype), pixels, out=part)
        np.add(total, part.reshape(total.shape), out=total)

    def _sum_pixels(self, x: Array, out: Array) -> None:
        """Sum `x`, real (n, ..., c), into `out`, real (c,)."""
        total = self._zero_total(x)
        for row in _rows(x):
            if row.flags.c_contiguous:
                self._add_row(row, total)
            else:  # of images in another order, which a view as a matrix would copy
                inner = self.workspace("channel deviations", row.shape, row.dtype)
                np.copyto(inner, row)
                self._add_row(inner, total)
        self._sum_images(total, out)

    def _sum_images(self, total: Array, out: Array) -> None:
        """Sum `total`, real (c, n), into `out`, real (c,)."""
        np.matmul(total, self._constant(1, total.shape[1], total.dtype), out=out)


def _rows(x: Array) -> Array:
    """View images (n, rows, columns, c) as rows (columns, c, n); vectors (n, c) as one (c, n)."""
    last = images_last(x)
    return last[None] if x.ndim == 2 else last


def _kernel(batches: str, channels: str, grid: Grid, also: Mapping[str, str] | None = None) -> Any:
    """A kernel of batch_normalization.cu.

    Args:
        batches: the names of arrays of a batch.
        channels: the names of arrays of a number for each channel.
        grid: see `kernel`.
        also: the shapes of further arrays.
    """
    shapes = dict.fromkeys(batches.split(), COLUMNS) | dict.fromkeys(channels.split(), "columns")
    return kernel("batch_normalization.cu", shapes | dict(also or {}), grid, macros=ITEMS)


class CudaNormalization(CudaMemory, Normalization):
    """Batch normalisation in CUDA: a thread works on one channel."""

    def channel_means(self, x: Array, count: int, means: Array) -> None:
        x = as_rows(x)
        self._channel_means(x=x, count=count, means=means, **summing(self, x))

    def channel_variances(self, x: Array, means: Array, count: int, variances: Array) -> None:
        x = as_rows(x)
        self._channel_variances(
            x=x, means=means, count=count, variances=variances, **summing(self, x)
        )

    def normalize(
        self,
        x: Array,
        means: Array,
        variances: Array,
        epsilon: float,
        gamma: Array,
        beta: Array,
        out: Array,
    ) -> None:
        self._normalize(
            x=as_rows(x),
            means=means,
            variances=variances,
            epsilon=epsilon,
            gamma=gamma,
            beta=beta,
            out=as_rows(out),
            lanes=lanes_of_elements(len(means)),
        )

    def normalize_gradient_sums(
        self,
        output_gradient: Array,
        x: Array,
        means: Array,
        variances: Array,
        epsilon: float,
        gamma_gradient: Array,
        beta_gradient: Array,
    ) -> None:
        x = as_rows(x)
        self._normalize_gradient_sums(
            output_gradient=as_rows(output_gradient),
            x=x,
            means=means,
            variances=variances,
            epsilon=epsilon,
            gamma_gradient=gamma_gradient,
            beta_gradient=beta_gradient,
            **summing(self, x, 2),
        )

    def normalize_gradient(
        self,
        output_gradient: Array,
        x: Array,
        means: Array,
        variances: Array,
        epsilon: float,
        gamma: Array,
        gamma_sum: Array,
        beta_sum: Array,
        count: int,
        input_gradient: Array,
    ) -> None:
        self._normalize_gradient(
            output_gradient=as_rows(output_gradient),
            x=as_rows(x),
            means=means,
            variances=variances,
            epsilon=epsilon,
            gamma=gamma,
            gamma_sum=gamma_sum,
            beta_sum=beta_sum,
            count=count,
            input_gradient=as_rows(input_gradient),
            lanes=lanes_of_elements(len(means)),
        )

    _channel_means = _kernel("x", "means", over_columns, SUMMING)
    _channel_variances = _kernel("x", "means variances", over_columns, SUMMING)
    _normalize = _kernel("x out", "means variances gamma beta", over_rows)
    _normalize_gradient_sums = _kernel(
        "output_gradient x",
        "means variances gamma_gradient beta_gradient",
        lambda sizes: (*over_columns(sizes), 2),
        SUMMING,
    )
    _normalize_gradient = _kernel(
        "output_gradient x input_gradient",
        "means variances gamma gamma_sum beta_sum",
        over_rows,
    )

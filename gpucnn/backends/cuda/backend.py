"""The project's own CUDA kernels, on an NVIDIA GPU or in the simulator."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import DTypeLike

from gpucnn.backends.base import Array, Backend
from gpucnn.backends.cuda.launch import LARGEST_GRID, Launcher
from gpucnn.backends.cuda.runtime import Runtime
from gpucnn.backends.cuda.table import MATMUL_TILES, THREADS, TILE_K, WARP, parts
from gpucnn.backends.philox import LOW_WORD
from gpucnn.backends.window import Window
from gpucnn.backends.workspaces import Workspaces

MOST_BLOCKS = 256  # that the terms of one product, or the rows of one sum, are shared out over
LEAST_TERMS = 256  # of a product's sum, for a block to be worth its while
LEAST_ROWS = 16  # of a sum over rows, for a thread


class CudaBackend(Backend):
    """Every operation of `Backend` as a launch of kernels; nothing waits for the device.

    No kernel uses an atomic operation on reals, and how a sum is split depends on its shape alone:
    the same call gives the same bytes each time.

    Args:
        runtime: where the kernels run.
    """

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime.xp)
        self.device = runtime.device
        self._runtime = runtime
        self._launch = Launcher(runtime)
        self._workspaces = Workspaces(lambda size: self.empty((size,), np.uint8))

    def twin(self) -> "Backend":
        """See `Backend.twin`; what is compiled serves both."""
        twin = CudaBackend(self._runtime)
        twin._launch = self._launch
        return twin

    @property
    def description(self) -> str:
        return self._runtime.description

    @contextmanager
    def session(self) -> Iterator[None]:
        """See `Backend.session`; the device is the current one meanwhile."""
        with self._runtime.active(), super().session():
            yield

    # Memory

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        with self._runtime.active():
            return super().empty(shape, dtype)

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        with self._runtime.active():
            return super().zeros(shape, dtype)

    def asarray(self, array: Array, dtype: DTypeLike | None = None) -> Array:
        with self._runtime.active():
            return super().asarray(array, dtype)

    def to_host(self, array: Array) -> Array:
        with self._runtime.active():
            return self._runtime.to_host(array)

    def copy(self, source: Array, out: Array) -> None:
        with self._runtime.active():
            super().copy(source, out)

    def workspace(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return self._workspaces.get(name, shape, dtype)

    def counting(self, count: int) -> Array:
        with self._runtime.active():
            return super().counting(count)

    # Data

    def gather_images(self, images: Array, indices: Array, out: Array) -> None:
        kernel = "gather_bytes" if images.dtype == np.uint8 else "gather_reals"
        self._launch(kernel, images=images, indices=indices, out=out)

    def gather_labels(self, labels: Array, indices: Array, out: Array) -> None:
        self._launch("gather_labels", labels=labels, indices=indices, out=out)

    # Matrices

    def matmul(
        self,
        a: Array,
        b: Array,
        out: Array,
        *,
        transpose_a: bool = False,
        transpose_b: bool = False,
        bias: Array | None = None,
    ) -> None:
        """See `Backend.matmul`; a sum of many terms for few outputs is split over blocks."""
        m, n = out.shape
        k = a.shape[0] if transpose_a else a.shape[1]
        kernel = _matmul_kernel(m, n)
        split = _split(kernel, m, n, k)
        splits = max(parts(k, split), 1)
        results = out.reshape(1, m, n)
        if splits > 1:
            results = self.workspace("matmul splits", (splits, m, n), out.dtype)
        self._launch(
            kernel,
            a=a,
            b=b,
            bias=bias,
            out=results,
            m=m,
            n=n,
            k=k,
            a_row=1 if transpose_a else k,
            a_column=m if transpose_a else 1,
            b_row=1 if transpose_b else n,
            b_column=k if transpose_b else 1,
            split=split,
        )
        if splits > 1:
            self._sum_slabs(results.reshape(splits, m * n), out.reshape(1, m * n), splits)

    def sum_rows(self, a: Array, out: Array) -> None:
        """See `Backend.sum_rows`; slabs of rows first, then the slabs."""
        rows, columns = a.shape
        blocks = max(parts(columns, _lanes(columns)), 1)
        rows_at_once = THREADS // _lanes(columns)
        most_slabs = max(MOST_BLOCKS // blocks, 1)
        slabs = min(max(parts(rows, LEAST_ROWS * rows_at_once), 1), most_slabs)
        slab_rows = max(parts(rows, slabs), 1)
        slabs = max(parts(rows, slab_rows), 1)
        if slabs == 1:
            self._sum_slabs(a, out.reshape(1, columns), slab_rows)
            return
        sums = self.workspace("sum_rows slabs", (slabs, columns), a.dtype)
        self._sum_slabs(a, sums, slab_rows)
        self._sum_slabs(sums, out.reshape(1, columns), slabs)

    def _sum_slabs(self, a: Array, out: Array, slab_rows: int) -> None:
        """The sum over each slab of `slab_rows` rows of `a`, a row of `out`."""
        lanes = _lanes(a.shape[1])
        self._launch("sum_rows", a=a, out=out, slab_rows=slab_rows, lanes=lanes)

    def multiply(self, a: Array, b: Array, out: Array) -> None:
        self._launch("multiply", a=a, b=b, out=out)

    # Convolution

    def im2col(self, x: Array, window: Window, patches: Array) -> None:
        self._launch("im2col", x=x, patches=patches, **_geometry(window))

    def col2im(self, patches: Array, window: Window, out: Array) -> None:
        self._launch("col2im", patches=patches, out=out, **_geometry(window))

    # Pooling

    def max_pool(self, x: Array, window: Window, out: Array, argmax: Array) -> None:
        self._launch("max_pool", x=x, out=out, argmax=argmax, **_geometry(window))

    def max_pool_gradient(
        self, output_gradient: Array, window: Window, argmax: Array, input_gradient: Array
    ) -> None:
        self._launch(
            "max_pool_gradient",
            output_gradient=output_gradient,
            argmax=argmax,
            input_gradient=input_gradient,
            **_geometry(window),
        )

    # Element by element

    def relu(self, x: Array, out: Array) -> None:
        self._launch("relu", x=x, out=out)

    def relu_gradient(self, output_gradient: Array, out: Array, input_gradient: Array) -> None:
        self._launch(
            "relu_gradient",
            output_gradient=output_gradient,
            out=out,
            input_gradient=input_gradient,
        )

    def dropout(
        self,
        x: Array,
        rate: float,
        seed: int,
        stream: int,
        step: Array,
        mask: Array,
        out: Array,
        first: int = 0,
    ) -> None:
        self._launch(
            "dropout",
            x=x,
            step=step,
            mask=mask,
            out=out,
            first=first,
            threshold=int(rate * 2**32),
            key_low=seed & LOW_WORD,
            key_high=seed >> 32,
            stream=stream,
            scale=1 / (1 - rate),
        )

    # Loss

    def softmax(self, logits: Array, out: Array) -> None:
        self._launch("softmax", logits=logits, out=out)

    def softmax_cross_entropy(
        self,
        logits: Array,
        labels: Array,
        losses: Array,
        correct: Array,
        gradient: Array | None = None,
        images: int = 1,
    ) -> None:
        self._launch(
            "softmax_cross_entropy",
            logits=logits,
            labels=labels,
            losses=losses,
            correct=correct,
            gradient=gradient,
            images=images,
        )

    # Optimizers

    def sgd(
        self,
        parameters: Array,
        gradients: Array,
        velocity: Array,
        learning_rate: Array,
        *,
        momentum: float,
        nesterov: bool,
        weight_decay: float,
    ) -> None:
        self._launch(
            "sgd",
            parameters=parameters,
            gradients=gradients,
            velocity=velocity,
            learning_rate=learning_rate,
            momentum=momentum,
            nesterov=nesterov,
            weight_decay=weight_decay,
        )

    def adam(
        self,
        parameters: Array,
        gradients: Array,
        mean: Array,
        square: Array,
        learning_rate: Array,
        step: Array,
        *,
        beta_1: float,
        beta_2: float,
        epsilon: float,
        weight_decay: float,
    ) -> None:
        self._launch(
            "adam",
            parameters=parameters,
            gradients=gradients,
            mean=mean,
            square=square,
            learning_rate=learning_rate,
            step=step,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            weight_decay=weight_decay,
        )


def _geometry(window: Window) -> dict[str, int]:
    """The scalars by which kernels know a window."""
    return {
        "height": window.image[0],
        "width": window.image[1],
        "rows": window.output[0],
        "columns": window.output[1],
        "window_height": window.size[0],
        "window_width": window.size[1],
        "stride_height": window.strides[0],
        "stride_width": window.strides[1],
        "padding_top": window.padding_before[0],
        "padding_left": window.padding_before[1],
    }


def _matmul_kernel(m: int, n: int) -> str:
    """The kernel whose tiles suit a product of m rows and n columns."""
    small_m, small_n, *_ = MATMUL_TILES["matmul_small"]
    if m <= small_m and parts(n, small_n) <= LARGEST_GRID[1]:
        return "matmul_small"
    return "matmul_tall" if n <= MATMUL_TILES["matmul_tall"][1] else "matmul"


def _split(kernel: str, m: int, n: int, k: int) -> int:
    """How many of a sum's k terms each block adds up.

    As many as make MOST_BLOCKS blocks in all, but at least LEAST_TERMS, and whole tiles of terms.
    """
    tile_m, tile_n, *_ = MATMUL_TILES[kernel]
    tiles = max(parts(m, tile_m) * parts(n, tile_n), 1)
    splits = max(min(MOST_BLOCKS // tiles, parts(k, LEAST_TERMS)), 1)
    return max(parts(parts(k, splits), TILE_K), 1) * TILE_K


def _lanes(columns: int) -> int:
    """The least power of two that is not below the number of columns, at most a warp."""
    return min(1 << (columns - 1).bit_length(), WARP)

"""Dense layers: with ReLU and dropout, and the gradients of their parameters."""

from gpucnn.backends.calls import Calls, bindable
from gpucnn.backends.cuda.kernel import elementwise, kernel
from gpucnn.backends.memory import Array
from gpucnn.backends.ops.bounds import Bound, always, bounded, dense, positions, sums
from gpucnn.backends.ops.elementwise import CudaElementwise, Elementwise
from gpucnn.backends.ops.matrices import (
    TILINGS,
    CpuMatrices,
    CudaMatrices,
    Matrices,
    Tiling,
    plan,
)
from gpucnn.backends.ops.random import LOW_WORD, Random
from gpucnn.utils.arithmetic import ceil_div


class Dense(Matrices, Random, Elementwise):
    """Definitions of what a dense layer needs besides products."""

    def can_fuse_dense(self) -> bool:
        """Whether a dense layer, ReLU and dropout are faster as one operation here."""
        return False

    @bounded(out=sums(dense))
    def dense_relu(
        self,
        x: Array,
        kernel: Array,
        bias: Array,
        out: Array,
        rate: float = 0.0,
        seed: int = 0,
        stream: int = 0,
        step: Array | None = None,
        first: int = 0,
    ) -> None:
        """Compute the positive part of a dense layer's output, and drop some of it.

        Args:
            x: real (n, inputs).
            kernel: real (inputs, units).
            bias: real (units,).
            out: real (n, units).
            rate: as for `dropout`, like all that follow.
            seed: as for `dropout`.
            stream: as for `dropout`.
            step: int64 (1,), the number of the training step; None to drop nothing.
            first: the index of the first element of `out` in the batch.
        """
        scores = self.workspace("dense scores", out.shape, out.dtype)
        self.matmul(x, kernel, scores, bias=bias)
        if step is None:
            self.relu(scores, out)
            return
        rectified = self.workspace("dense rectified", out.shape, out.dtype)
        mask = self.workspace("dense mask", out.shape, out.dtype)
        self.relu(scores, rectified)
        self.dropout(rectified, rate, seed, stream, step, mask, out, first)

    @bounded(input_gradient=Bound(always(2), "result"))
    def dense_relu_gradient(
        self, output_gradient: Array, out: Array, rate: float, input_gradient: Array
    ) -> None:
        """The gradient of what `dense_relu` takes the positive part of.

        Args:
            output_gradient: real, of any shape.
            out: what `dense_relu` wrote: above 0 where the gradient passes.
            rate: what `dense_relu` was given; 0 where it dropped nothing.
            input_gradient: real.
        """
        self.relu_gradient(output_gradient, out, input_gradient)
        input_gradient *= 1 / (1 - rate)

    @bounded(kernel_gradient=sums(positions), bias_gradient=sums(positions))
    def dense_gradients(
        self, x: Array, output_gradient: Array, kernel_gradient: Array, bias_gradient: Array
    ) -> None:
        """Compute the gradients of the kernel and the bias of a dense layer.

        Args:
            x: real (n, inputs), the layer's input.
            output_gradient: real (n, units).
            kernel_gradient: real (inputs, units), the product of the transpose of `x` and
                `output_gradient`.
            bias_gradient: real (units,), the sum of the rows of `output_gradient`.
        """
        self.matmul(x, output_gradient, kernel_gradient, transpose_a=True)
        self.sum_rows(output_gradient, bias_gradient)


class CpuDense(CpuMatrices, Dense):
    """Dense layers in NumPy."""

    @bindable
    def dense_gradients(
        self,
        calls: Calls,
        x: Array,
        output_gradient: Array,
        kernel_gradient: Array,
        bias_gradient: Array,
    ) -> None:
        calls.add(self.matmul, x, output_gradient, kernel_gradient, transpose_a=True)
        calls.add(self.sum_rows, output_gradient, bias_gradient)


class CudaDense(CudaMatrices, CudaElementwise, Dense):
    """Dense layers in CUDA: each a product, with what else there is to do in the same launch."""

    def can_fuse_dense(self) -> bool:
        return True

    def dense_relu(
        self,
        x: Array,
        kernel: Array,
        bias: Array,
        out: Array,
        rate: float = 0.0,
        seed: int = 0,
        stream: int = 0,
        step: Array | None = None,
        first: int = 0,
    ) -> None:
        (images, units), inputs = out.shape, len(kernel)
        tiling, split = plan(images, units, inputs)
        self._dense_relu(
            x=x,
            kernel=kernel,
            bias=bias,
            step=step,
            out=out,
            slabs=self.slabs(tiling, tiling.tiles(images, units), inputs, split, out),
            tickets=self.tickets,
            split=split,
            first=first,
            threshold=int(rate * 2**32),
            key_low=seed & LOW_WORD,
            key_high=seed >> 32,
            stream=stream,
            scale=1 / (1 - rate),
            **tiling._asdict(),
        )

    _dense_relu = kernel(
        "matmul.cu",
        {
            "x": "images inputs",
            "kernel": "inputs units",
            "bias": "units",
            "step": "1",
            "out": "images units",
            "slabs": "slab_elements",
            "tickets": "tickets",
        },
        lambda sizes: (
            ceil_div(sizes["images"], sizes["tile"]) * ceil_div(sizes["units"], sizes["tile"]),
            max(ceil_div(sizes["inputs"], sizes["split"]), 1),
        ),
        constants=Tiling._fields,
        samples=lambda real: [tiling._asdict() for tiling in TILINGS],
    )

    def dense_relu_gradient(
        self, output_gradient: Array, out: Array, rate: float, input_gradient: Array
    ) -> None:
        self._dense_relu_gradient(
            output_gradient=output_gradient,
            out=out,
            input_gradient=input_gradient,
            scale=1 / (1 - rate),
        )

    _dense_relu_gradient = elementwise("relu.cu", "output_gradient out input_gradient")

    def dense_gradients(
        self, x: Array, output_gradient: Array, kernel_gradient: Array, bias_gradient: Array
    ) -> None:
        """The product in tiles, and the sums in one more row of them."""
        images, (inputs, units) = len(x), kernel_gradient.shape
        tiling, split = plan(inputs, units, images)
        tiles = tiling.tiles(inputs + tiling.tile, units)
        self._dense_gradients(
            x=x,
            output_gradient=output_gradient,
            kernel_gradient=kernel_gradient,
            bias_gradient=bias_gradient,
            slabs=self.slabs(tiling, tiles, images, split, kernel_gradient),
            tickets=self.tickets,
            split=split,
            **tiling._asdict(),
        )

    _dense_gradients = kernel(
        "matmul.cu",
        {
            "x": "images inputs",
            "output_gradient": "images units",
            "kernel_gradient": "inputs units",
            "bias_gradient": "units",
            "slabs": "slab_elements",
            "tickets": "tickets",
        },
        lambda sizes: (
            (ceil_div(sizes["inputs"], sizes["tile"]) + 1)
            * ceil_div(sizes["units"], sizes["tile"]),
            max(ceil_div(sizes["images"], sizes["split"]), 1),
        ),
        constants=Tiling._fields,
        samples=lambda real: [tiling._asdict() for tiling in TILINGS],
    )

"""Convolution, ReLU and max-pooling as one operation."""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from gpucnn.backends.calls import Calls, bindable
from gpucnn.backends.cpu import winograd
from gpucnn.backends.cpu.fused.conv_relu_pool import CpuConvReluPoolPlan, can_pool_side_by_side
from gpucnn.backends.cpu.fused.fewer_products import FewerProductsPlan
from gpucnn.backends.cpu.fused.one_image import OneImagePlan, suits_one_image
from gpucnn.backends.cpu.fused.plan import CpuPlan
from gpucnn.backends.cuda.conv_relu_pool import (
    CudaConvReluPoolPlan,
    Images,
    Values,
    can_compute,
    forward,
    input_gradient,
    kernel_gradient,
)
from gpucnn.backends.cuda.kernel import IMAGES, kernel
from gpucnn.backends.fused import ConvReluPool, ConvReluPoolPlan
from gpucnn.backends.memory import Array, Buffer, Order
from gpucnn.backends.ops.bounds import CHOSEN, bounded
from gpucnn.backends.ops.convolution import Convolution, CpuConvolution, CudaConvolution
from gpucnn.backends.ops.data import CpuData, CudaData, Data
from gpucnn.backends.ops.elementwise import CpuElementwise, CudaElementwise, Elementwise
from gpucnn.backends.ops.pooling import CpuPooling, CudaPooling, Pooling
from gpucnn.backends.window import Window
from gpucnn.utils.arithmetic import ceil_div


class ConvReluPools(Data, Convolution, Pooling, Elementwise):
    """Definitions of the fused convolution, ReLU and max-pooling."""

    def can_fuse(self, fused: ConvReluPool) -> bool:
        """Whether the three layers run faster on this backend as one operation."""
        return False

    def can_fuse_gather(self, fused: ConvReluPool, images: Array) -> bool:
        """Whether picking from `images`, a data set, runs faster as a part of the operation."""
        return False

    def conv_relu_pool_order(self, fused: ConvReluPool) -> Order:
        """The order in memory of the images that a plan reads fastest, see `Memory.batch_view`."""
        return "C"

    def conv_relu_pool_buffers(self, fused: ConvReluPool) -> dict[str, Buffer]:
        """The buffers of a plan, by name."""
        window, filters = fused.window, fused.filters
        convolved = Buffer((*window.output, filters))
        return {
            "patches": Buffer((prod(window.output), window.elements * fused.channels)),
            "convolved": convolved,
            "rectified": convolved,
            "gradient": convolved,
            "argmax": Buffer((*fused.pool.output, filters), "int32"),
        }

    def conv_relu_pool_plan(
        self, fused: ConvReluPool, arrays: dict[str, Array]
    ) -> ConvReluPoolPlan:
        """Make a plan for batches of one size, with the arrays of `conv_relu_pool_buffers`."""
        return ConvReluPoolPlan(fused, arrays)

    @bounded(out=CHOSEN)
    def conv2d_relu_max_pool(
        self,
        x: Array,
        kernel: Array,
        bias: Array,
        plan: ConvReluPoolPlan,
        out: Array,
        *,
        training: bool,
    ) -> None:
        """Compute `conv2d`, `relu` and `max_pool` in sequence.

        Args:
            x: real (n, h, w, c).
            kernel: real (kh, kw, c, filters).
            bias: real (filters,).
            plan: made by `conv_relu_pool_plan`; its arrays are overwritten.
            out: real (n, ph, pw, filters).
            training: whether `conv2d_relu_max_pool_gradients` will follow.
        """
        window, pool, of = plan.fused.window, plan.fused.pool, plan.arrays
        self.conv2d(x, kernel, bias, window, of["patches"], of["convolved"])
        self.relu(of["convolved"], of["rectified"])
        self.max_pool(of["rectified"], pool, out, of["argmax"])

    @bounded(out=CHOSEN)
    def gathered_conv2d_relu_max_pool(
        self,
        images: Array,
        indices: Array,
        kernel: Array,
        bias: Array,
        plan: ConvReluPoolPlan,
        out: Array,
        *,
        training: bool,
    ) -> None:
        """Compute `gather_images` and `conv2d_relu_max_pool` in sequence.

        Args:
            images: as for `gather_images`.
            indices: int64 (n,), as for `gather_images`.
            kernel: as for `conv2d_relu_max_pool`, like all that follow.
            bias: real (filters,).
            plan: made by `conv_relu_pool_plan`.
            out: real (n, ph, pw, filters).
            training: whether `conv2d_relu_max_pool_gradients` will follow, until which `images` and
                `indices` must not change.
        """
        shape = (*plan.fused.window.image, plan.fused.channels)
        size = len(indices) * prod(shape)
        memory = self.workspace("gathered images", (size,), out.dtype)
        x = self.batch_view(memory, len(indices), shape)
        self.gather_images(images, indices, x)
        self.conv2d_relu_max_pool(x, kernel, bias, plan, out, training=training)

    @bounded(kernel_gradient=CHOSEN, bias_gradient=CHOSEN, input_gradient=CHOSEN)
    def conv2d_relu_max_pool_gradients(
        self,
        output_gradient: Array,
        kernel: Array,
        plan: ConvReluPoolPlan,
        kernel_gradient: Array,
        bias_gradient: Array,
        input_gradient: Array | None = None,
    ) -> None:
        """Compute the gradients of the kernel, bias and input of `conv2d_relu_max_pool`.

        Each call of `conv2d_relu_max_pool` allows one call of this, which overwrites the plan.

        Args:
            output_gradient: real (n, ph, pw, filters).
            kernel: real (kh, kw, c, filters), the kernel that `conv2d_relu_max_pool` was given.
            plan: as `conv2d_relu_max_pool` left it in training; its `x` must not have changed
                since. The arrays of the plan are overwritten.
            kernel_gradient: real (kh, kw, c, filters).
            bias_gradient: real (filters,).
            input_gradient: real (n, h, w, c), or None if it is not needed.
        """
        window, pool, of = plan.fused.window, plan.fused.pool, plan.arrays
        patches, gradient = of["patches"], of["convolved"]
        self.max_pool_gradient(output_gradient, pool, of["argmax"], of["gradient"])
        self.relu_gradient(of["gradient"], of["rectified"], gradient)
        self.conv2d_parameter_gradients(gradient, patches, kernel_gradient, bias_gradient)
        if input_gradient is not None:
            self.conv2d_input_gradient(gradient, kernel, window, patches, input_gradient)


class CpuConvReluPools(CpuData, CpuConvolution, CpuPooling, CpuElementwise, ConvReluPools):
    """The fused operation in NumPy, in row tiles that stay in the caches: `CpuConvReluPoolPlan`."""

    def can_fuse(self, fused: ConvReluPool) -> bool:
        return can_pool_side_by_side(fused.pool) and fused.window.dilation == (1, 1)

    def conv_relu_pool_order(self, fused: ConvReluPool) -> Order:
        return "channels" if winograd.suits(fused) else "C"

    def conv_relu_pool_buffers(self, fused: ConvReluPool) -> dict[str, Buffer]:
        return _plan_in_tiles(fused).buffers(fused)

    def conv_relu_pool_plan(
        self, fused: ConvReluPool, arrays: dict[str, Array]
    ) -> ConvReluPoolPlan:
        if len(arrays["greater"]) == 1 and suits_one_image(fused):
            return OneImagePlan(fused, arrays, self)
        return _plan_in_tiles(fused)(fused, arrays, self.workspace)

    @bindable
    def conv2d_relu_max_pool(
        self,
        calls: Calls,
        x: Array,
        kernel: Array,
        bias: Array,
        plan: ConvReluPoolPlan,
        out: Array,
        *,
        training: bool,
    ) -> None:
        assert isinstance(plan, CpuPlan)
        calls.add(plan.forward(x, kernel, bias, out))

    @bindable
    def conv2d_relu_max_pool_gradients(
        self,
        calls: Calls,
        output_gradient: Array,
        kernel: Array,
        plan: ConvReluPoolPlan,
        kernel_gradient: Array,
        bias_gradient: Array,
        input_gradient: Array | None = None,
    ) -> None:
        assert isinstance(plan, CpuPlan)
        gradients = kernel_gradient, bias_gradient, input_gradient
        calls.add(plan.gradients(output_gradient, kernel, *gradients))


def _plan_in_tiles(fused: ConvReluPool) -> type[CpuConvReluPoolPlan | FewerProductsPlan]:
    return FewerProductsPlan if winograd.suits(fused) else CpuConvReluPoolPlan


def _samples(real: str) -> list[ConvReluPool]:
    """The layers of the presets, and one with all that these have not."""
    layers = [
        (Window((28, 28), (3, 3), (1, 1), "valid"), (2, 2), (1, 8)),
        (Window((28, 28), (3, 3), (1, 1), "valid"), (2, 2), (1, 32)),
        (Window((13, 13), (3, 3), (1, 1), "valid"), (2, 2), (32, 64)),
        (Window((23, 31), (5, 4), (2, 1), "same"), (1, 3), (5, 21)),
    ]
    return [
        ConvReluPool(window, Window(window.output, pool, pool, "valid"), *sizes, np.dtype(real))
        for window, pool, sizes in layers
    ]


def _constants(of: Callable[[ConvReluPool], Values]) -> dict[str, Any]:
    """The constants of a kernel and their samples, as `kernel` takes them."""
    return {
        "constants": tuple(of(_samples("float32")[0])),
        "samples": lambda real: [of(each) for each in _samples(real)],
    }


POOLED = "images pooled_rows pooled_columns filters"
KERNEL = "height width channels filters"
PICKED = {"x": IMAGES, "bytes": IMAGES.replace("images", "all", 1), "indices": "images"}


class CudaConvReluPools(CudaData, CudaConvolution, CudaPooling, CudaElementwise, ConvReluPools):
    """The fused operation in CUDA, where its kernels fit: `CudaConvReluPoolPlan`."""

    _conv_relu_pool = kernel(
        "conv_relu_pool.cu",
        {**PICKED, "kernel": KERNEL, "bias": "filters", "out": POOLED, "argmax": POOLED},
        lambda sizes: (sizes["images"], sizes["tiles"], sizes["filter_tiles"]),
        small=("image_height*image_width*channels", "height*width*channels*filters"),
        **_constants(forward),
    )
    _pooled_kernel_gradient = kernel(
        "pooled_kernel_gradient.cu",
        {
            **PICKED,
            "output_gradient": POOLED,
            "argmax": POOLED,
            "kernel_gradient": KERNEL,
            "bias_gradient": "filters",
            "slabs": "slab_elements",
            "tickets": "tickets",
        },
        lambda sizes: (
            max(ceil_div(sizes["images"] * sizes["tiles"], sizes["slab_tiles"]), 1),
            sizes["filter_tiles"],
            sizes["channel_tiles"],
        ),
        small=("image_height*image_width*channels", "height*width*channels*filters"),
        **_constants(kernel_gradient),
    )
    _pooled_input_gradient = kernel(
        "pooled_input_gradient.cu",
        {"output_gradient": POOLED, "kernel": KERNEL, "argmax": POOLED, "input_gradient": IMAGES},
        lambda sizes: (sizes["images"], sizes["tiles"], sizes["channel_tiles"]),
        small=("image_height*image_width*channels", "height*width*channels*filters"),
        **_constants(lambda fused: input_gradient(fused, images=64)),
    )

    def can_fuse(self, fused: ConvReluPool) -> bool:
        return can_compute(fused)

    def can_fuse_gather(self, fused: ConvReluPool, images: Array) -> bool:
        return can_compute(fused) and images.dtype == np.uint8

    def conv_relu_pool_buffers(self, fused: ConvReluPool) -> dict[str, Buffer]:
        if not can_compute(fused):
            return super().conv_relu_pool_buffers(fused)
        return {"argmax": Buffer((*fused.pool.output, fused.filters), "uint8")}

    def conv_relu_pool_plan(
        self, fused: ConvReluPool, arrays: dict[str, Array]
    ) -> ConvReluPoolPlan:
        if not can_compute(fused):
            return super().conv_relu_pool_plan(fused, arrays)
        return CudaConvReluPoolPlan(fused, arrays)

    def conv2d_relu_max_pool(
        self,
        x: Array,
        kernel: Array,
        bias: Array,
        plan: ConvReluPoolPlan,
        out: Array,
        *,
        training: bool,
    ) -> None:
        if not isinstance(plan, CudaConvReluPoolPlan):
            super().conv2d_relu_max_pool(x, kernel, bias, plan, out, training=training)
            return
        self._run_forward(
            {"x": x, "bytes": None, "indices": None}, kernel, bias, plan, out, training
        )

    def gathered_conv2d_relu_max_pool(
        self,
        images: Array,
        indices: Array,
        kernel: Array,
        bias: Array,
        plan: ConvReluPoolPlan,
        out: Array,
        *,
        training: bool,
    ) -> None:
        """As one launch where `can_fuse_gather`, else one operation after the other."""
        if not self.can_fuse_gather(plan.fused, images):
            super().gathered_conv2d_relu_max_pool(
                images, indices, kernel, bias, plan, out, training=training
            )
            return
        assert isinstance(plan, CudaConvReluPoolPlan)
        picked = {"x": None, "bytes": images, "indices": indices}
        self._run_forward(picked, kernel, bias, plan, out, training)

    def _run_forward(
        self,
        images: Images,
        kernel: Array,
        bias: Array,
        plan: CudaConvReluPoolPlan,
        out: Array,
        training: bool,
    ) -> None:
        if training:
            plan.images = images
        argmax = plan.arrays["argmax"]
        self._conv_relu_pool(
            **images,
            kernel=kernel,
            bias=bias,
            out=out,
            argmax=argmax,
            constants=plan.forward,
        )

    def conv2d_relu_max_pool_gradients(
        self,
        output_gradient: Array,
        kernel: Array,
        plan: ConvReluPoolPlan,
        kernel_gradient: Array,
        bias_gradient: Array,
        input_gradient: Array | None = None,
    ) -> None:
        if not isinstance(plan, CudaConvReluPoolPlan):
            super().conv2d_relu_max_pool_gradients(
                output_gradient, kernel, plan, kernel_gradient, bias_gradient, input_gradient
            )
            return
        if input_gradient is None:
            self._pooled_parameter_gradients(output_gradient, plan, kernel_gradient, bias_gradient)
            return
        with self.branch():
            self._pooled_parameter_gradients(output_gradient, plan, kernel_gradient, bias_gradient)
        self._pooled_input_gradient(
            output_gradient=output_gradient,
            kernel=kernel,
            argmax=plan.arrays["argmax"],
            input_gradient=input_gradient,
            constants=plan.input_gradient,
        )

    def _pooled_parameter_gradients(
        self,
        output_gradient: Array,
        plan: CudaConvReluPoolPlan,
        kernel_gradient: Array,
        bias_gradient: Array,
    ) -> None:
        slabs = None
        if plan.slab_elements:
            slabs = self.workspace("kernel slabs", (plan.slab_elements,), output_gradient.dtype)
        images = plan.images
        assert images is not None
        if images["bytes"] is not None:
            plan.images = None  # so that the data set can be freed before the plan
        self._pooled_kernel_gradient(
            **images,
            output_gradient=output_gradient,
            argmax=plan.arrays["argmax"],
            kernel_gradient=kernel_gradient,
            bias_gradient=bias_gradient,
            slabs=slabs,
            tickets=self.tickets,
            slab_tiles=plan.slab_tiles,
            group_slabs=plan.group_slabs,
            constants=plan.kernel_gradient,
        )

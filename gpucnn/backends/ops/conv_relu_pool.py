"""Convolution, ReLU and max-pooling as one operation."""

from math import prod

from gpucnn.backends.cpu.conv_relu_pool import CpuConvReluPoolPlan, can_pool_side_by_side
from gpucnn.backends.fused import ConvReluPool, ConvReluPoolPlan
from gpucnn.backends.memory import Array, Buffer
from gpucnn.backends.ops.convolution import Convolution, CpuConvolution
from gpucnn.backends.ops.elementwise import CpuElementwise, Elementwise
from gpucnn.backends.ops.pooling import CpuPooling, Pooling


class ConvReluPools(Convolution, Pooling, Elementwise):
    """Definitions of the fused convolution, ReLU and max-pooling."""

    def can_fuse(self, fused: ConvReluPool) -> bool:
        """Whether the three layers run faster on this backend as one operation."""
        return False

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


class CpuConvReluPools(CpuConvolution, CpuPooling, CpuElementwise, ConvReluPools):
    """The fused operation in NumPy, in row tiles that stay in the caches: `CpuConvReluPoolPlan`."""

    def can_fuse(self, fused: ConvReluPool) -> bool:
        return can_pool_side_by_side(fused.pool)

    def conv_relu_pool_buffers(self, fused: ConvReluPool) -> dict[str, Buffer]:
        return CpuConvReluPoolPlan.buffers(fused)

    def conv_relu_pool_plan(
        self, fused: ConvReluPool, arrays: dict[str, Array]
    ) -> ConvReluPoolPlan:
        return CpuConvReluPoolPlan(fused, arrays, self.workspace)

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
        assert isinstance(plan, CpuConvReluPoolPlan)
        plan.forward(x, kernel, bias, out, training=training)

    def conv2d_relu_max_pool_gradients(
        self,
        output_gradient: Array,
        kernel: Array,
        plan: ConvReluPoolPlan,
        kernel_gradient: Array,
        bias_gradient: Array,
        input_gradient: Array | None = None,
    ) -> None:
        assert isinstance(plan, CpuConvReluPoolPlan)
        plan.gradients(output_gradient, kernel_gradient, bias_gradient, input_gradient)

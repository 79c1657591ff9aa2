"""Convolution, ReLU and max-pooling as one operation."""

from math import prod

from gpucnn.backends.cpu.conv_relu_pool import CpuConvReluPoolPlan, can_pool_side_by_side
from gpucnn.backends.fused import ConvReluPool, ConvReluPoolPlan
from gpucnn.backends.memory import Array, Buffer
from gpucnn.backends.ops.convolution import Convolution, CpuConvolution
from gpucnn.backends.ops.elementwise import CpuElementwise, Elementwise
from gpucnn.backends.ops.pooling import CpuPooling, Pooling


class ConvReluPools(Convolution, Pooling, Elementwise):
    """The definitions."""

    def can_fuse(self, fused: ConvReluPool) -> bool:
        """Whether the three layers are faster by the operations below."""
        return False

    def conv_relu_pool_buffers(self, fused: ConvReluPool) -> dict[str, Buffer]:
        """The arrays of a plan, for each image."""
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
        """A plan for batches of one size; `arrays` are those of `conv_relu_pool_buffers`."""
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
        """`conv2d`, `relu` and `max_pool`, one after the other.

        Args:
            x: real (n, h, w, c).
            kernel: real (kh, kw, c, filters).
            bias: real (filters,).
            plan: of `conv_relu_pool_plan`, whose arrays are written.
            out: real (n, ph, pw, filters).
            training: whether the gradients will be asked for.
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
        """The gradients of the kernel, the bias and the input of `conv2d_relu_max_pool`.

        To be taken once for each call of that.

        Args:
            output_gradient: real (n, ph, pw, filters).
            kernel: real (kh, kw, c, filters), what `conv2d_relu_max_pool` was given.
            plan: as `conv2d_relu_max_pool` left it in training, whose `x` is still what it was;
                its arrays are overwritten.
            kernel_gradient: real (kh, kw, c, filters).
            bias_gradient: real (filters,).
            input_gradient: real (n, h, w, c), or None where it is not wanted.
        """
        window, pool, of = plan.fused.window, plan.fused.pool, plan.arrays
        patches, gradient = of["patches"], of["convolved"]
        self.max_pool_gradient(output_gradient, pool, of["argmax"], of["gradient"])
        self.relu_gradient(of["gradient"], of["rectified"], gradient)
        self.conv2d_parameter_gradients(gradient, patches, kernel_gradient, bias_gradient)
        if input_gradient is not None:
            self.conv2d_input_gradient(gradient, kernel, window, patches, input_gradient)


class CpuConvReluPools(CpuConvolution, CpuPooling, CpuElementwise, ConvReluPools):
    """NumPy: in row tiles that stay in the caches, see `gpucnn.backends.cpu.conv_relu_pool`."""

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

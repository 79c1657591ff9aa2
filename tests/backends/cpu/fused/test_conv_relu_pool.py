"""A pooled convolution whose images lie in memory as they do between two of them."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from numpy.testing import assert_array_equal

from backends.agreement import assert_agrees, results
from backends.fused import (
    COMPILED,
    conv_relu_pool,
    forward_call,
    fused_call,
    fused_plan,
    gradients_call,
)
from backends.operations.values import Values
from gpucnn.backends import (
    Array,
    Calls,
    ConvReluPool,
    ConvReluPoolPlan,
    CpuBackend,
    Order,
    Shape,
    Window,
)
from gpucnn.verification.calls import define, place

FUSED = (
    *(each for each in COMPILED if each.window.dilation == (1, 1)),
    conv_relu_pool(Window((9, 8), (3, 3), (1, 1), "valid"), (2, 2), channels=16, filters=17),
    conv_relu_pool(Window((8, 7), (3, 3), (1, 1), "same"), (2, 2), channels=17, filters=16),
)


class ChannelsInside(CpuBackend):
    """The CPU with the channels of all images at a pixel together."""

    def batch_view(self, memory: Array, count: int, shape: Shape, order: Order = "C") -> Array:
        order = "channels" if len(shape) == 3 and order == "C" else order
        return super().batch_view(memory, count, shape, order)

    def conv_relu_pool_plan(
        self, fused: ConvReluPool, arrays: dict[str, Array]
    ) -> ConvReluPoolPlan:
        return super().conv_relu_pool_plan(replace(fused, order="channels"), arrays)


@pytest.mark.parametrize("images", [1, 2, 5])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("fused", FUSED)
def test_results_are_within_their_bounds(fused: ConvReluPool, dtype: str, images: int) -> None:
    call = fused_call(fused, Values(0, dtype), images=images)
    for each in (forward_call(fused, call), gradients_call(fused, call)):
        assert_agrees(each, results(ChannelsInside(1), each), define(each))


def test_inference_between_a_pass_and_its_gradients_changes_nothing() -> None:
    """Which a plan of another batch size, or of another layer, may be asked for."""
    fused = FUSED[1]
    backend, call = CpuBackend(1), fused_call(fused, Values(0, "float64"), images=8)
    plan, of, inferred = fused_plan(backend, fused, call), place(backend, call), Calls()
    backend.bind_conv2d_relu_max_pool(fused, -of["x"], of["kernel"], of["bias"], inferred)

    def gradients(between: Callable[[], None]) -> Array:
        x, kernel, bias, out = (of[name] for name in ("x", "kernel", "bias", "out"))
        backend.conv2d_relu_max_pool(x, kernel, bias, plan, out, training=True)
        between()
        given = (of[name] for name in ("kernel_gradient", "bias_gradient", "input_gradient"))
        backend.conv2d_relu_max_pool_gradients(of["output_gradient"], kernel, plan, *given)
        found: Array = of["kernel_gradient"].copy()
        return found

    assert_array_equal(gradients(inferred), gradients(lambda: None))

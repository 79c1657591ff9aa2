"""Convolution, ReLU and max-pooling as one operation, of any size, and what it makes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from backends.contract import Backends
from backends.operations.values import Values
from backends.strategies import channels, filters, windows
from gpucnn.backends import Array, Backend, ConvReluPool, ConvReluPoolPlan, Window
from gpucnn.backends.backend import CudaBackend
from gpucnn.backends.window import Pair
from gpucnn.verification.calls import Call, Results, make_plan, place

WHOLE = (-2, -1, 0, 1, 2)
"""Numbers of which sums of products are exact, and often equal."""

GIVEN = ("x", "kernel", "bias", "output_gradient")

Picked = tuple[Array, Array]
"""Images of a data set, and the indices of those of a batch."""


def conv_relu_pool(window: Window, pool: Pair, channels: int, filters: int) -> ConvReluPool:
    """In float64, pooled by windows of the size `pool`, side by side."""
    pooling = Window(window.output, pool, pool, "valid")
    return ConvReluPool(window, pooling, channels, filters, np.dtype(np.float64))


COMPILED = (
    conv_relu_pool(Window((9, 8), (3, 3), (1, 1), "valid"), (2, 2), channels=1, filters=3),
    conv_relu_pool(Window((7, 8), (5, 4), (1, 1), "same"), (1, 1), channels=2, filters=17),
    conv_relu_pool(Window((9, 9), (2, 1), (3, 2), "valid"), (1, 2), channels=3, filters=1),
    conv_relu_pool(Window((6, 9), (3, 2), (2, 1), "same"), (3, 3), channels=1, filters=5),
    conv_relu_pool(Window((7, 6), (2, 3), (1, 2), "same"), (2, 1), channels=9, filters=34),
    conv_relu_pool(Window((5, 4), (1, 1), (1, 1), "valid"), (2, 3), channels=34, filters=2),
    conv_relu_pool(Window((9, 9), (5, 5), (1, 1), "valid"), (3, 2), channels=4, filters=8),
    conv_relu_pool(Window((9, 8), (5, 5), (3, 3), "same"), (2, 2), channels=2, filters=3),
    conv_relu_pool(Window((9, 9), (3, 2), (1, 1), "same", (2, 3)), (2, 1), channels=2, filters=5),
)
"""Those that kernels compiled for their shapes are tested with: each takes a compiler its time.

Among the last are the largest patches that the kernels take, some that they do not, and dilation.
"""


@st.composite
def conv_relu_pools(draw: st.DrawFn, largest: int = 9) -> ConvReluPool:
    """Those that every backend fuses: pooled side by side, inside the image, without dilation."""
    window = draw(windows(largest, most_dilation=1))
    height, width = window.output
    pool = draw(st.integers(1, min(3, height))), draw(st.integers(1, min(3, width)))
    return conv_relu_pool(window, pool, draw(channels), draw(filters))


def on(
    backends: Backends, drawn: st.SearchStrategy[ConvReluPool]
) -> st.SearchStrategy[ConvReluPool]:
    """What is drawn, or one of `COMPILED` if kernels are compiled for each of them."""
    compiles = any(isinstance(each, CudaBackend) for each in backends.values())
    return st.sampled_from(COMPILED) if compiles else drawn


def fused_call(
    fused: ConvReluPool, values: Values, numbers: Sequence[float] = (), *, images: int = 2
) -> Call:
    """The arguments of the operation and of its gradients: reals, each one of `numbers` if given.

    `place` knows them by their names.
    """

    def draw(*shape: int) -> Array:
        return values.choices(numbers, *shape) if numbers else values.reals(*shape)

    x = images, *fused.window.image, fused.channels
    kernel = *fused.window.size, fused.channels, fused.filters
    output = images, *fused.pool.output, fused.filters
    return Call(
        "conv2d_relu_max_pool",
        {
            "x": draw(*x),
            "kernel": draw(*kernel),
            "bias": draw(fused.filters),
            "out": values.unset(*output),
            "output_gradient": draw(*output),
            "kernel_gradient": values.unset(*kernel),
            "bias_gradient": values.unset(fused.filters),
            "input_gradient": values.unset(*x),
        },
    )


def fused_plan(backend: Backend, fused: ConvReluPool, call: Call) -> ConvReluPoolPlan:
    """The plan for the dtype and the images of a call."""
    return make_plan(backend, replace(fused, real=call.real), len(call.arguments["x"]))


def picked(call: Call, *, bytes_: bool) -> tuple[Picked, Call]:
    """Images of a data set, and the call on those of them that a batch picks.

    They are of bytes whose normalised values, 1/2 and -1/2, are exact, or the call's in another
    order.
    """
    x = call.arguments["x"]
    indices = np.arange(len(x))[::-1].copy()
    if not bytes_:
        return (x[::-1].copy(), indices), call
    images = np.where(x > 0, 255, 0).astype(np.uint8)
    of_batch = (images[indices] / 255 - 0.5).astype(x.dtype)
    return (images, indices), replace(call, arguments=call.arguments | {"x": of_batch})


def run_fused(
    backend: Backend,
    call: Call,
    plan: ConvReluPoolPlan,
    *,
    input_gradient: bool = True,
    gathered: Picked | None = None,
) -> Results:
    """What the operation and its gradients write; fails if they write to what they are given.

    Of images in place of the call's `x`, if `gathered`.
    """
    of = place(backend, call)
    x, kernel, bias, out = of["x"], of["kernel"], of["bias"], of["out"]
    if gathered is None:
        backend.conv2d_relu_max_pool(x, kernel, bias, plan, out, training=True)
    else:
        images, indices = map(backend.asarray, gathered)
        backend.gathered_conv2d_relu_max_pool(
            images, indices, kernel, bias, plan, out, training=True
        )
    backend.conv2d_relu_max_pool_gradients(
        of["output_gradient"],
        kernel,
        plan,
        of["kernel_gradient"],
        of["bias_gradient"],
        of["input_gradient"] if input_gradient else None,
    )
    after = {name: backend.to_host(of[name]) for name in call.arrays}
    for name in GIVEN:
        assert_array_equal(after.pop(name), call.arrays[name], f"{name} was changed")
    return after


def infer_fused(backend: Backend, call: Call, plan: ConvReluPoolPlan) -> Results:
    """What the operation writes where no gradients will be asked for."""
    of = place(backend, call)
    x, kernel, bias, out = of["x"], of["kernel"], of["bias"], of["out"]
    backend.conv2d_relu_max_pool(x, kernel, bias, plan, out, training=False)
    return {"out": backend.to_host(out)}


def define_fused(fused: ConvReluPool, call: Call) -> Results:
    """What one operation after the other writes, as they are defined, in float64."""
    call = call.in_float64()
    return run_fused(Backend(), call, fused_plan(Backend(), fused, call))


def forward_call(fused: ConvReluPool, call: Call) -> Call:
    """The operation by itself."""
    given = {name: call.arguments[name] for name in ("x", "kernel", "bias", "out")}
    return Call("conv2d_relu_max_pool", given | {"plan": fused, "training": True})


def gradients_call(fused: ConvReluPool, call: Call) -> Call:
    """The gradients by themselves."""
    given = {name: value for name, value in call.arguments.items() if name != "out"}
    return Call("conv2d_relu_max_pool_gradients", given | {"plan": fused})


def assert_chooses_the_first_of_equals(
    backend: Backend, fused: ConvReluPool, calls: Sequence[Call]
) -> None:
    """Check that one plan gives what is defined for calls of `WHOLE` numbers, one by one."""
    plan = fused_plan(backend, fused, calls[0])
    for call in calls:
        actual, right = run_fused(backend, call, plan), define_fused(fused, call)
        for name, array in right.items():
            assert_array_equal(actual[name], array, name)


def assert_leaves_the_input_gradient_out(backend: Backend, fused: ConvReluPool, call: Call) -> None:
    """Check that, if it is not wanted, it is not written, and the other results are the same."""
    plan = fused_plan(backend, fused, call)
    all_ = run_fused(backend, call, plan)
    without = run_fused(backend, call, plan, input_gradient=False)
    assert_array_equal(without["input_gradient"], call.arguments["input_gradient"])
    for name in ("out", "kernel_gradient", "bias_gradient"):
        assert_array_equal(without[name], all_[name], name)

"""Convolution, ReLU and max-pooling as one operation, of any size, and what it makes."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from backends.operations import Values
from backends.strategies import Sizes, sizes
from gpucnn.backends import Array, Backend, BatchMemory, ConvReluPool, ConvReluPoolPlan, Window
from gpucnn.backends.window import Pair
from gpucnn.verification.calls import Call, Results, place, unset

WHOLE = (-2, -1, 0, 1, 2)
"""Numbers of which sums of products are exact, and often equal."""

GIVEN = ("x", "kernel", "bias", "output_gradient")


@dataclass(frozen=True)
class Fusion:
    """The sizes of a convolution, and the pooling of what it makes."""

    sizes: Sizes
    pool: Window


def fusion(sizes: Sizes, pool: Pair) -> Fusion:
    """Pooled by windows of the size `pool`, side by side."""
    return Fusion(sizes, Window(sizes.window.output, pool, pool, "valid"))


@st.composite
def fusions(draw: st.DrawFn, largest: int = 9) -> Fusion:
    """Poolings that a backend may fuse: side by side, inside the image."""
    drawn = draw(sizes(largest))
    height, width = drawn.window.output
    size = draw(st.integers(1, min(3, height))), draw(st.integers(1, min(3, width)))
    return fusion(drawn, size)


def fused_call(case: Fusion, values: Values, numbers: Sequence[float] = ()) -> Call:
    """The arguments of the operation and of its gradients: reals, each one of `numbers` if given.

    `place` knows them by their names.
    """

    def draw(*shape: int) -> Array:
        return values.choices(numbers, *shape) if numbers else values.reals(*shape)

    window, images = case.sizes.window, case.sizes.images
    channels, filters = case.sizes.channels, case.sizes.filters
    x, kernel = (images, *window.image, channels), (*window.size, channels, filters)
    output = (images, *case.pool.output, filters)
    return Call(
        "conv2d_relu_max_pool",
        {
            "x": draw(*x),
            "kernel": draw(*kernel),
            "bias": draw(filters),
            "out": values.unset(*output),
            "output_gradient": draw(*output),
            "kernel_gradient": values.unset(*kernel),
            "bias_gradient": values.unset(filters),
            "input_gradient": values.unset(*x),
        },
    )


def conv_relu_pool(case: Fusion, real: "np.dtype[np.floating]") -> ConvReluPool:
    """The case as backends are told of it."""
    return ConvReluPool(case.sizes.window, case.pool, case.sizes.channels, case.sizes.filters, real)


def fused_plan(backend: Backend, case: Fusion, real: "np.dtype[np.floating]") -> ConvReluPoolPlan:
    """The plan as layers make it, of memory that no operation has written to."""
    fused = conv_relu_pool(case, real)
    buffers = backend.conv_relu_pool_buffers(fused)
    arrays = {k: BatchMemory(backend, each, real)[case.sizes.images] for k, each in buffers.items()}
    for array in arrays.values():
        array.fill(np.nan if array.dtype.kind == "f" else 1)
    return backend.conv_relu_pool_plan(fused, arrays)


def run_fused(
    backend: Backend, call: Call, plan: ConvReluPoolPlan, *, input_gradient: bool = True
) -> Results:
    """What the operation and its gradients write; fails if they write to what they are given."""
    of = place(backend, call)
    x, kernel, bias, out = of["x"], of["kernel"], of["bias"], of["out"]
    backend.conv2d_relu_max_pool(x, kernel, bias, plan, out, training=True)
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


def define_fused(case: Fusion, call: Call) -> Results:
    """What one operation after the other writes, as they are defined, in float64."""
    call = call.in_float64()
    return run_fused(Backend(), call, fused_plan(Backend(), case, call.real))


def convolution_of(case: Fusion, call: Call) -> Call:
    """The convolution by itself."""
    window, of = case.sizes.window, call.arguments
    images, filters = case.sizes.images, case.sizes.filters
    shape = images, prod(window.output), prod(window.size) * case.sizes.channels
    written = {
        "patches": unset(shape, call.real),
        "out": unset((images, *window.output, filters), call.real),
    }
    given = {name: of[name] for name in ("x", "kernel", "bias")}
    return Call("conv2d", given | {"window": window} | written)

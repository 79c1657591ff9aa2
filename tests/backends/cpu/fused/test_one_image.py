"""A pooled convolution of one image and its gradients, against the definition."""

from dataclasses import replace

import pytest
from numpy.testing import assert_array_equal

from backends.agreement import assert_agrees, results
from backends.fused import (
    COMPILED,
    WHOLE,
    assert_chooses_the_first_of_equals,
    assert_leaves_the_input_gradient_out,
    define_fused,
    forward_call,
    fused_call,
    fused_plan,
    gradients_call,
)
from backends.operations.values import Values
from gpucnn.backends import ConvReluPool, CpuBackend
from gpucnn.backends.cpu.fused import one_image
from gpucnn.backends.cpu.fused.conv_relu_pool import CpuConvReluPoolPlan
from gpucnn.backends.cpu.fused.one_image import OneImagePlan
from gpucnn.verification.calls import Call, define, place

operations = pytest.mark.parametrize(
    "fused", [each for each in COMPILED if each.window.dilation == (1, 1)]
)
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def given(fused: ConvReluPool, dtype: str, numbers: tuple[int, ...] = (), seed: int = 0) -> Call:
    return fused_call(fused, Values(seed, dtype), numbers, images=1)


@dtypes
@operations
def test_results_are_within_their_bounds(fused: ConvReluPool, dtype: str) -> None:
    backend, call = CpuBackend(1), given(fused, dtype)
    assert isinstance(fused_plan(backend, fused, call), OneImagePlan)
    for each in (forward_call(fused, call), gradients_call(fused, call)):
        assert_agrees(each, results(backend, each), define(each))


@dtypes
@operations
def test_the_first_of_equal_scores_is_chosen_call_after_call(
    fused: ConvReluPool, dtype: str
) -> None:
    assert_chooses_the_first_of_equals(
        CpuBackend(1), fused, [given(fused, dtype, WHOLE, seed) for seed in (0, 1)]
    )


@operations
def test_gradients_are_those_of_the_last_image(fused: ConvReluPool) -> None:
    """Though they are written to the same arrays as those of the one before."""
    backend, call = CpuBackend(1), given(fused, "float64", WHOLE)
    plan, of = fused_plan(backend, fused, call), place(backend, call)
    gradients = [of[f"{name}_gradient"] for name in ("kernel", "bias", "input")]
    weights, after = (of["kernel"], of["bias"]), of["output_gradient"]
    other = replace(call, arguments=call.arguments | {"x": 1 - call.arguments["x"]})
    for each in (call, other):
        x = place(backend, each)["x"]
        backend.conv2d_relu_max_pool(x, *weights, plan, of["out"], training=True)
        backend.conv2d_relu_max_pool_gradients(after, of["kernel"], plan, *gradients)
    right = define_fused(fused, other)
    for name in right:
        assert_array_equal(of[name], right[name], name)


@operations
def test_an_input_gradient_that_is_not_wanted_is_left_out(fused: ConvReluPool) -> None:
    assert_leaves_the_input_gradient_out(CpuBackend(1), fused, given(fused, "float32"))


def test_an_image_whose_patches_do_not_stay_in_the_cache_is_worked_through_in_tiles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = given(COMPILED[0], "float32")
    monkeypatch.setattr(one_image, "core_cache", lambda: 1000)
    assert isinstance(fused_plan(CpuBackend(1), COMPILED[0], call), CpuConvReluPoolPlan)

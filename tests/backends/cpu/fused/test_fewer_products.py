"""A pooled convolution with fewer products and its gradients, against the definition."""

from dataclasses import replace

import pytest
from numpy.testing import assert_array_equal

from backends.agreement import assert_agrees, results
from backends.cpu.allocation import allocated
from backends.fused import (
    WHOLE,
    conv_relu_pool,
    define_fused,
    forward_call,
    fused_call,
    fused_plan,
    gradients_call,
    run_fused,
)
from backends.operations import Values
from gpucnn.backends import ConvReluPool, CpuBackend, Window
from gpucnn.backends.cpu import winograd
from gpucnn.backends.cpu.fused.fewer_products import FEWEST, FewerProductsPlan, suits_training
from gpucnn.verification.calls import Call, define, place

CHANNELS, FILTERS, IMAGES = FEWEST


def pooled(window: Window, channels: int = CHANNELS, filters: int = FILTERS) -> ConvReluPool:
    return conv_relu_pool(window, (2, 2), channels, filters)


OPERATIONS = {
    "valid": pooled(Window((7, 9), (3, 3), (1, 1), "valid")),
    "same": pooled(Window((6, 7), (3, 3), (1, 1), "same"), CHANNELS + 1, FILTERS + 2),
}

operations = pytest.mark.parametrize("fused", OPERATIONS.values(), ids=OPERATIONS)
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


@pytest.fixture(params=[2**21, 1], ids=["one tile", "tiles of a row"], autouse=True)
def _tile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "tile_size", lambda: request.param)


def given(fused: ConvReluPool, dtype: str, numbers: tuple[int, ...] = (), seed: int = 0) -> Call:
    return fused_call(fused, Values(seed, dtype), numbers, images=IMAGES + 1)


@dtypes
@operations
def test_results_are_within_their_bounds(fused: ConvReluPool, dtype: str) -> None:
    backend, call = CpuBackend(1), given(fused, dtype)
    assert isinstance(fused_plan(backend, fused, call), FewerProductsPlan)
    for each in (forward_call(fused, call), gradients_call(fused, call)):
        assert_agrees(each, results(backend, each), define(each))


@operations
def test_results_are_within_their_bounds_beside_large_pixels(fused: ConvReluPool) -> None:
    """Of which nothing is left in the scores of patches without one but what was rounded."""
    call = given(fused, "float32")
    call.arguments["x"][:, ::4, ::4] *= 1e4
    for each in (forward_call(fused, call), gradients_call(fused, call)):
        assert_agrees(each, results(CpuBackend(1), each), define(each))


@dtypes
@operations
def test_the_first_of_equal_scores_is_chosen_call_after_call(
    fused: ConvReluPool, dtype: str
) -> None:
    """By one plan, given other arrays."""
    backend, calls = CpuBackend(1), [given(fused, dtype, WHOLE, seed) for seed in (0, 1)]
    plan = fused_plan(backend, fused, calls[0])
    for call in calls:
        actual, right = run_fused(backend, call, plan), define_fused(fused, call)
        for name, array in right.items():
            assert_array_equal(actual[name], array, name)


@operations
def test_an_input_gradient_that_is_not_wanted_is_left_out(fused: ConvReluPool) -> None:
    backend, call = CpuBackend(1), given(fused, "float32")
    plan = fused_plan(backend, fused, call)
    all_ = run_fused(backend, call, plan)
    without = run_fused(backend, call, plan, input_gradient=False)
    assert_array_equal(without["input_gradient"], call.arguments["input_gradient"])
    for name in ("out", "kernel_gradient", "bias_gradient"):
        assert_array_equal(without[name], all_[name], name)


@pytest.mark.usefixtures("traceable")
def test_a_step_allocates_no_array() -> None:
    fused = OPERATIONS["valid"]
    backend, call = CpuBackend(1), given(fused, "float32")
    plan, of = fused_plan(backend, fused, call), place(backend, call)

    def step() -> None:
        backend.conv2d_relu_max_pool(
            of["x"], of["kernel"], of["bias"], plan, of["out"], training=True
        )
        backend.conv2d_relu_max_pool_gradients(
            of["output_gradient"],
            of["kernel"],
            plan,
            of["kernel_gradient"],
            of["bias_gradient"],
            of["input_gradient"],
        )

    with backend.session():
        step()
        peak = allocated(step)
    assert peak < min(array.nbytes for array in (of["x"], of["out"], of["kernel"]))


def test_suits_training() -> None:
    fused = OPERATIONS["valid"]
    assert suits_training(fused, IMAGES)
    assert not suits_training(fused, IMAGES - 1)
    assert not suits_training(replace(fused, channels=CHANNELS - 1), IMAGES)
    assert not suits_training(replace(fused, filters=FILTERS - 1), IMAGES)
    for window in (
        Window((7, 9), (3, 2), (1, 1), "valid"),
        Window((7, 9), (3, 3), (2, 1), "valid"),
        Window((7, 9), (3, 3), (1, 1), "valid", (1, 2)),
    ):
        assert not suits_training(pooled(window), IMAGES)

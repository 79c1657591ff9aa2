"""A pooled convolution with fewer products and its gradients, against the definition."""

from dataclasses import replace

import pytest

from backends.agreement import assert_agrees, results
from backends.fused import (
    WHOLE,
    assert_chooses_the_first_of_equals,
    assert_leaves_the_input_gradient_out,
    conv_relu_pool,
    forward_call,
    fused_call,
    fused_plan,
    gradients_call,
)
from backends.operations.values import Values
from gpucnn.backends import ConvReluPool, CpuBackend, Window
from gpucnn.backends.cpu import winograd
from gpucnn.backends.cpu.fused.fewer_products import FewerProductsPlan
from gpucnn.verification.calls import Call, define, place
from memory import allocated

FEWEST, IMAGES = winograd.FEWEST, 5


def pooled(window: Window, channels: int = FEWEST, filters: int = FEWEST) -> ConvReluPool:
    return conv_relu_pool(window, (2, 2), channels, filters)


OPERATIONS = {
    "valid": pooled(Window((7, 9), (3, 3), (1, 1), "valid")),
    "same": pooled(Window((6, 7), (3, 3), (1, 1), "same"), FEWEST + 1, FEWEST + 2),
}

operations = pytest.mark.parametrize("fused", OPERATIONS.values(), ids=OPERATIONS)
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


@pytest.fixture(
    params=[2**21, 2**18, 1], ids=["one tile", "tiles of images", "tiles of a column"], autouse=True
)
def _tile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "tile_size", lambda: request.param)


def given(
    fused: ConvReluPool,
    dtype: str,
    numbers: tuple[int, ...] = (),
    seed: int = 0,
    images: int = IMAGES,
) -> Call:
    return fused_call(fused, Values(seed, dtype), numbers, images=images)


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
    assert_chooses_the_first_of_equals(
        CpuBackend(1), fused, [given(fused, dtype, WHOLE, seed) for seed in (0, 1)]
    )


@operations
def test_an_input_gradient_that_is_not_wanted_is_left_out(fused: ConvReluPool) -> None:
    assert_leaves_the_input_gradient_out(CpuBackend(1), fused, given(fused, "float32"))


@pytest.mark.usefixtures("traceable")
def test_a_step_allocates_no_array() -> None:
    fused = replace(OPERATIONS["valid"], filters=4 * FEWEST)
    backend, call = CpuBackend(1), given(fused, "float32", images=60)
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
        step()  # with views of workspaces that the first made larger
        peak = allocated(step)
    assert peak < min(array.nbytes for array in (of["x"], of["out"], of["kernel"]))


def test_suits() -> None:
    fused = OPERATIONS["valid"]
    assert winograd.suits(fused)
    assert not winograd.suits(replace(fused, channels=FEWEST - 1))
    assert not winograd.suits(replace(fused, filters=FEWEST - 1))
    for window in (
        Window((7, 9), (3, 2), (1, 1), "valid"),
        Window((7, 9), (3, 3), (2, 1), "valid"),
        Window((7, 9), (3, 3), (1, 1), "valid", (1, 2)),
    ):
        assert not winograd.suits(pooled(window))

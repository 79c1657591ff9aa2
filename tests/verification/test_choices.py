"""What is allowed where roundings choose: as much as another choice makes of it, and no more."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gpucnn.backends import Array, ConvReluPool, Window
from gpucnn.verification.bounds import expect
from gpucnn.verification.calls import Call, unset

WINDOW, POOL = Window((1, 3), (1, 2), (1, 1), "valid"), Window((1, 2), (1, 2), (1, 2), "valid")
FUSED = ConvReluPool(WINDOW, POOL, 1, 1, np.dtype(np.float32))


def gradients(pixels: list[float], weights: list[float], bias: float = 0.0) -> Call:
    """Of two positions, which see the first two pixels and the last two, and are pooled to one."""
    return Call(
        "conv2d_relu_max_pool_gradients",
        {
            "x": np.array(pixels, np.float32).reshape(1, 1, 3, 1),
            "kernel": np.array(weights, np.float32).reshape(1, 2, 1, 1),
            "bias": np.array([bias], np.float32),
            "plan": FUSED,
            "output_gradient": np.full((1, 1, 1, 1), 2, np.float32),
            "kernel_gradient": unset((1, 2, 1, 1), np.float32),
            "bias_gradient": unset((1,), np.float32),
            "input_gradient": unset((1, 1, 3, 1), np.float32),
        },
    )


CHOICES: dict[str, tuple[list[float], list[float], list[float]]] = {
    "the first": ([2, 4], [1], [2, 2, 0]),
    "the second": ([4, 2], [1], [0, 2, 2]),
    "none": ([0, 0], [0], [0, 0, 0]),
}
"""Of pixels 1, 2, 1 with weights of 1: the gradients, with a gradient of 2 of the output."""


def shares(call: Call, kernel: list[float], bias: list[float], inputs: list[float]) -> list[float]:
    """The results as shares of what is allowed; that of the bias is of a number of choices."""
    expected = expect(call)
    actual = {
        "kernel_gradient": np.array(kernel, np.float32).reshape(1, 2, 1, 1),
        "bias_gradient": 2 * np.array(bias, np.float32),
        "input_gradient": np.array(inputs, np.float32).reshape(1, 1, 3, 1),
    }
    return [expected.deviation(name, array).share for name, array in actual.items()]


@pytest.mark.parametrize("choice", ["the first", "the second"])
def test_either_of_two_that_are_as_near_as_roundings_may_be_chosen(choice: str) -> None:
    for apart in (0, 1e-7, -1e-7):
        call = gradients([1, 2, 1 + apart], [1, 1])
        assert max(shares(call, *CHOICES[choice])) <= 1


def test_what_is_neither_is_too_far_off() -> None:
    of_kernel, _, of_input = shares(gradients([1, 2, 1], [1, 1]), [5, 1], [1], [2, 7, 0])
    assert of_kernel > 1
    assert of_input > 1


@pytest.mark.parametrize("apart", [1e-3, -1e-3])
def test_the_greater_of_two_that_are_apart_is_chosen(apart: float) -> None:
    call = gradients([1, 2, 1 + apart], [1, 1])
    first, second = shares(call, *CHOICES["the first"]), shares(call, *CHOICES["the second"])
    right, wrong = (second, first) if apart > 0 else (first, second)
    for name in (0, 2):  # the gradients of the kernel and of the input
        assert wrong[name] > 100
    assert right[1] == wrong[1] == 0  # either way it is one


def test_what_is_as_near_to_zero_as_roundings_may_be_cut() -> None:
    for bias in (-3, -3 + 1e-7, -3 - 1e-7):
        call = gradients([1, 2, -9], [1, 1], bias)
        for choice in ("the first", "none"):
            assert max(shares(call, *CHOICES[choice])) <= 1


@pytest.mark.parametrize(("bias", "wrong"), [(-2.9, "none"), (-3.1, "the first")])
def test_what_is_apart_from_zero_passes_or_is_cut(bias: float, wrong: str) -> None:
    assert min(shares(gradients([1, 2, -9], [1, 1], bias), *CHOICES[wrong])) > 100


def test_equal_patches_allow_nothing_more_to_the_kernel() -> None:
    alike, apart = gradients([2, 2, 2], [1, 1]), gradients([2, 2, -9], [1, 1])
    allowed = expect(alike).allowed("kernel_gradient"), expect(apart).allowed("kernel_gradient")
    assert_array_equal(*allowed)


def head(kernel: Array, label: int) -> Call:
    """Of one row of ones and two classes."""
    return Call(
        "dense_softmax_cross_entropy",
        {
            "x": np.ones((1, len(kernel)), np.float32),
            "kernel": kernel.astype(np.float32),
            "bias": np.zeros(2, np.float32),
            "labels": np.array([label]),
            "indices": np.array([0]),
            "position": np.array([0, 1]),
            "epoch_losses": np.zeros(2, np.float32),
            "epoch_correct": np.zeros(2, np.float32),
            "batch_size": 2,
            "first": 1,
            "logits_gradient": unset((1, 2), np.float32),
            "input_gradient": None,
            "images": 1,
            "rate": None,
        },
    )


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize(("apart", "may_be_either"), [(0, True), (1e-7, True), (1e-3, False)])
def test_an_answer_is_open_where_logits_are_near(
    apart: float, may_be_either: bool, label: int
) -> None:
    expected = expect(head(np.array([[1, 1 + apart], [1, 1]]), label))
    assert np.ravel(expected.allowed("epoch_correct"))[1] == (1.0 if may_be_either else 0.0)


def test_what_is_no_number_may_become_anything() -> None:
    call = gradients([np.nan, 2, 1], [1, 1])
    written: dict[str, Any] = {"kernel_gradient": np.zeros((1, 2, 1, 1), np.float32)}
    assert expect(call).deviation("kernel_gradient", written["kernel_gradient"]).share == 0


def direction_of(mean: float, gradient: float, parameter: float) -> float:
    """A parameter after a step of Lion from 0 at a rate of 0.5, as a share of what is allowed."""
    call = Call(
        "lion",
        {
            "parameters": np.zeros(1, np.float32),
            "gradients": np.array([gradient], np.float32),
            "mean": np.array([mean], np.float32),
            "learning_rate": np.array([0.5], np.float32),
            "beta_1": 0.5,
            "beta_2": 0.75,
            "weight_decay": 0.0,
        },
    )
    return expect(call).deviation("parameters", np.array([parameter], np.float32)).share


@pytest.mark.parametrize("apart", [0, 1e-7, -1e-7])
@pytest.mark.parametrize("parameter", [-0.5, 0, 0.5])
def test_a_direction_as_near_to_zero_as_roundings_may_have_any_sign(
    apart: float, parameter: float
) -> None:
    assert direction_of(-1, 1 + apart, parameter) <= 1


def test_what_no_direction_makes_is_too_far_off() -> None:
    assert direction_of(-1, 1, 1.6) > 1


@pytest.mark.parametrize("apart", [1e-3, -1e-3])
def test_a_direction_that_is_clear_has_its_sign(apart: float) -> None:
    sign = float(np.sign(apart))
    assert direction_of(-1, 1 + apart, -0.5 * sign) == 0
    assert direction_of(-1, 1 + apart, 0) > 100
    assert direction_of(-1, 1 + apart, 0.5 * sign) > 100


def test_no_direction_is_no_step() -> None:
    assert direction_of(0, 0, 0) == 0
    assert direction_of(0, 0, 0.5) > 100

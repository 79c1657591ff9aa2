from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import loops
from expect import refusal
from gpucnn import Dropout
from gpucnn.backends import Array
from gpucnn.layers import Step
from layers.placed import placed

ONES = np.ones((4, 25))


def dropping(rate: float = 0.4, seed: int = 5, index: int = 2) -> Dropout:
    layer = Dropout(rate)
    layer.seed, layer.index = seed, index
    return placed(layer, (25,), 4)


def kept(layer: Dropout, step: int = 1, rows: slice = slice(None)) -> Array:
    """The output for ones in a training step, for the microbatch `rows` of a batch."""
    return layer.forward(ONES[rows], Step(np.array([step]), rows.start or 0)).copy()


def test_output_shape_is_that_of_the_input() -> None:
    assert placed(Dropout(0.5), (4, 3, 2)).output_shape == (4, 3, 2)


def test_training_drops_what_the_seed_the_place_and_the_step_say() -> None:
    expected = [loops.dropout_factor(element, 0.4, 5, 2, 9) for element in range(ONES.size)]
    assert_allclose(kept(dropping(), step=9), np.reshape(expected, ONES.shape), rtol=1e-15)


@pytest.mark.parametrize("other", [{"seed": 6}, {"index": 3}, {"rate": 0.5}])
def test_another_layer_drops_others(other: dict[str, Any]) -> None:
    assert not np.array_equal(kept(dropping()) == 0, kept(dropping(**other)) == 0)


def test_another_step_drops_others() -> None:
    layer = dropping()
    assert not np.array_equal(kept(layer, 1), kept(layer, 2))


def test_the_same_step_drops_the_same() -> None:
    assert_array_equal(kept(dropping()), kept(dropping()))


@pytest.mark.parametrize("rows", [slice(0, 3), slice(1, 2), slice(3, 4)])
def test_a_microbatch_drops_what_the_batch_does(rows: slice) -> None:
    assert_array_equal(kept(dropping(), rows=rows), kept(dropping())[rows])


def test_rate_0_drops_nothing() -> None:
    assert_array_equal(kept(dropping(rate=0)), ONES)


def test_inference_gives_the_input_itself() -> None:
    assert dropping().forward(ONES, None) is ONES


def test_gradients_without_dropout_are_of_the_input_itself() -> None:
    layer = dropping()
    layer.forward(ONES, Step(np.array([1])))
    assert layer.forward(ONES, Step()) is ONES
    assert layer.backward(ONES) is ONES


def test_inference_needs_no_memory() -> None:
    assert Dropout(0.5).inference_buffers() == {}


@pytest.mark.parametrize("rate", [1, 1.5, -0.1, float("nan"), "0.5", None, False])
def test_wrong_arguments(rate: Any) -> None:
    with refusal(f"rate is {rate!r}: it must be at least 0 and below 1"):
        Dropout(rate)

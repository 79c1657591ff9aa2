"""The head of a classifier on the simulator: what the contract's small calls do not reach."""

import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from backends.agreement import assert_agrees, results
from backends.operations.values import Values
from gpucnn.backends import Backend
from gpucnn.backends.backend import CudaBackend
from gpucnn.backends.cuda.simulator_runtime import SimulatorRuntime
from gpucnn.backends.ops.fused import classifier_head
from gpucnn.verification.calls import Call, define


@pytest.fixture(scope="module", params=["forward", "reversed", 1])
def simulator(request: pytest.FixtureRequest) -> CudaBackend:
    return CudaBackend(SimulatorRuntime(request.param))


def a_call(rows: int, inputs: int, classes: int, dtype: str, rate: float | None = 0.4) -> Call:
    """A call with logits that are exact, see `backends.operations`."""
    values = Values(0, dtype)
    return Call(
        "dense_softmax_cross_entropy",
        {
            "x": values.choices([-1, 0, 1, 2], rows, inputs),
            "kernel": values.choices([-1, 0, 1], inputs, classes),
            "bias": values.choices([-1, 0, 1], classes),
            "labels": values.integers(classes, 2 * rows),
            "indices": values.integers(2 * rows, rows),
            "position": np.array([1, 7]),
            "epoch_losses": values.reals(2 * rows + 2),
            "epoch_correct": values.reals(2 * rows + 2),
            "batch_size": rows + 1,
            "first": 1,
            "logits_gradient": values.unset(rows, classes),
            "input_gradient": values.unset(rows, inputs),
            "images": rows,
            "rate": rate,
        },
    )


HEADS = {
    "lenet's": (128, 10, "float32"),
    "one input, one class": (1, 1, "float32"),
    "most classes": (3, 32, "float32"),
    "most weights": (128 * 14, 8, "float32"),
    "of float64": (128 * 7 - 1, 7, "float64"),
}


@pytest.mark.parametrize(("inputs", "classes", "dtype"), HEADS.values(), ids=HEADS)
def test_heads_of_every_size(simulator: Backend, inputs: int, classes: int, dtype: str) -> None:
    assert simulator.can_fuse_head(inputs, classes, np.dtype(dtype))
    call = a_call(5, inputs, classes, dtype)
    assert_agrees(call, results(simulator, call), define(call))


def test_a_block_works_on_several_images(
    simulator: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier_head, "MOST_BLOCKS", 3)
    call = a_call(10, 40, 10, "float32")
    assert_agrees(call, results(simulator, call), define(call))


@pytest.mark.parametrize("rows", [1, 40])
def test_answers_are_exact_of_exact_logits(simulator: Backend, rows: int) -> None:
    """So that the first of equal ones is the answer."""
    call = a_call(rows, 3, 10, "float32")
    assert_array_equal(results(simulator, call)["epoch_correct"], define(call)["epoch_correct"])


TOO_LARGE = [(4, 33, "float32"), (128 * 14 + 1, 8, "float32"), (128 * 7 + 1, 8, "float64")]


@pytest.mark.parametrize(("inputs", "classes", "dtype"), TOO_LARGE)
def test_others_are_one_operation_after_the_other(
    simulator: Backend, inputs: int, classes: int, dtype: str
) -> None:
    assert not simulator.can_fuse_head(inputs, classes, np.dtype(dtype))
    call = a_call(3, inputs, classes, dtype)
    assert_agrees(call, results(simulator, call), define(call))


def test_nan_shows_in_the_loss_and_the_gradients(simulator: Backend) -> None:
    call = a_call(3, 40, 10, "float32", rate=None)
    call.arguments["x"][1, 7] = math.nan
    written = results(simulator, call)
    losses = written["epoch_losses"][-3:]
    for rows in (losses, written["logits_gradient"], written["input_gradient"]):
        assert np.isnan(rows[1]).all()
        assert not np.isnan(rows[[0, 2]]).any()

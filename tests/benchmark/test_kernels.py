from functools import cache

import numpy as np
import pytest

from benchmark.small_plan import small_workload
from gpucnn.backends.backend import CudaBackend
from gpucnn.benchmark import kernels
from gpucnn.benchmark.kernels import WHOLE, TrainingStep, measure_kernels
from gpucnn.benchmark.workload import make_network


@cache
def step(model: str) -> TrainingStep:
    return TrainingStep("simulator", small_workload(model), 4)


def test_launches_come_in_order_each_with_its_part() -> None:
    found = [(each.part, each.kernel) for each in step("lenet").launches()]
    parts = list(dict.fromkeys(part for part, _ in found))
    assert parts == [
        "",
        "conv2d+relu+maxpool2d forward",
        "conv2d_1+relu_1+maxpool2d_1 forward",
        "dense+relu_2 forward",
        "dense_1 and loss",
        "dense+relu_2 backward",
        "conv2d_1+relu_1+maxpool2d_1 backward",
        "conv2d+relu+maxpool2d backward",
    ]
    assert ("dense+relu_2 forward", "dense_relu") in found
    of_head = [kernel for part, kernel in found if part == "dense_1 and loss"]
    assert of_head == ["classifier_head", "dense_gradients"]
    of_dense = [kernel for part, kernel in found if part == "dense+relu_2 backward"]
    assert of_dense == ["dense_gradients", "matmul"]
    assert found[0] == ("", "next_batch")
    assert found[-1] == ("", "sgd")


def test_a_branch_runs_beside_what_follows_it() -> None:
    """Each launch waits for one before it: of those of branches, and of the others."""
    launches = step("lenet").launches()
    depths = [each.depth for each in launches]
    forked = next(i for i, each in enumerate(launches) if each.kernel == "dense_gradients")
    assert depths[:forked] == list(range(1, forked + 1))
    of_matmul = next(each.depth for each in launches if each.kernel == "matmul")
    assert of_matmul == depths[forked] == forked + 1
    assert depths[-1] == max(depths[:-1]) + 1  # after the join


def test_a_launch_is_known_by_its_definition_and_arguments() -> None:
    *_, update = step("notebook").launches()
    assert update.definition is CudaBackend.sgd
    assert update.arguments["parameters"].size == 13_610


def test_an_operation_that_is_the_whole_network_is_a_part_of_its_own() -> None:
    *of_network, update = step("notebook").launches()
    assert of_network[0].kernel == "conv_classifier"
    assert {each.part for each in of_network} == {WHOLE}
    assert (update.part, update.kernel) == ("", "sgd")
    costs = step("notebook").costs()
    of_layers = [cost for part, cost in costs.items() if part.endswith(("forward", "backward"))]
    assert costs[WHOLE] == tuple(map(sum, zip(*of_layers, strict=True)))
    assert costs[""] == (0, 0)


def test_the_last_layer_and_the_loss_cost_what_the_layer_does() -> None:
    costs = step("lenet").costs()
    both = costs["dense_1 forward"], costs["dense_1 backward"]
    assert costs["dense_1 and loss"] == tuple(map(sum, zip(*both, strict=True)))


def test_afterwards_a_step_is_what_it_was() -> None:
    first, again = (
        [each[:4] for each in step("notebook").launches()],
        [each[:4] for each in step("notebook").launches()],
    )
    assert first == again
    step("notebook").rewind()


def test_it_starts_with_the_weights_of_the_network() -> None:
    made = TrainingStep("simulator", small_workload(), 4)
    expected = make_network("notebook", "float32", "cpu", 1).parameters
    np.testing.assert_array_equal(made._trainer.replica.parameters, expected)


def test_each_launch_is_timed_in_each_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "REPEATS", 2)
    found = measure_kernels("simulator", small_workload(), 4, 2)
    launches = step("notebook").launches()
    assert [each.kernel for each in found] == [each.kernel for each in launches]
    assert all(len(each.seconds) == 2 and min(each.seconds) > 0 for each in found)
    gradients = found[1]
    assert gradients.threads == int(np.prod(launches[1].block))
    assert gradients.grid == " x ".join(map(str, launches[1].grid))
    assert gradients.operations > gradients.bytes > 0

from functools import cache
from math import inf

import pytest

from benchmark.small_plan import small_workload
from gpucnn.benchmark.floor.costs import work_of
from gpucnn.benchmark.floor.step import Device, StepFloor, step_floor
from gpucnn.benchmark.kernels import TrainingStep
from gpucnn.optimizers import Adam

BATCH = 4

floor = cache(step_floor)


def on(bandwidth: float = inf, flops: float = inf, latency: float = 0) -> StepFloor:
    return floor("lenet", BATCH, Device(bandwidth, flops, latency))


def test_the_launches_are_those_of_a_step_that_runs() -> None:
    launches = TrainingStep("simulator", small_workload("lenet"), BATCH).launches()
    works = [(each.kernel, work_of(each.definition, each.arguments)) for each in launches]
    assert [each[:3] for each in on().launches] == [
        (kernel, work.bytes, work.operations) for kernel, work in works
    ]


def test_bytes_take_the_bandwidth() -> None:
    step = on(bandwidth=2)
    assert step.seconds == sum(each.bytes for each in step.launches) / 2


def test_operations_take_the_arithmetic_rate() -> None:
    step = on(flops=4)
    assert step.seconds == sum(each.operations for each in step.launches) / 4


def test_of_bytes_and_operations_a_launch_takes_the_longer() -> None:
    step = on(bandwidth=1, flops=4)
    seconds = [max(each.bytes, each.operations / 4) for each in step.launches]
    assert [each.seconds for each in step.launches] == seconds
    assert step.seconds == sum(seconds)
    assert any(each.operations / 4 > each.bytes > 0 for each in step.launches)
    assert any(each.bytes > each.operations / 4 > 0 for each in step.launches)


def test_a_launch_that_waits_takes_a_latency() -> None:
    step = on(latency=3)
    assert step.seconds == 3 * step.chain
    assert 1 < step.chain < len(step.launches)  # the gradients of parameters are branches


def test_all_launches_of_the_notebook_wait() -> None:
    step = floor("notebook", BATCH)
    assert step.chain == len(step.launches)


def test_another_optimizer_moves_more() -> None:
    by_sgd, by_adam = floor("notebook", BATCH), step_floor("notebook", BATCH, optimizer=Adam(0.01))
    assert by_adam.launches[-1].kernel == "adam"
    assert by_adam.launches[-1].bytes * 5 == pytest.approx(by_sgd.launches[-1].bytes * 7, rel=1e-3)


@pytest.mark.parametrize(("model", "microseconds"), [("notebook", 12), ("lenet", 60)])
def test_the_floor_on_an_h100(model: str, microseconds: float) -> None:
    """What a step of 64 images may take by this model, however fast a device is."""
    assert floor(model, 64).seconds <= microseconds * 1e-6

from collections.abc import Callable
from math import inf
from typing import Any

import pytest

from expect import refusal
from gpucnn import Constant, CosineDecay, OneCycle
from gpucnn.optimizers.schedules import Schedule


@pytest.mark.parametrize("step", [0, 1, 10**9])
def test_constant(step: int) -> None:
    assert Constant(0.3)(step) == 0.3


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        pytest.param(0, 0.8, id="start"),
        pytest.param(10, 0.8 * 0.75, id="third"),  # (1 + cos 60 degrees) / 2
        pytest.param(15, 0.4, id="half"),
        pytest.param(20, 0.8 * 0.25, id="two thirds"),
        pytest.param(30, 0.0, id="end"),
        pytest.param(31, 0.0, id="beyond"),
        pytest.param(10**9, 0.0, id="far beyond"),
    ],
)
def test_cosine_decay(step: int, rate: float) -> None:
    assert CosineDecay(0.8, 30)(step) == pytest.approx(rate, abs=1e-16)


START, PEAK, END = 0.02, 0.5, 0.000002


@pytest.mark.parametrize(
    ("total", "step", "rate"),
    [
        pytest.param(100, 0, START, id="start"),
        pytest.param(10, 1, (START + PEAK) / 2, id="half up"),
        pytest.param(100, 29, PEAK, id="peak"),
        pytest.param(100, 64, (PEAK + END) / 2, id="half down"),
        pytest.param(100, 99, END, id="end"),
        pytest.param(100, 100, END, id="beyond"),
        pytest.param(100, 10**9, END, id="far beyond"),
    ],
)
def test_one_cycle(total: int, step: int, rate: float) -> None:
    assert OneCycle(PEAK, total)(step) == pytest.approx(rate, rel=1e-12)


def test_one_cycle_is_that_of_pytorch() -> None:
    """The rates of OneCycleLR(max_lr=1, total_steps=10)."""
    rates = [0.04, 0.52, 1, 0.950485, 0.811746, 0.611262, 0.388742, 0.188258, 0.049519, 0.000004]
    schedule = OneCycle(1, 10)
    assert [schedule(step) for step in range(10)] == pytest.approx(rates, abs=5e-7)


@pytest.mark.parametrize(
    "total", [1, 2, 3, 4, 7, 10, 100, 9375, pytest.param(10**400, id="more than a float")]
)
def test_one_cycle_ends_with_its_last_step(total: int) -> None:
    schedule = OneCycle(PEAK, total)
    assert schedule(total - 1) == pytest.approx(END, rel=1e-9)
    assert schedule(total) == pytest.approx(END, rel=1e-9)


@pytest.mark.parametrize(
    ("schedule", "steps"),
    [(Constant(0.1), inf), (CosineDecay(0.1, 7), 7), (OneCycle(0.1, 8), 8)],
)
def test_the_steps_it_is_made_for(schedule: Schedule, steps: float) -> None:
    assert schedule.steps == steps


@pytest.mark.parametrize("schedule", [CosineDecay(0.1, 1), OneCycle(0.1, 1)])
def test_a_single_step(schedule: Schedule) -> None:
    assert 0 < schedule(0) <= 0.1


@pytest.mark.parametrize("rate", [0, -0.1, float("nan"), "0.1", None])
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (Constant, "learning_rate"),
        (lambda rate: CosineDecay(rate, 1), "initial_learning_rate"),
        (lambda rate: OneCycle(rate, 1), "max_learning_rate"),
    ],
    ids=["Constant", "CosineDecay", "OneCycle"],
)
def test_wrong_rates(make: Callable[[Any], Schedule], name: str, rate: Any) -> None:
    with refusal(f"{name} is {rate!r}: it must be a number above 0"):
        make(rate)


@pytest.mark.parametrize("steps", [0, -1, 1.5, None])
@pytest.mark.parametrize(
    ("kind", "name"), [(CosineDecay, "decay_steps"), (OneCycle, "total_steps")]
)
def test_wrong_steps(kind: type, name: str, steps: Any) -> None:
    with refusal(f"{name} is {steps!r}: it must be a whole number of at least 1"):
        kind(0.1, steps)

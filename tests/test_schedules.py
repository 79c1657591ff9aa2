from collections.abc import Callable
from typing import Any

import pytest

from expect import refusal
from gpucnn import Constant, CosineDecay, OneCycle
from gpucnn.schedules import Schedule


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
    ("step", "rate"),
    [
        pytest.param(0, START, id="start"),
        pytest.param(10, START + 0.25 * (PEAK - START), id="a third up"),
        pytest.param(15, (START + PEAK) / 2, id="half up"),
        pytest.param(30, PEAK, id="peak"),
        pytest.param(65, (PEAK + END) / 2, id="half down"),
        pytest.param(100, END, id="end"),
        pytest.param(101, END, id="beyond"),
        pytest.param(10**9, END, id="far beyond"),
    ],
)
def test_one_cycle(step: int, rate: float) -> None:
    assert OneCycle(PEAK, 100)(step) == pytest.approx(rate, rel=1e-12)


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

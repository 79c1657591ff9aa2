from collections.abc import Callable
from math import inf
from typing import Any

import pytest

from expect import refusal
from gpucnn.errors import InvalidTypeError
from gpucnn.optimizers.schedules import (
    Constant,
    CosineDecay,
    ExponentialDecay,
    OneCycle,
    PiecewiseConstantDecay,
    PolynomialDecay,
    Schedule,
)


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


@pytest.mark.parametrize(
    ("step", "rate"),
    [(0, 0.8), (10, 0.2 + 0.6 * 0.75), (15, 0.5), (30, 0.2), (31, 0.2), (10**9, 0.2)],
)
def test_cosine_decay_to_a_share(step: int, rate: float) -> None:
    assert CosineDecay(0.8, 30, 0.25)(step) == pytest.approx(rate, rel=1e-15)


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        pytest.param(0, 0.0, id="start"),
        pytest.param(1, 0.2, id="quarter up"),
        pytest.param(3, 0.6, id="last of the rise"),
        pytest.param(4, 0.8, id="peak"),
        pytest.param(14, 0.2 + 0.6 * 0.75, id="third down"),
        pytest.param(34, 0.2, id="end"),
        pytest.param(10**9, 0.2, id="far beyond"),
    ],
)
def test_cosine_decay_after_a_rise(step: int, rate: float) -> None:
    schedule = CosineDecay(0.0, 30, alpha=0.25, warmup_target=0.8, warmup_steps=4)
    assert schedule(step) == pytest.approx(rate, rel=1e-15)


def test_cosine_decay_rises_from_where_it_starts() -> None:
    schedule = CosineDecay(0.2, 10, warmup_target=0.6, warmup_steps=2)
    assert [schedule(step) for step in range(3)] == pytest.approx([0.2, 0.4, 0.6], rel=1e-15)


def test_cosine_decay_without_steps_of_a_rise_starts_at_its_target() -> None:
    assert CosineDecay(0.2, 10, warmup_target=0.6)(0) == 0.6


@pytest.mark.parametrize(
    ("step", "rate", "stair"),
    [(0, 0.8, 0.8), (5, 0.4, 0.8), (9, 0.8 * 0.25**0.9, 0.8), (10, 0.2, 0.2), (25, 0.025, 0.05)],
)
def test_exponential_decay(step: int, rate: float, stair: float) -> None:
    assert ExponentialDecay(0.8, 10, 0.25)(step) == pytest.approx(rate, rel=1e-15)
    assert ExponentialDecay(0.8, 10, 0.25, staircase=True)(step) == pytest.approx(stair, rel=1e-15)


def test_exponential_growth_beyond_a_float() -> None:
    assert ExponentialDecay(0.1, 1, 2)(10_000) == inf
    assert ExponentialDecay(0.1, 1, 2.0, staircase=True)(10_000) == inf


@pytest.mark.parametrize(
    ("step", "rate"), [(0, 1.0), (3, 1.0), (4, 0.5), (7, 0.5), (8, 0.1), (10**9, 0.1)]
)
def test_piecewise_constant_decay(step: int, rate: float) -> None:
    assert PiecewiseConstantDecay([3, 7], [1.0, 0.5, 0.1])(step) == rate
    assert PiecewiseConstantDecay((3.5, 7.0), (1.0, 0.5, 0.1))(step) == rate


def test_piecewise_constant_decay_keeps_its_own_lists() -> None:
    boundaries, values = [3], [1.0, 0.5]
    schedule = PiecewiseConstantDecay(boundaries, values)
    boundaries[0], values[0] = 0, 7.0
    assert schedule == PiecewiseConstantDecay([3], [1.0, 0.5])
    assert schedule(3) == 1.0


@pytest.mark.parametrize(
    ("step", "rate"),
    [(0, 0.9), (5, 0.1 + 0.8 * 0.25), (10, 0.1), (11, 0.1), (10**9, 0.1)],
)
def test_polynomial_decay(step: int, rate: float) -> None:
    assert PolynomialDecay(0.9, 10, 0.1, power=2)(step) == pytest.approx(rate, rel=1e-15)


def test_polynomial_decay_is_a_line_to_nearly_0_at_first() -> None:
    schedule = PolynomialDecay(0.1001, 4)
    rates = [0.1001, 0.0751, 0.0501, 0.0251, 0.0001]
    assert [schedule(step) for step in range(5)] == pytest.approx(rates, rel=1e-12)


@pytest.mark.parametrize(
    ("step", "rate"), [(0, 0.9), (5, 0.5), (10, 0.1), (11, 0.46), (15, 0.3), (20, 0.1), (21, 0.34)]
)
def test_polynomial_decay_in_cycles(step: int, rate: float) -> None:
    """After 10 steps the line is stretched to 20, and after these to 30."""
    assert PolynomialDecay(0.9, 10, 0.1, cycle=True)(step) == pytest.approx(rate, rel=1e-12)


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
    [
        (Constant(0.1), inf),
        (CosineDecay(0.1, 7), 7),
        (CosineDecay(0.1, 7, warmup_target=0.2, warmup_steps=2), 9),
        (ExponentialDecay(0.1, 7, 0.5), inf),
        (OneCycle(0.1, 8), 8),
        (PiecewiseConstantDecay([1], [0.2, 0.1]), inf),
        (PolynomialDecay(0.1, 7), 7),
        (PolynomialDecay(0.1, 7, cycle=True), inf),
    ],
)
def test_the_steps_it_is_made_for(schedule: Schedule, steps: float) -> None:
    assert schedule.steps == steps


@pytest.mark.parametrize(
    "schedule", [CosineDecay(0.1, 1), OneCycle(0.1, 1), PolynomialDecay(0.1, 1)]
)
def test_a_single_step(schedule: Schedule) -> None:
    assert 0 < schedule(0) <= 0.1


@pytest.mark.parametrize("rate", [0, -0.1, float("nan"), "0.1", None])
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (Constant, "learning_rate"),
        (lambda rate: CosineDecay(rate, 1), "initial_learning_rate"),
        (lambda rate: ExponentialDecay(rate, 1, 0.5), "initial_learning_rate"),
        (lambda rate: ExponentialDecay(1, 1, rate), "decay_rate"),
        (lambda rate: OneCycle(rate, 1), "max_learning_rate"),
        (lambda rate: PolynomialDecay(rate, 1), "initial_learning_rate"),
        (lambda rate: PolynomialDecay(1, 1, power=rate), "power"),
    ],
    ids=[
        *("Constant", "CosineDecay", "ExponentialDecay"),
        *("ExponentialDecay's rate", "OneCycle", "PolynomialDecay", "PolynomialDecay's power"),
    ],
)
def test_wrong_rates(make: Callable[[Any], Schedule], name: str, rate: Any) -> None:
    with refusal(f"{name} is {rate!r}: it must be a number above 0"):
        make(rate)


@pytest.mark.parametrize("steps", [0, -1, 1.5, None])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (CosineDecay, "decay_steps"),
        (lambda rate, steps: ExponentialDecay(rate, steps, 0.5), "decay_steps"),
        (OneCycle, "total_steps"),
        (PolynomialDecay, "decay_steps"),
    ],
)
def test_wrong_steps(kind: Callable[..., Schedule], name: str, steps: Any) -> None:
    with refusal(f"{name} is {steps!r}: it must be a whole number of at least 1"):
        kind(0.1, steps)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: CosineDecay(-0.1, 1, warmup_target=1),
            "initial_learning_rate is -0.1: it must be a number of at least 0",
        ),
        (lambda: CosineDecay(1, 1, -0.1), "alpha is -0.1: it must be a number of at least 0"),
        (
            lambda: CosineDecay(1, 1, warmup_target=0),
            "warmup_target is 0: it must be a number above 0",
        ),
        (
            lambda: CosineDecay(1, 1, warmup_target=1, warmup_steps=-1),
            "warmup_steps is -1: it must be a whole number of at least 0",
        ),
        (
            lambda: CosineDecay(1, 1, warmup_steps=3),
            "warmup_steps is 3: give warmup_target too",
        ),
        (
            lambda: ExponentialDecay(1, 1, 0.5, staircase=1),  # type: ignore[arg-type]
            "staircase is 1: it must be True or False",
        ),
        (
            lambda: PolynomialDecay(1, 1, -0.1),
            "end_learning_rate is -0.1: it must be a number of at least 0",
        ),
        (
            lambda: PolynomialDecay(1, 1, cycle=None),  # type: ignore[arg-type]
            "cycle is None: it must be True or False",
        ),
        (
            lambda: PiecewiseConstantDecay(3, [1, 2]),  # type: ignore[arg-type]
            "boundaries is 3: it must be a list of numbers",
        ),
        (lambda: PiecewiseConstantDecay([], [1]), "boundaries is []: it must be a list of numbers"),
        (
            lambda: PiecewiseConstantDecay([-1], [1, 2]),
            "a number of boundaries is -1: it must be a number of at least 0",
        ),
        (
            lambda: PiecewiseConstantDecay([1], [1, "2"]),  # type: ignore[list-item]
            "a number of values is '2': it must be a number of at least 0",
        ),
        (
            lambda: PiecewiseConstantDecay([2, 2], [1, 2, 3]),
            "boundaries is (2, 2): each must be above the last",
        ),
        (
            lambda: PiecewiseConstantDecay([2], [1, 2, 3]),
            "there are 3 values for 1 boundaries: there must be one more",
        ),
    ],
)
def test_wrong_arguments(make: Callable[[], Schedule], message: str) -> None:
    with refusal(message):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: CosineDecay(1, 1, 0.0, "a name", 0.1),  # type: ignore[call-arg, arg-type]
        lambda: ExponentialDecay(1, 1, 0.5, rate=0.1),  # type: ignore[call-arg]
        lambda: PolynomialDecay(1, 1, rate=0.1),  # type: ignore[call-arg]
        lambda: PiecewiseConstantDecay([1], [1, 2], "a name", 0.1),  # type: ignore[call-arg]
    ],
)
def test_an_argument_that_is_not_here_is_an_error(make: Callable[[], Schedule]) -> None:
    with pytest.raises(InvalidTypeError, match=r"argument|by position"):
        make()


@pytest.mark.parametrize(
    ("kind", "given"),
    [(CosineDecay, (1, 1, 0.0)), (PiecewiseConstantDecay, ([1], [1, 2]))],
)
def test_a_name_may_follow_as_in_keras(kind: Any, given: tuple[Any, ...]) -> None:
    assert kind(*given, "a name") == kind(*given, name="a name") == kind(*given)

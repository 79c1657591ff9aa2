import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

import loops
import small
from expect import refusal
from gpucnn import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    CosineDecay,
    ExponentialDecay,
    Lion,
    Muon,
    OneCycle,
    RMSprop,
    Sequential,
    get_backend,
)
from gpucnn.errors import GpucnnWarning
from gpucnn.optimizers import Optimizer, OptimizerState
from gpucnn.optimizers.schedules import Constant, Schedule

PARAMETERS = np.array([0.5, -2.0, 0.0, 3.0])
LAYOUT = small.layout(kernel=(3, 1), bias=(1,))
STEPS = 6

Vector = NDArray[np.float64]


def gradients(start: int = 0) -> Iterator[Vector]:
    """The gradients of the steps from `start` on; the second is 0 at first, like a dead ReLU's."""
    for step in range(start, STEPS):
        gradient = np.random.default_rng(step).standard_normal(4)
        gradient[1] *= step > 2
        yield gradient


def train(optimizer: Optimizer, parameters: Vector, steps: Iterator[Vector]) -> Vector:
    """`parameters` after some steps of `optimizer`, already placed."""
    for gradient in steps:
        optimizer.apply(parameters, gradient, np.array(optimizer.all_factors(optimizer.iterations)))
        optimizer.iterations += 1
    return parameters


def placed(optimizer: Optimizer, state: OptimizerState | None = None) -> Optimizer:
    optimizer.place(get_backend("cpu"), PARAMETERS, LAYOUT, state)
    return optimizer


def schedule_of(optimizer: Optimizer) -> Schedule:
    rate = optimizer.learning_rate
    return rate if isinstance(rate, Schedule) else Constant(rate)


def sgd_by_numbers(optimizer: SGD, parameter: float, steps: list[float]) -> float:
    velocity = 0.0
    for step, gradient in enumerate(steps):
        parameter, velocity = loops.sgd(
            parameter,
            gradient,
            velocity,
            schedule_of(optimizer)(step),
            optimizer.momentum,
            optimizer.nesterov,
            optimizer.weight_decay or 0.0,
        )
    return parameter


def bias_correction(optimizer: Adam, t: int) -> float:
    return math.sqrt(1 - optimizer.beta_2**t) / (1 - optimizer.beta_1**t)


def adam_by_numbers(optimizer: Adam, parameter: float, steps: list[float]) -> float:
    mean = square = 0.0
    for step, gradient in enumerate(steps):
        parameter, mean, square = loops.adam(
            parameter,
            gradient,
            mean,
            square,
            schedule_of(optimizer)(step),
            bias_correction(optimizer, step + 1),
            optimizer.beta_1,
            optimizer.beta_2,
            optimizer.epsilon,
            optimizer.weight_decay or 0.0,
        )
    return parameter


def rmsprop_by_numbers(optimizer: RMSprop, parameter: float, steps: list[float]) -> float:
    square, velocity, mean = 0.0, 0.0, 0.0 if optimizer.centered else None
    for step, gradient in enumerate(steps):
        parameter, square, velocity, mean = loops.rmsprop(
            parameter,
            gradient,
            square,
            velocity,
            mean,
            schedule_of(optimizer)(step),
            optimizer.rho,
            optimizer.momentum,
            optimizer.epsilon,
            optimizer.weight_decay or 0.0,
        )
    return parameter


def adagrad_by_numbers(optimizer: Adagrad, parameter: float, steps: list[float]) -> float:
    square = optimizer.initial_accumulator_value
    for step, gradient in enumerate(steps):
        rate = schedule_of(optimizer)(step)
        parameter, square = loops.adagrad(
            parameter, gradient, square, rate, optimizer.epsilon, optimizer.weight_decay or 0.0
        )
    return parameter


def lion_by_numbers(optimizer: Lion, parameter: float, steps: list[float]) -> float:
    mean = 0.0
    for step, gradient in enumerate(steps):
        rate = schedule_of(optimizer)(step)
        parameter, mean = loops.lion(
            parameter,
            gradient,
            mean,
            rate,
            optimizer.beta_1,
            optimizer.beta_2,
            optimizer.weight_decay or 0.0,
        )
    return parameter


def agrees(optimizer: Any, by_numbers: Callable[[Any, float, list[float]], float]) -> None:
    """Fail unless `optimizer` updates every parameter as the scalar formula does."""
    trained = train(placed(optimizer), PARAMETERS.copy(), gradients())
    columns = np.array(list(gradients())).T.tolist()
    pairs = zip(PARAMETERS.tolist(), columns, strict=True)
    expected = [by_numbers(optimizer, parameter, column) for parameter, column in pairs]
    assert_allclose(trained, expected, rtol=1e-13)


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(),
        SGD(0.1),
        SGD(0.1, momentum=0.9),
        SGD(0.1, momentum=0.9, nesterov=True),
        SGD(0.1, weight_decay=0.2),
        SGD(0.1, 0.8, True, 0.2),
        SGD(CosineDecay(0.1, 5), momentum=0.9),
    ],
    ids=repr,
)
def test_sgd_follows_its_formula(optimizer: SGD) -> None:
    agrees(optimizer, sgd_by_numbers)


@pytest.mark.parametrize(
    "optimizer",
    [
        Adam(),
        Adam(0.1, beta_1=0.5, beta_2=0.7, epsilon=0.1),
        Adam(CosineDecay(0.1, 5)),
        Adam(0.1, weight_decay=0.2),
        AdamW(0.1),
        AdamW(0.1, 0.3, beta_1=0.5, beta_2=0.7, epsilon=0.1),
        AdamW(0.1, weight_decay=0.0),
    ],
    ids=repr,
)
def test_adam_follows_its_formula(optimizer: Adam) -> None:
    agrees(optimizer, adam_by_numbers)


@pytest.mark.parametrize(
    "optimizer",
    [
        RMSprop(),
        RMSprop(0.1, rho=0.5, momentum=0.7, epsilon=0.1),
        RMSprop(CosineDecay(0.1, 5), epsilon=0.1),
        RMSprop(0.1, epsilon=0.1, centered=True),
        RMSprop(0.1, 0.5, 0.7, 0.1, True, 0.2),
        RMSprop(0.1, weight_decay=0.2),
    ],
    ids=repr,
)
def test_rmsprop_follows_its_formula(optimizer: RMSprop) -> None:
    agrees(optimizer, rmsprop_by_numbers)


@pytest.mark.parametrize(
    "optimizer",
    [
        Adagrad(),
        Adagrad(0.1, 0.0, 0.1, 0.2),
        Adagrad(0.1, 2.0),
        Adagrad(CosineDecay(0.1, 5)),
    ],
    ids=repr,
)
def test_adagrad_follows_its_formula(optimizer: Adagrad) -> None:
    agrees(optimizer, adagrad_by_numbers)


@pytest.mark.parametrize(
    "optimizer",
    [Lion(), Lion(0.1, 0.2, 0.6, 0.2), Lion(0.1, 0.0), Lion(CosineDecay(0.1, 5))],
    ids=repr,
)
def test_lion_follows_its_formula(optimizer: Lion) -> None:
    agrees(optimizer, lion_by_numbers)


def test_the_first_step_of_sgd() -> None:
    assert_array_equal(train(placed(SGD(0.5)), np.ones(4), iter([np.ones(4)])), np.full(4, 0.5))


def test_the_first_step_of_adam_is_the_learning_rate() -> None:
    trained = train(placed(Adam(0.25)), np.ones(4), iter([np.array([1.0, -2.0, 30.0, -400.0])]))
    assert_allclose(trained, [0.75, 1.25, 0.75, 1.25], rtol=1e-5)  # but for epsilon


def test_the_first_steps_of_rmsprop() -> None:
    """With rho of 3/4 the mean square of a gradient of 2 is 1, and then 7/4."""
    ones, twos = np.ones(4), np.full(4, 2.0)
    plain = RMSprop(0.5, rho=0.75, epsilon=1e-12)
    assert_allclose(train(placed(plain), ones.copy(), iter([twos])), np.zeros(4), atol=1e-11)
    momentum = RMSprop(0.5, rho=0.75, momentum=0.5, epsilon=1e-12)
    trained = train(placed(momentum), ones.copy(), iter([twos, twos]))
    assert_allclose(trained, np.full(4, 1 - 1 - 0.5 - 1 / math.sqrt(7 / 4)), rtol=1e-11)
    centered = RMSprop(0.5, rho=0.75, epsilon=1e-12, centered=True)  # the variance is 3/4
    trained = train(placed(centered), ones.copy(), iter([twos]))
    assert_allclose(trained, np.full(4, 1 - 1 / math.sqrt(3 / 4)), rtol=1e-11)


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (RMSprop(0.5), [-0.5811, 0.4189, 1.4189, 2.4189]),
        (Adagrad(0.5), [0.5233, 1.5007, 2.5005, 3.5061]),
        (Lion(0.5), [0.5, 1.5, 2.5, 3.5]),
    ],
    ids=["RMSprop", "Adagrad", "Lion"],
)
def test_a_step_is_that_of_keras(optimizer: Optimizer, expected: list[float]) -> None:
    """The parameters after it are what Keras's own tests hold it to, to four digits."""
    step = np.array([1.0, 6.0, 7.0, 2.0])
    trained = train(placed(optimizer), np.array([1.0, 2.0, 3.0, 4.0]), iter([step]))
    assert_allclose(trained, expected, atol=5.1e-5)


def test_steps_of_centred_rmsprop_are_those_of_keras() -> None:
    """Likewise; the gradients of all but the first step are the same."""
    optimizer, parameters, steps = placed(RMSprop(centered=True)), np.ones(4), [0.01, *[0.5] * 4]
    for gradient, expected in zip(steps, [0.9967, 0.9933, 0.9908, 0.9885, 0.9864], strict=True):
        train(optimizer, parameters, iter([np.full(4, gradient)]))
        assert_allclose(parameters, np.full(4, expected), atol=5.1e-5)


def test_centred_rmsprop_of_constant_gradients_stays_finite() -> None:
    """Rounding leaves their mean square a little below the square of their mean."""
    gradients = np.linspace(99, 101, 100, dtype=np.float32)
    optimizer = RMSprop(centered=True)
    parameters = np.zeros(100, np.float32)
    optimizer.place(get_backend("cpu"), parameters, small.layout(kernel=(100,)))
    for _ in range(200):
        optimizer.update(parameters, gradients, np.array([0.001], np.float32))
        assert np.isfinite(parameters).all()
    assert (optimizer.slots["square"] < optimizer.slots["mean"] ** 2).any()


def test_only_centred_rmsprop_keeps_a_mean() -> None:
    assert RMSprop().slot_names == ("square", "velocity")
    assert RMSprop(centered=True).slot_names == ("square", "velocity", "mean")


def test_the_first_step_of_adagrad() -> None:
    optimizer = Adagrad(0.5, initial_accumulator_value=5.0, epsilon=1e-12)
    trained = train(placed(optimizer), np.ones(4), iter([np.full(4, 2.0)]))
    assert_allclose(trained, np.full(4, 1 - 0.5 * 2 / 3), rtol=1e-11)


def test_every_step_of_lion_is_the_learning_rate() -> None:
    steps = iter([np.array([1e-20, -2.0, 0.0, 3e9])])
    trained = train(placed(Lion(0.25)), np.ones(4), steps)
    assert_array_equal(trained, [0.75, 1.25, 1.0, 0.75])


@pytest.mark.parametrize(
    ("optimizer", "defaults"),
    [
        (SGD(), SGD(0.01, momentum=0.0, nesterov=False, weight_decay=None)),
        (Adam(), Adam(0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7)),
        (AdamW(), AdamW(0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, weight_decay=0.004)),
        (RMSprop(), RMSprop(0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False)),
        (Adagrad(), Adagrad(0.001, initial_accumulator_value=0.1, epsilon=1e-7)),
        (Lion(), Lion(0.001, beta_1=0.9, beta_2=0.99, weight_decay=None)),
        (
            Muon(),
            Muon(
                0.001,
                adam_beta_1=0.9,
                adam_beta_2=0.999,
                adam_weight_decay=0.004,
                epsilon=1e-7,
                weight_decay=0.004,
                exclude_layers=None,
                exclude_embeddings=True,
                muon_a=3.4445,
                muon_b=-4.7750,
                muon_c=2.0315,
                adam_lr_ratio=1.0,
                momentum=0.95,
                ns_steps=5,
                nesterov=True,
                rms_rate=0.2,
            ),
        ),
    ],
    ids=lambda each: type(each).__name__,
)
def test_defaults_are_those_of_keras(optimizer: Optimizer, defaults: Optimizer) -> None:
    assert repr(optimizer) == repr(defaults)


def test_gradients_are_left_as_they_were() -> None:
    """Where they are not clipped."""
    gradient = np.ones(4)
    for optimizer in small.optimizers():
        optimizer.clipnorm = optimizer.clipvalue = optimizer.global_clipnorm = None
        train(placed(optimizer), PARAMETERS.copy(), iter([gradient]))
        assert_array_equal(gradient, np.ones(4))


class TestIterations:
    def test_start_at_0(self) -> None:
        assert placed(SGD()).iterations == 0

    def test_start_again_when_placed_again(self) -> None:
        optimizer = placed(Adam())
        train(optimizer, PARAMETERS.copy(), gradients())
        again = train(placed(optimizer), PARAMETERS.copy(), gradients())
        assert_array_equal(again, train(placed(Adam()), PARAMETERS.copy(), gradients()))


@pytest.mark.parametrize(
    "make",
    [
        lambda: SGD(CosineDecay(0.1, 5), momentum=0.9, nesterov=True),
        lambda: Adam(CosineDecay(0.1, 5)),
        lambda: AdamW(0.1),
        lambda: RMSprop(CosineDecay(0.1, 5), momentum=0.5),
        lambda: RMSprop(0.1, centered=True),
        lambda: Adagrad(0.1),
        lambda: Lion(CosineDecay(0.1, 5)),
        lambda: Muon(CosineDecay(0.1, 5)),
        lambda: SGD(0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=4),
    ],
    ids=[
        *("SGD", "Adam", "AdamW", "RMSprop", "centred RMSprop", "Adagrad", "Lion", "Muon"),
        "averaged SGD",
    ],
)
class TestState:
    def test_lets_another_go_on_identically(self, make: Callable[[], Optimizer]) -> None:
        through = train(placed(make()), PARAMETERS.copy(), gradients())
        first = placed(make())
        halfway = train(first, PARAMETERS.copy(), islice(gradients(), 2))
        resumed = train(placed(make(), first.state()), halfway, gradients(start=2))
        assert_array_equal(resumed, through)

    def test_changes(self, make: Callable[[], Optimizer]) -> None:
        optimizer = placed(make())
        before = optimizer.state().slots
        train(optimizer, PARAMETERS.copy(), gradients())
        after = optimizer.state().slots
        assert before.keys() == after.keys() == set(optimizer.all_slot_names)
        assert not any(np.array_equal(before[name], after[name]) for name in before)

    def test_is_a_copy(self, make: Callable[[], Optimizer]) -> None:
        optimizer = placed(make())
        state = optimizer.state()
        train(optimizer, PARAMETERS.copy(), gradients())
        assert state.iterations == 0
        first = 0.1 if isinstance(optimizer, Adagrad) else 0.0
        assert all((slot == first).all() for slot in state.slots.values())

    def test_of_another_size_is_refused(self, make: Callable[[], Optimizer]) -> None:
        optimizer = placed(make())
        name = optimizer.slot_names[0]
        slots = optimizer.state().slots | {name: np.zeros(1)}
        with refusal(
            f"the optimizer's {name} has the shape (1,), but the parameters have the shape (4,)"
        ):
            placed(make(), OptimizerState(0, slots))

    @pytest.mark.parametrize(
        "values",
        [
            np.array([0, 0, 0, np.nan]),
            np.array([0, np.inf, 0, 0]),
            np.zeros(4, complex),
            np.zeros(4, bool),
            np.zeros(4, "S1"),
        ],
        ids=["NaN", "infinite", "complex", "bool", "text"],
    )
    def test_of_no_numbers_is_refused(self, make: Callable[[], Optimizer], values: Any) -> None:
        for name in make().all_slot_names:
            slots = placed(make()).state().slots | {name: values}
            with pytest.raises(ValueError, match=f"the optimizer's {name} does not consist of "):
                placed(make(), OptimizerState(0, slots))


def test_a_state_beyond_the_dtype_is_refused() -> None:
    slots = {"velocity": np.full(4, 1e39)}
    with refusal("the optimizer's velocity does not consist of finite numbers"):
        SGD().place(
            get_backend("cpu"), PARAMETERS.astype(np.float32), LAYOUT, OptimizerState(0, slots)
        )


def test_negative_squares_are_refused() -> None:
    slots = {"mean": -np.ones(4), "square": np.array([0, 1, -1e-30, 1])}
    with refusal("the optimizer's square does not consist of finite numbers of at least 0"):
        placed(Adam(), OptimizerState(0, slots))


class TestTheEndOfTheSchedule:
    def test_is_told_once(self) -> None:
        optimizer = placed(SGD(OneCycle(0.1, 1000)))
        optimizer.iterations = 600
        with pytest.warns(GpucnnWarning) as told:
            optimizer.tell_end(1000)
        optimizer.tell_end(1000)  # a second warning would be an error
        assert [str(each.message) for each in told] == [
            "the learning rate's schedule ends after 1,000 steps, and this goes on to step 1,600: "
            "past its end the rate stays at 4e-07"
        ]

    def test_is_told_after_it_too(self) -> None:
        optimizer = placed(SGD(CosineDecay(0.1, 10)))
        optimizer.iterations = 10
        with pytest.warns(GpucnnWarning, match="stays at 0$"):
            optimizer.tell_end(1)

    def test_is_told_again_after_beginning_anew(self) -> None:
        optimizer = SGD(OneCycle(0.1, 10))
        for _ in range(2):
            with pytest.warns(GpucnnWarning, match="goes on to step 11"):
                placed(optimizer).tell_end(11)

    @pytest.mark.parametrize("rate", [0.1, Constant(0.1), OneCycle(0.1, 10)])
    def test_is_not_told_before_it(self, rate: Any) -> None:
        placed(SGD(rate)).tell_end(10)


def test_learning_rate_can_be_set_later() -> None:
    changed, made = small.model(SGD(0.5)), small.model(SGD(0.001))
    changed.optimizer.learning_rate = 0.001
    for model in (changed, made):
        model.fit(small.images(5, model.input_shape), np.arange(5) % 3, verbose=0)
    assert small.weight_bytes(changed) == small.weight_bytes(made)


KINDS = [SGD, Adam, AdamW, RMSprop, Adagrad, Lion, Muon]


@pytest.mark.parametrize("kind", KINDS)
def test_a_learning_rate_of_0_trains_nothing_and_is_saved(kind: type[SGD], tmp_path: Path) -> None:
    model = small.model(kind(0.1))
    before = small.weight_bytes(model)
    model.optimizer.learning_rate = 0.0
    model.fit(small.images(5), small.labels(5), verbose=0)
    assert small.weight_bytes(model) == before
    model.save(tmp_path / "model.safetensors")
    assert Sequential.load(tmp_path / "model.safetensors").optimizer.learning_rate == 0.0


def test_a_schedule_can_be_set_later() -> None:
    model = small.model(SGD(0.1))
    model.optimizer.learning_rate = ExponentialDecay(0.5, 10, 0.5)
    assert model.optimizer.factors(10) == (0.25,)


@dataclass(eq=False)
class Wild(SGD):
    """An optimizer of one's own, which has its own rules."""

    lr: float = -1.0


def test_optimizers_of_ones_own_may_set_anything() -> None:
    made = Wild(0.1)
    made.lr = -2.0
    made.learning_rate = -1.0
    setattr(made, "variables", 3)  # noqa: B010 - which mypy does not know
    assert vars(made).items() >= {"lr": -2.0, "learning_rate": -1.0, "variables": 3}.items()


@pytest.mark.parametrize("kind", KINDS)
class TestWrongArguments:
    @pytest.mark.parametrize("rate", [-1, "0.1", None, float("inf")])
    def test_learning_rate(self, kind: type[SGD], rate: Any) -> None:
        with refusal(f"learning_rate is {rate!r}: it must be a number of at least 0"):
            kind(rate)
        model = small.model(kind(0.1))
        with refusal(f"learning_rate is {rate!r}: it must be a number of at least 0"):
            model.optimizer.learning_rate = rate
        assert model.optimizer.learning_rate == 0.1

    @pytest.mark.parametrize(
        ("name", "value", "allowed"),
        [
            ("weight_decay", -1, "it must be a number of at least 0"),
            ("clipnorm", 0, "it must be a number above 0"),
            ("clipvalue", -1, "it must be a number above 0"),
            ("global_clipnorm", "1", "it must be a number above 0"),
            ("use_ema", None, "it must be True or False"),
            ("ema_momentum", 1, "it must be at least 0 and below 1"),
            ("ema_overwrite_frequency", 0, "it must be a whole number of at least 1"),
        ],
    )
    def test_of_all_optimizers(self, kind: type[Any], name: str, value: Any, allowed: str) -> None:
        with refusal(f"{name} is {value!r}: {allowed}"):
            kind(**{name: value})
        made = kind()
        before = getattr(made, name)
        with refusal(f"{name} is {value!r}: {allowed}"):
            setattr(made, name, value)
        assert getattr(made, name) == before

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("clipnorm", "clipvalue"),
            ("clipnorm", "global_clipnorm"),
            ("clipvalue", "global_clipnorm"),
        ],
    )
    def test_two_ways_to_clip(self, kind: type[Any], one: str, other: str) -> None:
        with refusal(f"{one} and {other} are both given: give one of them"):
            kind(**{one: 1.0, other: 1.0})
        made = kind(**{one: 1.0})
        with refusal(f"{one} and {other} are both given: give one of them"):
            setattr(made, other, 1.0)


@pytest.mark.parametrize(
    ("kind", "name", "value", "allowed"),
    [
        (SGD, "momentum", 1, "it must be at least 0 and below 1"),
        (SGD, "nesterov", 1, "it must be True or False"),
        (Adam, "beta_1", 1, "it must be at least 0 and below 1"),
        (Adam, "beta_2", -0.1, "it must be at least 0 and below 1"),
        (Adam, "epsilon", 0, "it must be a number above 0"),
        (AdamW, "beta_1", 1, "it must be at least 0 and below 1"),
        (AdamW, "weight_decay", None, "it must be a number of at least 0"),
        (RMSprop, "rho", 1, "it must be at least 0 and below 1"),
        (RMSprop, "momentum", -0.1, "it must be at least 0 and below 1"),
        (RMSprop, "epsilon", 0, "it must be a number above 0"),
        (RMSprop, "centered", 1, "it must be True or False"),
        (Adagrad, "initial_accumulator_value", -0.1, "it must be a number of at least 0"),
        (Adagrad, "epsilon", 0, "it must be a number above 0"),
        (Lion, "beta_1", 1, "it must be at least 0 and below 1"),
        (Lion, "beta_2", -0.1, "it must be at least 0 and below 1"),
        (Muon, "adam_beta_1", 1, "it must be at least 0 and below 1"),
        (Muon, "adam_beta_2", -1, "it must be at least 0 and below 1"),
        (Muon, "adam_weight_decay", -1, "it must be a number of at least 0"),
        (Muon, "epsilon", 0, "it must be a number above 0"),
        (Muon, "exclude_layers", "dense", "it must be a list of names of layers, or None"),
        (Muon, "exclude_embeddings", 1, "it must be True or False"),
        (Muon, "muon_b", "1", "it must be a number"),
        (Muon, "adam_lr_ratio", 0, "it must be a number above 0"),
        (Muon, "momentum", 1, "it must be at least 0 and below 1"),
        (Muon, "ns_steps", 0, "it must be a whole number of at least 1"),
        (Muon, "nesterov", None, "it must be True or False"),
        (Muon, "rms_rate", 0, "it must be a number above 0"),
    ],
)
def test_wrong_arguments(kind: type[Optimizer], name: str, value: Any, allowed: str) -> None:
    with refusal(f"{name} is {value!r}: {allowed}"):
        kind(**{name: value})


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ([3], "is 3: it must be a text"),
        (["a", "("], "is '(': it must be a regular expression "),
    ],
)
def test_a_layer_that_no_name_can_be(given: list[Any], wrong: str) -> None:
    with pytest.raises(ValueError, match=f"^a name of exclude_layers {re.escape(wrong)}"):
        Muon(exclude_layers=given)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["loss_scale_factor", "gradient_accumulation_steps"])
def test_an_argument_that_is_not_here_is_an_error(kind: type[Any], name: str) -> None:
    kind(**{name: None}, name="mine")  # which change nothing
    with pytest.raises(TypeError, match=f"^{kind.__name__} has no argument {name}=2: "):
        kind(**{name: 2})

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from expect import refusal
from gpucnn import (
    ELU,
    GELU,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Constant,
    Conv2D,
    CosineDecay,
    Cropping2D,
    CutMix,
    Dense,
    DepthwiseConv2D,
    Dropout,
    ExponentialDecay,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    LeakyReLU,
    Lion,
    MaxPool2D,
    MixUp,
    Muon,
    Normalization,
    OneCycle,
    PiecewiseConstantDecay,
    PolynomialDecay,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
    ReLU,
    Rescaling,
    Reshape,
    RMSprop,
    SeparableConv2D,
    Sigmoid,
    SiLU,
    Softmax,
    SpatialDropout2D,
    Tanh,
    ZeroPadding2D,
)
from gpucnn.errors import InvalidTypeError, NotRegisteredError
from gpucnn.layers import LAYERS, FusedConv2D, Layer
from gpucnn.optimizers import OPTIMIZERS, SCHEDULES, Schedule
from gpucnn.regularizers import L2
from gpucnn.utils import register
from gpucnn.utils.objects import config
from gpucnn.utils.objects.config import (
    Configurable,
    configurable,
    from_config,
    registered,
    to_config,
)
from own import Halving, Signs, Softplus, doubt

CLASSES: tuple[type, ...] = (*LAYERS, L2, *OPTIMIZERS, *SCHEDULES)

THINGS = [
    Conv2D(8, 3),
    Conv2D(8, (3, 5), (2, 1), "same"),
    Conv2D(8, 3, dilation_rate=(2, 1), groups=2),
    DepthwiseConv2D(3, 2, "same", 4, activation=ELU(0.5)),
    SeparableConv2D(8, 3, padding="same", dilation_rate=2, depth_multiplier=4, activation="relu"),
    MaxPool2D(),
    MaxPool2D((3, 2), 1, "same"),
    AveragePooling2D((3, 2), 1, "same"),
    GlobalMaxPooling2D(),
    GlobalAveragePooling2D(),
    ReLU(),
    LeakyReLU(0.2),
    ELU(0.5),
    GELU(),
    SiLU(),
    Tanh(),
    Sigmoid(),
    Flatten(),
    Softmax(name="probabilities"),
    Reshape((-1, 2)),
    ZeroPadding2D(((1, 2), (0, 3))),
    Cropping2D((1, 2)),
    Rescaling(1 / 255, [0.1, 0.2]),
    Normalization(None),
    Normalization(mean=(0.5, 1), variance=[2.0, 3.0]),
    RandomFlip("horizontal"),
    RandomTranslation(0.1, (-0.1, 0.3), "constant", fill_value=-0.5),
    RandomBrightness(0.1, (0, 1)),
    RandomContrast((0.1, 0.2)),
    RandomCrop(3, 4),
    Add(),
    Concatenate(axis=1),
    RandomErasing(0.5, fill_value=(1, 2)),
    RandomErasing((0.1, 0.5), 0.3, value_range=(0, 1)),
    MixUp(0.4),
    CutMix((0.1, 0.5)),
    RandomRotation((-0.1, 0.2), "wrap"),
    RandomZoom(0.1, interpolation="nearest"),
    RandomShear(0.1, (0.0, 0.2)),
    SpatialDropout2D(0.5),
    Dense(10),
    Dense(10, LeakyReLU(0.2), use_bias=False),
    Dense(10, kernel_regularizer=L2(0.1)),
    L2(0.5),
    Dropout(0.5),
    BatchNormalization(3, 0.9, 0.01, center=False, scale=False),
    SGD(0.1, 0.9, True, 0.01),
    Adam(0.1, 0.8, 0.9, 1e-3),
    AdamW(CosineDecay(0.1, 100), weight_decay=0.5),
    RMSprop(0.1, 0.8, 0.5, 1e-3, centered=True),
    Adagrad(0.1, 0.2, 1e-3),
    Lion(0.1, 0.8, 0.9, 0.1, clipnorm=1.0),
    Muon(0.1, exclude_layers=["dense_1"], use_ema=True, ema_overwrite_frequency=10),
    SGD(OneCycle(0.1, 100)),
    Constant(0.1),
    CosineDecay(0.0, 100, 0.1, warmup_target=0.2, warmup_steps=10),
    ExponentialDecay(0.1, 100, 0.5, staircase=True),
    PiecewiseConstantDecay([3, 7], [0.3, 0.2, 0.1]),
    PolynomialDecay(0.1, 100, 0.01, 2.0, cycle=True),
]


def test_configurable_are_dataclasses_of_a_base_alone() -> None:
    things = [Dense, Layer, FusedConv2D, Adam, "a docstring", list[int], ReLU]
    names = {f"name_{number}": thing for number, thing in enumerate(things)}
    assert configurable(names, Layer) == (Dense, ReLU)


def test_a_layer_of_a_user_is_not_among_the_layers() -> None:
    @dataclass(eq=False)
    class Mine(ReLU):
        pass

    assert Mine not in LAYERS


@pytest.mark.parametrize("thing", THINGS, ids=repr)
def test_a_thing_comes_back_through_json(thing: Any) -> None:
    again = from_config(json.loads(json.dumps(to_config(thing, CLASSES))), CLASSES)
    assert type(again) is type(thing)
    assert to_config(again, CLASSES) == to_config(thing, CLASSES)


def test_every_class_comes_back() -> None:
    assert {type(each) for each in THINGS} | {OneCycle} == set(CLASSES)


def test_a_description_is_the_class_and_its_arguments() -> None:
    assert to_config(Conv2D(8, (3, 5), padding="same"), CLASSES) == {
        "class": "Conv2D",
        "filters": 8,
        "kernel_size": [3, 5],
        "strides": 1,
        "padding": "same",
        "dilation_rate": 1,
        "groups": 1,
        "activation": None,
        "use_bias": True,
        "kernel_initializer": "glorot_uniform",
        "kernel_regularizer": None,
    }


def test_a_description_from_before_an_argument_was_there_gets_its_default() -> None:
    description = {"class": "Conv2D", "filters": 8, "kernel_size": 3, "strides": 1}
    assert to_config(from_config(description, CLASSES), CLASSES) == to_config(Conv2D(8, 3), CLASSES)
    description = {"class": "SGD", "learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.0}
    optimizer = SGD(0.1, 0.9, weight_decay=0.0)
    assert to_config(from_config(description, CLASSES), CLASSES) == to_config(optimizer, CLASSES)


def test_what_is_no_argument_is_not_described() -> None:
    @dataclass
    class Square(Configurable):
        side: int
        area: int = field(init=False)

        def __post_init__(self) -> None:
            self.area = self.side**2

    assert to_config(Square(3), [Square]) == {"class": "Square", "side": 3}


def test_a_class_that_could_not_be_found_again_is_refused() -> None:
    class Warmup(Constant):
        pass

    for thing in (Warmup(0.1), SGD(Warmup(0.1))):
        line = r"Warmup\(.*\) cannot be saved: put @gpucnn.utils.register before class Warmup$"
        with pytest.raises(TypeError, match=line):
            to_config(thing, CLASSES)
    line = r"^Adam\(.*\) cannot be saved: its class is not one of Dense, ReLU$"
    with pytest.raises(TypeError, match=line):
        to_config(Adam(), [Dense, ReLU])


def test_a_schedule_is_described_within_its_optimizer() -> None:
    assert to_config(SGD(CosineDecay(0.1, 100)), CLASSES)["learning_rate"] == {
        "class": "CosineDecay",
        "initial_learning_rate": 0.1,
        "decay_steps": 100,
        "alpha": 0.0,
        "warmup_target": None,
        "warmup_steps": 0,
    }


@pytest.mark.parametrize(
    "schedule", [CosineDecay(0.1, 100), PiecewiseConstantDecay([3, 7], [0.3, 0.2, 0.1])]
)
def test_a_schedule_comes_back_within_its_optimizer(schedule: Schedule) -> None:
    again = from_config(to_config(SGD(schedule), CLASSES), CLASSES)
    assert again.learning_rate == schedule


@pytest.mark.parametrize(
    ("kind", "given", "plain"),
    [
        (Dense, np.int64(10), 10),
        (MaxPool2D, (np.int32(3), np.uint8(5)), (3, 5)),
        (MaxPool2D, [np.int32(3), 5], [3, 5]),
        (Dropout, np.float32(0.5), 0.5),
    ],
)
def test_numbers_of_numpy_become_plain_ones(kind: type, given: Any, plain: Any) -> None:
    configs = [json.dumps(to_config(kind(each), CLASSES)) for each in (given, plain)]
    assert configs[0] == configs[1]


@pytest.mark.parametrize(
    "config", [{"class": "Sigmoid"}, {"class": ["a"]}, {}, {"units": 3}, "Dense", None, 3]
)
def test_another_class_is_refused(config: Any) -> None:
    with refusal(f"{config!r} does not describe one of Dense, ReLU"):
        from_config(config, (Dense, ReLU))


@pytest.mark.parametrize(
    "config",
    [{"class": "\x1b" * 200_000}, {"class": "Dense", "a" * 1000: 3}, {"class": ["\x1b"] * 10_000}],
)
def test_a_refusal_is_short_and_without_escapes(config: Any) -> None:
    with pytest.raises(ValueError, match=r"does not describe|is neither in") as refused:
        from_config(config, (Dense, ReLU))
    assert len(str(refused.value)) < 500
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("arguments", [{}, {"units": 3, "bias": True}, {"inputs": 3}])
def test_other_arguments_than_the_class_has_are_refused(arguments: dict[str, Any]) -> None:
    config = {"class": "Dense"} | arguments
    with refusal(f"{config!r} does not describe a Dense"):
        from_config(config, CLASSES)


def test_wrong_arguments_are_refused_as_by_the_class() -> None:
    with refusal("units is 0: it must be a whole number of at least 1"):
        from_config({"class": "Dense", "units": 0}, CLASSES)


# Of the user's own


@pytest.fixture
def nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "REGISTERED", {})


class Sloped(Tanh):
    """A class whose arguments are none of a dataclass."""

    def __init__(self, slope: float) -> None:
        self.slope = slope


class Told(Sloped):
    """The same, which tells them as Keras's classes do."""

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "slope": self.slope}


class Applying(ReLU):
    def __init__(self, parts: Any) -> None:
        self.parts = parts

    def get_config(self) -> dict[str, Any]:
        return {"parts": self.parts}


@pytest.mark.usefixtures("nothing_registered")
class TestRegister:
    def test_gives_back_what_it_is_given(self) -> None:
        assert register(Softplus) is Softplus
        assert register(doubt) is doubt

    def test_makes_classes_known_by_their_kinds(self) -> None:
        for each in (Softplus, Halving, Signs, doubt):
            register(each)
        assert registered(Layer) == (Softplus,)
        assert registered(Schedule, Signs) == (Halving, Signs)

    def test_things_come_back(self) -> None:
        for each in (Softplus, Halving, Signs, Told):
            register(each)
        classes = (*CLASSES, *registered(Configurable))
        for thing in (Softplus(3.0), Signs(Halving(0.1, 2)), Told(0.5), Dense(3, Softplus())):
            described = json.loads(json.dumps(to_config(thing, classes)))
            again = from_config(described, classes)
            assert type(again) is type(thing)
            assert to_config(again, classes) == described
        assert from_config({"class": "Told", "slope": 0.25}, classes).slope == 0.25

    def test_things_and_functions_in_lists_come_back(self) -> None:
        for each in (Applying, doubt):
            register(each)
        classes = (*CLASSES, Applying)
        thing = Applying([1, [ReLU(), doubt], None])
        again = from_config(json.loads(json.dumps(to_config(thing, classes))), classes)
        one, (relu, function), nothing = again.parts
        assert (one, type(relu), function, nothing) == (1, ReLU, doubt, None)

    def test_a_class_defined_anew_takes_the_place_of_the_former(self) -> None:
        def define() -> type[Any]:
            @register
            @dataclass(eq=False, repr=False)
            class Mine(ReLU):
                pass

            return Mine

        former, new = define(), define()
        assert registered(Layer) == (new,)
        assert type(from_config(to_config(former(), (new,)), (new,))) is new

    def test_another_of_the_same_name_is_refused(self) -> None:
        register(doubt)
        other = type("doubt", (ReLU,), {})
        line = "doubt is registered already, from own: give one of the two another name"
        with refusal(line):
            register(other)

    @pytest.mark.parametrize("name", ["Dense", "OneCycle", "Accuracy", "FusedConv2D"])
    def test_a_name_of_the_library_is_refused(self, name: str) -> None:
        with refusal(f"{name} is a class of gpucnn: give yours another name"):
            register(type(name, (ReLU,), {}))

    @pytest.mark.parametrize("thing", [3, "Dense", Softplus(), int, lambda: 0, max], ids=range(6))
    def test_what_is_of_no_kind_is_refused(self, thing: Any) -> None:
        with refusal(
            f"register is given {thing!r}: give a class of a layer, a loss, an optimizer, a "
            "schedule or a metric, or a function with a name",
            InvalidTypeError,
        ):
            register(thing)

    def test_a_class_that_does_not_tell_its_arguments_is_refused(self) -> None:
        thing = Sloped(0.5)
        with refusal(
            f"{thing!r} cannot be saved: make Sloped a dataclass, whose fields are its arguments, "
            "or define get_config, which returns them by name",
            InvalidTypeError,
        ):
            to_config(thing, [Sloped])

    @pytest.mark.parametrize("value", [{"a": 1}, np.zeros(2), len, object], ids=repr)
    def test_an_argument_that_is_no_plain_value_is_refused(self, value: Any) -> None:
        with refusal(
            f"{value!r} cannot be saved: a saved model holds numbers, texts, lists of them, and "
            "objects and functions that are registered",
            InvalidTypeError,
        ):
            to_config(Applying(value), [Applying])

    def test_a_function_that_is_not_registered_is_refused(self) -> None:
        line = "the function doubt cannot be saved: put @gpucnn.utils.register before its def"
        with refusal(line, InvalidTypeError):
            to_config(Applying(doubt), [Applying])

    @pytest.mark.parametrize(
        ("described", "name"),
        [
            ({"class": "Softplus"}, "Softplus"),
            ({"class": "Dense", "units": 3, "activation": {"class": "Softplus"}}, "Softplus"),
            ({"class": "Dense", "units": {"function": "doubt"}}, "doubt"),
            ({"class": "Dense", "units": {"function": [3]}}, "[3]"),
        ],
    )
    def test_what_a_file_names_has_to_be_registered(self, described: Any, name: str) -> None:
        with refusal(
            f"{name} is neither in gpucnn nor registered: import the file that defines it, with "
            "@gpucnn.utils.register before its class or def",
            NotRegisteredError,
        ):
            from_config(described, CLASSES)

    def test_a_class_of_another_kind_is_refused(self) -> None:
        register(Signs)
        with pytest.raises(ValueError, match="does not describe one of Dense"):
            from_config({"class": "Signs"}, [Dense])

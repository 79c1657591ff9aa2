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
    AveragePooling2D,
    BatchNormalization,
    Constant,
    Conv2D,
    CosineDecay,
    Cropping2D,
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
    Muon,
    Normalization,
    OneCycle,
    PiecewiseConstantDecay,
    PolynomialDecay,
    RandomFlip,
    RandomTranslation,
    ReLU,
    Rescaling,
    Reshape,
    RMSprop,
    SeparableConv2D,
    Sigmoid,
    SiLU,
    SpatialDropout2D,
    Tanh,
    ZeroPadding2D,
)
from gpucnn.layers import LAYERS, FusedConv2D, Layer
from gpucnn.optimizers import OPTIMIZERS, SCHEDULES, Schedule
from gpucnn.regularizers import L2
from gpucnn.utils.config import configurable, from_config, to_config

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
    Reshape((-1, 2)),
    ZeroPadding2D(((1, 2), (0, 3))),
    Cropping2D((1, 2)),
    Rescaling(1 / 255, [0.1, 0.2]),
    Normalization(None),
    Normalization(mean=(0.5, 1), variance=[2.0, 3.0]),
    RandomFlip("horizontal"),
    RandomTranslation(0.1, (-0.1, 0.3), "constant", fill_value=-0.5),
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
    things = [Dense, Layer, FusedConv2D, Adam, "a docstring", ReLU]
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


def test_what_is_no_argument_is_not_described() -> None:
    @dataclass
    class Square:
        side: int
        area: int = field(init=False)

        def __post_init__(self) -> None:
            self.area = self.side**2

    assert to_config(Square(3), [Square]) == {"class": "Square", "side": 3}


def test_a_class_that_could_not_be_found_again_is_refused() -> None:
    class Warmup(Constant):
        pass

    for thing in (Warmup(0.1), SGD(Warmup(0.1))):
        with pytest.raises(TypeError, match=r"^\S*Warmup\(.*\) cannot be saved: its class is not"):
            to_config(thing, CLASSES)


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


@pytest.mark.parametrize("config", [{"class": "Sigmoid"}, {}, {"units": 3}, "Dense", None, 3])
def test_an_unknown_class_is_refused(config: Any) -> None:
    with refusal(f"{config!r} does not describe one of Dense, ReLU"):
        from_config(config, (Dense, ReLU))


@pytest.mark.parametrize("config", [{"class": "\x1b" * 200_000}, {"class": "Dense", "a" * 1000: 3}])
def test_a_refusal_is_short_and_without_escapes(config: Any) -> None:
    with pytest.raises(ValueError, match="does not describe") as refused:
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

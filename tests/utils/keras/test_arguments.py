"""Arguments of Keras's that are not there."""

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
import pytest

import gpucnn
import small
from expect import refusal
from gpucnn import (
    SGD,
    Activation,
    Adam,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPool2D,
    ReLU,
    Sequential,
    Softmax,
    Tanh,
    callbacks,
    losses,
)
from gpucnn.callbacks import EarlyStopping, LambdaCallback, ModelCheckpoint, TensorBoard
from gpucnn.errors import InvalidTypeError
from gpucnn.layers import LAYERS, Layer
from gpucnn.losses import CategoricalCrossentropy, MeanSquaredError
from gpucnn.metrics import ConfusionMatrix, Precision
from gpucnn.utils.keras.arguments import ABSENT, NEXT, TABLE, keras_arguments

TAKEN: list[tuple[Callable[..., Any], dict[str, Any]]] = [
    (Conv2D, {"filters": 3, "kernel_size": 3, "data_format": "channels_last", "trainable": True}),
    (Conv2D, {"filters": 3, "kernel_size": 3, "bias_initializer": "zeros", "dtype": None}),
    (Dense, {"units": 3, "kernel_constraint": None, "bias_regularizer": None}),
    (MaxPool2D, {"data_format": None}),
    (GlobalAveragePooling2D, {"keepdims": False}),
    (BatchNormalization, {"synchronized": True, "gamma_initializer": "ones"}),
    (ReLU, {"max_value": None, "negative_slope": 0.0, "threshold": 0}),
    (Dropout, {"rate": 0.5, "seed": None, "noise_shape": None}),
    (Input, {"shape": (28, 28, 1), "name": "images", "batch_size": None, "dtype": "float32"}),
    (Softmax, {"axis": -1, "name": "probabilities"}),
    (Activation, {"activation": "relu", "dtype": None}),
    (CategoricalCrossentropy, {"reduction": "sum_over_batch_size", "name": "loss", "axis": -1}),
    (Precision, {"thresholds": None, "dtype": None}),
    (Adam, {"amsgrad": False, "jit_compile": False, "name": "adam"}),
    (ModelCheckpoint, {"filepath": "a", "save_weights_only": True, "save_freq": "epoch"}),
    (LambdaCallback, {"on_train_batch_end": None}),
]

REFUSED: list[tuple[Callable[..., Any], dict[str, Any], str]] = [
    (
        Conv2D,
        {"filters": 3, "kernel_size": 3, "data_format": "channels_first"},
        "Conv2D has no argument data_format='channels_first': the channels are the last axis of "
        "images",
    ),
    (
        Dense,
        {"units": 3, "kernel_constraint": "max_norm"},
        "Dense has no argument kernel_constraint='max_norm': weights are not constrained; leave it "
        "out",
    ),
    (
        Dense,
        {"units": 3, "trainable": False},
        "Dense has no argument trainable=False: all weights are trained; leave it out",
    ),
    (
        Dropout,
        {"rate": 0.5, "seed": 1},
        "Dropout has no argument seed=1: a model has one, as in Sequential(layers, seed=...)",
    ),
    (ReLU, {"negative_slope": 0.1}, "ReLU has no argument negative_slope=0.1: use LeakyReLU"),
    (
        ReLU,
        {"threshold": np.arange(3)},
        "ReLU has no argument threshold=array([0, 1, 2]): write a layer of your own, a subclass of "
        "gpucnn.layers.Layer",
    ),
    (SGD, {"lr": 0.1}, "SGD has no argument lr=0.1: it is called learning_rate"),
    (
        MeanSquaredError,
        {"reduction": "sum"},
        "MeanSquaredError has no argument reduction='sum': the loss of a batch is its mean",
    ),
    (
        EarlyStopping,
        {"save_freq": 100},
        "EarlyStopping has no argument save_freq=100: nothing is told of single steps, which do "
        "not wait for Python; use epochs",
    ),
    (
        TensorBoard,
        {"histogram_freq": 1},
        "TensorBoard has no argument histogram_freq=1: only metrics are written",
    ),
    (
        Activation,
        {"activation": "relu", "trainable": False},
        "Activation has no argument trainable=False: all weights are trained; leave it out",
    ),
    (
        Input,
        {"shape": (28, 28, 1), "batch_size": 32},
        "Input has no argument batch_size=32: a model takes batches of any size; give the shape of "
        "one image",
    ),
    (
        Dense,
        {"units": 3, "use_bais": True},
        "Dense has no argument use_bais: it takes units, activation, use_bias, kernel_initializer, "
        "kernel_regularizer, input_shape, dtype, name",
    ),
    (Softmax, {"temperature": 2}, "Softmax has no argument temperature: it takes dtype, name"),
    (
        ReLU,
        {"threshold": 0.5},
        "ReLU has no argument threshold=0.5: write a layer of your own, a subclass of "
        "gpucnn.layers.Layer",
    ),
    (
        Precision,
        {"threshold": 0.5},
        "Precision has no argument threshold: it takes average, thresholds, name",
    ),
    (
        ConfusionMatrix,
        {"negative_slope": 0},
        "ConfusionMatrix has no argument negative_slope: it takes name, threshold",
    ),
]


@pytest.mark.parametrize(("make", "arguments"), TAKEN)
def test_values_that_change_nothing_are_taken(
    make: Callable[..., Any], arguments: dict[str, Any]
) -> None:
    make(**arguments)


@pytest.mark.parametrize(("make", "arguments", "line"), REFUSED)
def test_others_are_refused(make: Callable[..., Any], arguments: dict[str, Any], line: str) -> None:
    with refusal(line, InvalidTypeError):
        make(**arguments)


def test_the_name_of_an_activation_is_that_of_its_layer() -> None:
    layer = Activation("relu", name="after")
    assert isinstance(layer, ReLU)
    assert layer.name == "after"


@dataclass(eq=False, repr=False)
class Scaled(Tanh):
    """A layer of one's own, which has an argument that is none of the others'."""

    seed_of_mine: int = 0
    noise_shape: Any = None


class Taking(ReLU):
    def __init__(self, **options: Any) -> None:
        self.options = options


def test_ones_own_layers_have_the_arguments_that_they_have() -> None:
    assert Scaled(3, (1, 2), name="a", trainable=True).noise_shape == (1, 2)  # type: ignore[call-arg]
    with refusal(
        "Scaled has no argument foo: it takes seed_of_mine, noise_shape, dtype, name",
        InvalidTypeError,
    ):
        Scaled(foo=1)  # type: ignore[call-arg]
    assert Taking(trainable=False, foo=1).options == {"trainable": False, "foo": 1}


def test_missing_arguments_are_told_as_by_python() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'units'"):
        Dense()  # type: ignore[call-arg]


def test_functions() -> None:
    @keras_arguments
    def double(value: int, *, times: int = 2) -> int:
        """Multiply."""
        return value * times

    called: Any = double
    assert called(3, workers=1) == 6
    assert (double.__name__, double.__doc__) == ("double", "Multiply.")
    assert list(signature(double).parameters) == ["value", "times"]
    with refusal(
        "double has no argument workers=2: batches are asked for one after the other; leave it out",
        InvalidTypeError,
    ):
        called(3, workers=2)


def test_the_argument_that_follows_in_keras_is_told_by_name() -> None:
    adam: Any = Adam
    assert adam(0.1, 0.5, 0.6, 1e-3, False).epsilon == 1e-3
    with refusal("Adam has no argument amsgrad=True: leave it out", InvalidTypeError):
        adam(0.1, 0.5, 0.6, 1e-3, True)
    with refusal(
        "Adam takes learning_rate, beta_1, beta_2, epsilon by position, but is given 2 more: give "
        "what it has by name",
        InvalidTypeError,
    ):
        adam(0.1, 0.5, 0.6, 1e-3, False, 0.1)


@pytest.mark.parametrize("what", [*NEXT])
def test_what_follows_is_not_there(what: str) -> None:
    """What is called is a class, or a method of a model; the argument is in the table."""
    modules = gpucnn, callbacks, losses, Sequential
    (found,) = {getattr(each, what) for each in modules if hasattr(each, what)}
    assert NEXT[what] not in signature(found).parameters
    assert not {NEXT[what], f"{what}.{NEXT[what]}"}.isdisjoint(ABSENT)


def test_more_arguments_by_position_than_there_are() -> None:
    dense: Any = Dense
    with refusal(
        "Dense takes units, activation, use_bias, kernel_initializer, kernel_regularizer, "
        "input_shape by position, but is given 2 more: give what it has by name",
        InvalidTypeError,
    ):
        dense(3, None, True, "zeros", None, None, None, None)
    predict: Any = small.model().predict_on_batch
    with refusal(
        "predict_on_batch takes x by position, but is given 1 more: give what it has by name",
        InvalidTypeError,
    ):
        predict(small.images(3), 3)


@pytest.mark.parametrize("kind", [*LAYERS, Layer])
def test_help_shows_the_arguments_of_a_class(kind: Any) -> None:
    names = list(signature(kind).parameters)
    assert names[-1] == "name"
    assert "self" not in names


def test_each_is_in_the_table_once_with_an_advice() -> None:
    assert len(ABSENT) == sum(len(names.split()) for names in TABLE)
    for absent in ABSENT.values():
        assert absent.advice == absent.advice.strip()
        assert len(absent.advice.splitlines()) == 1


def test_layers_are_copied_without_their_arguments() -> None:
    for layer in (Dense(3, name="a"), Flatten()):
        for other in (copy.copy(layer), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            assert repr(other) == repr(layer)

"""Weights of single layers, and files of weights; what a model tells of itself, as in Keras."""

import copy
import gc
import pickle
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

import small
from expect import refusal
from gpucnn import (
    SGD,
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    Input,
    ReLU,
    SeparableConv2D,
    Sequential,
    Softmax,
)
from gpucnn.callbacks import LambdaCallback
from gpucnn.errors import InvalidFileError, ModelInUseError, TrainingError
from gpucnn.layers import Layer
from gpucnn.metrics import F1Score
from gpucnn.models import load_model

X, Y = small.images(20), small.labels(20)
PLACE = "make one whose images have a known shape, keep it, and ask then"


def model(**options: Any) -> Sequential:
    """A model with layers of several arrays, with state, and without either."""
    layers = [
        SeparableConv2D(4, 3, activation="relu"),
        BatchNormalization(),
        Flatten(),
        Dense(small.CLASSES, name="head"),
    ]
    return Sequential(layers, small.SHAPE, **options)


def trained(**options: Any) -> Sequential:
    made = model(**options)
    made.fit(X, Y, batch_size=5, verbose=0)
    return made


def assert_same(some: Sequence[NDArray[Any]], others: Sequence[NDArray[Any]]) -> None:
    for one, other in zip(some, others, strict=True):
        assert_array_equal(one, other)


class TestOfALayer:
    def test_are_those_of_the_model_in_order(self) -> None:
        made = trained()
        counts = [len(layer.get_weights()) for layer in made.layers]
        assert counts == [3, 4, 0, 2]
        assert_same(
            [each for layer in made.layers for each in layer.get_weights()], (made.get_weights())
        )

    def test_are_copies(self) -> None:
        made = trained()
        before = made.get_weights()
        made.layers[0].get_weights()[0][:] = 0
        assert_same(made.get_weights(), before)

    @pytest.mark.parametrize("number", range(4))
    def test_are_set_as_those_of_the_model(self, number: int) -> None:
        made, other = trained(threads=2), trained(threads=2)
        before = made.predict(X)  # with folded layers, which keep weights of their own
        layer = made.layers[number]
        layer.set_weights([each / 2 for each in layer.get_weights()])
        halves = [
            [each / (1 + (n == number)) for each in of.get_weights()]
            for n, of in (enumerate(other.layers))
        ]
        other.set_weights([each for of in halves for each in of])
        assert np.array_equal(made.predict(X), before) == (number == 2)
        assert_array_equal(made.predict(X), other.predict(X))
        for each in (made, other):
            each.fit(X, Y, batch_size=5, verbose=0)
        assert_same(made.get_weights(), other.get_weights())

    @pytest.mark.parametrize(
        "change",
        [copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made)), lambda made: made.to("cpu")],
    )
    def test_are_of_a_copy_of_the_model_by_itself(self, change: Callable[[Any], Any]) -> None:
        made = trained()
        other = change(made)
        other.layers[3].set_weights([np.zeros((64, 3)), np.ones(3)])
        assert_array_equal(other.get_weights()[-1], np.ones(3))
        assert (made.get_weights()[-1] == 1).all() == (other is made)

    def test_that_do_not_fit_are_refused_and_change_nothing(self) -> None:
        made = trained()
        before = made.get_weights()
        kernel, bias = made.layers[3].get_weights()
        with refusal("1 arrays of weights were given, but head has 2: head.kernel, head.bias"):
            made.layers[3].set_weights([kernel])
        with refusal("1 arrays of weights were given, but flatten has 0: give none"):
            made.layers[2].set_weights([kernel])
        with refusal(
            "the weights given for head.bias have the shape (2,), but it has the shape (3,)"
        ):
            made.layers[3].set_weights([kernel * 2, bias[:2]])
        assert_same(made.get_weights(), before)

    def test_of_no_model_are_refused(self) -> None:
        layer = Dense(3)
        for ask in (layer.get_weights, layer.count_params, lambda: layer.set_weights([])):
            with refusal(f"Dense(units=3) is not in a model that is built: {PLACE}"):
                ask()

    def test_are_asked_of_a_model_that_is_built_then(self) -> None:
        layer = Dense(3)
        made = Sequential([Input(small.SHAPE), Flatten(), layer])
        assert len(made.get_weights()) == len(layer.get_weights()) == 2

    def test_keep_no_model_alive(self) -> None:
        made = model()
        gone, layer = weakref.ref(made), made.layers[3]
        gc.disable()
        del made
        gc.enable()
        assert gone() is None
        with refusal(f"Dense(units=3, name='head') is not in a model that is built: {PLACE}"):
            layer.get_weights()

    def test_can_be_set_between_epochs(self) -> None:
        made = model()

        def reset(epoch: int, logs: Any) -> None:
            made.layers[3].set_weights([np.zeros((64, 3)), np.ones(3)])

        made.compile(SGD(0.0))
        made.fit(X, Y, epochs=2, verbose=0, callbacks=[LambdaCallback(on_epoch_end=reset)])
        assert_array_equal(made.layers[3].get_weights()[1], np.ones(3))

    def test_cannot_be_set_while_another_thread_trains(self) -> None:
        made = model()
        failed: list[Any] = []

        def set_all() -> None:
            with pytest.raises(ModelInUseError, match="trained by another thread"):
                made.layers[3].set_weights(made.layers[3].get_weights())
            failed.append(True)

        def meanwhile(epoch: int, logs: Any) -> None:
            thread = Thread(target=set_all)
            thread.start()
            thread.join(60)

        made.fit(X, Y, verbose=0, callbacks=[LambdaCallback(on_epoch_end=meanwhile)])
        assert failed

    def test_of_a_model_before_softmax_are_set_by_that(self) -> None:
        made = trained()
        shown = Sequential([made, Softmax()])
        assert shown.layers[3].get_weights()[0].shape == (64, 3)
        shown.layers[3].set_weights([np.zeros((64, 3)), np.zeros(3)])
        assert_array_equal(shown.predict(X), np.full((20, 3), np.float32(1) / 3))


class TestFiles:
    def test_have_the_weights_and_what_they_were_trained_on(self, tmp_path: Path) -> None:
        made, other = trained(), model(seed=3)
        made.save_weights(tmp_path / "a.safetensors")
        other.load_weights(tmp_path / "a.safetensors")
        assert_same(other.get_weights(), made.get_weights())
        assert other.pixels == made.pixels
        assert_array_equal(other.predict(X / 255), made.predict(X / 255))

    def test_of_a_whole_model_are_taken(self, tmp_path: Path) -> None:
        made, other = trained(), model(seed=3)
        made.save(tmp_path / "a.safetensors")
        other.load_weights(tmp_path / "a.safetensors")
        assert_same(other.get_weights(), made.get_weights())
        assert other.optimizer.iterations == other.epochs_trained == 0

    def test_replace_each_other_as_a_whole(self, tmp_path: Path) -> None:
        made, path = trained(), tmp_path / "a.safetensors"
        made.save_weights(path)
        before = path.read_bytes()
        made.parameters[:] = np.nan
        with pytest.raises(TrainingError):
            made.save_weights(path)
        assert path.read_bytes() == before
        assert [each.name for each in tmp_path.iterdir()] == ["a.safetensors"]

    def test_of_other_layers_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "a.safetensors"
        small.model().save_weights(path)
        made = trained()
        before = made.get_weights()
        with refusal(
            f"{path} has the weights conv2d.bias, conv2d.kernel, dense.bias, dense.kernel, but the "
            f"model has {', '.join(made.weight_names)}: give a file of a model with the same "
            "layers and names",
            InvalidFileError,
        ):
            made.load_weights(path)
        assert_same(made.get_weights(), before)

    def test_of_other_shapes_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "a.safetensors"
        Sequential([Flatten(), Dense(4)], small.SHAPE).save_weights(path)
        with refusal(
            f"{path} is not of this model: the weights given for dense.kernel have the shape "
            "(36, 4), but it has the shape (36, 3)",
            InvalidFileError,
        ):
            Sequential([Flatten(), Dense(3)], small.SHAPE).load_weights(path)

    def test_of_weights_are_no_models(self, tmp_path: Path) -> None:
        path = tmp_path / "a.safetensors"
        model().save_weights(path)
        with refusal(
            f"{path} has weights alone: make the model of its layers, and give it to load_weights",
            InvalidFileError,
        ):
            load_model(path)


class TestWhatAModelTells:
    def test_its_layers_by_name_and_index(self) -> None:
        made = model()
        assert made.get_layer("head") is made.get_layer(index=3) is made.layers[-1]
        assert made.get_layer(index=-1) is made.layers[-1]
        assert made.get_layer(index=np.int64(1)) is made.layers[1]  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("options", "line"),
        [
            (
                {"name": "tail"},
                "there is no layer tail: choose one of separableconv2d, batchnormalization, "
                "flatten, head",
            ),
            (
                {"index": 4},
                "index is 4: it must be a whole number below 4, the number of layers",
            ),
            (
                {"index": "a"},
                "index is 'a': it must be a whole number below 4, the number of layers",
            ),
            ({}, "give get_layer either a name or an index"),
            ({"name": "head", "index": 3}, "give get_layer either a name or an index"),
        ],
    )
    def test_no_others(self, options: dict[str, Any], line: str) -> None:
        with refusal(line):
            model().get_layer(**options)

    def test_its_numbers_of_parameters(self, capsys: pytest.CaptureFixture[str]) -> None:
        made = model()
        counts = [layer.count_params() for layer in made.layers]
        assert counts == [9 + 4 + 4, 4 * 4, 0, 64 * 3 + 3]
        assert made.count_params() == sum(counts) == sum(each.size for each in made.get_weights())
        made.summary()
        assert f" {made.count_params():,} " in capsys.readouterr().out

    def test_its_output(self) -> None:
        assert Sequential([Input(small.SHAPE), Flatten(), Dense(7)]).output_shape == (7,)

    @pytest.mark.parametrize(
        ("options", "names"),
        [
            ({}, ["loss", "accuracy"]),
            ({"metrics": [F1Score("macro")]}, ["loss", "accuracy", "f1_score"]),
            ({"loss": "mse", "metrics": ["mae"]}, ["loss", "mae"]),
        ],
    )
    def test_the_names_of_what_is_measured(self, options: dict[str, Any], names: list[str]) -> None:
        made = small.model()
        made.compile(**options)
        y = np.eye(3)[Y] if "loss" in options else Y
        assert made.metrics_names == names == [*made.evaluate(X, y, return_dict=True)]

    def test_its_last_training(self) -> None:
        made = small.model()
        assert made.history is None
        for _ in range(2):
            found = made.fit(X, Y, verbose=0)
            assert made.history is found

    def test_layers_are_taken_away_until_it_is_built(self) -> None:
        last = Dense(7)
        made = Sequential([Input(small.SHAPE), Flatten(), Dense(3), last])
        assert made.pop() is last
        assert made.classes == 3
        with refusal(
            "the model is built: take layers away before it is first used, or make another model, "
            "and set_weights of its layers"
        ):
            made.pop()
        with refusal("the model has no layers: add one first"):
            Sequential().pop()


@pytest.mark.parametrize("layer", [Conv2D(3, 3, activation="relu"), ReLU(name="a")])
def test_a_configuration_makes_the_same(layer: Layer) -> None:
    assert repr(type(layer).from_config(layer.get_config())) == repr(layer)

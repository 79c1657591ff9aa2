"""A Sequential of a model and Softmax(), which gives the probabilities of the model's logits."""

import pickle
from collections.abc import Callable
from copy import copy, deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import branches
import small
from expect import refusal
from gpucnn import Adam, Dense, Flatten, Input, Sequential, Softmax
from gpucnn.errors import InvalidTypeError
from gpucnn.losses import SparseCategoricalCrossentropy

X, Y = small.images(20), small.labels(20)

devices = pytest.mark.parametrize("device", ["cpu", "simulator"])


def model(device: str = "cpu") -> Sequential:
    made = small.model(device=device, dtype="float64")
    made.compile("adam", SparseCategoricalCrossentropy(from_logits=True))
    return made


def softmax(logits: Any) -> Any:
    exponentials = np.exp(logits)
    return exponentials / exponentials.sum(axis=1, keepdims=True)


@devices
def test_it_gives_probabilities(device: str) -> None:
    made = model(device)
    made.fit(X, Y, verbose=0)
    probabilities = Sequential([made, Softmax()])
    expected = softmax(made.predict(X))
    for found in (probabilities.predict(X), probabilities(X), probabilities.predict_on_batch(X)):
        assert_allclose(found, expected, rtol=1e-12)
    assert_allclose(probabilities.predict([(X[:9],), (X[9:],)]), expected, rtol=1e-12)
    assert_allclose(made(X), made.predict(X), rtol=1e-12)  # which stays as it was


def test_of_a_model_without_a_loss() -> None:
    made = small.model(Adam())
    assert_array_equal(Sequential([made, Softmax()]).predict(X), made.predict(X))


def test_of_a_model_that_branches() -> None:
    made, x = branches.dense_block(), branches.images(4)
    made.build(branches.SHAPE)
    probabilities = Sequential([made, Softmax()])
    assert_allclose(probabilities.predict(x), softmax(made(x)), rtol=1e-6)
    assert probabilities.settings()["inputs"] == made.graph.inputs


def test_it_has_the_weights_of_the_model() -> None:
    made = model()
    probabilities = Sequential([made, Softmax()])
    before = probabilities.predict(X)
    made.fit(X, Y, verbose=0)
    assert not np.array_equal(probabilities.predict(X), before)
    for change in (
        lambda: made.to("simulator"),
        lambda: made.compile(Adam()),
        lambda: made.train_on_batch(X / 255 - 0.5, Y),
    ):
        change()
        assert_allclose(probabilities.predict(X), softmax(made(X)), rtol=1e-12)
        assert small.weight_bytes(probabilities) == small.weight_bytes(made)
        assert probabilities.pixels == made.pixels
    assert probabilities.evaluate(X, Y) == made.evaluate(X, Y)
    assert probabilities.is_built
    assert probabilities.layers == made.layers


def test_it_shows_what_it_is_made_of(capsys: pytest.CaptureFixture[str]) -> None:
    made = model()
    assert repr(Sequential([made, Softmax()])) == f"Sequential([{made!r}, Softmax()])"
    Sequential([made, Softmax()]).summary()
    assert "dense" in capsys.readouterr().out


@pytest.mark.parametrize("again", [copy, deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_copies_have_a_model_of_their_own(again: Callable[[Sequential], Sequential]) -> None:
    made = model()
    other = again(Sequential([made, Softmax()]))
    expected = other.predict(X)
    made.fit(X, Y, verbose=0)
    assert_array_equal(other.predict(X), expected)


@pytest.mark.parametrize("name", ["fit", "train_on_batch", "compile", "set_weights", "to", "save"])
def test_it_is_not_trained_or_changed(name: str, tmp_path: Path) -> None:
    made = model()
    probabilities = Sequential([made, Softmax()])
    before = small.weight_bytes(made)
    arguments: dict[str, tuple[Any, ...]] = {
        "fit": (X, Y),
        "train_on_batch": (X, Y),
        "set_weights": (made.get_weights(),),
        "to": ("cpu",),
        "save": (tmp_path / "model.safetensors",),
    }
    with refusal(
        "the weights are those of the model before Softmax(): compile, train, change or save that "
        "one"
    ):
        getattr(probabilities, name)(*arguments.get(name, ()))
    assert small.weight_bytes(made) == before
    with refusal("the model is built: add layers before it is first used"):
        probabilities.add(Dense(3))


def test_of_what_it_cannot_be_made() -> None:
    unbuilt = Sequential([Input(small.SHAPE), Flatten(), Dense(3)])
    with refusal(
        "the model before Softmax() is not built, since it has not been used: train it first"
    ):
        Sequential([unbuilt, Softmax()])
    certain = Sequential([Flatten(), Dense(3, "softmax")], small.SHAPE)
    for made in (certain, Sequential([model(), Softmax()])):
        with refusal("the model before Softmax() does not end in logits: leave it out"):
            Sequential([made, Softmax()])
    with refusal(
        "a model that is built is among the layers, which is possible before Softmax() alone, as "
        "in Sequential([model, Softmax()]): give layers, or one not yet used",
        InvalidTypeError,
    ):
        Sequential([model(), Dense(3)], small.SHAPE)

"""The names of classes, in a model, in its files, and in what is shown of it."""

import pickle
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import small
from expect import refusal
from gpucnn import Dense, Flatten, Sequential, Softmax
from gpucnn.errors import InvalidFileError, InvalidTypeError
from gpucnn.losses import BinaryCrossentropy
from gpucnn.models.checkpoint import read_checkpoint, write_checkpoint
from gpucnn.models.exchange.export import encoding_of
from gpucnn.models.exchange.page.operations import describe
from gpucnn.serving.limits import Limits
from gpucnn.serving.metrics import Metrics
from gpucnn.serving.served import Asked, Placed, Served

NAMES = ("cat", "$dog$", "a name that is longer than others")


@pytest.fixture
def model() -> Sequential:
    made = small.model()
    made.class_names = NAMES
    return made


def texts(figure: Any) -> list[str]:
    figure.canvas.draw()
    found = [each.get_title() for each in figure.axes]
    for axes in figure.axes:
        found += [each.get_text() for each in (*axes.get_xticklabels(), *axes.get_yticklabels())]
    return found


def test_a_model_has_none_unless_it_is_told() -> None:
    assert small.model().class_names is None


def test_they_are_saved(model: Sequential, tmp_path: Path) -> None:
    model.save(tmp_path / "named.safetensors")
    assert Sequential.load(tmp_path / "named.safetensors").class_names == NAMES
    assert deepcopy(model).class_names == NAMES
    assert pickle.loads(pickle.dumps(model)).class_names == NAMES
    model.class_names = None
    model.save(tmp_path / "unnamed.safetensors")
    assert Sequential.load(tmp_path / "unnamed.safetensors").class_names is None
    assert "class_names" not in read_checkpoint(tmp_path / "unnamed.safetensors")[1]


@pytest.mark.parametrize("names", ["abc", ["a", "b"], ["a", "b", 5], [["a"], "b", "c"], 3])
def test_names_in_a_damaged_file(model: Sequential, names: Any, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    model.save(file)
    arrays, description = read_checkpoint(file)
    del description["version"]
    write_checkpoint(file, arrays, description | {"class_names": names})
    with pytest.raises(InvalidFileError, match="does not describe a model that its arrays fit"):
        Sequential.load(file)


def test_they_stay_where_a_model_is_trained_and_shared(model: Sequential) -> None:
    model.fit(small.images(8), small.labels(8), verbose=0)
    assert model.class_names == NAMES
    assert Sequential([model, Softmax()]).class_names == NAMES


def test_they_may_be_told_before_a_model_is_built() -> None:
    model = Sequential([Flatten(), Dense(3)])
    model.class_names = list(NAMES)
    model.fit(small.images(8), small.labels(8), verbose=0)
    assert model.class_names == NAMES
    other = Sequential([Flatten(), Dense(4)])
    other.class_names = NAMES
    with refusal("class_names has 3 names, but the model has 4 classes: give one for each"):
        other.build(small.SHAPE)


def test_one_output_tells_two() -> None:
    model = Sequential([Flatten(), Dense(1, activation="sigmoid")], small.SHAPE, device="cpu")
    model.compile(loss=BinaryCrossentropy())
    model.class_names = "no", "yes"
    assert model.classify(small.images(5)).names == ("no", "yes")


def test_names_that_are_none(model: Sequential) -> None:
    with refusal("class_names is 'cat': give a list of texts, or None", InvalidTypeError):
        model.class_names = "cat"
    with refusal("class_names has 2 names, but the model has 3 classes: give one for each"):
        model.class_names = ["cat", "dog"]
    for each in ("", " ", "two\nlines", 5):
        with refusal(f"a name of a class is {each!r}: give texts of one line"):
            model.class_names = ["cat", each, "dog"]  # type: ignore[list-item]
    with refusal("class_names is ['a', 'b', 'a']: give each class another name"):
        model.class_names = ["a", "b", "a"]
    assert model.class_names == NAMES


def test_what_is_said_has_them(model: Sequential) -> None:
    images, labels = small.images(20), small.labels(20)
    found = model.classify(images)
    assert found.names == NAMES
    (first,) = found.predicted[:1]
    assert repr(found).startswith(f"Prediction(20 images: {NAMES[first]} (")
    assert NAMES[first] in found._table().to_html()
    short = ["cat", "$dog$", "a name that i…"]
    assert set(short) <= set(texts(found.plot()))
    assert set(short) <= set(texts(model.plot_confusion(images, labels)))
    mistakes = " ".join(texts(model.plot_mistakes(images, labels)))
    assert "true class cat:" in mistakes
    saliency = model.plot_saliency(images[:1]).axes
    assert any(NAMES[first] in each.get_title() for each in saliency)


def test_the_server_has_them(model: Sequential) -> None:
    served = Served("it", model, ["cpu"], Limits(), Metrics())
    assert served.description["classes"] == list(NAMES)
    (answer,) = Placed(model, "cpu").answer([Asked(small.images(1)[0])])
    assert answer.class_names == NAMES
    assert NAMES[int(np.argmax(answer.probabilities))].encode() in answer.encode()


def test_exports_have_them(model: Sequential, tmp_path: Path) -> None:
    encoding = encoding_of(model.pixels, model.layers, takes_bytes=True)
    assert tuple(describe(model.exported(), encoding)["classes"]) == NAMES
    model.export(tmp_path / "model.onnx")
    properties = onnx.load(tmp_path / "model.onnx").metadata_props
    assert {each.key: each.value for each in properties} == {
        "class_names": '["cat", "$dog$", "a name that is longer than others"]',
        "photographs": "true",
    }

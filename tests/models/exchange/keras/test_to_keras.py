import json
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import small
from expect import refusal
from gpucnn import (
    Conv2D,
    Dense,
    Flatten,
    MaxPool2D,
    Model,
    Normalization,
    RandomCrop,
    ReLU,
    Sequential,
    Softmax,
    Tanh,
    to_keras,
)
from gpucnn.errors import GpucnnError, InvalidFileError, InvalidTypeError
from gpucnn.layers import LAYERS
from gpucnn.models.exchange.keras.from_config import KINDS
from gpucnn.models.exchange.keras.to_config import kind_in_keras
from models.exchange.keras.archives import parts_of, write_parts
from models.exchange.layers import IMAGES, VECTORS, built
from models.exchange.random_networks import random_graph, random_network

FILES = Path(__file__).parent / "files"
MODEL, WEIGHTS = "model.keras", "model.weights.h5"


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def check(model: Model) -> None:
    """Check that files of a model give it back, and its weights."""
    shape = 3, *model.input_shape
    x = np.random.default_rng(0).uniform(-0.5, 0.5, shape).astype(np.float32)
    expected = model.predict(x)
    model.export(MODEL, format="keras")
    assert_array_equal(Sequential.load(MODEL, "cpu", threads=1).predict(x), expected)
    model.export(WEIGHTS, format="keras")
    model.set_weights([np.zeros_like(each) for each in model.get_weights()])
    model.load_weights(WEIGHTS)
    assert_array_equal(model.predict(x), expected)


def test_the_names_of_the_classes_come_back() -> None:
    model = built([Flatten(), Dense(3)])
    model.class_names = names = "größe x", "cat", "[dog]"
    model.export(MODEL)
    again = Sequential.load(MODEL)
    assert again.class_names == names
    again.class_names = None
    again.export(MODEL)
    assert Sequential.load(MODEL).class_names is None


@pytest.mark.parametrize(
    ("metadata", "line"),
    [
        ({"class_names": ["a", 3, "c"]}, "its metadata class_names are no JSON array of texts"),
        ({"class_names": {"a": 1}}, "its metadata class_names are no JSON array of texts"),
        ({"class_names": ["a", "b"]}, "class_names has 2 names, but the model has 3 classes"),
        ({"class_names": ["a", "", "c"]}, "a name of a class is ''"),
        ({"photographs": "no"}, "its metadata photographs are neither true nor false: remove it"),
        (3, "is damaged, or not a file of Keras"),
    ],
)
def test_damaged_names_of_classes_are_refused(metadata: Any, line: str) -> None:
    built([Flatten(), Dense(3)]).export(MODEL)
    write_parts(MODEL, parts_of(MODEL) | {"metadata.json": json.dumps(metadata).encode()})
    with pytest.raises(InvalidFileError, match=line):
        Sequential.load(MODEL)


@pytest.mark.parametrize("layer", IMAGES, ids=repr)
def test_each_layer_comes_back(layer: Any) -> None:
    check(built([Conv2D(4, 1), layer, Flatten(), Dense(3)]))


@pytest.mark.parametrize("layers", VECTORS, ids=repr)
def test_vectors_come_back(layers: Any) -> None:
    check(built([*layers, Dense(3)]))


@pytest.mark.parametrize("seed", range(25))
def test_random_networks_come_back(seed: int) -> None:
    check(random_network(seed))


@pytest.mark.parametrize("seed", range(20))
def test_random_networks_that_branch_come_back(seed: int) -> None:
    check(random_graph(seed))


def test_layers_are_in_the_order_of_keras() -> None:
    """By the longest ways to the output; here those of a file that Keras wrote."""
    model = Sequential.load(FILES / "branching.keras", "cpu", threads=1)
    model.export(MODEL)
    config, _ = parts(Path(MODEL))
    assert config["class_name"] == "Functional"
    assert [each["name"] for each in config["config"]["layers"]] == [
        *("input_layer", "first", "conv2d", "batch_normalization", "add", "re_lu", "short"),
        *("add_1", "batch_normalization_1", "conv2d_1", "concatenate", "dropout"),
        *("concatenate_1", "conv2d_2", "global_average_pooling2d", "dense"),
    ]


def test_what_a_layer_takes_is_what_keras_writes() -> None:
    model = Sequential.load(FILES / "branching.keras", "cpu", threads=1)
    model.export(MODEL)
    (theirs, _), (ours, _) = parts(FILES / "branching.keras"), parts(Path(MODEL))

    def taken(config: Any, name: str) -> Any:
        (layer,) = (each for each in config["config"]["layers"] if each["name"] == name)
        return layer["inbound_nodes"]

    for name in ("conv2d_1", "concatenate_1", "dense"):
        assert taken(ours, name) == taken(theirs, name)


def test_float64_comes_back() -> None:
    model = built([Flatten(), Dense(3)], dtype="float64")
    model.export(MODEL, format="keras")
    again = Sequential.load(MODEL)
    assert again.dtype == np.float64
    assert small.weight_bytes(again) == small.weight_bytes(model)


@pytest.mark.parametrize("name", ["of_many_layers", "functional"])
def test_a_file_has_what_that_of_keras_has(name: str) -> None:
    """The classes and arguments of layers, and where their variables are."""
    Sequential.load(FILES / f"{name}.keras").export(MODEL, format="keras")
    (theirs, their_groups), (ours, groups) = parts(FILES / f"{name}.keras"), parts(Path(MODEL))
    assert groups == their_groups
    assert ours["class_name"] in ("Sequential", theirs["class_name"])
    both = zip(theirs["config"]["layers"], ours["config"]["layers"], strict=True)
    for their, our in both:
        assert our["class_name"] == their["class_name"]
        assert our["module"] == their["module"]
        unknown = our["config"].keys() - their["config"].keys()
        assert not unknown, our


def parts(path: Path) -> tuple[Any, dict[str, tuple[int, ...]]]:
    """The configuration in a file, and the shapes of the variables of layers by their paths."""
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
        weights = h5py.File(BytesIO(archive.read("model.weights.h5")))
    shapes: dict[str, tuple[int, ...]] = {}

    def note(name: str, thing: Any) -> None:
        if isinstance(thing, h5py.Dataset) and "optimizer" not in name:
            shapes[name] = thing.shape

    weights.visititems(note)
    adapted = [name for name in shapes if "normalization/vars" in name and "batch" not in name]
    for name in adapted:  # which here are arguments of the layer
        del shapes[name]
    return config, shapes


@pytest.mark.parametrize(
    ("axis", "mean", "expected"),
    [
        (-1, 0.25, (-1, [0.25] * 4, [2.0] * 4)),
        (3, [0.1, 0.2, 0.3, 0.4], (-1, [0.1, 0.2, 0.3, 0.4], [2.0] * 4)),
        (None, 0.25, (None, 0.25, 2.0)),
        (None, [0.1, 0.2, 0.3, 0.4], (-1, [0.1, 0.2, 0.3, 0.4], [2.0] * 4)),
    ],
)
def test_as_many_numbers_are_normalised_by_as_keras_takes(
    axis: int | None, mean: Any, expected: Any
) -> None:
    model = built([Normalization(axis=axis, mean=mean, variance=2.0), Flatten(), Dense(3)])
    check(model)
    model.export(MODEL, format="keras")
    config = parts(Path(MODEL))[0]["config"]["layers"][1]["config"]
    assert tuple(config[name] for name in ("axis", "mean", "variance")) == expected


def test_a_crop_is_that_of_use() -> None:
    model = built([RandomCrop(4, 3), Flatten(), Dense(3)])
    check(model)
    height, width, _ = model.input_shape
    read: Any = Sequential.load(MODEL).layers[0]
    (rows, _), (columns, _) = read.cropping
    assert (rows, columns) == ((height - 4) // 2, (width - 3) // 2)


def test_every_layer_has_a_class_in_keras() -> None:
    for kind in LAYERS:
        layer = kind.__new__(kind)
        assert kind_in_keras(layer) in KINDS


def test_softmax_comes_last_where_it_is_predicted() -> None:
    def last(model: Sequential) -> str:
        model.export(MODEL, format="keras")
        return str(parts(Path(MODEL))[0]["config"]["layers"][-1]["class_name"])

    model = built([Flatten(), Dense(3, name="softmax")])
    assert last(model) == "Softmax"
    assert last(built([Flatten(), Dense(3), Softmax()])) == "Softmax"
    assert last(built([Flatten(), Dense(3, "softmax")])) == "Dense"
    model.compile(loss="mse")
    assert last(model) == "Dense"
    assert last(Sequential([model, Softmax()])) == "Softmax"


def test_names_of_what_is_added_are_free() -> None:
    names = [ReLU(name="input_layer"), Flatten(name="softmax"), Dense(3, name="softmax_1")]
    built(names).export(MODEL, format="keras")
    layers = parts(Path(MODEL))[0]["config"]["layers"]
    found = [each["config"]["name"] for each in layers]
    assert found == ["input_layer_1", "input_layer", "softmax", "softmax_1", "softmax_2"]


def test_equal_models_give_equal_bytes() -> None:
    model, contents = small.model(seed=1), []
    for name in (MODEL, MODEL, WEIGHTS, WEIGHTS):
        model.export(name, format="keras")
        contents.append(Path(name).read_bytes())
    assert contents[0] == contents[1]
    assert contents[2] == contents[3]


def test_what_keras_cannot_have_is_refused(tmp_path: Path) -> None:
    class Mine(ReLU):
        pass

    with pytest.raises(InvalidTypeError, match=r"^mine is a Mine, a class of your own, which"):
        built([Mine(), Flatten(), Dense(2)]).export(MODEL, format="keras")
    with refusal("the name a/b has a slash, which Keras does not take: give the layer another"):
        built([Flatten(name="a/b"), Dense(2)]).export(MODEL, format="keras")
    with refusal(
        "the file to export to is 'model.h5': give a name that ends in .keras or .weights.h5"
    ):
        built([Flatten(), Dense(2)]).export("model.h5", format="keras")
    with refusal("pixels is 'bytes', but of the formats only onnx can take them: leave it out"):
        built([Flatten(), Dense(2)]).export(MODEL, format="keras", pixels="bytes")
    assert list(tmp_path.iterdir()) == []


def exported(model: Sequential) -> None:
    model.export(MODEL, format="keras")


@pytest.mark.parametrize(("package", "make"), [("h5py", exported), ("keras", to_keras)])
def test_a_line_says_what_is_missing(
    package: str, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    model = built([MaxPool2D(), Flatten(), Dense(2), Tanh()])
    with pytest.raises(GpucnnError, match=f"the package {package}, .*which is not installed"):
        make(model)

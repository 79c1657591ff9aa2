import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import ml_dtypes
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

import small
from gpucnn import Sequential, from_keras
from gpucnn.errors import InvalidTypeError, InvalidValueError
from gpucnn.losses import SparseCategoricalCrossentropy
from gpucnn.models.exchange.keras.architecture import Node
from gpucnn.models.exchange.keras.from_config import layer_of

FILES = Path(__file__).parent / "files"

Weights = dict[str, list[NDArray[Any]]]


class Layer:
    """Of Keras, as far as gpucnn asks."""

    def __init__(self, name: str, weights: list[NDArray[Any]]) -> None:
        self.name, self._weights = name, weights

    def get_weights(self) -> list[NDArray[Any]]:
        return self._weights


class Model:
    """A model of Keras, as far as gpucnn asks; made of a file that Keras wrote, without it."""

    def __init__(self, name: str) -> None:
        with zipfile.ZipFile(FILES / f"{name}.keras") as archive:
            self.config = json.loads(archive.read("config.json"))
            weights = BytesIO(archive.read("model.weights.h5"))
        with h5py.File(weights) as file:
            groups = (each["vars"] for each in file["layers"].values() if "vars" in each)
            self.weights: Weights = {
                group.attrs["name"]: [group[str(number)][()] for number in range(len(group))]
                for group in groups
            }

        self.layers = [self.get_layer(each["config"]["name"]) for each in self._described()]

    def _described(self) -> list[dict[str, Any]]:
        layers: list[dict[str, Any]] = self.config["config"]["layers"]
        return layers

    def to_json(self) -> str:
        return json.dumps(self.config)

    def get_layer(self, name: str) -> Layer:
        return Layer(name, self.weights.get(name, []))


@pytest.mark.parametrize("name", ["of_many_layers", "functional"])
def test_an_object_is_read_as_its_file(name: str) -> None:
    expected = Sequential.load(FILES / f"{name}.keras", "cpu", threads=1)
    model = from_keras(Model(name), "cpu", threads=1)
    assert model.settings() == expected.settings()
    assert small.weight_bytes(model) == small.weight_bytes(expected)


def test_a_number_of_a_shear_is_written_as_a_range_around_0() -> None:
    config = {"name": "shear", "x_factor": [-0.1, 0.1], "y_factor": [0.1, 0.2]}
    read = layer_of(Node("RandomShear", config, ("shear",), ""), ())
    assert read is not None
    assert repr(read[0]) == "RandomShear(x_factor=0.1, y_factor=(0.1, 0.2), name='shear')"


def test_a_layer_that_is_used_twice_is_refused() -> None:
    model = Model("of_many_layers")  # whose configuration tells of it once
    model.layers.append(model.layers[-1])
    name = model.layers[-1].name
    with pytest.raises(InvalidValueError, match=f"^{name} is used twice, but layers of gpucnn"):
        from_keras(model, "cpu")


def test_the_weights_are_copies() -> None:
    theirs = Model("functional")
    model = from_keras(theirs, "cpu", threads=1)
    before = small.weight_bytes(model)
    for arrays in theirs.weights.values():
        for array in arrays:
            array.fill(0)
    assert small.weight_bytes(model) == before


def test_weights_of_bfloat16_are_real() -> None:
    theirs = Model("functional")
    theirs.weights = {
        name: [each.astype(ml_dtypes.bfloat16) for each in arrays]
        for name, arrays in theirs.weights.items()
    }
    model = from_keras(theirs, "cpu", threads=1)
    assert model.dtype == np.float32
    (kernel,) = theirs.weights["conv2d_1"]
    assert_array_equal(model.get_weights()[0], kernel.astype(np.float32))


def test_one_that_is_not_compiled_predicts_the_same() -> None:
    theirs = Model("functional")
    del theirs.config["compile_config"]
    assert from_keras(theirs, "cpu").loss == SparseCategoricalCrossentropy(from_logits=True)


def test_what_is_no_model_is_refused_in_a_line() -> None:
    for other in (None, 3, "model.keras", Layer("dense", []), Sequential):
        with pytest.raises(InvalidTypeError, match=r": give a model of Keras 3$"):
            from_keras(other)
    theirs = Model("functional")
    theirs.config["config"]["layers"][1]["inbound_nodes"] = 3
    with pytest.raises(InvalidTypeError, match=r"^the model is of the type Model, and cannot be"):
        from_keras(theirs)
    theirs = Model("functional")
    theirs.config["config"]["layers"][1]["class_name"] = "LSTM"
    with pytest.raises(InvalidValueError, match=r"^conv2d_1 is of the class LSTM, which gpucnn"):
        from_keras(theirs)

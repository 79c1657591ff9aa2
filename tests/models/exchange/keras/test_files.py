import json
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

import small
from expect import refusal
from gpucnn import (
    SGD,
    AdamW,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Model,
    Normalization,
    ReLU,
    Sequential,
    models,
)
from gpucnn.errors import InvalidFileError, InvalidTypeError, MissingExtraError
from gpucnn.losses import BinaryCrossentropy, SparseCategoricalCrossentropy
from gpucnn.optimizers import ExponentialDecay
from models.exchange.keras.archives import parts_of, write_parts

FILES = Path(__file__).parent / "files"
MODELS = ["of_many_layers.keras", "functional.keras", "nested.keras", "branching.keras"]
OUTPUTS = np.load(FILES / "outputs.npz")
TOLERANCE = 1e-5  # of the outputs' magnitude, in float32, as for ONNX

FILE = "changed.keras"
Change = Callable[[Any], object]


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def images() -> NDArray[np.float32]:
    """As in tests/peers/keras_files.py."""
    return np.random.default_rng(0).uniform(0, 1, (4, 8, 9, 2)).astype(np.float32)


def loaded(name: str) -> Model:
    return Sequential.load(FILES / name, "cpu", threads=1)


def changed(change: Change, name: str = "functional.keras") -> None:
    """Write a file with another configuration, without compression."""
    parts = parts_of(FILES / name)
    config = json.loads(parts["config.json"])
    change(config)
    write_parts(FILE, parts | {"config.json": json.dumps(config).encode()})


def with_weights(change: Change, name: str = "functional.keras") -> None:
    """Write a file with other weights."""
    with zipfile.ZipFile(FILES / name) as archive:
        config, weights = archive.read("config.json"), BytesIO(archive.read("model.weights.h5"))
    with h5py.File(weights, "r+") as file:
        change(file)
    with zipfile.ZipFile(FILE, "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", weights.getvalue())


def refused(line: str, path: str = FILE) -> None:
    with refusal(f"{path} cannot be loaded: {line}", InvalidFileError):
        Sequential.load(path)


# What Keras computes


@pytest.mark.parametrize("name", MODELS)
def test_a_model_predicts_what_it_does_in_keras(name: str) -> None:
    expected = OUTPUTS[name.partition(".")[0]]
    for model in (loaded(name), models.load_model(FILES / name, "cpu")):
        found = model.predict(images())
        assert found.shape == expected.shape
        assert_allclose(found, expected, rtol=0, atol=TOLERANCE * abs(expected).max())


def test_it_is_built_as_in_keras() -> None:
    model = loaded("of_many_layers.keras")
    assert (model.name, model.input_shape) == ("of_many_layers", (8, 9, 2))
    assert [layer.name for layer in model.layers][4:7] == [
        "first",
        "batch_normalization",
        "separable_conv2d",
    ]
    norm, first = model.get_layer("batch_normalization"), model.get_layer("first")
    assert isinstance(norm, BatchNormalization)
    assert (norm.scale, norm.center, norm.momentum) == (False, True, 0.5)
    assert isinstance(first, Conv2D)
    assert (first.strides, first.padding, first.activation) == ((2, 2), "same", "relu")
    kernel = model.get_layer(index=11)
    assert isinstance(kernel, Conv2D)
    assert kernel.kernel_initializer == "he_normal"
    assert repr(kernel.kernel_regularizer) == "L2(l2=0.01)"


def test_it_is_compiled_as_in_keras() -> None:
    model = loaded("of_many_layers.keras")
    assert isinstance(model.optimizer, SGD)
    schedule = model.optimizer.learning_rate
    assert isinstance(schedule, ExponentialDecay)
    assert (schedule.initial_learning_rate, schedule.decay_steps) == (0.05, 10)
    assert (model.optimizer.momentum, model.optimizer.clipnorm) == (0.9, 1.0)
    assert model.loss == SparseCategoricalCrossentropy()
    model = loaded("functional.keras")
    assert isinstance(model.optimizer, AdamW)
    assert model.loss == SparseCategoricalCrossentropy(from_logits=True)
    assert model.metrics_names == ["loss", "accuracy", "top_2"]


@pytest.mark.parametrize("training", [False, True, None])
def test_calls_may_be_for_training_or_not(training: bool | None) -> None:
    """Keras writes so of each `Dropout` of a functional model."""

    def change(config: Any) -> None:
        dropout = deepcopy(config["config"]["layers"][3])
        dropout["inbound_nodes"][0]["args"][0]["config"]["keras_history"][0] = "re_lu"
        dropout["inbound_nodes"][0]["kwargs"] = {"training": training}
        dropout |= {"class_name": "Dropout", "config": {"name": "dropout", "rate": 0.5}}
        pooling = config["config"]["layers"][4]
        pooling["inbound_nodes"][0]["args"][0]["config"]["keras_history"][0] = "dropout"
        config["config"]["layers"].append(dropout)

    changed(change)
    model = Sequential.load(FILE)
    assert isinstance(model.get_layer("dropout"), Dropout)
    assert_allclose(model.predict(images()), OUTPUTS["functional"], atol=1e-5)


def test_it_can_be_trained_on() -> None:
    model = loaded("functional.keras")
    labels = np.arange(4) % 3
    before = model.evaluate(images(), labels)[0]
    model.fit(images(), labels, epochs=5, verbose=0)
    assert model.evaluate(images(), labels)[0] < before
    model.save("mine.safetensors")
    again = Sequential.load("mine.safetensors")
    assert again.predict(images()).tobytes() == model.predict(images()).tobytes()


def test_what_normalises_all_numbers_together_has_no_axis() -> None:
    def change(config: Any) -> None:
        config["config"]["layers"][3]["config"]["axis"] = []

    def adapt(file: Any) -> None:
        group = file["layers/normalization/vars"]
        for number, value in enumerate((0.5, 0.25)):
            del group[str(number)]
            group[str(number)] = np.float32(value)

    with_weights(adapt, "of_many_layers.keras")
    changed(change, str(Path(FILE).absolute()))
    layer = Sequential.load(FILE).layers[2]
    assert isinstance(layer, Normalization)
    assert (layer.axis, layer.mean, layer.variance) == (None, 0.5, 0.25)


def test_two_layers_of_one_name_in_models_within_it_are_told_apart() -> None:
    model = loaded("nested.keras")
    assert [layer.name for layer in model.layers][:2] == ["same", "conv2d"]


def test_a_model_that_is_not_compiled_predicts_the_same() -> None:
    changed(lambda config: config.pop("compile_config"))
    model = Sequential.load(FILE)
    assert model.loss == SparseCategoricalCrossentropy(from_logits=True)
    assert_allclose(model.predict(images()), OUTPUTS["functional"], atol=1e-5)
    changed(lambda config: config.pop("compile_config"), "nested.keras")
    assert Sequential.load(FILE).loss == BinaryCrossentropy()
    changed(lambda config: config.pop("compile_config"), "of_many_layers.keras")
    assert Sequential.load(FILE).loss is None


@pytest.mark.parametrize(
    "compiled",
    [
        {"loss": "hinge"},
        {"loss": {"module": "mine", "class_name": "Mine", "config": {}}},
        {"loss": ["mse", "mse"]},
        {"loss": "sparse_categorical_crossentropy"},  # of logits, which it does not take
        {"optimizer": {"class_name": "Adamax", "config": {}}},
        {"optimizer": {"class_name": "Adam", "config": {"learning_rate": -1}}},
        {"optimizer": 3, "loss": 4, "metrics": [5, "binary_accuracy", None, {}]},
    ],
    ids=repr,
)
def test_what_it_is_compiled_with_and_is_not_here_is_left_out(compiled: Any) -> None:
    changed(lambda config: config.update(compile_config=compiled))
    model = Sequential.load(FILE)
    assert_allclose(model.predict(images()), OUTPUTS["functional"], atol=1e-5)
    model.fit(images(), np.arange(4) % 3, verbose=0)


def test_a_single_logit_has_a_binary_cross_entropy() -> None:
    def change(config: Any) -> None:
        config["config"]["layers"][-1]["config"]["activation"] = "linear"

    changed(change, "nested.keras")
    model = Sequential.load(FILE)
    assert model.loss == BinaryCrossentropy(from_logits=True)
    found = 1 / (1 + np.exp(-model.predict(images())))
    assert_allclose(found, OUTPUTS["nested"], atol=1e-5)


def test_layers_that_are_not_trained_there_are_told() -> None:
    def freeze(config: Any) -> None:
        config["config"]["layers"][1]["config"]["trainable"] = False

    changed(freeze)
    line = "conv2d_1 of functional are not trained in Keras, but here all layers are"
    with pytest.warns(match=line):
        Sequential.load(FILE)


# Weights alone


def test_weights_are_taken_by_a_model_of_the_same_layers() -> None:
    expected = loaded("of_many_layers.keras")
    for name in ("of_many_layers.weights.h5", "of_many_layers.keras"):
        model = loaded("of_many_layers.keras")
        model.set_weights([np.zeros_like(each) for each in model.get_weights()])
        model.load_weights(FILES / name)
        assert small.weight_bytes(model) == small.weight_bytes(expected)


def test_names_make_no_difference_to_weights() -> None:
    layers = [Conv2D(3, 3, use_bias=False, name="a"), BatchNormalization(name="b"), ReLU()]
    model = Sequential([*layers, Flatten(), Dense(3, name="c")], (8, 9, 2), device="cpu")
    with refusal(
        f"{FILES}/functional.keras is not of this model: the weights given for c.kernel have the "
        "shape (3, 3), but it has the shape (126, 3)",
        InvalidFileError,
    ):
        model.load_weights(FILES / "functional.keras")


def test_weights_of_other_layers_are_refused() -> None:
    model = Sequential([Conv2D(3, 3), Conv2D(3, 3), Conv2D(3, 3), Flatten(), Dense(3)], (8, 9, 2))
    path = FILES / "of_many_layers.weights.h5"
    with refusal(f"{path} cannot be loaded: it has no layers/conv2d_2/vars", InvalidFileError):
        model.load_weights(path)


def test_weights_of_models_within_a_model_do_not_tell_their_order() -> None:
    with zipfile.ZipFile(FILES / "nested.keras") as archive:
        Path("nested.weights.h5").write_bytes(archive.read("model.weights.h5"))
    with refusal(
        "nested.weights.h5 cannot be loaded: it is of a model with models within it, whose order "
        "weights alone do not tell: save the whole model, as .keras, and give that",
        InvalidFileError,
    ):
        loaded("nested.keras").load_weights("nested.weights.h5")


def test_images_that_a_layer_was_adapted_to_are_those_of_the_file() -> None:
    path = FILES / "of_many_layers.weights.h5"
    with h5py.File(path) as file:
        mean, variance, _ = (each[()] for each in file["layers/normalization/vars"].values())

    def model(mean: Any) -> Sequential:
        layers = deepcopy(list(loaded("of_many_layers.keras").layers))
        layers[2] = Normalization(mean=mean, variance=variance)
        return Sequential(layers, (8, 9, 2), device="cpu", threads=1)

    for each in (path, FILES / "of_many_layers.keras"):
        model(mean).load_weights(each)
        with refusal(
            f"{each} cannot be loaded: normalization was adapted to other images: make it with the "
            "mean and the variance of the file",
            InvalidFileError,
        ):
            model(mean + 0.1).load_weights(each)


def test_layers_of_your_own_have_no_variables() -> None:
    class Mine(ReLU):
        pass

    model = Sequential([Conv2D(3, 3), Mine(), Flatten(), Dense(3)], (8, 9, 2))
    with pytest.raises(InvalidTypeError, match=r"^mine is a Mine, a class of your own, which"):
        model.load_weights(FILES / "of_many_layers.weights.h5")


def test_weights_are_no_model() -> None:
    path = FILES / "of_many_layers.weights.h5"
    advice = "it has weights alone: make the model of its layers, and give it to load_weights"
    refused(advice, str(path))


def test_models_of_keras_2_are_told() -> None:
    with h5py.File("old.h5", "w") as file:
        file.create_group("model_weights")
    line = "it is a model in the format of Keras 2: load it in Keras, and save it as .keras"
    refused(line, "old.h5")
    with refusal(f"old.h5 cannot be loaded: {line}", InvalidFileError):
        loaded("functional.keras").load_weights("old.h5")


# What cannot be used


def layer(number: int, **values: Any) -> Change:
    """A change of a layer of the functional model."""
    return lambda config: config["config"]["layers"][number].update(values)


def argument(number: int, **values: Any) -> Change:
    """A change of the arguments of such a layer."""
    return lambda config: config["config"]["layers"][number]["config"].update(values)


def called_with(**values: Any) -> Change:
    """A change of how its ReLU is called."""
    return lambda config: config["config"]["layers"][3]["inbound_nodes"][0]["kwargs"].update(values)


def called_with_number(config: Any) -> None:
    """As Keras writes `x / 255.0`."""
    config["config"]["layers"][3]["inbound_nodes"][0]["args"].append(255.0)


def calls_of(config: Any, name: str) -> Any:
    """The calls of a layer of the functional model."""
    (layer,) = (each for each in config["config"]["layers"] if each["config"]["name"] == name)
    return layer["inbound_nodes"]


def taking(name: str, *others: str) -> Change:
    """A change of the layers whose outputs a layer takes."""

    def change(config: Any) -> None:
        (call,) = calls_of(config, name)
        tensors = [deepcopy(call["args"][0]) for _ in others]
        for tensor, other in zip(tensors, others, strict=True):
            tensor["config"]["keras_history"][0] = other
        call["args"] = [tensors]

    return change


REFUSED: list[tuple[Change, str]] = [
    (
        layer(1, class_name="LSTM"),
        "conv2d_1 is of the class LSTM, which gpucnn has not: gpucnn is for images, not for "
        "sequences; use Keras",
    ),
    (
        layer(3, class_name="Lambda"),
        "re_lu is of the class Lambda, which gpucnn has not: write a layer of your own, a "
        "subclass of gpucnn.layers.Layer",
    ),
    (
        layer(3, class_name="Unheard"),
        "re_lu is of the class Unheard, which gpucnn has not: save a model without it",
    ),
    (
        layer(3, module="mine", class_name="Mine"),
        "re_lu is of the class Mine, its author's, which gpucnn does not know: save a model of "
        "Keras's layers",
    ),
    (
        layer(3, registered_name="package>Mine"),
        "re_lu is of the class ReLU, its author's, which gpucnn does not know: save a model of "
        "Keras's layers",
    ),
    (
        lambda config: config.update(class_name="Mine", module="mine"),
        "functional is of the class Mine, its author's, which gpucnn does not know: save a model "
        "of Keras's layers",
    ),
    (
        argument(1, data_format="channels_first"),
        "of the layer conv2d_1, Conv2D has no argument data_format='channels_first': the channels "
        "are the last axis of images",
    ),
    (
        argument(1, kernel_constraint={"class_name": "MaxNorm", "config": {}}),
        "of the layer conv2d_1, Conv2D has no argument kernel_constraint={'class_name': 'MaxNorm', "
        "'config': {}}: weights are not constrained; leave it out",
    ),
    (
        argument(1, kernel_regularizer={"class_name": "L1", "config": {"l1": 0.1}}),
        "of the layer conv2d_1, kernel_regularizer is L1, but gpucnn has L2 alone",
    ),
    (
        argument(1, activation="softplus"),
        "of the layer conv2d_1, activation is 'softplus': choose one of linear, relu, relu6, "
        "leaky_relu, elu, gelu, silu, swish, tanh, sigmoid, softmax, or give a layer such as "
        "LeakyReLU(0.1)",
    ),
    (
        argument(0, batch_shape=[None, None, None, 2]),
        "its images have the shape (None, None, 2): build it with one of numbers",
    ),
    (
        called_with(mask=True),
        "re_lu is called with {'mask': True}, but gpucnn's layers take their input alone: write it "
        "by others, such as Rescaling for a division",
    ),
    (
        called_with_number,
        "re_lu is called with 255.0, but gpucnn's layers take their input alone: write it by "
        "others, such as Rescaling for a division",
    ),
    (
        layer(3, inbound_nodes=[]),
        "re_lu is called 0 times, but a layer of gpucnn once: make another for each call",
    ),
    (
        lambda config: config["config"].update(output_layers=["re_lu", 0, 0]),
        "its layers end in dense_1, and its outputs are ['re_lu', 0, 0], but a model of gpucnn has "
        "one output, to which all layers lead",
    ),
    (
        lambda config: config["config"]["layers"].append(
            deepcopy(config["config"]["layers"][0]) | {"config": {"name": "other"}}
        ),
        "it has 2 inputs (input_layer_1 and other), but a model of gpucnn has one",
    ),
    (
        taking("re_lu", "re_lu"),
        "its layers take the outputs of one another in a circle",
    ),
    (
        taking("re_lu", "missing"),
        "its layers take outputs of layers that it has not",
    ),
    (
        taking("dense_1", "global_average_pooling2d", "conv2d_1"),
        "dense_1 takes 2 outputs of other layers, but in gpucnn Add and Concatenate alone take "
        "several",
    ),
    (
        lambda config: calls_of(config, "re_lu").append(calls_of(config, "re_lu")[0]),
        "re_lu is called 2 times, but a layer of gpucnn once: make another for each call",
    ),
    (
        argument(1, filters=10**12),
        "its layers have 25,000,000,000,003 parameters, but there are 78",
    ),
]


@pytest.mark.parametrize(("change", "line"), REFUSED, ids=[line[:50] for _, line in REFUSED])
def test_what_gpucnn_has_not_is_named(change: Change, line: str) -> None:
    changed(change)
    refused(line)


def test_names_that_are_far_too_long_are_cut() -> None:
    changed(layer(3, class_name="Unheard" * 10_000))
    with pytest.raises(InvalidFileError) as caught:
        Sequential.load(FILE)
    assert len(str(caught.value)) < 500


# Damage


def test_numbers_of_other_files_are_not_read() -> None:
    Path("other.h5").write_bytes((FILES / "of_many_layers.weights.h5").read_bytes())
    secret = Path("secret.bin")
    secret.write_bytes(bytes(1000))
    kernel = "layers/conv2d/vars/0"

    def link_out(file: Any) -> None:
        del file[kernel]
        file[kernel] = h5py.ExternalLink("other.h5", "/x")

    def link_within(file: Any) -> None:
        del file[kernel]
        file[kernel] = h5py.SoftLink("/layers/dense/vars/0")

    def store_outside(file: Any) -> None:
        del file[kernel]
        file.create_dataset(kernel, (3, 3, 2, 3), "f4", external=[(str(secret), 0, 216)])

    def make_virtual(file: Any) -> None:
        del file[kernel]
        layout = h5py.VirtualLayout((3, 3, 2, 3), "f4")
        layout[:] = h5py.VirtualSource("other.h5", "x", (3, 3, 2, 3))
        file.create_virtual_dataset(kernel, layout)

    for change in (link_out, link_within):
        with_weights(change)
        refused(f"it has no {kernel}")
    for change in (store_outside, make_virtual):
        with_weights(change)
        refused(f"the numbers of its {kernel} are not in it")


def test_small_files_of_many_numbers_are_not_read() -> None:
    def inflate(file: Any) -> None:
        del file["layers/conv2d/vars/0"]
        file.create_dataset("layers/conv2d/vars/0", (10**6, 10**6), "f4", chunks=True)

    with_weights(inflate)
    refused("the numbers of its layers/conv2d/vars/0 are not in it")


def test_numbers_of_bfloat16_are_read() -> None:
    """Keras writes them as pairs of bytes, without a sign of it but in an attribute."""
    kernel = "layers/conv2d/vars/0"
    values = np.linspace(-2, 2, 54, dtype=np.float32).reshape(3, 3, 2, 3)
    upper = (values.view(np.uint32) >> 16).astype(np.uint16)
    cut = (upper.astype(np.uint32) << 16).view(np.float32)

    def change(file: Any) -> None:
        del file[kernel]
        file[kernel] = upper.view("V2")

    with_weights(change)
    found = Sequential.load(FILE).get_weights()[0]
    assert_array_equal(found, cut)
    assert_allclose(found, values, rtol=2**-7)


def test_what_is_not_numbers_is_refused() -> None:
    for values in (np.array([b"a"]), np.zeros(2, complex)):

        def change(file: Any, values: Any = values) -> None:
            del file["layers/conv2d/vars/0"]
            file["layers/conv2d/vars/0"] = values

        with_weights(change)
        refused("its layers/conv2d/vars/0 is not an array of numbers")


def test_what_is_compressed_may_be_small() -> None:
    parts = parts_of(FILES / "functional.keras")
    write_parts(FILE, parts, zipfile.ZIP_DEFLATED)
    found = Sequential.load(FILE).predict(images())
    assert_allclose(found, OUTPUTS["functional"], atol=1e-5)
    write_parts(FILE, parts | {"model.weights.h5": bytes(2**26 + 1)}, zipfile.ZIP_DEFLATED)
    refused(
        "its model.weights.h5 is compressed, and has 67,108,865 bytes: pack it as Keras does, "
        "without compression"
    )


def test_parts_that_are_missing_are_named() -> None:
    with zipfile.ZipFile(FILE, "w") as archive:
        archive.writestr("metadata.json", "{}")
    refused("it has no config.json")
    with_weights(lambda file: file.move("layers/dense", "layers/other"))
    refused("it has no layers/dense/vars")
    with_weights(lambda file: file["layers/dense/vars"].move("1", "7"))
    refused("it has no layers/dense/vars/1")


@pytest.mark.parametrize("name", ["of_many_layers.weights.h5", *MODELS])
def test_damaged_files_are_refused_in_a_line(name: str) -> None:
    model, path = loaded(MODELS[0]), Path("damaged")
    content = (FILES / name).read_bytes()
    random = np.random.default_rng(0)
    for _ in range(60):
        spoilt = bytearray(content)
        for place in random.integers(0, len(content), 20):
            spoilt[place] = random.integers(256)
        path.write_bytes(spoilt[: random.integers(len(content) // 2, len(content) + 1)])
        with suppress(InvalidFileError):  # where it is not only of other weights
            model.load_weights(path)


@pytest.mark.parametrize("name", ["of_many_layers.keras", "functional.keras", "branching.keras"])
def test_configurations_that_are_none_are_refused_in_a_line(name: str) -> None:
    """Each value of one is replaced by others in turn."""
    with zipfile.ZipFile(FILES / name) as archive:
        config = json.loads(archive.read("config.json"))
    config.pop("compile_config")
    values: list[Any] = [None, -1, "text", [], {}, [[None]], 1e308, True]
    random = np.random.default_rng(0)
    paths = list(places(config))
    for index in random.choice(len(paths), 100, replace=False):
        for value in values[index % 4 :: 4]:
            changed(partial(put, at=paths[index], value=value), name)
            with suppress(InvalidFileError, InvalidTypeError):
                Sequential.load(FILE, "cpu", threads=1)


def places(value: Any, at: tuple[Any, ...] = ()) -> Any:
    """The ways to each value within one."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in inside:
        yield (*at, key)
        if isinstance(inner, (dict, list)):
            yield from places(inner, (*at, key))


def put(config: Any, at: tuple[Any, ...], value: Any) -> None:
    for key in at[:-1]:
        config = config[key]
    config[at[-1]] = value


# The package h5py


def test_without_h5py_a_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    line = (
        "a file of Keras needs the package h5py, which is not installed: pip install "
        "'gpucnn[keras]'"
    )
    with refusal(line, MissingExtraError):
        loaded("functional.keras")

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from expect import refusal
from gpucnn import (
    GELU,
    SGD,
    Activation,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalMaxPooling2D,
    Input,
    MaxPool2D,
    Model,
    RandomFlip,
    RandomTranslation,
    ReLU,
    Rescaling,
    SeparableConv2D,
    Sequential,
    Sigmoid,
    Softmax,
    ZeroPadding2D,
    models,
)
from gpucnn.errors import InvalidFileError, InvalidTypeError, MissingExtraError, TrainingError
from gpucnn.layers import LAYERS, Layer
from gpucnn.models.exchange.onnx import to_onnx
from gpucnn.models.exchange.onnx.operators import MERGERS, OPERATORS
from models.exchange.layers import IMAGES, SHAPE, VECTORS, built
from models.exchange.random_networks import random_graph, random_network

FILE = "model.onnx"
BATCHES = 1, 5
TOLERANCE = 1e-5  # of the outputs' magnitude, in float32


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def drawn(model: Model, images: int) -> NDArray[np.float32]:
    shape = images, *model.input_shape
    return np.random.default_rng(0).uniform(-0.5, 0.5, shape).astype(np.float32)


def run(x: NDArray[Any]) -> NDArray[Any]:
    """What ONNX Runtime computes by the file."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(FILE, options, providers=["CPUExecutionProvider"])
    (outputs,) = session.run(None, {"input": x})
    return np.asarray(outputs)


def check(model: Model, x: NDArray[Any]) -> None:
    """Check that the file computes of images what the model predicts."""
    expected = model.predict(x)
    found = run(x)
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE * abs(expected).max())


def check_floats(model: Model) -> None:
    """Check that a file for floats computes what the model predicts."""
    model.export(FILE)
    for images in BATCHES:
        check(model, drawn(model, images))


# Layers


@pytest.mark.parametrize("layer", IMAGES, ids=repr)
def test_a_layer_computes_what_it_does_here(layer: Layer) -> None:
    check_floats(built([Conv2D(4, 1), layer, Flatten(), Dense(3)]))


@pytest.mark.parametrize("layers", VECTORS, ids=repr)
def test_vectors_have_their_elements_in_order(layers: list[Layer]) -> None:
    ending = [] if isinstance(layers[0], Conv2D) else [Dense(3)]
    check_floats(built([*layers, *ending]))


@pytest.mark.parametrize(
    "layer",
    [RandomFlip(), RandomTranslation(0.2, 0.2), Rescaling(2.0), ZeroPadding2D(), MaxPool2D()],
    ids=repr,
)
def test_a_layer_may_come_first(layer: Layer) -> None:
    check_floats(built([layer, Flatten(), Dense(3)]))


def test_images_may_have_no_rows() -> None:
    check_floats(built([BatchNormalization(), Dense(3)], (8,)))
    check_floats(built([BatchNormalization(), Flatten(), Dense(3)], (5, 4)))


def test_every_layer_that_runs_is_known() -> None:
    others = {SeparableConv2D, Softmax}  # which run as others, or with the end
    assert OPERATORS.keys() | MERGERS.keys() == set(LAYERS) - others


@pytest.mark.parametrize("seed", range(200))
def test_random_networks_compute_what_they_do_here(seed: int) -> None:
    check_floats(random_network(seed))


@pytest.mark.parametrize("seed", range(60))
def test_random_networks_that_branch_compute_what_they_do_here(seed: int) -> None:
    check_floats(random_graph(seed))


@pytest.mark.parametrize("name", models.MODELS)
def test_presets_compute_what_they_do_here(name: str) -> None:
    check_floats(models.MODELS[name]("float32", "cpu"))


# Ends

ENDS: list[tuple[list[Layer], str | None, str]] = [
    ([Dense(3)], None, "probabilities"),
    ([Dense(3, "softmax")], None, "probabilities"),
    ([Dense(3), Softmax()], "categorical_crossentropy", "probabilities"),
    ([Dense(3), Activation("softmax")], None, "probabilities"),
    ([Dense(1, "sigmoid")], "binary_crossentropy", "probabilities"),
    ([Dense(3), Sigmoid()], None, "probabilities"),
    ([Dense(3)], "mse", "outputs"),
    ([Dense(3), Dropout(0.5)], "mse", "outputs"),
    ([Dense(3), GELU()], "mse", "outputs"),
]


@pytest.mark.parametrize(("layers", "loss", "name"), ENDS, ids=repr)
def test_the_output_is_called_what_it_is(layers: list[Layer], loss: str | None, name: str) -> None:
    model = built([Flatten(), *layers])
    model.compile(loss=loss)
    check_floats(model)
    (output,) = onnx.load(FILE).graph.output
    assert output.name == name


def test_softmax_of_a_model_is_exported() -> None:
    model = built([Flatten(), Dense(3)])
    model.compile(loss="mse")
    check_floats(Sequential([model, Softmax()]))
    assert onnx.load(FILE).graph.output[0].name == "probabilities"


# Pixels


def test_bytes_are_normalised_in_the_graph() -> None:
    x = np.arange(256, dtype=np.uint8)[:, None, None, None]
    for layers in ([], [Rescaling(1 / 127.5, -1.0)]):
        model = built([*layers, Conv2D(3, 1), Flatten(), Dense(3)], (1, 1, 1))
        model.export(FILE, pixels="bytes")
        check(model, x)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-0.5, 0.5), (-1, 1), (0, 255)])
def test_bytes_become_what_the_model_was_trained_on(low: float, high: float) -> None:
    x = np.random.default_rng(0).integers(0, 256, (20, *SHAPE), dtype=np.uint8)
    x[0, 0, 0, :2] = 0, 255
    model = built([Conv2D(3, 3), Flatten(), Dense(3)])
    model.compile(SGD(1e-4))
    model.fit(x / 255 * (high - low) + low, np.zeros(20, np.int64), verbose=0)
    model.export(FILE, pixels="bytes")
    check(model, x[:5])
    model.export(FILE)
    (tensor,) = onnx.load(FILE).graph.input
    assert tensor.doc_string == f"pixels of {low:g} to {high:g}"


def test_bytes_that_cannot_be_converted_are_refused() -> None:
    x = np.random.default_rng(0).uniform(7, 8, (4, *SHAPE)).astype(np.float32)
    model = built([Flatten(), Dense(3)])
    model.fit(x, np.zeros(4, np.int64), verbose=0)
    with refusal(
        f"the model was trained on {model.pixels}, and how to convert bytes to such is not known: "
        "export it for floats"
    ):
        model.export(FILE, pixels="bytes")
    model.export(FILE)
    check(model, x)


@pytest.mark.parametrize(("pixels", "text"), [("floats", ""), ("bytes", "pixels of 0 to 255")])
def test_before_training_floats_are_of_no_known_encoding(pixels: str, text: str) -> None:
    built([Flatten(), Dense(3)]).export(FILE, pixels=pixels)
    assert onnx.load(FILE).graph.input[0].doc_string == text


# The file


def test_names_are_those_of_the_layers() -> None:
    layers = [Conv2D(3, 2, name="first"), GELU(), Flatten(), Dense(3), BatchNormalization()]
    model = built(layers, name="mine")
    model.export(FILE)
    graph = onnx.load(FILE).graph
    assert graph.name == "mine"
    nodes = [node.name for node in graph.node]
    assert {"first", "gelu", "gelu.erf", "flatten", "dense", "probabilities"} <= set(nodes)
    assert set(model.weight_names) <= {each.name for each in graph.initializer}


def test_what_batch_normalization_is_trained_with_is_kept() -> None:
    built([Flatten(), BatchNormalization(momentum=0.75, epsilon=0.5), Dense(3)]).export(FILE)
    (node,) = (each for each in onnx.load(FILE).graph.node if each.op_type == "BatchNormalization")
    found = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    assert found == {"momentum": 0.75, "epsilon": 0.5}


def test_names_may_be_those_of_parts_of_others() -> None:
    names = [Flatten(name="a.erf"), Dense(3, name="probabilities"), Dense(2, name="input")]
    model = built([GELU(name="a"), *names, ReLU(name="probabilities.output")], name="")
    model.export(FILE, pixels="bytes")
    check(model, np.arange(168, dtype=np.uint8).reshape(1, *SHAPE))


def test_a_file_says_what_it_takes_and_gives() -> None:
    built([Flatten(), Dense(3)]).export(FILE, pixels="bytes")
    model = onnx.load(FILE)
    onnx.checker.check_model(model, full_check=True)
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 17)]
    session = onnxruntime.InferenceSession(FILE, providers=["CPUExecutionProvider"])
    (given,), (found,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == ("input", "tensor(uint8)", ["images", *SHAPE])
    assert (found.name, found.type, found.shape) == (
        "probabilities",
        "tensor(float)",
        ["images", 3],
    )


@pytest.mark.parametrize(
    ("layers", "channels", "operators"),
    [
        (
            [Rescaling(2.0), Conv2D(3, 2), ReLU(), MaxPool2D(), Flatten(), Flatten(), Dense(3)],
            4,
            "Mul Add Transpose Conv Relu MaxPool Flatten Gemm Softmax",
        ),
        ([Conv2D(3, 2), GlobalMaxPooling2D()], 4, "Transpose Conv GlobalMaxPool Flatten Softmax"),
        # a Reshape copies nothing
        ([Conv2D(3, 2), Dropout(0.5), Flatten()], 1, "Reshape Conv Flatten Gather Softmax"),
    ],
)
def test_nodes_are_as_few_as_can_be(layers: list[Layer], channels: int, operators: str) -> None:
    built(layers, (7, 6, channels)).export(FILE)
    assert " ".join(node.op_type for node in onnx.load(FILE).graph.node) == operators


def test_a_model_of_float64_becomes_one_of_float32() -> None:
    check_floats(built([Conv2D(3, 2), Flatten(), Dense(3)], dtype="float64"))


def test_an_earlier_file_is_replaced() -> None:
    built([Flatten(), Dense(9)]).export(FILE)
    check_floats(built([Flatten(), Dense(3)]))
    assert [each.name for each in Path().iterdir()] == [FILE]


def test_a_model_that_knows_its_shape_is_built() -> None:
    check_floats(Sequential([Input(SHAPE), Flatten(), Dense(3)], device="cpu", threads=1))


def test_one_that_does_not_is_refused() -> None:
    with pytest.raises(ValueError, match="does not know the shape of its images"):
        Sequential([Flatten(), Dense(3)]).export(FILE)


# Errors


class Halved(Layer):
    def build(self, input_shape: tuple[int, ...]) -> None:
        self.input_shape = self.output_shape = input_shape

    def forward(self, x: Any, step: Any) -> Any:
        return x / 2

    def backward(self, output_gradient: Any) -> Any:
        return output_gradient / 2


class MyReLU(ReLU):
    pass


@pytest.mark.parametrize("kind", [Halved, MyReLU])
def test_a_layer_of_ones_own_is_refused(kind: type[Layer]) -> None:
    with refusal(
        f"mine is a {kind.__name__}, a class of your own, for which ONNX has no operator that "
        "gpucnn knows: export a model of gpucnn's layers",
        InvalidTypeError,
    ):
        built([kind(name="mine"), Flatten(), Dense(3)]).export(FILE)
    assert not Path(FILE).exists()


@pytest.mark.parametrize(
    ("path", "options", "line", "error"),
    [
        (
            FILE,
            {"format": "tf_saved_model"},
            "format is 'tf_saved_model': choose one of onnx, torch, keras, page",
            ValueError,
        ),
        (FILE, {"pixels": "words"}, "pixels is 'words': choose one of floats, bytes", ValueError),
        (FILE, {"verbose": 3}, "verbose is 3: choose one of auto, 0, 1, 2", ValueError),
        (FILE, {"opset_version": 12}, "has no argument opset_version=12: leave it out", TypeError),
        (
            "a.keras",
            {"format": "onnx"},
            "the file to export to is 'a.keras': give a name that ends in .onnx",
            ValueError,
        ),
        (
            "a.pb",
            {},
            "the file to export to is 'a.pb': give a name that ends in .onnx or .safetensors or "
            ".keras or .weights.h5 or .html",
            ValueError,
        ),
        ("no/a.onnx", {}, "there is no folder no to write a.onnx in: make it", InvalidFileError),
    ],
)
def test_other_arguments_are_refused(
    path: str, options: dict[str, Any], line: str, error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        built([Flatten(), Dense(3)]).export(path, **options)
    assert str(caught.value).endswith(line)
    assert not list(Path().iterdir())


def test_weights_beyond_the_size_of_a_file_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(to_onnx, "MOST_BYTES", 4 * (168 * 3 + 3))
    check_floats(built([Flatten(), Dense(3)]))
    with refusal(
        "the weights take 2,704 bytes, but an ONNX file has less than 2 GiB: export a smaller model"
    ):
        built([Flatten(), Dense(4)]).export(FILE)


def test_weights_beyond_float32_are_refused() -> None:
    model = built([Flatten(), Dense(3)], dtype="float64")
    model.parameters[0] = -1e39
    with refusal(
        "dense.kernel has a number beyond 3.4e+38, the largest of float32, in which a model is "
        "exported: scale the weights down"
    ):
        model.export(FILE)


def test_without_onnx_a_line_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with refusal(
        "a file of ONNX needs the package onnx, which is not installed: pip install 'gpucnn[onnx]'",
        MissingExtraError,
    ):
        built([Flatten(), Dense(3)]).export(FILE)


def test_weights_that_are_not_finite_are_refused() -> None:
    model = built([Flatten(), Dense(3)])
    model.parameters[:] = np.nan
    with pytest.raises(TrainingError, match=r"dense\.kernel"):
        model.export(FILE)

import itertools
import random
import sys
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from expect import refusal
from gpucnn import (
    Adam,
    BatchNormalization,
    Conv2D,
    Cropping2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePooling2D,
    MaxPool2D,
    Model,
    ReLU,
    Rescaling,
    Reshape,
    Sequential,
    SiLU,
    Softmax,
    ZeroPadding2D,
)
from gpucnn.errors import GpucnnError, GpucnnWarning, InvalidFileError, MissingExtraError
from gpucnn.losses import SparseCategoricalCrossentropy
from gpucnn.models.exchange.onnx import file
from gpucnn.models.exchange.onnx.from_onnx import from_onnx
from models.exchange.random_networks import draw_weights, random_graph, random_network

FILES = Path(__file__).parent / "files"
FILE = "model.onnx"
IMAGES = 3
TOLERANCE = 1e-5  # of the outputs' magnitude, in float32


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(path: str | Path = FILE) -> Model:
    return Sequential.from_onnx(path, "cpu", 1)


def drawn(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


def assert_close(found: NDArray[Any], expected: NDArray[Any]) -> None:
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE * abs(expected).max())


# Files of gpucnn's


def test_the_names_of_the_classes_come_back() -> None:
    model = Sequential([Dense(3), Softmax()], input_shape=(4,), device="cpu", threads=1)
    model.class_names = names = "größe x", "cat", "[dog]"
    model.export(FILE)
    assert load().class_names == names
    made = onnx.load(FILE)
    for damaged, line in (
        ('["a", 3, "c"]', "its metadata class_names are no JSON array of texts: remove it"),
        ("[" * 100_000, "its metadata class_names are no JSON array of texts: remove it"),
        ('["a", "b"]', "class_names has 2 names, but the model has 3 classes: give one for each"),
    ):
        helper.set_model_props(made, {"class_names": damaged})
        onnx.save(made, FILE)
        with pytest.raises(GpucnnError, match=line):
            load()


@pytest.mark.parametrize("seed", range(200))
def test_random_networks_come_back(seed: int) -> None:
    model = random_network(seed)
    model.export(FILE)
    x = drawn(IMAGES, *model.input_shape)
    assert_close(load().predict(x), model.predict(x))


@pytest.mark.parametrize("seed", range(60))
def test_random_networks_that_branch_come_back(seed: int) -> None:
    model = random_graph(seed)
    model.export(FILE)
    back = load()
    x = drawn(IMAGES, *model.input_shape)
    assert_close(back.predict(x), model.predict(x))
    merged = ([each.name for each in of.layers if each.is_merging] for of in (back, model))
    assert next(merged) == next(merged)


@pytest.mark.parametrize("seed", range(20))
def test_networks_that_take_bytes_come_back(seed: int) -> None:
    model = random_network(seed)
    model.export(FILE, pixels="bytes")
    x = np.random.default_rng(0).integers(0, 256, (IMAGES, *model.input_shape), np.uint8)
    assert_close(load().predict(x), model.predict(x))


def test_bytes_are_taken_as_they_are() -> None:
    model = Sequential([Flatten(), Dense(3)], (2, 2, 1), device="cpu", threads=1)
    x = np.random.default_rng(0).uniform(0, 255, (50, 2, 2, 1)).astype(np.float32)
    model.compile(loss="mse")
    model.fit(x, np.zeros((50, 3)), verbose=0)  # so that it takes floats of 0 to 255
    model.export(FILE, pixels="bytes")
    back = load()
    assert back.layers[0].get_config()["scale"] == 1
    assert_close(back.predict(np.rint(x).astype(np.uint8)), model.predict(np.rint(x)))


def test_layers_and_weights_are_those_that_were_exported() -> None:
    layers = [
        Rescaling([0.5, 2.0], 0.25, name="scaled"),
        ZeroPadding2D(((1, 0), (2, 1)), name="framed"),
        Conv2D(4, 3, strides=2, padding="same", use_bias=False, name="first"),
        BatchNormalization(momentum=0.85, epsilon=0.3),
        SiLU(name="bent"),
        DepthwiseConv2D(3, depth_multiplier=2),
        ReLU(6.0),
        MaxPool2D(2, 1),
        Cropping2D(((0, 1), (1, 0))),
        Flatten(),
        Dense(12),
        Reshape((2, 3, 2)),
        Conv2D(3, 2, groups=1, name="last"),
        GlobalAveragePooling2D(name="pooled"),
        Dense(5),
        Softmax(),
    ]
    model = Sequential(layers, (13, 12, 2), device="cpu", seed=1, threads=1, name="mine")
    draw_weights(model, 1)
    model.export(FILE)
    back = load()
    assert back.name == "mine"
    assert [type(each) for each in back.layers] == [type(each) for each in layers]
    assert [each.name for each in back.layers] == [each.name for each in layers]
    for index, name in ((3, "momentum"), (3, "epsilon"), (4, "name"), (6, "max_value")):
        assert getattr(back.layers[index], name) == getattr(layers[index], name)
    assert back.input_shape == model.input_shape
    assert back.weight_names == model.weight_names
    for found, expected in zip(back.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    x = drawn(IMAGES, 13, 12, 2)
    assert_close(back.predict(x), model.predict(x))


# Files of PyTorch's and Keras's, see tests/peers/onnx_files.py


def outputs_of_peer(name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Images, channels last, and what the library that wrote the file gave for them."""
    with np.load(FILES / f"{name}.npz") as arrays:
        x, y = arrays["x"], arrays["y"]
    return x if name.startswith("keras") else np.ascontiguousarray(np.moveaxis(x, 1, -1)), y


@pytest.mark.parametrize(
    "name",
    ["vgg_torch", "mobilenet_torch", "resnet_torch", "keras_on_tensorflow", "keras_on_torch"],
)
def test_networks_of_others_compute_what_they_did(name: str) -> None:
    x, y = outputs_of_peer(name)
    assert_close(load(FILES / f"{name}.onnx").predict(x), y)


def test_logarithms_of_probabilities_become_these() -> None:
    x, y = outputs_of_peer("lenet5_torch")
    with pytest.warns(GpucnnWarning, match="predict gives the probabilities themselves"):
        model = load(FILES / "lenet5_torch.onnx")
    assert_close(model.predict(x), np.exp(y))


@pytest.mark.parametrize("name", ["vgg_torch", "resnet_torch", "keras_on_tensorflow"])
def test_networks_of_others_can_be_trained_further(name: str) -> None:
    x, _ = outputs_of_peer(name)
    model = load(FILES / f"{name}.onnx")
    y = np.arange(len(x)) % 10
    before = model.evaluate(x, y).loss
    ends_in_logits = name.endswith("_torch")
    model.compile(Adam(0.01), SparseCategoricalCrossentropy(from_logits=ends_in_logits))
    model.fit(x, y, epochs=40, verbose=0)
    assert model.evaluate(x, y).loss < before / 2
    model.save("tuned.safetensors")
    again = Sequential.load("tuned.safetensors", "cpu", 1)
    np.testing.assert_array_equal(again.predict(x), model.predict(x))


# Operators, against ONNX Runtime

Nodes = Sequence[Any]


def constant(name: str, values: Any, dtype: Any = np.float32) -> Any:
    return numpy_helper.from_array(np.asarray(values, dtype), name)


def write(
    nodes: Nodes,
    constants: Nodes = (),
    shape: Sequence[Any] = ("n", 3, 7, 6),
    opset: int = 20,
    producer: str = "",
    outputs: Sequence[str] = ("y",),
    inputs: Sequence[str] = ("x",),
) -> None:
    """Write a model, the inputs of whose nodes are "x" and what others give."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(each, TensorProto.FLOAT, shape) for each in inputs],
        [helper.make_tensor_value_info(each, TensorProto.FLOAT, None) for each in outputs],
        list(constants),
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("mine", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name=producer)
    Path(FILE).write_bytes(model.SerializeToString())


def node(operator: str, given: str, gives: str, **attributes: Any) -> Any:
    name = f"{operator.lower()}_{gives}"
    return helper.make_node(operator, given.split(), gives.split(), name, **attributes)


KERNEL = constant("kernel", drawn(4, 3, 3, 2))
CHANNELS = constant("channels", [[[0.5]], [[1.5]], [[-2.0]]])
NUMBER = constant("number", 1.5)

ERF = [
    node("Div", "x root", "a"),
    node("Erf", "a", "b"),
    node("Add", "b one", "c"),
]
OF_ERF = [constant("root", 2**0.5), constant("one", 1), constant("half", 0.5)]

CASES: dict[str, tuple[Nodes, Nodes]] = {
    "Conv": ([node("Conv", "x kernel bias", "y", strides=[2, 1])], [constant("bias", drawn(4))]),
    "Conv, padded": ([node("Conv", "x kernel", "y", pads=[2, 0, 1, 1], strides=[2, 2])], []),
    "Conv, dilated": ([node("Conv", "x kernel", "y", dilations=[2, 2])], []),
    "Conv, SAME_UPPER": (
        [node("Conv", "x kernel", "y", auto_pad="SAME_UPPER", strides=[2, 2])],
        [],
    ),
    "Conv, SAME_LOWER": ([node("Conv", "x kernel", "y", auto_pad="SAME_LOWER")], []),
    "Conv, VALID": ([node("Conv", "x kernel", "y", auto_pad="VALID")], []),
    "Conv, then Add": (
        [node("Conv", "x kernel", "a"), node("Add", "a bias", "y")],
        [constant("bias", drawn(4, 1, 1))],
    ),
    "MaxPool": ([node("MaxPool", "x", "y", kernel_shape=[2, 3])], []),
    "MaxPool, padded": (
        [
            node("Relu", "x", "a"),
            node("MaxPool", "a", "y", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        ],
        [],
    ),
    "MaxPool, rounded up": (
        [
            node("Relu", "x", "a"),
            node("MaxPool", "a", "y", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        ],
        [],
    ),
    "AveragePool": ([node("AveragePool", "x", "y", kernel_shape=[2, 2], strides=[2, 2])], []),
    "AveragePool, padded": (
        [node("AveragePool", "x", "y", kernel_shape=[3, 3], pads=[1, 1, 1, 1])],
        [],
    ),
    "AveragePool, counting": (
        [
            node(
                "AveragePool",
                "x",
                "y",
                kernel_shape=[3, 3],
                pads=[1, 1, 1, 1],
                strides=[2, 2],
                count_include_pad=1,
            )
        ],
        [],
    ),
    "GlobalAveragePool": ([node("GlobalAveragePool", "x", "y")], []),
    "GlobalMaxPool, then Conv": (
        [node("GlobalMaxPool", "x", "a"), node("Conv", "a point", "y")],
        [constant("point", drawn(2, 3, 1, 1))],
    ),
    "ReduceMean": (
        [node("ReduceMean", "x axes", "y", keepdims=0)],
        [constant("axes", [2, 3], np.int64)],
    ),
    "ReduceMax": (
        [node("ReduceMax", "x axes", "a"), node("Squeeze", "a axes", "y")],
        [constant("axes", [-1, -2], np.int64)],
    ),
    "BatchNormalization": (
        [node("BatchNormalization", "x g b m v", "y", epsilon=0.1)],
        [constant(name, [1.5, 0.5, 2]) for name in "gbmv"],
    ),
    "Relu": ([node("Relu", "x", "y")], []),
    "LeakyRelu": ([node("LeakyRelu", "x", "y")], []),
    "PRelu": ([node("PRelu", "x slope", "y")], [constant("slope", [[[0.2]]] * 3)]),
    "Elu": ([node("Elu", "x", "y", alpha=0.5)], []),
    "Gelu": ([node("Gelu", "x", "y")], []),
    "Sigmoid": ([node("Sigmoid", "x", "y")], []),
    "Tanh": ([node("Tanh", "x", "y")], []),
    "Clip": ([node("Clip", "x zero", "y")], [constant("zero", 0)]),
    "Clip to a most": (
        [node("Clip", "x zero most", "y")],
        [constant("zero", 0), constant("most", 0.4)],
    ),
    "Min after Relu": ([node("Relu", "x", "a"), node("Min", "number a", "y")], [NUMBER]),
    "GELU of PyTorch": (
        [*ERF, node("Mul", "x c", "d"), node("Mul", "d half", "y")],
        OF_ERF,
    ),
    "GELU of Keras": ([node("Mul", "half x", "h"), *ERF, node("Mul", "h c", "y")], OF_ERF),
    "SiLU": ([node("Sigmoid", "x", "a"), node("Mul", "x a", "y")], []),
    "SiLU with factors": (
        [node("Sigmoid", "x", "a"), node("Mul", "a channels", "b"), node("Mul", "x b", "y")],
        [CHANNELS],
    ),
    "Add": ([node("Add", "x number", "y")], [NUMBER]),
    "Add of two": ([node("Relu", "x", "a"), node("Tanh", "a", "b"), node("Add", "a b", "y")], []),
    "Add of one twice": ([node("Add", "x x", "y")], []),
    "Sum": ([node("Relu", "x", "a"), node("Tanh", "x", "b"), node("Sum", "a x b", "y")], []),
    "Concat of channels": (
        [
            node("Conv", "x kernel", "a"),
            node("Relu", "a", "b"),
            node("Concat", "b a b", "y", axis=1),
        ],
        [],
    ),
    "Concat of columns": (
        [node("MaxPool", "x", "a", kernel_shape=[1, 2]), node("Concat", "x a", "y", axis=-1)],
        [],
    ),
    "Concat of channels that are last": (
        [
            node("Conv", "x kernel", "c"),
            node("Transpose", "c", "t", perm=[0, 2, 3, 1]),
            node("Tanh", "t", "a"),
            node("Concat", "t a", "b", axis=3),
            node("Transpose", "b", "y", perm=[0, 3, 1, 2]),
        ],
        [],
    ),
    "Concat of vectors": (
        [
            node("Flatten", "x", "a"),
            node("Conv", "x kernel", "b"),
            node("Flatten", "b", "c"),
            node("Concat", "c a", "y", axis=1),
        ],
        [],
    ),
    "Add of vectors": (
        [node("Flatten", "x", "a"), node("Tanh", "a", "b"), node("Add", "a b", "y")],
        [],
    ),
    "SiLU beside what it takes": (
        [node("Sigmoid", "x", "a"), node("Mul", "x a", "b"), node("Add", "b x", "y")],
        [],
    ),
    "a bias that one branch has": (
        [node("Conv", "x kernel", "a"), node("Add", "a number", "b"), node("Add", "b a", "y")],
        [NUMBER],
    ),
    "a bias that one branch has, by another name": (
        [
            node("Conv", "x kernel", "a"),
            node("Identity", "a", "i"),
            node("Add", "i number", "b"),
            node("Sub", "a number", "c"),
            node("Add", "b c", "y"),
        ],
        [NUMBER],
    ),
    "factors that one branch has": (
        [
            node("Mul", "x channels", "a"),
            node("Mul", "a number", "b"),
            node("Tanh", "b", "c"),
            node("Add", "c a", "y"),
        ],
        [CHANNELS, NUMBER],
    ),
    "padded maxima of a sum": (
        [
            node("Relu", "x", "a"),
            node("Sigmoid", "x", "b"),
            node("Add", "a b", "c"),
            node("MaxPool", "c", "y", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        ],
        [],
    ),
    "Sub": ([node("Sub", "x channels", "y")], [CHANNELS]),
    "Sub from": ([node("Sub", "channels x", "y")], [CHANNELS]),
    "Mul": ([node("Mul", "channels x", "y")], [CHANNELS]),
    "Div": ([node("Div", "x channels", "y")], [CHANNELS]),
    "Neg": ([node("Neg", "x", "y")], []),
    "Dropout": ([node("Dropout", "x", "y")], []),
    "Cast": ([node("Cast", "x", "a", to=TensorProto.FLOAT), node("Identity", "a", "y")], []),
    "Pad": (
        [node("Pad", "x pads", "y")],
        [constant("pads", [0, 0, 1, 2, 0, 0, 0, 1], np.int64)],
    ),
    "Slice": (
        [node("Slice", "x starts ends axes", "y")],
        [
            constant("starts", [1, 0], np.int64),
            constant("ends", [9, -2], np.int64),
            constant("axes", [2, 3], np.int64),
        ],
    ),
    "Reshape, as PyTorch's view": (
        [
            node("Shape", "x", "s"),
            node("Gather", "s zero", "n", axis=0),
            node("Unsqueeze", "n first", "u"),
            node("Concat", "u rest", "t", axis=0),
            node("Reshape", "x t", "y"),
        ],
        [
            constant("zero", 0, np.int64),
            constant("first", [0], np.int64),
            constant("rest", [-1], np.int64),
        ],
    ),
    "Reshape that keeps sizes": (
        [node("Reshape", "x t", "a"), node("ReduceMean", "a axes", "y")],
        [constant("t", [0, 0, -1], np.int64), constant("axes", [2], np.int64)],
    ),
    "Unsqueeze": (
        [node("Flatten", "x", "a"), node("Unsqueeze", "a axes", "b"), node("Flatten", "b", "y")],
        [constant("axes", [2, 3], np.int64)],
    ),
    "weights that are computed": (
        [
            node("Transpose", "kernel", "k", perm=[0, 1, 3, 2]),
            node("Sqrt", "number", "r"),
            node("Mul", "k r", "scaled"),
            node("Conv", "x scaled", "y"),
        ],
        [NUMBER],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_operators_compute_what_they_do_elsewhere(case: str) -> None:
    nodes, constants = CASES[case]
    # A dense layer after them, since it is by the order of the elements that errors are seen.
    size = run_parts(nodes, constants)
    last = [node("Flatten", "y", "flat"), node("Gemm", "flat dense", "scores", alpha=0.5)]
    used = {name for each in nodes for name in each.input}
    kernels = [each for each in (KERNEL, *constants) if each.name in used]
    write([*nodes, *last], [*kernels, constant("dense", drawn(size, 5))], outputs=["scores"])
    compare_with_runtime()


def run_parts(nodes: Nodes, constants: Nodes) -> int:
    """How many numbers the nodes give for an image."""
    used = {name for each in nodes for name in each.input}
    write(nodes, [each for each in (KERNEL, *constants) if each.name in used])
    (found,) = runtime().run(None, {"x": drawn(1, 3, 7, 6)})
    return int(np.size(found))


def runtime() -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(FILE, options, providers=["CPUExecutionProvider"])


def compare_with_runtime(*, channels_first: bool = True) -> None:
    session = runtime()
    model = load()
    shape = model.input_shape
    x = drawn(IMAGES, *shape)
    given = np.ascontiguousarray(np.moveaxis(x, -1, 1)) if channels_first else x
    (expected,) = session.run(None, {"x": given})
    assert_close(model.predict(x), expected)


@pytest.mark.parametrize("last", [["MatMul"], ["MatMul", "Add"], ["Gemm"], ["Gemm", "Softmax"]])
def test_vectors(last: list[str]) -> None:
    nodes, name = [node("Flatten", "x", "a")], "a"
    given = {"MatMul": " dense", "Add": " bias", "Gemm": " turned bias", "Softmax": ""}
    for operator in last:
        attributes = {"Gemm": {"transB": 1, "beta": 0.5}}.get(operator, {})
        nodes.append(node(operator, name + given[operator], operator, **attributes))
        name = operator
    matrix = drawn(126, 4)
    arrays = {"dense": matrix, "turned": matrix.T, "bias": drawn(4)}
    used = {each for one in nodes for each in one.input}
    constants = [constant(key, each) for key, each in arrays.items() if key in used]
    write(nodes, constants, outputs=[name])
    compare_with_runtime()


def test_images_whose_channels_are_last() -> None:
    write(
        [
            node("Add", "x number", "a"),
            node("Pad", "a pads", "p"),
            node("Transpose", "p", "b", perm=[0, 3, 1, 2]),
            node("Conv", "b kernel", "c"),
            node("Transpose", "c", "d", perm=[0, 2, 3, 1]),
            node("ReduceMean", "d axes", "e", keepdims=0),
            node("MatMul", "e dense", "y"),
        ],
        [
            NUMBER,
            KERNEL,
            constant("pads", [0, 1, 2, 0, 0, 0, 1, 0], np.int64),
            constant("axes", [1, 2], np.int64),
            constant("dense", drawn(4, 2)),
        ],
        ("n", 7, 6, 3),
    )
    compare_with_runtime(channels_first=False)


@pytest.mark.parametrize(("shape", "first"), [((1, 4, 5), True), ((4, 5, 3), False)])
def test_without_an_operator_that_tells_the_channels_are_the_fewest(
    shape: tuple[int, int, int], first: bool
) -> None:
    size = int(np.prod(shape))
    write(
        [node("Flatten", "x", "a"), node("MatMul", "a dense", "y")],
        [constant("dense", drawn(size, 2))],
        ("n", *shape),
    )
    assert load().input_shape == ((*shape[1:], shape[0]) if first else shape)
    compare_with_runtime(channels_first=first)


def test_images_of_a_pixel_are_merged_as_they_are() -> None:
    """They lie in one order, whichever axis is that of the channels."""
    turned = node("Transpose", "a", "b", perm=[0, 2, 3, 1])
    merged = node("Tanh", "b", "c"), node("Concat", "b c", "d", axis=3)
    last = node("Flatten", "d", "e"), node("MatMul", "e dense", "y")
    kernel, dense = constant("kernel", drawn(4, 3, 7, 6)), constant("dense", drawn(8, 2))
    write([node("Conv", "x kernel", "a"), turned, *merged, *last], [kernel, dense])
    compare_with_runtime()
    kinds = [type(each).__name__ for each in load().layers]
    assert kinds == ["Conv2D", "Tanh", "Concatenate", "Flatten", "Dense"]


def test_vectors_may_come_in() -> None:
    write([node("MatMul", "x dense", "y")], [constant("dense", drawn(5, 2))], ("n", 5))
    compare_with_runtime(channels_first=False)


def test_a_file_may_be_for_a_fixed_number_of_images() -> None:
    write(
        [node("Reshape", "x to", "a"), node("MatMul", "a dense", "y")],
        [constant("to", [IMAGES, 126], np.int64), constant("dense", drawn(126, 2))],
        (IMAGES, 3, 7, 6),
    )
    compare_with_runtime()


def test_attributes_of_earlier_versions() -> None:
    write(
        [
            node("Clip", "x", "a", min=0.0, max=1.0),
            node("ReduceMean", "a", "b", axes=[2, 3]),
            node("Squeeze", "b", "c", axes=[2, 3]),
            node("Dropout", "c", "d", ratio=0.25),
            node("MatMul", "d dense", "e"),
            node("Softmax", "e", "y"),
        ],
        [constant("dense", drawn(3, 2))],
        opset=10,
    )
    compare_with_runtime()
    assert load().layers[2].get_config()["rate"] == 0.25


def test_weights_in_a_file_beside_it() -> None:
    write([node("Flatten", "x", "a"), node("MatMul", "a w", "y")], [constant("w", drawn(126, 3))])
    model = onnx.load(FILE)
    onnx.save(model, FILE, save_as_external_data=True, location="model.onnx.data", size_threshold=0)
    assert Path("model.onnx.data").exists()
    compare_with_runtime()
    Path("model.onnx.data").unlink()
    with pytest.raises(InvalidFileError, match=r"has weights in a file beside it, which can"):
        load()


# Errors

Case = tuple[Nodes, Nodes, dict[str, Any], str]
DENSE = constant("dense", drawn(126, 3))
TWO = (
    "it takes 2 tensors that follow from the images, but of gpucnn's layers Add and Concatenate "
    "alone take several: write it by these"
)

REFUSED: dict[str, Case] = {
    "an unknown operator": (
        [node("ConvTranspose", "x kernel", "y")],
        [KERNEL],
        {},
        "the node convtranspose_y (ConvTranspose): gpucnn has no layer that is ONNX's "
        "ConvTranspose: leave it out, or write it by others",
    ),
    "one of another's": (
        [node("Relu6", "x", "y", domain="mine")],
        [],
        {},
        "the node relu6_y (Relu6): gpucnn has no layer that is ONNX's Relu6: leave it out, or "
        "write it by others",
    ),
    "a quantised model": (
        [node("QuantizeLinear", "x number", "a"), node("DequantizeLinear", "a number", "y")],
        [NUMBER],
        {},
        "the node quantizelinear_a (QuantizeLinear): gpucnn has no layer that is ONNX's "
        "QuantizeLinear: give the model in floats, as it was before it was quantised",
    ),
    "a square": ([node("Mul", "x x", "y")], [], {}, f"the node mul_y (Mul): {TWO}"),
    "a gate": (
        [node("Relu", "x", "a"), node("Tanh", "a", "b"), node("Mul", "a b", "y")],
        [],
        {},
        f"the node mul_y (Mul): {TWO}",
    ),
    "constants beside tensors": (
        [node("Tanh", "x", "a"), node("Concat", "a channels x", "y", axis=1)],
        [CHANNELS],
        {},
        f"the node concat_y (Concat): {TWO}",
    ),
    "a sum of other shapes": (
        [node("GlobalMaxPool", "x", "a"), node("Add", "a x", "y")],
        [],
        {},
        "the node add_y (Add): add adds inputs of one shape, but is given (1, 1, 3) and "
        "(7, 6, 3): bring them to one shape first, such as by Conv2D(filters, 1, strides)",
    ),
    "a sum of images and vectors": (
        [node("Flatten", "x", "a"), node("Add", "a x", "y")],
        [],
        {},
        "the node add_y (Add): it merges tensors of the shapes (126,), (3, 7, 6), but gpucnn those "
        "of as many axes: bring them to one shape first",
    ),
    "a sum of vectors in other orders": (
        [
            node("Transpose", "x", "t", perm=[0, 2, 3, 1]),
            node("Flatten", "t", "a"),
            node("Flatten", "x", "b"),
            node("Add", "a b", "y"),
        ],
        [],
        {},
        "the node add_y (Add): it adds vectors that have their elements in different orders: "
        "flatten images of one shape",
    ),
    "the second output of a node": (
        [node("Split", "x", "a b", axis=3, num_outputs=2), node("Relu", "b", "y")],
        [],
        {},
        "the node split_a b (Split): gpucnn has no layer that is ONNX's Split: leave it out, or "
        "write it by others",
    ),
    "the indices of a pooling": (
        [node("MaxPool", "x", "a b", kernel_shape=[1, 1]), node("Cast", "b", "y", to=1)],
        [],
        {},
        "the node cast_y (Cast): it takes b, which gpucnn does not compute from the images: give a "
        "model of nodes with one output each",
    ),
    "a padding by edges before a sum": (
        [
            node("Pad", "x pads", "a", mode="edge"),
            node("Add", "a a", "y"),
        ],
        [constant("pads", [0, 0, 1, 1, 0, 0, 1, 1], np.int64)],
        {},
        "the node add_y (Add): it follows a padding by pixels of the edges, which gpucnn has "
        "before maxima alone",
    ),
    "another function": (
        [node("HardSigmoid", "x", "a"), node("Mul", "x a", "y")],
        [],
        {},
        "the node hardsigmoid_a (HardSigmoid): gpucnn has no layer that is ONNX's HardSigmoid: "
        "leave it out, or write it by others",
    ),
    "GELU by tanh": (
        [node("Gelu", "x", "y", approximate="tanh")],
        [],
        {},
        "the node gelu_y (Gelu): it approximates GELU by tanh, but gpucnn has the exact one",
    ),
    "a convolution of one axis": (
        [node("Conv", "x kernel", "y")],
        [constant("kernel", drawn(4, 3, 2))],
        {"shape": ("n", 3, 7)},
        "the node conv_y (Conv): its kernel has the shape (4, 3, 2), but gpucnn convolves images, "
        "by kernels (filters, channels, height, width)",
    ),
    "a normalisation as in training": (
        [node("BatchNormalization", "x gamma beta mean variance", "y a b", training_mode=1)],
        [constant(name, np.ones(3)) for name in ("gamma", "beta", "mean", "variance")],
        {},
        "the node batchnormalization_y a b (BatchNormalization): it normalises by the mean of a "
        "batch, as in training: export the model for inference",
    ),
    "bounds of each channel": (
        [node("Relu", "x", "a"), node("Min", "a most", "y")],
        [constant("most", np.ones((3, 1, 1)))],
        {},
        "the node min_y (Min): it takes numbers of the shape (3, 1, 1), but gpucnn one for all "
        "elements",
    ),
    "a bound that is computed": (
        [node("Clip", "least x", "y")],
        [constant("least", 0)],
        {},
        "the node clip_y (Clip): its input 1 is computed by the model, but a layer of gpucnn has "
        "constants there: give a model with fixed weights",
    ),
    "a bound that is written as it is": (
        [node("Relu", "x", "a"), node("Min", "a most", "y")],
        [constant("most", -0.3)],
        {},
        "the node min_y (Min): max_value is -0.3: it must be a number above 0",
    ),
    "weights that are computed": (
        [node("Conv", "kernel x", "y")],
        [KERNEL],
        {},
        "the node conv_y (Conv): its input 1 is computed by the model, but a layer of gpucnn has "
        "constants there: give a model with fixed weights",
    ),
    "two inputs": ([node("Add", "x z", "y")], [], {"inputs": ("x", "z")}, "it has 2 inputs (x, z): "
        "give a model with one"),
    "two outputs": (
        [node("Relu", "x", "y"), node("Tanh", "x", "z")],
        [],
        {"outputs": ("y", "z")},
        "it has 2 outputs (y, z): give a model with one",
    ),
    "images of any size": (
        [node("Conv", "x kernel", "y")],
        [KERNEL],
        {"shape": ("n", 3, "h", "w")},
        "its input x has images of the shape (3, 0, 0), in which 0 stands for any size: export it "
        "with images of one size",
    ),
    "softmax in between": (
        [node("Flatten", "x", "a"), node("Softmax", "a", "b"), node("MatMul", "b dense", "y")],
        [DENSE],
        {},
        "the node matmul_y (MatMul): it follows softmax, which a model of gpucnn has at its end "
        "alone: leave one out",
    ),
    "an order that stays": (
        [node("Flatten", "x", "y")],
        [],
        {},
        "the model gives an image, channels first, but a model of gpucnn gives vectors, made in "
        "the order (rows, columns, channels): let it end in a dense layer or in pooling of whole "
        "images",
    ),
    "a batch that is reshaped": (
        [node("Reshape", "x to", "y")],
        [constant("to", [-1, 7], np.int64)],
        {},
        "the node reshape_y (Reshape): it makes the shape (-1, 7), whose first axis is not that of "
        "the 1 images: let it be",
    ),
    "strides and dilation": (
        [node("Conv", "x kernel", "y", strides=[2, 2], dilations=[2, 2])],
        [KERNEL],
        {},
        "the node conv_y (Conv): its strides are (2, 2) and its dilation (2, 2): only one of them "
        "may be above 1",
    ),
    "a pooling that leaves pixels out": (
        [node("MaxPool", "x", "y", kernel_shape=[2, 2], dilations=[2, 2])],
        [],
        {},
        "the node maxpool_y (MaxPool): it pools pixels that are (2, 2) apart, but gpucnn all of a "
        "window",
    ),
    "reflected pixels": (
        [node("Pad", "x pads", "y", mode="reflect")],
        [constant("pads", [0, 0, 1, 1, 0, 0, 1, 1], np.int64)],
        {},
        "the node pad_y (Pad): it pads with other numbers than 0, which gpucnn does not",
    ),
    "a clip elsewhere": (
        [node("Clip", "x low", "y")],
        [constant("low", -1)],
        {},
        "the node clip_y (Clip): it clips from -1.0 to None, but gpucnn from 0, as ReLU(max_value)",
    ),
    "what is too large to compute": (
        [
            node("ConstantOfShape", "to", "c"),
            node("Add", "x c", "y"),
        ],
        [constant("to", [2**40, 2**40], np.int64)],
        {},
        f"the node constantofshape_c (ConstantOfShape): it makes a constant of {2**80} numbers: "
        "give another copy",
    ),
    "an output that is no more than a constant": (
        [node("Add", "number number", "y")],
        [NUMBER],
        {},
        "its output y is not computed from its input: give a model that does so",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_understood_is_named(case: str) -> None:
    nodes, constants, options, line = REFUSED[case]
    write(nodes, constants, **options)
    with refusal(f"{FILE} cannot be imported: {line}", InvalidFileError):
        load()


def test_integers_are_refused() -> None:
    write([node("Relu", "x", "y")])
    model = onnx.load(FILE)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    onnx.save(model, FILE)
    with pytest.raises(InvalidFileError, match="is of dtype int64: give a model of uint8 or real"):
        load()


def test_files_that_are_none_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with refusal("no.onnx is not there: give an ONNX file", InvalidFileError):
        load("no.onnx")
    Path("folder").mkdir()
    with refusal("folder is a directory: give an ONNX file", InvalidFileError):
        load("folder")
    for content in (b"", b"text", (FILES / "vgg_torch.onnx").read_bytes()[:5000]):
        Path(FILE).write_bytes(content)
        with pytest.raises(InvalidFileError, match="is cut short, damaged or not an ONNX file"):
            load()
    monkeypatch.setattr(file, "MOST_BYTES", 4)
    with refusal(f"{FILE} is larger than 2 GiB, which no ONNX file is", InvalidFileError):
        load()


def test_without_onnx_a_line_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with refusal(
        "a file of ONNX needs the package onnx, which is not installed: pip install 'gpucnn[onnx]'",
        MissingExtraError,
    ):
        load(FILES / "vgg_torch.onnx")


def test_tensors_that_no_node_takes_any_more_take_no_memory() -> None:
    count, size = 40, 3 * 256 * 256
    names = ["x", *(f"t{number}" for number in range(count)), "last"]
    pairs = itertools.pairwise(names)
    nodes = [node("MaxPool", given, gives, kernel_shape=[1, 1]) for given, gives in pairs]
    nodes.append(node("GlobalAveragePool", "last", "y"))
    write(nodes, shape=("n", 3, 256, 256))
    tracemalloc.start()
    from_onnx(FILE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < count / 4 * 4 * size  # places are of 4 bytes


# Mutated files

NUMBERS = (0, -1, 2, 7, 10**9, 2**62)


def mutated(content: bytes, draw: random.Random) -> bytes:
    """A file with some bytes changed, or cut short, or with a node or a shape changed."""
    if draw.random() < 0.4:
        changed = bytearray(content)
        for _ in range(3):
            changed[draw.randrange(min(len(changed), 4000))] = draw.randrange(256)
        return bytes(changed)
    model = onnx.load_from_string(content)
    graph, each = model.graph, draw.choice(model.graph.node)
    attributes = [one for one in each.attribute if one.ints]
    if attributes and draw.random() < 0.5:
        ints = draw.choice(attributes).ints
        ints[draw.randrange(len(ints))] = draw.choice(NUMBERS)
    elif not each.input or draw.random() < 0.1:
        graph.node.remove(each)
    elif draw.random() < 0.5:
        each.op_type = draw.choice([one.op_type for one in graph.node])
    elif draw.random() < 0.5:
        dims = graph.input[0].type.tensor_type.shape.dim
        draw.choice(dims).dim_value = draw.choice((0, -1, 2, 30, 2**62))
    else:
        names = [draw.choice(graph.initializer).name, draw.choice(graph.node).output[0]]
        each.input[draw.randrange(len(each.input))] = draw.choice(names)
    return bytes(model.SerializeToString())


@pytest.mark.filterwarnings("ignore::gpucnn.errors.GpucnnWarning")
@pytest.mark.parametrize(
    "name", ["vgg_torch", "mobilenet_torch", "resnet_torch", "keras_on_tensorflow", "lenet5_torch"]
)
def test_mutated_files_are_read_or_refused_in_one_line(name: str) -> None:
    content = (FILES / f"{name}.onnx").read_bytes()
    refused = 0
    for seed in range(40):
        Path(FILE).write_bytes(mutated(content, random.Random(seed)))
        try:
            load()
        except GpucnnError:
            refused += 1
    assert refused > 10

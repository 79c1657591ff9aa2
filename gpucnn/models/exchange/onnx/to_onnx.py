"""A model as an ONNX file."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Shape
from gpucnn.errors import InvalidValueError
from gpucnn.layers.ends import end_of
from gpucnn.models.exchange.exported import Exported
from gpucnn.models.exchange.onnx.descriptions import describe, metadata_of
from gpucnn.models.exchange.onnx.graph import INPUT, Graph
from gpucnn.models.exchange.onnx.operators import add_layer
from gpucnn.models.graph import IMAGES
from gpucnn.models.network import unroll
from gpucnn.models.pixels import AS_THEY_ARE, Encoding
from gpucnn.version import __version__

OPSET, IR_VERSION = 17, 8
"""Of ONNX 1.12, of 2022: it has all that is needed, and the runtimes of the years since read it."""

MOST_BYTES = 2**31 - 2**20
"""Of weights: a file has less than 2 GiB, the graph included."""

LARGEST = float(np.finfo(np.float32).max)

BATCH = "images"
"""The name of the batch dimension."""


def to_onnx(exported: Exported, encoding: Encoding | None, *, takes_bytes: bool) -> bytes:
    """A model as an ONNX model of float32, checked by ONNX's checker.

    Its input is (images, *input_shape), float32 or uint8; its output float32 (images, outputs).

    Args:
        exported: the model.
        encoding: of the pixels that the layers take; None if it is none of the known ones.
        takes_bytes: whether the graph takes uint8, and brings that to the encoding itself.

    Raises:
        InvalidTypeError: a layer is not one of the library's.
        InvalidValueError: the weights are larger than a file of ONNX may be, or than float32 may.
    """
    from onnx import checker, helper

    layers, taken = unroll(exported.layers), exported.graph.unrolled(exported.layers)
    _check_weights(exported.weights)
    graph = Graph(exported.weights, exported.input_shape)
    if takes_bytes:
        _add_normalisation(graph, encoding)
    outputs = {IMAGES: graph.tensor}
    for number, (layer, inputs) in enumerate(zip(layers, taken.inputs, strict=True)):
        add_layer(graph, layer, [outputs[each] for each in inputs])
        outputs[number] = graph.tensor
    is_probability = exported.softmax or end_of(exported.layers) == "sigmoid"
    output = "probabilities" if is_probability else "outputs"
    _add_end(graph, output, softmax=exported.softmax)
    made = helper.make_graph(
        graph.nodes,
        exported.name or "model",  # ONNX's checker wants a name
        [_input(exported.input_shape, encoding, takes_bytes)],
        [_tensor(output, np.float32, graph.shape)],
        graph.initializers,
    )
    model = helper.make_model(
        made,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="gpucnn",
        producer_version=__version__,
    )
    helper.set_model_props(model, metadata_of(exported.metadata))
    checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _check_weights(weights: Mapping[str, NDArray[Any]]) -> None:
    size = 4 * sum(each.size for each in weights.values())
    if size > MOST_BYTES:
        raise InvalidValueError(
            f"the weights take {size:,} bytes, but an ONNX file has less than 2 GiB: export a "
            "smaller model"
        )
    for name, values in weights.items():
        if abs(values).max(initial=0) > LARGEST:
            raise InvalidValueError(
                f"{name} has a number beyond {LARGEST:.1e}, the largest of float32, in which a "
                "model is exported: scale the weights down"
            )


def _add_normalisation(graph: Graph, encoding: Encoding | None) -> None:
    """The nodes that bring bytes to the encoding that the layers take."""
    from onnx import TensorProto

    graph.add("Cast", part="real", to=TensorProto.FLOAT)
    if encoding is not None and encoding != (0, 255):
        graph.add("Mul", graph.constant("step", encoding.width / 255), part="stretched")
        graph.add("Add", graph.constant("low", encoding.low), part="normalised")


def _add_end(graph: Graph, output: str, *, softmax: bool) -> None:
    """The end of the graph: the softmax if there is one, and the name of the output."""
    graph.to_channels_last()
    if softmax:
        graph.enter(output)
        graph.add("Softmax", axis=-1)
    graph.rename_output(output)


def _input(shape: Shape, encoding: Encoding | None, takes_bytes: bool) -> Any:
    """The input of the graph, with what the pixels are in its description."""
    if takes_bytes:
        return _tensor(INPUT, np.uint8, shape, describe(AS_THEY_ARE))
    return _tensor(INPUT, np.float32, shape, describe(encoding))


def _tensor(name: str, dtype: Any, shape: Shape, description: str = "") -> Any:
    from onnx import helper

    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, element, [BATCH, *shape], description)

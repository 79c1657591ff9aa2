"""ONNX Runtime on the CPU as a peer, for inference, with a graph that is built from the layers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.benchmark.agreement import check_agreement
from gpucnn.benchmark.nchw import check_layers, to_nchw
from gpucnn.benchmark.networks import Data, make_network, normalise
from gpucnn.benchmark.plan import Plan
from gpucnn.benchmark.subjects import INFERENCE, Tasks
from gpucnn.benchmark.timing import Task
from gpucnn.layers import Conv2D, Dense, Flatten, Layer, MaxPool2D
from gpucnn.models.sequential import Sequential

CHECKED = 32  # images that the peer is checked with
OPSET, IR_VERSION = 13, 8  # of the format, old enough for any release of the last years


class OnnxruntimePeer:
    """ONNX Runtime as a `Subject`.

    Args:
        plan: what is measured.
        data: to train on and to test on, see `load_data`.
        threads: how many it may use.

    Raises:
        InvalidValueError: it cannot be given the model, or computes something else.
    """

    name = "onnxruntime"

    def __init__(self, plan: Plan, data: Data, threads: int) -> None:
        self._network = make_network(plan.model, plan.dtype, "cpu", threads)
        self._images, self._threads = data[0][0], threads
        self._check()
        self.tasks: Tasks = {INFERENCE: self._inference}

    def _inference(self, batch_size: int) -> Task:
        session = _session(onnx_model(self._network), self._threads)
        x = self._batch(batch_size)
        return Task(lambda: session.run(None, {"x": x}))

    def _check(self) -> None:
        session = _session(onnx_model(self._network), self._threads)
        (theirs,) = session.run(None, {"x": self._batch(CHECKED)})
        backend, dtype = self._network.backend, self._network.dtype
        self._network.reserve(CHECKED)
        with backend.session():
            ours = self._network.forward(normalise(self._images[:CHECKED], dtype))
        check_agreement(self.name, "logits", theirs, backend.to_host(ours))

    def _batch(self, count: int) -> NDArray[Any]:
        """Images, real (n, channels, rows, columns)."""
        real = normalise(self._images[:count], self._network.dtype)
        return np.ascontiguousarray(real.transpose(0, 3, 1, 2))


def onnx_model(network: Sequential) -> bytes:
    """A network on the CPU, with its weights, in the format ONNX: from "x" to "logits".

    Raises:
        InvalidValueError: a layer cannot be built.
    """
    from onnx import checker, helper, numpy_helper

    check_layers(network.layers, "onnxruntime")
    rows, columns, channels = network.input_shape
    real = helper.np_dtype_to_tensor_dtype(network.dtype)
    weights = to_nchw(network.layers, network.get_weights())
    graph = helper.make_graph(
        _nodes(network.layers, network.parameter_names),
        "gpucnn",
        [helper.make_tensor_value_info("x", real, ["n", channels, rows, columns])],
        [helper.make_tensor_value_info("logits", real, ["n", network.classes])],
        [
            numpy_helper.from_array(each, name)
            for name, each in zip(network.parameter_names, weights, strict=True)
        ],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    checker.check_model(model)
    return bytes(model.SerializeToString())


def _nodes(layers: Sequence[Layer], parameters: Sequence[str]) -> list[Any]:
    """A node a layer, each of which gives what has the layer's name, the last one "logits"."""
    from onnx import helper

    nodes, given = [], "x"
    for layer in layers:
        gives = "logits" if layer is layers[-1] else layer.name
        operator, attributes = _operator(layer)
        weights = [name for name in parameters if name.startswith(f"{layer.name}.")]
        nodes.append(helper.make_node(operator, [given, *weights], [gives], **attributes))
        given = gives
    return nodes


def _operator(layer: Layer) -> tuple[str, dict[str, Any]]:
    if isinstance(layer, Conv2D):
        return "Conv", {"kernel_shape": layer.window.size, "strides": layer.window.strides}
    if isinstance(layer, MaxPool2D):
        return "MaxPool", {"kernel_shape": layer.window.size, "strides": layer.window.strides}
    if isinstance(layer, Flatten):
        return "Flatten", {}
    if isinstance(layer, Dense):
        return "Gemm", {"transB": 1}
    return "Relu", {}


def _session(model: bytes, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

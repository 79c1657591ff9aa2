"""ONNX Runtime on the CPU: inference with a graph built from the layers."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gpucnn.benchmark.contenders import INFERENCE, Tasks
from gpucnn.benchmark.peers import BasePeer, check_agreement
from gpucnn.benchmark.peers._channels_first import check_layers, to_nchw
from gpucnn.benchmark.timing import Task
from gpucnn.benchmark.workload import Workload, make_network, normalise
from gpucnn.errors import InvalidValueError
from gpucnn.layers import Conv2D, Dense, Flatten, Layer, MaxPool2D
from gpucnn.models.sequential import Sequential

CHECKED = 32  # images with which the peer is checked
OPSET, IR_VERSION = 13, 8  # of the ONNX format; releases of the last years read them


class Peer(BasePeer):
    """Inference, in float32 only.

    Args:
        workload: what to compute.
        threads: how many it may use.

    Raises:
        InvalidValueError: a layer is not supported, or the logits differ from gpucnn's.
    """

    packages: ClassVar[tuple[str, ...]] = ("onnxruntime", "onnx")

    @classmethod
    def check_support(cls, model: str, dtype: str) -> None:
        """See `BasePeer.check_support`; float32 alone is supported."""
        super().check_support(model, dtype)
        if dtype != "float32":
            raise InvalidValueError(
                f"onnxruntime cannot be measured in {dtype}, since it convolves in float32 "
                "alone: choose float32, or leave the peer out"
            )

    def __init__(self, workload: Workload, threads: int) -> None:
        self._network = make_network(workload.model, workload.dtype, "cpu", threads)
        self._images, self._threads = workload.data[0][0], threads
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
        """The first images of the training set, real (count, channels, rows, columns)."""
        real = normalise(self._images[:count], self._network.dtype)
        return np.ascontiguousarray(real.transpose(0, 3, 1, 2))


def onnx_model(network: Sequential) -> bytes:
    """A network and its weights, serialised as an ONNX model.

    The model's input is "x", real (n, channels, rows, columns); its output "logits", (n, classes).

    Args:
        network: on the CPU.

    Raises:
        InvalidValueError: a layer is not supported.
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
    """A node for each layer, whose output has the layer's name; the last one's is "logits"."""
    from onnx import helper

    nodes, given = [], "x"
    for layer in layers:
        output = "logits" if layer is layers[-1] else layer.name
        operator, attributes = _operator(layer)
        weights = [name for name in parameters if name.startswith(f"{layer.name}.")]
        nodes.append(helper.make_node(operator, [given, *weights], [output], **attributes))
        given = output
    return nodes


def _operator(layer: Layer) -> tuple[str, dict[str, Any]]:
    """The ONNX operator of a layer, and its attributes."""
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

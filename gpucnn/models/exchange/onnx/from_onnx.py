"""A model of an ONNX file, as PyTorch, Keras and gpucnn export them."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from gpucnn.backends import Shape
from gpucnn.errors import InvalidValueError, printable
from gpucnn.models.exchange import draft
from gpucnn.models.exchange.channels_first import ChannelsFirst
from gpucnn.models.exchange.imported import Imported
from gpucnn.models.exchange.metadata import NOTHING
from gpucnn.models.exchange.onnx.constants import Constants
from gpucnn.models.exchange.onnx.descriptions import encoding_in, told_in
from gpucnn.models.exchange.onnx.file import blaming, check_onnx, read_model
from gpucnn.models.exchange.onnx.functions import function_of
from gpucnn.models.exchange.onnx.graph import INPUT
from gpucnn.models.exchange.onnx.node import Node
from gpucnn.models.exchange.onnx.readers import merge_node, read_node

OWN = "gpucnn"
"""The producer of files whose nodes are named by the layers."""

CHANNELS_FIRST = {"AveragePool", "BatchNormalization", "Conv", "GlobalAveragePool"} | {
    "GlobalMaxPool",
    "MaxPool",
}
"""Operators whose images have their channels before their rows and columns."""


def from_onnx(path: str | os.PathLike[str]) -> Imported:
    """Read the model of an ONNX file.

    Its images are then (rows, columns, channels), whatever they are in the file.

    Raises:
        MissingExtraError: the package onnx is not installed.
        InvalidFileError: there is no such file, it is damaged, or it has what is not understood,
            which is named.
    """
    check_onnx()
    model = read_model(path)
    with blaming(path):
        return _Reading(model).read()


class _Reading:
    """A model that is read, from its input on, node by node.

    Args:
        model: ONNX's.
    """

    def __init__(self, model: Any) -> None:
        graph = model.graph
        self._opset = _opset(model)
        self._constants = Constants(graph, self._opset)
        images, self._batch, shape, takes_bytes, told = _input(graph, self._constants)
        self._is_own = model.producer_name == OWN
        self._encoding = encoding_in(told) if self._is_own and not takes_bytes else None
        self._name = graph.name if self._is_own else None
        metadata = {each.key: each.value for each in model.metadata_props}
        self._told = told_in(metadata) if self._is_own else NOTHING
        self._output = _output(graph)
        self._nodes = _needed(graph.node, self._output)
        self._takers = _takers([e for e in self._nodes if e.op_type != "Shape"], self._output)
        self._left = _takers(self._nodes, self._output)  # those that are yet to come
        is_first = not self._is_own and _has_channels_first(self._nodes, images, shape)
        self._draft = ChannelsFirst(shape, channels_first=is_first, keeps_names=self._is_own)
        if takes_bytes:
            self._draft.take_bytes()
        self._outputs = {images: self._draft.output}

    def read(self) -> Imported:
        """Read the nodes, each of which takes tensors of those before it, or constants alone."""
        while self._nodes:
            node = self._nodes.pop(0)
            what = f"the node {printable(node.name or node.output[0])} ({printable(node.op_type)})"
            with draft.blaming(what):
                self._read(node)
            self._release(node)
        if self._output not in self._outputs:
            raise InvalidValueError(
                f"its output {printable(self._output)} is not computed from its input: give a "
                "model that does so"
            )
        self._resume(self._output)
        drafted = self._draft.finish(self._name)
        return replace(drafted, encoding=self._encoding, metadata=self._told)

    def _read(self, node: Any) -> None:
        if self._constants.are_all(node):
            self._constants.compute(node)
        elif node.op_type == "Shape" and node.input[0] in self._outputs:
            self._add_shape(node)
        else:
            tensors = self._tensors(node)
            if not self._read_function(node, tensors):
                self._read_operation(node, tensors)

    def _read_operation(self, node: Any, tensors: Sequence[str]) -> None:
        """Read a node by itself, which takes tensors of these names."""
        self._draft.enter(self._layer_name(node))
        self._resume(tensors[0])
        read = Node(node, tensors[0], self._constants, self._batch, self._opset)
        if len(tensors) == 1:
            read_node(self._draft, read)
        else:
            merge_node(self._draft, read, [self._outputs[name] for name in tensors])
        self._outputs[node.output[0]] = self._draft.output

    def _read_function(self, node: Any, tensors: Sequence[str]) -> bool:
        """Read an activation that begins with a node; whether there is one."""
        nodes = [node, *self._nodes]
        if len(set(tensors)) > 1 or sum(tensors[0] in each.input for each in nodes) < 2:
            return False
        found = function_of(tensors[0], nodes, self._constants, self._opset)
        if found is None:
            return False
        self._resume(tensors[0])
        self._draft.enter(self._layer_name(found.nodes[-1]))
        self._draft.add(found.layer)
        if found.factors is not None:
            self._draft.scale(found.factors)
        self._nodes = [each for each in self._nodes if not any(each is one for one in found.nodes)]
        for each in found.nodes[1:]:
            self._release(each)
        self._outputs[found.nodes[-1].output[0]] = self._draft.output
        return True

    def _tensors(self, node: Any) -> list[str]:
        """The names of the tensors that a node takes beside constants.

        Raises:
            InvalidValueError: there are none, or nodes before it do not give them.
        """
        names = [name for name in node.input if name and name not in self._constants]
        unknown = [name for name in names if name not in self._outputs]
        if unknown or not names:
            raise InvalidValueError(
                f"it takes {printable(', '.join(unknown)) or 'constants alone'}, which gpucnn does "
                "not compute from the images: give a model of nodes with one output each"
            )
        return names

    def _resume(self, tensor: str) -> None:
        """Go on from a tensor, which several nodes may take."""
        self._draft.resume(self._outputs[tensor], is_shared=self._takers[tensor] > 1)

    def _release(self, node: Any) -> None:
        """Forget the tensors of which a node was the last taker: their places take memory."""
        for name in set(node.input):
            self._left[name] -= 1
            if not self._left[name]:
                self._outputs.pop(name, None)

    def _add_shape(self, node: Any) -> None:
        """Note the shape of a tensor, which exporters compute that of a Reshape from."""
        bounds = {each.name: each.i for each in node.attribute}
        shape = (self._batch, *self._outputs[node.input[0]].places.shape)
        taken = shape[bounds.get("start", 0) : bounds.get("end", len(shape))]
        self._constants[node.output[0]] = np.array(taken, np.int64)

    def _layer_name(self, node: Any) -> str:
        """The layer that a node of a file of gpucnn's is, or is a part of; "" for none."""
        if not self._is_own or node.output[0].startswith(f"{INPUT}.") or node.op_type == "Softmax":
            return ""
        return str(node.output[0].rpartition(".")[0] or node.name)


def _opset(model: Any) -> int:
    """The version of ONNX's own operators that a model has."""
    found = [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")]
    if not found:
        raise InvalidValueError("it has none of ONNX's own operators: give a model of those")
    return int(found[0])


class _Input(NamedTuple):
    """The input of a graph.

    Attributes:
        name: of the tensor.
        images: their number; 1 if it is free.
        shape: of one image.
        takes_bytes: whether pixels are uint8.
        description: in words.
    """

    name: str
    images: int
    shape: Shape
    takes_bytes: bool
    description: str


def _input(graph: Any, constants: Constants) -> _Input:
    """The input of a graph.

    Raises:
        InvalidValueError: it is not one, or none of images of one size.
    """
    from onnx import helper

    inputs = [each for each in graph.input if each.name not in constants]
    if len(inputs) != 1:
        names = printable(", ".join(each.name for each in inputs))
        raise InvalidValueError(f"it has {len(inputs)} inputs ({names}): give a model with one")
    (taken,) = inputs
    images, *shape = [each.dim_value for each in taken.type.tensor_type.shape.dim] or [0]
    if not shape or min(shape) < 1:
        raise InvalidValueError(
            f"its input {printable(taken.name)} has images of the shape {tuple(shape)}, in which 0 "
            "stands for any size: export it with images of one size"
        )
    dtype = helper.tensor_dtype_to_np_dtype(taken.type.tensor_type.elem_type)
    if dtype != np.uint8 and dtype.kind != "f":
        raise InvalidValueError(
            f"its input {printable(taken.name)} is of dtype {dtype}: give a model of uint8 or real "
            "numbers"
        )
    return _Input(
        taken.name,
        max(images, 1),
        tuple(shape),
        takes_bytes=dtype == np.uint8,
        description=taken.doc_string,
    )


def _output(graph: Any) -> str:
    if len(graph.output) != 1:
        names = printable(", ".join(each.name for each in graph.output))
        raise InvalidValueError(
            f"it has {len(graph.output)} outputs ({names}): give a model with one"
        )
    return str(graph.output[0].name)


def _needed(nodes: Sequence[Any], output: str) -> list[Any]:
    """The nodes that an output is computed by, in order."""
    names, found = {output}, []
    for node in reversed(nodes):
        if names & set(node.output):
            found.append(node)
            names |= set(node.input)
    return found[::-1]


def _takers(nodes: Sequence[Any], output: str) -> Counter[str]:
    """How many take each tensor: nodes, and the user of the output."""
    return Counter([*chain.from_iterable(set(node.input) for node in nodes), output])


def _has_channels_first(nodes: Sequence[Any], images: str, shape: Shape) -> bool:
    """Whether images that nodes take, a tensor of that name, have their channels first.

    The first node that wants them so, or brings them there, tells; or else the lesser of both ends
    of the shape is the number of channels.
    """
    if len(shape) != 3:
        return False
    names = {images}
    for node in nodes:
        if not names & set(node.input):
            continue
        names |= set(node.output)
        if node.op_type in CHANNELS_FIRST:
            return True
        if node.op_type == "Transpose":
            return False
        if node.op_type in ("Flatten", "Gemm", "MatMul", "Reshape"):
            break
    return shape[0] <= shape[-1]

"""Activations that are written as several nodes, told by what these compute."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import erf, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpucnn.layers import GELU, Layer, SiLU

ELEMENTWISE = ("Add", "Clip", "Div", "Erf", "HardSigmoid", "Mul", "Relu", "Sigmoid", "Sub", "Tanh")

MOST_NODES = 12

MOST_FACTORS = 2**14
"""Numbers of a constant: those for the channels that an exporter has drawn into the function."""

POINTS = np.linspace(-9, 9, 1001, dtype=np.float32)
"""Where functions are compared."""

TOLERANCE = 1e-5
"""Of values up to 9, in float32; GELU by a hyperbolic tangent is off by 5e-4."""

FUNCTIONS: dict[type[Layer], Callable[[NDArray[Any]], NDArray[Any]]] = {
    GELU: lambda x: x * (1 + np.vectorize(erf)(x / sqrt(2))) / 2,
    SiLU: lambda x: x / (1 + np.exp(-x)),
}


class Function(NamedTuple):
    """An activation that nodes compute.

    Attributes:
        layer: that computes the same.
        factors: by which its output is multiplied, which meet it as in NumPy; None for none.
        nodes: which they are.
    """

    layer: Layer
    factors: NDArray[Any] | None
    nodes: list[Any]


def function_of(
    tensor: str, nodes: Sequence[Any], constants: Mapping[str, NDArray[Any]], opset: int
) -> Function | None:
    """The activation of a tensor that the first of the nodes compute; None if there is none.

    Args:
        tensor: its name.
        nodes: in order, all that follow it.
        constants: by name, the only further inputs of the nodes of a function.
        opset: the version of the operators.
    """
    found = None
    for taken in _closed(tensor, nodes, constants):
        values = _values(tensor, taken, constants, opset)
        known = None if values is None else _known(values)
        if known is not None:
            layer, factors = known
            found = Function(layer, factors, list(taken))
            if factors is None:
                break  # else they may be constants of the function that are yet to come
    return found


def _closed(
    tensor: str, nodes: Sequence[Any], constants: Mapping[str, NDArray[Any]]
) -> Iterator[list[Any]]:
    """The first nodes that compute a tensor of another alone, ever more of them."""
    taken: list[Any] = []
    made = {tensor}
    for node in nodes:
        data = {name for name in node.input if name and name not in constants}
        if not made & data:
            continue
        sizes = [constants[name].size for name in node.input if name in constants]
        is_function = node.op_type in ELEMENTWISE and max(sizes, default=1) <= MOST_FACTORS
        if not is_function or not data <= made or len(taken) == MOST_NODES:
            return
        taken.append(node)
        made.add(node.output[0])
        others = (each for each in nodes if not any(each is one for one in taken))
        inner = made - {tensor, node.output[0]}
        if not inner & {name for each in others for name in each.input}:
            yield taken


def _values(
    tensor: str, nodes: Sequence[Any], constants: Mapping[str, NDArray[Any]], opset: int
) -> NDArray[Any] | None:
    """What nodes compute at `POINTS`: (points, ...), as constants of channels meet the points."""
    from onnx import TensorProto, helper, numpy_helper
    from onnx.reference import ReferenceEvaluator

    names = sorted({name for node in nodes for name in node.input if name in constants})
    rank = max([constants[name].ndim for name in names], default=0)
    points = POINTS.reshape(-1, *(1,) * rank)
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        for name in (tensor, nodes[-1].output[0])
    ]
    arrays = [numpy_helper.from_array(constants[name], name) for name in names]
    graph = helper.make_graph(nodes, "function", ends[:1], ends[1:], arrays)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    with np.errstate(all="ignore"):
        try:
            (found,) = ReferenceEvaluator(model).run(None, {tensor: points})
        except Exception:
            return None
    return np.asarray(found)


def _known(values: NDArray[Any]) -> tuple[Layer, NDArray[Any] | None] | None:
    """The layer that computes these values at `POINTS`, but for factors."""
    if values.shape[:1] != POINTS.shape:
        return None
    for kind, function in FUNCTIONS.items():
        of_function = function(POINTS.astype(np.float64)).reshape(-1, *(1,) * (values.ndim - 1))
        factors = values[-1] / of_function[-1]
        if np.allclose(values, factors * of_function, rtol=0, atol=TOLERANCE * abs(factors).max()):
            return kind(), None if np.allclose(factors, 1, TOLERANCE, 0) else factors
    return None

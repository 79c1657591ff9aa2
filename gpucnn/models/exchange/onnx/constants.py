"""The constants of an ONNX graph, and what nodes compute of them alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import InvalidValueError

MOST_NUMBERS = 2**29
"""Of a constant that is computed; as many as there are in the largest file."""

ELEMENTWISE = {"Abs", "Add", "Div", "Equal", "Floor", "Max", "Min", "Mul", "Neg", "Pow"} | {
    "Reciprocal",
    "Sqrt",
    "Sub",
    "Where",
}

COMPUTED = ELEMENTWISE | {
    "Cast",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Gather",
    "Identity",
    "ReduceProd",
    "Reshape",
    "Shape",
    "Slice",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
}
"""Operators by which exporters compute the shape of a Reshape, or weights, within the graph."""


class Constants(dict[str, NDArray[Any]]):
    """The constants by name: initializers, and what was computed of them.

    Args:
        graph: of ONNX.
        opset: its version.
    """

    def __init__(self, graph: Any, opset: int) -> None:
        from onnx import numpy_helper

        super().__init__({each.name: numpy_helper.to_array(each) for each in graph.initializer})
        self._opset = opset

    def are_all(self, node: Any) -> bool:
        """Whether a node takes constants alone, and is one that is computed."""
        return node.op_type in COMPUTED and all(name in self for name in node.input if name)

    def compute(self, node: Any) -> None:
        """Add what a node gives.

        Raises:
            InvalidValueError: it cannot be computed.
        """
        from onnx.reference import ReferenceEvaluator

        given = {name: self[name] for name in node.input if name}
        self._check_size(node, given)
        try:
            evaluator = ReferenceEvaluator(node, opsets={"": self._opset})
            found: Any = evaluator.run(None, given)
        except Exception as error:
            raise InvalidValueError(f"it cannot be computed ({error})") from error
        for name, value in zip(node.output, found, strict=True):
            self[name] = np.asarray(value)

    def _check_size(self, node: Any, given: Mapping[str, NDArray[Any]]) -> None:
        """Check that what is computed fits into memory."""
        arrays = list(given.values())
        if node.op_type == "ConstantOfShape":
            size = float(np.prod(arrays[0], dtype=np.float64))
        elif node.op_type in ELEMENTWISE:
            shape = np.broadcast_shapes(*(each.shape for each in arrays))
            size = float(np.prod(shape, dtype=np.float64))
        elif node.op_type == "Gather":
            size = float(arrays[0].size) * arrays[1].size
        else:
            size = float(sum(each.size for each in arrays))
        if not size <= MOST_NUMBERS:
            raise InvalidValueError(f"it makes a constant of {size:.0f} numbers: give another copy")

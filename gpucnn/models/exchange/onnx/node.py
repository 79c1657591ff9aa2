"""A node of an ONNX graph: its attributes and constant inputs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import InvalidValueError


class Node:
    """A node of a graph that is read.

    Args:
        proto: ONNX's.
        data: the name of the tensor that it takes, the first of several.
        constants: by name.
        batch: the number of images that the graph computes with.
        opset: the version of the operators.
    """

    def __init__(
        self,
        proto: Any,
        data: str,
        constants: dict[str, NDArray[Any]],
        batch: int,
        opset: int,
    ) -> None:
        from onnx import helper

        self.operator, self.batch, self.opset = proto.op_type, batch, opset
        self._inputs, self._data, self._constants = proto.input, data, constants
        self._attributes = {each.name: helper.get_attribute_value(each) for each in proto.attribute}

    def count_inputs(self) -> int:
        """The number of its inputs, constants among them."""
        return sum(map(bool, self._inputs))

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute; text as a string, and a float32 as the shortest number that it is."""
        value = self._attributes.get(name, default)
        if isinstance(value, float):
            return shortest(np.float32(value))
        return value.decode() if isinstance(value, bytes) else value

    def given(self, index: int, name: str, default: Any = None) -> Any:
        """A constant input, or the attribute that it was in earlier versions."""
        if index < len(self._inputs) and self._inputs[index]:
            return self._constant(index)
        return self.attribute(name, default)

    def weight(self, index: int) -> NDArray[np.float32]:
        """A constant input of real numbers.

        Raises:
            InvalidValueError: it is none.
        """
        return self._constant(index).astype(np.float32)

    def _constant(self, index: int) -> NDArray[Any]:
        name = self._inputs[index] if index < len(self._inputs) else ""
        if name not in self._constants:
            raise InvalidValueError(
                f"its input {index} is computed by the model, but a layer of gpucnn has constants "
                "there: give a model with fixed weights"
            )
        return self._constants[name]

    def weight_or_none(self, index: int) -> NDArray[np.float32] | None:
        """The same, or None if the input is left out."""
        is_given = index < len(self._inputs) and self._inputs[index]
        return self.weight(index) if is_given else None

    def operand(self) -> tuple[NDArray[Any], bool]:
        """The constant of two inputs, and whether it is the first."""
        if len(self._inputs) != 2:
            raise InvalidValueError(f"it has {len(self._inputs)} inputs, and not two")
        is_first = self._inputs[1] == self._data
        return self.weight(0 if is_first else 1), is_first


def shortest(number: np.generic) -> float:
    """The shortest number that is this one in its precision, such as 0.1 for a float32 of that."""
    return float(str(number))

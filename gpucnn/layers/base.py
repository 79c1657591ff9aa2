"""What all layers share: shapes, parameters, and memory that is reserved once and reused."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, Backend, BatchMemory, Buffer, Shape
from gpucnn.utils.placeable import Placeable


@dataclass(frozen=True)
class Step:
    """The training step that a layer takes part in.

    Args:
        number: int64 (1,), on the device; None where gradients are wanted without dropout.
        first: which image of the step's batch the first one is that a layer is given.
    """

    number: Array | None = None
    first: int = 0


class Layer(Placeable, ABC):
    """One layer of a network: a function of its input and its parameters, with its gradients.

    A layer goes through three stages. Made, it holds the arguments it was made with. Built, by
    `build`, it knows its shapes. Placed, by `place` and `reserve`, it has its parameters and its
    buffers on a backend, and can run: `forward`, and after it `backward`.

    Shapes of layers are those of one image, without the batch axis. What `forward` and `backward`
    return is memory of the layer's own, which the next call overwrites.
    """

    # Set by the network that the layer belongs to.
    name: str = ""
    index: int = 0  # its place among the network's layers
    seed: int = 0
    needs_input_gradient: bool = True

    has_parameters: ClassVar[bool] = False

    backend: Backend
    real: "np.dtype[np.floating]"
    input_shape: Shape
    output_shape: Shape

    # Building

    @abstractmethod
    def build(self, input_shape: Shape) -> None:
        """Set `input_shape` and `output_shape`.

        Raises:
            InvalidValueError: the layer cannot take an input of that shape.
        """

    def parameter_shapes(self) -> dict[str, Shape]:
        """The parameters by name, in the order in which they are kept."""
        return {}

    def initial_parameters(self, generator: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        """First values for the parameters, drawn from `generator`."""
        return {}

    def multiply_adds(self) -> int:
        """The multiply-adds of one image's forward pass."""
        return 0

    def inference_buffers(self) -> dict[str, Buffer]:
        """The memory that `forward` needs: the output, and what else a layer adds."""
        return {"output": Buffer(self.output_shape)}

    def training_buffers(self) -> dict[str, Buffer]:
        """The memory that a training step needs besides: the gradient of the input, and more."""
        return {"input_gradient": Buffer(self.input_shape)} if self.needs_input_gradient else {}

    # Placing

    def place(
        self,
        backend: Backend,
        real: "np.dtype[np.floating]",
        parameters: dict[str, Array],
        gradients: dict[str, Array],
    ) -> None:
        """Take a backend, and views of the network's flat parameters and gradients.

        Both dictionaries have the names and shapes of `parameter_shapes`.
        """
        self._begin_placing()
        self.backend, self.real = backend, real
        self.parameters, self.gradients = parameters, gradients
        self._memory: dict[str, BatchMemory] = {}

    def reserve(self, batch: int, *, training: bool) -> bool:
        """Have memory for batches of up to `batch` images; for training steps too if `training`.

        Returns:
            Whether some of it is other memory than before.
        """
        needed = self.inference_buffers() | (self.training_buffers() if training else {})
        for name, buffer in needed.items():
            if name not in self._memory:
                self._memory[name] = BatchMemory(self.backend, buffer, self.real)
        grown = [self._memory[name].reserve(batch) for name in needed]
        return any(grown)

    def buffer(self, name: str, batch: int) -> Array:
        """The reserved memory of that name, for `batch` images."""
        return self._memory[name][batch]

    # Running

    @abstractmethod
    def forward(self, x: Array, step: Step | None) -> Array:
        """The layer's output for a batch, or a part of one.

        Args:
            x: real (n, *input_shape).
            step: of the training; None where no gradients will be asked for.

        Returns:
            real (n, *output_shape).
        """

    @abstractmethod
    def backward(self, output_gradient: Array) -> Array | None:
        """The gradients for the batch of the last `forward`; the parameters' go to `gradients`.

        Args:
            output_gradient: real (n, *output_shape).

        Returns:
            The gradient of the input, real (n, *input_shape), or None if it is not needed.
        """


def glorot_uniform(
    generator: np.random.Generator, shape: Shape, fan_in: int, fan_out: int
) -> NDArray[np.float64]:
    """Weights drawn evenly from ±sqrt(6 / (fan_in + fan_out)), Keras's default.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    AISTATS 2010.
    """
    limit = np.sqrt(6 / (fan_in + fan_out))
    return generator.uniform(-limit, limit, shape)

"""Convolution, ReLU and max-pooling as one layer, where a backend is faster so."""

from collections.abc import Sequence
from typing import ClassVar

from gpucnn.backends import Array, Backend, Buffer, FusedMemory, Shape
from gpucnn.layers.base import Layer, Step
from gpucnn.layers.conv2d import Conv2D
from gpucnn.layers.max_pool2d import MaxPool2D
from gpucnn.layers.relu import ReLU


class FusedConv2D(Layer):
    """Stands for three placed layers, whose parameters and gradients it uses.

    It is made when a network is placed on a backend, see `fuse`; nobody types it.

    Attributes:
        parts: the convolution, the ReLU and the max-pooling.
    """

    has_parameters: ClassVar[bool] = True

    def __init__(self, convolution: Conv2D, relu: ReLU, pooling: MaxPool2D) -> None:
        self.parts = (convolution, relu, pooling)
        self.name = "+".join(part.name for part in self.parts)
        self.index, self.seed = convolution.index, convolution.seed
        self.needs_input_gradient = convolution.needs_input_gradient
        self._window, self._pool = convolution.window, pooling.window
        self._fused: dict[int, FusedMemory] = {}
        self.input_shape, self.output_shape = convolution.input_shape, pooling.output_shape
        self.place(
            convolution.backend, convolution.real, convolution.parameters, convolution.gradients
        )

    def build(self, input_shape: Shape) -> None:
        """Nothing: the parts are built."""

    def multiply_adds(self) -> int:
        return sum(part.multiply_adds() for part in self.parts)

    def inference_buffers(self) -> dict[str, Buffer]:
        return super().inference_buffers() | self._fused_buffers()

    def reserve(self, batch: int, *, training: bool) -> bool:
        grows = super().reserve(batch, training=training)
        if grows:
            self._fused.clear()  # which holds memory that was replaced by larger
        return grows

    def forward(self, x: Array, step: Step | None) -> Array:
        output = self.buffer("output", len(x))
        kernel, bias = self.parameters["kernel"], self.parameters["bias"]
        self.backend.conv2d_relu_max_pool(
            x, kernel, bias, self._memory_of(len(x)), output, training=step is not None
        )
        return output

    def backward(self, output_gradient: Array) -> Array | None:
        batch = len(output_gradient)
        wanted = self.needs_input_gradient
        input_gradient = self.buffer("input_gradient", batch) if wanted else None
        self.backend.conv2d_relu_max_pool_gradients(
            output_gradient,
            self.parameters["kernel"],
            self._memory_of(batch),
            self.gradients["kernel"],
            self.gradients["bias"],
            input_gradient,
        )
        return input_gradient

    def _fused_buffers(self) -> dict[str, Buffer]:
        channels, filters = self.input_shape[2], self.output_shape[2]
        return self.backend.fused_buffers(self._window, self._pool, channels, filters)

    def _memory_of(self, batch: int) -> FusedMemory:
        memory = self._fused.get(batch)
        if memory is None:
            arrays = {name: self.buffer(name, batch) for name in self._fused_buffers()}
            channels, filters = self.input_shape[2], self.output_shape[2]
            memory = self._fused[batch] = self.backend.fused_memory(
                self._window, self._pool, channels, filters, self.real, arrays
            )
        return memory


def fuse(layers: Sequence[Layer], backend: Backend) -> tuple[Layer, ...]:
    """Placed layers, with what `backend` runs faster as one replaced by one."""
    fused: list[Layer] = []
    for layer in layers:
        fused.append(layer)
        convolution, relu, pooling = fused[-3:] if len(fused) >= 3 else (None, None, None)
        if (
            isinstance(convolution, Conv2D)
            and isinstance(relu, ReLU)
            and isinstance(pooling, MaxPool2D)
            and backend.can_fuse(pooling.window)
        ):
            fused[-3:] = [FusedConv2D(convolution, relu, pooling)]
    return tuple(fused)

"""The frame of zeros around the images of a convolution with padding."""

from math import prod

import numpy as np

from gpucnn.backends.calls import Calls
from gpucnn.backends.cpu.fused.panels import Panels
from gpucnn.backends.cpu.layout import images_last, in_order
from gpucnn.backends.fused import ConvReluPool
from gpucnn.backends.memory import Array, Buffer, Order, Workspace


def panels_of(fused: ConvReluPool) -> Panels:
    """The panels of the pixels that the convolution reads."""
    return Panels(fused.window, fused.pool.size, fused.pool.output, fused.channels)


class Frame:
    """Copies images into a frame of zeros, and their gradients out of one, if there is padding.

    It does so too if an operation needs them in another order in memory.

    Args:
        fused: the operation.
        arrays: those that `buffers` describes, among others.
        workspace: allocates scratch memory, by name, shape and dtype.
        order: "channels" if only images in that order will do.
    """

    def __init__(
        self,
        fused: ConvReluPool,
        arrays: dict[str, Array],
        workspace: Workspace,
        order: Order = "C",
    ) -> None:
        self._padded = arrays.get("padded")
        self._layout, self._workspace, self._order = panels_of(fused), workspace, order
        self._shape = *self._layout.padded, fused.channels
        self._is_padded = fused.window.padding != "valid"

    @staticmethod
    def buffers(fused: ConvReluPool, order: Order = "C") -> dict[str, Buffer]:
        """The buffers of a plan, by name."""
        if fused.window.padding == "valid":
            return {}
        return {"padded": Buffer((*panels_of(fused).padded, fused.channels), order=order)}

    def add_around(self, x: Array, calls: Calls) -> Array:
        """The images (n, h, w, c), copied by calls into a frame of zeros if need be."""
        if self._fits(x):
            return x
        if self._padded is None or not self._is_in_order(self._padded):
            self._padded = self._place(np.empty(len(x) * prod(self._shape), x.dtype))
        calls.add(self._padded.fill, 0)
        calls.copy(images_last(x), self._inside(self._padded))
        return self._padded

    def gradient(self, input_gradient: Array | None) -> Array | None:
        """An array (n, h, w, c) for the gradient of the images, with a frame if they have one."""
        if input_gradient is None or self._fits(input_gradient):
            return input_gradient
        size = len(input_gradient) * prod(self._shape)
        return self._place(self._workspace("padded gradient", (size,), input_gradient.dtype))

    def add_writing(self, pixels: Array | None, input_gradient: Array | None, calls: Calls) -> None:
        """Copy a `gradient`, if there is one, to what it is the gradient of, unless it is that."""
        if pixels is not None and input_gradient is not None and pixels is not input_gradient:
            calls.copy(self._inside(pixels), images_last(input_gradient))

    def _place(self, memory: Array) -> Array:
        """View flat memory as images (n, h, w, c)."""
        return in_order(memory, (memory.size // prod(self._shape), *self._shape), self._order)

    def _inside(self, framed: Array) -> Array:
        return self._layout.inside(images_last(framed))

    def _fits(self, images: Array) -> bool:
        return not self._is_padded and self._is_in_order(images)

    def _is_in_order(self, images: Array) -> bool:
        return self._order == "C" or images[:, 0, 0].flags.c_contiguous

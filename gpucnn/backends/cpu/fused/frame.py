"""The frame of zeros around the images of a convolution with padding."""

import numpy as np

from gpucnn.backends.cpu.fused.panels import Panels
from gpucnn.backends.cpu.layout import LastView, images_last
from gpucnn.backends.fused import ConvReluPool
from gpucnn.backends.memory import Array, Buffer, Workspace


def panels_of(fused: ConvReluPool) -> Panels:
    """The panels of the pixels that the convolution reads."""
    return Panels(fused.window, fused.pool.size, fused.pool.output, fused.channels)


class Frame:
    """Copies images into a frame of zeros, and their gradients out of one, if there is padding.

    Args:
        fused: the operation.
        arrays: those that `buffers` describes, among others.
        workspace: allocates scratch memory, by name, shape and dtype.
    """

    def __init__(self, fused: ConvReluPool, arrays: dict[str, Array], workspace: Workspace) -> None:
        self._padded = arrays.get("padded")
        self._layout, self._workspace = panels_of(fused), workspace
        self._pixels = LastView(images_last)

    @staticmethod
    def buffers(fused: ConvReluPool) -> dict[str, Buffer]:
        """The buffers of a plan, by name."""
        if fused.window.padding == "valid":
            return {}
        return {"padded": Buffer((*panels_of(fused).padded, fused.channels))}

    def around(self, x: Array) -> Array:
        """The images (n, h, w, c), copied into a frame of zeros if the window is padded."""
        if self._padded is None:
            return x
        padded = images_last(self._padded)
        padded.fill(0)
        np.copyto(self._layout.inside(padded), images_last(x))
        return self._padded

    def gradient(self, input_gradient: Array | None) -> Array | None:
        """A cleared array (h, w, c, n) for the gradient of the images, padded if they are."""
        if input_gradient is None:
            return None
        pixels = self._pixels(input_gradient)
        if self._padded is not None:
            shape = images_last(self._padded).shape
            pixels = self._workspace("padded gradient", shape, pixels.dtype)
        pixels.fill(0)
        return pixels

    def write(self, pixels: Array | None, input_gradient: Array | None) -> None:
        """Copy a `gradient`, if there is one, to what it is the gradient of, unless it is that."""
        if self._padded is not None and pixels is not None and input_gradient is not None:
            np.copyto(images_last(input_gradient), self._layout.inside(pixels))

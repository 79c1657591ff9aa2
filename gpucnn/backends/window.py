"""The geometry of a window that slides over an image, shared by convolution and pooling."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from gpucnn.utils.arithmetic import ceil_div

Pair = tuple[int, int]
Padding = Literal["valid", "same"]
PADDINGS: tuple[Padding, ...] = ("valid", "same")


@dataclass(frozen=True)
class Tap:
    """One element of a window: the outputs it contributes to and the pixels it reads for them.

    `outputs` and `inputs` index the batch, row and column axes of an NHWC array. They select
    equally many rows and columns: `x[tap.inputs]` is what this element of the window sees from
    `out[tap.outputs]`. Outputs for which the element lies in the padding are left out.
    """

    index: int
    outputs: tuple[slice, slice, slice]
    inputs: tuple[slice, slice, slice]

    @property
    def patches(self) -> tuple[slice, slice, slice, int]:
        """The index of this element in patches (images, rows, columns, elements, channels)."""
        return (*self.outputs, self.index)


@dataclass(frozen=True)
class Window:
    """A window of `size` sliding by `strides` over an image of size `image`, all (height, width).

    The elements of the window are `dilation` pixels apart, so that it extends over
    (size - 1) * dilation + 1 of them. Along no axis are strides and dilation both above 1: the
    kernels step from window to window without a division (see kernels/windows.cuh).

    With padding "valid" the window stays inside the image. With "same" the output has
    ceil(image / strides) positions, for which the image is padded by
    max((output - 1) * strides + extent - image, 0) in all, the odd one at the end (Keras's rule).
    """

    image: Pair
    size: Pair
    strides: Pair
    padding: Padding
    dilation: Pair = (1, 1)

    dtype: ClassVar["np.dtype[np.void]"] = np.dtype(
        [
            (name, np.int32)
            for name in (
                "image_height",
                "image_width",
                "rows",
                "columns",
                "height",
                "width",
                "stride_height",
                "stride_width",
                "padding_top",
                "padding_left",
                "dilation_height",
                "dilation_width",
            )
        ]
    )
    """The dtype of the struct Window in kernels/windows.cuh."""

    def __post_init__(self) -> None:
        assert all(1 in each for each in zip(self.strides, self.dilation, strict=True))

    @cached_property
    def extent(self) -> Pair:
        """The (height, width) that the window extends over."""
        return self._extent(0), self._extent(1)

    @cached_property
    def output(self) -> Pair:
        """The number of window positions, (rows, columns)."""
        return self._output(0), self._output(1)

    @cached_property
    def padding_before(self) -> Pair:
        """The rows of padding above the image and the columns to its left."""
        return self._padding(0) // 2, self._padding(1) // 2

    @cached_property
    def padding_after(self) -> Pair:
        """The rows of padding below the image and the columns to its right."""
        rows, columns = self.padding_before
        return self._padding(0) - rows, self._padding(1) - columns

    @property
    def elements(self) -> int:
        """The number of elements (taps) of the window."""
        return self.size[0] * self.size[1]

    @cached_property
    def taps(self) -> tuple[Tap, ...]:
        """The elements of the window in row-major order."""
        return tuple(self._taps())

    @cached_property
    def counts(self) -> NDArray[np.float32]:
        """(rows, columns, 1), the pixels that each position sees, at least one: without padding.

        Whole numbers, which divide reals of any dtype without a conversion to a wider one.
        """
        counts: NDArray[np.float32] = np.zeros((*self.output, 1), np.float32)
        for tap in self.taps:
            counts[tap.outputs[1:]] += 1
        return counts

    @cached_property
    def fields(self) -> dict[str, int]:
        """The values of the struct's fields, by name."""
        geometry = self.image, self.output, self.size, self.strides
        pairs = *geometry, self.padding_before, self.dilation
        names = self.dtype.names or ()
        return dict(zip(names, (each for pair in pairs for each in pair), strict=True))

    @cached_property
    def struct(self) -> NDArray[Any]:
        """The struct as a NumPy array of one element, which a launch passes by value."""
        return np.array(tuple(self.fields.values()), self.dtype)

    def _extent(self, axis: int) -> int:
        return (self.size[axis] - 1) * self.dilation[axis] + 1

    def _output(self, axis: int) -> int:
        if self.padding == "same":
            return ceil_div(self.image[axis], self.strides[axis])
        return (self.image[axis] - self.extent[axis]) // self.strides[axis] + 1

    def _padding(self, axis: int) -> int:
        if self.padding == "valid":
            return 0
        reach = (self.output[axis] - 1) * self.strides[axis] + self.extent[axis]
        return max(reach - self.image[axis], 0)

    def _taps(self) -> Iterator[Tap]:
        every_image = slice(None)
        for row in range(self.size[0]):
            output_rows, input_rows = self._slices(0, row)
            for column in range(self.size[1]):
                output_columns, input_columns = self._slices(1, column)
                yield Tap(
                    index=row * self.size[1] + column,
                    outputs=(every_image, output_rows, output_columns),
                    inputs=(every_image, input_rows, input_columns),
                )

    def _slices(self, axis: int, element: int) -> tuple[slice, slice]:
        """The outputs along `axis` whose `element` of the window is in the image, and its pixels.

        Output o reads pixel o * stride + shift, which must be in [0, image).
        """
        stride = self.strides[axis]
        shift = element * self.dilation[axis] - self.padding_before[axis]
        first = max(ceil_div(-shift, stride), 0)
        stop = min((self.image[axis] - 1 - shift) // stride + 1, self.output[axis])
        if stop <= first:
            return slice(0, 0), slice(0, 0)
        first_pixel, last_pixel = first * stride + shift, (stop - 1) * stride + shift
        return slice(first, stop), slice(first_pixel, last_pixel + 1, stride)

"""A dataset on a device, batches gathered from it, and checks of images and labels."""

from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, Backend, Shape
from gpucnn.errors import InvalidTypeError, InvalidValueError


class DeviceDataset:
    """Images, with or without labels, on a device; batches are gathered by index.

    uint8 images are stored as uint8, and become numbers when a batch is gathered, as described in
    `Backend.gather_images`.

    Args:
        backend: where the arrays are stored.
        dtype: of the batches, float32 or float64.
        x: checked images, `(n, *shape)`, uint8 or floating-point.
        y: checked labels, (n,), integers, or (n, outputs), floating-point; or None.
        weights: of the images in the loss, (n,), or None for 1.

    Attributes:
        images: uint8 or `dtype` `(n, *shape)`, on the device.
        labels: int64 (n,) or `dtype` (n, outputs), on the device, or None.
        weights: `dtype` (n, 1), on the device, or None.
    """

    def __init__(
        self,
        backend: Backend,
        dtype: "np.dtype[np.floating]",
        x: NDArray[Any],
        y: NDArray[Any] | None = None,
        weights: NDArray[Any] | None = None,
    ) -> None:
        self._backend = backend
        self.images = backend.asarray(x, None if x.dtype == np.uint8 else dtype)
        self.labels = None if y is None else backend.asarray(y, label_dtype(y, dtype))
        self.weights = None if weights is None else backend.asarray(weights[:, None], dtype)

    def __len__(self) -> int:
        return len(self.images)

    def first(self, count: int) -> "DeviceDataset":
        """The first images, in the same memory."""
        views = copy(self)
        views.images = self.images[:count]
        views.labels = None if self.labels is None else self.labels[:count]
        views.weights = None if self.weights is None else self.weights[:count]
        return views

    def fill(self, x: NDArray[Any], y: NDArray[Any], weights: NDArray[Any] | None = None) -> None:
        """Replace the first n images, and what belongs to them; arguments as of the constructor."""
        given = x, y, None if weights is None else weights[:, None]
        for source, target in zip(given, (self.images, self.labels, self.weights), strict=True):
            if source is not None and target is not None:
                self._backend.copy(source, target[: len(source)])

    def gather_images(self, indices: Array, out: Array, *, normalizes: bool = True) -> None:
        """Gather the images of a batch.

        Args:
            indices: int64 (n,), on the device.
            out: `(n, *shape)` of the batches' dtype; the images are written to it.
            normalizes: whether bytes are normalised, or stay the numbers that they are.
        """
        self._backend.gather_images(self.images, indices, out, normalizes)

    def gather_labels(self, indices: Array, out: Array) -> None:
        """Gather the labels of a batch.

        Args:
            indices: int64 (n,), on the device.
            out: (n, *shape of a label), of their dtype; the labels are written to it.
        """
        assert self.labels is not None
        if self.labels.ndim == 1:
            self._backend.gather_labels(self.labels, indices, out)
        else:
            self._backend.gather_images(self.labels, indices, out)

    def gather_weights(self, indices: Array, out: Array) -> None:
        """Gather the weights of a batch.

        Args:
            indices: int64 (n,), on the device.
            out: (n, 1) of the batches' dtype; the weights are written to it.
        """
        assert self.weights is not None
        self._backend.gather_images(self.weights, indices, out)


def label_dtype(labels: NDArray[Any], real: "np.dtype[np.floating]") -> "np.dtype[Any]":
    """The dtype in which a model of dtype `real` takes labels."""
    return np.dtype(np.int64) if labels.ndim == 1 else real


def check_images(x: Any, shape: Shape, dtype: "np.dtype[np.floating]") -> NDArray[Any]:
    """Check images, and return them as an array.

    Args:
        x: `(n, *shape)`, uint8 or floating-point; the axis of a single channel may be missing.
        shape: of one image.
        dtype: the model's.

    Returns:
        `x` as an array `(n, *shape)`, of its own dtype.

    Raises:
        InvalidTypeError: the pixels are neither uint8 nor floating-point.
        InvalidValueError: there is no image, the shape is another, or a pixel is not finite in
            `dtype`.
    """
    images: NDArray[Any] = np.asarray(x)
    is_real = images.dtype.kind == "f"
    if not is_real and images.dtype != np.uint8:
        raise InvalidTypeError(
            f"the images are of dtype {images.dtype}: give pixels as uint8 (0 to 255) or as "
            "floating-point numbers (used as they are)"
        )
    if images.shape[1:] != shape and (*images.shape[1:], 1) == shape:
        images = images[..., None]
    if images.shape[1:] != shape:
        allowed = ", ".join(map(str, ("images", *shape)))
        raise InvalidValueError(
            f"the images have the shape {images.shape}, but the model takes ({allowed}): "
            "give images of that shape, or make a model for these"
        )
    if len(images) == 0:
        raise InvalidValueError("there is no image: give at least one")
    if is_real:
        _check_finite(images, dtype)
    return images


def _check_finite(images: NDArray[Any], dtype: "np.dtype[np.floating]") -> None:
    if is_finite(images, dtype):
        return
    image = next(i for i, each in enumerate(images) if not is_finite(each, dtype))
    raise InvalidValueError(
        f"image {image} has a pixel that is NaN, infinite or too large for {dtype}: "
        "pixels must be finite numbers"
    )


def is_finite(values: NDArray[Any], dtype: "np.dtype[np.floating]") -> bool:
    """Whether all `values`, of which there is at least one, are finite in `dtype`."""
    (low, high), largest = extremes(values), float(np.finfo(dtype).max)
    return -largest <= low and high <= largest  # which NaN is not


def extremes(values: NDArray[Any]) -> tuple[float, float]:
    """The minimum and the maximum of values, of which there is at least one; NaN if one is."""
    if values.flags.c_contiguous:  # where few are found much sooner than by `min` and `max`
        return float(values.item(values.argmin())), float(values.item(values.argmax()))
    return float(values.min()), float(values.max())

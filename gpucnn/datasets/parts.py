"""The training and the test part of a dataset, and checks of them, whatever file they are from."""

from dataclasses import dataclass
from math import isqrt
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import InvalidFileError

QMNIST_COLUMNS = 8  # of its labels: the class, then NIST's series, writer and others

Part: TypeAlias = tuple[NDArray[Any], NDArray[Any]]  # images and their labels
Names: TypeAlias = tuple[str, str]  # of the images and the labels of a part, in error messages


@dataclass(frozen=True, repr=False)
class Dataset:
    """Labelled images to train on, and others to test with.

    Args:
        train: images (n, height, width) or (n, height, width, channels), and labels (n,), integers.
        test: likewise, images of the same shape and dtype.
        class_names: by label; None if the classes have no names but their numbers.
        are_photographs: whether they are pictures that `load_images` has read.
    """

    train: Part
    test: Part
    class_names: tuple[str, ...] | None = None
    are_photographs: bool = False

    def __repr__(self) -> str:
        """How many images there are, their shape, and the classes."""
        classes = self.class_names or f"{self.classes} classes"
        return (
            f"Dataset({len(self.train[0])} images to train on, {len(self.test[0])} to test with, "
            f"{self.image_shape}, {classes})"
        )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of an image."""
        return shape_of_one(self.train[0])

    @property
    def classes(self) -> int:
        """The number of classes: of their names, or the highest label of both parts plus 1."""
        if self.class_names is not None:
            return len(self.class_names)
        return 1 + int(max(labels.max() for _, labels in (self.train, self.test)))


def shape_of_one(images: NDArray[Any]) -> tuple[int, int, int]:
    """(height, width, channels) of each of images (n, height, width) or with channels."""
    height, width, *channels = images.shape[1:]
    return height, width, channels[0] if channels else 1


def as_images(array: NDArray[Any], origin: str) -> NDArray[Any]:
    """Grey images (n, height, width) or ones in colour (n, height, width, 3).

    Args:
        array: images (n, height, width), (n, height, width, 1), (n, 1, height, width) or
            (n, height, width, 3), or square grey ones (n, pixels). Integers are taken for bytes.
        origin: where they are from, in error messages.

    Returns:
        The images, uint8 or floating-point, C-contiguous.

    Raises:
        InvalidFileError: the shape is another, or an integer is not from 0 to 255.
    """
    images = np.ascontiguousarray(_in_rows(array))
    if images.ndim not in (3, 4) or images.shape[3:] not in ((), (3,)):
        raise InvalidFileError(
            f"{origin} has images of shape {array.shape}{_advice(array.shape)}: give grey ones, "
            "(n, height, width), or ones in colour, (n, height, width, 3)"
        )
    if images.dtype == np.uint8 or np.issubdtype(images.dtype, np.floating):
        return images
    low, high = int(images.min()), int(images.max())
    if low < 0 or high > 255:
        raise InvalidFileError(
            f"{origin} has pixels of {images.dtype} from {low} to {high}: give whole numbers from "
            "0 to 255, or floating-point numbers"
        )
    return images.astype(np.uint8)


def _in_rows(images: NDArray[Any]) -> NDArray[Any]:
    """Grey images without the axis of their channel, and in rows."""
    if images.ndim == 4 and images.shape[3] == 1:
        return images[..., 0]
    if images.ndim == 4 and images.shape[1] == 1 and images.shape[3] != 3:
        return images[:, 0]
    if images.ndim == 2:
        side = isqrt(images.shape[1])
        return images.reshape(-1, side, side) if side * side == images.shape[1] else images
    return images


def _advice(shape: tuple[int, ...]) -> str:
    """What images of a shape seem to be, and what makes those that are taken of them."""
    match shape:
        case (_, 3, _, _):
            return ", colours in planes, of which x.transpose(0, 2, 3, 1) is taken"
        case (_, _, 3, count) if count > 4:
            return ", the images last, of which x.transpose(3, 0, 1, 2) is taken"
        case (_, _, _, 4):
            return ", with transparency, of which x[..., :3] is taken"
        case (_, pixels) if pixels % 3 == 0 and isqrt(pixels // 3) ** 2 == pixels // 3 > 0:
            side = isqrt(pixels // 3)
            return (
                f", flat, of which x.reshape(-1, 3, {side}, {side}).transpose(0, 2, 3, 1) is taken "
                f"if the colours are in planes as CIFAR's, else x.reshape(-1, {side}, {side}, 3)"
            )
    return ""


def as_labels(array: NDArray[Any], origin: str) -> NDArray[Any]:
    """Labels (n,), integers.

    Args:
        array: labels, (n,), in one column, or in the first of QMNIST's.
        origin: where they are from, in error messages.

    Raises:
        InvalidFileError: they are no integers, or of another shape.
    """
    if not np.issubdtype(array.dtype, np.integer):
        raise InvalidFileError(f"{origin} has labels of {array.dtype}: give whole numbers")
    if array.ndim == 1:
        return array
    if array.ndim != 2 or array.shape[1] not in (1, QMNIST_COLUMNS):
        columns = "x".join(map(str, array.shape[1:])) or "no"
        raise InvalidFileError(
            f"{origin} has labels of {columns} columns: give one column, or the "
            f"{QMNIST_COLUMNS} of QMNIST, of which the first is the class"
        )
    return np.ascontiguousarray(array[:, 0])


def with_column(part: Part) -> Part:
    """A part with its labels in one column, (n, 1), as Keras has those of images in colour."""
    images, labels = part
    return images, labels.reshape(-1, 1)


def check_part(part: Part, origin: str, names: Names) -> Part:
    """Check that there is a label for each image.

    Raises:
        InvalidFileError: there is not.
    """
    images, labels = part
    if len(images) != len(labels):
        raise InvalidFileError(
            f"{origin}: {names[0]} has {len(images)} images, {names[1]} has {len(labels)} "
            "labels: give files with one label for each image"
        )
    return part


def check_parts(train: Part, test: Part, origin: str, names: Names) -> tuple[Part, Part]:
    """Check that the images of both parts are of one size and type.

    Args:
        train: the training part.
        test: the test part.
        origin: where they are from.
        names: of the training images and the test images.

    Raises:
        InvalidFileError: they are not.
    """
    (_, *train_size), (_, *test_size) = train[0].shape, test[0].shape
    if train_size != test_size:
        raise InvalidFileError(
            f"{origin}: {names[0]} has images of {_times(train_size)}, "
            f"{names[1]} of {_times(test_size)}: give a set of one size"
        )
    if train[0].dtype != test[0].dtype:
        raise InvalidFileError(
            f"{origin}: {names[0]} has pixels of {train[0].dtype}, "
            f"{names[1]} of {test[0].dtype}: give a set of one type"
        )
    return train, test


def _times(sizes: list[int]) -> str:
    return " x ".join(map(str, sizes))

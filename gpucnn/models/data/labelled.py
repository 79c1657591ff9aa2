"""Labelled images that a model is given: what is held out of them, and what each counts."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import InvalidTypeError, InvalidValueError, printable
from gpucnn.metrics import classes_of
from gpucnn.utils import arguments


class Labelled(NamedTuple):
    """Checked images with labels.

    Attributes:
        images: uint8 or real (n, *input_shape).
        labels: of an integer dtype (n,), or float64 (n, outputs), see `Loss.labels`.
        weights: real (n,), of the images in the loss; None for 1.
    """

    images: NDArray[Any]
    labels: NDArray[Any]
    weights: NDArray[Any] | None = None

    def first(self, count: int) -> "Labelled":
        """Views of the first images, and of what belongs to them."""
        weights = None if self.weights is None else self.weights[:count]
        return Labelled(self.images[:count], self.labels[:count], weights)


def without_labels(images: NDArray[Any]) -> Labelled:
    """Images with labels that stand for none, since they are not looked at."""
    return Labelled(images, np.zeros(len(images), np.int64))


Data = tuple[Any, Any, Any]
"""Images, labels, and weights of the images or None."""


def split_validation(
    data: Data, share: float, validation: tuple[Any, ...] | None
) -> tuple[Data, tuple[Any, ...] | None]:
    """What to train on, and the validation data: the last `share` of all, if that is not 0.

    Raises:
        InvalidValueError: `share` is not in [0, 1), leaves nothing on one side, or `validation` is
            given as well.
    """
    if not arguments.share(share, "validation_split"):
        return data, validation
    x, y, weights = np.asarray(data[0]), np.asarray(data[1]), data[2]
    if x.shape[:1] != y.shape[:1] or not x.ndim:
        raise InvalidValueError(
            f"the images have the shape {x.shape}, and the labels {y.shape}: give as many of each"
        )
    if validation is not None:
        raise InvalidValueError(
            "validation_split and validation_data are both given: give one of them"
        )
    first = int(len(x) * (1 - share))
    if not 0 < first < len(x):
        raise InvalidValueError(
            f"validation_split is {share} of {len(x)} images, which leaves {first} to train on: "
            "give another share, or more images"
        )
    parts = slice(first), slice(first, None)
    trained, held_out = ((x[p], y[p], None if weights is None else weights[p]) for p in parts)
    return trained, held_out


def count_images(x: Any) -> int:
    """The number of images in what is given as an array of them.

    Raises:
        InvalidTypeError: it is none.
    """
    if np.ndim(x) == 0:
        raise InvalidTypeError(
            f"the images are {printable(repr(x), 50)}: give an array of them, whose first axis is "
            "that of the batch"
        )
    return len(x)


def check_weights_of_images(weights: Any, x: Any) -> NDArray[np.float64] | None:
    """Check what the losses of images `x` count; None for 1.

    Raises:
        InvalidTypeError: they are not numbers.
        InvalidValueError: they are not one for each image, or one is negative or not finite.
    """
    if weights is None:
        return None
    array: NDArray[Any] = np.asarray(weights)
    if array.dtype.kind not in "fiub":
        raise InvalidTypeError(f"sample_weight is of dtype {array.dtype}: give numbers")
    count = count_images(x)
    if array.shape != (count,):
        raise InvalidValueError(
            f"sample_weight has the shape {array.shape}: give one for each image, ({count},)"
        )
    if not (np.isfinite(array).all() and (array >= 0).all()):
        raise InvalidValueError("sample_weight has a number that is negative or not finite")
    return array.astype(np.float64)


def weights_by_class(weights: Any, data: Labelled, count: int | None) -> NDArray[np.float64]:
    """What the loss of each image counts: the weight of its class, times its own if it has one.

    Args:
        weights: as given by the user.
        data: with labels of classes, or of a single output, which are rounded.
        count: of the classes; None if it is not known.

    Raises:
        InvalidTypeError: `weights` is not a dictionary of numbers by classes.
        InvalidValueError: a weight is negative or not finite, or one is not that of a class.
    """
    if not isinstance(weights, Mapping):
        raise InvalidTypeError(
            f"class_weight is {weights!r}: give a dictionary of numbers by class, such as "
            "{0: 2.0}"
        )
    of_one_output = data.labels.ndim == 2 and data.labels.shape[1] == 1
    classes = np.rint(data.labels[:, 0]) if of_one_output else classes_of(data.labels)
    own = np.ones(len(classes)) if data.weights is None else data.weights
    of_images: NDArray[np.float64] = own.copy()
    for number, weight in weights.items():
        arguments.non_negative_integer(number, "a class of class_weight")
        if count is not None and number >= count:
            raise InvalidValueError(
                f"class_weight has a weight for class {number}, but there are {count} classes: "
                f"give weights for classes from 0 to {count - 1}"
            )
        arguments.non_negative_number(weight, f"the class_weight of {number}")
        of_images[classes == number] *= weight
    return of_images


def with_weights(data: Any) -> Data:
    """Validation data with the weights of the images, None if there are none."""
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        raise InvalidTypeError(
            "validation_data is not a pair: give (images, labels), or these and sample_weight"
        )
    x, y, *rest = data
    return x, y, check_weights_of_images(rest[0] if rest else None, x)

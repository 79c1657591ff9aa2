"""Argument checks.

Each function takes a value and the name of the argument, and returns the value, converted to a
plain Python type. It raises InvalidValueError if the value is not what the function is named for.
"""

import re
from collections.abc import Callable, Sequence
from math import isfinite
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np

from gpucnn.errors import InvalidValueError

Text = TypeVar("Text", bound=str)
Value = TypeVar("Value")


def optional(check: Callable[[Any, str], Value], value: Any, name: str) -> Value | None:
    """None, or what `check` accepts."""
    return None if value is None else check(value, name)


def positive_integer(value: Any, name: str) -> int:
    """A whole number of at least 1."""
    if not _is_positive_integer(value):
        raise InvalidValueError(f"{name} is {value!r}: it must be a whole number of at least 1")
    return int(value)


def non_negative_integer(value: Any, name: str) -> int:
    """A whole number of at least 0."""
    if not _is_integer(value) or int(value) < 0:
        raise InvalidValueError(f"{name} is {value!r}: it must be a whole number of at least 0")
    return int(value)


def positive_pair(value: Any, name: str) -> tuple[int, int]:
    """A pair of whole numbers of at least 1; a single one is used twice."""
    both = (value, value) if _is_positive_integer(value) else value
    if (
        not isinstance(both, (tuple, list))
        or len(both) != 2
        or not all(map(_is_positive_integer, both))
    ):
        raise InvalidValueError(
            f"{name} is {value!r}: it must be a whole number of at least 1, or a pair of them"
        )
    return int(both[0]), int(both[1])


def sides(value: Any, name: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Whole numbers of at least 0 for the sides of an image: ((top, bottom), (left, right)).

    One number is of all sides; a pair is of rows and of columns.
    """
    both = (value, value) if _is_integer(value) else value
    if isinstance(both, (tuple, list)) and len(both) == 2:
        pairs = [(each, each) if _is_integer(each) else each for each in both]
        if all(map(_is_pair_of_counts, pairs)):
            (top, bottom), (left, right) = pairs
            return (int(top), int(bottom)), (int(left), int(right))
    raise InvalidValueError(
        f"{name} is {value!r}: it must be a whole number of at least 0, a pair of them, or "
        "((top, bottom), (left, right))"
    )


def number(value: Any, name: str) -> float:
    """A finite number."""
    if not _is_finite(value):
        raise InvalidValueError(f"{name} is {value!r}: it must be a number")
    return float(value)


def numbers(value: Any, name: str) -> float | tuple[float, ...]:
    """A finite number, or a sequence of them."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    each = value if isinstance(value, (tuple, list)) and value else [value]
    if not all(map(_is_finite, each)):
        raise InvalidValueError(
            f"{name} is {value!r}: it must be a number, or a list with one for each channel"
        )
    return tuple(map(float, value)) if each is value else float(value)


def factor(value: Any, name: str) -> tuple[float, float]:
    """A pair of numbers in [-1, 1], the lower first; a single one is the upper, its negative lower.

    As Keras's random layers take it, which draw a share of the size of an image.
    """
    return _range((-abs(value), abs(value)) if _is_finite(value) else value, value, name, -1)


def shares(value: Any, name: str) -> tuple[float, float]:
    """A pair of numbers in [0, 1], the lower first; a single one is the upper, and 0 the lower."""
    return _range((0, value) if _is_finite(value) else value, value, name, 0)


def increasing(value: Any, name: str) -> tuple[float, float]:
    """A pair of numbers, the lower first, which are not equal."""
    if (
        not isinstance(value, (tuple, list))
        or len(value) != 2
        or not all(map(_is_finite, value))
        or not value[0] < value[1]
    ):
        raise InvalidValueError(
            f"{name} is {value!r}: it must be a pair of numbers, the lower first"
        )
    return float(value[0]), float(value[1])


def _range(both: Any, value: Any, name: str, least: int) -> tuple[float, float]:
    """A pair of numbers in [least, 1], which `value` of the argument `name` means."""
    if (
        not isinstance(both, (tuple, list))
        or len(both) != 2
        or not all(map(_is_finite, both))
        or not least <= both[0] <= both[1] <= 1
    ):
        raise InvalidValueError(
            f"{name} is {value!r}: it must be a number from {least} to 1, or a pair of them, the "
            "lower first"
        )
    return float(both[0]), float(both[1])


def text(value: Any, name: str) -> str:
    """A text, of characters that UTF-8 has, in which files have names."""
    if not isinstance(value, str):
        raise InvalidValueError(f"{name} is {value!r}: it must be a text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidValueError(
            f"{name} is {value!r}: it must be a text of whole characters, as UTF-8 has them"
        ) from error
    return value


def character(value: Any, name: str) -> str:
    """A text of one character."""
    if not isinstance(value, str) or len(value) != 1:
        raise InvalidValueError(f"{name} is {value!r}: it must be a single character")
    return value


def regular_expression(value: Any, name: str) -> str:
    """A regular expression."""
    try:
        re.compile(text(value, name))
    except re.error as error:
        raise InvalidValueError(
            f"{name} is {value!r}: it must be a regular expression ({error})"
        ) from error
    return str(value)


def positive_number(value: Any, name: str) -> float:
    """A finite number above 0."""
    if not _is_finite(value) or value <= 0:
        raise InvalidValueError(f"{name} is {value!r}: it must be a number above 0")
    return float(value)


def non_negative_number(value: Any, name: str) -> float:
    """A finite number of at least 0."""
    if not _is_finite(value) or value < 0:
        raise InvalidValueError(f"{name} is {value!r}: it must be a number of at least 0")
    return float(value)


def share(value: Any, name: str) -> float:
    """A number in [0, 1)."""
    if not _is_finite(value) or not 0 <= value < 1:
        raise InvalidValueError(f"{name} is {value!r}: it must be at least 0 and below 1")
    return float(value)


def function(value: Any, name: str) -> Callable[..., Any]:
    """A function, or another object that can be called."""
    if not callable(value):
        raise InvalidValueError(f"{name} is {value!r}: it must be a function")
    return value  # type: ignore[no-any-return]


def flag(value: Any, name: str) -> bool:
    """True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidValueError(f"{name} is {value!r}: it must be True or False")
    return bool(value)


def seed(value: Any) -> int:
    """A whole number from 0 to 2^64 - 1."""
    if not _is_integer(value) or not 0 <= int(value) < 2**64:
        raise InvalidValueError(f"seed is {value!r}: it must be a whole number, 0 to 2^64 - 1")
    return int(value)


def image_shape(value: Any, name: str) -> tuple[int, ...]:
    """The shape of one image: one or more whole numbers of at least 1."""
    if (
        not isinstance(value, (tuple, list))
        or not value
        or not all(map(_is_positive_integer, value))
    ):
        raise InvalidValueError(
            f"{name} is {value!r}: give the shape of one image, such as (28, 28, 1)"
        )
    return tuple(map(int, value))


def target_shape(value: Any, name: str) -> tuple[int, ...]:
    """A shape of whole numbers of at least 1, of which one may be -1."""
    if (
        not isinstance(value, (tuple, list))
        or not value
        or not all(_is_integer(each) and (each == -1 or each >= 1) for each in value)
        or sum(each == -1 for each in value) > 1
    ):
        raise InvalidValueError(
            f"{name} is {value!r}: give a shape such as (28, 28, 1), in which one size may be -1"
        )
    return tuple(map(int, value))


def one_of(value: Any, name: str, allowed: tuple[str, ...]) -> str:
    """One of the words in `allowed`."""
    if value not in allowed:
        raise InvalidValueError(f"{name} is {value!r}: choose one of {', '.join(allowed)}")
    return str(value)


def name_of(value: Any, name: str, allowed: Sequence[Text]) -> Text:
    """The name in `allowed` that is meant, as Keras takes it: he_normal, HeNormal, mse or MSE.

    So capitals and underscores make no difference.
    """
    spelled = _letters(value) if isinstance(value, str) else None
    for each in allowed:
        if _letters(each) == spelled:
            return each
    raise InvalidValueError(f"{name} is {value!r}: choose one of {', '.join(allowed)}")


def _letters(text: str) -> str:
    return text.replace("_", "").lower()


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_positive_integer(value: Any) -> bool:
    return _is_integer(value) and int(value) >= 1


def _is_pair_of_counts(value: Any) -> bool:
    return (
        isinstance(value, (tuple, list))
        and len(value) == 2
        and all(_is_integer(each) and each >= 0 for each in value)
    )


def _is_finite(value: Any) -> bool:
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)
    except OverflowError:  # an integer beyond the range of float
        return False

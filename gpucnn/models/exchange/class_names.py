"""The names of the classes in the metadata of a file of another library."""

from typing import Any

from gpucnn.errors import InvalidValueError

CLASS_NAMES = "class_names"
"""The key of the metadata under which a file has them, as a JSON array."""


def checked_names(names: Any) -> tuple[str, ...]:
    """The names that metadata tell.

    Raises:
        InvalidValueError: they are no list of texts.
    """
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise InvalidValueError(f"its metadata {CLASS_NAMES} are no JSON array of texts: remove it")
    return tuple(names)

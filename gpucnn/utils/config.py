"""Layers, optimizers and schedules as plain dictionaries, to be saved with a model as JSON.

All of them are dataclasses whose fields are their constructor's arguments, so that their class and
their fields say everything about them.
"""

from collections.abc import Collection
from dataclasses import fields
from typing import Any

import numpy as np

from gpucnn.errors import InvalidTypeError, InvalidValueError, printable


def to_config(thing: Any, classes: Collection[type]) -> dict[str, Any]:
    """The name of the class of `thing`, one of `classes`, and the arguments that make it again.

    Raises:
        InvalidTypeError: it is of another class, which could not be found again by its name.
    """
    if type(thing) not in classes:
        names = ", ".join(each.__name__ for each in classes)
        raise InvalidTypeError(f"{thing!r} cannot be saved: its class is not one of {names}")
    return {"class": type(thing).__name__} | {
        field.name: _to_value(getattr(thing, field.name), classes)
        for field in fields(thing)
        if field.init
    }


def from_config(config: Any, classes: Collection[type]) -> Any:
    """What `to_config` described, an object of one of `classes`.

    Raises:
        InvalidValueError: the description is not of such an object.
    """
    by_name = {each.__name__: each for each in classes}
    if not isinstance(config, dict) or config.get("class") not in by_name:
        names = ", ".join(by_name)
        raise InvalidValueError(f"{printable(repr(config))} does not describe one of {names}")
    arguments = {
        name: from_config(value, classes) if isinstance(value, dict) else value
        for name, value in config.items()
        if name != "class"
    }
    try:
        return by_name[config["class"]](**arguments)
    except TypeError as error:
        raise InvalidValueError(
            f"{printable(repr(config))} does not describe a {config['class']}"
        ) from error


def _to_value(value: Any, classes: Collection[type]) -> Any:
    if isinstance(value, (tuple, list)):
        return [_to_value(each, classes) for each in value]
    if isinstance(value, np.generic):  # a number of NumPy, which JSON does not know
        return value.item()
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    return to_config(value, classes)

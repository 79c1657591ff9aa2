"""Configurations: layers, optimizers and schedules as dictionaries, saved with a model as JSON.

These are all dataclasses whose fields are their constructor's arguments, so the name of the class
and the fields describe an object completely.
"""

from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from gpucnn.errors import InvalidTypeError, InvalidValueError, printable


def configurable(names: Mapping[str, object], base: type) -> tuple[type[Any], ...]:
    """The dataclasses among `names` that derive from `base`, in order: what `to_config` takes."""
    classes = dict.fromkeys(each for each in names.values() if isinstance(each, type))
    derived = (each for each in classes if issubclass(each, base) and each is not base)
    return tuple(each for each in derived if is_dataclass(each))


def to_config(thing: Any, classes: Collection[type]) -> dict[str, Any]:
    """The configuration of `thing`: the name of its class, and its constructor's arguments.

    Raises:
        InvalidTypeError: its class is not one of `classes`, in which `from_config` looks it up.
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
    """The object, of one of `classes`, that a configuration of `to_config` describes.

    Raises:
        InvalidValueError: it is not the configuration of such an object.
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
    if isinstance(value, np.generic):  # a NumPy scalar, which json does not encode
        return value.item()
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    return to_config(value, classes)

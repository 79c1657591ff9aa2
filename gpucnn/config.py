"""Layers, optimizers and schedules as plain dictionaries, to be saved with a model as JSON.

All of them are dataclasses whose fields are their constructor's arguments, so that their class and
their fields say everything about them.
"""

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from gpucnn.errors import InvalidValueError


def to_config(thing: Any) -> dict[str, Any]:
    """The name of the class of `thing`, a dataclass, and the arguments that make it again."""
    return {"class": type(thing).__name__} | {
        field.name: _to_value(getattr(thing, field.name)) for field in fields(thing) if field.init
    }


def from_config(config: Any, classes: Iterable[type]) -> Any:
    """What `to_config` described, an object of one of `classes`.

    Raises:
        InvalidValueError: the description is not of such an object.
    """
    by_name = {each.__name__: each for each in classes}
    if not isinstance(config, dict) or config.get("class") not in by_name:
        raise InvalidValueError(f"{config!r} does not describe one of {', '.join(by_name)}")
    arguments = {
        name: from_config(value, classes) if isinstance(value, dict) else value
        for name, value in config.items()
        if name != "class"
    }
    try:
        return by_name[config["class"]](**arguments)
    except TypeError as error:
        raise InvalidValueError(f"{config!r} does not describe a {config['class']}") from error


def _to_value(value: Any) -> Any:
    if is_dataclass(value):
        return to_config(value)
    if isinstance(value, np.generic):  # a number of NumPy, which JSON does not know
        return value.item()
    return [_to_value(each) for each in value] if isinstance(value, (tuple, list)) else value

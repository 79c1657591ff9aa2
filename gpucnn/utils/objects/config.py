"""Configurations: layers, losses, optimizers and so on as dictionaries, saved with a model as JSON.

A configuration is the name of a class and the arguments of its constructor: the fields of a
dataclass, or what `get_config` returns. Classes of the library are found by their names, and those
of users once they are registered.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import Field, fields, is_dataclass
from inspect import isfunction, signature
from typing import Any, ClassVar, TypeVar, get_origin

import numpy as np

from gpucnn.errors import InvalidTypeError, InvalidValueError, NotRegisteredError, printable
from gpucnn.utils.keras.arguments import KerasArguments
from gpucnn.utils.keras.attributes import KerasAttributes, is_of_user

NAMES: set[str] = set()
"""The names of the library's classes, of which users register none."""


Made = TypeVar("Made", bound="Configurable")


class Configurable(KerasAttributes, metaclass=KerasArguments):
    """The base class of what a configuration describes, and users may define too.

    Attributes:
        is_own: whether the class is the user's, and not one of the library.
    """

    is_own: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.is_own = is_of_user(cls)
        if not cls.is_own:
            NAMES.add(cls.__name__)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor by name, from which a saved model makes the object.

        They are the fields of a dataclass. A class with another constructor defines this, as in
        Keras: numbers, texts, lists of them, and objects and functions that can be saved.
        """
        named: Iterable[Field[Any]] = fields(self) if is_dataclass(self) else ()
        return {field.name: getattr(self, field.name) for field in named if field.init}

    @classmethod
    def from_config(cls: type[Made], config: Mapping[str, Any]) -> Made:
        """The object that is made with the arguments of a `get_config`."""
        return cls(**config)


def configurable(names: Mapping[str, object], base: type) -> tuple[type[Any], ...]:
    """The dataclasses among `names` that derive from `base`, in order: what `to_config` takes."""
    # Python 3.10 takes list[int] for a type.
    plain = (each for each in names.values() if isinstance(each, type) and not get_origin(each))
    classes = dict.fromkeys(plain)
    derived = (each for each in classes if issubclass(each, base) and each is not base)
    return tuple(each for each in derived if "__dataclass_fields__" in vars(each))


# Classes and functions of users

REGISTERED: dict[str, Callable[..., Any]] = {}
"""Classes and functions of users, by name."""

Own = TypeVar("Own", bound=Callable[..., Any])


def register(thing: Own) -> Own:
    """Let saved models name a class or a function of your own; a decorator.

    A model with a layer, a loss, an optimizer, a schedule or a metric of such a class, or with such
    a function as a metric, can be saved, and loaded by every program that registers it too. One
    that is defined anew, as in a notebook, takes the place of that before.

    Args:
        thing: the class, of one of these kinds, or the function.

    Returns:
        The same.

    Raises:
        InvalidTypeError: it is neither.
        InvalidValueError: its name is that of another, of the library or registered.
    """
    is_class = isinstance(thing, type) and issubclass(thing, Configurable)
    name = getattr(thing, "__name__", "")
    if not (is_class or isfunction(thing)) or not name.isidentifier():
        raise InvalidTypeError(
            f"register is given {thing!r}: give a class of a layer, a loss, an optimizer, a "
            "schedule or a metric, or a function with a name"
        )
    if name in NAMES:
        raise InvalidValueError(f"{name} is a class of gpucnn: give yours another name")
    other = REGISTERED.get(name, thing)
    if _place_of(other) != _place_of(thing):
        raise InvalidValueError(
            f"{name} is registered already, from {other.__module__}: give one of the two another "
            "name"
        )
    REGISTERED[name] = thing
    return thing


def registered(*bases: type) -> tuple[type[Any], ...]:
    """The registered classes that derive from one of `bases`."""
    classes = (each for each in REGISTERED.values() if isinstance(each, type))
    return tuple(each for each in classes if issubclass(each, bases))


def _place_of(thing: Any) -> tuple[str, str]:
    """Where a class or a function is defined: of one that is defined anew, the same."""
    return thing.__module__, thing.__qualname__


# To a configuration


def to_config(thing: Any, classes: Collection[type]) -> dict[str, Any]:
    """The configuration of `thing`: the name of its class, and its constructor's arguments.

    Raises:
        InvalidTypeError: its class is not one of `classes`, in which `from_config` looks it up, or
            an argument cannot be described.
    """
    kind = type(thing)
    if _place_of(kind) not in map(_place_of, classes):
        raise InvalidTypeError(f"{thing!r} cannot be saved: {_remedy(kind, classes)}")
    if not _is_described(kind):
        raise InvalidTypeError(
            f"{thing!r} cannot be saved: make {kind.__name__} a dataclass, whose fields are its "
            "arguments, or define get_config, which returns them by name"
        )
    values = {name: _to_value(value, classes) for name, value in thing.get_config().items()}
    return {"class": kind.__name__} | values


def _to_value(value: Any, classes: Collection[type]) -> Any:
    if isinstance(value, (tuple, list)):
        return [_to_value(each, classes) for each in value]
    if isinstance(value, np.generic):  # a NumPy scalar, which json does not encode
        return value.item()
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Configurable):
        return to_config(value, classes)
    return {"function": _name_of_function(value)}


def _name_of_function(function: Any) -> str:
    """The name under which a function is registered."""
    if not isfunction(function):
        raise InvalidTypeError(
            f"{function!r} cannot be saved: a saved model holds numbers, texts, lists of them, and "
            "objects and functions that are registered"
        )
    name = function.__name__
    if name not in REGISTERED or _place_of(REGISTERED[name]) != _place_of(function):
        raise InvalidTypeError(
            f"the function {name} cannot be saved: put @gpucnn.utils.register before its def"
        )
    return name


def _remedy(kind: type, classes: Collection[type]) -> str:
    """What to do about an object whose class is not one of `classes`."""
    if getattr(kind, "is_own", False):
        return f"put @gpucnn.utils.register before class {kind.__name__}"
    return f"its class is not one of {', '.join(dict.fromkeys(each.__name__ for each in classes))}"


def _is_described(kind: type) -> bool:
    """Whether `get_config` gives the arguments of the constructor.

    It does unless a class has a constructor of its own, with arguments, and no `get_config`.
    """
    for each in kind.__mro__:
        if "get_config" in vars(each) or "__dataclass_fields__" in vars(each):
            return True
        if "__init__" in vars(each):
            return len(signature(vars(each)["__init__"]).parameters) == 1  # self alone
    return True


# From a configuration


def from_config(config: Any, classes: Collection[type]) -> Any:
    """The object, of one of `classes`, that a configuration of `to_config` describes.

    Raises:
        NotRegisteredError: it names a class or a function that is not known.
        InvalidValueError: it is not the configuration of such an object.
    """
    by_name = {each.__name__: each for each in classes}
    name = config.get("class") if isinstance(config, dict) else None
    if not isinstance(name, str) or name not in by_name:
        if isinstance(name, str) and name not in NAMES | REGISTERED.keys():
            raise NotRegisteredError(name)
        names = ", ".join(by_name)
        raise InvalidValueError(f"{printable(repr(config))} does not describe one of {names}")
    arguments = {
        key: _from_value(value, classes) for key, value in config.items() if key != "class"
    }
    try:
        return by_name[name](**arguments)
    except TypeError as error:
        raise InvalidValueError(f"{printable(repr(config))} does not describe a {name}") from error


def _from_value(value: Any, classes: Collection[type]) -> Any:
    if isinstance(value, list):
        return [_from_value(each, classes) for each in value]
    if not isinstance(value, dict):
        return value
    return _function(value["function"]) if "function" in value else from_config(value, classes)


def _function(name: Any) -> Any:
    """The function that is registered under a name."""
    if not isinstance(name, str) or not isfunction(REGISTERED.get(name)):
        raise NotRegisteredError(name)
    return REGISTERED[name]

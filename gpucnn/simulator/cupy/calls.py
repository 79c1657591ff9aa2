"""Calling NumPy's functions with arrays of the simulated device, as CuPy's are called.

Arrays of the host are refused, as CuPy refuses them; results are arrays of the device, those
without dimensions too; and no floating-point error is a warning.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gpucnn.simulator.cupy import recording

KINDS = "biufcV"
"""Kinds of dtypes that a device's array may have."""


class Handle:
    """What lies on the device: NumPy's array of it, which users do not see.

    Attributes:
        host: the array.
    """

    host: Any


_wrap: Callable[[Any], Handle]
_namespace: Any = None


def register(wrap: Callable[[Any], Handle]) -> None:
    """Make `wrap` what gives the device's array that is kept in an array of NumPy's."""
    global _wrap
    _wrap = wrap


def register_namespace(module: Any) -> None:
    """Make `module` what NumPy's functions are looked for in, when they are given a `Handle`."""
    global _namespace
    _namespace = module


def namespace() -> Any:
    """The module `cupy`."""
    return _namespace


def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function of NumPy's with arrays of the device, and return its result as such."""
    given: dict[int, Handle] = {}
    on_host = _on_host(function, args, kwargs, given)

    def run() -> Any:
        return _with_arrays(on_host())

    if kwargs.get("out") is not None:
        recording.run_or_record(run)
        return kwargs["out"]
    results = run()
    recording.record_results(run, results, [each.host for each in given.values()])
    return to_device(results, given)


def change(function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Call a function of NumPy's that changes arrays of the device and returns nothing."""
    recording.run_or_record(_on_host(function, args, kwargs, {}))


def _on_host(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    given: dict[int, Handle],
) -> Callable[[], Any]:
    """The call with NumPy's arrays in place of the device's, which are added to `given`."""
    host_args, host_kwargs = to_host(args, given), to_host(kwargs, given)

    def run() -> Any:
        with np.errstate(all="ignore"):
            return function(*host_args, **host_kwargs)

    return run


def to_host(value: Any, given: dict[int, Handle] | None = None) -> Any:
    """`value` with NumPy's arrays in place of the device's, which are added to `given`.

    Raises:
        TypeError: an array of the host is among them.
    """
    if isinstance(value, Handle):
        if given is not None:
            given[id(value.host)] = value
        return value.host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    if type(value) in (list, tuple):
        return type(value)(to_host(each, given) for each in value)
    if type(value) is dict:
        return {name: to_host(each, given) for name, each in value.items()}
    return value


def to_device(value: Any, given: Mapping[int, Handle] | None = None) -> Any:
    """`value` with the device's arrays in place of NumPy's; those of `given` stay themselves."""
    if isinstance(value, np.ndarray):
        known = given.get(id(value)) if given else None
        return known if known is not None else _wrap(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(to_device(each, given) for each in value))
    if isinstance(value, list | tuple):
        return type(value)(to_device(each, given) for each in value)
    return value


def _with_arrays(value: Any) -> Any:
    """`value` with arrays in place of NumPy's scalars."""
    if isinstance(value, np.generic):
        return np.asarray(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(_with_arrays, value))
    if isinstance(value, list | tuple):
        return type(value)(map(_with_arrays, value))
    return value


def index(array: Any, key: Any) -> Any:
    """`array[key]` as an array: a view of one element, if it is one."""
    found = array[key]
    if isinstance(found, np.ndarray):
        return found
    keys = key if isinstance(key, tuple) else (key,)
    return array[(*keys, ...)] if _is_basic(keys) else found


def _is_basic(keys: Sequence[Any]) -> bool:
    return all(isinstance(each, int | np.integer) for each in keys) and bool(keys)


def host_key(key: Any) -> Any:
    """A key of an index, with arrays of the host, which may be indices."""
    if isinstance(key, tuple):
        return tuple(map(host_key, key))
    if isinstance(key, Handle):
        return key.host
    if isinstance(key, slice):
        return slice(
            *(
                each if each is None else operator.index(each)
                for each in (key.start, key.stop, key.step)
            )
        )
    return key

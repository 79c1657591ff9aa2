"""`cupy.testing`: assertions on arrays of the device or the host, and arrays to test with."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gpucnn.simulator.cupy.calls import Handle, to_device
from gpucnn.simulator.cupy.names import words

ASSERTIONS = words("""
assert_allclose assert_array_almost_equal assert_array_almost_equal_nulp assert_array_equal
assert_array_less assert_array_max_ulp
""")


def _assertion(name: str) -> Callable[..., Any]:
    function = getattr(np.testing, name)

    def assertion(*args: Any, **kwargs: Any) -> Any:
        on_host = {key: _host(value) for key, value in kwargs.items()}
        return function(*map(_host, args), **on_host)

    assertion.__name__ = name
    return assertion


def _host(value: Any) -> Any:
    if isinstance(value, Handle):
        return value.host
    return [_host(each) for each in value] if isinstance(value, list) else value


def assert_array_list_equal(
    xlist: Any, ylist: Any, err_msg: str = "", verbose: bool = True
) -> None:
    """Check that arrays of two lists are equal.

    Raises:
        AssertionError: they are not.
    """
    if len(xlist) != len(ylist):
        raise AssertionError(f"List size is different: {len(xlist)} != {len(ylist)}")
    for x, y in zip(xlist, ylist, strict=True):
        np.testing.assert_array_equal(_host(x), _host(y), err_msg, verbose)


def shaped_arange(shape: Any, xp: Any = None, dtype: Any = np.float32, order: str = "C") -> Any:
    """The numbers from 1 in an array of that shape."""
    size = int(np.prod(shape))
    values = np.arange(1, size + 1)
    values = values % 2 == 0 if np.dtype(dtype).kind == "b" else values
    values = values + 1j * values if np.dtype(dtype).kind == "c" else values
    return _with(xp, np.asarray(values.astype(dtype).reshape(shape), order=order))  # type: ignore[call-overload]


def shaped_reverse_arange(shape: Any, xp: Any = None, dtype: Any = np.float32) -> Any:
    """The numbers down to 1 in an array of that shape."""
    size = int(np.prod(shape))
    values = np.arange(size, 0, -1)
    values = values % 2 == 0 if np.dtype(dtype).kind == "b" else values
    return _with(xp, values.astype(dtype).reshape(shape))


def shaped_random(
    shape: Any,
    xp: Any = None,
    dtype: Any = np.float32,
    scale: float = 10,
    seed: int = 0,
    order: str = "C",
) -> Any:
    """Random numbers from 0 to `scale`, or normal ones of that deviation if they are complex."""
    random = np.random.RandomState(seed)
    kind = np.dtype(dtype).kind
    if kind == "b":
        values = random.randint(2, size=shape)
    elif kind == "c":
        values = (random.rand(*shape) + 1j * random.rand(*shape)) * scale
    else:
        values = random.rand(*shape) * scale
    return _with(xp, np.asarray(values, dtype, order=order))  # type: ignore[call-overload]


def _with(xp: Any, values: Any) -> Any:
    return values if xp is np else to_device(values)


def testing_names() -> dict[str, Any]:
    """What `cupy.testing` has."""
    found: dict[str, Any] = {name: _assertion(name) for name in ASSERTIONS}
    own = (assert_array_list_equal, shaped_arange, shaped_reverse_arange, shaped_random)
    return found | {each.__name__: each for each in own}

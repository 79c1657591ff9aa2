"""Modules of functions: NumPy's and SciPy's, called with the device's arrays."""

import importlib
from collections.abc import Callable, Iterable
from functools import wraps
from importlib.machinery import ModuleSpec
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np

from gpucnn.errors import MissingModuleError
from gpucnn.simulator.cupy import names
from gpucnn.simulator.cupy.calls import Handle, call, change, to_device, to_host
from gpucnn.simulator.cupy.errors import missing
from gpucnn.simulator.cupy.names import words
from gpucnn.simulator.cupy.ndarray import ndarray

_SHAPED = ("full", "ones", "zeros")
"""Functions whose first argument is a shape."""

OF_ARRAYS = words("""
all any argmax argmin argpartition argsort choose clip compress copy diagonal dot max mean min
nonzero prod ptp ravel repeat reshape round squeeze std sum swapaxes take trace transpose var
""")
"""Functions that are methods of their first argument, which may be an array of NumPy's."""

_UNLIKE_NUMPY = ("dot", "take")
"""Those methods that do something else than NumPy's."""


class Namespace(ModuleType):
    """A module that says so of what it does not have."""

    def __init__(self, name: str, doc: str, content: dict[str, Any] | None = None) -> None:
        super().__init__(name, doc)
        self.__spec__ = ModuleSpec(name, None, is_package=True)
        self.__path__: list[str] = []
        self.__file__ = __file__
        self.__dict__.update(content or {})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module '{self.__name__}' has no attribute '{name}'")
        raise missing(f"{self.__name__}.{name}")


class ufunc:  # noqa: N801 - CuPy's name
    """A function of single elements."""

    def __init__(self, function: np.ufunc) -> None:
        self._function = function
        self.__name__ = self.name = function.__name__
        self.nin, self.nout, self.nargs = function.nin, function.nout, function.nargs
        self.types = function.types
        self.__doc__ = function.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Of each element.

        Raises:
            TypeError: an argument is a list, or an array of the host.
        """
        for each in args:
            if isinstance(each, list | tuple):
                raise TypeError(f"Unsupported type {type(each)}")
        if len(args) == self.nin + 1 and self.nout == 1:
            *args, kwargs["out"] = args  # type: ignore[assignment]
        if isinstance(kwargs.get("out"), tuple) and self.nout == 1:
            (kwargs["out"],) = kwargs["out"]
        return call(self._function, *args, **kwargs)

    def reduce(self, *args: Any, **kwargs: Any) -> Any:
        """The elements along an axis taken together."""
        return call(self._function.reduce, *args, **kwargs)

    def accumulate(self, *args: Any, **kwargs: Any) -> Any:
        """The same, with all that comes between."""
        return call(self._function.accumulate, *args, **kwargs)

    def reduceat(self, *args: Any, **kwargs: Any) -> Any:
        """The same of slices."""
        return call(self._function.reduceat, *args, **kwargs)

    def outer(self, *args: Any, **kwargs: Any) -> Any:
        """Of all pairs."""
        return call(self._function.outer, *args, **kwargs)

    def at(self, *args: Any) -> None:
        """In place, at indices that may be named twice."""
        change(self._function.at, *args)

    def __repr__(self) -> str:
        return f"<ufunc 'cupy_{self.name}'>"


class Grid:
    """What is indexed, and gives arrays of the device."""

    def __init__(self, grid: Any) -> None:
        self._grid = grid

    def __getitem__(self, key: Any) -> Any:
        return call(self._grid.__getitem__, key)


def on_device(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of NumPy's or SciPy's for arrays of the device."""
    is_shaped = function.__name__ in _SHAPED

    @wraps(function, updated=())
    def called(*args: Any, **kwargs: Any) -> Any:
        first = args[:1] if not is_shaped else map(_parameter, args[:1])
        others = map(_parameter, args[1:])
        named = {name: _parameter(value) for name, value in kwargs.items()}
        return call(function, *map(_callback, (*first, *others)), **named)

    return called


def _parameter(argument: Any) -> Any:
    """Sizes or axes in an array of the host, as numbers."""
    if isinstance(argument, np.ndarray):
        is_number = argument.ndim == 0
        if is_number or (argument.ndim == 1 and argument.dtype.kind in "iu"):
            return argument.tolist()
    return argument


def _callback(argument: Any) -> Any:
    """A function that NumPy calls back, which is to get arrays of the device."""
    if not callable(argument) or isinstance(argument, type | Handle | ufunc):
        return argument._function if isinstance(argument, ufunc) else argument
    return lambda *args, **kwargs: to_host(argument(*map(to_device, args), **kwargs))


def numpy_names() -> dict[str, Any]:
    """NumPy's names that CuPy has too."""
    found: dict[str, Any] = {}
    for name in _there(np, names.SAME):
        found[name] = getattr(np, name)
    for name in _there(np, names.FUNCTIONS):
        found[name] = (_of_arrays if name in OF_ARRAYS else on_device)(getattr(np, name))
    for name in _there(np, names.CREATING):
        found[name] = _creating(getattr(np, name))
    for name in _there(np, names.CHANGING):
        found[name] = _changing(getattr(np, name))
    for name in names.TRUTHS:
        found[name] = _truth(getattr(np, name))
    for name in _there(np, names.UFUNCS):
        found[name] = ufunc(getattr(np, name))
    for name in names.GRIDS:
        found[name] = Grid(getattr(np, name))
    return found | {"empty": empty, "empty_like": empty_like, "ufunc": ufunc}


def functions_of(module: ModuleType, wanted: Iterable[str]) -> dict[str, Any]:
    """Functions of a module of NumPy's, by name."""
    return {name: on_device(getattr(module, name)) for name in _there(module, wanted)}


def scipy_module(name: str) -> Namespace:
    """A module of SciPy's, all of whose functions take arrays of the device.

    Raises:
        MissingModuleError: SciPy is not installed.
    """
    try:
        module = importlib.import_module(f"scipy.{name}")
    except ImportError:
        raise MissingModuleError(
            f"cupyx.scipy.{name} needs SciPy, which is not installed: pip install scipy"
        ) from None
    public = [each for each in dir(module) if not each.startswith("_")]
    content: dict[str, Any] = {}
    for each in public:
        value = getattr(module, each)
        if isinstance(value, np.ufunc):
            content[each] = ufunc(value)
        elif isinstance(value, FunctionType | BuiltinFunctionType):
            content[each] = on_device(value)
    return Namespace(f"cupyx.scipy.{name}", module.__doc__ or "", content)


def empty(shape: Any, dtype: Any = float, order: str = "C") -> Any:
    """An array whose elements are not initialised."""
    return ndarray(shape, dtype or float, order=order or "C")


def empty_like(
    prototype: Any, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None
) -> Any:
    """An array like another, whose elements are not initialised."""
    like = np.empty_like(to_host(prototype), dtype, order, subok=False, shape=shape)  # type: ignore[call-overload]
    if not like.flags.c_contiguous and not like.flags.f_contiguous:
        return to_device(like)
    return ndarray(like.shape, like.dtype, order="C" if like.flags.c_contiguous else "F")


def _there(module: ModuleType, wanted: Iterable[str]) -> list[str]:
    """Those names that this version of NumPy has."""
    return [name for name in wanted if hasattr(module, name)]


def _of_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    called = on_device(function)
    name = function.__name__

    @wraps(function)
    def of_array(a: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(a, list | tuple):
            raise AttributeError(f"'{type(a).__name__}' object has no attribute '{name}'")
        if isinstance(a, np.ndarray):
            return function(a, *args, **kwargs)
        if isinstance(a, ndarray) and name in _UNLIKE_NUMPY:
            return getattr(a, name)(*args, **kwargs)
        return called(a, *args, **kwargs)

    return of_array


def _creating(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def created(a: Any, *args: Any, blocking: bool = False, **kwargs: Any) -> Any:
        if isinstance(a, Handle):
            return call(function, a, *args, **kwargs)
        value = function(_nested(a), *args, **kwargs)
        if isinstance(a, np.ndarray) and np.may_share_memory(value, a):
            value = value.copy()
        return to_device(value)

    return created


def _nested(value: Any) -> Any:
    """Lists of arrays of the device or the host, with those of the host in them."""
    if isinstance(value, list | tuple):
        return [_nested(each) for each in value]
    return value.host if isinstance(value, Handle) else value


def _changing(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def changed(*args: Any, **kwargs: Any) -> None:
        change(function, *args, **kwargs)

    return changed


def _truth(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def truth(*args: Any, **kwargs: Any) -> Any:
        return call(lambda *args, **kwargs: np.asarray(function(*args, **kwargs)), *args, **kwargs)

    return truth

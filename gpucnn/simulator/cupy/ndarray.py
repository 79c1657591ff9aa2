"""`cupy.ndarray`: an array of the simulated device.

It is no subclass of NumPy's, as CuPy's is none: `isinstance(x, numpy.ndarray)` is how programs
tell the two apart, and NumPy's C code would take a subclass without asking. So a program that
forgets `.get()` or `asarray` fails here as it does on a GPU.
"""

import operator
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from gpucnn.simulator.cupy import calls
from gpucnn.simulator.cupy.calls import Handle, call, change, host_key, index
from gpucnn.simulator.cupy.cuda.device import Device
from gpucnn.simulator.cupy.errors import missing
from gpucnn.simulator.cupy.memory import MemoryPointer, empty_on_device, pointer_to, track
from gpucnn.simulator.cupy.names import words
from gpucnn.simulator.cupy.recording import refuse_in_capture

METHODS = words("""
all any argmax argmin argpartition argsort clip choose compress conj conjugate copy cumprod cumsum
diagonal flatten max mean min nonzero prod ravel repeat reshape round searchsorted squeeze std
sum swapaxes trace transpose var astype
""")
"""Methods of NumPy's that return arrays."""

CHANGING = ["fill", "partition", "put", "sort"]
"""Methods of NumPy's that change an array."""

BINARY = words("""
add sub mul truediv floordiv mod pow matmul lshift rshift and or xor
""")
COMPARING = words("""
lt le gt ge eq ne
""")
UNARY = ["neg", "pos", "abs", "invert"]
READING = ["bool", "int", "float", "complex", "index"]


def _scalar_or_device(other: Any) -> bool:
    """Whether an operator takes `other`; else it is asked for its own."""
    if isinstance(other, Handle):
        return True
    return getattr(other, "__array_ufunc__", ()) is not None


class ndarray(Handle):  # noqa: N801 - CuPy's name
    """An array of the simulated device.

    Args:
        shape: its sizes.
        dtype: of its elements.
        memptr: where it lies; in memory of its own if None.
        strides: bytes from one element to the next, for each dimension.
        order: "C" or "F".
    """

    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    def __init__(
        self,
        shape: int | tuple[int, ...],
        dtype: Any = float,
        memptr: MemoryPointer | None = None,
        strides: tuple[int, ...] | None = None,
        order: str = "C",
    ) -> None:
        if getattr(self, "host", None) is not None:  # made by __new__ of a subclass
            return
        shape = (shape,) if isinstance(shape, int | np.integer) else tuple(map(int, shape))
        if memptr is None:
            self.host = empty_on_device(shape, dtype, order)
        else:
            self.host = np.ndarray(shape, dtype, memptr.contents, 0, strides, cast(Any, order))
        track(self.host)

    @classmethod
    def wrap(cls, host: Any) -> "ndarray":
        """The device's array that is kept in `host`.

        Raises:
            ValueError: its dtype is none of a device.
        """
        if host.dtype.kind not in calls.KINDS or host.dtype in (np.longdouble, np.clongdouble):
            raise ValueError(f"Unsupported dtype {host.dtype}")
        self = object.__new__(cls)
        self.host = host if type(host) is np.ndarray else host.view(np.ndarray)
        track(self.host)
        self.__array_finalize__(None)
        return self

    def __array_finalize__(self, _: Any) -> None:
        """For subclasses."""

    # What NumPy may ask.

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct "
            "a NumPy array explicitly."
        )

    def __array_ufunc__(self, function: np.ufunc, method: str, *args: Any, **kwargs: Any) -> Any:
        if "out" in kwargs and len(kwargs["out"]) == 1:
            (kwargs["out"],) = kwargs["out"]
        if isinstance(kwargs.get("out"), np.ndarray):
            return NotImplemented
        own = getattr(calls.namespace(), function.__name__, None)
        if own is None:
            return NotImplemented
        return (
            own(*args, **kwargs) if method == "__call__" else getattr(own, method)(*args, **kwargs)
        )

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any
    ) -> Any:
        own: Any = calls.namespace()
        try:
            for name in [*function.__module__.split(".")[1:], function.__name__]:
                own = getattr(own, name)
        except AttributeError:
            return NotImplemented
        return NotImplemented if own is function else own(*args, **kwargs)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        host = self.host
        return {
            "shape": host.shape,
            "typestr": host.dtype.str,
            "descr": host.dtype.descr,
            "data": (host.ctypes.data, False),
            "strides": None if host.flags.c_contiguous else host.strides,
            "stream": 1,
            "version": 3,
        }

    def __dlpack__(self, **_: Any) -> Any:
        raise missing("cupy.ndarray.__dlpack__")

    # Attributes.

    shape = property(lambda self: self.host.shape, lambda self, value: _reshape(self, value))
    dtype = property(lambda self: self.host.dtype)
    strides = property(lambda self: self.host.strides)
    ndim = property(lambda self: self.host.ndim)
    size = property(lambda self: self.host.size)
    itemsize = property(lambda self: self.host.itemsize)
    nbytes = property(lambda self: self.host.nbytes)
    flags = property(lambda self: self.host.flags)
    T = property(lambda self: calls.to_device(self.host.T))
    mT = property(lambda self: call(np.matrix_transpose, self))  # noqa: N815
    flat = property(lambda self: Flat(self))
    data = property(lambda self: pointer_to(self.host))
    cstruct = property(lambda self: missing("cupy.ndarray.cstruct"))

    @property
    def real(self) -> Any:
        """The real part, as a view."""
        return calls.to_device(self.host.real)

    @real.setter
    def real(self, value: Any) -> None:
        change(np.copyto, calls.to_device(self.host.real), value, casting="unsafe")

    @property
    def imag(self) -> Any:
        """The imaginary part, as a view."""
        return calls.to_device(self.host.imag)

    @imag.setter
    def imag(self, value: Any) -> None:
        change(np.copyto, calls.to_device(self.host.imag), value, casting="unsafe")

    @property
    def base(self) -> Any:
        """The array that it is a view of, or None."""
        base = self.host.base
        return calls.to_device(base) if isinstance(base, np.ndarray) else None

    @property
    def device(self) -> Any:
        """The device, of which there is one."""
        return Device(0)

    # Between host and device.

    def get(
        self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True
    ) -> Any:
        """A copy on the host.

        Raises:
            TypeError: `out` is no array of NumPy's.
            ValueError: or is of another shape or dtype.
        """
        refuse_in_capture("a copy to the host")
        if out is None:
            return np.array(self.host, order=order)  # type: ignore[call-overload]
        if not isinstance(out, np.ndarray):
            raise TypeError("Only numpy.ndarray can be obtained from cupy.ndarray")
        if out.dtype != self.host.dtype or out.shape != self.host.shape:
            raise ValueError(
                f"Shape or dtype mismatch: {out.dtype}{out.shape} != {self.host.dtype}"
                f"{self.host.shape}"
            )
        out[...] = self.host
        return out

    def set(self, arr: Any, stream: Any = None) -> None:
        """Copy NumPy's array of the same shape and dtype to the device.

        Raises:
            TypeError: it is no array of NumPy's.
            ValueError: it is of another shape or dtype.
        """
        refuse_in_capture("a copy from the host")
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.dtype != self.host.dtype:
            raise TypeError(f"{arr.dtype!r} array cannot be set to {self.host.dtype!r} array")
        if arr.shape != self.host.shape:
            raise ValueError(
                f"Shape mismatch. Old shape: {self.host.shape}, new shape: {arr.shape}"
            )
        self.host[...] = arr

    def item(self, *args: Any) -> Any:
        """An element as a Python number."""
        refuse_in_capture("reading an element")
        return self.host.item(*args)

    def tolist(self) -> Any:
        """The elements as Python numbers."""
        return self.get().tolist()

    def tobytes(self, order: Any = "C") -> bytes:
        """The bytes of the elements."""
        return self.get().tobytes(order)  # type: ignore[no-any-return]

    def tofile(self, file: Any, sep: str = "", format: str = "%s") -> None:  # noqa: A002
        """Write the elements to a file."""
        self.get().tofile(file, sep, format)

    def dump(self, file: Any) -> None:
        """Pickle it to a file."""
        self.get().dump(file)

    def dumps(self) -> bytes:
        """Pickle it."""
        return self.get().dumps()  # type: ignore[no-any-return]

    def view(self, dtype: Any = None, type: Any = None) -> Any:  # noqa: A002 - NumPy's name
        """The same memory as elements of another type, or as an array of another class."""
        if isinstance(dtype, _TYPE) and issubclass(dtype, ndarray):
            type, dtype = dtype, None  # noqa: A001
        host = self.host.view() if dtype is None else self.host.view(dtype)
        return (type or self.__class__).wrap(host)

    def reduced_view(self, dtype: Any = None) -> Any:
        """The same elements with as few dimensions as possible."""
        return self.view() if not self.host.flags.c_contiguous else self.reshape(-1)

    def scatter_add(self, slices: Any, value: Any) -> None:
        """Add to elements, to those that are named twice as well."""
        change(lambda x, value: np.add.at(x, host_key(slices), value), self, value)

    def ptp(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        """The range of the elements."""
        return call(np.ptp, self, axis, out, keepdims=keepdims)

    # Python's protocols.

    def __getitem__(self, key: Any) -> Any:
        key = host_key(key)
        return call(lambda x: index(x, key), self)

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(value, np.ndarray) and isinstance(key, slice) and key == slice(None):
            if value.shape != self.host.shape or value.dtype != self.host.dtype:
                raise ValueError(
                    "copying a numpy.ndarray to a cupy.ndarray by empty slice assignment must "
                    "ensure arrays have same shape and dtype"
                )
            self.set(value)
            return
        change(lambda x, value: operator.setitem(x, host_key(key), value), self, value)

    def __len__(self) -> int:
        return len(self.host)

    def __iter__(self) -> Any:
        if not self.host.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self.host)))

    def __repr__(self) -> str:
        return repr(self.get())

    def __str__(self) -> str:
        return str(self.get())

    def __format__(self, spec: str) -> str:
        return format(self.get(), spec)

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def __reduce__(self) -> Any:
        return _from_host, (self.get(),)

    def __divmod__(self, other: Any) -> Any:
        return call(divmod, self, other)

    def __rdivmod__(self, other: Any) -> Any:
        return call(divmod, other, self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or not hasattr(np.ndarray, name):
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        raise missing(f"cupy.ndarray.{name}")


_TYPE = type


class Flat:
    """The elements of an array in C order: `x.flat`."""

    def __init__(self, base: ndarray) -> None:
        self.base = base

    def __getitem__(self, key: Any) -> Any:
        return call(lambda x: x.flat[host_key(key)], self.base)

    def __setitem__(self, key: Any, value: Any) -> None:
        change(lambda x, value: operator.setitem(x.flat, host_key(key), value), self.base, value)

    def __iter__(self) -> Any:
        return (call(lambda x, i=i: x.flat[i], self.base) for i in range(len(self)))

    def __len__(self) -> int:
        return int(self.base.host.size)

    def copy(self) -> Any:
        """The elements as an array of one dimension."""
        return call(np.ravel, self.base).copy()


def _from_host(array: Any) -> ndarray:
    return ndarray.wrap(array)


def _reshape(array: ndarray, shape: Any) -> None:
    """Give it another shape without a copy.

    Raises:
        AttributeError: that cannot be done.
    """
    reshaped = array.host.reshape(shape)
    if not np.may_share_memory(reshaped, array.host) and array.host.size:
        raise AttributeError("Incompatible shape for in-place modification")
    array.host = reshaped


def _returning(name: str) -> Callable[..., Any]:
    function = getattr(np.ndarray, name)

    def method(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        return call(function, self, *args, **kwargs)

    return method


def _take(self: ndarray, indices: Any, axis: int | None = None, out: Any = None) -> Any:
    """Elements along an axis, by indices that wrap around."""
    return call(np.take, self, indices, axis, out, "wrap")


def _dot(self: ndarray, b: Any, out: Any = None) -> Any:
    """The product of matrices or vectors; into `out`, if it has as many elements."""
    product = call(np.dot, self, b)
    if out is None:
        return product
    out[...] = product.reshape(out.shape)
    return out


def _changing(name: str) -> Callable[..., Any]:
    function = getattr(np.ndarray, name)

    def method(self: ndarray, *args: Any, **kwargs: Any) -> None:
        change(function, self, *args, **kwargs)

    return method


def _operator(name: str, is_reflected: bool = False) -> Callable[..., Any]:
    function = getattr(operator, f"__{name}__")

    def method(self: ndarray, other: Any) -> Any:
        if not _scalar_or_device(other):
            return NotImplemented
        return call(function, other, self) if is_reflected else call(function, self, other)

    return method


def _in_place(name: str) -> Callable[..., Any]:
    function = getattr(operator, f"__i{name}__")

    def method(self: ndarray, other: Any) -> Any:
        if not _scalar_or_device(other):
            return NotImplemented
        change(function, self, other)
        return self

    return method


def _unary(name: str) -> Callable[..., Any]:
    function = getattr(operator, f"__{name}__")
    return lambda self: call(function, self)


def _reading(name: str) -> Callable[..., Any]:
    function = (
        operator.index
        if name == "index"
        else {"bool": bool, "int": int, "float": float, "complex": complex}[name]
    )

    def method(self: ndarray) -> Any:
        refuse_in_capture("reading an element")
        return function(self.host.item() if self.host.size == 1 else self.host)

    return method


def _named(name: str, method: Callable[..., Any]) -> None:
    method.__name__ = name
    method.__qualname__ = f"ndarray.{name}"
    setattr(ndarray, name, method)


for _name in METHODS:
    _named(_name, _returning(_name))
_named("take", _take)
_named("dot", _dot)
for _name in CHANGING:
    _named(_name, _changing(_name))
for _name in BINARY:
    _named(f"__{_name}__", _operator(_name))
    _named(f"__r{_name}__", _operator(_name, is_reflected=True))
    _named(f"__i{_name}__", _in_place(_name))
for _name in COMPARING:
    _named(f"__{_name}__", _operator(_name))
for _name in UNARY:
    _named(f"__{_name}__", _unary(_name))
for _name in READING:
    _named(f"__{_name}__", _reading(_name))
calls.register(ndarray.wrap)

"""The modules `cupy` and `cupyx`, put together."""

import functools
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from typing import Any

import numpy as np

from gpucnn.simulator.cupy import blas, calls, names
from gpucnn.simulator.cupy.calls import Handle, change
from gpucnn.simulator.cupy.cuda.modules import cuda_modules
from gpucnn.simulator.cupy.errors import missing
from gpucnn.simulator.cupy.kernels.elementwise import ElementwiseKernel
from gpucnn.simulator.cupy.kernels.raw import RawKernel, RawModule
from gpucnn.simulator.cupy.kernels.reduction import ReductionKernel
from gpucnn.simulator.cupy.memory import PinnedMemoryPool, pool
from gpucnn.simulator.cupy.namespace import Namespace, functions_of, numpy_names, ufunc
from gpucnn.simulator.cupy.ndarray import ndarray
from gpucnn.simulator.cupy.profiler import profiler_names
from gpucnn.simulator.cupy.random import random_names
from gpucnn.simulator.cupy.testing import testing_names

VERSION = "14.2.0"
"""The version of CuPy whose interface this is."""


@cache
def modules() -> dict[str, Namespace]:
    """All modules, by name; one set for the process, so that classes stay themselves."""
    cuda = cuda_modules()
    linalg = functions_of(np.linalg, names.LINALG) | {"LinAlgError": np.linalg.LinAlgError}
    parts = {
        "cuda": cuda["cupy.cuda"],
        "cublas": Namespace(
            "cupy.cublas", "Products of matrices.", {"gemm": blas.gemm, "nrm2": blas.nrm2}
        ),
        "linalg": Namespace("cupy.linalg", "NumPy's linear algebra.", linalg),
        "fft": Namespace("cupy.fft", "NumPy's transforms.", functions_of(np.fft, names.FFT)),
        "random": Namespace("cupy.random", "NumPy's generators.", random_names()),
        "testing": Namespace("cupy.testing", "Assertions.", testing_names()),
    }
    cupy = Namespace("cupy", "CuPy's interface, on the simulator.", numpy_names() | parts | _own())
    calls.register_namespace(cupy)
    profiler = Namespace("cupyx.profiler", "How long calls take.", profiler_names())
    cupyx = Namespace(
        "cupyx", "What CuPy adds to NumPy's interface.", _cupyx() | {"profiler": profiler}
    )
    top = {"cupy": cupy, "cupyx": cupyx, "cupyx.profiler": profiler, **cuda}
    return top | {f"cupy.{name}": module for name, module in parts.items()}


def _own() -> dict[str, Any]:
    """What `cupy` has besides NumPy's names and modules."""
    pinned = PinnedMemoryPool()
    return {
        "__version__": VERSION,
        "ndarray": ndarray,
        "ElementwiseKernel": ElementwiseKernel,
        "RawKernel": RawKernel,
        "RawModule": RawModule,
        "ReductionKernel": ReductionKernel,
        "asnumpy": asnumpy,
        "get_array_module": get_array_module,
        "is_available": lambda: True,
        "get_default_memory_pool": lambda: pool,
        "get_default_pinned_memory_pool": lambda: pinned,
        "memoize": memoize,
        "clear_memo": lambda: None,
        "from_dlpack": from_dlpack,
        "fuse": fuse,
        "vectorize": vectorize,
        "show_config": lambda **_: print(f"CuPy's interface {VERSION}, on gpucnn's simulator"),
    }


def _cupyx() -> dict[str, Any]:
    """What `cupyx` has."""
    return {
        "scatter_add": _scatter(np.add),
        "scatter_max": _scatter(np.maximum),
        "scatter_min": _scatter(np.minimum),
        "rsqrt": lambda x, out=None: calls.call(_rsqrt, x, out=out),
        "empty_pinned": np.empty,
        "empty_like_pinned": np.empty_like,
        "zeros_pinned": np.zeros,
        "zeros_like_pinned": np.zeros_like,
        "allow_synchronize": lambda allow: nullcontext(),
        "errstate": lambda **_: nullcontext(),
    }


def asnumpy(
    a: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True
) -> Any:
    """A copy of an array of the device on the host; anything else as NumPy's array."""
    if isinstance(a, Handle):
        return a.get(stream=stream, order=order, out=out)  # type: ignore[attr-defined]
    found = np.asarray(calls.to_host(a) if isinstance(a, list | tuple) else a, order=order)  # type: ignore[call-overload]
    if out is None:
        return found
    out[...] = found
    return out


def get_array_module(*args: Any) -> Any:
    """`cupy` if an array of the device is among the arguments, else `numpy`."""
    return calls.namespace() if any(isinstance(each, Handle | ufunc) for each in args) else np


def from_dlpack(x: Any) -> Any:
    """An array of the device as a view of itself.

    Raises:
        MissingNameError: another library's array, which the simulator's device does not share.
    """
    if isinstance(x, ndarray):
        return x.view()
    raise missing("cupy.from_dlpack of other libraries' arrays: use asarray")


def memoize(for_each_device: bool = False) -> Callable[[Any], Any]:
    """A decorator that keeps a function's results."""
    return functools.cache


def fuse(*args: Any, kernel_name: str | None = None) -> Any:
    """A decorator of functions of arrays, which are run operation by operation here."""
    return args[0] if args and callable(args[0]) else lambda function: function


def vectorize(pyfunc: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
    """A function of elements for arrays; Python runs it here, an element at a time."""
    function = np.vectorize(pyfunc, *args, **kwargs)
    return lambda *args, **kwargs: calls.call(function, *args, **kwargs)


def _scatter(function: np.ufunc) -> Callable[[Any, Any, Any], None]:
    def scatter(a: Any, slices: Any, value: Any) -> None:
        change(lambda a, value: function.at(a, calls.host_key(slices), value), a, value)

    return scatter


def _rsqrt(x: Any, out: Any = None) -> Any:
    return np.divide(1, np.sqrt(x), out=out, dtype=x.dtype)

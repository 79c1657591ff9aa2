"""A call of a backend operation, described on the host, so that any backend can perform it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from gpucnn.backends import (
    Array,
    Backend,
    BatchMemory,
    ConvClassifier,
    ConvReluPool,
    ConvReluPoolPlan,
)
from gpucnn.backends.memory import Order, Shape
from gpucnn.backends.ops.bounds import real_dtype

FUSED = "conv2d_relu_max_pool"

Results = dict[str, Array]
"""What array arguments of a call hold after it, by their names, on the host."""


@dataclass(frozen=True)
class Call:
    """One call of the operation of that name.

    Arguments that are written start as `unset`, unless they are read as well, so that an element
    that an operation does not write shows. In the place of a plan stands what it is a plan of; the
    gradients that follow a forward pass have the `bias` of that pass beside their own arguments,
    and its `x`, or `images` and `indices`.
    """

    operation: str
    arguments: dict[str, Any]

    @property
    def arrays(self) -> Results:
        """The arguments that are arrays."""
        return {k: v for k, v in self.arguments.items() if isinstance(v, np.ndarray)}

    @property
    def real(self) -> "np.dtype[np.floating]":
        """The floating-point dtype of the call."""
        return real_dtype(self.arguments)

    def with_reals(self, change: Callable[[str, Array], Array]) -> "Call":
        """This call with each array of real numbers changed, by its name and itself."""
        reals = {k: change(k, v) for k, v in self.arrays.items() if v.dtype.kind == "f"}
        return replace(self, arguments=self.arguments | reals)

    def in_float64(self) -> "Call":
        """This call with its real numbers as float64."""
        return self.with_reals(lambda _, array: array.astype(np.float64))


def unset(shape: Shape, dtype: DTypeLike) -> Array:
    """An array that is yet to be written: of NaN, or of a whole number that no operation writes."""
    dtype = np.dtype(dtype)
    return np.full(shape, np.nan if dtype.kind == "f" else np.iinfo(dtype).min, dtype)


def place(backend: Backend, call: Call) -> dict[str, Any]:
    """The call's arguments on the backend, in memory of their own, laid out as in training."""
    batches = {name: _place_batch(backend, name, call.arrays[name]) for name in _batches(call)}
    others = {k: backend.asarray(v.copy()) for k, v in call.arrays.items() if k not in batches}
    descriptions = {k: _place_description(backend, call, v) for k, v in call.arguments.items()}
    return descriptions | others | batches


def _place_description(backend: Backend, call: Call, value: Any) -> Any:
    """A description of a fused operation for the dtype of the call: as a plan, if it has any."""
    if isinstance(value, ConvClassifier):
        return replace(value, real=call.real)
    if isinstance(value, ConvReluPool):
        batch = call.arguments["indices" if "indices" in call.arguments else "x"]
        return make_plan(backend, replace(value, real=call.real), len(batch))
    return value


def make_plan(backend: Backend, fused: ConvReluPool, images: int) -> ConvReluPoolPlan:
    """The plan as layers make it for batches of so many images, of memory that is not written."""
    buffers = backend.conv_relu_pool_buffers(fused)
    arrays = {k: BatchMemory(backend, each, fused.real)[images] for k, each in buffers.items()}
    for array in arrays.values():
        array.fill(np.nan if array.dtype.kind == "f" else 1)
    return backend.conv_relu_pool_plan(fused, arrays)


def _batches(call: Call) -> set[str]:
    """The arguments that hold something of each image of a batch, see `Backend.batch_view`."""
    names = {name for name, array in call.arrays.items() if array.ndim > 1}
    if call.operation == "matmul":  # of a dense layer: the kernel's gradient, or the kernel
        names.remove("out" if call.arguments["transpose_a"] else "b")
    others = {"images", "kernel", "kernel_gradient", "epoch_factors"}
    return names - others - {"probabilities", "all_outputs"}


def _place_batch(backend: Backend, name: str, array: Array) -> Array:
    order: Order = "F" if name == "patches" else "C"
    memory = np.empty(array.size, array.dtype)
    backend.batch_view(memory, len(array), array.shape[1:], order)[...] = array
    return backend.batch_view(backend.asarray(memory), len(array), array.shape[1:], order)


def run(backend: Backend, call: Call, arguments: dict[str, Any]) -> Results:
    """Run the call on `arguments`, which `place` gave; returns what all arrays hold after it."""
    if call.operation == f"{FUSED}_gradients":
        forward = f"gathered_{FUSED}" if "indices" in arguments else FUSED
        out = backend.empty(arguments["output_gradient"].shape, call.real)
        invoke(backend, forward, arguments | {"out": out, "training": True})
    invoke(backend, call.operation, arguments)
    return {name: backend.to_host(arguments[name]) for name in call.arrays}


def invoke(backend: Backend, operation: str, arguments: dict[str, Any]) -> None:
    """Call an operation of the backend with those of the arguments that it takes."""
    taken = signature(getattr(Backend, operation)).parameters
    given = {name: value for name, value in arguments.items() if name in taken}
    getattr(backend, operation)(**given)


def perform(backend: Backend, call: Call) -> Results:
    """Place the call and run it."""
    return run(backend, call, place(backend, call))


def define(call: Call) -> Results:
    """What the arrays should hold after the call: as its operation is defined, in float64."""
    return perform(Backend(), call.in_float64())

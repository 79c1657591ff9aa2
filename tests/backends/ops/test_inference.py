"""Operations of inference as bound calls, on every backend against their definitions.

Many images, and channels enough for Winograd's way, are those of ../cpu/inference.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from backends.agreement import assert_agrees, naming
from backends.contract import Backends
from backends.fused import conv_relu_pools, forward_call, fused_call, on
from backends.operations.values import Values
from backends.strategies import channels, filters, seeds
from gpucnn.backends import Array, Backend, Calls
from gpucnn.backends.cpu.layout import images_last
from gpucnn.backends.memory import Shape
from gpucnn.verification.calls import Call, Results, define

dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])

ORDERS: dict[int, list[tuple[int, ...]]] = {
    4: [(0, 1, 2, 3), (1, 2, 0, 3), (1, 2, 3, 0)],
    2: [(0, 1), (1, 0)],
}
"""The orders in memory that operations give images in, by the axes from the outermost on."""

Bind = Callable[[Backend, Results, Calls], Array]
"""Binds an operation to its arrays, and gives that which the calls write."""

Pass = tuple[Call, Results]
"""A call with its arguments in a pass, and what is right."""

images = st.integers(1, 7)
"""Of few and of many, which are computed in different ways."""


def hold(backend: Backend, shape: Shape, dtype: str, order: tuple[int, ...]) -> Array:
    """Zeros on the backend of an order in memory, which only one that binds calls is free of."""
    if not backend.binds_calls:
        return backend.zeros(shape, dtype)
    memory = backend.zeros(tuple(shape[axis] for axis in order), dtype)
    return memory.transpose(np.argsort(order))


def assert_follows(
    backend: Backend, passes: list[Pass], x: str, order: tuple[int, ...], bind: Bind
) -> None:
    """Fail unless calls that are bound once do in each pass as the operation by itself."""
    first = passes[0][0]
    given = first.arrays.keys() - {"out"}
    arrays = {name: backend.asarray(first.arrays[name].copy()) for name in given}
    arrays[x] = hold(backend, first.arrays[x].shape, str(first.real), order)
    calls = Calls()
    out = bind(backend, arrays, calls)
    for call, right in passes:
        for name, array in arrays.items():
            backend.copy(call.arrays[name], array)
        calls.renew()
        calls()
        assert_agrees(call, {"out": backend.to_host(out)}, right)


def given_late(
    backend: Backend, bind: Callable[[Array, Calls], Array], values: Array, order: tuple[int, ...]
) -> Array:
    """What calls write that are bound to an array, of values that it is given after that."""
    x, calls = hold(backend, values.shape, str(values.dtype), order), Calls()
    out = bind(x, calls)
    backend.copy(values, x)
    calls()
    return out


def passes_of(call: Call) -> list[Pass]:
    """The call, and after it others in which one array after the other has changed."""
    passes = [(call, define(call))]
    for name in sorted(call.arrays.keys() - {"out"}):
        call = replace(call, arguments=call.arguments | {name: -2 * call.arrays[name][::-1]})
        passes.append((call, define(call)))
    return passes


@dtypes
@given(
    count=images,
    inputs=st.integers(1, 40),
    units=st.integers(1, 20),
    order=st.sampled_from(ORDERS[2]),
    seed=seeds,
)
def test_bind_dense(
    backends: Backends,
    dtype: str,
    count: int,
    inputs: int,
    units: int,
    order: tuple[int, ...],
    seed: int,
) -> None:
    values = Values(seed, dtype)
    arguments = {
        "a": values.reals(count, inputs),
        "b": values.reals(inputs, units),
        "out": values.unset(count, units),
        "transpose_a": False,
        "transpose_b": False,
        "bias": values.reals(units),
    }

    def bind(backend: Backend, arrays: Results, calls: Calls) -> Array:
        out = hold(backend, (count, units), dtype, order)
        backend.bind_dense(arrays["a"], arrays["b"], arrays["bias"], out, calls)
        return out

    passes = passes_of(Call("matmul", arguments))
    for name, backend in backends.items():
        with naming(name):
            assert_follows(backend, passes, "a", ORDERS[2][0], bind)


@dtypes
@given(data=st.data(), count=images, order=st.sampled_from(ORDERS[4]), seed=seeds)
def test_bind_conv2d_relu_max_pool(
    backends: Backends,
    dtype: str,
    data: st.DataObject,
    count: int,
    order: tuple[int, ...],
    seed: int,
) -> None:
    """What sees a NaN is NaN, and no more."""
    fused = replace(data.draw(on(backends, conv_relu_pools())), real=np.dtype(dtype))
    call = forward_call(fused, fused_call(fused, Values(seed, dtype), images=count))
    x = call.arguments["x"]
    x.flat[seed % x.size] = np.nan
    passes = passes_of(call)

    def bind(backend: Backend, arrays: Results, calls: Calls) -> Array:
        kernel, bias = arrays["kernel"], arrays["bias"]
        return backend.bind_conv2d_relu_max_pool(fused, arrays["x"], kernel, bias, calls)

    for name, backend in backends.items():
        with naming(name):
            assert_follows(backend, passes, "x", order, bind)


@dtypes
@given(size=st.tuples(images, channels, channels, filters), seed=seeds)
def test_bind_normalization(backends: Backends, dtype: str, size: Shape, seed: int) -> None:
    values = Values(seed, dtype)
    pixels = values.integers(256, *size).astype("uint8")
    arguments = {
        "images": pixels,
        "indices": np.arange(len(pixels)),
        "out": values.unset(*size),
        "normalizes": True,
    }
    call = Call("gather_images", arguments)
    right = define(call)
    for name, backend in backends.items():

        def bind(x: Array, calls: Calls, backend: Backend = backend) -> Array:
            backend.bind_normalization(x, calls)
            return x

        out = given_late(backend, bind, pixels.astype(dtype), ORDERS[4][-1])
        with naming(name):
            assert_agrees(call, {"out": backend.to_host(out)}, right)


@dtypes
@given(count=images, classes=st.integers(1, 20), order=st.sampled_from(ORDERS[2]), seed=seeds)
def test_bind_softmax(
    backends: Backends, dtype: str, count: int, classes: int, order: tuple[int, ...], seed: int
) -> None:
    values = Values(seed, dtype)
    arguments = {
        "position": np.zeros(2, np.int64),
        "logits": 4 * values.reals(count, classes),
        "probabilities": values.unset(count, classes),
        "batch_size": count,
    }
    call = Call("store_probabilities", arguments)
    right = define(call)
    for name, backend in backends.items():

        def bind(logits: Array, calls: Calls, backend: Backend = backend) -> Array:
            out = backend.zeros((count, classes), dtype)
            backend.bind_softmax(logits, out, calls)
            return out

        out = given_late(backend, bind, call.arrays["logits"], order)
        with naming(name):
            assert_agrees(call, {"probabilities": backend.to_host(out)}, right)


@dtypes
@given(size=st.tuples(images, channels, channels, filters), order=st.sampled_from(ORDERS[4]))
def test_bind_layout(backends: Backends, dtype: str, size: Shape, order: tuple[int, ...]) -> None:
    """It is the same array; on the CPU, with the images innermost in memory."""
    values = Values(0, dtype).reals(*size)
    for name, backend in backends.items():
        out = given_late(backend, backend.bind_layout, values, order)
        with naming(name):
            assert_array_equal(backend.to_host(out), values, strict=True)
            assert not backend.binds_calls or images_last(out).flags.c_contiguous


@dtypes
@given(size=st.tuples(images, channels, channels, filters), order=st.sampled_from(ORDERS[4]))
def test_bind_flattening(
    backends: Backends, dtype: str, size: Shape, order: tuple[int, ...]
) -> None:
    """Features are in H, W, C order, whatever that in memory is."""
    values = Values(0, dtype).reals(*size)
    for name, backend in backends.items():
        out = given_late(backend, backend.bind_flattening, values, order)
        with naming(name):
            assert_array_equal(backend.to_host(out), values.reshape(size[0], -1), strict=True)

"""What `Backend` promises, of every backend."""

import inspect
import math
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import loops
from backends.agreement import assert_agrees, assert_keeps, naming, results
from backends.contract import Backends
from backends.fused import (
    WHOLE,
    conv_relu_pool,
    conv_relu_pools,
    define_fused,
    forward_call,
    fused_call,
    fused_plan,
    gradients_call,
    infer_fused,
    on,
    picked,
    run_fused,
)
from backends.operations import CALLS
from backends.operations.activations import dropout, relu
from backends.operations.images import transform
from backends.operations.losses import (
    soft_cross_entropy,
    softmax_cross_entropy,
    store_probabilities,
)
from backends.operations.optimizers import adagrad, adam, lion, rmsprop, sgd
from backends.operations.pooling import max_pool
from backends.operations.products import dense_relu
from backends.operations.values import Builder, Values
from backends.strategies import Sizes, batches, seeds, sizes
from gpucnn.backends import ALONE, Array, Backend, Communicator, ConvReluPool, Shape, Window
from gpucnn.backends.backend import CudaBackend
from gpucnn.backends.memory import Order
from gpucnn.backends.ops.bounds import FUNCTION
from gpucnn.backends.ops.images.resampling import PIXEL
from gpucnn.verification.bounds import BOUNDS, overwritten
from gpucnn.verification.calls import Call, Results, define, place, run, unset
from gpucnn.verification.interception import BINDING

SIZES = Sizes(images=2, window=Window((7, 6), (3, 2), (2, 1), "same"), channels=3, filters=5)

PUBLIC = {name for name in dir(Backend) if callable(getattr(Backend, name)) and name[0] != "_"}

dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


# Every operation


@dtypes
@pytest.mark.parametrize("build", CALLS.values(), ids=CALLS)
@given(sizes=sizes(), seed=seeds)
def test_operation_does_as_defined(
    backends: Backends, build: Builder, dtype: str, sizes: Sizes, seed: int
) -> None:
    assert_all_agree(backends, build(sizes, Values(seed, dtype)))


def assert_all_agree(backends: Backends, call: Call) -> None:
    right = define(call)
    for name, backend in backends.items():
        with naming(name):
            assert_agrees(call, results(backend, call), right)


@dtypes
@pytest.mark.parametrize("build", CALLS.values(), ids=CALLS)
def test_operation_repeats_to_the_bit(backend: Backend, build: Builder, dtype: str) -> None:
    call = build(SIZES, Values(0, dtype))
    first, second = results(backend, call), results(backend, call)
    assert {k: v.tobytes() for k, v in first.items()} == {k: v.tobytes() for k, v in second.items()}


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (dropout, "step"),
        (adam, "bias_correction"),
        (adam, "learning_rate"),
        (sgd, "learning_rate"),
        (rmsprop, "learning_rate"),
        (adagrad, "learning_rate"),
        (lion, "learning_rate"),
    ],
)
def test_new_value_in_the_same_array_is_read(backend: Backend, build: Builder, name: str) -> None:
    before = build(SIZES, Values(0, "float64"))
    after = replace(before, arguments=before.arguments | {name: before.arguments[name] * 3})
    arguments = place(backend, before)
    assert_keeps(before, run(backend, before, arguments))
    for array in before.arrays:
        backend.copy(after.arguments[array], arguments[array])
    written = run(backend, after, arguments)
    assert_keeps(after, written)
    assert_agrees(after, written, define(after))


CLASSIFIER = {"can_fuse_classifier", "conv_classifier_gradients"}
"""Tested on every backend in ops/fused/test_conv_classifier.py."""


def test_every_operation_is_tested() -> None:
    called = {build(SIZES, Values(0, "float32")).operation for build in CALLS.values()}
    tested = {name.removeprefix("test_") for name in globals()}
    of_inference = set(BINDING)  # tested on every backend in ops/test_inference.py
    assert PUBLIC - called - tested == CLASSIFIER | of_inference


@pytest.mark.parametrize("build", CALLS.values(), ids=CALLS)
def test_the_bounds_are_of_what_is_written(build: Builder) -> None:
    call = build(SIZES, Values(0, "float32"))
    unwritten = {name for name, array in call.arrays.items() if is_unset(array)}
    written = BOUNDS[call.operation].keys()
    assert written <= call.arguments.keys()
    assert unwritten == call.arrays.keys() & overwritten(call.operation)


def is_unset(array: Array) -> bool:
    return np.array_equal(array, unset(array.shape, array.dtype), equal_nan=array.dtype.kind == "f")


def test_signatures_are_the_definitions(backend: Backend) -> None:
    def signatures(of: type[Backend]) -> dict[str, inspect.Signature]:
        return {name: inspect.signature(getattr(of, name)) for name in PUBLIC}

    assert signatures(type(backend)) == signatures(Backend)


# Beside another


def test_twin(backend: Backend) -> None:
    twin = backend.twin()
    assert (type(twin), twin.device, twin.threads) == (
        type(backend),
        backend.device,
        backend.threads,
    )
    mine, its = (each.workspace("name", (3,), "float32") for each in (backend, twin))
    assert not backend.xp.shares_memory(mine, its)
    call = CALLS["adam"](SIZES, Values(0, "float32"))
    assert_agrees(call, results(twin, call), define(call))


# Recorded


def test_record(backend: Backend) -> None:
    """What is recorded is done when it is replayed, each time with what is in memory then."""
    x, out = backend.zeros((2, 3), "float32"), backend.zeros((2, 3), "float32")

    def work() -> None:
        backend.relu(x, out)
        backend.multiply(out, out, out)

    if not backend.can_record:
        with pytest.raises(NotImplementedError, match="cannot record operations"):
            backend.record(work)
        return
    with backend.session():
        work()  # what a first call allocates is not for a recording
        recording = backend.record(work)
        for number in (2, 3):
            backend.copy(np.full((2, 3), number, np.float32), x)
            recording.replay()
            assert_array_equal(backend.to_host(out), number**2)


def test_call(backend: Backend) -> None:
    """A function that is called is recorded on the host, and one of a communicator elsewhere."""
    numbers: list[int] = []
    backend.call(numbers.append, 1)
    assert numbers == [1]
    if backend.is_host:
        recording = backend.record(lambda: backend.call(numbers.append, 2))
        assert numbers == [1]
        recording.replay()
        assert numbers == [1, 2]


def test_records(backend: Backend) -> None:
    """With what it can record, on the host with all."""
    assert backend.records(ALONE) == backend.can_record
    assert backend.records(Communicator()) == (backend.can_record and backend.is_host)


def test_branch(backend: Backend) -> None:
    """What comes after `join` reads what a branch has written."""
    x = backend.asarray(np.array([[-3, 2, 4]], np.float32))
    rectified, squares = (backend.zeros(x.shape, "float32") for _ in range(2))
    with backend.session():
        with backend.branch():
            backend.relu(x, rectified)
        backend.join()
        backend.multiply(rectified, rectified, squares)
        assert_array_equal(backend.to_host(squares), [[0, 4, 16]])


def test_join(backend: Backend) -> None:
    """It may stand where there is no branch."""
    x = backend.asarray(np.array([[-3, 2, 4]], np.float32))
    out = backend.zeros(x.shape, "float32")
    with backend.session():
        backend.join()
        backend.relu(x, out)
        backend.join()
        assert_array_equal(backend.to_host(out), [[0, 2, 4]])


# Parts of a batch


@dtypes
def test_empty_local(backend: Backend, dtype: str) -> None:
    assert_is_new(backend.empty_local((2, 3), dtype), dtype)


def assert_is_new(array: Array, dtype: str) -> None:
    assert (array.shape, array.dtype) == ((2, 3), np.dtype(dtype))
    assert array.flags.c_contiguous


def test_across(backend: Backend) -> None:
    """The arrays of a backend without NCCL are summed by the communicator of the host's."""

    class Doubling(Communicator):
        size = 2

        def all_reduce(self, values: Array, contributors: int) -> None:
            values *= contributors

    values = backend.asarray(np.ones(3))
    backend.across(Doubling()).all_reduce(values, 2)
    assert backend.to_host(values).tolist() == [2, 2, 2]


def test_a_single_rank_needs_no_communicator_of_the_device(backend: Backend) -> None:
    assert backend.across(ALONE) is ALONE


def test_images_at_once(backend: Backend) -> None:
    assert all((backend.images_at_once(size) or 1) >= 1 for size in (1, 2**20, 2**40))


# Convolution, ReLU and max-pooling as one

FEW = conv_relu_pool(Window((6, 7), (3, 3), (1, 1), "valid"), (2, 2), channels=1, filters=5)
MANY = conv_relu_pool(Window((6, 7), (3, 3), (1, 1), "same"), (2, 3), channels=4, filters=5)

DEEP = conv_relu_pool(Window((5, 6), (2, 3), (1, 1), "valid"), (2, 2), channels=9, filters=18)

TILED = conv_relu_pool(Window((6, 7), (3, 3), (1, 1), "valid"), (2, 2), channels=37, filters=34)
"""With so many channels that the kernels load them in several turns."""

SQUARES = conv_relu_pool(Window((8, 7), (3, 3), (1, 1), "same"), (2, 2), channels=16, filters=16)
"""Computed by Winograd's F(2x2, 3x3) on the CPU, which reads it in an order of its own."""

few_and_many = pytest.mark.parametrize(
    "fused", [FEW, MANY, DEEP, TILED], ids=["few", "many", "deep", "tiled"]
)


@pytest.mark.parametrize(
    "pool",
    [Window((9, 9), (3, 3), (2, 2), "valid"), Window((9, 9), (2, 2), (2, 2), "same")],
    ids=["overlapping", "padded"],
)
def test_can_fuse(backend: Backend, pool: Window) -> None:
    window = Window((11, 11), (3, 3), (1, 1), "valid")
    assert not backend.can_fuse(ConvReluPool(window, pool, 1, 2, np.dtype(np.float32)))


def test_can_fuse_with_dilation(backend: Backend) -> None:
    """On a GPU, where the kernels are compiled for it and patches are no larger than without."""
    for dilation, is_small in (((1, 2), True), ((2, 1), True), ((2, 2), True), ((3, 3), False)):
        window = Window((11, 11), (3, 3), (1, 1), "valid", dilation)
        fused = conv_relu_pool(window, (2, 2), 1, 2)
        assert backend.can_fuse(fused) == (is_small and isinstance(backend, CudaBackend))


def test_can_fuse_dense(backend: Backend) -> None:
    """Where it can, a twin can as well."""
    assert backend.can_fuse_dense() == backend.twin().can_fuse_dense()


@dtypes
def test_can_fuse_head(backend: Backend, dtype: str) -> None:
    """No device takes a head of any size."""
    assert not backend.can_fuse_head(10**6, 1000, np.dtype(dtype))


@dtypes
@few_and_many
def test_fused_is_one_after_the_other(backend: Backend, dtype: str, fused: ConvReluPool) -> None:
    call = fused_call(fused, Values(0, dtype), WHOLE)
    assert_is_one_after_the_other(backend, fused, call, define_fused(fused, call))


@few_and_many
def test_fused_gradients_of_many_images(backend: Backend, fused: ConvReluPool) -> None:
    """As many as are summed in several stages."""
    call = fused_call(fused, Values(0, "float64"), WHOLE, images=70)
    plan = fused_plan(backend, fused, call)
    assert_same(run_fused(backend, call, plan), define_fused(fused, call))


@dtypes
@given(data=st.data(), images=batches, seed=seeds)
def test_fused_of_any_size_is_one_after_the_other(
    backends: Backends, dtype: str, data: st.DataObject, images: int, seed: int
) -> None:
    fused = data.draw(on(backends, conv_relu_pools()))
    call = fused_call(fused, Values(seed, dtype), WHOLE, images=images)
    right = define_fused(fused, call)
    for name, backend in backends.items():
        with naming(name):
            assert_is_one_after_the_other(backend, fused, call, right)


def assert_is_one_after_the_other(
    backend: Backend, fused: ConvReluPool, call: Call, right: Results
) -> None:
    plan = fused_plan(backend, fused, call)
    assert_same(infer_fused(backend, call, plan), {"out": right["out"]})
    assert_same(run_fused(backend, call, plan), right)


def assert_same(actual: Results, right: Results) -> None:
    assert actual.keys() == right.keys()
    for name, array in actual.items():
        assert_array_equal(array, right[name], name)


@dtypes
@given(data=st.data(), images=batches, seed=seeds)
def test_conv2d_relu_max_pool(
    backends: Backends, dtype: str, data: st.DataObject, images: int, seed: int
) -> None:
    fused = data.draw(on(backends, conv_relu_pools()))
    call = fused_call(fused, Values(seed, dtype), images=images)
    assert_all_agree(backends, forward_call(fused, call))


@dtypes
@given(data=st.data(), images=batches, seed=seeds)
def test_fused_gradients_are_within_their_bounds(
    backends: Backends, dtype: str, data: st.DataObject, images: int, seed: int
) -> None:
    fused = data.draw(on(backends, conv_relu_pools()))
    call = fused_call(fused, Values(seed, dtype), images=images)
    assert_all_agree(backends, gradients_call(fused, call))


@few_and_many
def test_conv2d_relu_max_pool_gradients(backend: Backend, fused: ConvReluPool) -> None:
    call = fused_call(fused, Values(0, "float64"))
    actual = run_fused(backend, call, fused_plan(backend, fused, call))
    for name, right in define_fused(fused, call).items():
        np.testing.assert_allclose(actual[name], right, rtol=0, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("fused", [FEW, SQUARES], ids=["few", "squares"])
def test_conv_relu_pool_order(backend: Backend, fused: ConvReluPool) -> None:
    """Images that lie in that order in memory are taken as any are."""
    call = fused_call(fused, Values(0, "float64"))
    given, of = call.arguments["x"], place(backend, call)
    order = backend.conv_relu_pool_order(fused)
    memory = backend.zeros((given.size,), given.dtype)
    x = backend.batch_view(memory, len(given), given.shape[1:], order)
    backend.copy(of["x"], x)
    plan = fused_plan(backend, fused, call)
    backend.conv2d_relu_max_pool(x, of["kernel"], of["bias"], plan, of["out"], training=True)
    right = define_fused(fused, call)["out"]
    np.testing.assert_allclose(backend.to_host(of["out"]), right, rtol=0, atol=1e-12)


def test_pixels_that_nothing_sees_have_no_gradient(backend: Backend) -> None:
    """Where the strides are larger than the kernel."""
    window = Window((5, 6), (1, 1), (2, 2), "valid")
    fused = conv_relu_pool(window, (1, 2), channels=2, filters=3)
    call = fused_call(fused, Values(0, "float64"), WHOLE)
    actual = run_fused(backend, call, fused_plan(backend, fused, call))
    assert_same(actual, define_fused(fused, call))
    assert not actual["input_gradient"][:, :, 1::2].any()


@few_and_many
def test_fused_repeats_to_the_bit(backend: Backend, fused: ConvReluPool) -> None:
    call = fused_call(fused, Values(0, "float32"))
    plan = fused_plan(backend, fused, call)
    first, second = run_fused(backend, call, plan), run_fused(backend, call, plan)
    assert {k: v.tobytes() for k, v in first.items()} == {k: v.tobytes() for k, v in second.items()}


@few_and_many
def test_conv_relu_pool_plan(backend: Backend, fused: ConvReluPool) -> None:
    """It serves call after call, with other arrays."""
    calls = [fused_call(fused, Values(seed, "float64"), WHOLE) for seed in (1, 2)]
    plan = fused_plan(backend, fused, calls[0])
    for call in calls:
        assert_same(run_fused(backend, call, plan), define_fused(fused, call))


@few_and_many
def test_conv_relu_pool_buffers(backend: Backend, fused: ConvReluPool) -> None:
    call = fused_call(fused, Values(0, "float64"))
    plan = fused_plan(backend, fused, call)
    assert plan.fused == fused
    assert plan.arrays.keys() == backend.conv_relu_pool_buffers(fused).keys()


@dtypes
@few_and_many
@pytest.mark.parametrize("bytes_", [True, False], ids=["bytes", "reals"])
def test_gathered_conv2d_relu_max_pool(
    backend: Backend, dtype: str, fused: ConvReluPool, bytes_: bool
) -> None:
    gathered, call = picked(fused_call(fused, Values(0, dtype), WHOLE, images=3), bytes_=bytes_)
    plan = fused_plan(backend, fused, call)
    assert_same(run_fused(backend, call, plan, gathered=gathered), define_fused(fused, call))
    assert_same(run_fused(backend, call, plan), define_fused(fused, call))


def test_can_fuse_gather(backend: Backend) -> None:
    """Bytes alone, and nowhere what cannot be fused."""
    images = backend.zeros((1, *FEW.window.image, 1), "float32")
    assert not backend.can_fuse_gather(FEW, images)
    large = conv_relu_pool(Window((30, 30), (9, 9), (1, 1), "valid"), (2, 2), 1, 1)
    images = backend.zeros((1, *large.window.image, 1), "uint8")
    assert backend.can_fuse_gather(FEW, images) <= backend.can_fuse(FEW)
    assert backend.can_fuse_gather(large, images) <= backend.can_fuse(large)


@few_and_many
def test_fused_leaves_out_an_input_gradient_that_is_not_wanted(
    backend: Backend, fused: ConvReluPool
) -> None:
    call = fused_call(fused, Values(0, "float64"), WHOLE)
    plan = fused_plan(backend, fused, call)
    actual = run_fused(backend, call, plan, input_gradient=False)
    assert is_unset(actual.pop("input_gradient"))
    right = define_fused(fused, call)
    assert_same(actual, {name: right[name] for name in actual})


@dtypes
@given(data=st.data(), images=batches, seed=seeds)
def test_nan_passes_the_fused_operation(
    backends: Backends, dtype: str, data: st.DataObject, images: int, seed: int
) -> None:
    fused = data.draw(on(backends, conv_relu_pools()))
    call = fused_call(fused, Values(seed, dtype), WHOLE, images=images)
    x = call.arguments["x"]
    x.flat[seed % x.size] = math.nan
    right = np.isnan(define_fused(fused, call)["out"])
    for name, backend in backends.items():
        with naming(name):
            out = infer_fused(backend, call, fused_plan(backend, fused, call))["out"]
            assert_array_equal(np.isnan(out), right)


# A span of operations


def test_session(backend: Backend) -> None:
    check_overflow_is_ignored(backend, backend.session())


@pytest.mark.parametrize("multiply_adds", [1, 10**9])
def test_session_of(backend: Backend, multiply_adds: int) -> None:
    check_overflow_is_ignored(backend, backend.session_of(multiply_adds))


def check_overflow_is_ignored(backend: Backend, session: AbstractContextManager[None]) -> None:
    large, out = backend.asarray(np.full(3, 1e300)), backend.zeros((3,), "float64")
    with session:
        backend.multiply(large, large, out)  # which outside would be a warning
    assert_array_equal(backend.to_host(out), np.full(3, np.inf))


# Memory


@dtypes
def test_empty(backend: Backend, dtype: str) -> None:
    array = backend.empty((2, 3), dtype)
    assert (array.shape, array.dtype) == ((2, 3), np.dtype(dtype))


@dtypes
def test_zeros(backend: Backend, dtype: str) -> None:
    array = backend.to_host(backend.zeros((2, 3), dtype))
    assert_array_equal(array, np.zeros((2, 3), dtype), strict=True)


def test_asarray(backend: Backend) -> None:
    source = np.arange(6.0).reshape(2, 3).T
    array = backend.asarray(source)
    assert array.flags.c_contiguous
    assert_array_equal(backend.to_host(array), source, strict=True)


def test_asarray_of_a_dtype(backend: Backend) -> None:
    array = backend.asarray(np.arange(3), "float32")
    assert_array_equal(backend.to_host(array), np.arange(3, dtype="float32"), strict=True)


def test_as_operand(backend: Backend) -> None:
    of_backend = backend.zeros((2, 3), "float32")
    assert backend.as_operand(of_backend, "float32") is of_backend
    converted = backend.as_operand(backend.asarray(np.arange(3)), "float32")
    assert_array_equal(backend.to_host(converted), np.arange(3, dtype="float32"), strict=True)


def test_to_host(backend: Backend) -> None:
    array = backend.zeros((3,), "float32")
    host = backend.to_host(array)
    host += 1
    assert type(host) is np.ndarray
    assert_array_equal(backend.to_host(array), np.zeros(3))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4)])
def test_batch_view(backend: Backend, shape: Shape, order: Order) -> None:
    memory = backend.zeros((100,), "int64")
    view = backend.batch_view(memory, 4, shape, order)
    values = 1 + np.arange(view.size).reshape(4, *shape)
    backend.copy(values, view)
    assert_array_equal(backend.to_host(view), values, strict=True)
    assert_array_equal(np.sort(backend.to_host(memory)[: view.size]), values.ravel())
    assert not backend.to_host(memory)[view.size :].any()


@dtypes
def test_to_layout(backend: Backend, dtype: str) -> None:
    values = Values(0, dtype).reals(4, 2, 3, 2)
    out = backend.batch_view(backend.zeros((100,), dtype), 4, (2, 3, 2))
    x = backend.asarray(values)
    arranged = backend.to_layout(x, out)
    assert_array_equal(backend.to_host(arranged), values, strict=True)
    assert arranged is x or arranged is out


@pytest.mark.parametrize("source", ["float64", "float32", "int64", "uint8"])
def test_copy(backend: Backend, source: str) -> None:
    out = backend.empty((2, 3), "float32")
    host = np.arange(6).astype(source).reshape(2, 3)
    backend.copy(host, out)
    assert_array_equal(backend.to_host(out), host.astype("float32"), strict=True)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint64", "bool"])
def test_workspace(backend: Backend, dtype: str) -> None:
    array = backend.workspace("contract", (2, 3), dtype)
    assert (array.shape, array.dtype) == ((2, 3), np.dtype(dtype))


@pytest.mark.parametrize("count", [0, 7, 3])
def test_counting(backend: Backend, count: int) -> None:
    array = backend.to_host(backend.counting(count))
    assert_array_equal(array, np.arange(count, dtype=np.int64), strict=True)


# Extremes

NAN, INF = math.nan, math.inf

POOL = Sizes(images=1, window=Window((4, 4), (2, 2), (2, 2), "valid"), channels=1, filters=1)

HUGE = [[1e4, -1e4], [1e4, -1e4], [1e4, 1e4], [-1e4, -1e4]]


@dtypes
@pytest.mark.parametrize(("row", "column"), list(product(range(4), repeat=2)))
def test_nan_wins_its_window(backend: Backend, dtype: str, row: int, column: int) -> None:
    call = max_pool(POOL, Values(0, dtype))
    call.arguments["x"][0, row, column, 0] = math.nan
    seen = np.zeros((1, 2, 2, 1), np.bool_)
    seen[0, row // 2, column // 2, 0] = True
    found = results(backend, call)
    assert_array_equal(np.isnan(found["out"]), seen)
    assert_array_equal(found["argmax"], define(call)["argmax"])  # the greatest of those before it


@dtypes
def test_argmax_of_nan_is_within_the_window(backend: Backend, dtype: str) -> None:
    call = max_pool(POOL, Values(0, dtype))
    call.arguments["x"].fill(math.nan)
    assert set(results(backend, call)["argmax"].flat) <= {0, 1, 2, 3}


@dtypes
def test_maximum_may_be_minus_infinity(backend: Backend, dtype: str) -> None:
    call = max_pool(POOL, Values(0, dtype))
    call.arguments["x"].fill(-math.inf)
    assert_agrees(call, results(backend, call), define(call))


@dtypes
def test_relu_keeps_nan(backend: Backend, dtype: str) -> None:
    call = relu(POOL, Values(0, dtype))
    call.arguments["x"][0, 2, 1, 0] = math.nan
    assert_agrees(call, results(backend, call), define(call))


@dtypes
def test_relu_passes_gradients_that_are_not_finite(backend: Backend, dtype: str) -> None:
    """Where its output is positive; elsewhere kernels write 0, and NumPy the product with 0."""
    gradients = np.array([[-INF, NAN, INF, 2] * 2], dtype)
    out = np.array([[1e-30] * 4 + [0] * 4], dtype)
    unwritten = unset(out.shape, out.dtype)
    arguments = {"output_gradient": gradients, "out": out, "input_gradient": unwritten}
    with backend.session():
        (found,) = results(backend, Call("relu_gradient", arguments))["input_gradient"]
    assert_array_equal(found[:4], gradients[0, :4])
    is_kernel = isinstance(backend, CudaBackend)
    assert_array_equal(found[4:], [0] * 4 if is_kernel else [NAN, NAN, NAN, 0])


@dtypes
def test_dense_relu_keeps_nan(backend: Backend, dtype: str) -> None:
    call = dense_relu(POOL, Values(0, dtype))
    call.arguments["x"][2, 1] = math.nan
    assert np.isnan(results(backend, call)["out"][2]).all()


@dtypes
@pytest.mark.parametrize("value", [0.5, -0.5, math.inf, -math.inf, math.nan])
def test_clip_limits_all_but_nan(backend: Backend, dtype: str, value: float) -> None:
    call = Call("clip", {"values": np.array([value], dtype), "limit": 0.25})
    assert_agrees(call, results(backend, call), define(call))


@dtypes
@pytest.mark.parametrize("build", [store_probabilities, softmax_cross_entropy, soft_cross_entropy])
@pytest.mark.parametrize("place", [0, 1, 36])
def test_nan_among_logits_shows_in_all_of_their_row(
    backend: Backend, build: Builder, dtype: str, place: int
) -> None:
    """And in no other row, whichever lane of a warp has it."""
    call = build(replace(SIZES, filters=37), Values(0, dtype))
    row = len(call.arguments["logits"]) // 2
    call.arguments["logits"][row, place] = math.nan
    found, right = results(backend, call), define(call)
    for name in found.keys() - {"correct"}:
        assert np.isnan(right[name]).any()
        assert_array_equal(np.isnan(found[name]), np.isnan(right[name]), name)


@dtypes
@pytest.mark.parametrize("build", [adam, rmsprop, lion])
def test_averages_begin_with_the_share_of_a_gradient(
    backend: Backend, build: Builder, dtype: str
) -> None:
    """Of which 1 - 0.999 is, to all digits: in float32 it has but four of them."""
    call = build(SIZES, Values(0, dtype))
    for name in ("beta_1", "beta_2", "rho"):
        if name in call.arguments:
            call.arguments[name] = 0.999
    for name in ("mean", "square"):
        if call.arguments.get(name) is not None:
            call.arguments[name].fill(0)
    assert_agrees(call, results(backend, call), define(call))


@dtypes
def test_the_nearest_pixel_is_taken_alone(backend: Backend, dtype: str) -> None:
    """A NaN beside it does not show."""
    call = transform(POOL, Values(0, dtype), fill_mode="nearest", interpolation="nearest")
    call.arguments["x"][0, 1, 2, 0] = math.nan
    call.arguments["maps"] = np.array([[0, PIXEL, 0, 0, 0, PIXEL], [0] * 6], np.int32)
    call.arguments["drawn"] = np.array([[0, 1]], np.int32)
    assert_array_equal(results(backend, call)["out"], call.arguments["x"])


@dtypes
def test_bytes_are_normalised_to_the_last_bit(backend: Backend, dtype: str) -> None:
    """All of them: a product with 1 / 255 is another number for 111 of them in float32."""
    images = np.arange(256, dtype=np.uint8).reshape(2, 16, 8, 1)
    arguments = {"images": images, "indices": np.arange(2), "out": unset(images.shape, dtype)}
    call = Call("gather_images", arguments | {"normalizes": True})
    right = images.astype(dtype) / np.array(255, dtype) - np.array(0.5, dtype)
    assert_array_equal(results(backend, call)["out"], right, strict=True)


def clipped(backend: Backend, values: Array, *, nan_if_infinite: bool) -> Array:
    """The first of two arrays, of which the second has a norm of 5, clipped to 1."""
    both = np.concatenate([values, np.array([3, -4], values.dtype)])
    arguments = {"sizes": (len(values), 2), "limit": 1.0, "nan_if_infinite": nan_if_infinite}
    with backend.session():
        found = results(backend, Call("clip_norms", {"values": both} | arguments))["values"]
    np.testing.assert_allclose(found[-2:], [0.6, -0.8], rtol=1e-6)
    return found[:-2]


@dtypes
@pytest.mark.parametrize(
    ("values", "expected", "strictly"),
    [
        ([0, 0], [0, 0], [0, 0]),
        ([INF, 1], [NAN, 0], [NAN, NAN]),
        ([-INF, INF], [NAN, NAN], [NAN, NAN]),
        ([NAN, 1], [NAN, NAN], [NAN, NAN]),
        ([NAN, INF], [NAN, NAN], [NAN, NAN]),
    ],
)
def test_norms_that_are_not_finite(
    backend: Backend, dtype: str, values: list[float], expected: list[float], strictly: list[float]
) -> None:
    array = np.array(values, dtype)
    assert_array_equal(clipped(backend, array, nan_if_infinite=False), expected)
    assert_array_equal(clipped(backend, array, nan_if_infinite=True), strictly)


@dtypes
def test_a_norm_that_overflows(backend: Backend, dtype: str) -> None:
    array = np.array([np.finfo(dtype).max, 1], dtype)
    assert_array_equal(clipped(backend, array, nan_if_infinite=False), [0, 0])
    assert_array_equal(clipped(backend, array, nan_if_infinite=True), [NAN, NAN])


@dtypes
def test_norm_of_zeros(backend: Backend, dtype: str) -> None:
    call = Call("unit_norm", {"values": np.zeros(3, dtype), "epsilon": 1e-7})
    assert_array_equal(results(backend, call)["values"], np.zeros(3))


@dtypes
def test_dropout_keeps_at_the_threshold(backend: Backend, dtype: str) -> None:
    call = dropout(POOL, Values(0, dtype))
    word = loops.random_word(0, call.arguments["seed"], call.arguments["stream"], 7)
    call.arguments.update(step=np.array([7], np.int64), rate=word / 2**32)
    assert results(backend, call)["mask"].flat[0] > 0


@dtypes
def test_softmax_of_huge_logits(backend: Backend, dtype: str) -> None:
    logits = np.array(HUGE, dtype)
    arguments = {
        "position": np.array([0, 1]),
        "logits": logits,
        "probabilities": unset(logits.shape, dtype),
        "batch_size": len(logits),
        "first": 0,
    }
    probabilities = results(backend, Call("store_probabilities", arguments))["probabilities"]
    assert_array_equal(probabilities, [[1, 0], [1, 0], [0.5, 0.5], [0.5, 0.5]])


def huge_loss(backend: Backend, dtype: str) -> Results:
    """The loss of huge logits with labels at both ends."""
    values = Values(0, dtype)
    arguments = {
        "logits": np.array(HUGE, dtype),
        "labels": np.array([0, 1, 0, 1], np.int64),
        "losses": values.unset(4),
        "correct": values.unset(4),
        "gradient": values.unset(4, 2),
        "images": 4,
    }
    return results(backend, Call("softmax_cross_entropy", arguments))


@dtypes
def test_loss_of_huge_logits(backend: Backend, dtype: str) -> None:
    losses = huge_loss(backend, dtype)["losses"]
    ulp = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(losses, [0, 2e4, math.log(2), math.log(2)], rtol=ulp, atol=0)


@dtypes
def test_correct_of_huge_logits(backend: Backend, dtype: str) -> None:
    assert_array_equal(huge_loss(backend, dtype)["correct"], [1, 0, 1, 0])


@dtypes
def test_loss_gradient_of_huge_logits(backend: Backend, dtype: str) -> None:
    expected = np.array([[0, 0], [1, -1], [-0.5, 0.5], [0.5, -0.5]]) / 4
    assert_array_equal(huge_loss(backend, dtype)["gradient"], expected)


@dtypes
def test_sigmoid_cross_entropy_of_what_is_nearly_certain(backend: Backend, dtype: str) -> None:
    """It is log1p(exp(-20)), which 1 + exp(-20) has no digits for in float32."""
    values = Values(0, dtype)
    arguments = {
        "logits": np.array([[-20], [20]], dtype),
        "targets": np.array([[0], [1]], dtype),
        "losses": values.unset(2),
        "correct": values.unset(2),
    }
    losses = results(backend, Call("sigmoid_cross_entropy", arguments))["losses"]
    expected = math.log1p(math.exp(-20))
    functions = 2 * FUNCTION * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(losses, expected, rtol=2 * functions, atol=0)

"""The CUDA backend, on the simulator: what the contract's small calls do not reach."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from backends.agreement import assert_agrees, results
from backends.fused import (
    WHOLE,
    conv_relu_pool,
    define_fused,
    fused_call,
    fused_plan,
    run_fused,
)
from backends.operations.losses import (
    sigmoid_cross_entropy,
    soft_cross_entropy,
    softmax_cross_entropy,
    squared_error,
    weigh_rows,
)
from backends.operations.normalization import (
    channel_means,
    channel_variances,
    normalize,
    normalize_gradient,
    normalize_gradient_sums,
)
from backends.operations.values import Builder, Values
from backends.strategies import Sizes
from gpucnn.backends import Array, Backend, ConvReluPool, CpuBackend, Window
from gpucnn.backends.backend import CudaBackend
from gpucnn.backends.cuda.columns import lanes_of, slab_rows_of
from gpucnn.backends.cuda.conv_relu_pool import CudaConvReluPoolPlan
from gpucnn.backends.cuda.kernel import MULTIPROCESSORS
from gpucnn.backends.cuda.simulator_runtime import SimulatorRuntime
from gpucnn.backends.ops import dense, matrices
from gpucnn.backends.ops.grouped_convolution import _slab_positions
from gpucnn.backends.ops.images.resampling import FILL_MODES, PIXEL
from gpucnn.backends.ops.matrices import (
    TILINGS,
    Tiling,
    _cycles,
    _splits,
    plan,
)
from gpucnn.backends.ops.random import philox4x32
from gpucnn.utils.arithmetic import ceil_div
from gpucnn.verification.calls import define

VALID = Window((28, 28), (3, 3), (1, 1), "valid")
THREE = (3, 3), (1, 1)

BEYOND_32_BITS = 2**32 + 2**12


@pytest.fixture(scope="module", params=["forward", "reversed", 1])
def simulator(request: pytest.FixtureRequest) -> CudaBackend:
    return CudaBackend(SimulatorRuntime(request.param))


def whole_numbers(*shape: int, dtype: str = "float32") -> NDArray[Any]:
    """Small whole numbers, of which sums are exact in any order."""
    return np.random.default_rng(0).integers(-3, 4, shape).astype(dtype)


# How work is shared out

PRODUCTS = {
    "one output": (1, 1, 1),
    "dense, one image": (1, 1352, 10),
    "dense, a batch": (128, 1352, 10),
    "convolution of the notebook's network": (2 * 676, 9, 8),
    "its weight gradient": (9, 20_000, 8),
    "gradient of a dense layer's input": (128, 10, 1352),
    "tiles that are cut off": (130, 33, 67),
    "a sum of no terms": (3, 0, 5),
}


def assert_is_product(
    backend: CudaBackend,
    m: int,
    k: int,
    n: int,
    dtype: str,
    transpose_a: bool,
    transpose_b: bool,
) -> None:
    a, b, bias = (whole_numbers(*shape, dtype=dtype) for shape in ((m, k), (k, n), (n,)))
    out = np.full((m, n), np.nan, dtype)
    backend.matmul(
        np.ascontiguousarray(a.T) if transpose_a else a,
        np.ascontiguousarray(b.T) if transpose_b else b,
        out,
        transpose_a=transpose_a,
        transpose_b=transpose_b,
        bias=bias,
    )
    assert_array_equal(out, a @ b + bias)
    assert not backend.tickets.any()


@pytest.mark.parametrize(("m", "k", "n"), PRODUCTS.values(), ids=PRODUCTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
def test_matmul_of_every_shape(
    simulator: CudaBackend,
    m: int,
    k: int,
    n: int,
    dtype: str,
    transpose_a: bool,
    transpose_b: bool,
) -> None:
    assert_is_product(simulator, m, k, n, dtype, transpose_a, transpose_b)


ODD, EVEN = (131, 77, 67), (132, 136, 68)  # sizes loaded one by one, and 16 bytes at once


@pytest.mark.parametrize(("m", "k", "n"), [ODD, EVEN], ids=["odd", "even"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize("split", [64, 256])
@pytest.mark.parametrize("tiling", TILINGS, ids=lambda tiling: f"tile {tiling.tile}")
def test_matmul_in_every_tiling(
    simulator: CudaBackend,
    monkeypatch: pytest.MonkeyPatch,
    m: int,
    k: int,
    n: int,
    dtype: str,
    transpose_a: bool,
    transpose_b: bool,
    split: int,
    tiling: Tiling,
) -> None:
    monkeypatch.setattr(matrices, "plan", lambda *_: (tiling, split))
    assert_is_product(simulator, m, k, n, dtype, transpose_a, transpose_b)


@pytest.mark.parametrize(("inputs", "images", "units"), [ODD, EVEN], ids=["odd", "even"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("split", [64, 256])
@pytest.mark.parametrize("tiling", TILINGS, ids=lambda tiling: f"tile {tiling.tile}")
def test_gradients_of_a_dense_layer_in_every_tiling(
    simulator: CudaBackend,
    monkeypatch: pytest.MonkeyPatch,
    inputs: int,
    images: int,
    units: int,
    dtype: str,
    split: int,
    tiling: Tiling,
) -> None:
    monkeypatch.setattr(dense, "plan", lambda *_: (tiling, split))
    x = whole_numbers(images, inputs, dtype=dtype)
    output_gradient = whole_numbers(images, units, dtype=dtype)
    kernel_gradient = np.full((inputs, units), np.nan, dtype)
    bias_gradient = np.full(units, np.nan, dtype)
    simulator.dense_gradients(x, output_gradient, kernel_gradient, bias_gradient)
    assert_array_equal(kernel_gradient, x.T @ output_gradient)
    assert_array_equal(bias_gradient, output_gradient.sum(axis=0))
    assert not simulator.tickets.any()


@pytest.mark.parametrize(("images", "inputs", "units"), [ODD, EVEN], ids=["odd", "even"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("split", [64, 256])
@pytest.mark.parametrize("tiling", TILINGS, ids=lambda tiling: f"tile {tiling.tile}")
@pytest.mark.parametrize("first", [None, 0, 30])
def test_dense_relu_in_every_tiling_is_one_after_the_other(
    simulator: CudaBackend,
    monkeypatch: pytest.MonkeyPatch,
    images: int,
    inputs: int,
    units: int,
    dtype: str,
    split: int,
    tiling: Tiling,
    first: int | None,
) -> None:
    for module in (matrices, dense):
        monkeypatch.setattr(module, "plan", lambda *_: (tiling, split))
    values = Values(0, dtype)
    x, kernel, bias = values.reals(images, inputs), values.reals(inputs, units), values.reals(units)
    random = 0.4, 5, 6, np.array([7]), first or 0
    out, *parts = (values.unset(images, units) for _ in range(5))
    simulator.matmul(x, kernel, parts[0], bias=bias)
    simulator.relu(parts[0], parts[1])
    simulator.dropout(parts[1], *random[:-1], parts[2], parts[3], random[-1])
    if first is None:
        simulator.dense_relu(x, kernel, bias, out)
    else:
        simulator.dense_relu(x, kernel, bias, out, *random)
    assert out.tobytes() == parts[1 if first is None else 3].tobytes()


@pytest.mark.parametrize("offset", [0, 1, 2, 4])
def test_matmul_of_arrays_that_are_not_aligned(simulator: CudaBackend, offset: int) -> None:
    memory = whole_numbers(2, 64 * 64 + offset)
    a, b = (each[offset:].reshape(64, 64) for each in memory)
    out = np.full((64, 64), np.nan, np.float32)
    simulator.matmul(a, b, out)
    assert_array_equal(out, a @ b)


@pytest.mark.parametrize("tiling", TILINGS, ids=lambda tiling: f"tile {tiling.tile}")
def test_lines_beyond_a_matrix_and_terms_beyond_a_split_count_for_nothing(
    simulator: CudaBackend, monkeypatch: pytest.MonkeyPatch, tiling: Tiling
) -> None:
    """Neither do they where what lies there is NaN."""
    monkeypatch.setattr(matrices, "plan", lambda *_: (tiling, 64))
    memory = np.full(3 * 40 * 40, np.nan, np.float32)
    a, b = (memory[at : at + 40 * 40].reshape(40, 40) for at in (16, 1640))
    a[...], b[...] = whole_numbers(2, 40, 40)
    out = np.full((40, 40), np.nan, np.float32)
    simulator.matmul(a, b, out)
    assert_array_equal(out, a @ b)


@pytest.mark.parametrize(("m", "k", "n"), PRODUCTS.values(), ids=PRODUCTS)
def test_no_plan_of_a_product_is_estimated_to_be_faster(m: int, k: int, n: int) -> None:
    tiling, split = plan(m, n, k)
    assert split % tiling.terms == 0
    cycles = _cycles(tiling, split, m, n, k)
    for other in TILINGS:
        assert all(cycles <= _cycles(other, each, m, n, k) for each in _splits(other, m, n, k))


@pytest.mark.parametrize(
    ("m", "k", "n", "least"),
    [
        (64, 1600, 128, MULTIPROCESSORS // 2),
        (1600, 64, 128, MULTIPROCESSORS),
        (64, 128, 1600, MULTIPROCESSORS // 2),
        (64, 1352, 10, MULTIPROCESSORS // 4),
        (1352, 64, 10, MULTIPROCESSORS // 2),
        (9, 43_264, 8, MULTIPROCESSORS // 2),
    ],
)
def test_products_of_few_outputs_are_shared_out(m: int, k: int, n: int, least: int) -> None:
    tiling, split = plan(m, n, k)
    assert tiling.tiles(m, n) * ceil_div(k, split) >= least


def test_each_tiling_is_used() -> None:
    shapes = [(64, 10, 1352), (64, 128, 1600), (7744, 64, 288), (4096, 4096, 4096)]
    assert {plan(m, n, k)[0] for m, n, k in shapes} == set(TILINGS)


def test_products_of_many_tiles_are_not_split() -> None:
    assert _splits(TILINGS[0], 4096, 4096, 1024) == {1024}


SHAPES = [(1, 1), (70_000, 8), (5_000, 10), (600, 100), (0, 3), (1, 70), (5, 0), (2, 300)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_sum_rows_of_every_shape(
    simulator: CudaBackend, shape: tuple[int, int], dtype: str
) -> None:
    a, out = whole_numbers(*shape, dtype=dtype), np.full(shape[1], np.nan, dtype)
    simulator.sum_rows(a, out)
    assert_array_equal(out, a.sum(axis=0))
    assert not simulator.tickets.any()


@pytest.mark.parametrize(
    ("columns", "lanes"), [(1, 1), (2, 2), (3, 4), (8, 8), (10, 16), (32, 32), (33, 32)]
)
def test_lanes(columns: int, lanes: int) -> None:
    assert lanes_of(256, columns) == lanes


@pytest.mark.parametrize(
    ("rows", "lanes"), [(0, 256), (1, 256), (2, 128), (3, 128), (4, 64), (8, 32), (9, 32)]
)
def test_lanes_of_few_rows(rows: int, lanes: int) -> None:
    """The threads of a column are no more than the rows, so that none is idle."""
    assert lanes_of(rows, 1000) == lanes


@pytest.mark.parametrize(
    ("rows", "columns", "slabs"), [(64, 10, 1), (1024, 10, 4), (43_264, 8, 84), (700_000, 8, 264)]
)
def test_slabs(rows: int, columns: int, slabs: int) -> None:
    assert ceil_div(rows, slab_rows_of(rows, columns, lanes_of(rows, columns))) == slabs


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", [1, 31, 32, 33, 100])
def test_losses_of_many_classes(simulator: CudaBackend, classes: int, dtype: str) -> None:
    sizes = Sizes(images=1, window=WINDOWS[3], channels=1, filters=classes)
    call = softmax_cross_entropy(sizes, Values(0, dtype))
    call.arguments["labels"][::2] = call.arguments["logits"][::2].argmax(axis=1)  # in any lane
    assert_agrees(call, results(simulator, call), define(call))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("channels", [31, 33, 70])
@pytest.mark.parametrize(
    "build",
    [
        channel_means,
        channel_variances,
        normalize,
        normalize_gradient_sums,
        normalize_gradient,
    ],
)
def test_normalize_many_channels(
    simulator: CudaBackend, build: Builder, channels: int, dtype: str
) -> None:
    """More than a warp has lanes, and rows for several slabs."""
    window = Window((40, 40), (1, 1), (1, 1), "valid")
    call = build(Sizes(images=2, window=window, channels=1, filters=channels), Values(0, dtype))
    assert_agrees(call, results(simulator, call), define(call))
    assert not simulator.tickets.any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("outputs", [1, 31, 32, 33, 100])
@pytest.mark.parametrize(
    "build", [soft_cross_entropy, sigmoid_cross_entropy, squared_error, weigh_rows]
)
def test_losses_of_many_outputs(
    simulator: CudaBackend, build: Builder, outputs: int, dtype: str
) -> None:
    sizes = Sizes(images=1, window=WINDOWS[3], channels=1, filters=outputs)
    call = build(sizes, Values(0, dtype))
    assert_agrees(call, results(simulator, call), define(call))


@pytest.mark.parametrize(
    "build", [soft_cross_entropy, sigmoid_cross_entropy, squared_error, weigh_rows]
)
def test_losses_leave_what_is_beyond_their_rows(simulator: CudaBackend, build: Builder) -> None:
    sizes = Sizes(images=1, window=WINDOWS[3], channels=1, filters=3)  # one row in the last block
    call = build(sizes, Values(0, "float32"))
    longer = {
        name: np.concatenate([array, np.full_like(array[:1], 7)])
        for name, array in call.arrays.items()
    }
    rows = {name: array[:-1] for name, array in longer.items()}
    getattr(simulator, call.operation)(**call.arguments | rows)
    for array in longer.values():
        assert_array_equal(array[-1:], np.full_like(array[-1:], 7))


def test_no_images_at_all(simulator: CudaBackend) -> None:
    images, out = np.zeros((3, 2, 2, 1), np.uint8), np.zeros((0, 2, 2, 1), np.float32)
    simulator.gather_images(images, np.zeros(0, np.int64), out)


@pytest.mark.parametrize("distance", [1, 32], ids=["another lane", "the same lane"])
def test_first_of_the_largest(simulator: CudaBackend, distance: int) -> None:
    labels = np.arange(69)
    logits = np.zeros((69, 101), np.float32)
    logits[labels, labels] = logits[labels, labels + distance] = 1
    losses, correct, second = (np.full(69, np.nan, np.float32) for _ in range(3))
    simulator.softmax_cross_entropy(logits, labels, losses, correct)
    simulator.softmax_cross_entropy(logits, labels + distance, losses, second)
    assert_array_equal(correct, np.ones(69))
    assert_array_equal(second, np.zeros(69))


# Convolution, ReLU and max-pooling as one, in tiles of every kind

FUSED = {
    "the notebook's layer": (3, conv_relu_pool(VALID, (2, 2), 1, 8)),
    "lenet's first": (2, conv_relu_pool(VALID, (2, 2), 1, 32)),
    "lenet's second": (2, conv_relu_pool(Window((13, 13), *THREE, "valid"), (2, 2), 32, 64)),
    "more images than multiprocessors": (
        140,
        conv_relu_pool(Window((5, 6), *THREE, "same"), (2, 2), 2, 3),
    ),
    "tiles of some rows": (
        1,
        conv_relu_pool(Window((90, 9), *THREE, "valid"), (2, 2), 33, 3),
    ),
    "tiles of parts of rows": (
        1,
        conv_relu_pool(Window((4, 530), (1, 3), (1, 1), "valid"), (1, 2), 33, 5),
    ),
}


@pytest.mark.parametrize(("images", "fused"), FUSED.values(), ids=FUSED)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fused_convolutions_of_every_shape(
    simulator: CudaBackend, images: int, fused: ConvReluPool, dtype: str
) -> None:
    call = fused_call(fused, Values(0, dtype), WHOLE, images=images)
    written = run_fused(simulator, call, fused_plan(simulator, fused, call))
    for name, right in define_fused(fused, call).items():
        assert_array_equal(written[name], right, name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fused_convolutions_whose_kernel_lies_anywhere(simulator: CudaBackend, dtype: str) -> None:
    """It is a part of the vector of all parameters, of any number before it."""
    fused = conv_relu_pool(Window((5, 6), *THREE, "valid"), (2, 2), 4, 8)
    call = fused_call(fused, Values(0, dtype), WHOLE)
    kernel = call.arguments["kernel"]
    parameters = np.zeros(kernel.size + 1, dtype)
    moved = parameters[1:].reshape(kernel.shape)
    moved[...] = kernel
    plan = fused_plan(simulator, fused, call)
    of = call.arguments
    simulator.conv2d_relu_max_pool(of["x"], moved, of["bias"], plan, of["out"], training=True)
    gradient, into = of["output_gradient"], (of["kernel_gradient"], of["bias_gradient"])
    simulator.conv2d_relu_max_pool_gradients(gradient, moved, plan, *into, of["input_gradient"])
    for name, right in define_fused(fused, fused_call(fused, Values(0, dtype), WHOLE)).items():
        assert_array_equal(of[name], right, name)


def test_an_output_that_is_not_positive_has_no_gradient(simulator: CudaBackend) -> None:
    fused = conv_relu_pool(Window((2, 4), (1, 1), (1, 1), "valid"), (2, 2), 1, 1)
    call = fused_call(fused, Values(0, "float32"), images=1)
    call.arguments["x"][...] = np.array([[-1, 0, 3, 3], [-2, 0, 1, 3]]).reshape(1, 2, 4, 1)
    call.arguments["kernel"][...], call.arguments["bias"][...] = 1, 0
    call.arguments["output_gradient"][...] = 5
    plan = fused_plan(simulator, fused, call)
    written = run_fused(simulator, call, plan)
    assert_array_equal(plan.arrays["argmax"].ravel(), [4, 0])
    assert_array_equal(written["out"].ravel(), [0, 3])
    assert_array_equal(written["bias_gradient"], [5])
    assert_array_equal(written["kernel_gradient"].ravel(), [15])
    assert_array_equal(written["input_gradient"][0, :, :, 0], [[0, 0, 5, 0], [0, 0, 0, 0]])


# Windows that no network has, but that may be given

WINDOWS = [
    Window((40, 40), (3, 3), (1, 1), "same"),
    Window((30, 20), (2, 2), (2, 2), "valid"),
    Window((7, 90), (5, 2), (1, 3), "same"),
    Window((3, 3), (1, 1), (2, 2), "same"),
    Window((9, 9), (3, 3), (2, 2), "same"),
    Window((30, 40), (3, 2), (1, 1), "same", (4, 5)),
    Window((30, 40), (2, 5), (1, 2), "valid", (11, 1)),
]


@pytest.mark.parametrize("window", WINDOWS)
def test_patches_of_rows_that_are_longer_than_a_block(
    simulator: CudaBackend, window: Window
) -> None:
    channels, positions = 20, window.output[0] * window.output[1]
    x = whole_numbers(2, *window.image, channels)
    written: list[list[Array]] = []
    for backend in (simulator, CpuBackend()):
        patches = np.zeros((2, positions, window.elements * channels), np.float32)
        back = np.zeros_like(x)
        backend.im2col(x, window, patches)
        backend.col2im(patches, window, back)
        written.append([patches, back])
    for simulated, expected in zip(*written, strict=True):
        assert_array_equal(simulated, expected)


@pytest.mark.parametrize("window", [each for each in WINDOWS if each.dilation == (1, 1)])
def test_pooling_of_rows_that_are_longer_than_a_block(
    simulator: CudaBackend, window: Window
) -> None:
    channels = 20
    x = whole_numbers(2, *window.image, channels)
    written: list[list[Array]] = []
    for backend in (simulator, CpuBackend()):
        out = np.zeros((2, *window.output, channels), np.float32)
        argmax, gradient = np.zeros(out.shape, np.int32), np.zeros_like(x)
        backend.max_pool(x, window, out, argmax)
        backend.max_pool_gradient(out, window, argmax, gradient)
        average, share = np.zeros_like(out), np.zeros_like(x)
        backend.average_pool(x, window, average)
        backend.average_pool_gradient(out * window.counts, window, share)  # of whole numbers
        written.append([out, argmax, gradient, average, share])
    for simulated, expected in zip(*written, strict=True):
        assert_array_equal(simulated, expected)


# Convolution in groups, of positions that are shared out in every way

GROUPED = {
    "depthwise": (2, Window((40, 40), (3, 3), (1, 1), "same"), 20, 1, 1),
    "several filters a channel": (2, Window((20, 31), (3, 4), (2, 1), "valid"), 9, 1, 4),
    "more filters than a warp": (2, Window((7, 90), (5, 9), (1, 3), "same"), 3, 2, 17),
    "few filters": (5, Window((11, 9), (2, 2), (1, 1), "valid", (3, 2)), 2, 3, 1),
    "one position an image": (300, Window((3, 3), (3, 3), (1, 1), "valid"), 2, 2, 2),
    "filters of the last weights alone": (1, Window((2, 2), (1, 1), (1, 1), "valid"), 1, 1, 33),
}


@pytest.mark.parametrize(
    ("images", "window", "groups", "group_channels", "group_filters"), GROUPED.values(), ids=GROUPED
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_grouped_convolutions_of_every_shape(
    simulator: CudaBackend,
    images: int,
    window: Window,
    groups: int,
    group_channels: int,
    group_filters: int,
    dtype: str,
) -> None:
    filters = groups * group_filters
    x = whole_numbers(images, *window.image, groups * group_channels, dtype=dtype)
    kernel = whole_numbers(*window.size, group_channels, filters, dtype=dtype)
    bias = whole_numbers(filters, dtype=dtype)
    output_gradient = whole_numbers(images, *window.output, filters, dtype=dtype)
    written: list[list[Array]] = []
    for backend in (simulator, Backend()):
        out, back = np.full_like(output_gradient, np.nan), np.full_like(x, np.nan)
        gradients = np.full_like(kernel, np.nan), np.full_like(bias, np.nan)
        backend.grouped_conv2d(x, kernel, bias, window, out)
        backend.grouped_conv2d_parameter_gradients(x, output_gradient, window, *gradients)
        backend.grouped_input_gradient(output_gradient, kernel, window, back)
        written.append([out, *gradients, back])
    for simulated, expected in zip(*written, strict=True):
        assert_array_equal(simulated, expected)


@pytest.mark.parametrize(
    ("positions", "blocks", "slices", "slabs"),
    [
        (0, 3, 8, 1),
        (100, 3, 8, 1),
        (3200, 3, 8, 25),  # as many as give each thread its least share
        (43_264, 3, 32, 84),
        (10**6, 3, 8, 88),  # as many as fill a GPU
        (10**6, 1000, 8, 1),
    ],
)
def test_slabs_of_positions(positions: int, blocks: int, slices: int, slabs: int) -> None:
    assert max(ceil_div(positions, _slab_positions(positions, blocks, slices)), 1) == slabs


# Images in several parts


@pytest.mark.parametrize("shape", [(40, 41, 3), (7, 90, 20), (1, 1025, 1)])
@pytest.mark.parametrize("fill_mode", FILL_MODES)
def test_translated_images_that_are_longer_than_a_block(
    simulator: CudaBackend, shape: tuple[int, int, int], fill_mode: str
) -> None:
    """By quarters of a pixel, so that the interpolation of whole numbers is exact."""
    x, (height, width, _) = whole_numbers(3, *shape), shape
    shifts = np.array([[0, -5], [-4 * height, 9], [6, 4 * width]], np.int32) * (PIXEL // 4)
    simulated, expected = (np.zeros_like(x) for _ in range(2))
    simulator.translate(x, shifts, fill_mode, 2.0, simulated)
    CpuBackend().translate(x, shifts, fill_mode, 2.0, expected)
    assert_array_equal(simulated, expected)


@pytest.mark.parametrize("shape", [(40, 41, 3), (7, 90, 20), (1, 1025, 1)])
def test_images_that_are_longer_than_a_block(
    simulator: CudaBackend, shape: tuple[int, int, int]
) -> None:
    """Padded, cropped, flipped, and their channels scaled."""
    x, (height, width, channels) = whole_numbers(3, *shape), shape
    flips = np.array([[0, 1], [1, 0], [1, 1]], np.int32)
    factors = whole_numbers(3, channels)
    written: list[list[Array]] = []
    for backend in (simulator, CpuBackend()):
        flipped, scaled, shifted = (np.zeros_like(x) for _ in range(3))
        padded = np.zeros((3, height + 3, width + 2, channels), np.float32)
        backend.flip(x, flips, flipped)
        backend.pad(x, 1, 2, padded)
        cropped = np.zeros_like(x)
        backend.pad(padded, -2, -1, cropped)
        backend.scale_channels(x, factors, scaled)
        backend.scale_shift(x, factors[0], factors[1], shifted)
        written.append([flipped, padded, cropped, scaled, shifted])
    for simulated, expected in zip(*written, strict=True):
        assert_array_equal(simulated, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("channels", [(64, 32), (64, 31), (63, 33)])
def test_parts_that_are_longer_than_a_block(
    simulator: CudaBackend, channels: tuple[int, int], dtype: str
) -> None:
    parts = [np.random.default_rng(0).random((2, 7, 9, count)).astype(dtype) for count in channels]
    whole, first = np.zeros((2, 7, 9, sum(channels)), dtype), 0
    for part in parts:
        simulator.store_part(part, 3, first, whole)
        taken = np.zeros_like(part)
        simulator.take_part(whole, 3, first, taken)
        assert_array_equal(taken, part)
        first += part.shape[3]
    assert_array_equal(whole, np.concatenate(parts, 3))


@pytest.mark.parametrize("shape", [(40, 41, 3), (7, 90, 20), (1, 1025, 1)])
def test_varied_images_that_are_longer_than_a_block(
    simulator: CudaBackend, shape: tuple[int, int, int]
) -> None:
    """By quarters and halves, so that the results on whole numbers are exact."""
    x, others = whole_numbers(3, *shape), whole_numbers(3, *shape)[::-1].copy()
    channels = shape[2]
    maps = np.array([[PIXEL // 2, PIXEL, 0, -PIXEL, 0, PIXEL], [0, PIXEL, 0, 0, PIXEL, -PIXEL]])
    drawn, places = np.array([[0, 1], [1, 1], [0, 0]], np.int32), np.full((3, 2), 2**15, np.int32)
    table, ratios = whole_numbers(5, channels), np.array([2**15, 2**14], np.int32)
    step, halves = np.array([3]), np.array([[PIXEL // 2, 0]] * 3, np.int32)
    written: list[list[Array]] = []
    for backend in (simulator, CpuBackend()):
        mapped, noise, blended, pasted, brighter = (np.zeros_like(x) for _ in range(5))
        shares, of_pixels = np.zeros((2, 2, 3), np.float32)
        how = "reflect", 2.0, "bilinear"
        backend.transform(x, drawn, maps.astype(np.int32), *how, mapped)
        backend.draw_noise(table, 7, 1, step, noise, 5)
        backend.blend(x, others, drawn, ratios, blended, shares)
        backend.paste(x, others, drawn, places, ratios, pasted, of_pixels)
        backend.brighten(x, halves, -4.0, 4.0, brighter)
        written.append([mapped, noise, blended, pasted, brighter, shares, of_pixels])
    for simulated, expected in zip(*written, strict=True):
        assert_array_equal(simulated, expected)


# Indices beyond 32 bits: arrays of that many elements in files that are mostly holes, of which the
# last block of the grid alone is run


class LastBlock(SimulatorRuntime):
    """Runs only the last block along each axis of a grid."""

    def load(self, source: str, options: tuple[str, ...]) -> Any:
        return _LastBlockOf(super().load(source, options))


class _LastBlockOf:
    def __init__(self, module: Any) -> None:
        self._module = module

    def get_function(self, name: str) -> Any:
        function = self._module.get_function(name)

        def launch(grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...]) -> None:
            function(grid, block, args, blocks=[int(np.prod(grid, dtype=np.int64)) - 1])

        return launch


class Holes:
    """Large arrays of zeros in files of a folder, which take up no room until written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def zeros(self, dtype: str, *shape: int) -> NDArray[Any]:
        self._count += 1
        return np.memmap(self._folder / str(self._count), dtype, "w+", shape=shape)


@pytest.fixture
def holes(tmp_path: Path) -> Iterable[Holes]:
    yield Holes(tmp_path)
    for path in tmp_path.iterdir():
        path.unlink()


@pytest.fixture
def last() -> CudaBackend:
    return CudaBackend(LastBlock())


def test_elements_beyond_32_bits(last: CudaBackend, holes: Holes) -> None:
    x, out, product = (holes.zeros("float32", BEYOND_32_BITS) for _ in range(3))
    x[-3:] = [-2, 3, 4]
    last.relu(x, out)
    assert_array_equal(out[-3:], [0, 3, 4])
    last.relu_gradient(x, out, product)
    assert_array_equal(product[-3:], [0, 3, 4])
    last.dense_relu_gradient(x, out, 0.5, product)
    assert_array_equal(product[-3:], [0, 6, 8])
    last.clipped_relu_gradient(x, x, 3.5, product)
    assert_array_equal(product[-3:], [0, 3, 0])
    last.clipped_relu(x, 3.5, product)
    assert_array_equal(product[-3:], [0, 3, 3.5])
    last.multiply(x, out, product)
    assert_array_equal(product[-3:], [0, 9, 16])
    last.add(x, product, out)
    assert_array_equal(out[-3:], [-2, 12, 20])
    last.accumulate(x, out)
    assert_array_equal(out[-3:], [-4, 15, 24])
    scale, offset = np.array([2, 3, 4], np.float32), np.array([5, 6, 7], np.float32)
    last.scale_shift(x, scale, offset, out)
    channels = np.arange(BEYOND_32_BITS - 3, BEYOND_32_BITS) % 3
    assert_array_equal(out[-3:], x[-3:] * scale[channels] + offset[channels])


def test_optimizers_beyond_32_bits(last: CudaBackend, holes: Holes) -> None:
    vectors = [holes.zeros("float32", BEYOND_32_BITS) for _ in range(4)]
    ends = [vector[-1:].copy() for vector in vectors]
    take_steps(last, *vectors)
    take_steps(CpuBackend(), *ends)
    assert_array_equal([vector[-1] for vector in vectors], [end[-1] for end in ends])


def take_steps(
    backend: Backend, parameters: Array, gradients: Array, velocity: Array, square: Array
) -> None:
    gradients[-1] = 2
    rate = correction = np.ones(1, np.float32)
    backend.sgd(
        parameters, gradients, velocity, rate, momentum=0.5, nesterov=False, weight_decay=0.0
    )
    backend.adam(
        parameters,
        gradients,
        velocity,
        square,
        rate,
        correction,
        beta_1=0.5,
        beta_2=0.5,
        epsilon=1.0,
        weight_decay=0.0,
    )
    backend.rmsprop(
        parameters,
        gradients,
        square,
        velocity,
        None,
        rate,
        rho=0.5,
        momentum=0.5,
        epsilon=1.0,
        weight_decay=0.0,
    )
    backend.adagrad(parameters, gradients, square, rate, epsilon=1.0, weight_decay=0.0)
    backend.lion(parameters, gradients, velocity, rate, beta_1=0.5, beta_2=0.5, weight_decay=0.0)


def test_dropout_beyond_34_bits(last: CudaBackend, holes: Holes) -> None:
    """Where the number of the generator's block no longer fits one word of its counter."""
    x, mask, out = (holes.zeros("float32", 2**34 + 4) for _ in range(3))
    x[-4:] = 1
    step = np.array([5], np.int64)
    last.dropout(x, 0.5, 1, 2, step, mask, out)
    expected = _words_of_block(2**32, seed=1, stream=2, step=5) >= 2**31
    assert_array_equal(out[-4:], 2 * expected)


def test_draws_beyond_34_bits(last: CudaBackend, holes: Holes) -> None:
    """Of the mask of dropout; and of numbers of images where four each are as many words."""
    step = np.array([5], np.int64)
    mask = holes.zeros("float32", 2**34 + 4)
    last.draw_mask(0.5, 1, 2, step, mask)
    words = _words_of_block(2**32, seed=1, stream=2, step=5)
    assert_array_equal(mask[-4:], 2 * (words >= 2**31))
    drawn = holes.zeros("int32", 2**32 + 1, 2)
    last.draw_integers((0, 0), (2**31 - 1, 2**31 - 1), 1, 2, step, drawn)
    assert_array_equal(drawn[-1], words[:2] >> np.uint64(1))


def _words_of_block(block: int, *, seed: int, stream: int, step: int) -> NDArray[np.uint64]:
    counter = np.array([[block % 2**32], [block >> 32], [step], [stream]], np.uint64)
    philox4x32(np, counter, np.zeros((2, 1), np.uint64), (seed, 0))
    return counter[:, 0]


def test_gathering_beyond_32_bits(last: CudaBackend, holes: Holes) -> None:
    count = BEYOND_32_BITS // 784 + 1
    indices = np.array([0, count - 1])
    for dtype, expected in (("uint8", 255 / 255 - 0.5), ("float32", 255.0)):
        images = holes.zeros(dtype, count, 28, 28, 1)
        images[-1, -1, -1] = 255
        out = np.zeros((2, 28, 28, 1), np.float32)
        last.gather_images(images, indices, out)
        assert out[-1, -1, -1, 0] == expected
        last.gather_images(images, indices, out, False)
        assert out[-1, -1, -1, 0] == 255
    labels, gathered = holes.zeros("int64", BEYOND_32_BITS), np.zeros(2, np.int64)
    labels[-1] = 7
    last.gather_labels(labels, np.array([0, BEYOND_32_BITS - 1]), gathered)
    assert gathered[-1] == 7


def test_gathering_more_than_32_bits_of_labels(last: CudaBackend, holes: Holes) -> None:
    indices, gathered = (holes.zeros("int64", BEYOND_32_BITS) for _ in range(2))
    indices[-1] = 1
    last.gather_labels(np.array([3, 7]), indices, gathered)
    assert gathered[-1] == 7


def test_windows_beyond_32_bits(last: CudaBackend, holes: Holes) -> None:
    window = Window((28, 28), (3, 3), (1, 1), "valid")
    count = BEYOND_32_BITS // (676 * 9) + 1
    x, patches = holes.zeros("float32", count, 28, 28, 1), holes.zeros("float32", count, 676, 9)
    x[-1] = whole_numbers(28, 28, 1)
    last.im2col(x, window, patches)
    expected = np.zeros((1, 676, 9), np.float32)
    CpuBackend().im2col(x[-1:], window, expected)
    assert_array_equal(patches[-1, -26:], expected[0, -26:])
    patches[-1] = expected[0]
    summed = np.zeros((1, 28, 28, 1), np.float32)
    CpuBackend().col2im(expected, window, summed)
    last.col2im(patches, window, x)
    assert_array_equal(x[-1, -1], summed[0, -1])


def test_pooling_beyond_32_bits(last: CudaBackend, holes: Holes) -> None:
    window = Window((28, 28), (2, 2), (2, 2), "valid")
    count = BEYOND_32_BITS // (14 * 14) + 1
    x, out = holes.zeros("float32", count, 28, 28, 1), holes.zeros("float32", count, 14, 14, 1)
    argmax = holes.zeros("int32", count, 14, 14, 1)
    x[-1, -1, -1] = 5
    last.max_pool(x, window, out, argmax)
    assert (out[-1, -1, -1, 0], argmax[-1, -1, -1, 0]) == (5, 3)
    last.max_pool_gradient(out, window, argmax, x)
    assert_array_equal(x[-1, -1, -2:, 0], [0, 5])
    x[-1, -2:, -2:] = 6
    last.average_pool(x, window, out)
    assert out[-1, -1, -1, 0] == 6
    last.average_pool_gradient(out, window, x)
    assert_array_equal(x[-1, -1, -2:, 0], [1.5, 1.5])


def test_grouped_convolutions_beyond_32_bits(last: CudaBackend, holes: Holes) -> None:
    window = Window((28, 28), (3, 3), (1, 1), "valid")
    count = BEYOND_32_BITS // (26 * 26) + 1
    x, out = holes.zeros("float32", count, 28, 28, 1), holes.zeros("float32", count, 26, 26, 1)
    kernel, bias = whole_numbers(3, 3, 1, 1), whole_numbers(1)
    x[-1] = whole_numbers(28, 28, 1)
    last.grouped_conv2d(x, kernel, bias, window, out)
    expected = np.zeros((1, 26, 26, 1), np.float32)
    Backend().grouped_conv2d(x[-1:], kernel, bias, window, expected)
    assert_array_equal(out[-1, -1], expected[0, -1])
    out[-1] = expected[0]
    of_slabs, of_kernel = np.zeros((2, *kernel.shape), np.float32), np.zeros_like(kernel)
    last._grouped_kernel_gradient(
        x=x,
        output_gradient=out,
        gradients=of_slabs,
        window=window,
        lanes=1,
        positions=count * 26 * 26,
        slab_positions=(count - 1) * 26 * 26,
    )
    Backend().grouped_conv2d_parameter_gradients(x[-1:], expected, window, of_kernel, bias)
    assert_array_equal(of_slabs[1, 2], of_kernel[2])
    back = np.zeros((1, 28, 28, 1), np.float32)
    Backend().grouped_input_gradient(expected, kernel, window, back)
    last.grouped_input_gradient(out, kernel, window, x)
    assert_array_equal(x[-1, -1], back[0, -1])


def test_moving_images_beyond_32_bits(last: CudaBackend, holes: Holes) -> None:
    count = BEYOND_32_BITS // (28 * 28) + 1
    x, out = holes.zeros("float32", count, 28, 28, 1), holes.zeros("float32", count, 30, 29, 1)
    x[-1, -1] = np.arange(28)[:, None]
    last.pad(x, 2, 1, out)
    assert_array_equal(out[-1, -1, -3:, 0], [25, 26, 27])
    moved = holes.zeros("float32", count, 28, 28, 1)
    by = holes.zeros("int32", count, 2)
    by[-1] = [0, 1]
    last.flip(x, by, moved)
    assert_array_equal(moved[-1, -1, -3:, 0], [2, 1, 0])
    by[-1] = [0, 3 * PIXEL // 2]
    last.translate(x, by, "reflect", 0.0, moved)
    assert_array_equal(moved[-1, -1, -3:, 0], [23.5, 24.5, 25.5])
    maps = np.array([[0, PIXEL, 0, 0, 0, PIXEL], [0, 0, 0, PIXEL // 2, 0, 0]], np.int32)
    last.transform(x, by.clip(0, 1), maps, "reflect", 0.0, "bilinear", moved)
    assert_array_equal(moved[-1, -1, -3:, 0], [25.5, 26.5, 27])
    by[-1] = [PIXEL, 0]
    last.brighten(x, by, 0.0, 26.0, moved)
    assert_array_equal(moved[-1, -1, :3, 0], [26, 26, 26])
    by[-1] = [2 * PIXEL, 0]
    last.contrast(x, by, 0.0, 60.0, moved)
    mean = sum(range(28)) / 28**2
    assert_allclose(moved[-1, -1, -3:, 0], 2 * np.array([25, 26, 27]) - mean, rtol=1e-6)
    mixed, shares = holes.zeros("float32", *x.shape), holes.zeros("float32", 2, count)
    by[-1] = 0
    last.blend(x, x, by, np.array([PIXEL // 4], np.int32), mixed, shares)
    assert_array_equal(mixed[-1, -1, -3:, 0], [25, 26, 27])
    last.paste(moved, x, by, by, np.array([PIXEL], np.int32), mixed, shares)
    assert_array_equal(mixed[-1, -1, -3:, 0], [25, 26, 27])
    last.draw_noise(np.ones((1, 1), np.float32), 0, 0, np.array([1]), mixed, 0)
    assert_array_equal(mixed[-1, -1], 1)
    factors = holes.zeros("float32", count, 1)
    factors[-1] = 2
    last.scale_channels(x, factors, moved)
    assert_array_equal(moved[-1, -1, -3:, 0], [50, 52, 54])


@pytest.mark.parametrize("first", [1, 4])
def test_parts_beyond_32_bits(last: CudaBackend, holes: Holes, first: int) -> None:
    """By single elements, and by 16 bytes."""
    count = BEYOND_32_BITS // 64
    part, whole = holes.zeros("float32", count, 64), holes.zeros("float32", count, 64 + 8)
    taken = holes.zeros("float32", count, 64)
    part[-1] = np.arange(64)
    last.store_part(part, 1, first, whole)
    last.take_part(whole, 1, first, taken)
    assert_array_equal(whole[-1, first : first + 64], part[-1])
    assert_array_equal(taken[-1], part[-1])


def test_fused_convolutions_beyond_32_bits(last: CudaBackend, holes: Holes) -> None:
    fused = conv_relu_pool(Window((8, 8), (1, 1), (1, 1), "valid"), (2, 2), 1, 1)
    count = BEYOND_32_BITS // (4 * 4) + 1
    x, out = holes.zeros("float32", count, 8, 8, 1), holes.zeros("float32", count, 4, 4, 1)
    argmax = holes.zeros("uint8", count, 4, 4, 1)
    kernel, bias = np.ones((1, 1, 1, 1), np.float32), np.zeros(1, np.float32)
    plan = last.conv_relu_pool_plan(replace(fused, real=np.dtype(np.float32)), {"argmax": argmax})
    assert isinstance(plan, CudaConvReluPoolPlan)
    x[-1, -1, -1] = 5
    last.conv2d_relu_max_pool(x, kernel, bias, plan, out, training=True)
    assert_array_equal(out[-1, -1, -1], [5])
    assert_array_equal(argmax[-1, -1, -1], [3])
    given = {"output_gradient": out, "argmax": argmax}
    last._pooled_input_gradient(
        kernel=kernel, input_gradient=x, **given, constants=plan.input_gradient
    )
    assert_array_equal(x[-1, -1, -2:, 0], [0, 5])
    kernel_gradient, bias_gradient = np.zeros_like(kernel), np.zeros_like(bias)
    slab = plan.slab_elements // plan.slabs
    tiles = plan.kernel_gradient.values["tiles"]
    others = (count - 1) * tiles  # those of the slab that is not added up
    last.tickets[0] = 1  # as the block would leave it that is not run
    last._pooled_kernel_gradient(
        x=x,
        bytes=None,
        indices=None,
        kernel_gradient=kernel_gradient,
        bias_gradient=bias_gradient,
        slabs=np.zeros(2 * slab, np.float32),
        tickets=last.tickets,
        slab_tiles=others,
        group_slabs=2,
        **given,
        constants=plan.kernel_gradient,
    )
    assert_array_equal(kernel_gradient.ravel(), [5 * 5])
    assert_array_equal(bias_gradient, [5])


def test_gathered_convolutions_beyond_32_bits(last: CudaBackend, holes: Holes) -> None:
    fused = conv_relu_pool(Window((8, 8), (1, 1), (1, 1), "valid"), (2, 2), 1, 8)
    count = BEYOND_32_BITS // (8 * 8) + 1
    images, indices = holes.zeros("uint8", count, 8, 8, 1), np.array([count - 1])
    images[-1, -1, -1] = 255
    kernel, bias = np.ones((1, 1, 1, 8), np.float32), np.zeros(8, np.float32)
    out, argmax = np.zeros((1, 4, 4, 8), np.float32), np.zeros((1, 4, 4, 8), np.uint8)
    plan = last.conv_relu_pool_plan(replace(fused, real=np.dtype(np.float32)), {"argmax": argmax})
    last.gathered_conv2d_relu_max_pool(images, indices, kernel, bias, plan, out, training=True)
    assert_array_equal(out[-1, -1, -1], np.full(8, 0.5))
    kernel_gradient, bias_gradient = np.zeros_like(kernel), np.zeros_like(bias)
    last.conv2d_relu_max_pool_gradients(out, kernel, plan, kernel_gradient, bias_gradient)
    assert_array_equal(kernel_gradient.ravel(), np.full(8, 0.25))


@pytest.mark.parametrize("filters", [8, 64])
def test_matmul_beyond_32_bits(last: CudaBackend, holes: Holes, filters: int) -> None:
    rows = BEYOND_32_BITS // filters + 1
    a, out = holes.zeros("float32", rows, filters), holes.zeros("float32", rows, filters)
    b = whole_numbers(filters, filters)
    a[-1] = whole_numbers(filters)
    last.matmul(a, b, out)
    assert_array_equal(out[-1], a[-1] @ b)


def test_sum_rows_beyond_32_bits(last: CudaBackend, holes: Holes) -> None:
    rows = BEYOND_32_BITS // 8 + 1
    a, out = holes.zeros("float32", rows, 8), np.zeros(8, np.float32)
    a[-1] = range(8)
    slabs = ceil_div(rows, slab_rows_of(rows, 8, lanes_of(rows, 8)))
    last.workspace("slabs of columns", (slabs, 8), "float32").fill(0)
    last.tickets[0] = slabs - 1  # as the blocks would leave it that are not run
    last.sum_rows(a, out)
    assert_array_equal(out, range(8))


def test_gradients_of_a_bias_beyond_32_bits(last: CudaBackend, holes: Holes) -> None:
    images = BEYOND_32_BITS // 8 + 1
    x, output_gradient = holes.zeros("float32", images, 1), holes.zeros("float32", images, 8)
    output_gradient[-1] = range(8)
    kernel_gradient, bias_gradient = np.zeros((1, 8), np.float32), np.zeros(8, np.float32)
    tiling, split = plan(1, 8, images)
    slabs = ceil_div(images, split)
    last.workspace("matmul slabs", (2 * slabs * tiling.tile**2,), "float32").fill(0)
    last.tickets[1] = slabs - 1  # as the blocks would leave it that are not run
    last.dense_gradients(x, output_gradient, kernel_gradient, bias_gradient)
    assert_array_equal(bias_gradient, range(8))


def test_losses_beyond_32_bits(last: CudaBackend, holes: Holes) -> None:
    rows = BEYOND_32_BITS // 4 + 1
    logits, out = holes.zeros("float32", rows, 4), holes.zeros("float32", rows, 4)
    labels, losses, correct = (holes.zeros(d, rows) for d in ("int64", "float32", "float32"))
    logits[-1], labels[-1] = [0, 200, 0, 0], 1
    last.store_probabilities(np.zeros(2, np.int64), logits, out, rows)
    assert_array_equal(out[-1], [0, 1, 0, 0])
    last.softmax_cross_entropy(logits, labels, losses, correct, out)
    assert (losses[-1], correct[-1]) == (0, 1)
    assert_array_equal(out[-1], np.zeros(4))


def test_losses_with_targets_beyond_32_bits(last: CudaBackend, holes: Holes) -> None:
    rows = BEYOND_32_BITS // 4 + 1
    outputs, targets, out = (holes.zeros("float32", rows, 4) for _ in range(3))
    weights, losses, correct = (holes.zeros("float32", rows) for _ in range(3))
    outputs[-1], targets[-1], weights[-1] = [0, 200, 0, 0], [0, 1, 0, 0], 2
    last.soft_cross_entropy(outputs, targets, losses, correct, out)
    assert (losses[-1], correct[-1]) == (0, 1)
    assert_array_equal(out[-1], np.zeros(4))
    last.squared_error(outputs, targets, losses, out)
    assert losses[-1] == 199**2 / 4
    assert_array_equal(out[-1], [0, 99.5, 0, 0])
    last.weigh_rows(weights, losses, out)
    assert losses[-1] == 199**2 / 2
    assert_array_equal(out[-1], [0, 199, 0, 0])
    last.sigmoid_cross_entropy(outputs, targets, losses, correct, out)
    assert correct[-1] == 1
    assert_array_equal(out[-1], [0.125, 0, 0.125, 0.125])
    last.store_outputs(np.array([1, 1]), outputs[-1:], targets, rows - 1)
    assert_array_equal(targets[-1], outputs[-1])

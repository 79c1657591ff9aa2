from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmark.small_plan import small_data
from gpucnn import (
    Add,
    AveragePooling2D,
    Concatenate,
    Conv2D,
    Cropping2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    MaxPool2D,
    Model,
    ReLU,
    Rescaling,
    Reshape,
    Sequential,
    ZeroPadding2D,
)
from gpucnn.backends import Backend, CpuBackend
from gpucnn.benchmark import roofline
from gpucnn.benchmark.report import LayerMeasurement
from gpucnn.benchmark.roofline import bytes_moved, measure_layers, measure_roofline, operations
from gpucnn.benchmark.workload import make_network
from gpucnn.layers import FusedConv2D, Layer, MergingLayer

DATA = small_data(128)
COPIED = 2**16
SIDE, FILTERS, UNITS = 4, 3, 5  # of the outputs of a convolution, 2x2 pooled, then a dense layer
PIXELS, CONVOLVED, POOLED = 36, 16 * FILTERS, 4 * FILTERS


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roofline, "COPIED", COPIED)
    monkeypatch.setattr(roofline, "COPIED_ON_GPU", 2 * COPIED)
    monkeypatch.setattr(roofline, "SIZES", (16, 32, 64))
    monkeypatch.setattr(roofline, "SHORTEST", 0)
    monkeypatch.setattr(roofline, "CACHED_BYTES", ())


# What a device reaches at most


class Noted(CpuBackend):
    """A backend that notes the sizes of products and copies."""

    def __init__(self) -> None:
        super().__init__(threads=1)
        self.products: list[int] = []
        self.copies: list[int] = []

    def matmul(self, a: Any, b: Any, out: Any, **options: Any) -> None:
        self.products.append(len(a))
        super().matmul(a, b, out, **options)

    def copy(self, source: Any, out: Any) -> None:
        self.copies.append(source.nbytes)
        super().copy(source, out)


class NotedGpu(CpuBackend):
    """A backend whose arrays are of another module than NumPy, which notes what is done."""

    def __init__(self) -> None:
        super().__init__(threads=1)
        self.products: list[int] = []
        self.copies: list[int] = []
        self.xp = SimpleNamespace(
            asarray=np.asarray, zeros=np.zeros, matmul=self._matmul, copyto=self._copyto
        )

    def _matmul(self, a: Any, b: Any, out: Any) -> None:
        self.products.append(len(a))
        np.matmul(a, b, out=out)

    def _copyto(self, out: Any, source: Any) -> None:
        self.copies.append(source.nbytes)
        np.copyto(out, source)


def clock_of_seconds(*seconds: float) -> Any:
    """A clock that does the work and says it took these, in order, and the last ever after."""
    left = list(seconds)

    def clock(work: Any) -> float:
        work()
        return left.pop(0) if len(left) > 1 else left[0]

    return lambda backend: clock


def test_the_product_is_the_first_that_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roofline, "clock_of", clock_of_seconds(*[0.001] * 5, 0.5))
    backend = Noted()
    measured = measure_roofline(backend, "float32")
    assert backend.products == [16] * 6 + [32] * 6
    assert measured.flops == 2 * 32**3 / 0.5


def test_the_largest_product_has_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roofline, "clock_of", clock_of_seconds(0.001))
    assert measure_roofline(Noted(), "float32").flops == 2 * 64**3 / 0.001


def test_the_best_of_several_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roofline, "clock_of", clock_of_seconds(2, 2, 1, 2, 2, 4, 4, 3, 4, 4))
    measured = measure_roofline(Noted(), "float32")
    assert measured.flops == 2 * 16**3 / 1
    assert measured.bandwidth == 2 * COPIED / 3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_gpu_is_measured_by_its_own_libraries(
    monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    monkeypatch.setattr(roofline, "clock_of", clock_of_seconds(2, 2, 1, 2, 2, 4, 4, 3, 4, 4))
    backend = NotedGpu()
    measured = measure_roofline(backend, dtype)
    assert backend.products == [16] * 101
    assert backend.copies == [2 * COPIED] * 101
    assert measured.flops == 2 * 16**3 / (1 / 20)
    assert measured.bandwidth == 2 * 2 * COPIED / (3 / 20)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_as_many_bytes_are_copied_in_either_dtype(dtype: str) -> None:
    backend = Noted()
    measured = measure_roofline(backend, dtype)
    assert set(backend.copies) == {COPIED}
    assert measured.contender == "cpu"
    assert measured.flops > 0
    assert measured.bandwidth > 0


def test_caches_are_gone_through_as_often_as_is_long_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(roofline, "CACHED_BYTES", (256, 1024))
    monkeypatch.setattr(roofline, "CACHED_AT_LEAST", 512)
    monkeypatch.setattr(roofline, "clock_of", clock_of_seconds(*[4] * 5, *[2] * 5, *[8] * 99))
    backend = Noted()
    assert measure_roofline(backend, "float32").cached == [512 / 2, 1024 / 8]
    assert backend.copies[:18] == [128] * 12 + [512] * 6


def test_products_run_in_a_session() -> None:
    seen = []

    class Watched(Backend):
        device = "watched"

        def matmul(self, *arrays: Any, **options: Any) -> None:
            seen.append(np.geterr()["over"])

    measure_roofline(Watched(), "float32")
    assert set(seen) == {"ignore"}


# What a layer needs at least


def network(dtype: str = "float32") -> Sequential:
    layers = [Conv2D(FILTERS, 3), ReLU(), MaxPool2D(2), Flatten(), Dense(UNITS)]
    return Sequential(layers, (6, 6, 1), dtype, "cpu", threads=1)


def layer(index: int) -> Layer:
    return network().layers[index]


@pytest.mark.parametrize(
    ("index", "forward", "backward"),
    [
        (0, 2 * 9 * CONVOLVED, 2 * 9 * CONVOLVED + CONVOLVED),
        (1, CONVOLVED, CONVOLVED),
        (2, 3 * POOLED, POOLED),
        (3, 0, 0),
        (4, 2 * POOLED * UNITS, 2 * 2 * POOLED * UNITS + UNITS),
    ],
)
def test_operations(index: int, forward: int, backward: int) -> None:
    assert operations(layer(index), "forward", 1) == forward
    assert operations(layer(index), "backward", 7) == 7 * backward


@pytest.mark.parametrize(
    ("pooling", "forward"),
    [
        (AveragePooling2D(2), 4 * 4 * 3),
        (GlobalAveragePooling2D(), 16 * 3),
        (GlobalMaxPooling2D(), 15 * 3),
    ],
)
def test_operations_of_pooling(pooling: Layer, forward: int) -> None:
    pooling.build((4, 4, 3))
    assert operations(pooling, "forward", 2) == 2 * forward


@pytest.mark.parametrize(
    ("convolution", "products"),
    [
        (Conv2D(6, 3, groups=2), 2 * 9 * 2 * (2 * 2 * 6)),
        (DepthwiseConv2D(3, depth_multiplier=2), 2 * 9 * (2 * 2 * 8)),
    ],
)
def test_operations_of_groups(convolution: Layer, products: int) -> None:
    convolution.build((4, 4, 4))
    assert operations(convolution, "forward", 3) == 3 * products
    convolution.needs_input_gradient = True
    outputs = 2 * 2 * convolution.output_shape[2]
    assert operations(convolution, "backward", 3) == 3 * (2 * products + outputs)


@pytest.mark.parametrize(
    ("kind", "forward", "backward"),
    [
        (Rescaling(2.0), 2 * 48, 48),
        (ZeroPadding2D(), 0, 0),
        (Cropping2D(1), 0, 0),
        (Reshape((-1,)), 0, 0),
    ],
)
def test_operations_of_what_scales_or_moves(kind: Layer, forward: int, backward: int) -> None:
    kind.build((4, 4, 3))
    assert operations(kind, "forward", 2) == 2 * forward
    assert operations(kind, "backward", 2) == 2 * backward


@pytest.mark.parametrize(
    ("kind", "operations_forward", "bytes_each_way"),
    [(Add(), 2 * 48, (4 * 48, 0)), (Concatenate(), 0, (6 * 48, 6 * 48))],
)
def test_costs_of_what_merges(
    kind: MergingLayer, operations_forward: int, bytes_each_way: tuple[int, int]
) -> None:
    kind.build([(4, 4, 3)] * 3)
    kind.real, kind.parameters = np.dtype(np.float32), {}
    assert operations(kind, "forward", 2) == 2 * operations_forward
    assert operations(kind, "backward", 2) == 0
    moved = tuple(bytes_moved(kind, way, 2) for way in ("forward", "backward"))
    assert moved == tuple(2 * 4 * each for each in bytes_each_way)


def test_a_reshaped_image_is_not_moved() -> None:
    reshaping = Reshape((4, 12))
    reshaping.build((4, 4, 3))
    assert bytes_moved(reshaping, "forward", 2) == bytes_moved(reshaping, "backward", 2) == 0


@pytest.mark.parametrize(
    ("index", "forward", "backward"),
    [
        (0, 2 * (PIXELS + CONVOLVED) + 30, 2 * (PIXELS + CONVOLVED) + 30),
        (1, 2 * 2 * CONVOLVED, 2 * 2 * CONVOLVED),
        (2, 2 * (CONVOLVED + POOLED), 2 * (CONVOLVED + POOLED)),
        (3, 0, 0),
        (4, 2 * (POOLED + UNITS) + 65, 2 * (2 * POOLED + UNITS) + 2 * 65),
    ],
)
def test_bytes_of_two_images(index: int, forward: int, backward: int) -> None:
    assert bytes_moved(layer(index), "forward", 2) == 4 * forward
    assert bytes_moved(layer(index), "backward", 2) == 4 * backward


def test_a_double_has_twice_the_bytes_of_a_float() -> None:
    single, double = (network(dtype).layers[0] for dtype in ("float32", "float64"))
    assert bytes_moved(double, "forward", 3) == 2 * bytes_moved(single, "forward", 3)


def fused() -> FusedConv2D:
    first = network().replica.layers[0]
    assert isinstance(first, FusedConv2D)
    return first


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_layers_in_one_do_the_operations_of_all(direction: str) -> None:
    parts = sum(operations(part, direction, 3) for part in fused().parts)
    assert operations(fused(), direction, 3) == parts


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_layers_in_one_move_nothing_between_them(direction: str) -> None:
    assert bytes_moved(fused(), direction, 3) == 4 * (3 * (PIXELS + POOLED) + 30)


def test_a_step_is_the_same_however_the_layers_run() -> None:
    def step(layers: Sequence[Layer]) -> int:
        return sum(operations(each, way, 8) for each in layers for way in ("forward", "backward"))

    made = network()
    assert step(made.layers) == step(made.replica.layers)


# What a layer takes


def measured(network: Model, batch: int) -> dict[tuple[str, str], LayerMeasurement]:
    found = measure_layers(network, DATA, batch, rounds=2)
    return {(each.layer, each.direction): each for each in found}


def test_each_layer_that_moves_something_is_timed_both_ways() -> None:
    network = make_network("lenet", "float32", "cpu", 1)
    found = measured(network, 4)
    layers = [each for each in network.replica.layers if not each.name.startswith("flatten")]
    forward = [(each.name, "forward") for each in layers]
    backward = [(each.name, "backward") for each in reversed(layers)]
    assert list(found) == [*forward, *backward]
    for layer in layers:
        for direction in ("forward", "backward"):
            each = found[layer.name, direction]
            assert (each.contender, each.batch_size, len(each.seconds)) == ("cpu", 4, 2)
            assert each.operations == operations(layer, direction, 4)
            assert each.bytes == each.held == bytes_moved(layer, direction, 4)


def test_the_calls_of_a_network_that_branches_are_those_of_a_step() -> None:
    network = make_network("resnet", "float64", "cpu", 1)
    images, labels = (part[:4] for part in DATA[0])
    _, expected = network.loss_and_gradients(images, labels)
    network.gradients.fill(np.nan)
    calls = roofline._calls(network, DATA, 4)
    timed = [(each.layer.name, each.direction) for each in calls]
    names = [each.name for each in network.replica.layers]
    without_move = {"add", "add_1", "add_2"}
    assert timed == [
        *((name, "forward") for name in names),
        *((name, "backward") for name in reversed(names) if name not in without_move),
    ]
    for mine, right in zip(network.split(network.gradients), expected, strict=True):
        np.testing.assert_allclose(mine, right, rtol=0, atol=1e-12)


def test_a_piece_is_timed_and_told_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CpuBackend, "images_at_once", lambda self, size: 50)
    monkeypatch.setattr(roofline, "take_turns", lambda samplers, n: [[1.0] for _ in samplers])
    for each in measured(make_network("notebook", "float32", "cpu", 1), 120).values():
        assert each.seconds == [3.0]  # three pieces of 40
        assert each.batch_size == 120
        assert each.held < each.bytes / 2

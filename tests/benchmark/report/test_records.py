from dataclasses import replace

import pytest

from benchmark.example import REPORT
from gpucnn.benchmark.report import (
    CACHED_BYTES,
    LayerMeasurement,
    Measurement,
    Roofline,
    TimeToAccuracy,
)


def test_gpucnn_is_called_by_its_name_and_by_its_device_if_there_are_several() -> None:
    one = replace(REPORT, environment=replace(REPORT.environment, devices={"cuda": "A GPU"}))
    assert [one.label(each) for each in ("cuda", "cuda, eager", "torch")] == [
        "gpucnn",
        "gpucnn, eager",
        "torch",
    ]
    assert [REPORT.label(each) for each in ("cpu", "cuda, eager", "torch on cuda, graph")] == [
        "gpucnn (cpu)",
        "gpucnn (cuda, eager)",
        "torch on cuda, graph",
    ]


def test_a_measurement_counts_by_its_median() -> None:
    measurement = Measurement("cpu", "inference", 64, [0.1, 9.0, 0.2])
    assert measurement.median == 0.2
    assert measurement.images_per_second == 320


@pytest.mark.parametrize(("operations", "moved", "least"), [(100, 10, 10), (10, 40, 20)])
def test_the_limit_of_a_layer_is_the_one_that_holds(
    operations: int, moved: int, least: float
) -> None:
    layer = LayerMeasurement("cpu", "conv2d", "forward", 64, [40.0], operations, moved)
    roofline = Roofline("cpu", flops=10, bandwidth=2)
    assert layer.least_seconds(roofline) == least
    assert layer.share(roofline) == least / 40


@pytest.mark.parametrize(("accuracy", "reached"), [(0.97, False), (0.98, True), (0.99, True)])
def test_an_accuracy_is_reached_or_not(accuracy: float, reached: bool) -> None:
    assert TimeToAccuracy("cpu", 0.98, 1.0, 1, accuracy).is_reached is reached


def test_a_layer_is_held_to_the_cache_that_its_arrays_fit_in() -> None:
    of_memory = Roofline("cpu", flops=1e9, bandwidth=1e3)
    of_caches = replace(of_memory, cached=[9e3, 8e3, 4e3, 5e3])
    fits = LayerMeasurement("cpu", "dense", "forward", 64, [1.0], 1, 2000, CACHED_BYTES[1])
    assert fits.share(of_memory) == 2
    assert fits.share(of_caches) == 2000 / 8e3
    assert replace(fits, held=CACHED_BYTES[1] + 1).share(of_caches) == 2000 / 5e3
    assert replace(fits, held=CACHED_BYTES[3] + 1).share(of_caches) == 2

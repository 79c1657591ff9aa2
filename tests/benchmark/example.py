"""A report of a benchmark, with made-up numbers."""

from dataclasses import replace

from gpucnn.benchmark.report import (
    AllReduceMeasurement,
    Environment,
    KernelMeasurement,
    LayerMeasurement,
    Measurement,
    PeakMemory,
    Preparation,
    RankMeasurement,
    Report,
    Roofline,
    StartUp,
    TimeToAccuracy,
)

ROUNDS = [1.02, 0.99, 1.0, 1.01, 0.98, 1.03, 1.0, 0.97, 1.0, 1.02, 0.99]
"""Seconds of eleven rounds about 1: the 95 % interval of their median is 0.98 to 1.02."""


def rounds(seconds: float) -> list[float]:
    return [seconds * each for each in ROUNDS]


ENVIRONMENT = Environment(
    date="2026-01-31T12:00:00Z",
    machine="A processor, 2 cores, 8 GB of memory",
    threads=2,
    versions={
        "Python": "3.11.2",
        "gpucnn": "0.1",
        "NumPy": "2.4.6",
        "BLAS": "mkl",
        "torch": "2.13",
    },
    devices={"cpu": "x86_64, 2 cores", "cuda": "A GPU"},
    model="notebook",
    dtype="float32",
    rounds=len(ROUNDS),
)


def layer(
    contender: str, name: str, direction: str, seconds: float, operations: int, moved: int
) -> LayerMeasurement:
    return LayerMeasurement(contender, name, direction, 64, rounds(seconds), operations, moved)


def kernel(
    part: str, name: str, grid: str, seconds: float, operations: int, moved: int
) -> KernelMeasurement:
    times = rounds(seconds)
    return KernelMeasurement("cuda", part, name, 64, grid, 256, times, operations, moved)


REPORT = Report(
    environment=ENVIRONMENT,
    preparations=[
        Preparation("cpu", "warm-up", 0.25),
        Preparation("torch", "import", 1.5),
    ],
    rooflines=[Roofline("cpu", flops=100e9, bandwidth=10e9), Roofline("cuda", 10e12, 1e12)],
    measurements=[
        Measurement("cpu", "training step", 64, rounds(1e-3)),
        Measurement("torch", "training step", 64, rounds(2e-3)),
        Measurement("cpu", "inference", 64, rounds(0.4e-3)),
    ],
    layers=[
        layer("cpu", "conv2d", "forward", 200e-6, 10_000_000, 1_000_000),
        layer("cpu", "conv2d", "backward", 400e-6, 8_000_000, 1_000_000),
        layer("cpu", "flatten", "forward", 1e-6, 0, 5_000),
    ],
    accuracies=[
        TimeToAccuracy("cpu", 0.98, 7.25, 4, 0.9812),
        TimeToAccuracy("torch", 0.98, 12.5, 5, 0.9789),
    ],
    memory=[PeakMemory("cpu", 64, 200_000_000)],
    start_ups=[StartUp("cpu", 64, [0.4, 0.375, 0.5]), StartUp("torch", 64, [3.0, 2.5, 2.75])],
    kernels=[
        kernel("", "next_batch", "1", 2e-6, 0, 0),
        kernel("dense backward", "matmul", "8 x 4", 3e-6, 8_000_000, 400_000),
        kernel("dense backward", "sum_rows", "2", 1e-6, 8_000_000, 400_000),
    ],
)


RANKS = replace(
    REPORT,
    ranks=[
        RankMeasurement("cpu", 1, 1, 32, 1, rounds(1e-3), 4000, [], []),
        RankMeasurement("cpu", 1, 1, 64, 1, rounds(2e-3), 4000, [], []),
        RankMeasurement("cpu", 2, 1, 64, 2, rounds(1.25e-3), 4000, rounds(2e-4), rounds(2.5e-4)),
        RankMeasurement("cpu", 1, 2, 64, 2, rounds(1.6e-3), 4000, [], []),
    ],
    all_reduces=[
        AllReduceMeasurement("cpu", 2, 4000, rounds(1.8e-4)),
        AllReduceMeasurement("cpu", 2, 8000, rounds(2.6e-4)),
    ],
)
"""The report of a benchmark with ranks: an exchange takes 100 us and 20 ns a byte."""


def with_seconds(report: Report, index: int, seconds: list[float]) -> Report:
    """The report with other seconds for one of its measurements."""
    measurements = list(report.measurements)
    measurements[index] = replace(measurements[index], seconds=seconds)
    return replace(report, measurements=measurements)

"""What a benchmark measured: the records, their file, their comparison and their plot."""

from gpucnn.benchmark.report.file import read_report, write_report
from gpucnn.benchmark.report.records import (
    CACHED_BYTES,
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

__all__ = [
    "CACHED_BYTES",
    "AllReduceMeasurement",
    "Environment",
    "KernelMeasurement",
    "LayerMeasurement",
    "Measurement",
    "PeakMemory",
    "Preparation",
    "RankMeasurement",
    "Report",
    "Roofline",
    "StartUp",
    "TimeToAccuracy",
    "read_report",
    "write_report",
]

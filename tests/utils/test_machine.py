import platform
from pathlib import Path

import pytest

from gpucnn.utils import machine


def test_the_processor_is_named_as_linux_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("vendor_id\t: Test\nmodel name\t: Test Processor 3000\n")
    monkeypatch.setattr(machine, "CPUINFO", file)
    assert machine.processor() == "Test Processor 3000"


def test_the_processor_is_named_elsewhere_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "none")
    monkeypatch.setattr(platform, "processor", lambda: "arm")
    assert machine.processor() == "arm"


def test_the_blas_is_numpys(monkeypatch: pytest.MonkeyPatch) -> None:
    def pool(api: str, kind: str, path: str, architecture: str | None) -> dict[str, str | None]:
        return {
            "internal_api": api,
            "user_api": kind,
            "filepath": path,
            "version": "1.2",
            "architecture": architecture,
        }

    pools = [
        pool("openmp", "openmp", "numpy.libs/libgomp.so", None),
        pool("mkl", "blas", "torch/libmkl.so", "Zen"),
        pool("openblas", "blas", "numpy.libs/libopenblas.so", "Haswell"),
    ]
    monkeypatch.setattr(machine, "threadpool_info", lambda: pools)
    assert machine.blas() == "openblas 1.2 Haswell"
    monkeypatch.setattr(machine, "threadpool_info", list)
    assert machine.blas() == "unknown"

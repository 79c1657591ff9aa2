import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from benchmark.example import RANKS, REPORT
from expect import refusal
from gpucnn.benchmark.report import (
    read_report,
    write_report,
)
from gpucnn.errors import InvalidFileError

ADVICE = "give one that gpucnn bench --json wrote"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "report.json"


def test_a_report_is_read_as_it_was_written(path: Path) -> None:
    write_report(path, REPORT)
    assert read_report(path) == REPORT


def test_keys_of_earlier_files_are_kept(path: Path) -> None:
    write_report(path, REPORT)
    content = json.loads(path.read_text())
    parts = ["preparations", "limits", "measurements", "layers", "accuracies", "memory", "kernels"]
    parts += ["ranks", "all_reduces", "start_ups"]
    assert list(content) == ["gpucnn_benchmark", "stamp", *parts]
    assert content["stamp"] == asdict(REPORT.environment)
    assert all("contender" not in each and "subject" in each for p in parts for each in content[p])


def test_a_file_from_before_kernels_ranks_and_start_ups_were_timed_is_read(path: Path) -> None:
    write_report(path, RANKS)
    content = json.loads(path.read_text())
    for part in ("kernels", "ranks", "all_reduces", "start_ups"):
        assert content.pop(part)
    path.write_text(json.dumps(content))
    assert read_report(path) == replace(REPORT, kernels=[], start_ups=[])


def test_ranks_are_read_as_they_were_written(path: Path) -> None:
    write_report(path, RANKS)
    assert read_report(path) == RANKS


def test_a_missing_file(path: Path) -> None:
    with refusal(f"there is no file {path}: {ADVICE}", InvalidFileError):
        read_report(path)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "5", "{}", '{"gpucnn_benchmark": 1}', "[" * 9999]
)
def test_a_file_that_is_no_report(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(InvalidFileError, match=f"is not a report of gpucnn bench .*: {ADVICE}"):
        read_report(path)


def changed(path: Path, keys: list[Any], value: object) -> None:
    """Write the report with something else at one place."""
    write_report(path, REPORT)
    content = place = json.loads(path.read_text())
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path.write_text(json.dumps(content))


def test_another_version(path: Path) -> None:
    changed(path, ["gpucnn_benchmark"], 2)
    with pytest.raises(InvalidFileError, match="its version is 2, this gpucnn reads version 1"):
        read_report(path)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (["stamp"], 5),
        (["stamp", "threads"], "two"),
        (["stamp", "threads"], True),
        (["stamp", "devices"], ["cpu"]),
        (["stamp", "versions", "NumPy"], 2.4),
        (["stamp", "colour"], "red"),
        (["measurements", 0, "contender"], "cpu"),
        (["stamp", "machine"], "\x1b[31mred"),
        (["stamp", "versions", "NumPy\n"], "2.4"),
        (["measurements", 0, "subject"], "cpu\x07"),
        (["gpucnn_benchmark"], True),
        (["measurements"], 5),
        (["measurements", 0], "fast"),
        (["measurements", 0, "task"], 3),
        (["measurements", 0, "seconds"], []),
        (["measurements", 0, "seconds"], 0.1),
        (["measurements", 0, "seconds", 0], 0),
        (["measurements", 0, "seconds", 0], float("nan")),
        (["measurements", 0, "seconds", 0], -1.0),
        (["limits", 0, "flops"], float("inf")),
        (["limits", 0, "flops"], 0),
        (["memory", 0, "bytes"], 0),
        (["memory", 0, "bytes"], 1.5),
        (["peaks"], []),
    ],
)
def test_a_report_with_something_wrong_in_it(path: Path, keys: list[Any], value: object) -> None:
    changed(path, keys, value)
    with pytest.raises(InvalidFileError, match="is not a report of gpucnn bench") as told:
        read_report(path)
    assert str(told.value).isprintable()


def test_what_is_wrong_is_told_in_short(path: Path) -> None:
    changed(path, ["gpucnn_benchmark"], "2" * 200_000)
    with pytest.raises(InvalidFileError, match="its version is 222") as told:
        read_report(path)
    assert len(str(told.value)) < 1000


def test_files_from_before_caches_were_measured_are_read(path: Path) -> None:
    write_report(path, REPORT)
    content = json.loads(path.read_text())
    for each in content["limits"]:
        assert each.pop("cached") == []
    for each in content["layers"]:
        assert each.pop("held") == 0
    path.write_text(json.dumps(content))
    assert read_report(path) == REPORT

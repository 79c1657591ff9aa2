"""The JSON file that stores a report."""

import json
import os
from dataclasses import asdict
from math import inf
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from gpucnn.benchmark.report.records import (
    Environment,
    KernelMeasurement,
    LayerMeasurement,
    Preparation,
    RankMeasurement,
    Report,
    Roofline,
    TimeToAccuracy,
)
from gpucnn.errors import InvalidFileError, printable
from gpucnn.utils.storage.files import write_bytes

VERSION = 1
VERSION_KEY = "gpucnn_benchmark"  # of the format's version, in the file

KEYS = {"environment": "stamp", "rooflines": "limits", "contender": "subject"}
"""The keys in the file of the fields whose keys are not their names."""

Record = TypeVar("Record")

LATER = ("kernels", "ranks", "all_reduces", "start_ups")
"""The parts of a report that files of old have not."""

LATER_FIELDS: dict[type, dict[str, Any]] = {Roofline: {"cached": []}, LayerMeasurement: {"held": 0}}
"""The fields of records that they have not, with what they are there."""


MAY_BE_ZERO = {
    (Preparation, "seconds"),
    (Roofline, "cached"),
    (LayerMeasurement, "operations"),
    (LayerMeasurement, "held"),
    (KernelMeasurement, "operations"),
    (KernelMeasurement, "bytes"),
    (TimeToAccuracy, "accuracy"),
    (RankMeasurement, "exchange"),
    (RankMeasurement, "held"),
}
"""The fields that may be 0, or an empty list."""


def write_report(path: str | os.PathLike[str], report: Report) -> None:
    """Write a report as JSON, under a temporary name first.

    Raises:
        InvalidFileError: `path` is a directory, or its folder does not exist.
        OSError: the file cannot be written.
    """
    content = {VERSION_KEY: VERSION} | asdict(report, dict_factory=_to_json)
    write_bytes(Path(path), (json.dumps(content, indent=2) + "\n").encode())


def _to_json(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    """The fields of a record by their keys in the file."""
    return {KEYS.get(name, name): value for name, value in fields}


def read_report(path: str | os.PathLike[str]) -> Report:
    """Read a report from a file that `write_report` wrote.

    Raises:
        InvalidFileError: there is no such file, or it is not a report of this version.
    """
    file = Path(path)
    if not file.is_file():
        raise InvalidFileError(f"there is no file {path}: give one that gpucnn bench --json wrote")
    try:
        content = json.loads(file.read_bytes())
        if not isinstance(content, dict) or VERSION_KEY not in content:
            raise ValueError(f"it has no {VERSION_KEY}, the version of the format")
        version = content.pop(VERSION_KEY)
        if type(version) is not int or version != VERSION:  # true is 1 in Python
            raise ValueError(f"its version is {version}, this gpucnn reads version {VERSION}")
        return _report(content)
    except (AttributeError, RecursionError, TypeError, ValueError) as error:
        raise InvalidFileError(
            f"{path} is not a report of gpucnn bench ({printable(error)}): give one that "
            "gpucnn bench --json wrote"
        ) from error


def _report(content: dict[str, Any]) -> Report:
    later: dict[str, Any] = {name: [] for name in LATER}
    values, kinds = _fields(Report, later | content), get_type_hints(Report)
    environment = _record(Environment, values.pop("environment"))
    lists = {
        name: [_record(get_args(kinds[name])[0], each) for each in value]
        for name, value in values.items()
    }
    return Report(environment, **lists)


def _record(kind: type[Record], content: dict[str, Any]) -> Record:
    values = _fields(kind, content)
    for name, annotation in get_type_hints(kind).items():
        value = values[name]
        if not _is_a(value, annotation) or (value in (0, []) and (kind, name) not in MAY_BE_ZERO):
            raise TypeError(f"{name} is {value!r}")
    return kind(**values)


def _fields(kind: type[Any], content: dict[str, Any]) -> dict[str, Any]:
    """The fields of a record by name, from its object in the file."""
    keys = {name: KEYS.get(name, name) for name in get_type_hints(kind)}
    content = LATER_FIELDS.get(kind, {}) | content
    wrong = set(keys.values()) ^ content.keys()
    if wrong:
        raise ValueError(f"it lacks, or should not have, {' and '.join(sorted(wrong))}")
    return {name: content[key] for name, key in keys.items()}


def _is_a(value: Any, annotation: Any) -> bool:
    """Whether a value is of the type of a field; numbers must be finite and not negative."""
    if annotation == list[float]:
        return isinstance(value, list) and all(map(_is_positive, value))
    if annotation == dict[str, str]:
        return isinstance(value, dict) and all(map(_is_text, (*value, *value.values())))
    if annotation is float:
        return value == 0 or _is_positive(value)
    if annotation is str:
        return _is_text(value)
    return type(value) is annotation and value >= 0


def _is_text(value: Any) -> bool:
    """Whether a value is printable text: a terminal would obey an escape sequence."""
    return isinstance(value, str) and value.isprintable()


def _is_positive(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < inf

"""The file history.json of a run: encoding it, and reading and checking it."""

import json
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from gpucnn.applications import TrainConfig
from gpucnn.commands.runs.folder import HISTORY
from gpucnn.errors import InvalidFileError, printable
from gpucnn.models.training import EpochRecord

RECORDED = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "images_per_second")


class HistoryFile(NamedTuple):
    """The content of history.json."""

    epochs: list[EpochRecord]
    """The epochs done, numbered from 1."""

    config: TrainConfig
    """How the model is trained; the file repeats its seed at the top level."""

    device: Any
    """The name of the device that the run was last trained on; unchecked."""

    versions: Any
    """As `provenance.versions` returns; unchecked, since older versions of gpucnn wrote others."""

    data_sha256: Any
    """As `provenance.data_sha256` returns; unchecked."""

    def encode(self) -> bytes:
        """The content of the file, JSON."""
        content = {
            "epochs": self.epochs,
            "recipe": asdict(self.config),
            "seed": self.config.seed,
            "device": self.device,
            "versions": self.versions,
            "data_sha256": self.data_sha256,
        }
        return (json.dumps(content, indent=2) + "\n").encode()


def read_history(folder: Path) -> HistoryFile:
    """Read and check the history of the run in `folder`.

    Raises:
        InvalidFileError: there is no run in the folder, or its history is damaged.
    """
    path = folder / HISTORY
    if not path.is_file():
        inside = min(folder.glob(f"*/{HISTORY}"), default=None)
        advice = f"{HISTORY} is not there"
        if inside is not None:
            advice = f"give the folder of one, such as {inside.parent}"
        raise InvalidFileError(f"there is no run in {folder}: {advice}")
    try:
        content = json.loads(path.read_bytes())
        config = TrainConfig(**content["recipe"])
        _check_epochs(content["epochs"])
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise InvalidFileError(
            f"{path} is not the history of a run ({printable(error)}): "
            "begin the run anew in another folder"
        ) from error
    return HistoryFile(
        content["epochs"],
        config,
        content.get("device"),
        content.get("versions"),
        content.get("data_sha256"),
    )


def read_config(folder: Path) -> TrainConfig:
    """The configuration of the run in `folder`.

    Raises:
        InvalidFileError: there is no run in the folder, or its history is damaged.
    """
    return read_history(folder).config


def _check_epochs(epochs: Any) -> None:
    if not isinstance(epochs, list) or not all(map(_is_record, epochs)):
        raise ValueError("its epochs are not complete")
    numbers = [epoch["epoch"] for epoch in epochs]
    if numbers != list(range(1, len(epochs) + 1)):
        raise ValueError(f"its epochs are numbered {printable(numbers, 100)}")


def _is_record(epoch: Any) -> bool:
    return (
        all(_is_number(epoch[name]) for name in RECORDED)
        and type(epoch["epoch"]) is int
        and all(0 <= epoch[name] <= 1 for name in ("accuracy", "val_accuracy"))
    )


def _is_number(value: Any) -> bool:
    try:
        return type(value) in (int, float) and isfinite(value)  # not bool, a subclass of int
    except OverflowError:  # beyond the range of float
        return False

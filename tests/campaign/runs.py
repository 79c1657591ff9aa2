"""Runs of `gpucnn train` that are killed and gone on with, and what they must come to."""

import json
from pathlib import Path
from typing import Any

from gpucnn.utils.storage.files import SUFFIX

CHECKPOINT, HISTORY = "checkpoint.safetensors", "history.json"
TIMES = ("seconds", "images_per_second")  # of an epoch, which differ from run to run


def arguments(output: Path, options: list[str]) -> list[str]:
    """The arguments that begin the run in `output`, or go on with it if there is one."""
    begun = (output / HISTORY).exists()
    return ["train", "--output", str(output), *(["--resume"] if begun else options)]


def result(output: Path) -> tuple[bytes, list[dict[str, Any]], list[str]]:
    """What two runs must have alike: the model, what was measured, what lies in the folder."""
    epochs = json.loads((output / HISTORY).read_text())["epochs"]
    alike = [{name: epoch[name] for name in epoch if name not in TIMES} for epoch in epochs]
    names = sorted(each.name for each in output.iterdir())
    return (output / CHECKPOINT).read_bytes(), alike, names


def leftovers(output: Path) -> list[str]:
    """The temporary files in the folder of a run."""
    return [each.name for each in output.glob(f".*{SUFFIX}")]

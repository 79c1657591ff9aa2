"""Runs on a small dataset, for tests."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gpucnn.applications import TrainConfig, default_config
from gpucnn.commands.runs import HISTORY, Run
from gpucnn.commands.runs.folder import LOCK


def config(data: str, **changes: Any) -> TrainConfig:
    return default_config(data=data, **({"epochs": 3} | changes))


def begun(folder: Path, of: TrainConfig) -> Run:
    """A run that was started in a folder, and closed."""
    with Run.start(folder, of) as run:
        return run


def trained(folder: Path, of: TrainConfig) -> Run:
    """A run that was trained to its end, and closed."""
    with Run.start(folder, of) as run:
        run.train(verbose=0)
        return run


def files_of(folder: Path) -> list[str]:
    """The names of the files in a run's folder, except its lock."""
    return sorted(each.name for each in folder.iterdir() if each.name != LOCK)


def change_history(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    content = json.loads((folder / HISTORY).read_text())
    change(content)
    (folder / HISTORY).write_text(json.dumps(content))

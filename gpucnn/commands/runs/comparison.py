"""Runs that are compared: which of them are of one recipe with several seeds."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gpucnn.applications import TrainConfig
from gpucnn.commands.runs.folder import HISTORY
from gpucnn.commands.runs.history import HistoryFile, read_history
from gpucnn.models.pictures.curves import Trainings

Runs = dict[Path, HistoryFile]


def read_trainings(folders: Sequence[Path]) -> list[Trainings]:
    """Read the histories of runs, those of one recipe with different seeds together.

    Args:
        folders: of runs, or of sweeps, which hold those of their seeds.

    Raises:
        InvalidFileError: there is no run in one of them, or its history is damaged.
    """
    found = {run.resolve(): run for folder in folders for run in _runs_in(folder)}
    runs = {run: read_history(run) for run in found.values()}
    by_recipe: dict[TrainConfig, Runs] = {}
    for folder, history in runs.items():
        by_recipe.setdefault(replace(history.config, seed=0), {})[folder] = history
    groups = [group for same in by_recipe.values() for group in _by_seed(same)]
    names = _names([list(group) for group in groups])
    return [
        Trainings(name, [history.epochs for history in group.values()])
        for name, group in zip(names, groups, strict=True)
    ]


def _runs_in(folder: Path) -> list[Path]:
    """The folder itself, or the runs of the sweep that it is the folder of."""
    of_seeds = sorted(folder.glob(f"seed-*/{HISTORY}"), key=lambda file: (len(str(file)), file))
    is_run = (folder / HISTORY).exists()
    return [file.parent for file in of_seeds] if of_seeds and not is_run else [folder]


def _by_seed(runs: Runs) -> list[Runs]:
    """The runs of a recipe in one group if their seeds differ, else each by itself."""
    seeds = {history.config.seed for history in runs.values()}
    if len(seeds) == len(runs):
        return [runs]
    return [{folder: history} for folder, history in runs.items()]


def _names(groups: Sequence[Sequence[Path]]) -> list[str]:
    """Short names of groups of folders, or longer ones where two have the same."""
    short = [_name([folder.resolve().name for folder in group], group) for group in groups]
    long = [_name([str(folder) for folder in group], group) for group in groups]
    return [s if short.count(s) == 1 else g for s, g in zip(short, long, strict=True)]


def _name(names: Sequence[str], group: Sequence[Path]) -> str:
    """What a group of folders is called: a sweep by its folder."""
    if len(group) == 1:
        return names[0]
    parents = {folder.resolve().parent for folder in group}
    if len(parents) == 1 and all(folder.name.startswith("seed-") for folder in group):
        return parents.pop().name
    return f"{names[0]} to {names[-1]}"

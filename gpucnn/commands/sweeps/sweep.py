"""A sweep in a folder: its recipe, its trainings, and their results."""

import json
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from gpucnn.applications import TrainConfig
from gpucnn.backends.ranks.world import world
from gpucnn.commands.options import check_unchanged
from gpucnn.commands.runs import HISTORY
from gpucnn.commands.runs.folder import locked, make_folder
from gpucnn.commands.sweeps.processes import run_all
from gpucnn.commands.sweeps.result import Result, read_result
from gpucnn.commands.sweeps.slots import Slot
from gpucnn.errors import InvalidFileError, InvalidValueError, printable
from gpucnn.utils import arguments
from gpucnn.utils.storage.files import create_bytes, remove_leftovers, write_bytes

FILE = "sweep.json"


@dataclass
class Sweep:
    """Trainings of one recipe, each with a seed of its own.

    The folder holds a run folder for each seed, `seed-0` and so on, and `sweep.json`: {"recipe":
    ..., "seeds": [...], "results": [...]}, which is written before the first training and after
    each.

    Attributes:
        folder: where the files are; that of ranks on several machines is one that all can see.
        config: how to train, but for the seed; `device` and `threads` as `find_slots` takes them.
        seeds: of the trainings.
        results: by seed, of the trainings that have ended.
    """

    folder: Path
    config: TrainConfig
    seeds: list[int]
    results: dict[int, Result] = field(default_factory=dict)

    @classmethod
    def start(cls, folder: Path | None, config: TrainConfig, seeds: Sequence[int]) -> "Sweep":
        """Begin a sweep; `train` trains.

        Args:
            folder: where; it is created if need be. None for a new folder in runs/.
            config: how to train, with any seed.
            seeds: at least one.

        Raises:
            InvalidValueError: the folder holds a sweep.
            InvalidFileError: the folder is a file, or the data cannot be used.
            OSError: the folder cannot be written to.
        """
        if folder is not None and folder.exists() and not folder.is_dir():
            raise InvalidFileError(f"{folder} is a file: give a folder for the sweep")
        if folder is not None and (folder / FILE).exists():
            raise _already_used(folder)
        config = _with_full_path(config)
        config.load_data()  # refused now, rather than by each training
        sweep = cls(make_folder(folder, "sweep"), config, list(seeds))
        try:
            create_bytes(sweep.file, sweep._encode())
        except FileExistsError:
            raise _already_used(sweep.folder) from None
        return sweep

    @classmethod
    def resume(cls, folder: Path, seeds: Sequence[int] | None = None, **changes: Any) -> "Sweep":
        """Go on with the sweep in `folder`; `train` trains what is missing.

        Args:
            folder: of the sweep.
            seeds: more than it was begun with, if any.
            changes: fields of `TrainConfig`, which must be what they were.

        Raises:
            InvalidFileError: there is no sweep in the folder, or its file is damaged.
            InvalidValueError: it was begun with another recipe.
        """
        config, begun_with, succeeded = _read(folder / FILE)
        asked_for = _with_full_path(replace(config, **changes))
        check_unchanged("sweep", folder, config, asked_for, changes)
        sweep = cls(folder, config, list(dict.fromkeys([*begun_with, *(seeds or ())])))
        for seed in succeeded:
            result = sweep._read_result(seed)
            if result is not None:
                sweep.results[seed] = result
        return sweep

    @property
    def file(self) -> Path:
        """The path of `sweep.json`."""
        return self.folder / FILE

    @property
    def missing(self) -> list[int]:
        """The seeds whose trainings have no result."""
        return [seed for seed in self.seeds if seed not in self.results]

    @property
    def share(self) -> list[int]:
        """The part of the missing seeds that this rank trains with."""
        ranks = world()
        return self.missing[ranks.rank :: ranks.size]

    @property
    def ended(self) -> list[Result]:
        """The results, in the order of the seeds."""
        return [self.results[seed] for seed in self.seeds if seed in self.results]

    def train(self, slots: Sequence[Slot]) -> Generator[Result]:
        """Train with the seeds of `share`, each in a process of its own; every rank calls this.

        Close the generator, which ends the processes. Once it has ended, each rank has all results.

        Args:
            slots: where this rank's trainings run.

        Yields:
            The result of each training of this rank, as it ends.

        Raises:
            InvalidValueError: another process trains in the folder.
            RankLostError: another rank has ended.
            OSError: `sweep.json` cannot be written, or a process not be started.
        """
        ranks = world()
        with ranks.together(), ExitStack() as stack:
            if ranks.rank == 0:
                stack.enter_context(locked(self.folder))
                remove_leftovers(self.folder, FILE)
            trainings = run_all(self.share, slots, self._command, ranks)
            for seed, failure in stack.enter_context(closing(trainings)):
                result = self._result(seed, failure)
                self._record([result])
                yield result
            self._record([each for ended in ranks.gather(self.ended) for each in ended])

    def _record(self, results: Sequence[Result]) -> None:
        self.results |= {result.seed: result for result in results}
        if world().rank == 0:
            write_bytes(self.file, self._encode())

    def _run(self, seed: int) -> Path:
        return self.folder / f"seed-{seed}"

    def _command(self, seed: int, slot: Slot) -> list[str]:
        """The arguments of `gpucnn` that train with a seed, or go on with that.

        `gpucnn train --resume` refuses a run of another recipe.
        """
        run = self._run(seed)
        how = ["--resume"] if (run / HISTORY).exists() else []
        config = replace(self.config, seed=seed, device=slot.device, threads=slot.threads)
        options = {name: value for name, value in asdict(config).items() if value is not None}
        given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        return ["train", *how, "--output", str(run), *given]

    def _result(self, seed: int, failure: str | None) -> Result:
        if failure is not None:
            return Result(seed, failure=failure)
        return self._read_result(seed) or Result(seed, failure="its run has epochs left")

    def _read_result(self, seed: int) -> Result | None:
        """The result in the folder of a run; None if there is none."""
        try:
            return read_result(self._run(seed), seed, self.config.epochs)
        except InvalidFileError:
            return None

    def _encode(self) -> bytes:
        recipe = asdict(self.config)
        del recipe["seed"]
        results = [asdict(result) for result in self.ended]
        content = {"recipe": recipe, "seeds": self.seeds, "results": results}
        return (json.dumps(content, indent=2) + "\n").encode()


def _with_full_path(config: TrainConfig) -> TrainConfig:
    """The configuration with the full path of a folder, whatever its device."""
    return replace(config, data=replace(config, device="cpu").resolved().data)


def _already_used(folder: Path) -> InvalidValueError:
    return InvalidValueError(
        f"{folder} already holds a sweep: go on with it by --resume, remove it, or give another "
        "folder"
    )


def _read(file: Path) -> tuple[TrainConfig, list[int], set[int]]:
    """The recipe of a sweep with some seed, its seeds, and those whose trainings succeeded."""
    if not file.is_file():
        raise InvalidFileError(f"there is no sweep in {file.parent}: {FILE} is not there")
    try:
        content = json.loads(file.read_bytes())
        config = TrainConfig(**content["recipe"], seed=0)
        seeds = [arguments.seed(seed) for seed in content["seeds"]]
        succeeded = {each["seed"] for each in content["results"] if each["failure"] is None}
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise InvalidFileError(
            f"{file} is not of a sweep ({printable(error)}): begin the sweep anew in another folder"
        ) from error
    return config, seeds, succeeded

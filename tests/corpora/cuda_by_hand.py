"""How much of the CUDA that people write the simulator runs: run by hand, on fetched repositories.

    PYTHONPATH=tests python -m corpora.cuda_by_hand FOLDER [--only NAME] [--kernels FILE]

FOLDER has the git directories of `REPOSITORIES`, as OWNER+NAME/repo; those that lack are named.
NVRTC decides which of their kernels are CUDA (accepted.py). It needs, beside `test`, the packages
cuda-bindings, nvidia-cuda-runtime, nvidia-cuda-cccl, nvidia-cuda-crt and nvidia-curand, for CUDA's
own headers. What NVRTC accepts the simulator compiles, and launches with made-up arguments in
three orders of the threads (launching.py). It prints the sums, by repository and by feature, and
writes a line for each kernel. None of the code is kept.
"""

import argparse
import itertools
import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import gpucnn.simulator.cupy.kernels
from corpora import features
from corpora.accepted import Accepted, accept, without_host
from corpora.launching import ORDERS, Outcome, outcome
from corpora.repositories import REPOSITORIES, Repository, Text, git_folder
from gpucnn.simulator import Module, SimulatorError

CUPY = "cupy/_core/include"  # its headers, in its repository
OUR_CUPY = Path(gpucnn.simulator.cupy.kernels.__file__).parent / "include"
RIGHT = ("equal", "rounding")
RAN = (*RIGHT, "different")  # with made-up arguments: without a fault, and it wrote something


@dataclass(frozen=True)
class Row:
    """A kernel, and what became of it."""

    text: str
    kernel: str
    features: tuple[str, ...]
    outcome: str
    """One of `launching.Outcome`, or "missing" if it cannot be launched."""

    note: str


def rows(text: Text, cupy: Path) -> list[Row]:
    """The kernels of a text that NVRTC accepts."""
    accepted, refused = accept(text, cupy)
    if accepted is None:
        return [Row(text.name, "", (), "refused", refused)]
    return list(_rows(text.name, accepted))


def _rows(text: str, accepted: Accepted) -> Iterator[Row]:
    """What becomes of each kernel: all of them are compiled together, or else each by itself."""
    every = tuple(accepted.expressions.values())
    try:
        modules = compiled(accepted.code, every)
    except SimulatorError:
        modules = None
    for name, expression in accepted.expressions.items():
        used = features.features(accepted.code, name)
        try:
            own = modules or compiled(accepted.code, (expression,))
            result = outcome(own, expression, cooperative=features.GRIDS in used)
        except SimulatorError as error:
            result = Outcome("missing", str(error))
        yield Row(text, name, used, *result)


def compiled(code: str, expressions: tuple[str, ...]) -> list[Module]:
    """A module for each order, without the host's templates, whose bodies NVRTC does not read."""
    options = ("-std=c++17", f"-I{OUR_CUPY}")
    try:
        return [Module(code, options, order, name_expressions=expressions) for order in ORDERS]
    except SimulatorError as error:
        place = re.match(r"source\.cu:(\d+)", str(error))
        shorter = without_host(code, int(place[1])) if place else code
        if shorter == code:
            raise
    return compiled(shorter, expressions)


def distinct(found: Iterable[Row]) -> list[Row]:
    """Without the kernels that another text of the repository has too, by name and features."""
    by_key = {(row.kernel or row.text, row.features, row.outcome): row for row in found}
    return list(by_key.values())


def texts(repository: Repository, every: int) -> Iterator[Text]:
    """One of so many texts."""
    return itertools.islice(repository.texts(), 0, None, every)


def write(file: Path | None, found: list[Row]) -> None:
    """Add the kernels to a file, as lines of JSON."""
    if file:
        with file.open("a") as lines:
            lines.writelines(json.dumps(asdict(row)) + "\n" for row in found)


def table(found: list[Row]) -> Iterator[str]:
    """Sums by feature, as Markdown."""
    yield "| feature | kernels | launchable | ran | right | missing, with their number of kernels |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name in (*features.NAMES, "all"):
        mine = [row for row in found if name == "all" or name in row.features]
        launchable = sum(row.outcome != "missing" for row in mine)
        ran = sum(row.outcome in RAN for row in mine)
        right = sum(row.outcome in RIGHT for row in mine)
        missing = Counter(_lacking(row.note) for row in mine if row.outcome == "missing")
        reasons = "; ".join(f"{reason} ({count})" for reason, count in missing.most_common(4))
        yield f"| {name} | {len(mine)} | {launchable} | {ran} | {right} | {reasons} |"


def _lacking(note: str) -> str:
    """What a message says is missing."""
    return re.sub(r".*the simulator does not have |^\S+: |: correct the source.*", "", note)[:60]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="repositories whose name contains this")
    parser.add_argument("--every", type=int, default=1, help="take one of so many texts")
    parser.add_argument("--kernels", type=Path, help="the file for a line of JSON for each kernel")
    options = parser.parse_args()
    every: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary, ProcessPoolExecutor(2) as pool:
        cupy = Path(temporary)
        for name, commit in REPOSITORIES.items():
            if options.only not in name:
                continue
            if not git_folder(options.folder, name).is_dir():
                print(f"{name}: not there", flush=True)
                continue
            repository = Repository(options.folder, name)
            if name == "cupy/cupy":
                repository.write(CUPY, cupy)
            found = []
            for part in pool.map(partial(rows, cupy=cupy), texts(repository, options.every)):
                found += part
                write(options.kernels, part)
            found = distinct(found)
            print(name, commit[:7], dict(Counter(row.outcome for row in found)), flush=True)
            every += found
    accepted = [row for row in every if row.outcome != "refused"]
    print(*table(accepted), sep="\n")


if __name__ == "__main__":
    main()

"""Finding the four IDX files of a dataset in a folder, under the names in common use."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from gpucnn.errors import InvalidFileError, printable

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
# train-images.idx3-ubyte, emnist-letters-test-images-idx3-ubyte.gz, qmnist-train-labels-idx2-int
PATTERN = re.compile(
    r"(?:(?P<set>.+)[-_.])?(?P<part>train|t10k|test)[-_.](?P<content>images|labels)"
    r"[-_.]idx[123][-_.](?:ubyte|byte|short|int|float|double)(?:\.gz)?"
)

Files = dict[str, Path]  # the path of each of NAMES that was found


def find_files(folder: Path) -> Files:
    """Find the four files of the dataset in a folder.

    They may be in the folder itself, in raw/, or in a subfolder such as MNIST/raw/. A name may have
    dots or underscores instead of hyphens, "test" instead of "t10k", another element type or number
    of dimensions, .gz at its end, and the name of the dataset at its start. If a file is there both
    plain and as .gz, the plain one is used.

    Returns:
        The path of each of `NAMES`.

    Raises:
        InvalidFileError: a file is missing, or there is more than one dataset.
        OSError: the folder cannot be read.
    """
    inside = _folder_with_files(folder)
    sets = _sets_in(inside)
    if len(sets) > 1:
        raise _ambiguous(inside, sets, "move the four files of one to a folder of their own")
    found = next(iter(sets.values()), {})
    for name in NAMES:
        if name not in found:
            raise InvalidFileError(
                f"there is no {name}, plain or .gz, in {inside}{_near_match(inside, name)}: "
                "a set has images and labels of train and t10k, four files"
            )
    return found


def _folder_with_files(folder: Path) -> Path:
    for inside in (folder, folder / "raw"):
        if inside.is_dir() and _sets_in(inside):
            return inside
    deeper = [each for each in sorted(folder.glob("*/raw")) if each.is_dir() and _sets_in(each)]
    if len(deeper) > 1:
        names = [str(each.relative_to(folder)) for each in deeper]
        raise _ambiguous(folder, names, "give the folder of one")
    return deeper[0] if deeper else folder


def _sets_in(folder: Path) -> dict[str, Files]:
    """The files of each dataset in a folder, by the name of the dataset."""
    sets: dict[str, Files] = {}
    for path in sorted(folder.glob("[!.]*"), key=_preference):  # skips macOS's ._ files
        if match := PATTERN.fullmatch(path.name.lower()):
            part = "train" if match["part"] == "train" else "t10k"
            dimensions = 3 if match["content"] == "images" else 1
            name = f"{part}-{match['content']}-idx{dimensions}-ubyte"
            sets.setdefault(match["set"] or "", {}).setdefault(name, path)
    return sets


def _preference(path: Path) -> tuple[bool, bool, str]:
    return path.is_dir(), path.suffix == ".gz", path.name


def _near_match(folder: Path, name: str) -> str:
    others = [each.name for each in folder.iterdir() if not PATTERN.fullmatch(each.name.lower())]
    near = get_close_matches(name, others, n=1)
    return f", but a {printable(near[0])}, which may be renamed" if near else ""


def _ambiguous(folder: Path, names: Iterable[str], advice: str) -> InvalidFileError:
    listed = printable(", ".join(name or "one without a name" for name in names))
    return InvalidFileError(f"{folder} holds several sets of images ({listed}): {advice}")

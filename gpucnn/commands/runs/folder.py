"""The folder of a run: its files, its lock, and which folders a run can begin in."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gpucnn.errors import InvalidFileError, InvalidValueError
from gpucnn.utils.locks import exclusive_lock
from gpucnn.utils.storage.files import remove_leftovers

CHECKPOINT = "checkpoint.safetensors"
HISTORY = "history.json"
CURVES = "curves.png"
LOCK = ".lock"


def model_name(file: Path) -> str:
    """The name under which a saved model is shown: its file's, or its run's folder's."""
    return (file.name == CHECKPOINT and file.resolve().parent.name) or file.stem


def check_unused(folder: Path) -> None:
    """Check that a run can begin in `folder`, which need not exist.

    Raises:
        InvalidValueError: it holds a run, perhaps one in progress, or a checkpoint.
        InvalidFileError: it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise InvalidFileError(f"{folder} is a file: give a folder for the run")
    if (folder / HISTORY).exists():
        with locked(folder):  # refused if the run is in progress
            raise already_used(folder)
    if (folder / CHECKPOINT).exists():
        raise InvalidValueError(
            f"{folder} holds a {CHECKPOINT} without the {HISTORY} of its run: move it away, or "
            "give another folder"
        )


def already_used(folder: Path) -> InvalidValueError:
    """The error for a folder that holds a run."""
    return InvalidValueError(
        f"{folder} already holds a run: resume it with --resume, remove it, or give another folder"
    )


def make_folder(folder: Path | None, model: str) -> Path:
    """Create `folder`, or a new one, runs/MODEL-1, runs/MODEL-2 and so on, if it is None."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    runs = Path("runs")
    runs.mkdir(exist_ok=True)
    number = 1
    while True:
        new = runs / f"{model}-{number}"
        try:
            new.mkdir()  # fails for all but one of several runs that begin at once
            return new
        except FileExistsError:
            number += 1


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder.

    Raises:
        InvalidValueError: another process, or another `Run` of this one, holds it; or the file
            system has no locks.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(exclusive_lock(folder / LOCK, timeout=0))
        except TimeoutError:
            raise InvalidValueError(
                f"the run in {folder} is in progress: wait for its end, stop it, or give another "
                "folder"
            ) from None
        except OSError as error:
            raise InvalidValueError(
                f"{folder} cannot be locked ({error.strerror or error}): give a folder on another "
                "file system"
            ) from error
        yield


def remove_unfinished_files(folder: Path) -> None:
    """Remove the temporary files of a killed run; the folder must be locked."""
    for name in (HISTORY, CHECKPOINT, CURVES):
        remove_leftovers(folder, name)

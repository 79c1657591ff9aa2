from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from commands.runs.example_runs import begun, config, files_of
from expect import refusal
from gpucnn.commands.runs import CHECKPOINT, HISTORY, Run
from gpucnn.errors import InvalidFileError, InvalidValueError


def test_a_run_in_progress_is_not_opened_again(tmp_path: Path, data: str) -> None:
    told = (
        f"the run in {tmp_path} is in progress: wait for its end, stop it, or give another folder"
    )
    with Run.start(tmp_path, config(data)):
        (tmp_path / f".{HISTORY}.x1y2.gpucnn-tmp").touch()
        before = files_of(tmp_path)
        with refusal(told):
            Run.resume(tmp_path)
        with refusal(told):
            Run.start(tmp_path, config(data))
        assert files_of(tmp_path) == before
    with Run.resume(tmp_path), refusal(told):
        Run.resume(tmp_path)


def test_a_run_that_could_not_be_opened_is_not_locked(tmp_path: Path, data: str) -> None:
    run = begun(tmp_path, config(data))
    checkpoint = run.checkpoint.read_bytes()
    run.checkpoint.write_bytes(b"")
    with pytest.raises(InvalidFileError, match="cut short") as told:
        Run.resume(tmp_path)
    run.checkpoint.write_bytes(checkpoint)
    assert Run.resume(tmp_path).epochs_left == 3
    del told  # its traceback refers to the refused run


def test_a_first_start_that_was_killed_leaves_nothing_behind(tmp_path: Path, data: str) -> None:
    (tmp_path / f".{HISTORY}.x1y2.gpucnn-tmp").touch()
    (tmp_path / ".other.x1y2.gpucnn-tmp").touch()
    begun(tmp_path, config(data))
    assert files_of(tmp_path) == [".other.x1y2.gpucnn-tmp", CHECKPOINT, HISTORY]


def test_resuming_removes_what_a_killed_run_was_writing(tmp_path: Path, data: str) -> None:
    begun(tmp_path, config(data))
    for name in (CHECKPOINT, HISTORY):
        (tmp_path / f".{name}.x1y2.gpucnn-tmp").touch()
    Run.resume(tmp_path)
    assert files_of(tmp_path) == [CHECKPOINT, HISTORY]


def test_of_runs_that_begin_at_once_each_gets_a_folder(
    tmp_path: Path, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        begin = partial(Run.start, None, config(data))
        runs = [each.result() for each in [pool.submit(begin) for _ in range(8)]]
    assert len({run.folder for run in runs}) == 8


def test_of_runs_that_begin_at_once_in_one_folder_one_does(tmp_path: Path, data: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        begun = [pool.submit(Run.start, tmp_path, config(data)) for _ in range(8)]
        errors = [each.exception() for each in begun]
    assert sum(error is None for error in errors) == 1
    refusals = ("already holds a run", "is in progress")
    told = [str(error) for error in errors if error is not None]
    assert all(any(refusal in line for refusal in refusals) for line in told)


def test_a_folder_in_use_is_not_written_to(tmp_path: Path, data: str) -> None:
    begun(tmp_path, config(data))
    with pytest.raises(InvalidValueError, match="already holds a run: resume it with --resume"):
        Run.start(tmp_path, config(data))


def test_a_checkpoint_alone_is_not_written_over(tmp_path: Path, data: str) -> None:
    (tmp_path / CHECKPOINT).touch()
    with pytest.raises(InvalidValueError, match="of its run: move it away"):
        Run.start(tmp_path, config(data))


def test_a_file_cannot_be_a_run_folder(tmp_path: Path, data: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidFileError, match="file is a file: give a folder"):
        Run.start(tmp_path / "file", config(data))

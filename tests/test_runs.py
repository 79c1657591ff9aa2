import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpucnn
from gpucnn.errors import InvalidFileError, InvalidValueError, TrainingError
from gpucnn.recipes import Recipe, default_recipe
from gpucnn.runs import CHECKPOINT, HISTORY, RECORDED, Run
from gpucnn.training import EpochRecord
from small_mnist import write_idx, write_small_mnist


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_small_mnist(tmp_path_factory.mktemp("data"), train=256, test=100))


def recipe(data: str, **changes: Any) -> Recipe:
    return default_recipe(data=data, **({"epochs": 3} | changes))


class StoppedError(Exception):
    """Stands for whatever ends a run early."""


def train_and_stop_after(run: Run, epochs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    epoch_done = Run._epoch_done

    def save_and_stop(self: Run, record: EpochRecord) -> None:
        epoch_done(self, record)
        if len(self.history.epochs) == epochs:
            raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(Run, "_epoch_done", save_and_stop)
        with pytest.raises(StoppedError):
            run.train(verbose=0)


def test_a_run_writes_its_folder(tmp_path: Path, data: str) -> None:
    run = Run.start(tmp_path / "new" / "run", recipe(data, seed=4))
    run.train(verbose=0)
    assert sorted(each.name for each in run.folder.iterdir()) == [CHECKPOINT, HISTORY]
    history = json.loads((run.folder / HISTORY).read_text())
    assert (history["seed"], history["device"]) == (4, "cpu")
    assert history["versions"]["gpucnn"] == gpucnn.__version__
    assert history["versions"]["numpy"] == np.__version__
    assert [epoch["epoch"] for epoch in history["epochs"]] == [1, 2, 3]
    measured = {"loss", "accuracy", "val_loss", "val_accuracy", "seconds", "images_per_second"}
    assert measured <= history["epochs"][0].keys()
    assert history["epochs"] == run.history.epochs


def test_a_run_can_be_resumed_before_its_first_epoch(tmp_path: Path, data: str) -> None:
    Run.start(tmp_path, recipe(data))
    assert Run.resume(tmp_path).epochs_left == 3


def test_a_run_can_be_resumed_that_was_killed_before_its_first_checkpoint(
    tmp_path: Path, data: str
) -> None:
    run = Run.start(tmp_path, recipe(data))
    expected = run.checkpoint.read_bytes()
    run.checkpoint.unlink()
    assert Run.resume(tmp_path).checkpoint.read_bytes() == expected


def test_resuming_removes_what_a_killed_run_was_writing(tmp_path: Path, data: str) -> None:
    Run.start(tmp_path, recipe(data))
    for name in (CHECKPOINT, HISTORY):
        (tmp_path / f".{name}.x1y2.gpucnn-tmp").touch()
    Run.resume(tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == [CHECKPOINT, HISTORY]


def test_a_run_is_resumed_from_any_folder(
    tmp_path: Path, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(data).parent)
    Run.start(tmp_path, recipe(Path(data).name))
    monkeypatch.chdir(tmp_path)
    assert Run.resume(tmp_path).recipe.data == data


def test_the_device_that_auto_took_is_kept(tmp_path: Path, data: str) -> None:
    assert Run.start(tmp_path, recipe(data, device="auto")).recipe.device == "cpu"


def test_of_runs_that_begin_at_once_each_gets_a_folder(
    tmp_path: Path, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        begin = partial(Run.start, None, recipe(data))
        runs = [each.result() for each in [pool.submit(begin) for _ in range(8)]]
    assert len({run.folder for run in runs}) == 8


def test_of_runs_that_begin_at_once_in_one_folder_one_does(tmp_path: Path, data: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        begun = [pool.submit(Run.start, tmp_path, recipe(data)) for _ in range(8)]
        errors = [each.exception() for each in begun]
    assert sum(error is None for error in errors) == 1
    assert all("already holds a run" in str(error) for error in errors if error is not None)


def test_images_that_do_not_fit_leave_no_folder_behind(tmp_path: Path) -> None:
    for part in ("train", "t10k"):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", np.zeros((2, 10, 10), np.uint8))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", np.zeros(2, np.uint8))
    with pytest.raises(InvalidValueError, match="the images have the shape"):
        Run.start(tmp_path / "run", recipe(str(tmp_path)))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("part", ["train", "t10k"])
def test_labels_that_do_not_fit_leave_no_folder_behind(tmp_path: Path, part: str) -> None:
    folder = write_small_mnist(tmp_path, train=20, test=20)
    write_idx(folder / f"{part}-labels-idx1-ubyte", np.arange(20, dtype=np.uint8))
    with pytest.raises(InvalidValueError, match="the label of image 10 is 10, but the model has"):
        Run.start(tmp_path / "run", recipe(str(folder)))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("part", ["train", "t10k"])
@pytest.mark.parametrize("kind", ["images-idx3", "labels-idx1"])
def test_a_run_is_not_resumed_on_other_data(tmp_path: Path, part: str, kind: str) -> None:
    folder = write_small_mnist(tmp_path, train=20, test=10)
    Run.start(tmp_path / "run", recipe(str(folder)))
    file = folder / f"{part}-{kind}-ubyte"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(InvalidFileError, match="does not have the images that the run in"):
        Run.resume(tmp_path / "run")


@pytest.mark.parametrize("save", ["gpucnn.runs.write_bytes", "gpucnn.runs.Sequential.save"])
def test_a_run_killed_while_it_writes_is_resumed(
    tmp_path: Path, data: str, save: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def be_killed(*_: object) -> None:
        raise StoppedError

    run = Run.start(tmp_path, recipe(data))
    with monkeypatch.context() as patch:
        patch.setattr(save, be_killed)
        with pytest.raises(StoppedError):
            run.train(verbose=0)
    assert Run.resume(tmp_path).epochs_left == 3


def test_the_model_is_measured_on_the_test_images(tmp_path: Path, data: str) -> None:
    run = Run.start(tmp_path, recipe(data))
    run.train(verbose=0)
    last = run.history.epochs[-1]
    expected = pytest.approx((last["val_loss"], last["val_accuracy"]))
    assert run.model.evaluate(*run.test_data) == expected


@pytest.mark.parametrize("model", ["notebook", "lenet"])
@pytest.mark.parametrize("stop_after", [1, 2])
def test_a_resumed_run_ends_in_the_bytes_of_an_uninterrupted_one(
    tmp_path: Path, data: str, model: str, stop_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Run.start(tmp_path / "whole", recipe(data, model=model))
    whole.train(verbose=0)
    stopped = Run.start(tmp_path / "stopped", recipe(data, model=model))
    train_and_stop_after(stopped, stop_after, monkeypatch)
    resumed = Run.resume(stopped.folder)
    assert resumed.epochs_left == 3 - stop_after
    resumed.train(verbose=0)
    assert resumed.checkpoint.read_bytes() == whole.checkpoint.read_bytes()

    def losses(run: Run) -> list[float]:
        return [epoch["loss"] for epoch in run.history.epochs]

    assert losses(resumed) == losses(whole)


def test_an_epoch_that_is_in_the_history_alone_is_done_again(tmp_path: Path, data: str) -> None:
    run = Run.start(tmp_path, recipe(data))
    first = run.checkpoint.read_bytes()
    run.train(verbose=0)
    run.checkpoint.write_bytes(first)  # as if it had been killed between the two files
    resumed = Run.resume(tmp_path)
    assert resumed.history.epochs == []
    assert resumed.epochs_left == 3


def test_a_finished_run_has_nothing_left_to_do(tmp_path: Path, data: str) -> None:
    run = Run.start(tmp_path, recipe(data, epochs=1))
    run.train(verbose=0)
    before = run.checkpoint.read_bytes()
    again = Run.resume(tmp_path)
    again.train(verbose=0)
    assert again.epochs_left == 0
    assert run.checkpoint.read_bytes() == before


def test_a_run_that_diverges_keeps_its_last_good_checkpoint(tmp_path: Path, data: str) -> None:
    run = Run.start(tmp_path, recipe(data, optimizer="sgd", learning_rate=1e30))
    before = run.checkpoint.read_bytes()
    with pytest.raises(TrainingError, match="lower learning rate"):
        run.train(verbose=0)
    assert run.checkpoint.read_bytes() == before


def test_a_folder_in_use_is_not_written_to(tmp_path: Path, data: str) -> None:
    Run.start(tmp_path, recipe(data))
    with pytest.raises(InvalidValueError, match="already holds a run: resume it with --resume"):
        Run.start(tmp_path, recipe(data))


def test_a_checkpoint_alone_is_not_written_over(tmp_path: Path, data: str) -> None:
    (tmp_path / CHECKPOINT).touch()
    with pytest.raises(InvalidValueError, match="of its run: move it away"):
        Run.start(tmp_path, recipe(data))


def test_a_file_cannot_be_a_run_folder(tmp_path: Path, data: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidFileError, match="file is a file: give a folder"):
        Run.start(tmp_path / "file", recipe(data))


def test_bad_data_leaves_no_folder_behind(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match="no folder"):
        Run.start(tmp_path / "run", recipe(str(tmp_path / "nowhere")))
    assert not (tmp_path / "run").exists()


def test_there_must_be_a_run_to_resume(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match="there is no run in"):
        Run.resume(tmp_path)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "[" * 100_000, '{"epochs": []}', '{"epochs": 1, "recipe": {}}']
)
def test_a_damaged_history_is_told(tmp_path: Path, data: str, content: str) -> None:
    Run.start(tmp_path, recipe(data))
    (tmp_path / HISTORY).write_text(content)
    with pytest.raises(InvalidFileError, match="is not the history of a run"):
        Run.resume(tmp_path)


def test_an_epoch_that_is_not_complete_is_told(tmp_path: Path, data: str) -> None:
    Run.start(tmp_path, recipe(data))
    content = json.loads((tmp_path / HISTORY).read_text())
    wrong_value = dict.fromkeys(RECORDED, 1) | {"val_accuracy": "x"}
    damaged: list[Any] = [[1], [{"epoch": 1}], [wrong_value], {}, ""]
    for epochs in damaged:
        (tmp_path / HISTORY).write_text(json.dumps(content | {"epochs": epochs}))
        with pytest.raises(InvalidFileError, match="is not the history of a run"):
            Run.resume(tmp_path)


def test_a_checkpoint_cut_short_is_told(tmp_path: Path, data: str) -> None:
    run = Run.start(tmp_path, recipe(data))
    run.checkpoint.write_bytes(run.checkpoint.read_bytes()[:-1])
    with pytest.raises(InvalidFileError, match="cut short"):
        Run.resume(tmp_path)


def test_a_checkpoint_of_another_architecture_is_told(tmp_path: Path, data: str) -> None:
    run = Run.start(tmp_path, recipe(data))
    gpucnn.models.lenet().save(run.checkpoint)
    with pytest.raises(InvalidFileError, match="is not of the run that the history"):
        Run.resume(tmp_path)


@pytest.mark.parametrize("changes", [{"seed": 5}, {"optimizer": "sgd"}, {"learning_rate": 0.5}])
def test_a_checkpoint_of_another_run_is_told(
    tmp_path: Path, data: str, changes: dict[str, Any]
) -> None:
    run = Run.start(tmp_path / "run", recipe(data))
    other = Run.start(tmp_path / "other", recipe(data, **changes))
    run.checkpoint.write_bytes(other.checkpoint.read_bytes())
    with pytest.raises(InvalidFileError, match="is not of the run that the history"):
        Run.resume(run.folder)


def test_a_checkpoint_further_than_its_history_is_told(tmp_path: Path, data: str) -> None:
    run = Run.start(tmp_path, recipe(data, epochs=1))
    first = (tmp_path / HISTORY).read_bytes()
    run.train(verbose=0)
    (tmp_path / HISTORY).write_bytes(first)
    with pytest.raises(InvalidFileError, match="is not of the run that the history"):
        Run.resume(tmp_path)

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpucnn
from commands.runs.example_runs import begun, config, files_of, trained
from gpucnn.commands.runs import CHECKPOINT, HISTORY, Run
from gpucnn.errors import GpucnnWarning, InvalidFileError, InvalidValueError, TrainingError
from gpucnn.models.checkpoint import read_checkpoint, write_checkpoint
from gpucnn.models.training import EpochRecord
from small_mnist import write_idx, write_small_mnist


class StoppedError(Exception):
    """A stand-in for anything that ends a run early."""


def train_and_stop_after(run: Run, epochs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    epoch_done = Run._epoch_done

    def save_and_stop(self: Run, record: EpochRecord) -> None:
        epoch_done(self, record)
        if len(self.history.epochs) == epochs:
            raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(Run, "_epoch_done", save_and_stop)
        with run, pytest.raises(StoppedError):
            run.train(verbose=0)


def test_a_run_writes_its_folder(tmp_path: Path, data: str) -> None:
    run = trained(tmp_path / "new" / "run", config(data, seed=4))
    assert files_of(run.folder) == [CHECKPOINT, HISTORY]
    history = json.loads((run.folder / HISTORY).read_text())
    assert (history["seed"], history["device"]) == (4, "cpu")
    assert history["versions"]["gpucnn"] == gpucnn.__version__
    assert history["versions"]["numpy"] == np.__version__
    assert [epoch["epoch"] for epoch in history["epochs"]] == [1, 2, 3]
    measured = {"loss", "accuracy", "val_loss", "val_accuracy", "seconds", "images_per_second"}
    assert measured <= history["epochs"][0].keys()
    assert history["epochs"] == run.history.epochs


def test_a_run_goes_on_for_more_epochs(tmp_path: Path, data: str) -> None:
    first = trained(tmp_path, config(data, epochs=1))
    schedule = first.model.optimizer.learning_rate
    with Run.resume(tmp_path, epochs=3) as longer:
        assert longer.epochs_left == 2
        with pytest.warns(GpucnnWarning, match="ends after 8 steps, and this goes on to step 24"):
            longer.train(verbose=0)
    assert longer.model.optimizer.learning_rate == schedule
    assert [epoch["epoch"] for epoch in longer.history.epochs] == [1, 2, 3]
    with Run.resume(tmp_path) as again:  # the history has the new number
        assert (again.config.epochs, again.config.schedule_epochs) == (3, 1)
        assert again.epochs_left == 0


def test_more_epochs_are_known_before_the_first_of_them(tmp_path: Path, data: str) -> None:
    begun(tmp_path, config(data, epochs=1))
    Run.resume(tmp_path, epochs=2).close()
    assert Run.resume(tmp_path, epochs=1).epochs_left == 2


@pytest.mark.filterwarnings("ignore::gpucnn.errors.GpucnnWarning")
def test_more_epochs_end_in_the_same_bytes_whenever_they_are_asked_for(
    tmp_path: Path, data: str
) -> None:
    trained(tmp_path / "late", config(data, epochs=1))
    begun(tmp_path / "early", config(data, epochs=1))
    for name in ("late", "early"):
        with Run.resume(tmp_path / name, epochs=2) as run:
            run.train(verbose=0)
    early, late = (tmp_path / name / CHECKPOINT for name in ("early", "late"))
    assert early.read_bytes() == late.read_bytes()


def test_a_run_can_be_resumed_before_its_first_epoch(tmp_path: Path, data: str) -> None:
    begun(tmp_path, config(data))
    assert Run.resume(tmp_path).epochs_left == 3


def test_a_run_can_be_resumed_that_was_killed_before_its_first_checkpoint(
    tmp_path: Path, data: str
) -> None:
    run = begun(tmp_path, config(data))
    expected = run.checkpoint.read_bytes()
    run.checkpoint.unlink()
    assert Run.resume(tmp_path).checkpoint.read_bytes() == expected


def test_a_run_is_resumed_from_any_folder(
    tmp_path: Path, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(data).parent)
    begun(tmp_path, config(Path(data).name))
    monkeypatch.chdir(tmp_path)
    assert Run.resume(tmp_path).config.data == data


def test_the_device_that_auto_took_is_kept(tmp_path: Path, data: str) -> None:
    assert Run.start(tmp_path, config(data, device="auto")).config.device == "cpu"


def test_images_that_do_not_fit_leave_no_folder_behind(tmp_path: Path) -> None:
    for part in ("train", "t10k"):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", np.zeros((2, 3, 3), np.uint8))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", np.arange(2, dtype=np.uint8))
    with pytest.raises(InvalidValueError, match="notebook cannot take images of the shape"):
        Run.start(tmp_path / "run", config(str(tmp_path)))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("part", ["train", "t10k"])
def test_labels_that_do_not_fit_leave_no_folder_behind(tmp_path: Path, part: str) -> None:
    folder = write_small_mnist(tmp_path, train=20, test=20)
    write_idx(folder / f"{part}-labels-idx1-ubyte", np.arange(1, 21, dtype=np.uint8))
    with pytest.raises(InvalidValueError, match="has labels up to 20, but 20 images to train on"):
        Run.start(tmp_path / "run", config(str(folder)))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "save", ["gpucnn.commands.runs.run.write_bytes", "gpucnn.models.model.Model.save"]
)
def test_a_run_killed_while_it_writes_is_resumed(
    tmp_path: Path, data: str, save: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def be_killed(*_: object) -> None:
        raise StoppedError

    run = begun(tmp_path, config(data))
    with monkeypatch.context() as patch:
        patch.setattr(save, be_killed)
        with run, pytest.raises(StoppedError):
            run.train(verbose=0)
    assert Run.resume(tmp_path).epochs_left == 3


def test_the_model_is_measured_on_the_test_images(tmp_path: Path, data: str) -> None:
    run = trained(tmp_path, config(data))
    last = run.history.epochs[-1]
    expected = pytest.approx((last["val_loss"], last["val_accuracy"]))
    assert run.model.evaluate(*run.test_data) == expected


@pytest.mark.parametrize("model", ["notebook", "lenet"])
@pytest.mark.parametrize("stop_after", [1, 2])
def test_a_resumed_run_ends_in_the_bytes_of_an_uninterrupted_one(
    tmp_path: Path, data: str, model: str, stop_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained(tmp_path / "whole", config(data, model=model))
    stopped = begun(tmp_path / "stopped", config(data, model=model))
    train_and_stop_after(stopped, stop_after, monkeypatch)
    resumed = Run.resume(stopped.folder)
    assert resumed.epochs_left == 3 - stop_after
    resumed.train(verbose=0)
    assert resumed.checkpoint.read_bytes() == whole.checkpoint.read_bytes()

    def losses(run: Run) -> list[float]:
        return [epoch["loss"] for epoch in run.history.epochs]

    assert losses(resumed) == losses(whole)


def test_an_epoch_that_is_in_the_history_alone_is_done_again(tmp_path: Path, data: str) -> None:
    run = begun(tmp_path, config(data))
    first = run.checkpoint.read_bytes()
    run.train(verbose=0)
    run.checkpoint.write_bytes(first)  # as if it had been killed between the two files
    resumed = Run.resume(tmp_path)
    assert resumed.history.epochs == []
    assert resumed.epochs_left == 3


def test_a_finished_run_has_nothing_left_to_do(tmp_path: Path, data: str) -> None:
    run = trained(tmp_path, config(data, epochs=1))
    before = run.checkpoint.read_bytes()
    again = Run.resume(tmp_path)
    again.train(verbose=0)
    assert again.epochs_left == 0
    assert run.checkpoint.read_bytes() == before


def test_a_run_that_diverges_keeps_its_last_good_checkpoint(tmp_path: Path, data: str) -> None:
    run = begun(tmp_path, config(data, optimizer="sgd", learning_rate=1e30))
    before = run.checkpoint.read_bytes()
    with pytest.raises(TrainingError, match="lower learning rate") as told:
        run.train(verbose=0)
    assert run.checkpoint.read_bytes() == before
    advice = f"begin another run than {tmp_path}, since --resume would end here again"
    assert str(told.value).endswith(advice)


def test_a_run_that_diverges_later_says_what_its_checkpoint_is_worth(
    tmp_path: Path, data: str
) -> None:
    trained(tmp_path, config(data, epochs=1))
    with Run.resume(tmp_path, epochs=2) as run:
        run.model.optimizer.learning_rate = 1e30
        with pytest.raises(TrainingError) as told:
            run.train(verbose=0)
    advice = (
        f"{run.checkpoint} is good, the model after epoch 1, but --resume would end here again: "
        "begin another run"
    )
    assert "in epoch 2: train with a lower learning rate" in str(told.value)
    assert str(told.value).endswith(advice)


def test_a_checkpoint_that_is_not_finite_is_told(tmp_path: Path, data: str) -> None:
    run = begun(tmp_path, config(data))
    arrays, description = read_checkpoint(run.checkpoint)
    arrays["dense.bias"][0] = np.nan
    write_checkpoint(run.checkpoint, arrays, description)
    with pytest.raises(InvalidFileError, match=r"not finite in dense\.bias.*: load another file"):
        Run.resume(tmp_path)


@pytest.mark.parametrize("iterations", [0, 7, 9, 16])
def test_steps_that_do_not_fit_the_epochs_are_told(
    tmp_path: Path, data: str, iterations: int
) -> None:
    run = trained(tmp_path, config(data, epochs=1))  # of 8 steps
    arrays, description = read_checkpoint(run.checkpoint)
    write_checkpoint(run.checkpoint, arrays, description | {"iterations": iterations})
    with pytest.raises(InvalidFileError, match="is not of the run that the history"):
        Run.resume(tmp_path)


def test_bad_data_leaves_no_folder_behind(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match="there is no file or folder"):
        Run.start(tmp_path / "run", config(str(tmp_path / "nowhere")))
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_cut_short_is_told(tmp_path: Path, data: str) -> None:
    run = begun(tmp_path, config(data))
    run.checkpoint.write_bytes(run.checkpoint.read_bytes()[:-1])
    with pytest.raises(InvalidFileError, match="cut short"):
        Run.resume(tmp_path)


def test_a_checkpoint_of_another_architecture_is_told(tmp_path: Path, data: str) -> None:
    run = begun(tmp_path, config(data))
    gpucnn.models.lenet().save(run.checkpoint)
    with pytest.raises(InvalidFileError, match="is not of the run that the history"):
        Run.resume(tmp_path)


@pytest.mark.parametrize("changes", [{"seed": 5}, {"optimizer": "sgd"}, {"learning_rate": 0.5}])
def test_a_checkpoint_of_another_run_is_told(
    tmp_path: Path, data: str, changes: dict[str, Any]
) -> None:
    run = begun(tmp_path / "run", config(data))
    other = begun(tmp_path / "other", config(data, **changes))
    run.checkpoint.write_bytes(other.checkpoint.read_bytes())
    with pytest.raises(InvalidFileError, match="is not of the run that the history"):
        Run.resume(run.folder)


def test_a_checkpoint_further_than_its_history_is_told(tmp_path: Path, data: str) -> None:
    run = begun(tmp_path, config(data, epochs=1))
    first = (tmp_path / HISTORY).read_bytes()
    run.train(verbose=0)
    (tmp_path / HISTORY).write_bytes(first)
    with pytest.raises(InvalidFileError, match="is not of the run that the history"):
        Run.resume(tmp_path)

import csv
from pathlib import Path

from callbacks.made_up import run
from expect import refusal
from gpucnn.callbacks import CSVLogger, LambdaCallback, Logs
from gpucnn.errors import InvalidFileError


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    for append in (False, True, False):
        before = len(path.read_text().splitlines()) if append else 1
        run(CSVLogger(path, append=append), [3, 2])
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == before - 1 + 2
        assert rows[-1] == {"epoch": "1", "loss": "0.5", "val_loss": "2"}


def test_csv_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "no" / "log.csv"
    line = f"the folder of {path} does not exist: make it, or give another file"
    with refusal(line, InvalidFileError):
        CSVLogger(path)


def test_csv_after_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.touch()
    run(CSVLogger(path, append=True), [3])
    assert path.read_text().startswith("epoch,loss,val_loss\n")


def test_csv_with_another_separator(tmp_path: Path) -> None:
    run(CSVLogger(tmp_path / "log.csv", separator=";"), [3])
    assert (tmp_path / "log.csv").read_text() == "epoch;loss;val_loss\n0;0.5;3\n"


def test_csv_has_the_columns_of_the_first_epoch(tmp_path: Path) -> None:
    def change(epoch: int, logs: Logs) -> None:
        if epoch:
            logs["late"] = logs.pop("val_loss")

    path = tmp_path / "log.csv"
    run([LambdaCallback(on_epoch_end=change), CSVLogger(path)], [3, 2])
    assert path.read_text().splitlines() == ["epoch,loss,val_loss", "0,0.5,3", "1,0.5,NA"]

import json
from pathlib import Path
from typing import Any

import pytest

from commands.runs.example_runs import begun, change_history, config
from gpucnn.commands.runs import HISTORY, Run
from gpucnn.commands.runs.history import RECORDED
from gpucnn.errors import GpucnnError, InvalidFileError


def test_there_must_be_a_run_to_resume(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match="there is no run in"):
        Run.resume(tmp_path)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "[" * 100_000, '{"epochs": []}', '{"epochs": 1, "recipe": {}}']
)
def test_a_damaged_history_is_told(tmp_path: Path, data: str, content: str) -> None:
    begun(tmp_path, config(data))
    (tmp_path / HISTORY).write_text(content)
    with pytest.raises(InvalidFileError, match="is not the history of a run"):
        Run.resume(tmp_path)


def test_an_epoch_that_is_not_complete_is_told(tmp_path: Path, data: str) -> None:
    begun(tmp_path, config(data))
    content = json.loads((tmp_path / HISTORY).read_text())
    wrong_value = dict.fromkeys(RECORDED, 1) | {"val_accuracy": "x"}
    damaged: list[Any] = [[1], [{"epoch": 1}], [wrong_value], {}, ""]
    for epochs in damaged:
        (tmp_path / HISTORY).write_text(json.dumps(content | {"epochs": epochs}))
        with pytest.raises(InvalidFileError, match="is not the history of a run"):
            Run.resume(tmp_path)


GOOD = dict.fromkeys(RECORDED, 1)  # valid values


@pytest.mark.parametrize(
    "wrong",
    [
        {"images_per_second": 10**400},
        {"images_per_second": float("inf")},
        {"loss": float("nan")},
        {"val_loss": True},
        {"accuracy": -0.5},
        {"val_accuracy": 1.5},
        {"epoch": True},
        {"epoch": 1.0},
    ],
    ids=lambda wrong: str(wrong)[:30],
)
def test_what_no_epoch_measures_is_told(tmp_path: Path, data: str, wrong: dict[str, Any]) -> None:
    begun(tmp_path, config(data))
    change_history(tmp_path, lambda content: content.update(epochs=[GOOD | wrong]))
    with pytest.raises(InvalidFileError, match=r"\(its epochs are not complete\): begin"):
        Run.resume(tmp_path)


@pytest.mark.parametrize("numbers", [[1, 2, 2], [2, 3], [1, 3], [0, 1]])
def test_epochs_out_of_order_are_told(tmp_path: Path, data: str, numbers: list[int]) -> None:
    begun(tmp_path, config(data))
    epochs = [GOOD | {"epoch": number} for number in numbers]
    change_history(tmp_path, lambda content: content.update(epochs=epochs))
    with pytest.raises(InvalidFileError, match="its epochs are numbered") as told:
        Run.resume(tmp_path)
    assert str(numbers) in str(told.value)


@pytest.mark.parametrize("name", ["data", "device", "model", "unknown"])
@pytest.mark.parametrize(
    "value",
    ["a\0b", "\x1b[2J" * 50_000, "\ud800", "d/" * 3000, 5, [], True],
    ids=["NUL", "escapes", "half a character", "long", "number", "list", "true"],
)
def test_a_config_of_anything_is_told_in_a_short_line(
    tmp_path: Path, data: str, name: str, value: Any
) -> None:
    begun(tmp_path, config(data))
    change_history(tmp_path, lambda content: content["recipe"].update({name: value}))
    with pytest.raises(GpucnnError) as told:
        Run.resume(tmp_path)
    assert str(told.value).isprintable()
    assert len(str(told.value)) < 1000

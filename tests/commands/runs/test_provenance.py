from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands.runs.example_runs import begun, change_history, config
from gpucnn.commands.runs import Run
from gpucnn.errors import GpucnnWarning, InvalidFileError
from small_mnist import write_small_mnist


@pytest.mark.parametrize(
    ("name", "called"),
    [("numpy", "NumPy"), ("blas", "BLAS"), ("processor", "the processor"), ("gpucnn", "gpucnn")],
)
def test_going_on_elsewhere_is_told(tmp_path: Path, data: str, name: str, called: str) -> None:
    begun(tmp_path, config(data))
    change_history(tmp_path, lambda content: content["versions"].update({name: "\x1b[1m 9"}))
    told = (
        r"^the result may differ in its last digits from that of a run that was never stopped: "
        rf"{called} was \\x1b\[1m 9 and is .*$"
    )
    with pytest.warns(GpucnnWarning, match=told):
        Run.resume(tmp_path)


@pytest.mark.parametrize("versions", [{"numpy": np.__version__}, [], None])
def test_a_run_of_old_is_resumed(tmp_path: Path, data: str, versions: Any) -> None:
    begun(tmp_path, config(data))

    def age(content: dict[str, Any]) -> None:
        content["versions"] = versions
        del content["recipe"]["schedule_epochs"]

    change_history(tmp_path, age)
    with pytest.warns(GpucnnWarning, match="BLAS was not recorded and is "):
        assert Run.resume(tmp_path).epochs_left == 3


def test_python_makes_no_difference(tmp_path: Path, data: str) -> None:
    begun(tmp_path, config(data))
    change_history(tmp_path, lambda content: content["versions"].update(python="3.9"))
    Run.resume(tmp_path)  # a warning would be an error


@pytest.mark.parametrize("part", ["train", "t10k"])
@pytest.mark.parametrize("kind", ["images-idx3", "labels-idx1"])
def test_a_run_is_not_resumed_on_other_data(tmp_path: Path, part: str, kind: str) -> None:
    folder = write_small_mnist(tmp_path, train=20, test=10)
    begun(tmp_path / "run", config(str(folder)))
    file = folder / f"{part}-{kind}-ubyte"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(InvalidFileError, match="does not have the images that the run in"):
        Run.resume(tmp_path / "run")

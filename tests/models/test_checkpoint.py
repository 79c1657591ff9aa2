import json
import os
import struct
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from safetensors import safe_open
from safetensors.numpy import save_file

from expect import refusal
from gpucnn.errors import InvalidFileError
from gpucnn.models.checkpoint import read_checkpoint, write_checkpoint

ARRAYS = {
    "kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
    "bias": np.array([0.1, -np.inf]),
}
DESCRIPTION = {"layers": [{"class": "Dense", "units": 3}], "seed": 2**64 - 1, "rate": 0.1}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    write_checkpoint(path, ARRAYS, DESCRIPTION)
    return path


def test_arrays_come_back(file: Path) -> None:
    arrays, _ = read_checkpoint(file)
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert_array_equal(arrays[name], array)


def test_the_description_comes_back(file: Path) -> None:
    assert read_checkpoint(file)[1] == {"version": 1} | DESCRIPTION


def test_paths_may_be_strings(file: Path) -> None:
    assert read_checkpoint(str(file))[1]["rate"] == 0.1


def test_equal_models_give_equal_bytes(file: Path) -> None:
    other = file.with_name("other")
    write_checkpoint(other, dict(reversed(ARRAYS.items())), dict(reversed(DESCRIPTION.items())))
    assert other.read_bytes() == file.read_bytes()


def test_files_can_be_read_by_other_programs(file: Path) -> None:
    with safe_open(file, framework="numpy") as opened:
        assert_array_equal(opened.get_tensor("kernel"), ARRAYS["kernel"])
        assert json.loads(opened.metadata()["gpucnn"])["rate"] == 0.1


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "none.safetensors"
    with refusal(
        f"there is no file {path}: give a file that gpucnn or Keras has saved", InvalidFileError
    ):
        read_checkpoint(path)


def test_a_directory_is_told_with_the_file_in_it(file: Path) -> None:
    with refusal(f"{file.parent} is a directory: give a file, such as {file}", InvalidFileError):
        read_checkpoint(file.parent)


def test_an_empty_directory_is_told(tmp_path: Path) -> None:
    with refusal(
        f"{tmp_path} is a directory: give a file, such as a .safetensors file", InvalidFileError
    ):
        read_checkpoint(tmp_path)


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A file to truncate, and its full content."""
    path = tmp_path_factory.mktemp("cut") / "model.safetensors"
    write_checkpoint(path, ARRAYS, DESCRIPTION)
    return path, path.read_bytes()


@given(part=st.floats(0, 1, exclude_max=True))
def test_a_file_that_is_cut_short_is_told(cut: tuple[Path, bytes], part: float) -> None:
    path, content = cut
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(InvalidFileError, match="is cut short or not a safetensors file"):
        read_checkpoint(path)


@given(content=st.binary(max_size=40))
def test_any_other_file_is_told(cut: tuple[Path, bytes], content: bytes) -> None:
    path, _ = cut
    path.write_bytes(content)
    with pytest.raises(InvalidFileError, match="give another copy, or train again"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.onnx", "is an ONNX file: make a model of it by `gpucnn import`"),
        ("a.npz", "has weights alone: make the model of its layers, and give it to load_weights"),
    ],
)
def test_what_other_files_are_is_told_by_their_names(tmp_path: Path, name: str, line: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(InvalidFileError, match=line):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"format": "pt"},
        {"gpucnn": "not JSON"},
        {"gpucnn": "[1, 2]"},
        {"gpucnn": "null"},
        {"gpucnn": "{}"},
    ],
)
def test_a_safetensors_file_of_another_program_is_told(
    tmp_path: Path, metadata: dict[str, str] | None
) -> None:
    path = tmp_path / "other.safetensors"
    save_file(ARRAYS, path, metadata)
    with refusal(
        f"{path} is a safetensors file, but not a model of gpucnn: give one saved by gpucnn",
        InvalidFileError,
    ):
        read_checkpoint(path)


def test_a_file_with_numbers_that_numpy_does_not_know_is_told(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    header = json.dumps({"w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(InvalidFileError, match="not a model of gpucnn"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("version", "told"),
    [
        (0, "0"),
        (2, "2"),
        ("1", '"1"'),
        (None, "null"),
        (True, "true"),
        (1.0, "1.0"),
        ("\x1b[31m", r'"\u001b[31m"'),
        ("v" * 200_000, '"' + "v" * 299 + "... (200,002 characters)"),
    ],
)
def test_a_file_of_another_version_is_told(tmp_path: Path, version: Any, told: str) -> None:
    path = tmp_path / "other.safetensors"
    write_checkpoint(path, ARRAYS, {"version": version})
    with refusal(
        f"{path} is a model file of version {told}, but this gpucnn reads version 1: "
        "install the gpucnn that wrote it",
        InvalidFileError,
    ):
        read_checkpoint(path)


@pytest.mark.parametrize("library", ["numpy", "ml_dtypes"])  # the second brings bfloat16
def test_a_model_with_numbers_that_numpy_does_not_know_is_told(
    tmp_path: Path, library: str
) -> None:
    import_module(library)
    path = tmp_path / "other.safetensors"
    metadata = {"gpucnn": json.dumps({"version": 1})}
    array = {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}
    header = json.dumps({"__metadata__": metadata, "w": array}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(InvalidFileError, match="has numbers of a dtype that NumPy has not"):
        read_checkpoint(path)


def test_nothing_but_the_file_is_left(file: Path) -> None:
    assert os.listdir(file.parent) == [file.name]  # noqa: PTH208

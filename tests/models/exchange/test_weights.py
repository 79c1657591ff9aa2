import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import small
from expect import refusal
from gpucnn.errors import InvalidFileError


def test_numpy_reads_the_weights_by_name(tmp_path: Path) -> None:
    model, path = small.model(seed=1), tmp_path / "weights.npz"
    model.save_weights(path)
    with np.load(path) as arrays:
        assert list(arrays) == model.weight_names
        for array, weight in zip(arrays.values(), model.get_weights(), strict=True):
            assert_array_equal(array, weight)
    assert [each.name for each in tmp_path.iterdir()] == ["weights.npz"]


def test_a_model_takes_them_in_any_order(tmp_path: Path) -> None:
    model, other, path = small.model(seed=1), small.model(seed=2), tmp_path / "weights.npz"
    named = dict(zip(model.weight_names, model.get_weights(), strict=True))
    np.savez(path, **dict(reversed(named.items())))  # type: ignore[arg-type]
    other.load_weights(path)
    assert small.weight_bytes(other) == small.weight_bytes(model)


def test_files_that_have_other_arrays(tmp_path: Path) -> None:
    model, path = small.model(), tmp_path / "weights.npz"
    np.savez(path, kernel=np.zeros(3))
    with pytest.raises(InvalidFileError, match="has the weights kernel, but the model has conv2d"):
        model.load_weights(path)


def test_files_of_another_kind(tmp_path: Path) -> None:
    model, path = small.model(), tmp_path / "weights.npz"
    with refusal(f"there is no file {path}: give one of NumPy's .npz", InvalidFileError):
        model.load_weights(path)
    for content in (b"", b"text", b"PK\x03\x04" + bytes(50)):
        path.write_bytes(content)
        with pytest.raises(InvalidFileError, match=r"is not NumPy's \.npz of numbers"):
            model.load_weights(path)
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "array.npy").rename(path)
    with pytest.raises(InvalidFileError, match=r"is not NumPy's \.npz of numbers"):
        model.load_weights(path)


def test_objects_are_not_executed(tmp_path: Path) -> None:
    model, path = small.model(), tmp_path / "weights.npz"
    np.savez(path, **dict.fromkeys(model.weight_names, np.array([print], object)))  # type: ignore[arg-type]
    with pytest.raises(InvalidFileError, match=r"is not NumPy's \.npz of numbers"):
        model.load_weights(path)


@pytest.mark.parametrize("size", [10**12, 10**20])
def test_arrays_that_say_that_they_are_huge_are_refused(tmp_path: Path, size: int) -> None:
    model, path = small.model(), tmp_path / "weights.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("conv2d.kernel.npy", "w") as array:
        header = {"descr": "<f4", "fortran_order": False, "shape": (size,)}
        np.lib.format.write_array_header_1_0(array, header)
    with pytest.raises(InvalidFileError, match=r"is not NumPy's \.npz of numbers"):
        model.load_weights(path)


def test_damaged_files_are_refused_in_a_line(tmp_path: Path) -> None:
    model, path = small.model(), tmp_path / "weights.npz"
    model.save_weights(path)
    content, random = path.read_bytes(), np.random.default_rng(0)
    for _ in range(150):
        spoilt = bytearray(content)
        for place in random.integers(0, len(content), 5):
            spoilt[place] = random.integers(256)
        path.write_bytes(spoilt)
        with suppress(InvalidFileError):  # where it is only of other weights
            model.load_weights(path)

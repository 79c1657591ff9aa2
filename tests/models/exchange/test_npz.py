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
    with refusal(f"there is no file {path}", InvalidFileError):
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

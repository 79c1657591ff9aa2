import gzip
import os
import tracemalloc
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.local_server import Server
from datasets.sample_files import NAMES, idx_bytes, small_set, write_gzip_set, write_set
from gpucnn.datasets import Dataset, load_dataset, load_mnist, mnist
from gpucnn.datasets.parts import Part
from gpucnn.errors import InvalidFileError, InvalidTypeError, InvalidValueError

SMALL = small_set()


@pytest.fixture(scope="module")
def embedded() -> dict[str, NDArray[Any]]:
    return by_name(load_mnist())


def by_name(parts: tuple[Part, Part]) -> dict[str, NDArray[Any]]:
    (x_train, y_train), (x_test, y_test) = parts
    return dict(zip(NAMES, (x_train, y_train, x_test, y_test), strict=True))


def check(parts: tuple[Part, Part], expected: dict[str, NDArray[Any]]) -> None:
    for name, array in by_name(parts).items():
        assert array.dtype == expected[name].dtype
        assert array.flags.c_contiguous
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


def error_of(source: str | os.PathLike[str]) -> str:
    with pytest.raises(InvalidFileError) as caught:
        load_mnist(source)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        (NAMES[0], "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        (NAMES[1], "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        (NAMES[2], "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        (NAMES[3], "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    ],
)
def test_embedded_files_are_mnist(
    embedded: dict[str, NDArray[Any]], name: str, digest: str
) -> None:
    assert sha256(idx_bytes(embedded[name])).hexdigest() == digest


def test_embedded_shapes(embedded: dict[str, NDArray[Any]]) -> None:
    shapes = [embedded[name].shape for name in NAMES]
    assert shapes == [(60000, 28, 28), (60000,), (10000, 28, 28), (10000,)]
    assert all(embedded[name].dtype == np.uint8 for name in NAMES)
    assert all(embedded[name].flags.c_contiguous for name in NAMES)


def test_embedded_labels(embedded: dict[str, NDArray[Any]]) -> None:
    train, test = np.bincount(embedded[NAMES[1]]), np.bincount(embedded[NAMES[3]])
    assert train.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert test.tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_folder_of_plain_files(tmp_path: Path) -> None:
    write_set(tmp_path, small_set())
    check(load_mnist(tmp_path), small_set())
    check(load_mnist(str(tmp_path)), small_set())


def test_folder_of_gzip_files(tmp_path: Path) -> None:
    write_gzip_set(tmp_path, small_set())
    check(load_mnist(tmp_path), small_set())


def test_content_counts_not_the_name(tmp_path: Path) -> None:
    for name, array in small_set().items():
        content = idx_bytes(array)
        if "train" in name:
            (tmp_path / f"{name}.gz").write_bytes(content)
        else:
            (tmp_path / name).write_bytes(gzip.compress(content))
    check(load_mnist(tmp_path), small_set())


def test_relative_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_set(tmp_path, small_set())
    monkeypatch.chdir(tmp_path)
    check(load_mnist("."), small_set())


@pytest.mark.parametrize("source", ["nowhere", "ftp://example.org/mnist"])
def test_missing_folder(source: str) -> None:
    text = error_of(source)
    assert f"there is no file or folder {source}: give a folder of photographs, IDX files" in text
    assert "http://, https://, file://, or one of fashion_mnist, kmnist, emnist, cifar10" in text


def test_file_for_a_folder(tmp_path: Path) -> None:
    write_set(tmp_path, small_set())
    text = error_of(tmp_path / NAMES[0])
    assert f"{tmp_path / NAMES[0]} is a file: give the folder" in text


@pytest.mark.parametrize("name", NAMES)
def test_missing_file(tmp_path: Path, name: str) -> None:
    write_set(tmp_path, small_set())
    (tmp_path / name).unlink()
    assert f"there is no {name}, plain or .gz, in {tmp_path}" in error_of(tmp_path)


def test_directory_for_a_file(tmp_path: Path) -> None:
    write_set(tmp_path, small_set())
    (tmp_path / NAMES[3]).unlink()
    (tmp_path / NAMES[3]).mkdir()
    assert f"{tmp_path / NAMES[3]} is a directory" in error_of(tmp_path)


def test_damaged_file(tmp_path: Path) -> None:
    write_set(tmp_path, small_set())
    path = tmp_path / NAMES[2]
    path.write_bytes(path.read_bytes()[:-1])
    assert f"{path} is cut short" in error_of(tmp_path)


def test_files_of_different_kinds_swapped(tmp_path: Path) -> None:
    write_set(tmp_path, small_set())
    (tmp_path / NAMES[1]).write_bytes((tmp_path / NAMES[0]).read_bytes())
    assert f"{tmp_path / NAMES[1]} starts with the bytes 00 00 08 03" in error_of(tmp_path)


def test_different_numbers_of_images_and_labels(tmp_path: Path) -> None:
    write_set(tmp_path, small_set() | {NAMES[3]: np.array([1, 2, 3], np.uint8)})
    text = error_of(tmp_path)
    assert text.startswith(f"{tmp_path}: ")
    assert f"{NAMES[2]} has 2 images, {NAMES[3]} has 3 labels" in text


@pytest.mark.parametrize("labels", [[1, 26, 13], [255, 0, 62]])
def test_labels_of_any_number_of_classes(tmp_path: Path, labels: list[int]) -> None:
    arrays = small_set() | {NAMES[1]: np.array(labels, np.uint8)}
    write_set(tmp_path, arrays)
    check(load_mnist(tmp_path), arrays)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32"])
def test_labels_of_other_integers(tmp_path: Path, dtype: str) -> None:
    arrays = small_set() | {NAMES[1]: np.array([100, 0, 99], dtype)}
    write_set(tmp_path, arrays)
    check(load_mnist(tmp_path), arrays)


def test_labels_of_qmnist(tmp_path: Path) -> None:
    columns = np.arange(3 * 8, dtype=np.int32).reshape(3, 8)
    write_set(tmp_path, small_set() | {NAMES[1]: columns})
    check(load_mnist(tmp_path), small_set() | {NAMES[1]: columns[:, 0]})


def test_labels_of_another_number_of_columns(tmp_path: Path) -> None:
    write_set(tmp_path, small_set() | {NAMES[1]: np.zeros((3, 7), np.int32)})
    text = error_of(tmp_path)
    assert f"{tmp_path / NAMES[1]} has labels of 7 columns: give one column, or the 8" in text


def test_labels_that_are_no_whole_numbers(tmp_path: Path) -> None:
    write_set(tmp_path, small_set() | {NAMES[1]: np.zeros(3, np.float32)})
    assert f"{tmp_path / NAMES[1]} has labels of float32" in error_of(tmp_path)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floating_point_images_stay_as_they_are(tmp_path: Path, dtype: str) -> None:
    images = {name: (small_set()[name] / 255).astype(dtype) for name in (NAMES[0], NAMES[2])}
    write_set(tmp_path, small_set() | images)
    check(load_mnist(tmp_path), small_set() | images)


@pytest.mark.parametrize("dtype", ["int16", "int32"])
def test_images_of_wide_integers_become_bytes(tmp_path: Path, dtype: str) -> None:
    images = {name: small_set()[name].astype(dtype) for name in (NAMES[0], NAMES[2])}
    write_set(tmp_path, small_set() | images)
    check(load_mnist(tmp_path), small_set())


@pytest.mark.parametrize("pixel", [-1, 256])
def test_images_of_integers_that_are_no_bytes(tmp_path: Path, pixel: int) -> None:
    images = small_set()[NAMES[2]].astype(np.int16)
    images[1, 2, 3] = pixel
    write_set(tmp_path, small_set() | {NAMES[2]: images})
    text = error_of(tmp_path)
    assert f"{tmp_path / NAMES[2]} has pixels of int16 from" in text
    assert str(pixel) in text


def test_images_of_two_types(tmp_path: Path) -> None:
    write_set(tmp_path, small_set() | {NAMES[2]: np.zeros((2, 4, 5), np.float32)})
    text = error_of(tmp_path)
    assert f"{NAMES[0]} has pixels of uint8, {NAMES[2]} of float32" in text


def test_training_and_test_images_of_different_sizes(tmp_path: Path) -> None:
    write_set(tmp_path, small_set() | {NAMES[2]: np.zeros((2, 5, 4), np.uint8)})
    text = error_of(tmp_path)
    assert f"{NAMES[0]} has images of 4 x 5, {NAMES[2]} of 5 x 4" in text


def test_address(server: Server, cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
    check(load_mnist(server.address), small_set())
    assert server.requests == [f"/{name}.gz" for name in NAMES]
    shown = capfd.readouterr()
    assert shown.err.splitlines() == [f"downloading {server.address}{n}.gz" for n in NAMES]
    assert shown.out == ""
    server.shutdown()
    check(load_mnist(server.address), small_set())
    assert capfd.readouterr() == ("", "")


def test_address_without_a_slash_of_a_file_folder(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    write_gzip_set(folder, small_set())
    check(load_mnist(folder.as_uri()), small_set())


def test_files_of_an_address_that_do_not_fit_together(tmp_path: Path, cache: Path) -> None:
    write_gzip_set(tmp_path, small_set() | {NAMES[1]: np.array([1, 2], np.uint8)})
    text = error_of(tmp_path.as_uri())
    assert f"{tmp_path.as_uri()}/ (kept in {cache}" in text
    assert "remove it to download again" in text
    assert f"{NAMES[0]} has 3 images, {NAMES[1]} has 2 labels" in text


def test_address_that_is_not_of_a_folder() -> None:
    with pytest.raises(InvalidValueError, match=r"^https://example.org/\?set=mnist has a \? or #"):
        load_mnist("https://example.org/?set=mnist")


def test_an_empty_source_is_not_the_folder_that_one_is_in() -> None:
    with pytest.raises(InvalidFileError, match=r"^source is empty: give a folder, "):
        load_dataset("")


def test_source_that_is_no_path() -> None:
    with pytest.raises(InvalidTypeError, match=r"^source is 5: give None, a folder or an address"):
        load_mnist(5)  # type: ignore[arg-type]


def as_keras(arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    return dict(zip(("x_train", "y_train", "x_test", "y_test"), arrays.values(), strict=True))


@pytest.mark.parametrize("compressed", [False, True])
def test_keras_file(tmp_path: Path, compressed: bool) -> None:
    write = np.savez_compressed if compressed else np.savez
    write(tmp_path / "mnist.npz", **as_keras(small_set()))
    check(load_mnist(tmp_path / "mnist.npz"), small_set())
    check(load_mnist(tmp_path), small_set())


def test_keras_file_of_an_address(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, **as_keras(small_set()))
    check(load_mnist(path.as_uri()), small_set())
    path.unlink()
    check(load_mnist(path.as_uri()), small_set())


def test_damaged_keras_file_of_an_address_is_not_kept(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "mnist.npz"
    path.write_bytes(b"<html>")
    assert f"{path.as_uri()} is not NumPy's .npz of numbers" in error_of(path.as_uri())
    np.savez(path, **as_keras(small_set()))
    check(load_mnist(path.as_uri()), small_set())


def test_keras_file_of_parts_mixed_up(tmp_path: Path) -> None:
    arrays = as_keras(small_set())
    np.savez(tmp_path / "mnist.npz", **arrays | {"y_test": arrays["y_train"]})
    text = error_of(tmp_path)
    assert text.startswith(f"{tmp_path / 'mnist.npz'}: x_test has 2 images, y_test has 3 labels")
    np.savez(tmp_path / "mnist.npz", **arrays | {"x_test": np.zeros((2, 5, 5), np.uint8)})
    assert "x_train has images of 4 x 5, x_test of 5 x 5" in error_of(tmp_path)


def test_file_of_one_array_for_a_set(tmp_path: Path) -> None:
    np.savez(tmp_path / "kmnist-train-imgs.npz", small_set()[NAMES[0]])
    text = error_of(tmp_path / "kmnist-train-imgs.npz")
    assert "has no array x_train, its arrays are: arr_0; give a file with x_train, y_train" in text


def test_files_as_kmnist_has_them(tmp_path: Path) -> None:
    names = ("train-imgs", "train-labels", "test-imgs", "test-labels")
    for name, array in zip(names, small_set().values(), strict=True):
        np.savez_compressed(tmp_path / f"kmnist-{name}.npz", array)
    check(load_mnist(tmp_path), small_set())


def write_table(path: Path, images: NDArray[Any], labels: NDArray[Any], header: str = "") -> None:
    rows = np.column_stack([labels, images.reshape(len(images), -1)])
    np.savetxt(path, rows, fmt="%d", delimiter=",", header=header, comments="")


@pytest.mark.parametrize("header", ["", "label," + ",".join(map(str, range(16)))])
def test_tables(tmp_path: Path, header: str) -> None:
    arrays = {name: each[..., :4] if each.ndim == 3 else each for name, each in SMALL.items()}
    train_images, train_labels, test_images, test_labels = arrays.values()
    write_table(tmp_path / "mnist_train.csv", train_images, train_labels, header)
    write_table(tmp_path / "mnist_test.csv", test_images, test_labels, header)
    check(load_mnist(tmp_path), arrays)
    assert "train.csv is a file: give the folder" in error_of(tmp_path / "mnist_train.csv")
    write_table(tmp_path / "mnist_test.csv", np.zeros((2, 3, 3), np.uint8), test_labels)
    assert "mnist_train.csv has images of 4 x 4, mnist_test.csv of 3 x 3" in error_of(tmp_path)


def test_emnist_is_upright_by_its_name(tmp_path: Path) -> None:
    for name, array in small_set().items():
        is_images = "images" in name
        stored = array.swapaxes(1, 2) if is_images else array + 1
        (tmp_path / f"emnist-letters-{name.replace('t10k', 'test')}").write_bytes(idx_bytes(stored))
    check(load_mnist(tmp_path), small_set())


def test_files_that_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "mnist.pkl.gz").touch()
    text = error_of(tmp_path / "mnist.pkl.gz")
    assert text.startswith(
        f"{tmp_path / 'mnist.pkl.gz'} is a pickle, which could run anything, and"
    )


def test_source_that_is_neither_file_nor_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "pipe is neither a file nor a folder" in error_of(tmp_path / "pipe")


def test_a_dataset_tells_its_shape_and_its_classes() -> None:
    dataset = load_dataset()
    assert (dataset.image_shape, dataset.classes, dataset.class_names) == ((28, 28, 1), 10, None)
    colour = np.zeros((2, 5, 4, 3), np.uint8), np.array([0, 2])
    assert Dataset(colour, colour).image_shape == (5, 4, 3)
    assert Dataset(colour, (colour[0], colour[1] + 1)).classes == 4
    assert Dataset(colour, colour, ("ant", "bee", "cow", "dog")).classes == 4


@pytest.mark.parametrize("form", ["IDX", "gzip", "npz", "EMNIST", "CSV", "colour"])
def test_memory_is_that_of_what_is_kept(tmp_path: Path, form: str) -> None:
    """But for what is read at a time, and the labels that are kept with the pixels in a table."""
    random = np.random.default_rng(0)
    shape = (1000, 32, 32, 3) if form == "colour" else (4000, 28, 28)
    images, labels = random.integers(0, 9, shape, np.uint8), random.integers(0, 9, shape[0])
    arrays = dict(zip(NAMES, 2 * (images, labels.astype(np.uint8)), strict=True))
    if form in ("npz", "colour"):
        np.savez(tmp_path / "a.npz", **as_keras(arrays))
    elif form == "CSV":
        for name in ("train", "test"):
            write_table(tmp_path / f"{name}.csv", images[:1000], labels[:1000])
    elif form == "EMNIST":
        write_set(tmp_path, {f"emnist-digits-{name}": each for name, each in arrays.items()})
    else:
        (write_gzip_set if form == "gzip" else write_set)(tmp_path, arrays)
    tracemalloc.start()
    (x_train, y_train), (x_test, y_test) = load_mnist(tmp_path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    kept = sum(each.nbytes for each in (x_train, y_train, x_test, y_test))
    assert most < kept + 2.5 * 2**20  # a chunk is 2**20


def test_the_file_that_keras_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As scripts of Keras name it: it is read if it is there, else the embedded files are."""
    monkeypatch.chdir(tmp_path)
    for given in (mnist.load_data("mnist.npz"), mnist.load_data(path="mnist.npz")):
        assert given[1][0].shape == (10_000, 28, 28)
    (x_train, y_train), (x_test, y_test) = mnist.load_data(source=None)
    few: dict[str, Any] = {"x_train": x_train[:3], "y_train": y_train[:3]}
    few |= {"x_test": x_test[:2], "y_test": y_test[:2]}
    np.savez("mnist.npz", **few)
    assert [len(images) for images, _ in mnist.load_data("mnist.npz")] == [3, 2]
    assert mnist.load_data()[1][0].shape == (10_000, 28, 28)
    assert [len(images) for images, _ in mnist.load_data(tmp_path / "mnist.npz")] == [3, 2]
    with pytest.raises(InvalidFileError, match=r"there is no file or folder other\.npz"):
        mnist.load_data("other.npz")

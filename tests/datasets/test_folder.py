from pathlib import Path

import pytest

from datasets.sample_files import NAMES
from gpucnn.datasets.folder import ARRAYS, TABLES, FoundSet, find_set, unread
from gpucnn.datasets.folder import NAMES as LAYOUT
from gpucnn.errors import InvalidFileError

EMNIST = [f"emnist-letters-{part}-{kind}-ubyte" for part, kind in [
    ("train", "images-idx3"), ("train", "labels-idx1"),
    ("test", "images-idx3"), ("test", "labels-idx1"),
]]  # fmt: skip
QMNIST = [f"qmnist-{part}-{kind}.gz" for part, kind in [
    ("train", "images-idx3-ubyte"), ("train", "labels-idx2-int"),
    ("test", "images-idx3-ubyte"), ("test", "labels-idx2-int"),
]]  # fmt: skip

KMNIST = [f"kmnist-{part}-{kind}.npz" for part in ("train", "test") for kind in ("imgs", "labels")]


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def error_of(folder: Path) -> str:
    with pytest.raises(InvalidFileError) as caught:
        find_set(folder)
    return str(caught.value)


@pytest.mark.parametrize(
    "names",
    [
        NAMES,
        [f"{name}.gz" for name in NAMES],
        [name.replace("-idx", ".idx") for name in NAMES],
        [f"{name.replace('-idx', '.idx')}.gz" for name in NAMES],
        [name.replace("-", "_") for name in NAMES],
        [name.upper() for name in NAMES],
        EMNIST,
        QMNIST,
        KMNIST,
    ],
    ids=lambda names: names[0],
)
@pytest.mark.parametrize("inside", [".", "raw", "MNIST/raw", "FashionMNIST/raw"])
def test_finds_the_files_under_each_name(tmp_path: Path, names: list[str], inside: str) -> None:
    folder = touch(tmp_path / inside, *names)
    assert find_set(tmp_path).files == {
        name: folder / given for name, given in zip(NAMES, names, strict=True)
    }


def test_the_plain_file_is_taken(tmp_path: Path) -> None:
    touch(tmp_path, *NAMES, *(f"{name}.gz" for name in NAMES))
    assert [find_set(tmp_path).files[name].name for name in NAMES] == list(NAMES)


def test_a_file_is_taken_before_a_folder_of_its_name(tmp_path: Path) -> None:
    names = [name.replace("-idx", ".idx") for name in NAMES]
    touch(tmp_path, *names)
    for name in NAMES:
        (tmp_path / name).mkdir()
    assert [find_set(tmp_path).files[name].name for name in NAMES] == names


def test_files_of_another_system_beside_them_do_not_matter(tmp_path: Path) -> None:
    touch(tmp_path, *NAMES, *(f"._{name}" for name in NAMES), "README")
    assert [find_set(tmp_path).files[name].name for name in NAMES] == list(NAMES)


@pytest.mark.parametrize(
    ("near", "missing"),
    [
        ("train-image-idx3-ubyte", NAMES[0]),
        ("train-labels-idx1-ubyte (1)", NAMES[1]),
        ("t10k-images.idx3-ubyte.txt", NAMES[2]),
        ("t10k-labels.idx1", NAMES[3]),
    ],
)
def test_an_error_names_the_near_match(tmp_path: Path, near: str, missing: str) -> None:
    touch(tmp_path, near, *(name for name in NAMES if name != missing))
    assert error_of(tmp_path).startswith(
        f"there is no {missing}, plain or .gz, in {tmp_path}, but a {near}, which may be renamed: "
    )


def test_a_near_match_is_not_printed_raw(tmp_path: Path) -> None:
    touch(tmp_path, *NAMES[1:], "train-images-idx3\033-ubyte")
    text = error_of(tmp_path)
    assert r"but a train-images-idx3\x1b-ubyte" in text
    assert text.isprintable()


def test_an_empty_folder(tmp_path: Path) -> None:
    assert error_of(tmp_path) == (
        f"{tmp_path} is empty: "
        "give a folder with the four files of MNIST, or with mnist.npz, or with train.csv and "
        "test.csv, or with CIFAR's or SVHN's files, or with a folder of pictures for each class"
    )


def test_a_folder_of_other_things(tmp_path: Path) -> None:
    touch(tmp_path, "notes\033.txt", ".hidden")
    (tmp_path / "classes").mkdir()
    expected = rf"there are no images in {tmp_path}, but classes/, notes\x1b.txt: give a folder"
    assert error_of(tmp_path).startswith(expected)
    touch(tmp_path, "b", "a")
    assert f"in {tmp_path}, but a, b, classes/, ...: give a folder" in error_of(tmp_path)


def test_several_sets_in_one_folder(tmp_path: Path) -> None:
    touch(tmp_path, *EMNIST, *QMNIST)
    assert "holds several sets of images (emnist-letters, qmnist)" in error_of(tmp_path)


def test_several_folders_of_sets(tmp_path: Path) -> None:
    for name in ("MNIST", "KMNIST"):
        touch(tmp_path / name / "raw", *NAMES)
    text = error_of(tmp_path)
    assert f"{tmp_path} holds several sets of images (KMNIST/raw, MNIST/raw): give the" in text


@pytest.mark.parametrize(
    ("names", "set_name"),
    [
        (EMNIST, "emnist-letters"),
        (KMNIST, "kmnist"),
        (NAMES, ""),
        (("fashion-mnist_train.csv", "fashion-mnist_test.csv"), "fashion-mnist"),
    ],
)
def test_the_name_of_the_set(tmp_path: Path, names: list[str], set_name: str) -> None:
    assert find_set(touch(tmp_path, *names)).name == set_name


@pytest.mark.parametrize("name", ["mnist.npz", "fashion_mnist.npz", "MY.DATA.NPZ"])
@pytest.mark.parametrize("inside", [".", "raw", "MNIST/raw"])
def test_finds_an_archive(tmp_path: Path, name: str, inside: str) -> None:
    folder = touch(tmp_path / inside, name)
    found = find_set(tmp_path)
    assert (found.layout, found.files) == (ARRAYS, {"mnist.npz": folder / name})


@pytest.mark.parametrize("stem", ["", "mnist_", "fashion-mnist_", "emnist-digits-", "Sign_MNIST."])
def test_finds_tables(tmp_path: Path, stem: str) -> None:
    touch(tmp_path, f"{stem}train.csv", f"{stem}test.csv", "sample_submission.csv")
    files = {name: tmp_path / f"{stem}{name}" for name in TABLES}
    assert find_set(tmp_path) == FoundSet(stem.lower()[:-1], TABLES, files)


def test_idx_files_are_taken_before_others(tmp_path: Path) -> None:
    touch(tmp_path, "fashion-mnist_train.csv", "fashion-mnist_test.csv")
    touch(tmp_path, "fashion_mnist.npz")
    assert find_set(tmp_path).layout is ARRAYS
    touch(tmp_path, *NAMES)
    assert find_set(tmp_path).layout is LAYOUT


def test_a_table_without_the_other(tmp_path: Path) -> None:
    touch(tmp_path, "mnist_train.csv", "mnist_tests.csv")
    text = error_of(tmp_path)
    assert text.startswith("there is no test.csv, with or without the name of the set before it, ")
    assert text.endswith(
        "two files; move, for example, the last sixth of the rows of train.csv to test.csv"
    )


def test_several_archives(tmp_path: Path) -> None:
    touch(tmp_path, "mnist.npz", "fashion.npz")
    assert "holds several sets of images (fashion, mnist): move the files" in error_of(tmp_path)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("emnist-digits.mat", "is MATLAB's, of which only SVHN's are read: give the folder of"),
        ("training.pt", "is PyTorch's pickle, which is not read: give the folder of its raw"),
        ("x_train.npy", "is one array alone: put x_train, y_train, x_test and y_test into one"),
        ("train.7z", "is to be unpacked first"),
        ("mnist.pkl.gz", "is a pickle, which could run anything, and is not read: give"),
        ("archive.ZIP", "is to be unpacked first"),
    ],
)
def test_files_that_are_not_read(tmp_path: Path, name: str, advice: str) -> None:
    touch(tmp_path, name)
    assert f"in {tmp_path} that can be read: {name} {advice}" in error_of(tmp_path)
    assert unread(tmp_path / "train-images-idx3-ubyte.gz") is None

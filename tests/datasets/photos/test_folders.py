import os
from collections import Counter
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest

from datasets.photos.example_photos import picture, save, write_classes
from gpucnn.datasets.photos import holds_photos
from gpucnn.datasets.photos.folders import find_photos
from gpucnn.errors import InvalidFileError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def found(folder: Path) -> list[tuple[str, int]]:
    return [(photo.name, photo.label) for photo in find_photos(folder).train]


def test_each_folder_is_a_class(tmp_path: Path) -> None:
    touch(tmp_path, "dog/b.jpg", "dog/a.PNG", "cat/1.jpeg")
    assert find_photos(tmp_path).class_names == ("cat", "dog")
    assert found(tmp_path) == [("cat/1.jpeg", 0), ("dog/a.PNG", 1), ("dog/b.jpg", 1)]


def test_numbers_are_ordered_by_size(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{name}/1.png" for name in ("10", "9", "1", "other", "Ant")))
    assert find_photos(tmp_path).class_names == ("1", "9", "10", "Ant", "other")


def test_pictures_in_folders_of_a_class_belong_to_it(tmp_path: Path) -> None:
    touch(tmp_path, "cat/2020/old/1.png", "cat/2.png", "dog/1.png")
    assert found(tmp_path) == [("cat/2.png", 0), ("cat/2020/old/1.png", 0), ("dog/1.png", 1)]


def test_hidden_files_are_passed_over_and_others_counted(tmp_path: Path) -> None:
    hidden = ".DS_Store", "cat/.DS_Store", "cat/._1.png", ".git/1.png", "__MACOSX/cat/1.png"
    touch(tmp_path, "cat/1.png", "cat/notes.txt", "dog/1.png", "dog/1.heic", "README.txt", *hidden)
    both = find_photos(tmp_path)
    assert both.class_names == ("cat", "dog")
    assert both.others == {".txt": 2, ".heic": 1}


def test_folders_without_pictures_are_told_of(tmp_path: Path) -> None:
    touch(tmp_path, "cat/1.png", "dog/1.png", "notes/1.txt")
    (tmp_path / "empty").mkdir()
    assert find_photos(tmp_path).class_names == ("cat", "dog")
    assert find_photos(tmp_path).empty == ["empty", "notes"]


def test_pictures_to_test_with_that_are_in_no_folders_are_no_class(tmp_path: Path) -> None:
    touch(tmp_path, "train/cat/1.png", "train/dog/1.png", "test/1.png", "test/2.png")
    parts = find_photos(tmp_path)
    assert parts.class_names == ("cat", "dog")
    assert [photo.name for photo in parts.train] == ["train/cat/1.png", "train/dog/1.png"]
    assert parts.test is None
    assert parts.beside == ["test"]


def test_a_folder_to_train_on_may_be_beside_others_without_pictures(tmp_path: Path) -> None:
    touch(tmp_path, "train/cat/1.png", "train/dog/1.png", "annotations/1.xml")
    parts = find_photos(tmp_path)
    assert (parts.class_names, parts.test, parts.beside) == (("cat", "dog"), None, ["annotations"])
    touch(tmp_path, "car/1.png")
    assert find_photos(tmp_path).class_names == ("car", "train")


def test_pictures_to_train_on_that_are_in_no_folders_are_no_class(tmp_path: Path) -> None:
    touch(tmp_path, "train/1.png", "train/2.png", "test/1.png")
    with pytest.raises(InvalidFileError, match="train has 2 pictures, but no folders of them"):
        find_photos(tmp_path)


def test_the_folder_of_a_third_part_is_told_of(tmp_path: Path) -> None:
    touch(
        tmp_path, *(f"{part}/{name}/1.png" for part in ("train", "valid", "test") for name in "ab")
    )
    assert find_photos(tmp_path).beside == ["valid"]


def test_what_is_there_in_place_of_pictures_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "cat/1.heic", "cat/2.heic", "dog/1.heic", "dog/1.txt")
    with pytest.raises(InvalidFileError, match=r"but 3 \.heic, which are not read: give a folder"):
        find_photos(tmp_path)


@pytest.mark.parametrize("test", ["test", "val", "Validation", "testing"])
def test_train_and_test_have_folders_of_their_own(tmp_path: Path, test: str) -> None:
    touch(tmp_path, "train/cat/1.png", "train/dog/1.png", f"{test}/dog/2.png")
    parts = find_photos(tmp_path)
    assert parts.class_names == ("cat", "dog")
    assert [photo.name for photo in parts.train] == ["train/cat/1.png", "train/dog/1.png"]
    assert parts.test is not None
    assert [(photo.name, photo.label) for photo in parts.test] == [(f"{test}/dog/2.png", 1)]


def test_a_folder_for_tests_is_taken_before_one_for_validation(tmp_path: Path) -> None:
    touch(tmp_path, "train/cat/1.png", "val/cat/2.png", "test/cat/3.png")
    parts = find_photos(tmp_path)
    assert parts.test is not None
    assert [photo.name for photo in parts.test] == ["test/cat/3.png"]


def test_train_may_be_a_class(tmp_path: Path) -> None:
    touch(tmp_path, "train/1.png", "car/1.png")
    assert find_photos(tmp_path).class_names == ("car", "train")
    touch(tmp_path, "test/1.png")
    assert find_photos(tmp_path).class_names == ("car", "test", "train")


def test_a_class_that_is_not_trained_on(tmp_path: Path) -> None:
    touch(tmp_path, "train/cat/1.png", "test/cat/1.png", "test/bird/1.png")
    with pytest.raises(InvalidFileError, match=r"test has pictures of bird, .*train has none: "):
        find_photos(tmp_path)


def test_a_folder_that_holds_nothing_but_another(tmp_path: Path) -> None:
    touch(tmp_path, "photos/photos/cat/1.png", "photos/photos/dog/1.png", "photos/README.md")
    assert find_photos(tmp_path).class_names == ("cat", "dog")
    assert holds_photos(tmp_path)


def test_a_single_class(tmp_path: Path) -> None:
    touch(tmp_path, "cat/1.png")
    assert find_photos(tmp_path).class_names == ("cat",)


def test_letters_of_macos_are_those_of_others(tmp_path: Path) -> None:
    touch(tmp_path, normalize("NFD", "caf\xe9/\xe9.png"), "tea/1.png")
    assert find_photos(tmp_path).class_names == ("caf\xe9", "tea")
    assert found(tmp_path)[0] == ("caf\xe9/\xe9.png", 0)


def test_links(tmp_path: Path) -> None:
    write_classes(tmp_path / "elsewhere", ["cat"], 1)
    touch(tmp_path, "set/dog/1.png")
    (tmp_path / "set" / "cat").symlink_to(tmp_path / "elsewhere" / "cat")
    (tmp_path / "set" / "dog" / "loop").symlink_to(tmp_path / "set")
    assert found(tmp_path / "set") == [("cat/0.png", 0), ("dog/1.png", 1)]


def test_pipes_and_broken_links_are_no_pictures(tmp_path: Path) -> None:
    touch(tmp_path, "cat/1.png", "dog/1.png")
    os.mkfifo(tmp_path / "cat" / "2.png")
    (tmp_path / "dog" / "2.png").symlink_to(tmp_path / "nowhere")
    assert found(tmp_path) == [("cat/1.png", 0), ("dog/1.png", 1)]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "there are no pictures in the folders of .*: give a folder with one for each class"),
        (["cat/1.txt"], "there are no pictures in the folders of "),
        (["1.png", "2.jpg"], "has 2 pictures, but no folders of them: move those of each class"),
        (["1.png"], "has 1 picture, but no folders of them"),
        (["ca\nt/1.png", "dog/1.png"], "unprintable characters in its name: rename it"),
        (["\udcff/1.png", "dog/1.png"], "unprintable characters in its name: rename it"),
    ],
)
def test_what_is_no_folder_of_photographs(tmp_path: Path, names: list[str], message: str) -> None:
    touch(tmp_path, *names)
    with pytest.raises(InvalidFileError, match=message) as caught:
        find_photos(tmp_path)
    assert str(caught.value).isprintable()


def test_no_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", save(picture(), tmp_path / "1.png")):
        with pytest.raises(InvalidFileError, match=f"there is no folder {path}: give one with a"):
            find_photos(path)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["cat/1.png"], True),
        (["train/cat/1.png", "test/cat/2.png"], True),
        (["1.png"], False),
        (["cat/1.txt", "a/b/c/1.png"], False),
        ([".git/1.png"], False),
        ([], False),
    ],
)
def test_a_folder_is_known_by_its_pictures(
    tmp_path: Path, names: list[str], expected: bool
) -> None:
    touch(tmp_path, *names)
    assert holds_photos(tmp_path) is expected


def test_the_folder_of_each_class_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To tell that there are photographs, the first one is enough."""
    touch(tmp_path, "cat/1.png", "cat/2.png", "dog/1.png", "eel/1.png")
    read: Counter[str] = Counter()
    scandir = os.scandir

    def counting(folder: str | Path) -> Any:
        read[Path(folder).name] += 1
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", counting)
    assert holds_photos(tmp_path)
    assert read["cat"] + read["dog"] + read["eel"] == 1
    read.clear()
    find_photos(tmp_path)
    assert {name: read[name] for name in ("cat", "dog", "eel")} == {"cat": 1, "dog": 1, "eel": 1}


def test_folders_that_are_links_within_those_of_classes_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "set/cat/1.png", "set/dog/2.png", "other/3.png")
    (tmp_path / "set/cat/more").symlink_to(tmp_path / "other")
    (tmp_path / "set/eel").symlink_to(tmp_path / "other")
    photos = find_photos(tmp_path / "set").train
    assert [each.name for each in photos] == ["cat/1.png", "dog/2.png", "eel/3.png"]

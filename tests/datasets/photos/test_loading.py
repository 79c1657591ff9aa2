import sys
import tracemalloc
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

from datasets.photos.example_photos import colours, picture, save, write_classes
from expect import refusal
from gpucnn import load_images
from gpucnn.datasets import load_dataset, load_mnist
from gpucnn.datasets.photos import loading
from gpucnn.errors import GpucnnWarning, InvalidFileError, InvalidTypeError, MissingExtraError

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_classes(tmp_path / "photos", ["cat", "dog", "emu"], 10)


def test_a_folder_becomes_arrays(folder: Path) -> None:
    loaded = load_images(folder, verbose=False)
    (x, y), (x_test, y_test) = loaded.train, loaded.test
    assert loaded.class_names == ("cat", "dog", "emu")
    assert (x.shape, x_test.shape) == ((24, 6, 4, 3), (6, 6, 4, 3))
    assert x.dtype == np.uint8
    assert y.dtype == np.int64
    assert (loaded.image_shape, loaded.classes) == ((6, 4, 3), 3)
    assert np.bincount(y_test).tolist() == [2, 2, 2]
    both = [*colours(x), *colours(x_test)]
    assert sorted(both) == [(40 * k, 10 * n, 100) for k in range(3) for n in range(10)]
    assert [red // 40 for red, _, _ in both] == [*y, *y_test]


def test_classes_are_mixed(folder: Path) -> None:
    y = load_images(folder, verbose=False).train[1]
    assert (np.diff(y) != 0).sum() > 8


def test_it_is_the_same_each_time_and_another_for_another_seed(folder: Path) -> None:
    first, again, other = (load_images(folder, seed=s, verbose=False) for s in (0, 0, 1))
    assert (first.train[0] == again.train[0]).all()
    assert sorted(colours(first.test[0])) != sorted(colours(other.test[0]))


def test_a_dataset_may_be_such_a_folder(folder: Path) -> None:
    expected = load_images(folder, verbose=False)
    assert (load_dataset(folder).train[0] == expected.train[0]).all()
    assert (load_mnist(folder)[1][1] == expected.test[1]).all()
    of = {"image_size": 3, "color_mode": "grayscale", "validation_split": 0.5}
    other = load_dataset(folder, **of)  # type: ignore[arg-type]
    assert (other.image_shape, len(other.test[0])) == ((3, 3, 1), 15)


def test_folders_of_their_own(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", ["cat", "dog"], 3)
    write_classes(tmp_path / "test", ["cat", "dog"], 2)
    loaded = load_images(tmp_path, verbose=False)
    assert (len(loaded.train[0]), len(loaded.test[0])) == (6, 4)


def test_all_may_be_to_test_with(folder: Path) -> None:
    loaded = load_images(folder, validation_split=1, verbose=False)
    assert (len(loaded.train[0]), len(loaded.test[0])) == (0, 30)


# Size and colours


def test_the_size_is_the_median(tmp_path: Path) -> None:
    for number, size in enumerate([(10, 20), (12, 40), (30, 22)]):
        save(picture(size=size), tmp_path / "cat" / f"{number}.png")
    assert load_images(tmp_path, verbose=False).image_shape == (12, 22, 3)


def test_large_pictures_are_scaled_down(tmp_path: Path) -> None:
    write_classes(tmp_path, ["cat", "dog"], 2, (150, 200))
    assert load_images(tmp_path, verbose=False).image_shape == (48, 64, 3)
    assert load_images(tmp_path, image_size=(90, 70), verbose=False).image_shape == (90, 70, 3)
    assert load_images(tmp_path, image_size=90, verbose=False).image_shape == (90, 90, 3)


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "RGBA"])
def test_grey_is_known_whatever_the_files_are(mode: str, tmp_path: Path) -> None:
    for number in range(10):
        image = picture((10 * number,) * 3)
        image = image.quantize(2) if mode == "P" else image.convert(mode)
        save(image, tmp_path / "grey" / f"{number}.png")
    loaded = load_images(tmp_path, verbose=False)
    assert (loaded.train[0].shape, loaded.test[0].shape) == ((8, 6, 4), (2, 6, 4))
    assert loaded.train[0].flags.c_contiguous
    both = np.concatenate([loaded.train[0], loaded.test[0]])[:, 0, 0]
    assert sorted(both) == [10 * number for number in range(10)]
    in_colour = load_images(tmp_path, color_mode="rgb", verbose=False)
    assert (in_colour.train[0] == loaded.train[0][..., None]).all()


def test_colour_may_be_left_out(folder: Path) -> None:
    x, _ = load_images(folder, color_mode="grayscale", verbose=False).train
    assert x.shape == (24, 6, 4)


def test_one_in_colour_makes_all(tmp_path: Path) -> None:
    for number in range(5):
        save(picture((7, 7, 7)).convert("L"), tmp_path / "grey" / f"{number}.png")
    save(picture((7, 7, 8)), tmp_path / "colour" / "1.png")
    assert load_images(tmp_path, verbose=False).image_shape == (6, 4, 3)


# What is in words


def test_what_was_found_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load_images(folder)
    assert capsys.readouterr().out == (
        f"{folder}: 30 pictures of 3 classes (cat, dog, emu), read as 6 x 4 pixels in colour; "
        "20% of each class, chosen by file names, are kept for testing\n"
    )
    load_images(folder, verbose=False)
    assert capsys.readouterr().out == ""


def test_what_is_left_out_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "notes").mkdir()
    for name in ("cat/1.heic", "cat/2.heic", "notes/all.txt"):
        (folder / name).touch()
    load_images(folder, color_mode="grayscale", validation_split=0)
    assert capsys.readouterr().out.endswith(
        "in grey; none is kept for testing; 3 other files are left out (.heic, .txt); "
        "folders without pictures are left out: notes\n"
    )


def test_many_classes_are_not_all_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_classes(tmp_path, [str(each) for each in range(12)], 1)
    load_images(tmp_path)
    assert "12 classes (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...), read" in capsys.readouterr().out


def test_a_bar_is_shown_on_a_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with patch("rich.progress.track", side_effect=lambda each, *_, **__: each) as track:
        load_images(folder)
        assert track.call_args.args[1] == "reading pictures"
        assert track.call_args.kwargs["total"] == 30
        load_images(folder, seed=1, verbose=False)
        assert track.call_count == 1


def test_where_there_is_no_bar_many_are_told_of_before_they_are_read(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "MANY", 29)
    load_images(folder)
    assert capsys.readouterr().out.startswith("reading pictures: 30\n")
    load_images(folder)  # from the cache
    assert "reading" not in capsys.readouterr().out


# Pictures that cannot be read


def test_what_cannot_be_read_is_left_out(folder: Path) -> None:
    (folder / "cat" / "3.png").write_bytes(b"no picture")
    (folder / "dog" / "3.png").write_bytes(b"nor this")
    text = r"^2 pictures cannot be read, and are left out: (cat|dog)/3.png is not a picture such as"
    with pytest.warns(GpucnnWarning, match=text + " PNG or JPEG, and 1 more$"):
        loaded = load_images(folder, verbose=False)
    assert len(loaded.train[0]) + len(loaded.test[0]) == 28
    assert (40 * np.concatenate([loaded.train[1], loaded.test[1]])).tolist() == [
        red for red, _, _ in [*colours(loaded.train[0]), *colours(loaded.test[0])]
    ]
    with pytest.warns(GpucnnWarning, match="^2 pictures cannot be read, and are left out$"):
        load_images(folder, verbose=False)  # from the cache


def test_a_file_that_cannot_be_opened_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def refuse(path: Path, *arguments: Any) -> Any:
        if path.name == "3.png" and path.parent.name == "cat":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments)

    monkeypatch.setattr(Path, "open", refuse)
    text = r"^1 picture cannot be read, and is left out: cat/3.png cannot be read \(Permission den"
    with pytest.warns(GpucnnWarning, match=text):
        load_images(folder, verbose=False)


def test_a_class_of_which_nothing_can_be_read(folder: Path) -> None:
    for each in (folder / "dog").iterdir():
        each.write_bytes(b"no picture")
    with (
        pytest.warns(GpucnnWarning, match="10 pictures cannot be read"),
        pytest.raises(InvalidFileError, match=r"^none of the pictures of dog in .* can be read: "),
    ):
        load_images(folder, verbose=False)


def test_a_picture_of_too_many_pixels_is_left_out(folder: Path) -> None:
    save(Image.new("1", (30_000, 3_000)), folder / "cat" / "huge.png")
    with pytest.warns(GpucnnWarning, match="1 picture cannot be read, .*huge.png has too many pix"):
        load_images(folder, verbose=False)


# The cache, and memory


def test_pictures_are_decoded_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded() -> Any:
        return load_images(folder, verbose=False)

    first = loaded()
    with patch.object(loading, "photo_in", side_effect=AssertionError):
        again = loaded()
    assert (again.train[0] == first.train[0]).all()
    save(picture((250, 250, 250)), folder / "cat" / "0.png")
    changed = loaded()
    assert (250, 250, 250) in [*colours(changed.train[0]), *colours(changed.test[0])]


def test_memory_is_bounded_by_what_is_kept(tmp_path: Path) -> None:
    """Ten times as many pictures take only the memory of their images more."""
    peaks, kept = [], []
    for count in (20, 200):
        folder = write_classes(tmp_path / str(count), ["cat", "dog"], count, (400, 400))
        tracemalloc.start()
        loaded = load_images(folder, image_size=32, verbose=False)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        kept.append(loaded.train[0].nbytes + loaded.test[0].nbytes)
    assert peaks[1] - peaks[0] < 2 * (kept[1] - kept[0]) + 500_000  # and the names of files


# Refusals


def test_arguments(folder: Path) -> None:
    with refusal("directory is 5: give the path of a folder", InvalidTypeError):
        load_images(5)  # type: ignore[arg-type]
    with refusal("color_mode is 'rgba': choose one of auto, grayscale, rgb"):
        load_images(folder, color_mode="rgba")
    with refusal("validation_split is 1.5: it must be at least 0 and below 1"):
        load_images(folder, validation_split=1.5)
    with refusal("image_size is 0: it must be a whole number of at least 1, or a pair of them"):
        load_images(folder, image_size=0)


def test_without_pillow(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    text = "reading pictures needs Pillow, which is not installed: pip install 'gpucnn[images]'"
    with refusal(text, MissingExtraError):
        load_images(folder)

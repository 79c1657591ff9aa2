import struct
import subprocess
import sys
import threading
import warnings
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from PIL import Image

import pictures
from expect import refusal
from gpucnn.datasets.digits.digits import read_digit
from gpucnn.errors import InvalidFileError, MissingExtraError
from small_mnist import small_mnist

Pixels = NDArray[np.uint8]
ORIENTATION, SOFTWARE = 0x0112, 0x0131  # tags in EXIF
NOTHING = "give an image of one, clearly darker or lighter than the paper around it"


@pytest.fixture(scope="module")
def digits() -> Pixels:
    _, (images, _) = small_mnist(train=0, test=20)
    return images


@pytest.fixture(scope="module")
def drawing(digits: Pixels) -> Pixels:
    """The first digit, a 7, as large light ink on black."""
    return enlarged(digits[0])


def enlarged(digit: Pixels) -> Pixels:
    """The digit at four times its size, towards the lower left of 200x200 black pixels."""
    large = Image.fromarray(digit).resize((112, 112), Image.Resampling.BICUBIC)
    canvas = Image.new("L", (200, 200))
    canvas.paste(large, (10, 70))
    return np.asarray(canvas)


def read(image: Image.Image, path: Path, **options: Any) -> Pixels:
    """The image, written to a file and read back."""
    image.save(path, **options)
    return read_digit(path)


def likeness(one: Pixels, other: Pixels) -> float:
    """The correlation of two images, one of them shifted by at most one pixel.

    The centre of mass is moved to the middle by whole pixels, in MNIST too: where it lies halfway
    between two, a trifle decides for one of them.
    """
    moves = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    moved = [np.roll(one, move, (0, 1)).ravel() for move in moves]
    return max(float(np.corrcoef(each, other.ravel())[0, 1]) for each in moved)


# MNIST's preprocessing


@pytest.mark.parametrize("number", range(20))
def test_digits_of_mnist_are_used_as_they_are(digits: Pixels, tmp_path: Path, number: int) -> None:
    assert_array_equal(
        read(Image.fromarray(digits[number]), tmp_path / "digit.png"), digits[number]
    )


@pytest.mark.parametrize("number", range(20))
def test_a_photo_of_a_digit_becomes_the_digit(digits: Pixels, tmp_path: Path, number: int) -> None:
    photo = Image.fromarray(255 - enlarged(digits[number]))
    assert likeness(read(photo, tmp_path / "digit.jpg"), digits[number]) > 0.93


def test_most_photos_of_digits_lie_where_the_digits_lay(digits: Pixels, tmp_path: Path) -> None:
    file = tmp_path / "digit.jpg"
    photos = [read(Image.fromarray(255 - enlarged(digit)), file) for digit in digits]
    pairs = zip(photos, digits, strict=True)
    correlations = [np.corrcoef(photo.ravel(), digit.ravel())[0, 1] for photo, digit in pairs]
    assert np.median(correlations) > 0.95


def test_dark_digits_of_the_right_size_are_turned_light(digits: Pixels, tmp_path: Path) -> None:
    result = read(Image.fromarray(255 - digits[0]), tmp_path / "digit.png")
    assert likeness(result, digits[0]) > 0.95


@pytest.mark.parametrize("shape", [(28, 28), (56, 56), (56, 28), (28, 56), (7, 9)])
@pytest.mark.parametrize(("height", "width"), [(30, 10), (10, 30), (2, 300), (300, 2), (5, 5)])
def test_ink_fills_the_box_and_is_centred(
    tmp_path: Path, shape: tuple[int, int], height: int, width: int
) -> None:
    block = np.pad(np.full((height, width), 255, np.uint8), ((40, 3), (9, 70)))
    Image.fromarray(block).save(tmp_path / "block.png")
    result = read_digit(tmp_path / "block.png", shape)
    box = [round(20 / 28 * length) for length in shape]
    scale = min(box[0] / height, box[1] / width)
    expected = [max(1, round(scale * height)), max(1, round(scale * width))]
    assert result.dtype == np.uint8
    assert result.shape == shape
    assert [len(np.unique(places)) for places in result.nonzero()] == expected
    for places, length in zip(result.nonzero(), shape, strict=True):
        assert abs(np.mean(places) - length // 2) <= 0.5


def test_the_centre_is_that_of_mass(tmp_path: Path) -> None:
    heavy_at_the_top = np.zeros((60, 60), np.uint8)
    heavy_at_the_top[20:30, 10:40] = heavy_at_the_top[20:50, 20:30] = 255
    result = read(Image.fromarray(heavy_at_the_top), tmp_path / "t.png")
    assert abs(np.average(np.arange(28), weights=result.sum(axis=1)) - 14) <= 0.5
    assert (result.nonzero()[0].min(), result.nonzero()[0].max()) == (7, 26)


def test_ink_heavy_at_one_end_stays_within_the_image(tmp_path: Path) -> None:
    heavy_at_the_end = np.zeros((60, 260), np.uint8)
    heavy_at_the_end[27:33, 20:240] = heavy_at_the_end[20:40, 230:240] = 255
    result = read(Image.fromarray(heavy_at_the_end), tmp_path / "t.png")
    assert len(np.unique(result.nonzero()[1])) == 20


def test_thin_strokes_become_as_bright_as_mnists(tmp_path: Path) -> None:
    lines = np.full((500, 300), 255, np.uint8)
    lines[50:450, 150:152] = lines[448:450, 100:200] = 0
    assert read(Image.fromarray(lines), tmp_path / "1.png").max() == 255


# Kinds of ink and paper


def in_colours(ink: str, paper: str) -> Callable[[Pixels], Image.Image]:
    def paint(drawing: Pixels) -> Image.Image:
        size = drawing.shape[::-1]
        mask = Image.fromarray(drawing)
        return Image.composite(Image.new("RGB", size, ink), Image.new("RGB", size, paper), mask)

    return paint


def on_nothing(ink: str, behind: str = "black") -> Callable[[Pixels], Image.Image]:
    """Ink on transparent paper, whose invisible colour is `behind`."""

    def paint(drawing: Pixels) -> Image.Image:
        image = Image.new("RGB", drawing.shape[::-1], behind)
        image.paste(ink, mask=Image.fromarray(np.where(drawing, np.uint8(255), np.uint8(0))))
        image.putalpha(Image.fromarray(drawing))
        return image

    return paint


def faded(drawing: Pixels) -> Image.Image:
    image = on_nothing("black")(drawing)
    image.putalpha(Image.fromarray(drawing // 3))
    return image


def with_round_corners(drawing: Pixels) -> Image.Image:
    visible = np.full(drawing.shape, 255, np.uint8)
    visible[:40, :40] = visible[-40:, -40:] = visible[:40, -40:] = 0
    image = in_colours("black", "white")(drawing)
    image.putalpha(Image.fromarray(visible))
    return image


def on_grey_paper(noise: int, slope: int = 0) -> Callable[[Pixels], Image.Image]:
    """Ink of 40 on paper of 200, with noise and uneven light."""

    def paint(drawing: Pixels) -> Image.Image:
        random = np.random.default_rng(0)
        light = 200 + np.linspace(-slope, slope, drawing.shape[1])
        paper = light + random.integers(-noise, noise + 1, drawing.shape)
        ink = drawing / 255
        return Image.fromarray(np.clip(40 * ink + paper * (1 - ink), 0, 255).astype(np.uint8))

    return paint


PICTURES: dict[str, Callable[[Pixels], Image.Image]] = {
    "black on white": in_colours("black", "white"),
    "white on black": in_colours("white", "black"),
    "blue on white": in_colours("blue", "white"),
    "yellow on white": in_colours("yellow", "white"),
    "blue on black": in_colours("blue", "black"),
    "red on green of the same grey": in_colours("#ff0000", "#008200"),
    "faint": in_colours("#d0d0d0", "white"),
    "two levels": lambda drawing: in_colours("black", "white")(drawing).convert("1"),
    "palette": lambda drawing: in_colours("navy", "white")(drawing).quantize(8),
    "grey": lambda drawing: Image.fromarray(255 - drawing),
    "grey with alpha": lambda drawing: Image.fromarray(255 - drawing).convert("LA"),
    "16 bits": lambda drawing: Image.fromarray((255 - drawing).astype(np.uint16) * 257),
    "black on nothing": on_nothing("black"),
    "black on invisible white": on_nothing("black", behind="white"),
    "white on nothing": on_nothing("white"),
    "white on invisible white": on_nothing("white", behind="white"),
    "red on nothing": on_nothing("red"),
    "yellow on nothing": on_nothing("yellow"),
    "grey on nothing": on_nothing("#808080"),
    "grey with alpha on nothing": lambda drawing: on_nothing("white")(drawing).convert("LA"),
    "pale on nothing": faded,
    "paper with transparent corners": with_round_corners,
    "a noisy photo": on_grey_paper(noise=10),
    "a noisier photo": on_grey_paper(noise=20),
    "an unevenly lit photo": on_grey_paper(noise=5, slope=30),
    "ink up to the border": lambda drawing: Image.fromarray(255 - drawing).crop((35, 98, 95, 182)),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures_of_all_kinds(digits: Pixels, drawing: Pixels, tmp_path: Path, kind: str) -> None:
    picture = PICTURES[kind](drawing)
    assert likeness(read(picture, tmp_path / "digit.png"), digits[0]) > 0.93


def test_bold_ink_on_nothing_up_to_the_border(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (50, 60))
    picture.paste("black", (5, 0, 45, 60))
    assert np.count_nonzero(read(picture, tmp_path / "1.png")) == 20 * 13


def test_noise_of_large_photos_is_averaged(digits: Pixels, drawing: Pixels, tmp_path: Path) -> None:
    large = np.asarray(Image.fromarray(drawing).resize((1600, 1600)))
    photo = on_grey_paper(noise=50)(large)
    assert likeness(read(photo, tmp_path / "digit.jpg"), digits[0]) > 0.93


def test_palettes_with_a_transparent_colour(
    digits: Pixels, drawing: Pixels, tmp_path: Path
) -> None:
    picture = in_colours("black", "white")(drawing).quantize(8)
    paper = picture.getpixel((0, 0))
    result = read(picture, tmp_path / "digit.png", transparency=paper)
    assert likeness(result, digits[0]) > 0.93


def test_jpeg_files_for_printing(digits: Pixels, drawing: Pixels, tmp_path: Path) -> None:
    picture = in_colours("black", "white")(drawing).convert("CMYK")
    assert likeness(read(picture, tmp_path / "digit.jpg"), digits[0]) > 0.93


@pytest.mark.parametrize(
    ("orientation", "undo"),
    [
        (1, None),
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (3, Image.Transpose.ROTATE_180),
        (4, Image.Transpose.FLIP_TOP_BOTTOM),
        (5, Image.Transpose.TRANSPOSE),
        (6, Image.Transpose.ROTATE_90),
        (7, Image.Transpose.TRANSVERSE),
        (8, Image.Transpose.ROTATE_270),
        (9, None),  # there is no such orientation
    ],
)
def test_pictures_are_turned_as_exif_says(
    digits: Pixels,
    drawing: Pixels,
    tmp_path: Path,
    orientation: int,
    undo: Image.Transpose | None,
) -> None:
    picture = Image.fromarray(255 - drawing)
    turned = picture if undo is None else picture.transpose(undo)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    assert likeness(read(turned, tmp_path / "digit.jpg", exif=exif), digits[0]) > 0.93


def test_exif_that_cannot_be_written_back(digits: Pixels, drawing: Pixels, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION], exif[SOFTWARE] = 3, "a program"
    text, fractions = b"\x01\x31\x00\x02", b"\x01\x31\x00\x05"
    odd = exif.tobytes().replace(text, fractions) + bytes(100)
    picture = Image.fromarray(255 - drawing).transpose(Image.Transpose.ROTATE_180)
    assert likeness(read(picture, tmp_path / "digit.jpg", exif=odd), digits[0]) > 0.93


def test_what_pillow_warns_of_is_not_passed_on(
    digits: Pixels, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    exif = Image.Exif()
    exif[SOFTWARE] = "a program"
    cut_short = exif.tobytes()[:-5]
    read(Image.fromarray(digits[0]), tmp_path / "digit.jpg", exif=cut_short)
    assert not recwarn.list


def test_paths_may_be_strings(digits: Pixels, tmp_path: Path) -> None:
    Image.fromarray(digits[0]).save(tmp_path / "digit.png")
    assert_array_equal(read_digit(str(tmp_path / "digit.png")), digits[0])


# Realistic pictures

CROPPED = "cropped to the ink"  # some of these are refused


@pytest.mark.parametrize("kind", [kind for kind in pictures.ONE if kind != CROPPED])
@pytest.mark.parametrize("number", [7, 15])
def test_digits_are_found(digits: Pixels, tmp_path: Path, kind: str, number: int) -> None:
    picture = pictures.make(kind, digits, number)
    assert likeness(read(picture, tmp_path / "digit.jpg"), digits[number]) > 0.85


@pytest.mark.parametrize("kind", [kind for kind in pictures.NONE if "blank" in kind])
def test_blank_pages_are_refused(digits: Pixels, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "blank.jpg"
    pictures.make(kind, digits, 3).save(file)
    with refusal(f"no digit stands out in {file}: {NOTHING}", InvalidFileError):
        read_digit(file)


@pytest.mark.parametrize("kind", [kind for kind in pictures.NONE if "blank" not in kind])
def test_several_digits_are_refused(digits: Pixels, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "digits.png"
    pictures.make(kind, digits, 1).save(file)
    with refusal(f"2 marks in {file} may be digits: give an image of one", InvalidFileError):
        read_digit(file)


def test_a_five_whose_bar_is_apart_is_one_digit(digits: Pixels, tmp_path: Path) -> None:
    apart = pictures.picture(
        pictures.pages(pictures.on_page(pictures.enlarged(digits[8], 240), (450, 600), 100, 100))
    )
    assert likeness(read(apart, tmp_path / "5.png"), digits[8]) > 0.85


# Files that cannot be read


def blank(deviation: float) -> Image.Image:
    noise = np.random.default_rng(0).normal(0, deviation, (420, 560))
    return Image.fromarray((200 + noise).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize(
    "image",
    [
        blank(deviation=0),
        blank(deviation=3),
        blank(deviation=10),
        blank(deviation=20),
        Image.new("RGBA", (50, 50)),
        Image.new("L", (28, 28)),
        Image.new("L", (1, 1), 255),
    ],
    ids=["even", "smooth", "rough", "rougher", "transparent", "28x28", "1x1"],
)
@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_paper_without_ink(image: Image.Image, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"blank.{ending}"
    (image.convert("RGB") if ending == "jpg" else image).save(file)
    with refusal(f"no digit stands out in {file}: {NOTHING}", InvalidFileError):
        read_digit(file)


def test_no_file(tmp_path: Path) -> None:
    file = tmp_path / "digit.png"
    with refusal(f"there is no file {file}: give a PNG or JPEG image", InvalidFileError):
        read_digit(file)


def test_a_directory(tmp_path: Path) -> None:
    with refusal(f"{tmp_path} is a directory: give a PNG or JPEG image", InvalidFileError):
        read_digit(tmp_path)


@pytest.mark.parametrize("content", [b"", b"a seven", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_files_that_only_have_the_name_of_an_image(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "digit.png"
    file.write_bytes(content)
    text = f"{file} is not a PNG or JPEG image: give one, or convert it to one"
    with refusal(text, InvalidFileError):
        read_digit(file)


def test_images_in_other_formats(drawing: Pixels, tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match="is not a PNG or JPEG image"):
        read(Image.fromarray(drawing), tmp_path / "digit.bmp")


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_files_cut_short(drawing: Pixels, tmp_path: Path, ending: str, share: float) -> None:
    file = tmp_path / f"digit.{ending}"
    Image.fromarray(drawing).save(file)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InvalidFileError) as caught:
        read_digit(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_takes_more_memory_than_there_is(
    drawing: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "digit.png"
    Image.fromarray(drawing).save(file)

    def fail(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    with refusal(
        f"{file} takes more memory to decode than there is: give a smaller copy", InvalidFileError
    ):
        read_digit(file)


def test_what_is_said_of_a_file_cut_short(drawing: Pixels, tmp_path: Path) -> None:
    file = tmp_path / "digit.png"
    Image.fromarray(drawing).save(file)
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(
        InvalidFileError, match=r"is cut short or damaged \(.+\): give another copy$"
    ):
        read_digit(file)


@pytest.mark.parametrize("seed", range(5))
def test_damage_is_refused_or_read_past(drawing: Pixels, tmp_path: Path, seed: int) -> None:
    file = tmp_path / "digit.png"
    random = np.random.default_rng(seed)
    Image.fromarray(drawing).save(file)
    content = np.frombuffer(file.read_bytes(), np.uint8)
    for _ in range(30):
        damaged = content.copy()
        damaged[random.integers(len(content), size=2)] = random.integers(256, size=2)
        file.write_bytes(damaged.tobytes())
        with suppress(InvalidFileError):
            assert read_digit(file).shape == (28, 28)


def header_of_png(width: int, height: int) -> bytes:
    """A PNG file whose pixels are missing."""
    size = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(size))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + size + checksum + b"\0\0\0\x64IDAT"


@pytest.mark.parametrize(
    ("width", "height"), [(1, 89_000_000), (65_536, 1), (8001, 8000), (20_000, 20_000)]
)
def test_too_many_pixels_are_refused_before_they_are_decoded(
    tmp_path: Path, width: int, height: int
) -> None:
    file = tmp_path / "digit.png"
    file.write_bytes(header_of_png(width, height))
    text = (
        f"{file} has too many pixels: at most 64,000,000 are read, "
        "and 65,535 a side: give a smaller copy"
    )
    with refusal(text, InvalidFileError):
        read_digit(file)


def test_pillow_does_not_warn_of_fewer_pixels(
    digits: Pixels, drawing: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30_000)
    assert likeness(read(Image.fromarray(drawing), tmp_path / "digit.png"), digits[0]) > 0.93


def test_shapes_that_are_none(tmp_path: Path) -> None:
    with refusal("shape is (28, 0): it must be a whole number of at least 1, or a pair of them"):
        read_digit(tmp_path / "digit.png", (28, 0))


def test_without_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    text = "reading pictures needs Pillow, which is not installed: pip install 'gpucnn[images]'"
    with refusal(text, MissingExtraError):
        read_digit(tmp_path / "digit.png")


def test_pillow_is_imported_when_an_image_is_read() -> None:
    code = "import sys; import gpucnn.datasets.digits.digits; sys.exit('PIL' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_threads_leave_the_filters_of_warnings_as_they_were(
    drawing: Pixels, tmp_path: Path
) -> None:
    file = tmp_path / "digit.png"
    Image.fromarray(drawing).save(file)
    before = list(warnings.filters)

    def read() -> None:
        for _ in range(5):
            read_digit(file)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert warnings.filters == before

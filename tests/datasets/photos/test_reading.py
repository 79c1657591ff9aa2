import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from datasets.photos.example_photos import BLUE, GREEN, RED, picture, save
from expect import refusal
from gpucnn.datasets.photos import photo_in, read_photo
from gpucnn.datasets.photos.reading import Head, formats, read_head
from gpucnn.errors import GpucnnError, InvalidFileError, MissingExtraError

SHAPE = (6, 4, 3)


@pytest.fixture
def noise() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)


def grey(pixels: Any, mode: str | None = None) -> Image.Image:
    image = Image.fromarray(np.array(pixels))
    return image if mode is None else image.convert(mode)


def test_a_picture_of_the_size_is_read_as_it_is(noise: NDArray[np.uint8], tmp_path: Path) -> None:
    file = save(Image.fromarray(noise), tmp_path / "1.png")
    image = read_photo(file, SHAPE)
    assert image.dtype == np.uint8
    assert image.shape == SHAPE
    assert (image == noise).all()


def test_colours_become_grey_by_their_brightness(tmp_path: Path) -> None:
    file = save(picture((255, 0, 0)), tmp_path / "1.png")
    assert (read_photo(file, (6, 4, 1)) == 76).all()  # 0.299 x 255


@pytest.mark.parametrize("name", ["1.jpg", "1.webp", "1.gif", "1.bmp", "1.tif", "1.ppm"])
def test_formats(name: str, tmp_path: Path) -> None:
    image = read_photo(save(picture(GREEN), tmp_path / name), SHAPE)
    assert np.abs(image.astype(int) - GREEN).max() <= 3


def striped(height: int, width: int) -> Image.Image:
    """Red at the left, green in the middle, blue at the right."""
    image = picture(GREEN, (height, width))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, width // 4 - 1, height), RED)
    pen.rectangle((width - width // 4, 0, width, height), BLUE)
    return image


def test_what_lies_beyond_the_aspect_ratio_is_cut_off(tmp_path: Path) -> None:
    file = save(striped(10, 40), tmp_path / "1.png")
    assert (read_photo(file, (5, 10, 3))[:, 1:-1] == GREEN).all()  # its middle half
    whole = read_photo(file, (5, 20, 3))
    assert (whole[:, 0] == RED).all()
    assert (whole[:, -1] == BLUE).all()


def test_smaller_pictures_are_enlarged(tmp_path: Path) -> None:
    image = read_photo(save(striped(2, 8), tmp_path / "1.png"), (4, 16, 3))
    assert image.shape == (4, 16, 3)
    assert (image[:, 0] == RED).all()


@pytest.mark.parametrize("held", [1, 2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("name", ["1.jpg", "1.png", "1.tif"])
def test_pictures_are_turned_upright(held: int, name: str, tmp_path: Path) -> None:
    """As Pillow's own `exif_transpose` does, which is not safe for damaged tags."""
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = held
    image = striped(16, 24)
    ImageDraw.Draw(image).rectangle((0, 0, 24, 7), (250, 250, 250))
    file = save(image, tmp_path / name, exif=exif)
    with Image.open(file) as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
    assert np.abs(read_photo(file, expected.shape).astype(int) - expected).max() <= 1
    with file.open("rb") as head:
        height, width = expected.shape[:2] if name == "1.jpg" else (16, 24)
        if name == "1.tif":  # of which only newer Pillows know the size before they decode it
            assert sorted(read_head(head, name)[:2]) == sorted((height, width))
        else:
            assert read_head(head, name) == Head(height, width, is_grey=False)


def test_a_jpeg_may_be_decoded_at_a_reduced_size(tmp_path: Path) -> None:
    """Which differs little from all of it, and is told from pictures of too many pixels."""
    file = save(striped(800, 1600), tmp_path / "1.jpg", quality=95)
    save(striped(800, 1600), tmp_path / "1.png")
    reduced, whole = (read_photo(file.with_suffix(end), (20, 40, 3)) for end in (".jpg", ".png"))
    assert np.abs(reduced.astype(int) - whole).mean() < 2
    with file.open("rb") as opened:
        assert photo_in(opened, "1.jpg", (20, 40, 3), most_pixels=200 * 100).shape == (20, 40, 3)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("RGBA", (4, 6), (*RED, 0)), (255, 255, 255)),
        (Image.new("RGBA", (4, 6), (0, 0, 0, 128)), (127, 127, 127)),
        (Image.new("LA", (4, 6), (10, 0)), (255, 255, 255)),
        (picture(GREEN).quantize(2), GREEN),
        (grey(np.full((6, 4), 200, np.uint8)), (200, 200, 200)),
        (grey(np.full((6, 4), 200 * 256, np.uint16)), (200, 200, 200)),
        (grey(np.full((6, 4), 255, np.uint8), "1"), (255, 255, 255)),
    ],
)
def test_modes(image: Image.Image, expected: tuple[int, ...], tmp_path: Path) -> None:
    file = save(image, tmp_path / "1.png")
    assert np.abs(read_photo(file, SHAPE).astype(int) - expected).max() <= 1
    assert np.abs(read_photo(file, (6, 4, 1)).astype(int) - expected[0]).max() <= 160


def test_a_transparent_colour_of_a_palette_is_white(tmp_path: Path) -> None:
    image = picture(GREEN).quantize(2)
    file = save(image, tmp_path / "1.png", transparency=0)
    assert (read_photo(file, SHAPE) == 255).all()


def test_a_transparent_grey_of_16_bits_is_white(tmp_path: Path) -> None:
    image = grey(np.full((6, 4), 50_000, np.uint16))
    file = save(image, tmp_path / "1.png", transparency=50_000)
    assert (read_photo(file, SHAPE) == 255).all()


@pytest.mark.parametrize("name", ["1.jpg", "1.tif"])
@pytest.mark.parametrize("mode", ["CMYK", "YCbCr"])
def test_colours_of_print_and_of_video(mode: str, name: str, tmp_path: Path) -> None:
    file = save(picture((200, 30, 60)).convert(mode), tmp_path / name)
    assert np.abs(read_photo(file, SHAPE).astype(int) - (200, 30, 60)).max() <= 3


def test_greys_beyond_8_bits_of_a_pgm(tmp_path: Path) -> None:
    """Whose head tells the greatest, here of 10 bits."""
    file = tmp_path / "1.pgm"
    file.write_bytes(b"P5 4 6 1023\n" + np.full((6, 4), 800, ">u2").tobytes())
    assert (read_photo(file, SHAPE) == 200).all()  # 800 / 1023 x 65535, without the low byte


def write_tiff(file: Path, pixels: NDArray[Any], bits: int, numbers: int, white_is_0: bool) -> None:
    """Grey, in the numbers of an array, 4 columns wide; its head tells what they are."""
    data, rows = pixels.tobytes(), 6
    tags = {256: 4, 257: rows, 258: bits, 259: 1, 262: int(not white_is_0), 273: 0, 277: 1}
    tags |= {278: rows, 279: len(data), 339: numbers}
    tags[273] = 8 + 2 + 12 * len(tags) + 4
    entries = (struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + b"".join(entries) + bytes(4)
    file.write_bytes(head + data)


@pytest.mark.parametrize(("white_is_0", "expected"), [(False, 200), (True, 55)])
def test_greys_of_16_bits_of_a_tiff(white_is_0: bool, expected: int, tmp_path: Path) -> None:
    file, pixels = tmp_path / "1.tif", np.full((6, 4), 200 * 256, "<u2")
    write_tiff(file, pixels, 16, 1, white_is_0)
    assert (read_photo(file, SHAPE) == expected).all()


def test_grey_is_known_by_the_head(tmp_path: Path) -> None:
    for image, is_grey in ((grey(np.zeros((6, 4), np.uint8)), True), (picture(), False)):
        with save(image, tmp_path / "1.png").open("rb") as file:
            assert read_head(file, "1.png") == Head(6, 4, is_grey)


def test_the_first_picture_of_several_is_read(tmp_path: Path) -> None:
    others = [picture(GREEN), picture(BLUE)]
    file = save(picture(RED), tmp_path / "1.gif", save_all=True, append_images=others)
    assert (read_photo(file, SHAPE) == RED).all()


def test_large_pictures_are_decoded_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpucnn.datasets.photos.reading.LARGE", 23)
    entered = []

    class Watched:
        def __enter__(self) -> None:
            entered.append(True)

        def __exit__(self, *_: object) -> None:
            pass

    for size in ((6, 4), (5, 4)):
        with save(picture(size=size), tmp_path / "1.png").open("rb") as file:
            photo_in(file, "1.png", SHAPE, alone=Watched())
    assert entered == [True]
    with save(picture(), tmp_path / "1.png").open("rb") as file:
        assert photo_in(file, "1.png", SHAPE, alone=Lock()).shape == SHAPE


# Refusals


def test_what_is_no_picture(tmp_path: Path) -> None:
    file = tmp_path / "1.png"
    with refusal(f"{file} is not there: give a picture such as PNG or JPEG", InvalidFileError):
        read_photo(file, SHAPE)
    with refusal(
        f"{tmp_path} is a directory: give a picture such as PNG or JPEG", InvalidFileError
    ):
        read_photo(tmp_path, SHAPE)
    file.write_text("<svg/>")
    text = "is not a picture such as PNG or JPEG: give one, or convert it to one"
    with refusal(f"{file} {text}", InvalidFileError):
        read_photo(file, SHAPE)


@pytest.mark.parametrize(
    ("dtype", "bits", "numbers", "pixels"),
    [
        ("<i4", 32, 2, "of 32 bits, with signs"),
        ("<u4", 32, 1, "of 32 bits"),
        ("<i2", 16, 2, "of 16 bits, with signs"),
        ("<u2", 12, 1, "of 12 bits"),
        ("<f4", 32, 3, "that are floating-point numbers"),
    ],
)
def test_pixels_of_no_known_range(
    dtype: str, bits: int, numbers: int, pixels: str, tmp_path: Path
) -> None:
    file = tmp_path / "1.tif"
    write_tiff(file, np.ones((6, 4), dtype), bits, numbers, white_is_0=False)
    for shape in (SHAPE, (6, 4, 1)):
        with refusal(
            f"{file} has pixels {pixels}: give a copy with 8 or 16 bits a channel, in grey or RGB",
            InvalidFileError,
        ):
            read_photo(file, shape)


def test_pixels_that_pillow_does_not_convert(tmp_path: Path) -> None:
    file = save(Image.new("LAB", (4, 6)), tmp_path / "1.tif")
    with pytest.raises(InvalidFileError, match="has pixels of the kind LAB: give a copy with 8"):
        read_photo(file, SHAPE)


def test_programs_are_not_pictures(tmp_path: Path) -> None:
    """PostScript, which Pillow would run a program for, is none of the formats."""
    file = tmp_path / "1.png"
    picture().save(file, format="EPS")
    with pytest.raises(InvalidFileError, match="is not a picture"):
        read_photo(file, SHAPE)
    assert "EPS" not in formats()


def test_a_picture_cut_short(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    for name in ("1.png", "1.jpg"):
        file = save(Image.fromarray(np.tile(noise, (20, 20, 1))), tmp_path / name)
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        with pytest.raises(InvalidFileError, match="is cut short or damaged"):
            read_photo(file, SHAPE)


def test_too_many_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    file = save(Image.new("1", (30_000, 3_000)), tmp_path / "1.png")
    with pytest.raises(InvalidFileError, match="has too many pixels: at most 64,000,000 are read"):
        read_photo(file, SHAPE)


def test_other_channels(tmp_path: Path) -> None:
    with pytest.raises(GpucnnError, match="takes images of 4 channels: photographs have 1, grey,"):
        read_photo(save(picture(), tmp_path / "1.png"), (6, 4, 4))


def test_without_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    text = "reading pictures needs Pillow, which is not installed: pip install 'gpucnn[images]'"
    with refusal(text, MissingExtraError):
        read_photo(tmp_path / "1.png", SHAPE)


def test_pillow_is_imported_when_a_picture_is_read() -> None:
    code = "import sys; import gpucnn.datasets.photos; sys.exit('PIL' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["1.png", "1.jpg", "1.gif", "1.bmp", "1.tif", "1.webp", "1.ppm"])
def test_damaged_pictures_are_read_or_refused(
    name: str, tmp_path: Path, noise: NDArray[np.uint8]
) -> None:
    whole = save(Image.fromarray(noise), tmp_path / name).read_bytes()
    generator = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(whole)
        for place in generator.integers(0, len(whole), 3):
            damaged[place] = generator.integers(0, 256)
        file = tmp_path / "damaged"
        file.write_bytes(damaged[: generator.integers(len(whole) // 2, len(whole) + 1)])
        with suppress(InvalidFileError):
            assert read_photo(file, SHAPE).shape == SHAPE

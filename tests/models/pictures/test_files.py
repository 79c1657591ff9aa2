from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from expect import refusal
from gpucnn import Dense, Flatten, Model, Sequential, load_mnist
from gpucnn.datasets.photos import read_photo
from gpucnn.errors import InvalidFileError
from gpucnn.models.pictures.files import (
    check_takes_pictures,
    picture_in,
    read_picture,
    takes_photographs,
)
from gpucnn.models.pixels import Pixels


def model(
    shape: tuple[int, ...], names: str | None = None, photographs: bool | None = None
) -> Sequential:
    made = Sequential([Flatten(), Dense(3)], shape, device="cpu")
    made.class_names = names and list(names)
    made.pixels = Pixels("bytes", 0, 255, photographs=photographs)
    return made


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (model((28, 28, 1)), False),
        (model((28, 28, 1), photographs=True), True),
        (model((28, 28, 1), "abc", photographs=True), True),
        (model((28, 28, 1), "abc", photographs=False), False),
        (model((28, 28, 1), "abc"), True),  # as nothing else is known
        (model((32, 32, 3)), True),
        (model((32, 32, 3), "abc", photographs=False), True),
    ],
)
def test_what_pictures_are_to_a_model(made: Sequential, expected: bool) -> None:
    assert takes_photographs(made) is expected


@pytest.mark.parametrize("shape", [(28, 28, 2), (784,)])
def test_models_of_no_pictures(shape: tuple[int, ...]) -> None:
    with refusal(
        f"the model takes inputs of shape {shape}: pictures need (height, width, 1) or "
        "(height, width, 3)"
    ):
        check_takes_pictures(model(shape))
    assert not takes_photographs(model(shape))


def test_each_is_read_as_in_training(tmp_path: Path) -> None:
    digit = load_mnist()[0][0][0]
    Image.fromarray(digit).save(tmp_path / "digit.png")
    handwriting = read_picture(tmp_path / "digit.png", model((28, 28, 1)))
    assert (handwriting[..., 0] == digit).all()
    drawn = Image.fromarray(np.pad(digit, 9))
    drawn.save(tmp_path / "drawn.png")
    photograph = read_picture(tmp_path / "drawn.png", model((28, 28, 1), "abc"))
    assert (photograph == read_photo(tmp_path / "drawn.png", (28, 28, 1))).all()
    body = BytesIO((tmp_path / "drawn.png").read_bytes())
    again = picture_in(body, "it", (28, 28, 1), is_photograph=True)
    assert (again == photograph).all()


def test_files_that_are_not_there(tmp_path: Path) -> None:
    made = model((28, 28, 3))
    file = tmp_path / "a.png"
    with refusal(f"there is no file {file}: give a PNG or JPEG image", InvalidFileError):
        read_picture(file, made)
    with refusal(f"{tmp_path} is a directory: give a PNG or JPEG image", InvalidFileError):
        read_picture(tmp_path, made)


def trained(images: NDArray[Any], names: list[str] | None = None) -> Sequential:
    made = Sequential([Flatten(), Dense(10)], device="cpu")
    made.class_names = names
    made.fit(images, np.arange(len(images)) % 10, verbose=0)
    return made


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("inverted", [False, True])
def test_what_grey_images_are_is_seen_in_training(dtype: type, inverted: bool) -> None:
    """By their ground, whatever the names of the classes."""
    digits = load_mnist()[0][0][:40]
    digits = (255 - digits if inverted else digits).astype(dtype)
    digits = digits if dtype is np.uint8 else digits / 255
    for names in (None, list("abcdefghij")):
        assert not takes_photographs(trained(digits, names))
        noise = np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8)
        assert takes_photographs(trained(noise, names))


def test_files_keep_what_the_pictures_are(tmp_path: Path) -> None:
    made = trained(load_mnist()[0][0][:40], list("abcdefghij"))
    for name in ("model.onnx", "model.keras"):
        made.export(tmp_path / name)
        again = load_model(tmp_path / name)
        assert not takes_photographs(again)
        again.set_encoding(-0.5, 0.5)
        assert not takes_photographs(again)
    made.save(tmp_path / "model.safetensors")
    assert not takes_photographs(load_model(tmp_path / "model.safetensors"))


def load_model(file: Path) -> Model:
    return Sequential.from_onnx(file) if file.suffix == ".onnx" else Sequential.load(file)

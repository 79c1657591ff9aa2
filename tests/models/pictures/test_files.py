from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from expect import refusal
from gpucnn import Dense, Flatten, Sequential, load_mnist
from gpucnn.datasets.photos import read_photo
from gpucnn.errors import InvalidFileError
from gpucnn.models.pictures.files import (
    check_takes_pictures,
    picture_in,
    read_picture,
    takes_photographs,
)
from gpucnn.models.pixels import BUILT_IN, Pixels


def model(shape: tuple[int, ...], names: str | None = None, data: str | None = None) -> Sequential:
    made = Sequential([Flatten(), Dense(3)], shape, device="cpu")
    made.class_names, made.pixels = names and list(names), Pixels("bytes", 0, 255, data)
    return made


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (model((28, 28, 1)), False),
        (model((28, 28, 1), "abc", "/photos"), True),
        (model((28, 28, 1), "abc"), True),
        (model((28, 28, 1), "123", BUILT_IN), False),
        (model((28, 28, 1), "abc", "kmnist"), False),
        (model((32, 32, 3)), True),
        (model((32, 32, 3), "abc", "cifar10"), True),
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

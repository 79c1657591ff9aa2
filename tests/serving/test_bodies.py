import json
import random
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient

from gpucnn import Sequential
from gpucnn.datasets.photos import read_photo
from gpucnn.serving import Limits, create_app
from gpucnn.serving.bodies import JSON, PICTURE, SCAN, image_in
from serving.conftest import Pixels, as_json, as_png

SHAPE = (28, 28, 1)
ALLOWED = "give whole numbers from 0 to 255, of the shape (28, 28, 1) or (28, 28)"
FORM = '{"pixels": [[0, ...], ...]}'


def rows(value: str) -> bytes:
    """An image of one value, as JSON."""
    row = ",".join([value] * 28)
    return f'{{"pixels":[{",".join([f"[{row}]"] * 28)}]}}'.encode()


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        pytest.param(b"", 400, "the body is not JSON (Expecting value", id="empty"),
        pytest.param(b"[" * 50_000, 400, "the body is not JSON (maximum recursion", id="deep"),
        pytest.param(b"\xff\xfe\x00", 400, "the body is not JSON ('utf-16-le'", id="no text"),
        pytest.param(b"[" + b"9" * 5000, 400, "the body is not JSON (Exceeds", id="long number"),
        pytest.param(b" " * 51_201, 413, "the JSON has 51,201 bytes, but an image of", id="large"),
        pytest.param(b"[]", 422, f"the body is a list: send {FORM}, and", id="a list"),
        pytest.param(b"{}", 422, "the body is an object with nothing:", id="no key"),
        pytest.param(b'{"pixels":0,"a\\n":1}', 422, "the body is an object with 'pixels', 'a\\n'",
                     id="other key"),
        pytest.param(b'{"pixels":[[1,2],[3]]}', 422, "pixels are not rows of one", id="ragged"),
        pytest.param(b'{"pixels":[[1,2]]}', 422, "pixels have the shape (1, 2): give", id="small"),
        pytest.param(b'{"pixels":[]}', 422, f"pixels are not whole numbers: {ALLOWED}", id="none"),
        pytest.param(rows("NaN"), 422, "pixels are not whole numbers", id="NaN"),
        pytest.param(rows("0.5"), 422, "pixels are not whole numbers", id="floats"),
        pytest.param(rows('"1"'), 422, "pixels are not whole numbers", id="strings"),
        pytest.param(rows("null"), 422, "pixels are not whole numbers", id="null"),
        pytest.param(rows("true"), 422, "pixels are not whole numbers", id="true"),
        pytest.param(rows("{}"), 422, "pixels are not whole numbers", id="objects"),
        pytest.param(rows("256"), 422, f"pixels are from 256 to 256: {ALLOWED}", id="too light"),
        pytest.param(rows("-1"), 422, f"pixels are from -1 to -1: {ALLOWED}", id="too dark"),
        pytest.param(rows("9" * 40), 422, "pixels are not whole numbers", id="beyond integers"),
    ],
)  # fmt: skip
def test_json_that_is_refused(body: bytes, status: int, text: str, client: TestClient) -> None:
    answer = client.post("/predict", content=body, headers={"Content-Type": JSON})
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error.startswith(text)
    assert error.isprintable()


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"", 400, "the body is empty: send a PNG or JPEG file"),
        (b"GIF89a", 422, "the picture is not a PNG or JPEG image: give one, or convert it to one"),
        (as_png(np.zeros((50, 50), np.uint8)), 422, "no digit stands out in the picture: give an"),
        (as_png(np.eye(9, dtype=np.uint8).repeat(9, 0))[:-30], 422, "the picture is cut short or"),
    ],
    ids=["empty", "of another format", "without a digit", "cut short"],
)
def test_pictures_that_are_refused(body: bytes, status: int, text: str, client: TestClient) -> None:
    answer = client.post("/predict", content=body, headers={"Content-Type": "image/png"})
    assert answer.status_code == status
    assert answer.json()["error"].startswith(text)


def test_several_digits_are_counted(client: TestClient, digits: Pixels) -> None:
    two = np.hstack([digits[0], digits[1]]).repeat(4, 0).repeat(4, 1)
    answer = client.post("/predict", content=as_png(255 - two))
    assert answer.status_code == 422
    assert answer.json()["error"] == "2 marks in the picture may be digits: give an image of one"


def test_a_picture_of_too_many_pixels_is_not_unpacked(model: Sequential) -> None:
    """A small file may be a large picture."""
    file = BytesIO()
    Image.new("1", (6000, 6000)).save(file, "PNG")
    assert len(file.getvalue()) < 10_000
    with TestClient(create_app(model, ["cpu"])) as client:
        answer = client.post("/predict", content=file.getvalue())
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(
        "the picture has too many pixels: at most 25,000,000 are read"
    )


def test_a_picture_of_too_many_scans_is_not_unpacked(digits: Pixels) -> None:
    """A scan of a few bytes takes as long as there are pixels, and 10 MB are 200,000 of them."""
    file = BytesIO()
    Image.fromarray(255 - digits[0]).save(file, "JPEG", progressive=True)
    body = file.getvalue()
    assert image_in(body, PICTURE, SHAPE, Limits()).shape == SHAPE
    last = body[body.rindex(SCAN) : -2]
    with pytest.raises(HTTPException) as caught:
        image_in(body[:-2] + 500 * last + body[-2:], PICTURE, SHAPE, Limits())
    assert caught.value.detail == "the picture has more than 500 scans: save it anew"


def test_other_types_are_refused(client: TestClient) -> None:
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/jsonp"):
        answer = client.post("/predict", content=b"{}", headers={"Content-Type": kind})
        assert answer.status_code == 415
        assert answer.json()["error"].startswith(f"the Content-Type is {kind}: send a PNG or")


def test_a_type_may_have_parameters(client: TestClient, digits: Pixels) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    body = json.dumps(as_json(digits[0])).encode()
    assert client.post("/predict", content=body, headers=headers).json()["class"] == "7"


def test_pictures_are_for_models_of_images_in_grey_or_colour() -> None:
    with pytest.raises(HTTPException) as caught:
        image_in(b"", PICTURE, (8, 8, 2), Limits())
    assert (caught.value.status_code, caught.value.detail.split(":")[0]) == (
        422,
        "the model takes images of the shape (8, 8, 2)",
    )


@pytest.mark.parametrize("shape", [(8, 6, 3), (8, 6, 1)])
def test_photographs_are_read_as_in_training(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    body = (tmp_path / "photo.png").read_bytes()
    found = image_in(body, PICTURE, shape, Limits(), is_photograph=True)
    assert (found == read_photo(tmp_path / "photo.png", shape)).all()
    assert found.shape == shape


def test_colours_are_taken_as_numbers() -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 4, 3), np.uint8)
    found = image_in(json.dumps(as_json(image)).encode(), JSON, image.shape, Limits())
    assert found.dtype == np.uint8
    assert (found == image).all()


@pytest.mark.parametrize("kind", [JSON, PICTURE])
def test_a_body_of_whatever_bytes_is_an_image_or_refused(kind: str, digits: Pixels) -> None:
    """Good ones in which some bytes are others, or missing, or twice."""
    chance = random.Random(0)
    good = json.dumps(as_json(digits[0])).encode() if kind == JSON else as_png(255 - digits[0])
    for _ in range(200):
        body = bytearray(good)
        for _ in range(chance.choice([1, 2, 5, 50])):
            at = chance.randrange(len(body))
            body[at : at + chance.choice([0, 1, 1, 9])] = chance.randbytes(chance.choice([0, 1, 3]))
        with suppress(HTTPException):
            assert image_in(bytes(body), kind, SHAPE, Limits()).shape == SHAPE

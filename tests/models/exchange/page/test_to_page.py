"""The page in one file, opened in a browser."""

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, expect

from browser import ONE, SEVEN, THREE, ZERO, Stroke, draw, opened, pixels_of
from expect import refusal
from gpucnn import (
    Add,
    Concatenate,
    Conv2D,
    Dense,
    Flatten,
    Input,
    Model,
    Sequential,
    load_mnist,
)
from gpucnn.datasets.photos import read_photo
from gpucnn.models.exchange.page.to_page import BROWSER
from pictures import picture, somewhere

MOST_BYTES = 200_000  # of the notebook's network


@pytest.fixture(scope="module")
def file(reader: Sequential, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "digits.html"
    reader.export(path, format="page")
    return path


@pytest.fixture
def page(browser: Browser, file: Path) -> Iterator[Page]:
    with opened(browser, file.as_uri()) as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))  # such as what is blocked
        yield page
        assert said == []


DIGITS: list[tuple[str, Stroke]] = [("0", ZERO), ("1", ONE), ("3", THREE), ("7", SEVEN)]


@pytest.mark.parametrize(("digit", "stroke"), DIGITS)
def test_a_drawn_digit_is_that_digit(page: Page, digit: str, stroke: Stroke) -> None:
    draw(page, stroke)
    expect(page.locator("#said")).to_have_text(digit)


def test_the_bars_are_what_the_model_predicts(page: Page, reader: Sequential) -> None:
    """Of the pixels that the page shows, to the last digit that it writes."""
    draw(page, SEVEN[:4])
    expect(page.locator("#result")).not_to_be_empty()  # all is shown
    (expected,) = reader.predict(pixels_of(page, "#pixels")[None, ..., :1])
    shares = [float(text.split()[0]) for text in page.locator(".share").all_inner_texts()]
    np.testing.assert_allclose(shares, 100 * expected, rtol=0, atol=0.0501)


@pytest.mark.parametrize("number", range(3))
def test_a_photograph_of_a_digit_is_that_digit(page: Page, number: int) -> None:
    """Of dark ink on paper in slanting light, or of light ink on a dark board."""
    images, labels = load_mnist()[0]
    random = np.random.default_rng(number)
    ink = somewhere(images[number], random)
    light = np.linspace(0.6, 1, ink.shape[1])
    grey = 0.9 * light * (1 - 0.8 * ink) if number % 2 else 0.2 + 0.6 * ink
    content = BytesIO()
    picture(255 * np.repeat(grey[..., None], 3, axis=2), 5, random).save(content, "JPEG")
    page.locator("#photograph").set_input_files(
        {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": content.getvalue()}
    )
    expect(page.locator("#said")).to_have_text(str(labels[number]))


def digits(*strokes: Stroke) -> NDArray[np.uint8]:
    """Dark digits on light paper, beside each other."""
    picture = Image.new("L", (100 * len(strokes), 100), 235)
    for i, stroke in enumerate(strokes):
        points = [(100 * i + x, y) for x, y in stroke]
        ImageDraw.Draw(picture).line(points, 40, width=6, joint="curve")
    return np.asarray(picture)


def file_of(grey: NDArray[np.uint8]) -> bytes:
    content = BytesIO()
    Image.fromarray(grey).save(content, "PNG")
    return content.getvalue()


NOISE = np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8)
NO_DIGIT = "no digit stands out in the picture"
NO_PICTURE = "this is not a picture that the browser can read: give a PNG or JPEG file"
REFUSED = {
    "text": (b"no picture", NO_PICTURE),
    "empty": (b"", NO_PICTURE),
    "white": (file_of(np.full((60, 60), 255, np.uint8)), NO_DIGIT),
    "noise": (file_of(NOISE), NO_DIGIT),
    "two": (file_of(digits(THREE, SEVEN)), "2 marks in the picture may be digits"),
    "four": (file_of(digits(SEVEN, THREE, ONE, ZERO)), "4 marks in the picture may be digits"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_picture_without_one_digit_is_told_in_a_line(page: Page, kind: str) -> None:
    content, text = REFUSED[kind]
    file: Any = {"name": "a.png", "mimeType": "image/png", "buffer": content}
    page.locator("#photograph").set_input_files(file)
    expect(page.get_by_role("alert")).to_contain_text(text)
    expect(page.locator("#said")).to_be_empty()
    draw(page, THREE)
    expect(page.locator("#said")).to_have_text("3")
    expect(page.locator("#error")).to_be_empty()


def test_a_model_may_have_any_name_images_and_classes(browser: Browser, tmp_path: Path) -> None:
    layers = [Conv2D(3, 3, padding="same", name="</script>"), Flatten(), Dense(1, "sigmoid")]
    model = Sequential(layers, (6, 9, 3), device="cpu", name="</script><script>alert(1)")
    model.compile(loss="binary_crossentropy")
    model.export(tmp_path / "page.html", format="page")
    with opened(browser, (tmp_path / "page.html").as_uri()) as page:
        draw(page, THREE)
        expect(page.locator("#result")).not_to_be_empty()
        pixels = pixels_of(page, "#pixels")[::3, ::3]  # small ones are shown as nine
        assert pixels.shape == model.input_shape
        (yes,) = model.predict(pixels[None])[0]
        assert page.locator("#said").inner_text() == str(int(yes > 0.5))
        assert page.locator("#maps b").all_inner_texts() == ["</script>"]
        assert page.locator("#name").inner_text() == model.name
        assert page.title() == f"{model.name}: draw, and watch the network"


@pytest.mark.parametrize("channels", [1, 3])
def test_a_photograph_is_read_as_in_training(
    browser: Browser, tmp_path: Path, channels: int
) -> None:
    """To rounding, but where it is cut off: there Pillow's filter takes the pixels beyond too."""
    model = Sequential([Flatten(), Dense(2)], (30, 40, channels), device="cpu")
    model.class_names = names = ("ant", "bee & <b>wasp</b>")
    model.export(tmp_path / "page.html", format="page")
    noise = np.random.default_rng(0).integers(0, 256, (60, 120, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.png")
    expected = read_photo(tmp_path / "photo.png", (30, 40, channels))
    with opened(browser, (tmp_path / "page.html").as_uri()) as page:
        page.locator("#photograph").set_input_files(tmp_path / "photo.png")
        expect(page.locator("#result")).not_to_be_empty()
        found = pixels_of(page, "#pixels")[..., :channels]
        difference = abs(found.astype(int) - expected)
        assert difference[:, 1:-1].max() <= 1
        assert difference.mean() < 0.5
        (said,) = model.classify(expected).predicted
        assert page.locator("#said").inner_text() == names[said]
        draw(page, THREE)
        expect(page.locator("#result")).not_to_be_empty()
        assert pixels_of(page, "#pixels").max() > 0


def test_a_network_that_branches_shows_each_layer(browser: Browser, tmp_path: Path) -> None:
    images = Input((28, 28, 1))
    x = Conv2D(3, 3, padding="same", activation="relu")(images)
    y = Conv2D(3, 3, padding="same")(x)
    y = Concatenate()([images, Add()([x, y])])
    model = Model(images, Dense(10)(Flatten()(y)), device="cpu", seed=1)
    model.export(tmp_path / "page.html")
    with opened(browser, (tmp_path / "page.html").as_uri()) as page:
        draw(page, SEVEN)
        expect(page.locator("#result")).not_to_be_empty()
        pixels = pixels_of(page, "#pixels")[..., :1]
        (expected,) = model.predict(pixels[None])
        shares = [float(text.split()[0]) for text in page.locator(".share").all_inner_texts()]
        np.testing.assert_allclose(shares, 100 * expected, rtol=0, atol=0.0501)
        shown = page.locator("#maps b").all_inner_texts()
        assert shown == ["conv2d", "relu", "conv2d_1", "add", "concatenate"]


# The file


def test_the_notebooks_network_is_a_small_file(file: Path) -> None:
    assert file.stat().st_size < MOST_BYTES


def test_a_file_is_a_page_by_its_name() -> None:
    model = Sequential([Flatten(), Dense(3)], (4, 4, 1), device="cpu")
    with refusal("the file to export to is 'page.htm': give a name that ends in .html"):
        model.export("page.htm", format="page")
    with refusal("format is 'pdf': choose one of onnx, torch, keras, page"):
        model.export("page.pdf", format="pdf")


def test_nothing_that_the_browser_runs_is_of_another_place() -> None:
    """Neither addresses, but that of the namespace of SVG, nor code that is made of text."""
    for file in BROWSER.iterdir():
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|\beval\b|new Function", text), file

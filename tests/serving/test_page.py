"""The page to draw on, in a browser."""

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from browser import SEVEN, THREE, ZERO, Stroke, draw, opened, pixels_of, places
from gpucnn import Conv2D, Dense, Flatten, Sequential
from gpucnn.serving import create_app
from serving.conftest import PHONE, served
from small_mnist import small_mnist

COLOURED = (8, 12, 3)
CLASSES = 20


@pytest.fixture(scope="module")
def address(reader: Sequential) -> Iterator[str]:
    layers = [Conv2D(3, 3), Flatten(), Dense(CLASSES)]
    coloured = Sequential(layers, COLOURED, device="cpu", threads=1)
    with served(create_app({"digits": reader, "coloured": coloured}, ["cpu"])) as address:
        yield address


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with opened(browser, address) as page:
        yield page


def said(page: Page) -> Any:
    return expect(page.locator("#said"))


# Drawing


@pytest.mark.parametrize(("digit", "stroke"), [("3", THREE), ("0", ZERO)])
def test_a_drawn_digit_is_that_digit(page: Page, digit: str, stroke: Stroke) -> None:
    draw(page, stroke)
    said(page).to_have_text(digit)
    expect(page.locator("#bars li.said .name")).to_have_text(digit)
    expect(page.locator("#milliseconds")).to_have_text(re.compile(r"^answered in \d+ ms$"))


def test_a_finger_draws(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(address)
    touch = context.new_cdp_session(page)
    kinds = ["touchStart", *["touchMove"] * (len(SEVEN) - 1)]
    for kind, (x, y) in zip(kinds, places(page, SEVEN), strict=True):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    said(page).to_have_text("7")
    assert page.evaluate("scrollY") == 0  # the finger does not move the page
    context.close()


def test_what_is_drawn_is_undone_and_cleared(page: Page) -> None:
    draw(page, THREE)
    said(page).to_have_text("3")
    draw(page, [(5, 95), (95, 95)])
    said(page).not_to_have_text("3")
    page.get_by_role("button", name="Undo").click()
    said(page).to_have_text("3")
    page.get_by_role("button", name="Clear").click()
    said(page).to_be_empty()
    expect(page.locator("#bars .share").first).to_be_empty()
    expect(page.get_by_text("Draw here")).to_be_visible()


def test_what_it_looks_at_is_shown(page: Page, reader: Sequential) -> None:
    draw(page, THREE)
    expect(page.locator("#result")).to_contain_text("3, ")
    pixels = pixels_of(page, "#pixels")
    assert reader.predict(pixels[None, ..., :1]).argmax() == 3
    assert (pixels[..., 0] != pixels_of(page, "#saliency")[..., 0]).any()
    names = page.locator("#maps b").all_inner_texts()
    assert names == ["conv2d", "relu", "maxpool2d"]
    assert all(
        pixels_of(page, f"#maps figure:nth-child({i}) canvas").max() == 255 for i in (1, 2, 3)
    )


def test_of_what_is_drawn_meanwhile_the_newest_is_asked(page: Page) -> None:
    asked: list[Route] = []

    def hold_the_first(route: Route) -> None:
        asked.append(route)
        if len(asked) > 1:
            route.continue_()

    page.route("**/explain*", hold_the_first)
    draw(page, THREE)
    page.wait_for_timeout(100)
    assert len(asked) == 1
    asked[0].continue_()
    said(page).to_have_text("3")
    expect(page.locator("#result")).to_contain_text("3, ")
    assert len(asked) == 2


def test_two_clients_are_told_of_their_own_drawings(browser: Browser, address: str) -> None:
    with opened(browser, address) as one, opened(browser, address) as other:
        for step in range(0, len(THREE), 4):
            for page, stroke in ((one, THREE), (other, SEVEN)):  # they take turns
                if len(part := stroke[step : step + 5]) > 1:
                    draw(page, part)
        said(one).to_have_text("3")
        said(other).to_have_text("7")


# Photographs


def photograph() -> bytes:
    """A nine, dark on light."""
    (images, labels), _ = small_mnist(20, 0)
    (nine, *_) = images[labels == 9]
    large = Image.fromarray(255 - nine).resize((280, 280), Image.Resampling.BICUBIC)
    content = BytesIO()
    large.save(content, "PNG")
    return content.getvalue()


def choose_file(page: Page, name: str, kind: str, content: bytes) -> None:
    file: Any = {"name": name, "mimeType": kind, "buffer": content}
    page.get_by_label("Photo").set_input_files(file)


def test_a_photograph_is_read(page: Page) -> None:
    choose_file(page, "nine.txt", "text/plain", photograph())  # whatever its name says
    said(page).to_have_text("9")
    assert pixels_of(page, "#paper").any()  # it is shown
    draw(page, THREE)
    said(page).to_have_text("3")


def test_a_photograph_is_dropped_or_pasted(page: Page) -> None:
    code = """([kind, bytes]) => {
        const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(bytes)], "nine.png", { type: "image/png" }));
        const given = kind === "drop" ? { dataTransfer: data } : { clipboardData: data };
        const of = kind === "drop" ? DragEvent : ClipboardEvent;
        document.body.dispatchEvent(new of(kind, { ...given, bubbles: true, cancelable: true }));
    }"""
    for kind in ("drop", "paste"):
        page.evaluate(code, [kind, list(photograph())])
        said(page).to_have_text("9")
        page.get_by_role("button", name="Clear").click()
        said(page).to_be_empty()


# Errors


@pytest.mark.parametrize("content", [b"no picture", b""])
def test_what_is_no_picture_is_told_in_a_line_and_not_sent(page: Page, content: bytes) -> None:
    page.route("**/explain*", lambda route: route.abort())
    choose_file(page, "notes.txt", "text/plain", content)
    expect(page.get_by_role("alert")).to_have_text(
        "this is not a picture that the browser can read: give a PNG or JPEG file"
    )
    page.unroute("**/explain*")
    draw(page, THREE)
    said(page).to_have_text("3")
    expect(page.locator("#error")).to_be_empty()


def test_a_picture_that_the_server_refuses_is_told_in_its_line(page: Page) -> None:
    white = BytesIO()
    Image.new("L", (60, 60), 255).save(white, "PNG")
    choose_file(page, "white.png", "image/png", white.getvalue())
    expect(page.get_by_role("alert")).to_contain_text("no digit stands out")


def test_a_server_that_is_gone_is_told_and_the_page_goes_on(page: Page) -> None:
    page.route("**/explain*", lambda route: route.abort())
    draw(page, THREE)
    expect(page.locator("#error")).to_have_text("the server does not answer: is it running?")
    page.unroute("**/explain*")
    draw(page, [(50, 50), (50, 51)])
    expect(page.locator("#error")).to_be_empty()


# Models


def test_a_model_of_other_images_and_classes_is_drawn_for(page: Page) -> None:
    page.get_by_label("Model").select_option("coloured")
    expect(page.locator("#bars li")).to_have_count(12)  # the most probable
    draw(page, THREE)
    expect(page.locator("#shape")).to_have_text(re.compile("^8 . 12 pixels$"))
    pixels = pixels_of(page, "#pixels")[::2, ::2]  # small ones are shown as four
    assert pixels.shape == COLOURED
    assert (pixels == pixels[..., :1]).all()
    shares = [float(each.split()[0]) for each in page.locator(".share").all_inner_texts()]
    assert shares == sorted(shares, reverse=True)
    box = page.locator("#paper").bounding_box()
    assert box is not None
    assert box["height"] / box["width"] == pytest.approx(8 / 12, abs=0.01)


def test_models_of_the_same_images_are_asked_about_the_same_drawing(
    browser: Browser, reader: Sequential
) -> None:
    other = Sequential([Flatten(), Dense(10)], (28, 28, 1), device="cpu", threads=1)
    app = create_app({"digits": reader, "other": other}, ["cpu"])
    with served(app) as address, opened(browser, address) as page:
        draw(page, THREE)
        said(page).to_have_text("3")
        page.get_by_label("Model").select_option("other")
        expected = other.predict(pixels_of(page, "#pixels")[None, ..., :1]).argmax()
        said(page).to_have_text(str(expected))

"""The page by keys, on a phone, in the dark, and with a screen reader."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from browser import THREE, draw, opened, pixels_of
from gpucnn import Sequential
from gpucnn.serving import create_app
from serving.conftest import PHONE, served

LEAST_CONTRAST = 4.5  # WCAG 2.2, level AA, of text


@pytest.fixture(scope="module")
def address(reader: Sequential) -> Iterator[str]:
    with served(create_app({"one": reader, "other": reader}, ["cpu"])) as address:
        yield address


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with opened(browser, address) as page:
        yield page


def test_a_digit_is_drawn_by_keys(page: Page) -> None:
    paper = page.get_by_role("application", name="Paper to draw on")
    for _ in range(2):  # after the model
        page.keyboard.press("Tab")
    expect(paper).to_be_focused()
    for key in [*["ArrowUp"] * 9, "Space", *["ArrowDown"] * 18, "Space", "ArrowLeft"]:
        page.keyboard.press(key)
    expect(page.locator("#said")).to_have_text("1")
    page.keyboard.press("Control+z")
    expect(page.locator("#said")).to_be_empty()


def test_two_arrow_keys_make_a_diagonal(page: Page) -> None:
    page.locator("#paper").focus()
    page.keyboard.press("Space")
    page.keyboard.down("ArrowUp")
    for _ in range(9):
        page.keyboard.down("ArrowRight")
    expect(page.locator("#result")).not_to_be_empty()
    (rows, columns) = (pixels_of(page, "#pixels")[..., 0].any(axis=axis).sum() for axis in (1, 0))
    assert abs(int(rows) - int(columns)) <= 2  # of 20


def test_a_screen_reader_is_told_once_nothing_changes(page: Page) -> None:
    page.locator("#result").evaluate(
        """(result) => {
            window.told = [];
            const observer = new MutationObserver(() => told.push(result.textContent));
            observer.observe(result, { childList: true });
        }"""
    )
    draw(page, THREE)
    expect(page.get_by_role("status")).to_have_text(re.compile(r"^3, [\d.]+ %; then \d, [\d.]+ %$"))
    assert len(page.evaluate("told")) == 1


def test_controls_have_names_and_show_their_focus(page: Page) -> None:
    for control in ("#paper", "#undo", "#model", "#photograph"):
        page.locator(control).focus()
        page.keyboard.press("Shift")  # so that the browser takes it for one by keys
        outlined = page.locator(f"{control}:focus-visible, :focus-within:has(> {control})").first
        assert outlined.evaluate("(each) => parseFloat(getComputedStyle(each).outlineWidth)") >= 2
    for name in ("Undo", "Clear"):
        expect(page.get_by_role("button", name=name)).to_be_visible()
    for name in ("Model", "Photo"):
        expect(page.get_by_label(name)).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(browser: Browser, address: str, scheme: Any) -> None:
    with opened(browser, address, color_scheme=scheme) as page:
        draw(page, THREE)
        expect(page.locator("#result")).not_to_be_empty()
        page.locator("#error").evaluate("(error) => { error.textContent = 'An error'; }")
        assert page.evaluate(FAINT_TEXTS, LEAST_CONTRAST) == []


FAINT_TEXTS = r"""(least) => {
    const weights = [0.2126, 0.7152, 0.0722];
    const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
    const linear = (x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    const luminance = (colour) =>
        weights.reduce((sum, weight, i) => sum + weight * linear(colour[i] / 255), 0);
    const background = (element) => {
        const colour = numbers(getComputedStyle(element).backgroundColor);
        return colour[3] === 0 ? background(element.parentElement) : colour;
    };
    const hasText = ({ childNodes }) =>
        [...childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    const texts = [...document.querySelectorAll("body *")].filter(hasText);
    return texts.flatMap((each) => {
        const colours = [numbers(getComputedStyle(each).color), background(each)];
        const [darker, lighter] = colours.map(luminance).sort((a, b) => a - b);
        const contrast = (lighter + 0.05) / (darker + 0.05);
        return contrast < least ? [`${each.textContent}: ${contrast}`] : [];
    });
}"""


def test_a_phone_scrolls_up_and_down_alone(browser: Browser, address: str) -> None:
    with opened(browser, address, viewport=PHONE) as page:
        draw(page, THREE)
        expect(page.locator("#said")).to_have_text("3")
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.parametrize("options", [{}, {"viewport": PHONE, "is_mobile": True, "has_touch": True}])
def test_nothing_moves_when_an_answer_comes_or_goes(
    browser: Browser, address: str, options: Any
) -> None:
    with opened(browser, address, **options) as page:
        places = "(all) => all.map((each) => JSON.stringify(each.getBoundingClientRect()))"
        seen = "section, canvas, h1, .choices"
        empty = page.locator(seen).evaluate_all(places)
        draw(page, THREE)
        expect(page.locator("#milliseconds")).not_to_be_empty()
        assert page.locator(seen).evaluate_all(places) == empty
        page.get_by_role("button", name="Clear").click()
        assert page.locator(seen).evaluate_all(places) == empty
        pixels = page.locator("#pixels").bounding_box()
        assert pixels is not None
        assert pixels["width"] == pixels["height"] > 100


def test_a_screen_that_is_touched_tells_of_no_keys(browser: Browser, address: str) -> None:
    with opened(browser, address, viewport=PHONE, is_mobile=True, has_touch=True) as page:
        expect(page.get_by_text("By keys")).to_be_hidden()
        heading, time = (page.locator(each).bounding_box() for each in ("h1", "#milliseconds"))
        assert heading is not None
        assert time is not None
        assert time["y"] < heading["y"] + heading["height"]  # it is on the heading's line

"""Debian's Chromium, driven by Playwright, for tests of what runs in a browser."""

import os
import shutil
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from gpucnn import Sequential, applications
from gpucnn.models.exchange.page.to_page import BROWSER
from small_mnist import small_mnist

CHROMIUM = shutil.which("chromium")
MISSING = "Chromium is not installed: apt-get install chromium"

ARGUMENTS = [
    "--no-sandbox",  # which root has not
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

MODULES = "http://modules.test"
"""Where `modules` has the modules of the page, from no server."""

THREE = [(30, 25), (40, 17), (52, 15), (63, 20), (66, 30), (60, 40), (48, 46)]
THREE += [(60, 50), (69, 60), (68, 73), (58, 83), (44, 85), (32, 78)]
SEVEN = [(28, 18), (72, 18), (62, 38), (52, 60), (46, 86)]
ZERO = [(50, 15), (36, 24), (30, 48), (36, 74), (50, 85), (64, 74), (70, 48), (64, 24), (50, 15)]
ONE = [(52, 14), (50, 50), (48, 86)]
"""Strokes of digits: points (x, y), in percent of the paper."""

Stroke = Sequence[tuple[float, float]]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of a module."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def modules(browser: Browser) -> Iterator[Page]:
    """An empty page in which the modules of the page can be imported."""
    page = browser.new_page()

    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(f"{MODULES}/")
        if name:
            route.fulfill(path=BROWSER / name)
        else:
            route.fulfill(body="", content_type="text/html")

    page.route(f"{MODULES}/*", answer)
    page.goto(f"{MODULES}/")
    yield page
    page.close()


@pytest.fixture(scope="session")
def reader() -> Sequential:
    """A model that reads clearly drawn digits."""
    return _trained()


@cache
def _trained() -> Sequential:
    (x, y), _ = small_mnist(train=12_000, test=0)
    model = applications.notebook(device="cpu", seed=0)
    model.fit(x, y, epochs=2, verbose=0)
    return model


@contextmanager
def opened(browser: Browser, address: str, **options: Any) -> Iterator[Page]:
    """A page at an address, of which nothing may go wrong, and which may ask for nothing else."""
    page = browser.new_page(**options)
    requests: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    expect(page.locator("#bars li, #charts")).not_to_have_count(0)  # its script runs
    yield page
    page.close()
    assert errors == []
    assert [each for each in requests if not each.startswith((address, "data:", "blob:"))] == []


def places(page: Page, stroke: Stroke) -> list[tuple[float, float]]:
    """Where the points of a stroke are in the window."""
    box = page.locator("#paper").bounding_box()
    assert box is not None
    left, top, width, height = box["x"], box["y"], box["width"], box["height"]
    return [(left + x * width / 100, top + y * height / 100) for x, y in stroke]


def draw(page: Page, stroke: Stroke) -> None:
    """Draw on the paper of a page by the mouse."""
    first, *others = places(page, stroke)
    page.mouse.move(*first)
    page.mouse.down()
    for place in others:
        page.mouse.move(*place, steps=2)
    page.mouse.up()


def pixels_of(page: Page, canvas: str) -> NDArray[np.uint8]:
    """The pixels that a canvas shows, (height, width, 3)."""
    url = page.locator(canvas).evaluate("(canvas) => canvas.toDataURL()")
    picture = Image.open(BytesIO(b64decode(url.partition(",")[2])))
    return np.asarray(picture.convert("RGB"))

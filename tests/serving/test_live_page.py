"""The page that follows a training, in a browser."""

from contextlib import ExitStack

from playwright.sync_api import Browser, expect

from browser import opened, pixels_of
from gpucnn import Sequential
from gpucnn.models.exchange.page.to_page import BROWSER
from gpucnn.serving.course import Course, filters_of
from gpucnn.serving.live_app import create_live_app
from serving.conftest import PHONE, served


def test_a_training_is_followed_to_its_end(browser: Browser, reader: Sequential) -> None:
    course = Course(epochs=3, steps=10, earlier=[])
    course.filters = filters_of(reader)
    app = create_live_app(course, BROWSER)
    with served(app) as address, opened(browser, address, viewport=PHONE) as page:
        status = expect(page.get_by_role("status"))
        status.to_have_text("epoch 1 of 3")
        expect(page.locator("#charts")).to_have_text("the first point comes after epoch 1")
        assert pixels_of(page, "#kernels").any()
        for loss, accuracy in ((0.5, 0.8), (0.25, 0.9)):
            course.add({"loss": loss, "accuracy": accuracy, "val_loss": 0.3, "seconds": 1.0})
        status.to_have_text("epoch 3 of 3")
        captions = page.locator("#charts figcaption").all_inner_texts()
        assert [" ".join(each.split()) for each in captions] == [
            "loss 0.2500 in training, 0.3000 in validation",
            "accuracy 90.00 % in training",
        ]
        lines = page.locator("#charts polyline.training").evaluate_all(POINTS)
        assert [len(each) for each in lines] == [2, 2]
        assert lines[0][0][1] < lines[0][1][1]  # the loss falls,
        assert lines[1][0][1] > lines[1][1][1]  # and the accuracy rises
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        course.add({"loss": 0.2, "accuracy": 0.95, "val_loss": 0.3})
        course.is_finished = True
        status.to_have_text("finished after 3 epochs")
        expect(page.locator("#error")).to_be_empty()


POINTS = """(lines) => lines.map((line) =>
    line.getAttribute("points").split(" ").map((point) => point.split(",").map(Number)))"""


def test_a_training_that_is_gone_is_told(browser: Browser) -> None:
    app = create_live_app(Course(epochs=3, steps=10, earlier=[]), BROWSER)
    with ExitStack() as stack:
        server = stack.enter_context(ExitStack())
        page = stack.enter_context(opened(browser, server.enter_context(served(app))))
        expect(page.get_by_role("status")).to_have_text("epoch 1 of 3")
        server.close()
        expect(page.get_by_role("alert")).to_contain_text("The training does not answer")

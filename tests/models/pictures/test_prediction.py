import sys
from typing import Any

import numpy as np
import pytest

import small
from expect import refusal
from gpucnn.models import Prediction
from models.pictures.conftest import Told

X = np.arange(4, dtype=np.float64).reshape(4, 1, 1, 1)


def bars(axes: Any) -> dict[str, float]:
    """The height of each bar by its label."""
    labels = [each.get_text() for each in axes.get_xticklabels()]
    return dict(zip(labels, [each.get_height() for each in axes.patches], strict=True))


def coloured(axes: Any) -> list[int]:
    """The bars in another colour than the rest."""
    colours = [each.get_facecolor() for each in axes.patches]
    return [number for number, each in enumerate(colours) if colours.count(each) == 1]


# What a model says


def test_a_model_says_what_images_are(told: Told) -> None:
    found = told.classify(X)
    assert found.predicted.tolist() == [0, 0, 1, 0]
    np.testing.assert_array_equal(found.probabilities, told.probabilities)
    np.testing.assert_array_equal(found.images, X)
    assert repr(found) == "Prediction(4 images: 0 (80.0%), 0 (60.0%), 1 (70.0%), 0 (90.0%))"


def test_the_probabilities_are_those_of_predict() -> None:
    model, images = small.model(), small.images(3)
    np.testing.assert_allclose(model.classify(images).probabilities, model.predict(images))


def test_a_single_image_needs_no_axis_of_the_batch() -> None:
    model, images = small.model(), small.images(3)
    one = model.classify(images[1])
    assert len(one) == 1
    np.testing.assert_allclose(one.probabilities[0], model.classify(images).probabilities[1])


def test_a_model_of_numbers_has_no_classes_to_tell() -> None:
    model = small.model()
    model.compile(loss="mean_squared_error")
    with refusal(
        "the model does not tell one class of several, so there are none to show: look at what "
        "predict returns"
    ):
        model.classify(small.images(2))


# The picture


def test_images_stand_above_the_bars_of_their_classes(told: Told) -> None:
    figure = told.classify(X).plot()
    above, below = figure.axes[:4], figure.axes[4:]
    assert [len(each.images) for each in above] == [1, 1, 1, 1]
    assert bars(below[0]) == {"0": 0.8, "1": 0.1, "2": 0.1}
    assert [coloured(each) for each in below] == [[0], [0], [1], [0]]
    assert [each.get_title() for each in below] == ["0: 80.0%", "0: 60.0%", "1: 70.0%", "0: 90.0%"]
    assert {each.get_ylim() for each in below} == {(0, 1)}  # of the same scale


def test_of_many_images_the_first_are_shown() -> None:
    found = Prediction(small.images(12), np.eye(3)[small.labels(12)])
    figure = found.plot()
    assert sum(len(each.images) for each in figure.axes) == 10
    assert figure.get_suptitle() == "The first 10 of 12 images"
    assert repr(found).endswith(", 0 (100.0%), ...)")


def test_of_many_classes_the_most_probable_are_shown() -> None:
    probabilities = np.arange(20) / 190
    (_, below) = Prediction(small.images(1), probabilities[None]).plot().axes
    assert list(bars(below)) == [str(each) for each in range(19, 9, -1)]
    assert coloured(below) == [0]


# In Jupyter


def test_jupyter_shows_the_picture(told: Told) -> None:
    page = told.classify(X)._repr_html_()
    assert page.startswith('<svg role="img" aria-label="Prediction(4 images: 0 (80.0%), ')
    assert page.count("<image ") == 4
    assert page.endswith("</svg>\n")


def test_jupyter_shows_a_table_where_nothing_can_be_drawn(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = told.classify(X)._repr_html_()
    assert page.startswith("<table>")
    assert '<td style="text-align:right">2</td><td style="text-align:left">1</td>' in page
    assert "70.0%" in page


def test_of_no_image_nothing_is_drawn() -> None:
    none = Prediction(small.images(0), np.empty((0, 3)))
    assert repr(none) == "Prediction(0 images: )"
    assert "0 images" in none._repr_html_()

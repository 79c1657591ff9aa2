from typing import Any

import numpy as np
import pytest

import small
from gpucnn import Conv2D, Dense, Flatten, ReLU, Sequential, Softmax
from gpucnn.errors import InvalidTypeError, InvalidValueError
from gpucnn.losses import BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy
from gpucnn.models.pictures.classes import Classified, draw_confusion, draw_mistakes
from models.pictures.conftest import Told

X = np.arange(4, dtype=np.float64).reshape(4, 1, 1, 1)
Y = np.array([0, 1, 1, 2])


def cells(figure: Any) -> dict[tuple[float, float], str]:
    """The texts of a matrix by (row, column)."""
    return {
        (y, x): each.get_text() for each in figure.axes[0].texts for x, y in [each.get_position()]
    }


def titles(figure: Any) -> list[str]:
    return [each.get_title() for each in figure.axes if each.get_title()]


# The matrix


def test_a_matrix_has_counts_and_rates_by_true_class(told: Told) -> None:
    figure = told.plot_confusion(X, Y)
    rows = [["1\n100.0%", "0", "0"], ["1\n50.0%", "1\n50.0%", "0"], ["1\n100.0%", "0", "0"]]
    assert cells(figure) == {(y, x): rows[y][x] for y in range(3) for x in range(3)}
    axes, bar = figure.axes
    assert axes.get_title() == "50.00% of 4 images are classified correctly"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    assert bar.get_ylabel() == "share of the images of the true class"
    assert np.asarray(axes.images[0].get_array()).tolist() == [[1, 0, 0], [0.5, 0.5, 0], [1, 0, 0]]
    for axis in (axes.xaxis, axes.yaxis):
        assert [each.get_text() for each in axis.get_ticklabels()] == ["0", "1", "2"]
    assert axes.yaxis_inverted()  # class 0 at the top


def test_the_accuracy_is_that_of_evaluate() -> None:
    images, labels = small.images(50), small.labels(50)
    model = small.model()
    share = f"{model.evaluate(images, labels).accuracy:.2%} of 50 images"
    assert model.plot_confusion(images, labels).axes[0].get_title().startswith(share)


def test_a_class_without_images_has_no_share() -> None:
    figure = draw_confusion(Classified(X, np.eye(2)[[0, 0, 0, 1]], np.zeros(4, np.int64)))
    assert cells(figure) == {(0, 0): "3\n75.0%", (0, 1): "1\n25.0%", (1, 0): "0", (1, 1): "0"}


def test_of_many_classes_no_numbers_are_written() -> None:
    classified = Classified(X, np.eye(40)[Y], Y)
    assert not draw_confusion(classified).axes[0].texts
    assert classified.counts.shape == (40, 40)


def test_labels_are_taken_as_fit_takes_them(told: Told) -> None:
    expected = cells(told.plot_confusion(X, Y))
    told.compile(loss=CategoricalCrossentropy(from_logits=True, label_smoothing=0.1))
    told.probabilities = np.log(told.probabilities)
    assert cells(told.plot_confusion(X, np.eye(3)[Y])) == expected


# Mistakes


def test_mistakes_are_drawn_the_worst_first(told: Told) -> None:
    figure = told.plot_mistakes(X, Y)
    assert titles(figure) == [
        "image 3, loss 3.00\ntrue class 2: 5.0%\npredicted 0: 90.0%",
        "image 1, loss 1.20\ntrue class 1: 30.0%\npredicted 0: 60.0%",
    ]
    assert figure.get_suptitle() == "The 2 mistakes in 4 images (50.00%), highest loss first"


def test_the_worst_of_many_are_drawn_upright_and_in_their_grey() -> None:
    images = small.images(40)
    wrong = Classified(images, np.eye(2)[np.zeros(40, int)], np.ones(40, np.int64))
    figure = draw_mistakes(wrong)
    assert len(titles(figure)) == 20
    assert figure.get_suptitle().startswith("The 20 worst of 40 mistakes in 40 images (100.00%)")
    shown = figure.axes[7].images[0]
    np.testing.assert_allclose(np.asarray(shown.get_array()) * 255, images[7, :, :, 0])
    assert (shown.origin, shown.get_cmap().name, shown.get_clim()) == ("upper", "gray", (0, 1))


def test_colour_images_are_in_colour() -> None:
    images = small.images(1, (4, 6, 3))
    figure = draw_mistakes(Classified(images, np.array([[0.9, 0.1]]), np.array([1])))
    np.testing.assert_allclose(np.asarray(figure.axes[0].images[0].get_array()) * 255, images[0])
    assert figure.get_suptitle() == "The only mistake in 1 images (100.00%), highest loss first"


def test_without_mistakes_that_is_said() -> None:
    figure = draw_mistakes(Classified(X, np.eye(3)[Y], Y))
    assert figure.get_suptitle() == "No mistake in 4 images"


# Probabilities


def logits_model(classes: int) -> Sequential:
    return Sequential([Conv2D(2, 3), ReLU(), Flatten(), Dense(classes)], small.SHAPE)


def test_logits_become_probabilities() -> None:
    images, labels = small.images(30), small.labels(30)
    by_default, of_logits = logits_model(3), logits_model(3)
    of_logits.compile(loss=SparseCategoricalCrossentropy(from_logits=True))
    assert titles(by_default.plot_mistakes(images, labels)) == titles(
        of_logits.plot_mistakes(images, labels)
    )


def test_probabilities_that_softmax_has_made_stay_as_they_are() -> None:
    images, labels = small.images(30), small.labels(30)
    of_logits = logits_model(3)
    of_logits.compile(loss=SparseCategoricalCrossentropy(from_logits=True))
    of_logits.fit(images, labels, verbose=0)
    told = Sequential([of_logits, Softmax()]).plot_mistakes(images, labels)
    assert titles(told) == titles(of_logits.plot_mistakes(images, labels))


def test_of_a_single_output_no_and_yes_are_two_classes() -> None:
    images, labels = small.images(30), small.labels(30, classes=2)
    of_logits = logits_model(1)
    of_logits.compile(loss=BinaryCrossentropy(from_logits=True))
    accuracy = of_logits.evaluate(images, labels).accuracy
    figure = of_logits.plot_confusion(images, labels)
    assert figure.axes[0].get_title().startswith(f"{accuracy:.2%} of 30 images")
    assert len(cells(figure)) == 4
    probabilities = Sequential([Flatten(), Dense(1, activation="sigmoid")], small.SHAPE)
    probabilities.compile(loss="binary_crossentropy")
    accuracy = probabilities.evaluate(images, labels).accuracy
    title = probabilities.plot_confusion(images, labels).axes[0].get_title()
    assert title.startswith(f"{accuracy:.2%} of 30 images")


# Errors


def test_models_that_tell_no_class_get_one_line() -> None:
    model = logits_model(2)
    model.compile(loss="mean_squared_error")
    with pytest.raises(InvalidValueError, match=r"^the model does not tell one class of several"):
        model.plot_confusion(small.images(4), np.zeros((4, 2)))


def test_vectors_have_a_matrix_but_cannot_be_shown() -> None:
    model = Sequential([Dense(3)], (4,))
    x, y = np.zeros((2, 4)), np.array([0, 1])
    assert len(cells(model.plot_confusion(x, y))) == 9
    line = (
        r"^the model takes inputs of the shape \(4,\), which cannot be shown: pictures need images"
    )
    with pytest.raises(InvalidValueError, match=line):
        model.plot_mistakes(x, y)


def test_labels_that_are_no_classes_get_one_line(told: Told) -> None:
    with pytest.raises(InvalidValueError, match="labels"):
        told.plot_mistakes(X, Y + 1)
    with pytest.raises(InvalidTypeError, match="labels"):
        told.plot_confusion(X, np.array(list("abcd")))

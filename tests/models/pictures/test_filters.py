import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import small
from gpucnn import Conv2D, Dense, DepthwiseConv2D, Dropout, Flatten, MaxPool2D, ReLU, Sequential
from gpucnn.errors import GpucnnError, InvalidValueError, TrainingError
from gpucnn.models.pictures.images import mosaic


def model(channels: int = 1, filters: int = 4) -> Sequential:
    layers = [Conv2D(filters, 3), ReLU(), Dropout(0.5), MaxPool2D(2), Conv2D(5, (1, 2))]
    return Sequential([*layers, Flatten(), Dense(3)], (8, 9, channels))


def shown(axes: Any) -> Any:
    return np.asarray(axes.images[0].get_array().filled(np.nan))


def labels(axis: Any) -> list[str]:
    return [each.get_text() for each in axis.get_ticklabels()]


def test_tiles_are_side_by_side() -> None:
    tiles = np.arange(1, 4)[:, None, None] * np.ones((3, 1, 2))
    nan = np.nan
    expected = [[1, 1, nan, 2, 2], [nan] * 5, [3, 3, nan, nan, nan]]
    np.testing.assert_array_equal(mosaic(tiles, 2), expected)


# Filters


def test_the_first_convolution_is_drawn() -> None:
    made = model()
    kernel = made.get_layer("conv2d").get_weights()[0]
    figure = made.plot_filters()
    axes, bar = figure.axes
    assert axes.get_title() == "conv2d: 4 filters of 3 x 3"
    np.testing.assert_array_equal(shown(axes)[:3, 4:7], kernel[:, :, 0, 1])
    np.testing.assert_array_equal(shown(axes)[4:, :3], kernel[:, :, 0, 3])
    assert axes.images[0].get_clim() == pytest.approx((-np.abs(kernel).max(), np.abs(kernel).max()))
    assert (labels(axes.xaxis), labels(axes.yaxis)) == (["0", "1", "2"], ["0 +", "3 +"])
    assert (axes.get_ylabel(), bar.get_ylabel()) == ("filter", "weight")


def test_of_several_channels_each_filter_is_a_column() -> None:
    made = model()
    kernel = made.get_layer("conv2d_1").get_weights()[0]
    axes = made.plot_filters("conv2d_1").axes[0]
    assert axes.get_title() == "conv2d_1: 5 filters of 1 x 2 x 4 input channels"
    np.testing.assert_array_equal(shown(axes)[2:3, 9:11], kernel[:, :, 1, 3])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("filter", "input channel")
    assert (labels(axes.xaxis), labels(axes.yaxis)) == (list("01234"), list("0123"))


def test_of_colour_images_filters_are_in_colour() -> None:
    made = model(channels=3)
    kernel = made.get_layer("conv2d").get_weights()[0]
    (axes,) = made.plot_filters().axes
    largest = np.abs(kernel).max()
    tile = np.asarray(axes.images[0].get_array())[:3, 4:7]
    np.testing.assert_allclose(tile, 0.5 + kernel[..., 1] / (2 * largest), rtol=1e-6)
    assert f"a weight of 0 is half bright, {-largest:.2g} dark" in axes.get_title()


def test_of_many_filters_the_first_are_drawn() -> None:
    axes = model(filters=100).plot_filters().axes[0]
    assert axes.get_title() == "conv2d: the first 64 of 100 filters of 3 x 3"
    axes = model(channels=40, filters=100).plot_filters().axes[0]
    first = "the first 32 of 100 filters of 3 x 3 x the first 32 of 40 input channels"
    assert axes.get_title() == f"conv2d: {first}"


def test_a_depthwise_convolution_has_filters() -> None:
    made = Sequential([DepthwiseConv2D(3), Flatten(), Dense(2)], (4, 4, 2))
    assert made.plot_filters().axes[0].get_title().startswith("depthwiseconv2d: ")


def test_without_filters_one_line_says_so() -> None:
    with pytest.raises(InvalidValueError, match=r"^dense has no kernels to draw: give conv2d, con"):
        model().plot_filters("dense")
    with pytest.raises(InvalidValueError, match=r"^there is no layer conv: choose one of conv2d, "):
        model().plot_filters("conv")
    with pytest.raises(
        InvalidValueError, match=r"^no layer has kernels to draw: that is of models"
    ):
        Sequential([Flatten(), Dense(2)], small.SHAPE).plot_filters()


def test_weights_that_are_not_finite_get_one_line() -> None:
    made = model()
    made.parameters[0] = np.nan
    with pytest.raises(TrainingError, match=r"^conv2d\.kernel has values that are not finite"):
        made.plot_filters()


# Feature maps


def test_each_layer_that_makes_images_is_drawn() -> None:
    made, image = model(), small.images(1, (8, 9, 1))
    figure = made.plot_activations(image)
    first, *others = figure.axes
    predicted = made.predict(image)[0]
    expected = f"the image, 8 x 9; predicted {predicted.argmax()}: {predicted.max():.1%}"
    assert first.get_title(loc="left") == expected
    names = [each.get_title(loc="left").partition(",")[0] for each in others]
    assert names == [
        "conv2d: 4 maps of 6 x 7",
        "relu: 4 maps of 6 x 7",
        "maxpool2d: 4 maps of 3 x 3",
        "conv2d_1: 5 maps of 3 x 2",
    ]
    kernel, bias = made.get_layer("conv2d").get_weights()
    pixels = image[0, :, :, 0] / 255 - 0.5
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (3, 3))
    maps = np.einsum("xyij,ij->xy", windows, kernel[:, :, 0, 1]) + bias[1]
    np.testing.assert_allclose(shown(others[0])[:, 8:15], maps, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(shown(others[1])[:, 8:15], maps.clip(0), rtol=1e-4, atol=1e-6)
    values = shown(others[0])
    told = f"{np.nanmin(values):.3g} (black) to {np.nanmax(values):.3g} (white)"
    assert others[0].get_title(loc="left").endswith(told)


@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 1), (1, 8, 9), (1, 8, 9, 1)])
def test_an_image_may_be_given_alone(shape: tuple[int, ...]) -> None:
    image = small.images(1, (8, 9, 1)).reshape(shape)
    pixels = np.asarray(model().plot_activations(image).axes[0].images[0].get_array())
    np.testing.assert_allclose(pixels * 255, image.reshape(8, 9))


def test_of_several_images_one_line_asks_for_one() -> None:
    with pytest.raises(InvalidValueError, match=r"^x has 2 images: give one, such as x\[0\]$"):
        model().plot_activations(small.images(2, (8, 9, 1)))


PICTURES: dict[str, Callable[[Sequential, Any, Any], object]] = {
    "filters": lambda made, x, y: made.plot_filters(),
    "activations": lambda made, x, y: made.plot_activations(x[0]),
    "confusion": lambda made, x, y: made.plot_confusion(x, y),
    "mistakes": lambda made, x, y: made.plot_mistakes(x, y),
    "saliency": lambda made, x, y: made.plot_saliency(x),
}


@pytest.mark.parametrize("name", PICTURES)
def test_without_matplotlib(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    line = r"^a plot needs Matplotlib, which is not installed: pip install 'gpucnn\[plot\]'$"
    with pytest.raises(GpucnnError, match=line):
        PICTURES[name](model(), small.images(3, (8, 9, 1)), small.labels(3))

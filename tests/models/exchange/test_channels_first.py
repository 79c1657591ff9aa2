from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from expect import refusal
from gpucnn import Dense, Dropout, Flatten, ReLU, Rescaling, Sequential, Sigmoid, Tanh
from gpucnn.errors import InvalidValueError
from gpucnn.models.exchange import draft as core
from gpucnn.models.exchange.channels_first import ChannelsFirst
from gpucnn.models.exchange.draft import blaming
from gpucnn.models.exchange.sliding import Sides, Sliding

CHANNELS, ROWS, COLUMNS = 3, 7, 6
SHAPE = CHANNELS, ROWS, COLUMNS
IMAGES = 4
ONE: Sides = ((1, 1), (1, 1))
TOLERANCE = 1e-5  # of the outputs' magnitude: sums of up to 126 products in float32


def drawn(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


def chain() -> ChannelsFirst:
    return ChannelsFirst(SHAPE, channels_first=True)


def check(made: ChannelsFirst, x: NDArray[Any], expected: NDArray[Any]) -> None:
    """Check what the chain gives for images whose channels are first, in the order of these."""
    flat = expected.reshape(len(expected), -1)
    made.reshape((-1,))
    made.multiply(np.eye(flat.shape[1], dtype=np.float32), None)  # a model has parameters
    compare(made, x, flat)


def compare(made: ChannelsFirst, x: NDArray[Any], expected: NDArray[Any]) -> None:
    """Check the outputs of the model that the chain is."""
    model = Sequential.from_imported(made.finish(), "cpu", 1)
    found = model(np.ascontiguousarray(np.moveaxis(x, 1, -1)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE * abs(expected).max())


# What operations compute, channels first, with images (n, c, h, w)


def padded(x: NDArray[Any], sides: Sides, value: float = 0) -> NDArray[Any]:
    return np.pad(x, ((0, 0), (0, 0), *sides), constant_values=value)


def windows(x: NDArray[Any], sliding: Sliding) -> NDArray[Any]:
    """(n, c, rows, columns, height, width) of an image that is padded."""
    (height, width), (down, right) = sliding.size, sliding.dilation
    extent = (height - 1) * down + 1, (width - 1) * right + 1
    every = sliding_window_view(x, extent, (2, 3))[..., ::down, ::right]
    vertical, horizontal = sliding.strides
    return every[:, :, ::vertical, ::horizontal]


def convolved(x: NDArray[Any], kernel: NDArray[Any], sliding: Sliding) -> NDArray[Any]:
    seen = windows(padded(x, sliding.padding), sliding)
    summed: NDArray[Any] = np.einsum("ncrshw,fchw->nfrs", seen, kernel)
    return summed


SLIDES = [
    Sliding((3, 2)),
    Sliding((3, 3), padding=ONE),
    Sliding((3, 3), (2, 2), ONE),
    Sliding((2, 2), (3, 2), ((0, 1), (1, 0))),
    Sliding((3, 3), padding=((2, 2), (2, 2)), dilation=(2, 2)),
    Sliding((5, 5), padding=((4, 0), (3, 1))),
    Sliding((1, 1), (2, 2)),
]


@pytest.mark.parametrize("sliding", SLIDES, ids=repr)
def test_a_convolution_then_a_dense_layer(sliding: Sliding) -> None:
    x, kernel, bias = drawn(IMAGES, *SHAPE), drawn(5, CHANNELS, *sliding.size), drawn(5)
    images = convolved(x, kernel, sliding) + bias[:, None, None]
    flat = images.reshape(IMAGES, -1)
    matrix = drawn(flat.shape[1], 2)
    made = chain()
    made.convolve(kernel, bias, sliding)
    made.reshape((-1,))
    made.multiply(matrix, None)
    compare(made, x, flat @ matrix)


@pytest.mark.parametrize("multiplier", [1, 2])
def test_a_convolution_of_each_channel(multiplier: int) -> None:
    x, kernel = drawn(IMAGES, *SHAPE), drawn(CHANNELS * multiplier, 1, 3, 2)
    sliding = Sliding((3, 2))
    by_channel = [
        convolved(x[:, c : c + 1], kernel[c * multiplier :][:multiplier], sliding)
        for c in range(CHANNELS)
    ]
    made = chain()
    made.convolve(kernel, None, sliding, groups=CHANNELS)
    check(made, x, np.concatenate(by_channel, 1))


def test_a_convolution_in_groups() -> None:
    x, kernel, sliding = drawn(IMAGES, 4, 5, 5), drawn(6, 2, 2, 2), Sliding((2, 2))
    parts = [convolved(x[:, 2 * g :][:, :2], kernel[3 * g :][:3], sliding) for g in (0, 1)]
    made = ChannelsFirst((4, 5, 5), channels_first=True)
    made.convolve(kernel, None, sliding, groups=2)
    check(made, x, np.concatenate(parts, 1))


def test_what_follows_a_flattened_image_has_its_order() -> None:
    x, size = drawn(IMAGES, *SHAPE), CHANNELS * ROWS * COLUMNS
    gamma, beta, mean, factors, offsets, kernel = (drawn(size + i)[:size] for i in range(6))
    variance = drawn(size) ** 2 + 0.5
    matrix = drawn(size, 3)
    made = chain()
    made.reshape((size,))
    made.add(Dropout(0.5))
    made.normalize(gamma, beta, mean, variance, epsilon=0.1, momentum=0.9)
    made.add(Tanh())
    made.scale(factors)
    made.shift(offsets[None])
    made.multiply(matrix, kernel[:3])
    flat = np.tanh((x.reshape(IMAGES, -1) - mean) / np.sqrt(variance + 0.1) * gamma + beta)
    compare(made, x, (flat * factors + offsets) @ matrix + kernel[:3])


def test_constants_meet_the_channels() -> None:
    x, factors, offsets = drawn(IMAGES, *SHAPE), drawn(CHANNELS, 1, 1), drawn(1, CHANNELS, 1, 1)
    made = chain()
    made.scale(factors)
    made.shift(offsets)
    made.shift(np.array(0.5))
    made.scale(np.array(2.0))
    check(made, x, 2 * (x * factors + offsets + 0.5))
    assert [type(each) for each in made.finish().layers] == [Rescaling, Flatten, Dense]


def test_a_bias_that_is_added_is_that_of_the_layer() -> None:
    made = chain()
    made.convolve(drawn(4, CHANNELS, 2, 2), None, Sliding((2, 2)))
    made.shift(drawn(1, 4, 1, 1))
    made.reshape((-1,))
    made.multiply(drawn(120, 2), None)
    made.shift(drawn(2))
    convolution, _, dense = made.finish().layers
    assert convolution.get_config()["use_bias"]
    assert dense.get_config()["use_bias"]


@pytest.mark.parametrize(
    "sliding",
    [
        Sliding((2, 2), (2, 2)),
        Sliding((3, 3), (2, 2), ONE),
        Sliding((3, 3), (2, 2), ((0, 0), (0, 0)), rounds_up=True),
        Sliding((2, 2), (2, 2), ((0, 1), (1, 0))),
    ],
    ids=repr,
)
def test_maxima_with_padding_after_relu(sliding: Sliding) -> None:
    x = drawn(IMAGES, *SHAPE)
    shown = padded(np.maximum(x, 0), sliding.padding, -np.inf)
    rest = 1 if sliding.rounds_up else 0
    shown = padded(shown, ((0, rest), (0, rest)), -np.inf)
    made = chain()
    made.add(ReLU())
    made.add(Dropout(0.1))
    made.pool_maxima(sliding)
    check(made, x, windows(shown, sliding).max((4, 5)))


def test_maxima_with_the_padding_of_keras_need_no_relu() -> None:
    x, sliding = drawn(IMAGES, *SHAPE), Sliding((3, 3), padding=ONE)
    made = chain()
    made.pool_maxima(sliding)
    check(made, x, windows(padded(x, ONE, -np.inf), sliding).max((4, 5)))


@pytest.mark.parametrize(
    ("sliding", "counts_padding"),
    [
        (Sliding((2, 3), (2, 1)), False),
        (Sliding((2, 3), (2, 1)), True),
        (Sliding((3, 3), padding=ONE), False),
        (Sliding((3, 3), (2, 2), ONE), True),
        (Sliding((2, 2), (2, 2), ((1, 0), (0, 1))), True),
    ],
    ids=repr,
)
def test_means_count_padding_or_not(sliding: Sliding, counts_padding: bool) -> None:
    x = drawn(IMAGES, *SHAPE)
    shown = windows(padded(x, sliding.padding, 0 if counts_padding else np.nan), sliding)
    made = chain()
    made.pool_means(sliding, counts_padding=counts_padding)
    check(made, x, np.nanmean(shown, (4, 5)))


@pytest.mark.parametrize("sides", [ONE, ((1, 0), (0, 1)), ((1, 1), (1, 0))], ids=repr)
def test_maxima_of_images_whose_edges_are_repeated(sides: Sides) -> None:
    x, sliding = drawn(IMAGES, *SHAPE), Sliding((3, 3), (2, 2))
    made = chain()
    made.add(ReLU())
    made.repeat_edges(sides)
    made.pool_maxima(sliding)
    shown = np.pad(np.maximum(x, 0), ((0, 0), (0, 0), *sides), "edge")
    check(made, x, windows(shown, sliding).max((4, 5)))


def test_images_are_padded_and_cropped() -> None:
    x = drawn(IMAGES, *SHAPE)
    made = chain()
    made.frame([(0, 0), (1, -2), (-1, 2)])
    check(made, x, padded(x[:, :, :-2, 1:], ((1, 0), (0, 2))))


def test_images_may_come_channels_last() -> None:
    x, kernel = drawn(IMAGES, *SHAPE), drawn(5, CHANNELS, 2, 2)
    made = ChannelsFirst((ROWS, COLUMNS, CHANNELS), channels_first=False)
    made.transpose((2, 0, 1))
    made.convolve(kernel, None, Sliding((2, 2)))
    made.transpose((1, 2, 0))
    check(made, x, np.moveaxis(convolved(x, kernel, Sliding((2, 2))), 1, -1))


def test_a_vector_may_become_an_image_of_one_channel() -> None:
    x, matrix, kernel = drawn(IMAGES, *SHAPE), drawn(126, 12), drawn(2, 1, 2, 2)
    made = chain()
    made.reshape((-1,))
    made.multiply(matrix, None)
    made.reshape((1, 4, 3))
    made.convolve(kernel, None, Sliding((2, 2)))
    images = (x.reshape(IMAGES, -1) @ matrix).reshape(IMAGES, 1, 4, 3)
    check(made, x, convolved(images, kernel, Sliding((2, 2))))


def test_pixels_may_be_flattened_before_they_are_pooled() -> None:
    x = drawn(IMAGES, *SHAPE)
    made = chain()
    made.reshape((CHANNELS, -1))
    made.pool_images((1,), maxima=False, keeps_axes=False)
    check(made, x, x.mean((2, 3)))


def test_elements_that_are_taken_in_another_order() -> None:
    x = drawn(IMAGES, *SHAPE)
    order = np.random.default_rng(0).permutation(126)
    made = chain()
    made.reshape((-1,))
    made.take(order, 0)
    check(made, x, x.reshape(IMAGES, -1)[:, order])


def test_it_ends_in_softmax() -> None:
    x = drawn(IMAGES, *SHAPE)
    made = chain()
    made.normalize(*(np.ones(CHANNELS, np.float32) for _ in range(4)), epsilon=1e-9, momentum=0.9)
    made.pool_images((1, 2), maxima=True, keeps_axes=False)
    made.end_in_softmax(-1)
    shares = np.exp(x.max((2, 3)))
    compare(made, x, shares / shares.sum(1, keepdims=True))
    with refusal("it follows softmax, which a model of gpucnn has at its end alone: leave one out"):
        made.add(ReLU())


# Errors

Build = Callable[[ChannelsFirst], object]


def turn_and_pool(made: ChannelsFirst) -> None:
    made.transpose((1, 0, 2))
    made.pool_maxima(Sliding((2, 2)))


def repeat_edges_too_far(made: ChannelsFirst) -> None:
    made.repeat_edges(((2, 0), (0, 0)))
    made.pool_maxima(Sliding((2, 2)))


REFUSED: list[tuple[Build, str]] = [
    (
        lambda made: made.finish(),
        "the model gives an image, channels first, but a model of gpucnn gives vectors, made in "
        "the order (rows, columns, channels): let it end in a dense layer or in pooling of whole "
        "images",
    ),
    (
        lambda made: made.multiply(drawn(4, 2), None),
        "it multiplies by a matrix of the shape (4, 2), but its input has the shape (3, 7, 6): "
        "flatten that, or give a matrix of as many rows",
    ),
    (
        lambda made: made.convolve(drawn(4, 2, 1, 1), None, Sliding((1, 1))),
        "its kernel takes 2 channels, but its input of the shape (channels, rows, columns) is "
        "(3, 7, 6): give another copy, or an input_shape with the channels first",
    ),
    (
        lambda made: made.convolve(drawn(4, 3, 1, 1), drawn(3), Sliding((1, 1))),
        "it has weights of the shapes [(1, 1, 3, 4), (3,)], in the order of gpucnn, but "
        "[(1, 1, 3, 4), (4,)] are needed for its input: give another copy",
    ),
    (
        lambda made: made.pool_maxima(Sliding((3, 3), (2, 2), ONE)),
        "it takes maxima with the padding ((1, 1), (1, 0)), which gpucnn has after ReLU or "
        'sigmoid, or where it is that of padding="same": train a model with that',
    ),
    (
        lambda made: made.pool_means(Sliding((3, 3), (2, 2), ONE), counts_padding=False),
        "it takes means with the padding ((1, 1), (1, 0)), which do not count it, as gpucnn has "
        'them with padding="same" alone: train a model with that',
    ),
    (
        repeat_edges_too_far,
        "it follows a padding by pixels of the edges, which gpucnn has before maxima alone",
    ),
    (
        lambda made: made.pool_means(
            Sliding((2, 2), (2, 2), ((0, 0), (1, 0)), rounds_up=True), counts_padding=True
        ),
        "it takes means that count padding, over windows that stand out beyond it, since their "
        "number is rounded up: train a model that rounds down",
    ),
    (
        lambda made: Sliding((3, 3), (2, 2), dilation=(2, 2)),
        "its strides are (2, 2) and its dilation (2, 2): only one of them may be above 1",
    ),
    (
        lambda made: made.pool_maxima(Sliding((8, 8))),
        "its window of (8, 8) with the dilation (1, 1) is larger than images of (7, 6) with the "
        "padding ((0, 0), (0, 0)): give larger images",
    ),
    (
        lambda made: made.scale(drawn(*SHAPE)),
        "it has a number for each pixel, but gpucnn scales and shifts by channels alone: do so to "
        "the images before",
    ),
    (
        lambda made: made.scale(drawn(4, 1, 1)),
        "it has numbers of the shape (4, 1, 1) for an input of the shape (3, 7, 6): give another "
        "copy",
    ),
    (
        lambda made: made.reshape((5, -1)),
        "it makes the shape (5, -1) of one of (3, 7, 6): give another copy",
    ),
    (
        lambda made: made.take(np.arange(2), 0),
        "it takes some elements of axis 0 of (3, 7, 6), but gpucnn's layers use all of them",
    ),
    (
        lambda made: made.pool_images((0,), maxima=True),
        "it pools the axes (0,) of images (3, 7, 6), but gpucnn pools the rows and the columns",
    ),
    (
        lambda made: made.end_in_softmax(0),
        "it takes the softmax along an axis of (3, 7, 6), but gpucnn takes that of all outputs: "
        "give a model that ends in vectors",
    ),
    (
        turn_and_pool,
        "its input, of the shape (7, 3, 6), has its elements in an order in which gpucnn, whose "
        "images are (rows, columns, channels), cannot bring them: leave out the Transpose or "
        "Reshape before it",
    ),
]


@pytest.mark.parametrize(("build", "line"), REFUSED, ids=[line[:40] for _, line in REFUSED])
def test_what_no_layer_does_is_refused(build: Build, line: str) -> None:
    with refusal(f"the node a (B): {line}"), blaming("the node a (B)"):
        build(chain())


def test_an_image_of_too_many_numbers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "MOST_NUMBERS", 126)
    chain()
    with refusal("an image has the shape (3, 7, 7) there: it must have from 1 to 126 numbers"):
        ChannelsFirst((3, 7, 7), channels_first=True)


def test_maxima_after_sigmoid_may_be_padded() -> None:
    made = chain()
    made.add(Sigmoid())
    made.pool_maxima(Sliding((3, 3), (2, 2), ONE))
    x = drawn(IMAGES, *SHAPE)
    shown = padded(1 / (1 + np.exp(-x)), ONE)
    check(made, x, windows(shown, Sliding((3, 3), (2, 2))).max((4, 5)))


def test_padding_may_be_of_windows_that_are_cut_off() -> None:
    padded = Sliding((2, 4), (1, 1), ((1, 1), (2, 2)))
    assert padded.over((5, 6)) == ((1, 1), (2, 2))
    assert padded.without_first((1, 1)).over((5, 6)) == "same"


def test_a_window_may_stand_out_of_a_small_image() -> None:
    assert Sliding((3, 3), (1, 2), ((1, 1), (0, 0)), rounds_up=True).over((2, 2)) == "same"
    with pytest.raises(InvalidValueError, match="is larger than images of"):
        Sliding((3, 3), (1, 1), ((1, 1), (0, 0)), rounds_up=True).over((2, 2))

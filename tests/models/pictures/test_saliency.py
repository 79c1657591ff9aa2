from collections.abc import Callable
from copy import deepcopy
from threading import Thread
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import branches
import small
from gpucnn import (
    GELU,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    MaxPool2D,
    Model,
    RandomCrop,
    RandomFlip,
    ReLU,
    Rescaling,
    SeparableConv2D,
    Sequential,
    Softmax,
    Tanh,
)
from gpucnn.errors import InvalidValueError
from gpucnn.layers import Layer, Step, Sums, WholeBatchLayer
from gpucnn.models.pictures.passes import saliency

SHAPE = (8, 8, 2)
STEP = 1e-5

NETWORKS: dict[str, list[Layer]] = {
    "fused": [Conv2D(4, 3), ReLU(), MaxPool2D(2), Flatten(), Dense(3)],
    "normalised": [
        Rescaling(2.0, offset=0.1),
        RandomFlip(),
        Conv2D(4, 3, padding="same", strides=2),
        BatchNormalization(),
        Tanh(),
        DepthwiseConv2D(3),
        BatchNormalization(scale=False),
        GELU(),
        Flatten(),
        Dropout(0.5),
        Dense(3, activation="softmax"),
    ],
    "cropped": [Rescaling(2.0), RandomCrop(5, 4), Conv2D(2, 3), Tanh(), Flatten(), Dense(3)],
    "cropped first": [RandomCrop(5, 4), Flatten(), Dense(3)],
    "normalised first": [
        BatchNormalization(),
        SeparableConv2D(4, 3),
        AveragePooling2D(2),
        GlobalAveragePooling2D(),
        Dense(1, activation="sigmoid"),
    ],
}


def network(name: str) -> Sequential:
    """That with weights, and with averages as of a training."""
    made = Sequential(deepcopy(NETWORKS[name]), SHAPE, dtype="float64")
    if made.classes == 1:
        made.compile(loss="binary_crossentropy")
    generator = np.random.default_rng(0)
    drawn = [generator.normal(size=each.shape) for each in made.get_weights()]
    positive = ("gamma", "moving_variance")
    names = made.weight_names
    made.set_weights(
        [
            np.abs(each) + 0.1 if name.endswith(positive) else each
            for name, each in zip(names, drawn, strict=True)
        ]
    )
    return made


def scores(made: Model, x: NDArray[Any]) -> NDArray[Any]:
    return made.backend.to_host(made.forward(made.backend.asarray(x))).copy()


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    assert_saliency(network(name))


@pytest.mark.parametrize("make", branches.MODELS.values(), ids=branches.MODELS)
def test_gradients_of_networks_that_branch(make: Callable[..., Model]) -> None:
    made = make(dtype="float64", device="cpu")
    made.fit(branches.images(20), branches.labels(20), verbose=0)  # for averages
    assert_saliency(made)


def assert_saliency(made: Model) -> None:
    """Central ones err by STEP^2 times the third derivative, and by 1e-16 / STEP by rounding."""
    x = np.random.default_rng(1).normal(size=(2, *made.input_shape))
    found = saliency(made, x)
    np.testing.assert_array_equal(found.classes, scores(made, x).argmax(axis=1))
    expected = np.empty_like(x)
    for place in np.ndindex(made.input_shape):
        above, below = x.copy(), x.copy()
        above[(slice(None), *place)] += STEP
        below[(slice(None), *place)] -= STEP
        slopes = (scores(made, above) - scores(made, below)) / (2 * STEP)
        expected[(slice(None), *place)] = slopes[range(2), found.classes]
    np.testing.assert_allclose(found.gradients, expected, rtol=1e-6, atol=1e-7)


def test_a_linear_model_depends_on_pixels_by_its_weights() -> None:
    made = Sequential([Flatten(), Dense(3)], small.SHAPE)
    images = small.images(3)
    classes = made.predict(images).argmax(axis=1)
    kernel, _ = made.get_weights()
    figure = made.plot_saliency(images)
    for number, axes in enumerate(figure.axes[3:]):
        sizes = np.abs(kernel[:, classes[number]]).reshape(6, 6)
        np.testing.assert_allclose(np.asarray(axes.images[0].get_array()), sizes, rtol=1e-6)
        assert axes.get_title() == f"gradient up to {sizes.max():.3g}"


def test_images_are_above_what_they_depend_on() -> None:
    made, images = small.model(), small.images(7)
    figure = made.plot_saliency(images)
    rows = made.predict(images)
    said = [f"predicted {row.argmax()}: {row.max():.1%}" for row in rows]
    titles = [each.get_title() for each in figure.axes]
    assert titles[:5] == said[:5]
    assert titles[10:12] == said[5:]
    assert not any(titles[12:15])
    np.testing.assert_allclose(
        np.asarray(figure.axes[11].images[0].get_array()) * 255, images[6, :, :, 0]
    )
    assert figure.get_suptitle().startswith("Change of the predicted class's score with each pixel")


def test_of_several_channels_the_greatest_counts() -> None:
    made = network("fused")
    x = np.random.default_rng(1).normal(size=SHAPE)
    sizes = np.abs(saliency(made, x[None]).gradients[0]).max(axis=2)
    _, below = made.plot_saliency(x).axes
    np.testing.assert_array_equal(np.asarray(below.images[0].get_array()), sizes)


def test_outputs_that_are_no_classes_are_told() -> None:
    made = Sequential([Flatten(), Dense(2)], small.SHAPE)
    made.compile(loss="mean_squared_error")
    images = small.images(1)
    (row,) = made.predict(images)
    title = made.plot_saliency(images).axes[0].get_title()
    assert title == f"output {row.argmax()}: {row.max():.3g}"


def test_a_model_stays_as_it_is() -> None:
    made, images, labels = small.model(), small.images(6), small.labels(6)
    other = small.model()
    made.plot_saliency(images)
    for each in (made, other):
        each.fit(images, labels, verbose=0)
    assert small.weight_bytes(made) == small.weight_bytes(other)


def test_a_model_with_softmax_after_it_is_drawn() -> None:
    made = small.model()
    with_softmax = Sequential([made, Softmax()])
    images = small.images(2)
    titles = [
        [axes.get_title() for axes in m.plot_saliency(images).axes] for m in (made, with_softmax)
    ]
    assert titles[0] == titles[1]


def test_it_is_drawn_in_another_thread() -> None:
    drawn: list[Any] = []
    made, images = small.model(), small.images(1)
    thread = Thread(target=lambda: drawn.append(made.plot_saliency(images)))
    thread.start()
    thread.join()
    assert len(drawn[0].axes) == 2


def test_too_many_images_get_one_line() -> None:
    line = r"^x has 11 images: give at most 10, such as x\[:10\]$"
    with pytest.raises(InvalidValueError, match=line):
        small.model().plot_saliency(small.images(11))


def test_a_model_of_no_known_shape_gets_one_line() -> None:
    with pytest.raises(
        InvalidValueError, match=r"^the model does not know the shape of its images"
    ):
        Sequential(small.layers()).plot_saliency(small.images(1))


class Halved(WholeBatchLayer):
    """A layer of one's own that does not tell the gradient of what it infers."""

    def build(self, input_shape: tuple[int, ...]) -> None:
        self.input_shape = self.output_shape = input_shape

    def infer(self, x: Any) -> Any:
        return x / 2

    def forward_together(self, x: Any, step: Step) -> Sums[Any]:
        yield from ()
        return x / 2

    def backward_together(self, output_gradient: Any) -> Sums[Any]:
        yield from ()
        return output_gradient / 2

    def idle_forward(self) -> Sums[None]:
        yield from ()

    def idle_backward(self) -> Sums[None]:
        yield from ()

    def update_state(self) -> None:
        """There is none."""


def test_a_layer_that_tells_no_gradient_gets_one_line() -> None:
    made = Sequential([Halved(), Flatten(), Dense(2)], small.SHAPE)
    line = "^halved does not tell the gradient of what it infers: define infer_gradient$"
    with pytest.raises(InvalidValueError, match=line):
        made.plot_saliency(small.images(1))

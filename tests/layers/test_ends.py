"""Input, Softmax and Activation: what a list of layers may begin and end with."""

from collections.abc import Callable

import pytest

from expect import refusal
from gpucnn import ELU, GELU, Conv2D, Dense, Flatten, LeakyReLU, ReLU, Sigmoid, SiLU, Tanh
from gpucnn.layers import Activation, Input, Layer, Softmax
from gpucnn.layers.ends import image_shape, without_ends


def test_input_has_a_shape() -> None:
    assert Input(shape=(28, 28, 1)).shape == (28, 28, 1)


def test_wrong_input() -> None:
    with refusal("shape is 28: give the shape of one image, such as (28, 28, 1)"):
        Input(28)  # type: ignore[arg-type]


SHAPE = (28, 28, 1)


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ([Input(SHAPE), Flatten(), Dense(3)], SHAPE),
        ([Flatten(input_shape=SHAPE), Dense(3)], SHAPE),
        ([Conv2D(3, 28, input_shape=[28, 28, 1]), Flatten()], SHAPE),
        ([Dense(3, input_shape=(9,))], (9,)),
        ([Flatten(), Dense(3)], None),
        ([], None),
    ],
)
def test_the_shape_of_the_images(layers: list[Layer], shape: tuple[int, ...] | None) -> None:
    assert image_shape(layers) == shape
    assert without_ends(layers) == [each for each in layers if isinstance(each, Layer)]


@pytest.mark.parametrize("make", [Conv2D, Dense])
def test_wrong_input_shape_of_a_layer(make: Callable[..., Layer]) -> None:
    sizes = (3, 3) if make is Conv2D else (3,)
    with refusal("input_shape is 'x': give the shape of one image, such as (28, 28, 1)"):
        make(*sizes, input_shape="x")


@pytest.mark.parametrize("end", [Softmax(), Activation("softmax")])
def test_softmax_is_an_activation_of_the_layer_before(end: Softmax) -> None:
    last = Dense(3)
    assert without_ends([Flatten(), last, end])[-1] is last
    assert last.activation == "softmax"


@pytest.mark.parametrize("before", [[], [Flatten()], [Dense(3, "relu")]])
def test_softmax_of_nothing(before: list[Layer]) -> None:
    with refusal("Softmax() does not follow a layer of logits: end with Dense(classes), Softmax()"):
        without_ends([*before, Softmax()])


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("relu", ReLU()),
        ("leaky_relu", LeakyReLU(0.2)),
        ("elu", ELU()),
        ("gelu", GELU()),
        ("silu", SiLU()),
        ("swish", SiLU()),
        ("tanh", Tanh()),
        ("sigmoid", Sigmoid()),
    ],
)
def test_activation_is_the_layer_of_its_name(name: str, layer: Layer) -> None:
    assert repr(Activation(name)) == repr(layer)


def test_activation_of_nothing() -> None:
    with refusal("Activation('linear') changes nothing: leave it out"):
        Activation("linear")

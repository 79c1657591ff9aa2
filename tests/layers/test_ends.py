"""Input, Softmax and Activation: what a list of layers may begin and end with."""

from collections.abc import Callable

import pytest

from expect import refusal
from gpucnn import ELU, GELU, Conv2D, Dense, Flatten, LeakyReLU, ReLU, Sigmoid, SiLU, Tanh
from gpucnn.layers import Activation, Input, Layer, Softmax
from gpucnn.layers.ends import end_of, image_shape, without_input


def test_input_has_a_shape() -> None:
    given = Input(shape=(28, 28, 1))
    assert given.shape == (None, 28, 28, 1)
    assert given.image_shape == (28, 28, 1)


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
    assert without_input(layers) == [each for each in layers if isinstance(each, Layer)]


@pytest.mark.parametrize("make", [Conv2D, Dense])
def test_wrong_input_shape_of_a_layer(make: Callable[..., Layer]) -> None:
    sizes = (3, 3) if make is Conv2D else (3,)
    with refusal("input_shape is 'x': give the shape of one image, such as (28, 28, 1)"):
        make(*sizes, input_shape="x")


@pytest.mark.parametrize(
    "end",
    [[Dense(3, "softmax")], [Dense(3), Softmax()], [Flatten(), Activation("softmax")]],
)
def test_layers_that_end_in_softmax(end: list[Layer]) -> None:
    assert end_of(end) == "softmax"


@pytest.mark.parametrize(("end", "name"), [([Dense(3, "sigmoid")], "sigmoid"), ([], "linear")])
def test_layers_that_do_not(end: list[Layer], name: str) -> None:
    assert end_of(end) == name


def test_softmax_has_a_name_as_other_layers_have() -> None:
    assert Activation("softmax", name="probabilities").name == "probabilities"


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

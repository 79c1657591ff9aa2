from typing import Any

import numpy as np
import pytest

from expect import refusal
from gpucnn import Add, Model, Sequential, models
from gpucnn.errors import InvalidTypeError

PARAMETERS = {
    "notebook": 13_610,
    "lenet": 225_034,
    "fast": 12_706,
    "tiny": 9_542,
    "best": 187_370,
    "resnet": 78_058,
}


@pytest.fixture(params=models.MODELS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_parameters(name: str) -> None:
    assert models.MODELS[name]().parameters.size == PARAMETERS[name]


def test_names_are_those_of_the_functions(name: str) -> None:
    assert models.MODELS[name] is getattr(models, name)


def test_take_the_digits_of_mnist(name: str) -> None:
    images = np.zeros((2, 28, 28), np.uint8)
    model = models.MODELS[name](input_shape=models.MNIST_SHAPE)
    assert model.predict(images).shape == (2, 10)


@pytest.mark.parametrize("shape", [(32, 32, 3), (28, 20, 1)])
def test_take_other_images_of_other_classes(name: str, shape: tuple[int, ...]) -> None:
    model = models.MODELS[name](input_shape=shape, classes=3)
    assert model.predict(np.zeros((2, *shape), np.uint8)).shape == (2, 3)


def test_options_are_passed_on(name: str) -> None:
    model = models.MODELS[name]("float64", "cpu", seed=7)
    assert isinstance(model, Model)
    assert (model.dtype.name, model.backend.device, model.seed) == ("float64", "cpu", 7)


def test_tiny_has_at_most_ten_thousand_parameters() -> None:
    """Those that are not trained, the moving averages, among them."""
    assert models.tiny().count_params() <= 10_000


def test_residual_blocks_halve_the_image_and_double_the_filters() -> None:
    sums = [layer for layer in models.resnet().layers if isinstance(layer, Add)]
    assert [each.output_shape for each in sums] == [(16, 16, 16), (8, 8, 32), (4, 4, 64)]


def described(model: Sequential) -> str:
    return " ".join(repr(layer).replace(" ", "") for layer in model.layers)


def test_layers_of_the_notebook() -> None:
    assert described(models.notebook()) == (
        "Conv2D(filters=8,kernel_size=3) ReLU() MaxPool2D() Flatten() Dense(units=10)"
    )


def test_layers_of_lenet() -> None:
    assert described(models.lenet()) == (
        "Conv2D(filters=32,kernel_size=3) ReLU() MaxPool2D() "
        "Conv2D(filters=64,kernel_size=3) ReLU() MaxPool2D() Flatten() "
        "Dense(units=128) ReLU() Dropout(rate=0.5) Dense(units=10)"
    )


@pytest.mark.parametrize("make", models.MODELS.values(), ids=models.MODELS)
def test_arguments_of_applications_of_keras(make: Any) -> None:
    of_keras = {"weights": None, "include_top": True, "classifier_activation": "softmax"}
    assert make(**of_keras, pooling=None, input_tensor=None, classes=3).output_shape == (3,)
    with refusal(
        f"{make.__name__} has no argument include_top=False: leave it out, or make a model of new "
        "layers",
        InvalidTypeError,
    ):
        make(include_top=False)

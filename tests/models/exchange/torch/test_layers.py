from typing import Any

import numpy as np
import pytest

from gpucnn import (
    Add,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPool2D,
    Model,
    RandomFlip,
    RandomTranslation,
    ReLU,
    Rescaling,
    Reshape,
    SeparableConv2D,
    Sequential,
    Sigmoid,
    Softmax,
    SpatialDropout2D,
    Tanh,
    models,
)
from gpucnn.errors import InvalidTypeError, InvalidValueError
from gpucnn.layers import LAYERS, Layer
from gpucnn.models.exchange.torch.layers import MERGERS, MODULES
from gpucnn.models.exchange.torch.modules import Module
from gpucnn.models.exchange.torch.state_dict import to_state_dict
from gpucnn.models.exchange.torch.to_torch import modules_of_model
from models.exchange.layers import IMAGES, SHAPE, VECTORS, built
from models.exchange.random_networks import random_graph, random_network
from models.exchange.torch.in_numpy import run

TOLERANCE = 1e-5  # of the outputs' magnitude, in float32, as for ONNX


def modules(*layers: Layer, shape: tuple[int, ...] = SHAPE) -> list[Module]:
    return modules_of_model(built(layers, shape).exported())


def check(model: Model) -> None:
    """Check that the modules compute of images, channels first if any, what the model predicts."""
    exported = model.exported()
    described = modules_of_model(exported)
    state = to_state_dict(described, exported.weights, exported.dtype)
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (3, *model.input_shape)).astype(np.float32)
    expected = model.predict(x)
    given = x if x.ndim == 3 else np.moveaxis(x, -1, 1)
    found = run(described, state, given.astype(np.float64))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE * abs(expected).max())


@pytest.mark.parametrize("layer", IMAGES, ids=repr)
def test_a_layer_computes_what_it_does_here(layer: Layer) -> None:
    check(built([Conv2D(4, 1), layer, Flatten(), Dense(3)]))


@pytest.mark.parametrize("layers", VECTORS, ids=repr)
def test_vectors_have_their_elements_in_order(layers: list[Layer]) -> None:
    ending = [] if isinstance(layers[0], Conv2D) else [Dense(3)]
    check(built([*layers, *ending]))


@pytest.mark.parametrize("kind", [MaxPool2D, AveragePooling2D])
@pytest.mark.parametrize("size", [1, 2, 3, 4, (2, 5)])
@pytest.mark.parametrize("strides", [1, 2, 3, (1, 4), (2, 1)])
def test_pooling_sees_the_same_windows(kind: Any, size: Any, strides: Any) -> None:
    for shape in ((7, 6, 2), (4, 5, 2), (1, 3, 2)):
        check(built([kind(size, strides, "same"), Flatten(), Dense(3)], shape))


def test_images_may_have_other_axes() -> None:
    for shape in ((8,), (5, 4), (2, 3, 2, 3)):
        check(built([BatchNormalization(), Rescaling(2.0, 0.5), Flatten(), Dense(3)], shape))


def test_images_without_channels_are_taken_as_they_are() -> None:
    shape = 5, 4
    for layers in ([], [ReLU()], [Reshape((5, 4, 1)), Conv2D(2, 3)], [Reshape((4, 5, 1))]):
        for each in ([], [BatchNormalization()], [Rescaling([0.5, 1.0, 2.0, 3.0])]):
            check(built([*each, *layers, Flatten(), BatchNormalization(), Dense(3)], shape))
    kinds = [each.kind for each in modules(Flatten(), Dense(3), shape=shape)]
    assert kinds == ["Flatten", "Linear", "Softmax"]


def test_images_of_many_axes_are_refused() -> None:
    for layer in (BatchNormalization(), Rescaling(0.5)):
        name = type(layer).__name__.lower()
        with pytest.raises(InvalidValueError, match=f"^{name} has an input of the shape"):
            modules(Reshape((2, 3, 4, 7, 1)), layer, Flatten(), Dense(3))


def test_every_layer_that_runs_is_known() -> None:
    others = {SeparableConv2D, Softmax}  # which run as others, or with the end
    assert {*MODULES, *MERGERS} == set(LAYERS) - others


@pytest.mark.parametrize("seed", range(60))
def test_random_networks_compute_what_they_do_here(seed: int) -> None:
    check(random_network(seed))


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs_compute_what_they_do_here(seed: int) -> None:
    check(random_graph(seed))


def joined(*axes: int, shape: tuple[int, ...] = SHAPE) -> Model:
    """What images and their tanh give along axes, one after the other, and then added."""
    images = Input(shape)
    x: Any = images
    for axis in axes:
        x = Concatenate(axis)([x, Tanh()(x), Sigmoid()(x)])
    if len(shape) > 1:
        x = Concatenate()([Flatten()(x), Flatten()(ReLU()(x))])
        x = Add()([x, Tanh()(x), x])
    return Model(images, Dense(3)(x), device="cpu", seed=1, threads=1)


def test_tensors_of_any_axes_are_joined() -> None:
    check(joined(1, 2, 3, -1, -2, -3))
    check(joined(1, -1, shape=(6,)))
    check(joined(1, -1, -2, shape=(5, 4)))
    check(joined(1, 2, 4, shape=(2, 3, 2, 3)))


def test_images_of_two_axes_are_joined_in_one_order() -> None:
    for merging in (Add(), Concatenate(1), Concatenate(2)):
        images = Input((5, 4))
        turned = BatchNormalization()(images)  # which comes with its channels first
        x = merging([images, turned, Tanh()(images)])
        check(Model(images, Dense(3)(Flatten()(x)), device="cpu", threads=1))


def test_sums_and_parts_are_functions() -> None:
    images = Input((7, 6, 4))
    x = Concatenate()([images, Add()([images, ReLU()(images), Tanh()(images)])])
    made = modules_of_model(Model(images, Dense(2)(Flatten()(x)), device="cpu").exported())
    assert [(each.kind, each.inputs) for each in made] == [
        ("ReLU", (-1,)),
        ("Tanh", (-1,)),
        ("add", (-1, 0)),
        ("add", (2, 1)),
        ("cat", (-1, 3)),
        ("Flatten", (4,)),
        ("Linear", (5,)),
        ("Softmax", (6,)),
    ]
    assert [each.arguments for each in made if each.is_function] == [{}, {}, {"dim": 1}]


@pytest.mark.parametrize("name", models.MODELS)
def test_presets_compute_what_they_do_here(name: str) -> None:
    check(models.MODELS[name]("float32", "cpu"))


def test_modules_are_those_that_people_write() -> None:
    layers = [Conv2D(3, 3, padding="same"), ReLU(), MaxPool2D(), Dropout(0.2), Flatten(), Dense(5)]
    found = [(each.kind, dict(each.arguments)) for each in modules(*layers)]
    sliding = {"kernel_size": (3, 3), "stride": (1, 1), "padding": (1, 1), "dilation": (1, 1)}
    convolution = {"in_channels": 4, "out_channels": 3, **sliding, "groups": 1, "bias": True}
    pooled = {"kernel_size": (2, 2), "stride": (2, 2), "padding": (0, 0), "ceil_mode": False}
    assert found == [
        ("Conv2d", convolution),
        ("ReLU", {}),
        ("MaxPool2d", pooled),
        ("Dropout", {"p": 0.2}),
        ("Flatten", {}),
        ("Linear", {"in_features": 27, "out_features": 5, "bias": True}),
        ("Softmax", {"dim": 1}),
    ]


def test_what_acts_in_training_is_there_too() -> None:
    found = {
        each.kind: each.arguments
        for each in modules(
            SpatialDropout2D(0.3),
            BatchNormalization(momentum=0.9, epsilon=0.1),
            Flatten(),
            Dense(2),
        )
    }
    assert found["Dropout2d"] == {"p": 0.3}
    of_norm = {"num_features": 4, "eps": 0.1, "momentum": pytest.approx(0.1), "affine": True}
    assert found["BatchNorm2d"] == of_norm


def test_what_varies_images_leaves_no_module() -> None:
    layers = [RandomFlip(), RandomTranslation(0.1, 0.1), GlobalAveragePooling2D(), Dense(2)]
    found = [each.kind for each in modules(*layers)]
    assert found == ["AdaptiveAvgPool2d", "Flatten", "Linear", "Softmax"]


def test_softmax_comes_last_where_it_is_predicted() -> None:
    def last(model: Model) -> str:
        return modules_of_model(model.exported())[-1].kind

    model = built([Flatten(), Dense(3)])
    assert last(model) == "Softmax"
    assert last(built([Flatten(), Dense(3), Softmax()])) == "Softmax"
    model.compile(loss="mse")
    assert last(model) == "Linear"
    assert last(Sequential([model, Softmax()])) == "Softmax"


def test_layers_of_your_own_are_refused() -> None:
    class Mine(ReLU):
        pass

    with pytest.raises(InvalidTypeError, match=r"^mine is a Mine, a class of your own, for which"):
        modules(Conv2D(2, 2), Mine(), Flatten(), Dense(2))

"""The description of a model, and what the browser computes by it."""

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page

from browser import MODULES
from expect import refusal
from gpucnn import Conv2D, Dense, Flatten, Input, Model, ReLU, Sequential, Sigmoid, models
from gpucnn.errors import InvalidTypeError
from gpucnn.layers import LAYERS, SeparableConv2D, Softmax
from gpucnn.losses import BinaryCrossentropy, SparseCategoricalCrossentropy
from gpucnn.models.exchange.export import encoding_of
from gpucnn.models.exchange.page.operations import OPERATIONS, describe
from gpucnn.models.pictures.passes import Probe
from models.exchange.random_networks import draw_weights, random_graph, random_network
from own import Softplus

CHAINS, GRAPHS = 60, 30

TOLERANCE = 1e-5
"""Of the magnitude. The browser computes in float64, so that this is what `predict` rounds."""

SLOPE_TOLERANCE = 1e-4
"""Of the greatest slope. Scales and offsets are rounded to float32, by 6e-8; where a sigmoid
saturates, an exponential multiplies that by its argument, which comes up to a few hundred here."""

RUN = """async ([modules, descriptions, images]) => {
    const { Network } = await import(`${modules}/network.js`);
    return descriptions.map((description, i) => {
        const network = new Network(description);
        const probabilities = [...network.predict(Uint8Array.from(images[i]))];
        return [probabilities, [...network.saliency()]];
    });
}"""


def random_networks() -> list[Model]:
    return [*map(random_network, range(CHAINS)), *map(random_graph, range(GRAPHS))]


def described(model: Model) -> dict[str, Any]:
    encoding = encoding_of(model.pixels, model.layers, takes_bytes=True)
    return describe(model.exported(), encoding)


def drawn(model: Model) -> NDArray[np.uint8]:
    shape = 1, *model.input_shape
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def run(page: Page, *networks: Model) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """The probabilities of an image by each network, and the gradient, in the browser."""
    images = [drawn(model).ravel().tolist() for model in networks]
    found = page.evaluate(RUN, [MODULES, [described(each) for each in networks], images])
    return [(np.array(probabilities), np.array(slopes)) for probabilities, slopes in found]


def check(page: Page, *networks: Model) -> None:
    """Check that the browser computes of bytes what the networks predict."""
    for model, (probabilities, _) in zip(networks, run(page, *networks), strict=True):
        (expected,) = model.classify(drawn(model)).probabilities
        assert probabilities.shape == expected.shape
        difference = abs(probabilities - expected).max()
        assert difference <= TOLERANCE * abs(expected).max(), model.layers


def test_random_networks_compute_what_they_do_here(modules: Page) -> None:
    networks = random_networks()
    kinds = {type(layer) for model in networks for layer in model.replica.plain}
    assert kinds == set(OPERATIONS)  # each layer is tried
    check(modules, *networks)


def test_gradients_are_those_of_the_library(modules: Page) -> None:
    """Held to a copy in float64, since where a sigmoid saturates they are all rounding."""
    networks = random_networks()
    for model, (_, slopes) in zip(networks, run(modules, *networks), strict=True):
        image = Input(model.input_shape)
        outputs = model.graph.call(deepcopy(model.layers), image)
        precise = Model(image, outputs, dtype="float64", device="cpu")
        precise.compile(loss=model.loss)
        precise.set_weights(model.get_weights())
        images = precise._images(drawn(model), None)
        expected = Probe(precise).explain(images).saliency.gradients.ravel()
        assert abs(slopes - expected).max() <= SLOPE_TOLERANCE * abs(expected).max(), model.layers


@pytest.mark.parametrize("name", models.MODELS)
def test_presets_compute_what_they_do_here(modules: Page, name: str) -> None:
    check(modules, models.MODELS[name]("float32", "cpu"))


def test_a_relu_may_have_a_most(modules: Page) -> None:
    model = Sequential([ReLU(0.2), Flatten(), Dense(3)], (5, 4, 1), device="cpu")
    check(modules, model)
    ((_, slopes),) = run(modules, model)
    passed = abs(drawn(model) / 255 - 0.5 - 0.1) < 0.1
    assert ((slopes != 0) == passed.ravel()).all()


def test_every_layer_that_runs_is_known() -> None:
    others = {SeparableConv2D, Softmax}  # which run as others, or with the end
    assert set(OPERATIONS) == set(LAYERS) - others


# Ends

ENDS: list[tuple[list[Any], Any, str]] = [
    ([Dense(3)], None, "softmax"),
    ([Dense(3, "softmax")], None, "softmax"),
    ([Dense(3)], SparseCategoricalCrossentropy(from_logits=True), "softmax"),
    ([Dense(1, "sigmoid")], BinaryCrossentropy(), "binary"),
    ([Dense(1)], BinaryCrossentropy(from_logits=True), "logistic"),
    ([Dense(3), Sigmoid()], None, "none"),
]


@pytest.mark.parametrize(("layers", "loss", "end"), ENDS, ids=lambda each: repr(each))
def test_the_end_makes_probabilities(modules: Page, layers: list[Any], loss: Any, end: str) -> None:
    model = Sequential([Flatten(), *deepcopy(layers)], (3, 2, 2), device="cpu")
    draw_weights(model, 1)
    if loss is not None:
        model.compile(loss=loss)
    assert described(model)["end"] == end
    check(modules, model)


def test_softmax_of_a_model_is_exported(modules: Page) -> None:
    model = Sequential([Flatten(), Dense(3)], (3, 2, 1), device="cpu")
    check(modules, Sequential([model, Softmax()]))


@pytest.mark.parametrize("x", [-30, -6.5, -2, -0.3, 0, 1e-9, 0.7, 3, 5.9, 30])
def test_the_error_function(modules: Page, x: float) -> None:
    from math import erf

    code = f"async (x) => (await import('{MODULES}/operations.js')).erf(x)"
    assert modules.evaluate(code, x) == pytest.approx(erf(x), rel=4e-15)


@pytest.mark.parametrize("x", [-37, -12, -6.5, -3.1, -2.9, -0.3, 0, 0.7, 3, 9])
def test_the_normal_distribution(modules: Page, x: float) -> None:
    """Far below 0 too; at -3, where `erf` errs by up to 4e-15 of 1, this is 0.00135."""
    from math import erfc, sqrt

    code = f"async (x) => (await import('{MODULES}/operations.js')).normal(x)"
    assert modules.evaluate(code, x) == pytest.approx(erfc(-x / sqrt(2)) / 2, rel=1.5e-12)


# What cannot be a page


def test_layers_of_ones_own_are_refused() -> None:
    model = Sequential([Softplus(name="mine"), Flatten(), Dense(3)], (3, 2, 1), device="cpu")
    with refusal(
        "mine is a Softplus, a class of your own, which a page cannot compute: export a model of "
        "gpucnn's layers",
        InvalidTypeError,
    ):
        described(model)


def test_models_that_tell_no_classes_are_refused() -> None:
    model = Sequential([Flatten(), Dense(3)], (3, 2, 1), device="cpu")
    model.compile(loss="mse")
    with refusal(
        "the model does not tell one class of several, which is what a page shows: export a "
        "classifier"
    ):
        described(model)


def test_models_of_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match="images"):
        described(Sequential([Dense(3), ReLU(), Dense(2)], (4,), device="cpu"))


def test_weights_beyond_float32_are_refused() -> None:
    model = Sequential([Conv2D(2, 1), Flatten(), Dense(3)], (2, 2, 1), "float64", "cpu")
    model.layers[0].set_weights([np.full((1, 1, 1, 2), 1e39), np.zeros(2)])
    with refusal(
        "the model has a weight beyond 3.4e+38, the largest of float32, in which a page has "
        "weights: scale them down"
    ):
        described(model)

"""Muon: matrices by orthogonalised momentum, all else by AdamW."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import loops
import small
from gpucnn import AdamW, Dense, Flatten, Muon, Sequential, get_backend
from gpucnn.backends import Array
from gpucnn.optimizers import Optimizer

LAYOUT = small.layout(
    **{
        "conv2d.kernel": (2, 2, 1, 2),
        "conv2d.bias": (2,),
        "dense.kernel": (5, 3),
        "dense.bias": (3,),
        "dense_1.kernel": (2, 4),
        "embedding.table": (3, 3),
    }
)
"""With a tall matrix, a wide one, and one that is taken for an embedding."""

SIZE = LAYOUT[-1].start + 9
STEPS = 4


def gradients(step: int) -> Array:
    return np.random.default_rng(step).standard_normal(SIZE)


def split(vector: Array) -> dict[str, Array]:
    """Each parameter, by its name."""
    return {
        each.name: vector[each.start : each.start + math.prod(each.shape)].reshape(each.shape)
        for each in LAYOUT
    }


def trained(optimizer: Optimizer, first: Array) -> dict[str, Array]:
    parameters = first.copy()
    optimizer.place(get_backend("cpu"), parameters, LAYOUT)
    for step in range(STEPS):
        optimizer.apply(parameters, gradients(step), np.array(optimizer.all_factors(step)))
    return split(parameters)


def matrix_by_numbers(muon: Muon, name: str, first: Array) -> Array:
    """A matrix after all steps, one element at a time."""
    matrix = split(first)[name].copy()
    velocity, rate = np.zeros(matrix.shape), float(muon.factors(0)[0])
    scale = 1.0 if muon.rms_rate is None else muon.rms_rate * math.sqrt(max(matrix.shape))
    for step in range(STEPS):
        gradient, direction = split(gradients(step))[name], np.zeros(matrix.shape)
        for place in np.ndindex(*matrix.shape):
            pair = float(gradient[place]), float(velocity[place])
            velocity[place], direction[place] = loops.momentum(*pair, muon.momentum, muon.nesterov)
        x = loops.orthogonalized(direction, muon.muon_a, muon.muon_b, muon.muon_c, muon.ns_steps)
        for place in np.ndindex(*matrix.shape):
            matrix[place] -= rate * (muon.weight_decay or 0) * matrix[place]
            matrix[place] -= rate * scale * x[place]
    return matrix


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"learning_rate": 0.1, "nesterov": False, "momentum": 0.5},
        {"rms_rate": None, "weight_decay": None},
        {"rms_rate": 0.5, "weight_decay": 0.3, "ns_steps": 2},
        {"muon_a": 1.5, "muon_b": -0.5, "muon_c": 0.0, "ns_steps": 1},
    ],
    ids=repr,
)
@pytest.mark.parametrize("name", ["dense.kernel", "dense_1.kernel"])
def test_matrices_follow_its_formula(name: str, options: dict[str, Any]) -> None:
    muon, first = Muon(**options), gradients(99)
    assert_allclose(trained(muon, first)[name], matrix_by_numbers(muon, name, first), rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "excluded"),
    [
        ({}, {"embedding.table"}),
        ({"exclude_embeddings": False}, set()),
        ({"exclude_layers": ["dense_1"]}, {"dense_1.kernel", "embedding.table"}),
        ({"exclude_layers": ["dense"]}, {"dense.kernel", "dense_1.kernel", "embedding.table"}),
        ({"exclude_layers": [r"^dense\."]}, {"dense.kernel", "embedding.table"}),
        (
            {"exclude_layers": ["x", "bel?"], "exclude_embeddings": False},
            {"embedding.table"},
        ),
    ],
    ids=range(6),
)
def test_all_else_moves_as_by_adamw(options: dict[str, Any], excluded: set[str]) -> None:
    first, others = gradients(99), {"conv2d.kernel", "conv2d.bias", "dense.bias"} | excluded
    mine, adamw = trained(Muon(0.05, **options), first), trained(AdamW(0.05), first)
    for name, found in mine.items():
        assert np.array_equal(found, adamw[name]) == (name in others), name


def test_the_arguments_of_adamw() -> None:
    first = gradients(99)
    muon = Muon(0.05, 0.5, 0.7, 0.3, 0.01, exclude_layers=["."], adam_lr_ratio=0.25)
    decay = 0.3 * 0.05 / 0.0125  # which takes the whole rate
    adamw = AdamW(0.0125, decay, beta_1=0.5, beta_2=0.7, epsilon=0.01)
    for name, expected in trained(adamw, first).items():
        assert_allclose(trained(muon, first)[name], expected, rtol=1e-12)
    undecayed = trained(Muon(0.05, adam_weight_decay=None, exclude_layers=["."]), first)
    for name, expected in trained(AdamW(0.05, 0.0), first).items():
        assert_array_equal(undecayed[name], expected)


@pytest.mark.parametrize("shape", [(6, 6), (40, 8), (8, 40), (1, 7), (7, 1)])
def test_steps_are_nearly_orthogonal(shape: tuple[int, int]) -> None:
    """Each singular value goes through the polynomial, which takes all above 0.001 near to 1."""
    noise = np.random.default_rng(0).standard_normal(shape)
    u, _, v = np.linalg.svd(noise, full_matrices=False)
    singular = np.geomspace(1, 0.001, min(shape))
    gradient, parameters = u * singular @ v, np.zeros(math.prod(shape))
    muon = Muon(1.0, rms_rate=None, nesterov=False)
    muon.place(get_backend("cpu"), parameters, small.layout(dense=shape))
    muon.apply(parameters, gradient.ravel(), np.array(muon.all_factors(0)))

    expected = singular / (np.sqrt(np.sum(singular**2)) + 1e-7)
    for _ in range(5):
        expected = 3.4445 * expected - 4.7750 * expected**3 + 2.0315 * expected**5
    assert_allclose(-parameters.reshape(shape), u * expected @ v, atol=1e-12)
    assert expected.min() > 0.3
    assert expected.max() < 1.25


def test_a_gradient_of_zeros_moves_nothing() -> None:
    parameters = np.ones(SIZE)
    muon = Muon(weight_decay=None, adam_weight_decay=None)
    muon.place(get_backend("cpu"), parameters, LAYOUT)
    muon.apply(parameters, np.zeros(SIZE), np.array(muon.all_factors(0)))
    assert_array_equal(parameters, np.ones(SIZE))


@pytest.mark.parametrize("device", ["cpu", "simulator"])
def test_it_trains(device: str) -> None:
    layers = [Flatten(), Dense(8, "relu"), Dense(small.CLASSES)]
    model = Sequential(layers, small.SHAPE, device=device)
    model.compile(Muon(0.05, exclude_layers=["dense_1"]))
    x, y = small.images(24), small.labels(24)
    losses = model.fit(x, y, batch_size=8, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.25 * losses[0]


def test_devices_agree() -> None:
    weights = []
    for device in ("cpu", "simulator"):
        layers = [Flatten(), Dense(5, "relu"), Dense(small.CLASSES)]
        model = Sequential(layers, small.SHAPE, device=device, dtype="float64")
        model.compile(Muon(0.02))
        model.fit(small.images(12), small.labels(12), batch_size=4, epochs=2, verbose=0)
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        assert_allclose(one, other, rtol=1e-9, atol=1e-12)

"""Gradients that are clipped before a step."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import loops
import small
from gpucnn import SGD, Adam, Muon, get_backend
from gpucnn.backends import Array, CpuBackend
from gpucnn.optimizers import Optimizer

LAYOUT = small.layout(kernel=(2, 3), bias=(3,), last=(1,))
GRADIENTS = np.array([3.0, -4.0, 0, 0, 0, 0, 0.3, 0, 0.4, -7.0])


def step(optimizer: Optimizer, gradients: Array, iteration: int = 0) -> Array:
    """What a step adds to parameters of 0."""
    parameters = np.zeros(gradients.shape, gradients.dtype)
    optimizer.place(get_backend("cpu"), parameters, LAYOUT)
    factors = np.array(optimizer.all_factors(iteration), gradients.dtype)
    optimizer.apply(parameters, gradients.copy(), factors)
    return parameters


@pytest.mark.parametrize(
    ("options", "clipped"),
    [
        ({}, GRADIENTS),
        ({"clipnorm": 1.0}, [0.6, -0.8, 0, 0, 0, 0, 0.3, 0, 0.4, -1.0]),
        ({"clipnorm": 10.0}, GRADIENTS),
        ({"global_clipnorm": 10.0}, GRADIENTS),
        ({"global_clipnorm": 0.5}, GRADIENTS * 0.5 / math.sqrt(25 + 0.25 + 49)),
        ({"clipvalue": 0.35}, [0.35, -0.35, 0, 0, 0, 0, 0.3, 0, 0.35, -0.35]),
    ],
    ids=repr,
)
def test_what_is_clipped(options: dict[str, Any], clipped: Any) -> None:
    """By norm: of each parameter, or of all together."""
    assert_allclose(step(SGD(0.5, **options), GRADIENTS), -0.5 * np.array(clipped), rtol=1e-14)


@pytest.mark.parametrize("limit", [0.1, 1.0, 30.0])
def test_norms_are_those_of_the_loops(limit: float) -> None:
    gradients = np.random.default_rng(0).standard_normal(10) * 5
    parts = np.split(gradients, [6, 9])
    expected = np.concatenate([loops.clip_norm(part, limit) for part in parts])
    assert_allclose(step(SGD(1.0, clipnorm=limit), gradients), -expected, rtol=1e-14)
    together = -loops.clip_norm(gradients, limit)
    assert_allclose(step(SGD(1.0, global_clipnorm=limit), gradients), together, rtol=1e-14)


def test_it_comes_before_the_rule() -> None:
    """Adam's first step is that of the clipped gradient, which epsilon makes differ."""
    clipped = GRADIENTS.clip(-0.1, 0.1)
    expected = step(Adam(epsilon=1.0), clipped)
    assert_array_equal(step(Adam(epsilon=1.0, clipvalue=0.1), GRADIENTS), expected)


def test_weights_decay_by_what_is_not_clipped() -> None:
    optimizer, parameters = SGD(0.5, weight_decay=0.25, clipvalue=0.001), np.full(10, 8.0)
    optimizer.place(get_backend("cpu"), parameters, LAYOUT)
    optimizer.apply(parameters, np.zeros(10), np.array(optimizer.all_factors(0)))
    assert_array_equal(parameters, np.full(10, 7.0))


@pytest.mark.parametrize("option", ["clipnorm", "global_clipnorm", "clipvalue"])
def test_a_limit_can_be_changed_between_epochs(option: str) -> None:
    optimizers: list[Any] = [SGD(0.5), SGD(0.5)]
    for optimizer, limit in zip(optimizers, (1e-3, 10.0), strict=True):
        setattr(optimizer, option, limit)
    models = [small.model(each) for each in optimizers]
    setattr(models[1].optimizer, option, 1e-3)
    for model in models:
        model.fit(small.images(9), small.labels(9), batch_size=4, verbose=0)
    assert small.weight_bytes(models[0]) == small.weight_bytes(models[1])


@pytest.mark.parametrize("device", ["cpu", "simulator"])
def test_a_small_limit_makes_small_steps(device: str) -> None:
    model = small.model(SGD(1.0, clipnorm=1e-3), device=device)
    before = model.get_weights()
    model.fit(small.images(8), small.labels(8), batch_size=4, verbose=0)
    moved = [np.linalg.norm(a - b) for a, b in zip(model.get_weights(), before, strict=True)]
    assert max(moved) <= 2.001e-3
    assert min(moved) > 1e-4


@pytest.mark.parametrize("optimizer", [SGD(), Adam(), Muon()], ids=lambda each: type(each).__name__)
def test_what_is_not_asked_for_takes_no_operation(
    optimizer: Optimizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError

    for name in ("clip", "clip_norms", "average_parameters"):
        monkeypatch.setattr(CpuBackend, name, refuse, raising=False)
    step(optimizer, GRADIENTS)
    assert optimizer.all_factors(0) == optimizer.factors(0)
    for clipping in (SGD(clipnorm=1.0), SGD(clipvalue=1.0), SGD(use_ema=True)):
        with pytest.raises(AssertionError):
            step(clipping, GRADIENTS)

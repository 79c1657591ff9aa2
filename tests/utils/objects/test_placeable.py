"""Pickling and copying layers and optimizers that are placed."""

import pickle
from copy import copy, deepcopy
from typing import Any

import numpy as np
import pytest

import small
from gpucnn import Adam, Dense, Dropout, Sequential
from gpucnn.layers import Layer


@pytest.mark.parametrize("again", [copy, deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_is_as_before_it_was_placed(again: Any) -> None:
    model = small.model(Adam(0.5))
    model.fit(small.images(3), small.labels(3), verbose=0)
    for layer in model.layers:
        other: Layer = again(layer)
        assert not other.is_placed
        assert (other.name, other.index, other.output_shape) == (
            layer.name,
            layer.index,
            layer.output_shape,
        )
        assert repr(other) == repr(layer)
        assert not any(isinstance(value, np.ndarray) for value in vars(other).values())
    assert layer.is_placed
    optimizer = again(model.optimizer)
    assert not optimizer.is_placed
    assert repr(optimizer) == repr(model.optimizer)


def test_that_was_not_placed_keeps_all() -> None:
    layer = Dropout(0.25)
    layer.note = "mine"  # type: ignore[attr-defined]
    assert copy(layer).note == "mine"  # type: ignore[attr-defined]


def test_can_be_placed_again() -> None:
    layer = copy(small.model().layers[-1])
    assert isinstance(layer, Dense)
    model = Sequential([*small.layers()[:-1], layer], small.SHAPE)
    assert model.predict(small.images(2)).shape == (2, small.CLASSES)

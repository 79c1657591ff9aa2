"""Somebody's tests of a program that uses the library."""

import os

import pytest
from digits import answers, new_model, train, weights, x_test


@pytest.mark.parametrize("number", range(2))
def test_training(number: int) -> None:
    model = train(new_model())
    assert weights(model) == os.environ["TRAINED"]
    assert answers(model.predict(x_test)) == os.environ["PREDICTED"]

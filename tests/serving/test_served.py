"""Answers do not depend on what else is computed at the time."""

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose

import small
from gpucnn import (
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    MaxPool2D,
    ReLU,
    Rescaling,
    Sequential,
)
from gpucnn.errors import TrainingError
from gpucnn.layers import Layer
from gpucnn.serving.served import Asked, Placed

KINDS: dict[str, Callable[[], list[Layer]]] = {
    "plain": small.layers,
    "normalised": lambda: [
        Conv2D(4, 3),
        BatchNormalization(),
        ReLU(),
        MaxPool2D(2),
        Flatten(),
        Dense(3),
    ],
    "rescaled": lambda: [
        Rescaling(1 / 127.5, -1),
        Conv2D(4, 3, activation="relu"),
        Flatten(),
        Dense(3),
    ],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("encoding", ["bytes", "floats"])
def test_an_answer_is_the_same_in_every_batch(kind: str, encoding: str) -> None:
    model = Sequential(KINDS[kind](), small.SHAPE, device="cpu", threads=1, seed=3)
    images = small.images(64)
    images[1] //= 64  # hardly more than black
    trained_on = images if encoding == "bytes" else images / 255
    model.fit(trained_on[2:], small.labels(62), epochs=2, verbose=0)
    placed = Placed(model, "cpu")
    alone = [placed.answer([Asked(each, is_explained=True)])[0] for each in images]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_allclose(
            [each.probabilities for each in alone[1:]],
            np.concatenate([model.predict(each[None]) for each in images[1:]]),
            rtol=1e-4, atol=1e-6,
        )  # fmt: skip
    chance = np.random.default_rng(0)
    for _ in range(10):
        chosen = chance.integers(0, 64, chance.integers(1, 33))
        explained = chance.random(len(chosen)) < 0.5
        asked = [Asked(images[i], bool(e)) for i, e in zip(chosen, explained, strict=True)]
        for index, is_explained, found in zip(chosen, explained, placed.answer(asked), strict=True):
            expected = alone[index]
            assert_allclose(found.probabilities, expected.probabilities, rtol=1e-5, atol=1e-7)
            assert (found.pixels == images[index]).all()
            assert (found.explanation is not None) == is_explained
            if found.explanation is not None and expected.explanation is not None:
                gradients = found.explanation.saliency.gradients[found.number]
                expected_gradients = expected.explanation.saliency.gradients[0]
                assert_allclose(gradients, expected_gradients, rtol=1e-4, atol=1e-6)
                for name, maps in found.explanation.maps.items():
                    assert_allclose(
                        maps[found.number], expected.explanation.maps[name][0], rtol=1e-4, atol=1e-5
                    )


def test_probabilities_that_are_no_numbers_are_refused() -> None:
    model = small.model(threads=1)
    model.set_weights([np.full_like(each, 3e37) for each in model.get_weights()])
    with pytest.raises(TrainingError, match=r"^a probability is not finite"):
        Placed(model, "cpu").answer([Asked(small.images(1)[0])])

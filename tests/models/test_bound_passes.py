"""Inference as bound passes, against the layers one by one."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from gpucnn.layers import Conv2D, Dense, Dropout, Flatten, Layer, MaxPool2D, ReLU, Reshape
from gpucnn.layers.base import Step
from gpucnn.models import MODELS
from gpucnn.models.model import Model
from gpucnn.models.replica.bound import KEPT
from gpucnn.models.sequential import Sequential


def images(count: int, of: Model, seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).random((count, *of.input_shape)).astype(of.dtype)


def vary(model: Model, seed: int = 0) -> None:
    """Set weights of which none is 0, nor a variance below it."""
    generator = np.random.default_rng(seed)
    model.set_weights([each + generator.random(each.shape) / 10 for each in model.get_weights()])


def layer_by_layer(model: Model, x: NDArray[Any]) -> NDArray[Any]:
    """The logits by the `forward` of each layer, with those of training, none folded."""
    replica = model.replica
    replica.reserve(len(x), training=True)
    with model.backend.session():
        return np.array(replica.lane.forward(replica.lane.to_layout(x)))


def check(model: Model, x: NDArray[Any]) -> None:
    """Check the logits to three quarters of the digits.

    Rounding costs fewer in sums of a few thousand terms; another weight, order or formula leaves
    hardly any.
    """
    expected = layer_by_layer(model, x)
    found = np.array(model.forward(x))
    scale = float(np.abs(expected).max())
    tolerance = float(np.finfo(model.dtype).eps) ** 0.75 * scale
    assert_allclose(found, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", MODELS)
def test_presets(name: str, dtype: str) -> None:
    model = MODELS[name](dtype, "cpu", threads=1)
    for seed, count in enumerate((1, 3, 9, 1)):
        vary(model, seed)
        check(model, images(count, model, seed))


class Doubled(Layer):
    """A layer of a user's own, which gives another array each time."""

    def build(self, input_shape: tuple[int, ...]) -> None:
        self.input_shape = self.output_shape = input_shape

    def forward(self, x: Any, step: Step | None) -> Any:
        return x * 2.0

    def backward(self, output_gradient: Any) -> Any:
        return output_gradient * 2.0


class Widened(Dense):
    """A dense layer of a user's own, which computes something else."""

    def forward(self, x: Any, step: Step | None) -> Any:
        return super().forward(x, step) + 1


def pooled(filters: int) -> list[Layer]:
    return [Conv2D(filters, 3), ReLU(), MaxPool2D(2)]


@pytest.mark.parametrize("count", [1, 2, 6, 20])
@pytest.mark.parametrize(
    "layers",
    [
        [*pooled(16), Doubled(), Flatten(), Dense(3)],
        [*pooled(16), Conv2D(4, 2), Flatten(), Dropout(0.5), Dense(3)],
        [*pooled(16), *pooled(16), ReLU(), Flatten(), Widened(3)],
        [*pooled(5), Reshape((-1, 1, 5)), Conv2D(3, 1), Flatten(), Dense(9), ReLU(6.0), Dense(3)],
        [*pooled(20), Reshape((4, -1, 10)), MaxPool2D(2), Flatten(), Dense(3)],
    ],
    ids=["own", "plain convolution", "own dense", "reshaped", "reshaped from inside"],
)
def test_layers_of_other_orders_in_memory(layers: list[Layer], count: int) -> None:
    made = [type(each)(**each.get_config()) for each in layers]
    model = Sequential(made, (14, 14, 2), device="cpu", threads=1)
    vary(model)
    check(model, images(count, model))


def test_weights_that_a_caller_writes_to_are_seen() -> None:
    model = MODELS["notebook"]("float64", "cpu", threads=1)
    x = images(1, model)
    before = np.array(model.forward(x))
    model.parameters[:72] *= 3
    check(model, x)
    assert np.abs(model.forward(x) - before).max() > 1e-3


def test_training_between_predictions() -> None:
    model = MODELS["fast"]("float64", "cpu", threads=1)
    x = images(8, model)
    model.predict(x)
    model.fit(x, np.arange(8), epochs=1, batch_size=4, verbose=0)
    check(model, x)


def test_passes_of_few_batch_sizes_are_kept() -> None:
    model = MODELS["notebook"](device="cpu", threads=1)
    bound = model.replica.inferring.bound
    for count in (KEPT + 2, *range(1, KEPT + 2), 1):  # the largest first: it replaces memory
        check(model, images(count, model))
    assert len(bound._passes) == KEPT
    assert bound[1] is bound[1]


def test_threads_that_predict_at_once() -> None:
    model = MODELS["notebook"](device="cpu", threads=1)
    given = [images(count, model, count) for count in (1, 5, 2, 9) * 3]
    expected = [model.predict(x) for x in given]
    with ThreadPoolExecutor(4) as pool:
        for found, each in zip(pool.map(model.predict, given), expected, strict=True):
            assert_array_equal(found, each)

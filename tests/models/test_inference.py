"""Predictions of a single batch, against those of a data set, and how they are asked for."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from gpucnn.backends import ALONE
from gpucnn.backends.cpu.memory import BUFFERED
from gpucnn.datasets.device_dataset import DeviceDataset
from gpucnn.errors import InvalidValueError, TrainingError
from gpucnn.layers import Conv2D, Dense, Flatten, MaxPool2D, ReLU, Rescaling
from gpucnn.losses import BinaryCrossentropy
from gpucnn.models import MODELS
from gpucnn.models.inference import predict
from gpucnn.models.model import Model
from gpucnn.models.sequential import Sequential


def of_data_set(model: Model, x: NDArray[Any], size: int) -> NDArray[Any]:
    """What a model predicts for images of a data set on its device."""
    replica = model.replica
    data = DeviceDataset(model.backend, model.dtype, x)
    found = np.empty((len(x), model.classes), model.dtype)
    with model.backend.session():
        predict(replica, data, size, ALONE, found)
    return found


def pooled(end: Dense, *before: Any) -> Model:
    layers = [*before, Conv2D(4, 3), ReLU(), MaxPool2D(2), Flatten(), end]
    return Sequential(layers, (12, 12, 2), device="cpu", threads=2)


def logits() -> Model:
    return pooled(Dense(3))


def of_one_output() -> Model:
    model = pooled(Dense(1, activation="sigmoid"))
    model.compile(loss=BinaryCrossentropy())
    return model


def rescaled() -> Model:
    return pooled(Dense(3, activation="softmax"), Rescaling(1 / 255))


@pytest.mark.parametrize("make", [logits, of_one_output, rescaled])
@pytest.mark.parametrize("count", [1, 3, 100])
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64"])
def test_a_batch_is_predicted_as_in_a_data_set(make: Any, count: int, dtype: str) -> None:
    model = make()
    scale = 200 if dtype == "uint8" else 1
    x = (np.random.default_rng(count).random((count, 12, 12, 2)) * scale).astype(dtype)
    expected = of_data_set(model, x, count)
    assert ((expected > 0) & (expected < 1)).all()
    assert_array_equal(model.predict(x), expected)
    assert_array_equal(model.predict_on_batch(x), expected)
    every_other = np.repeat(x, 2, 0)[::2]
    assert not every_other.flags.c_contiguous or count == 1
    assert_array_equal(model.predict(every_other), expected)
    assert_array_equal(model.predict(np.asfortranarray(x)), expected)
    if dtype.startswith("float"):
        assert_array_equal(model.predict(x.astype("float64").tolist()), expected)


def test_results_are_kept_by_the_caller() -> None:
    model = MODELS["notebook"](device="cpu", threads=1)
    x = np.random.default_rng(0).random((2, 1, 28, 28, 1))
    first = model.predict(x[0])
    before = first.copy()
    second = model.predict(x[1])
    assert np.abs(second - first).max() > 1e-4
    assert_array_equal(first, before)


def test_each_call_sees_the_weights_as_they_are() -> None:
    model = MODELS["notebook"]("float64", "cpu", threads=1)
    x = np.random.default_rng(0).random((1, 28, 28, 1))
    before = model.predict(x)
    weights = model.get_weights()
    model.parameters[-10:] = np.arange(10)  # the last bias
    odds = before * np.exp(np.arange(10))
    assert_allclose(model.predict(x), odds / odds.sum(), rtol=1e-12)
    model.parameters[5] = np.nan
    for _ in range(2):
        with pytest.raises(TrainingError, match=r"conv2d\.kernel"):
            model.predict(x)
    model.set_weights(weights)
    assert_array_equal(model.predict(x), before)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_pixels_are_looked_at_in_each_call(bad: float) -> None:
    model = MODELS["notebook"](device="cpu", threads=1)
    x = np.zeros((1, 28, 28, 1))
    model.predict(x)
    x[0, 5, 6] = bad
    with pytest.raises(InvalidValueError, match="pixel that is NaN, infinite or too large"):
        model.predict(x)


def test_large_pixels_are_no_cause_of_warnings() -> None:
    model = MODELS["notebook"](device="cpu", threads=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(np.full((1, 28, 28, 1), 3e38, np.float32))


def test_threads_that_predict_while_the_model_is_trained() -> None:
    model = MODELS["notebook"](device="cpu", threads=1)
    x = np.random.default_rng(0).random((64, 28, 28, 1)).astype("float32")
    y = np.arange(64) % 10
    of_epochs = [model.predict(x[:1])]

    def keep(record: Any) -> None:
        of_epochs.append(model.predict(x[:1]))

    with ThreadPoolExecutor(2) as pool:
        trained = pool.submit(model.fit, x, y, epochs=5, verbose=0, on_epoch_end=keep)
        seen = []
        while not trained.done():
            seen.append(model.predict(x[:1]))
        trained.result()
    assert len(of_epochs) == 6
    known = {each.tobytes() for each in of_epochs}
    assert {each.tobytes() for each in seen} <= known


def test_layers_of_the_users_have_the_settings_of_any_session() -> None:
    seen = []

    class Seeing(ReLU):
        def forward(self, x: Any, step: Any) -> Any:
            seen.append(np.getbufsize())
            return super().forward(x, step)

    model = pooled(Dense(3), Seeing())
    for _ in range(3):
        model.predict(np.zeros((1, 12, 12, 2)))
    assert set(seen) == {BUFFERED}


@pytest.mark.parametrize(("count", "sessions"), [(1, 1), (16, 1), (100, 3)])
def test_small_products_need_no_session_once_they_are_bound(
    monkeypatch: pytest.MonkeyPatch, count: int, sessions: int
) -> None:
    model = MODELS["notebook"](device="cpu", threads=1)
    model.build(model.input_shape)
    session = Mock(wraps=model.backend.session)
    monkeypatch.setattr(model.backend, "session", session)
    found = [model.predict(np.zeros((count, *model.input_shape))) for _ in range(3)]
    assert session.call_count == sessions
    assert_array_equal(found[2], found[0])

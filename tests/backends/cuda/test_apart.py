"""Everything that a model does, on a device whose arrays are not NumPy's."""

from pathlib import Path

import numpy as np
import pytest

import small
from backends.cuda.apart import ApartSimulatorRuntime
from gpucnn.backends.backend import CudaBackend
from gpucnn.backends.cuda.simulator_runtime import SimulatorRuntime
from gpucnn.layers import Conv2D, Dense, Dropout, Flatten, MaxPool2D, ReLU
from gpucnn.models.sequential import Sequential
from gpucnn.notebook import functions as notebook
from gpucnn.optimizers import Optimizer


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{SimulatorRuntime.__module__}.SimulatorRuntime", ApartSimulatorRuntime)


def network() -> Sequential:
    layers = [Conv2D(4, 3), ReLU(), MaxPool2D(2), Conv2D(3, 2), Flatten(), Dropout(0.5), Dense(3)]
    return Sequential(layers, (12, 12, 1), device="simulator")


@pytest.mark.parametrize("optimizer", small.optimizers(), ids=lambda each: type(each).__name__)
def test_life_of_a_model(optimizer: Optimizer, tmp_path: Path) -> None:
    x, y = small.images(10, (12, 12, 1)), small.labels(10)
    model = network()
    assert isinstance(model.backend, CudaBackend)
    model.compile(optimizer)
    model.fit(x, y, batch_size=4, epochs=2, validation_data=(x, y), verbose=0)
    model.save(tmp_path / "model.safetensors")
    loaded = Sequential.load(tmp_path / "model.safetensors", "simulator")
    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))
    assert loaded.evaluate(x, y) == model.evaluate(x, y)
    loaded.fit(x, y, batch_size=4, epochs=1, verbose=0)
    loss, gradients = model.loss_and_gradients(x, y)
    model.place(CudaBackend(SimulatorRuntime()))
    same_loss, same_gradients = model.loss_and_gradients(x, y)
    assert loss == same_loss
    for gradient, same in zip(gradients, same_gradients, strict=True):
        np.testing.assert_array_equal(gradient, same)


def test_functions_of_the_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "_computing", notebook._computing)  # put back after the test
    notebook.use_device("simulator")
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28))
    labels = np.array([1, 2, 3])
    x = notebook.normalize_images(images)
    parameters = notebook.initialize_parameters()
    out, cache = notebook.forward_prop(x, *parameters)
    changed = notebook.backward_prop(x, labels, out, cache, 0.1)
    assert [each.shape for each in changed] == [each.shape for each in parameters]
    notebook.train_cnn(x, labels, *parameters, epochs=1)

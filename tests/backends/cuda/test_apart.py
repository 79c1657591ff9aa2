"""Everything that a model does, on a device whose arrays are not NumPy's."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

import small
from backends.agreement import assert_agrees, results
from backends.cuda.apart import ApartSimulatorRuntime
from backends.fused import (
    WHOLE,
    conv_relu_pool,
    define_fused,
    fused_call,
    fused_plan,
    run_fused,
)
from backends.operations import CALLS
from backends.operations.values import Builder, Values
from backends.strategies import Sizes
from gpucnn.backends import BatchMemory, Buffer, Window, get_backend
from gpucnn.backends.backend import CudaBackend
from gpucnn.backends.cuda.simulator_runtime import SimulatorRuntime
from gpucnn.layers import Conv2D, Dense, Dropout, Flatten, MaxPool2D, ReLU
from gpucnn.models.sequential import Sequential
from gpucnn.notebook import functions as notebook
from gpucnn.optimizers import Optimizer
from gpucnn.verification.calls import define

SIZES = Sizes(images=2, window=Window((7, 6), (3, 2), (2, 1), "same"), channels=3, filters=5)


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{SimulatorRuntime.__module__}.SimulatorRuntime", ApartSimulatorRuntime)


@pytest.mark.parametrize("build", CALLS.values(), ids=CALLS)
def test_operations_outside_of_a_session(build: Builder) -> None:
    call = build(SIZES, Values(0, "float32"))
    assert_agrees(call, results(get_backend("simulator"), call), define(call))


def test_fused_operation_outside_of_a_session() -> None:
    backend = get_backend("simulator")
    fused = conv_relu_pool(SIZES.window, (2, 2), SIZES.channels, SIZES.filters)
    call = fused_call(fused, Values(0, "float32"), WHOLE, images=SIZES.images)
    with backend.session():
        plan = fused_plan(backend, fused, call)
    written = run_fused(backend, call, plan)
    for name, right in define_fused(fused, call).items():
        np.testing.assert_array_equal(written[name], right, name)


def test_memory_outside_of_a_session() -> None:
    backend = get_backend("simulator")
    memory = BatchMemory(backend, Buffer((3,)), np.dtype(np.float32))
    backend.copy(np.ones((2, 3)), memory[2])
    np.testing.assert_array_equal(backend.to_host(backend.to_layout(memory[2], memory[2])), 1)
    np.testing.assert_array_equal(backend.to_host(backend.counting(3)), range(3))
    np.testing.assert_array_equal(backend.to_host(backend.zeros((2,), np.float64)), 0)
    assert backend.to_host(backend.workspace("w", (2,), np.int64)).shape == (2,)


@pytest.mark.parametrize("optimizer", small.optimizers(), ids=lambda each: type(each).__name__)
def test_a_step_outside_of_a_session(optimizer: Optimizer) -> None:
    backend = get_backend("simulator")
    parameters, gradients = (backend.zeros((5,), np.float32) for _ in range(2))
    optimizer.place(backend, parameters, small.layout(kernel=(2, 2), bias=(1,)))
    backend.copy(np.ones(5), gradients)
    factors = backend.asarray(np.array(optimizer.all_factors(0), np.float32))
    optimizer.apply(parameters, gradients, factors)
    assert (backend.to_host(parameters) < 0).all()


def test_it_is_noticed_where_a_device_may_not_be_current() -> None:
    """The test of the tests above."""
    array = get_backend("simulator").zeros((2,), np.float32)
    for use in (array.fill, partial(array.__setitem__, 0)):
        with pytest.raises(RuntimeError, match="where the device may not be current"):
            use(1)


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

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import small
from expect import refusal
from gpucnn import SGD, Sequential
from gpucnn.backends import Array, CpuBackend
from gpucnn.errors import InvalidFileError, TrainingError
from gpucnn.models.checkpoint import read_checkpoint, write_checkpoint
from gpucnn.models.training.divergence import check_weights, first_not_finite

X, Y = small.images(8), small.labels(8)
AFTER = (
    "has values that are not finite, since training diverged: load a model saved before that, or "
    "make a new one, and train with a lower learning rate"
)

USES: dict[str, Callable[[Sequential, Path], Any]] = {
    "fit": lambda model, path: model.fit(X, Y, verbose=0),
    "evaluate": lambda model, path: model.evaluate(X, Y),
    "predict": lambda model, path: model.predict(X),
    "save": lambda model, path: model.save(path),
}


@pytest.fixture(params=[np.nan, np.inf, -np.inf])
def diverged(request: pytest.FixtureRequest) -> Sequential:
    """A model with a single weight that is not finite."""
    model = small.model()
    model.parameters[-1] = request.param
    return model


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_weights_that_are_not_finite_are_named(
    diverged: Sequential, use: Callable[[Sequential, Path], Any], tmp_path: Path
) -> None:
    with refusal(f"dense.bias {AFTER}", TrainingError):
        use(diverged, tmp_path / "model.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_the_first_array_is_named() -> None:
    arrays = {"a": np.ones(2), "b": np.array([1, np.inf]), "c": np.array([np.nan])}
    assert first_not_finite(arrays) == "b"


@pytest.mark.parametrize(
    "values", [np.ones(2), np.ones(2, int), np.ones(0), np.full(2, 1j * 1e999)]
)
def test_what_has_no_such_values_is_not_named(values: Any) -> None:
    assert first_not_finite({"a": values}) is None


class Elsewhere:
    """Stands for a vector on a device: its elements come to the host by `to_host`."""

    def __init__(self, on_host: Array) -> None:
        self.on_host, self.size = on_host, on_host.size

    def __getitem__(self, index: slice) -> Array:
        return self.on_host[index]


def test_weights_on_a_device_are_looked_at_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    model, on_host = small.model(), small.model().parameters.copy()
    on_host[-1] = np.nan
    far: Any = Elsewhere(on_host)
    monkeypatch.setattr(CpuBackend, "to_host", lambda _, x: getattr(x, "on_host", x))
    replica: Any = SimpleNamespace(backend=model.backend, vectors={"parameters": far})
    replica.parameters, replica.state, replica.is_known_finite = far, np.empty(0), False
    with refusal(f"dense.bias {AFTER}", TrainingError):
        check_weights(model, replica)


def test_after_a_divergence_the_model_is_as_it_was_before_and_can_be_trained() -> None:
    model = small.model(SGD(0.01))
    model.fit(X, Y, 2, verbose=0)
    before, model.optimizer.learning_rate = small.weight_bytes(model), 1e30
    with pytest.raises(TrainingError, match="in epoch 1: train with a lower learning rate, from"):
        model.fit(X, Y, 2, epochs=5, verbose=0)
    assert small.weight_bytes(model) == before
    assert model.epochs_trained == 1
    assert np.isfinite(model.predict(X)).all()
    model.compile(SGD(1e-3))
    model.fit(X, Y, 2, verbose=0)


def test_an_optimizer_that_overflowed_is_not_saved(tmp_path: Path) -> None:
    model = small.model()
    model.optimizer.slots["square"][0] = np.inf
    with refusal(f"optimizer.square {AFTER}", TrainingError):
        model.save(tmp_path / "model.safetensors")


@pytest.mark.parametrize("name", ["dense.kernel", "optimizer.square"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_file_that_is_not_finite_is_told(tmp_path: Path, name: str, value: float) -> None:
    path = tmp_path / "model.safetensors"
    small.model().save(path)
    arrays, description = read_checkpoint(path)
    arrays[name].flat[0] = value
    write_checkpoint(path, arrays, description)
    with refusal(
        f"{path} has values that are not finite in {name}, since the training that wrote it "
        "diverged: load another file, or train anew with a lower learning rate",
        InvalidFileError,
    ):
        Sequential.load(path)


def test_an_optimizer_that_overflows_is_named_at_once() -> None:
    model = small.model()
    x = np.full((8, *small.SHAPE), 1e22)
    with pytest.raises(TrainingError, match=r"optimizer\.square has values that are not finite"):
        model.fit(x, Y, verbose=0)
    assert model.epochs_trained == 0
    assert np.isfinite(model.optimizer.slots["square"]).all()

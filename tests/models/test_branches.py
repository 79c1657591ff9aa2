"""Networks that branch compute, train and are kept like chains."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import branches
from branches import MODELS
from gpucnn import (
    Adam,
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    Input,
    Model,
    Sequential,
)
from gpucnn.backends import Backend, CpuBackend
from gpucnn.backends.backend import CudaBackend
from gpucnn.backends.cuda.simulator_runtime import SimulatorRuntime
from gpucnn.layers import FusedConv2D, FusedDense, Step
from gpucnn.models.data import Labelled
from gpucnn.models.training import epoch_order
from gpucnn.models.training.parallel import ParallelTrainer
from gpucnn.regularizers import L2
from gradients import assert_gradient, smooth_images
from microbatches import InMicrobatches, Plain

IMAGES, BATCH = 20, 9  # so that the last batch of an epoch is of 2 images
X, Y = branches.images(IMAGES), branches.labels(IMAGES)

kinds = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


def model(make: Callable[..., Model], backend: Backend, dtype: str = "float64") -> Model:
    made = make(dtype=dtype, device="cpu", seed=4)
    made.place(backend)
    made.compile(Adam(0.01))
    return made


def fit(made: Model, epochs: int = 2) -> list[dict[str, Any]]:
    history = made.fit(X, Y, BATCH, epochs, verbose=0, validation_data=(X, Y))
    measured = ("loss", "accuracy", "val_loss", "val_accuracy")
    return [{name: each[name] for name in measured} for each in history.epochs]


def weight_bytes(made: Model) -> bytes:
    return b"".join(each.tobytes() for each in made.get_weights())


def flat_gradients(made: Model, x: Any, y: Any) -> Any:
    return np.concatenate([each.ravel() for each in made.loss_and_gradients(x, y)[1]])


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpucnn.models.replica.replica.LEAST_SHARD", 1)


# What is computed


@given(made=branches.models(dtype="float64", device="cpu", threads=1), seed=st.integers(0, 9))
def test_outputs_are_those_of_the_layers_one_by_one(made: Model, seed: int) -> None:
    made.place(Plain())
    x = branches.images(3, seed)
    expected = branches.by_layers(made, x)[-1].copy()
    assert_allclose(made(x), expected, rtol=1e-10, atol=1e-12)


@kinds
def test_outputs_of_known_networks_are_those_of_the_layers_one_by_one(
    make: Callable[..., Model],
) -> None:
    made = model(make, Plain())
    fit(made)
    expected = branches.by_layers(made, X)[-1].copy()
    assert_allclose(made.forward(made.backend.asarray(X)), expected, rtol=1e-10, atol=1e-12)


def test_images_may_be_taken_twice_by_all_that_there_is() -> None:
    images = Input(branches.SHAPE)
    outputs = Dense(3)(Flatten()(Add()([images, images])))
    made = Model(images, outputs, dtype="float64", device="cpu")
    assert len(made.replica.stretches) == 1
    kernel, bias = made.get_weights()
    expected = 2 * X.reshape(IMAGES, -1) @ kernel + bias
    assert_allclose(made(X), expected, rtol=1e-12, atol=1e-12)
    made.fit(X, Y, verbose=0)


@settings(max_examples=10)
@given(made=branches.models(dtype="float64", device="cpu", threads=1))
def test_gradients_of_random_networks_agree_with_differences(made: Model) -> None:
    x, y = branches.images(2), branches.labels(2)
    gradients = flat_gradients(made, x, y)
    assert_gradient(lambda: made.loss_and_gradients(x, y)[0], made.parameters, gradients)


@kinds
def test_gradients_agree_with_differences(make: Callable[..., Model]) -> None:
    made = model(make, Plain())
    x, y = smooth_images(made, 2), branches.labels(2)
    gradients = flat_gradients(made, x, y)
    assert_gradient(lambda: made.loss_and_gradients(x, y)[0], made.parameters, gradients)


SPLITS: dict[str, Callable[[], Backend]] = {
    "fused": lambda: CpuBackend(1),
    "3 shards of microbatches": lambda: InMicrobatches(3, 2),
    "the simulator": lambda: CudaBackend(SimulatorRuntime()),
}


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
@kinds
def test_trains_alike_however_it_is_split(
    make: Callable[..., Model], split: Callable[[], Backend]
) -> None:
    """To the rounding of sums: 6 steps of Adam, whose quotients do not amplify it here."""
    whole, parts = model(make, Plain()), model(make, split())
    for record, other_record in zip(fit(whole), fit(parts), strict=True):
        assert other_record == pytest.approx(record, rel=1e-9)
    for one, other in zip(whole.get_weights(), parts.get_weights(), strict=True):
        assert_allclose(other, one, rtol=1e-7, atol=1e-9)


@pytest.mark.usefixtures("workers")
def test_workers_give_the_same_bytes_as_one_process() -> None:
    results = []
    for joins in (False, True):
        made = model(branches.residual, InMicrobatches(2, 3), "float32")
        mine = ParallelTrainer(made.replica.twin(), made.optimizer, Labelled(X, Y), BATCH)
        mine.load(made.replica, made.optimizer)
        if joins:
            mine.join()
        else:
            mine._sharing._workers = 0
        loss = mine.epoch(1, epoch_order(4, 1, IMAGES))["loss"]
        mine.store(made.replica, made.optimizer)
        mine.close()
        results.append((weight_bytes(made), loss))
    assert results[0] == results[1]


@pytest.mark.parametrize("device", ["cpu", "simulator"])
def test_no_step_but_the_first_allocates(device: str) -> None:
    made = model(
        branches.tangled, InMicrobatches(1, 4) if device == "cpu" else SPLITS["the simulator"]()
    )
    trainer = ParallelTrainer(made.replica.twin(), made.optimizer, Labelled(X, Y), BATCH)
    trainer.load(made.replica, made.optimizer)
    trainer.run_eagerly = True
    backend = trainer.replica.backend
    trainer.begin(epoch_order(0, 1, IMAGES))
    with backend.session():
        for batch in range(3):
            trainer.step(batch)
        before = backend.allocations
        for batch in range(3):
            trainer.step(batch)
    trainer.close()
    assert backend.allocations == before


@kinds
def test_recorded_steps_give_the_bytes_of_steps_one_by_one(make: Callable[..., Model]) -> None:
    results = []
    for eagerly in (False, True):
        made = make(device="simulator", seed=4)
        made.compile(Adam(0.01), run_eagerly=eagerly)
        results.append((fit(made), weight_bytes(made)))
    assert results[0] == results[1]


def test_layers_of_each_stretch_are_fused() -> None:
    made = branches.tangled(device="simulator")
    kinds = [type(layer) for layer in made.replica.layers]
    assert kinds.count(FusedConv2D) == 1
    assert kinds.count(FusedDense) == 2


@pytest.mark.parametrize("device", ["cpu", "simulator"])
def test_normalisation_is_folded_in_each_branch(device: str) -> None:
    made = branches.residual(dtype="float64", device=device, seed=4, threads=1)
    fit(made)
    folded = made.replica._folded
    assert folded is not None
    names = [layer.name for layer in folded.plain]
    assert not any(name.startswith("batchnormalization") for name in names)
    x = made.backend.asarray(X)
    made.replica.reserve(IMAGES)
    expected = made.replica.lane.forward(made.replica.lane.to_layout(x)).copy()
    assert_allclose(made.forward(x), expected, rtol=1e-10, atol=1e-12)


def test_normalisation_of_what_others_take_too_is_not_folded() -> None:
    images = Input(branches.SHAPE)
    x = Conv2D(2, 3, padding="same")(images)
    outputs = Dense(3)(Flatten()(Add()([x, BatchNormalization()(x)])))
    made = Model(images, outputs, device="cpu")
    assert made.replica._folded is None


def test_dropout_is_drawn_for_each_layer_by_its_place() -> None:
    made = model(branches.dense_block, Plain())
    outputs = branches.by_layers(made, np.ones((2, *branches.SHAPE)), Step(np.array([3])))
    dropped = [
        outputs[index] == 0
        for index, layer in enumerate(made.layers)
        if layer.name.startswith("dropout")
    ]
    assert [layer.index for layer in made._unrolled] == list(range(len(made._unrolled)))
    assert not (dropped[0] == dropped[1]).all()


def test_penalties_are_those_of_all_branches() -> None:
    images = Input(branches.SHAPE)
    one, other = (Conv2D(2, 1, kernel_regularizer=L2(0.1))(images) for _ in range(2))
    made = Model(images, Dense(3)(Flatten()(Add()([one, other]))), dtype="float64", device="cpu")
    kernels = [made.get_layer(index=index).get_weights()[0] for index in (0, 1)]
    assert made.replica.penalty() == pytest.approx(0.1 * sum((k**2).sum() for k in kernels))
    x, y = branches.images(2), branches.labels(2)
    gradients = flat_gradients(made, x, y)
    assert_gradient(lambda: made.loss_and_gradients(x, y)[0], made.parameters, gradients)


# How it is kept


MOVES: dict[str, Callable[[Model, Path], Model]] = {
    "pickle": lambda made, path: pickle.loads(pickle.dumps(made)),
    "deepcopy": lambda made, path: copy.deepcopy(made),
    "copy": lambda made, path: copy.copy(made),
    "save": lambda made, path: saved(made, path),
    "to": lambda made, path: made.to("simulator").to("cpu"),
}


def saved(made: Model, folder: Path) -> Model:
    made.save(folder / "model.safetensors")
    return Model.load(folder / "model.safetensors", "cpu", threads=2)


@kinds
@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_goes_elsewhere_and_trains_on_to_the_same_bytes(
    make: Callable[..., Model], move: Callable[[Model, Path], Model], tmp_path: Path
) -> None:
    made = make(device="cpu", seed=4, threads=2)
    fit(made, 1)
    whole = copy.deepcopy(made)
    moved = move(made, tmp_path)
    assert type(moved) is Model
    assert moved.graph == whole.graph
    assert fit(moved, 1) == fit(whole, 1)
    assert weight_bytes(moved) == weight_bytes(whole)


def test_every_load_gives_what_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    branches.residual(name="mine").save(path)
    for load in (Model.load, Sequential.load):
        assert (type(load(path)), load(path).name) == (Model, "mine")
    chain = Sequential([Flatten(), Dense(3)], branches.SHAPE)
    chain.save(path)
    for load in (Model.load, Sequential.load):
        assert type(load(path)) is Sequential


def test_weights_are_saved_and_loaded(tmp_path: Path) -> None:
    made, other = branches.residual(seed=1), branches.residual(seed=2)
    fit(made, 1)
    made.save_weights(tmp_path / "weights.safetensors")
    other.load_weights(tmp_path / "weights.safetensors")
    assert weight_bytes(other) == weight_bytes(made)
    assert_array_equal(other.predict(X), made.predict(X))


def test_layers_and_weights_have_names() -> None:
    made = branches.residual()
    assert made.get_layer("add_1") is made.layers[-3 - 1]
    assert made.get_layer(index=0).name == "conv2d"
    assert made.count_params() == sum(each.size for each in made.get_weights())
    assert made.weight_names[:2] == ["conv2d.kernel", "batchnormalization.gamma"]


def test_a_sequential_is_a_model() -> None:
    assert issubclass(Sequential, Model)
    assert not isinstance(branches.residual(), Sequential)

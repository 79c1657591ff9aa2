"""Batch normalisation is that of the whole batch, however it is split, and its state is kept."""

import copy
import os
import pickle
import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import small
from gpucnn import (
    Adam,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalMaxPooling2D,
    MaxPool2D,
    Model,
    ReLU,
    Reshape,
    SeparableConv2D,
    Sequential,
)
from gpucnn.backends import Backend, CpuBackend
from gpucnn.backends.backend import CudaBackend
from gpucnn.backends.cuda.simulator_runtime import SimulatorRuntime
from gpucnn.backends.workers.pool import pool
from gpucnn.errors import GpucnnWarning
from gpucnn.layers import FusedConv2D
from gpucnn.models.data import Labelled
from gpucnn.models.training import epoch_order
from gpucnn.models.training.parallel import ParallelTrainer
from gradients import assert_network_gradients
from microbatches import InMicrobatches, Plain

IMAGES, BATCH = 30, 13  # so that the last batch of an epoch is of 4 images

X, Y = small.images(IMAGES), small.labels(IMAGES)


def layers() -> list[Any]:
    return [
        Conv2D(4, 3, use_bias=False),
        BatchNormalization(momentum=0.8),
        ReLU(),
        MaxPool2D(2),
        Flatten(),
        BatchNormalization(momentum=0.5, scale=False),
        Dropout(0.25),
        Dense(3),
    ]


def model(backend: Backend, dtype: str = "float64") -> Sequential:
    made = Sequential(layers(), small.SHAPE, dtype, "cpu", seed=4)
    made.place(backend)
    made.compile(Adam(0.01))
    return made


def fit(made: Sequential, epochs: int = 3, **options: Any) -> list[dict[str, Any]]:
    history = made.fit(X, Y, BATCH, epochs, verbose=0, validation_data=(X, Y), **options)
    measured = ("loss", "accuracy", "val_loss", "val_accuracy")
    return [{name: each[name] for name in measured} for each in history.epochs]


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpucnn.models.replica.replica.LEAST_SHARD", 1)


SPLITS: dict[str, Callable[[], Backend]] = {
    "microbatches": lambda: InMicrobatches(1, 3),
    "2 shards": lambda: CpuBackend(2),
    "2 shards of microbatches": lambda: InMicrobatches(2, 3),
    "3 shards of microbatches": lambda: InMicrobatches(3, 2),
    "the simulator": lambda: CudaBackend(SimulatorRuntime()),
}


@pytest.mark.usefixtures("small_shards")
class TestWholeBatch:
    @pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
    def test_a_split_batch_trains_as_a_whole_one(self, split: Callable[[], Backend]) -> None:
        """To the rounding of sums: 9 steps of Adam, whose quotients do not amplify it here."""
        whole, parts = model(Plain()), model(split())
        expected, measured = fit(whole), fit(parts)
        for record, other_record in zip(expected, measured, strict=True):
            assert other_record == pytest.approx(record, rel=1e-9)
        for one, other in zip(whole.get_weights(), parts.get_weights(), strict=True):
            assert_allclose(other, one, rtol=1e-8, atol=1e-10)

    @pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
    def test_gradients_are_those_of_the_whole_batch(self, split: Callable[[], Backend]) -> None:
        made = model(split())
        _, gradients = made.loss_and_gradients(X, Y)
        _, expected = model(Plain()).loss_and_gradients(X, Y)
        for one, other in zip(expected, gradients, strict=True):
            assert_allclose(other, one, rtol=1e-9, atol=1e-12)

    def test_gradients_agree_with_differences(self) -> None:
        made = model(InMicrobatches(2, 3))
        x = np.random.default_rng(0).standard_normal((7, *small.SHAPE))
        y = small.labels(7)
        _, gradients = made.loss_and_gradients(x, y)
        flat = np.concatenate([each.ravel() for each in gradients])
        assert_network_gradients(made, lambda: made.loss_and_gradients(x, y)[0], flat)

    def test_gradients_alone_leave_the_state(self) -> None:
        made = model(InMicrobatches(2, 3))
        before = made.replica.state.copy()
        made.loss_and_gradients(X, Y)
        assert_array_equal(made.replica.state, before)

    def test_an_image_alone_is_inferred_as_among_others(self) -> None:
        made = model(InMicrobatches(2, 3))
        fit(made)
        assert_allclose(made.predict(X[:1]), made.predict(X)[:1], rtol=1e-12)

    @pytest.mark.parametrize("split", [lambda: InMicrobatches(2, 3), SPLITS["the simulator"]])
    def test_no_step_but_the_first_allocates(self, split: Callable[[], Backend]) -> None:
        made = model(split())
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


@pytest.mark.usefixtures("workers")
class TestWorkers:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("threads", [2, 3])
    def test_give_the_same_bytes_as_one_process(self, threads: int, dtype: str) -> None:
        results = [
            train(model(InMicrobatches(threads, 3), dtype), joined) for joined in (False, True)
        ]
        assert results[0] == results[1]

    def test_that_are_idle_in_the_last_batch(self) -> None:
        """It has 1 image: the other ranks take part in its sums alone."""
        x, y = X[: BATCH + 1], Y[: BATCH + 1]
        results = [
            train(model(InMicrobatches(3, 3)), joined, Labelled(x, y)) for joined in (False, True)
        ]
        assert results[0] == results[1]

    def test_that_are_idle_in_a_last_batch_of_one_shard_of_several_microbatches(self) -> None:
        """Which has nothing to be summed over ranks, and would wait for ever if it were."""
        made = model(InMicrobatches(2, 3))
        made.replica._least_shard = 5 * made.replica.multiply_adds(1)
        assert len(made.replica.shards(BATCH)) == 2
        assert len(made.replica.shards(4)) == 1
        data = Labelled(X[: BATCH + 4], Y[: BATCH + 4])
        results = []
        for joined in (False, True):
            made = model(InMicrobatches(2, 3))
            made.replica._least_shard = 5 * made.replica.multiply_adds(1)
            results.append(train(made, joined, data))
        assert results[0] == results[1]

    def test_sums_may_be_larger_than_the_gradients(self) -> None:
        results = []
        for joined in (False, True):
            normalization = BatchNormalization(center=False, scale=False)
            given = [Flatten(), normalization, Reshape((6, 6, 1)), GlobalMaxPooling2D(), Dense(3)]
            made = Sequential(given, small.SHAPE, "float64", "cpu", seed=4)
            made.place(InMicrobatches(2, 3))
            assert made.replica.largest_sum == made.replica.state.nbytes
            results.append(train(made, joined))
        assert results[0] == results[1]

    def test_that_are_killed_leave_the_same_bytes(self) -> None:
        expected, steps = train(model(InMicrobatches(2, 3)), joined=False), [0]

        def kill(images: int) -> None:
            steps[0] += 1
            if steps[0] == 2:
                os.kill(pool()._workers[0]._process.pid, signal.SIGKILL)

        with pytest.warns(GpucnnWarning, match="goes on alone"):
            assert train(model(InMicrobatches(2, 3)), True, during=kill) == expected


def train(
    made: Sequential,
    joined: bool,
    data: Labelled = Labelled(X, Y),  # noqa: B008 - it is immutable
    during: Callable[[int], None] = lambda images: None,
) -> tuple[bytes, Any]:
    """The weights and metrics after two epochs, with workers from the first step or without."""
    mine = ParallelTrainer(made.replica.twin(), made.optimizer, data, BATCH, data)
    mine.load(made.replica, made.optimizer)
    if joined:
        mine.join()
        assert mine._sharing.has_joined()
    else:
        mine._sharing._workers = 0
    measured = []
    for epoch in (1, 2):
        record = mine.epoch(epoch, epoch_order(4, epoch, len(data.images)), during)
        measured.append((record["loss"], record["accuracy"], mine.validate()))
    mine.store(made.replica, made.optimizer)
    mine.close()
    return small.weight_bytes(made), measured


FOLDED: dict[str, Callable[[], list[Any]]] = {
    "a convolution that is fused then": lambda: [
        Conv2D(4, 3),
        BatchNormalization(),
        ReLU(),
        MaxPool2D(2),
        Flatten(),
        Dense(3),
    ],
    "without biases": lambda: [
        Conv2D(4, 3, use_bias=False),
        BatchNormalization(center=False),
        Flatten(),
        Dense(5, use_bias=False),
        BatchNormalization(scale=False),
        ReLU(),
        Dense(3),
    ],
    "depthwise, separable and in groups": lambda: [
        DepthwiseConv2D(2, depth_multiplier=4),
        BatchNormalization(),
        SeparableConv2D(4, 2, depth_multiplier=2, use_bias=False),
        BatchNormalization(),
        Conv2D(6, 2, groups=2),
        BatchNormalization(),
        Flatten(),
        Dense(3),
    ],
    "one of two": lambda: [
        Flatten(),
        Dense(5),
        BatchNormalization(),
        BatchNormalization(),
        Dense(3),
    ],
}


class TestFolding:
    @pytest.mark.parametrize("device", ["cpu", "simulator"])
    @pytest.mark.parametrize("make", FOLDED.values(), ids=FOLDED)
    def test_gives_what_the_layers_give_one_by_one(
        self, make: Callable[[], list[Any]], device: str
    ) -> None:
        made = Sequential(make(), small.SHAPE, "float64", device, seed=4, threads=1)
        fit(made)
        folded = made.replica._folded
        assert folded is not None
        unrolled, foldable = made.replica.plain, (Conv2D, DepthwiseConv2D, Dense)
        assert len(folded.plain) == len(unrolled) - sum(
            isinstance(after, BatchNormalization) and isinstance(each, foldable)
            for each, after in pairwise(unrolled)
        )
        x = made.backend.asarray(np.random.default_rng(0).standard_normal((7, *small.SHAPE)))
        made.replica.reserve(7)
        expected = made.replica.lane.forward(made.replica.lane.to_layout(x)).copy()
        assert_allclose(made.forward(x), expected, rtol=1e-10, atol=1e-12)

    def test_lets_the_convolution_be_fused(self) -> None:
        made = model(CpuBackend(1), "float32")
        made.predict(X)
        folded = made.replica._folded
        assert folded is not None
        assert type(folded.layers[0]) is FusedConv2D

    def test_follows_what_is_trained_and_set(self) -> None:
        made = model(CpuBackend(2))
        made.predict(X)
        fit(made, 1)
        made.set_weights([2 * each for each in made.get_weights()])
        made.layers[1].epsilon = 0.5  # type: ignore[attr-defined]
        other = model(CpuBackend(2))
        other.set_weights(made.get_weights())
        other.layers[1].epsilon = 0.5  # type: ignore[attr-defined]
        assert_array_equal(made.predict(X), other.predict(X))

    def test_of_none_takes_no_memory(self) -> None:
        assert small.model().replica._folded is None

    def test_leaves_subclasses_as_they_are(self) -> None:
        class Mine(BatchNormalization):
            pass

        layers_ = [Conv2D(4, 3), Mine(), Flatten(), Dense(3)]
        assert Sequential(layers_, small.SHAPE).replica._folded is None


class TestState:
    def test_is_among_the_weights_after_the_parameters_of_its_layer(self) -> None:
        made = model(CpuBackend(1))
        assert made.weight_names == [
            "conv2d.kernel",
            "batchnormalization.gamma",
            "batchnormalization.beta",
            "batchnormalization.moving_mean",
            "batchnormalization.moving_variance",
            "batchnormalization_1.beta",
            "batchnormalization_1.moving_mean",
            "batchnormalization_1.moving_variance",
            "dense.kernel",
            "dense.bias",
        ]
        assert [each.shape for each in made.get_weights()[:5]] == [(3, 3, 1, 4), *[(4,)] * 4]

    def test_can_be_set(self) -> None:
        made, other = model(CpuBackend(1)), model(CpuBackend(1))
        fit(made)
        other.set_weights(made.get_weights())
        assert_array_equal(other.predict(X), made.predict(X))

    @pytest.mark.parametrize(
        "move",
        [
            lambda made, path: pickle.loads(pickle.dumps(made)),
            lambda made, path: copy.deepcopy(made),
            lambda made, path: saved(made, path / "model.safetensors"),
            lambda made, path: made.to("simulator").to("cpu"),
        ],
        ids=["pickle", "deepcopy", "save", "to"],
    )
    def test_goes_with_the_model_which_trains_on_to_the_same_bytes(
        self, move: Callable[[Sequential, Path], Sequential], tmp_path: Path
    ) -> None:
        made = Sequential(layers(), small.SHAPE, device="cpu", seed=4, threads=2)
        fit(made, 1)
        whole = copy.deepcopy(made)
        moved = move(made, tmp_path)
        assert small.weight_bytes(moved) == small.weight_bytes(whole)
        assert fit(moved, 2) == fit(whole, 2)
        assert small.weight_bytes(moved) == small.weight_bytes(whole)

    def test_that_is_not_finite_is_named(self) -> None:
        made = model(CpuBackend(1))
        made.replica.state[0] = np.nan
        with pytest.raises(RuntimeError, match=r"^batchnormalization.moving_mean has values that"):
            made.predict(X)

    def test_momentum_that_is_changed_between_epochs_acts_in_every_lane(self) -> None:
        made, whole = model(InMicrobatches(1, 3)), model(Plain())
        for each in (made, whole):
            fit(each, 1)
            each.layers[1].momentum = 0.0  # type: ignore[attr-defined]
            fit(each, 1)
        for one, other in zip(whole.get_weights(), made.get_weights(), strict=True):
            assert_allclose(other, one, rtol=1e-8, atol=1e-10)


def saved(made: Sequential, path: Path) -> Model:
    made.save(path)
    return Sequential.load(path, "cpu", threads=2)


@pytest.mark.parametrize("eagerly", [True, False])
def test_recorded_steps_give_the_same_bytes(eagerly: bool) -> None:
    results = []
    for _ in range(2):
        made = Sequential(layers(), small.SHAPE, device="simulator", seed=4)
        made.compile(Adam(0.01), run_eagerly=eagerly)
        results.append((fit(made, 2), small.weight_bytes(made)))
        eagerly = True
    assert results[0] == results[1]

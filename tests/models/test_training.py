from collections.abc import Callable
from copy import deepcopy
from functools import partial
from math import prod
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import small
from expect import refusal
from gpucnn import SGD, Adam, AdamW, Conv2D, Dense, Dropout, Flatten, MaxPool2D, ReLU, Sequential
from gpucnn.backends import Array, Backend, ConvReluPoolPlan, CpuBackend
from gpucnn.datasets.device_dataset import DeviceDataset
from gpucnn.errors import TrainingError
from gpucnn.metrics import Measures
from gpucnn.models.network import Network
from gpucnn.models.training import Metrics, Trainer, epoch_order, evaluation
from gpucnn.optimizers import Optimizer
from memory import allocated
from microbatches import InMicrobatches

STILL = 1e-300  # a learning rate that moves no parameter


def dataset(network: Network, count: int) -> DeviceDataset:
    x, y = small.images(count), small.labels(count)
    return DeviceDataset(network.backend, network.dtype, x, y)


def trainer(model: Sequential, count: int, batch_size: int) -> Trainer:
    return Trainer(model.replica, model.optimizer, dataset(model, count), batch_size)


def still_layers() -> list[Any]:
    return [Conv2D(4, 3), ReLU(), Flatten(), Dense(small.CLASSES)]


def still_model() -> Sequential:
    """A model whose training steps leave its parameters unchanged."""
    model = Sequential(still_layers(), small.SHAPE, dtype="float64")
    model.compile(SGD(STILL))
    return model


class TestEpoch:
    @pytest.mark.parametrize(
        ("images", "batch_size", "sizes"),
        [(7, 3, [3, 3, 1]), (6, 3, [3, 3]), (2, 3, [2]), (3, 1, [1, 1, 1])],
    )
    def test_takes_all_images_in_batches(
        self, images: int, batch_size: int, sizes: list[int]
    ) -> None:
        done: list[int] = []
        trainer(small.model(), images, batch_size).epoch(1, np.arange(images), done.append)
        assert done == sizes

    def test_counts_a_step_for_each_batch(self) -> None:
        model = small.model()
        trainer(model, 7, 3).epoch(1, np.arange(7))
        assert model.optimizer.iterations == 3

    @pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
    def test_measures_means_over_all_images(self, batch_size: int) -> None:
        model = still_model()
        record = trainer(model, 7, batch_size).epoch(1, np.arange(7)[::-1].copy())
        measured = model.evaluate(small.images(7), small.labels(7))
        assert record["loss"] == pytest.approx(measured.loss, rel=1e-12)
        assert record["accuracy"] == pytest.approx(measured.accuracy, rel=1e-12)

    def test_trains_in_the_order_that_is_given(self) -> None:
        order, straight = np.array([4, 0, 3, 1, 2]), np.arange(5)
        model, other = small.model(SGD(0.1)), small.model(SGD(0.1))
        x, y = small.images(5), small.labels(5)
        ordered = DeviceDataset(other.backend, other.dtype, x[order], y[order])
        trainer(model, 5, 2).epoch(1, order)
        Trainer(other.replica, other.optimizer, ordered, 2).epoch(1, straight)
        assert_array_equal(model.parameters, other.parameters)

    def test_records_what_the_documentation_of_history_says(self) -> None:
        record = trainer(small.model(), 7, 3).epoch(5, np.arange(7))
        assert record["epoch"] == 5
        assert record["images_per_second"] == pytest.approx(7 / record["seconds"])
        assert record.keys() == {"epoch", "loss", "accuracy", "seconds", "images_per_second"}

    def test_moves_by_the_mean_gradient_of_a_batch(self) -> None:
        model = Sequential(still_layers(), small.SHAPE, dtype="float64")
        model.compile(SGD(0.5))
        before = model.get_weights()
        _, gradients = model.loss_and_gradients(small.images(6), small.labels(6))
        trainer(model, 6, 6).epoch(1, np.arange(6))
        for now, weight, gradient in zip(model.get_weights(), before, gradients, strict=True):
            np.testing.assert_allclose(now, weight - 0.5 * gradient, rtol=1e-12)

    @pytest.mark.parametrize(("bias", "loss"), [(3e38, "inf"), (np.inf, "nan")])
    def test_tells_a_loss_that_is_not_finite(self, bias: float, loss: str) -> None:
        model = small.model()
        model.layers[-1].parameters["bias"][...] = [bias, -bias, 0]
        with refusal(
            f"the loss became {loss} in epoch 3: train with a lower learning rate, from the "
            "weights before that epoch, which the model still has",
            TrainingError,
        ):
            trainer(model, 8, 8).epoch(3, np.arange(8))


class TestOrder:
    @pytest.mark.parametrize("images", [1, 2, 50])
    def test_has_every_image_once(self, images: int) -> None:
        assert_array_equal(np.sort(epoch_order(0, 1, images)), np.arange(images))

    def test_depends_on_nothing_else(self) -> None:
        np.random.default_rng(0).random()
        assert_array_equal(epoch_order(3, 2, 50), epoch_order(3, 2, 50))

    @pytest.mark.parametrize(("seed", "epoch"), [(3, 3), (4, 2), (2, 3), (2**64 - 1, 2)])
    def test_is_another_for_another_seed_or_epoch(self, seed: int, epoch: int) -> None:
        assert not np.array_equal(epoch_order(seed, epoch, 50), epoch_order(3, 2, 50))

    def test_is_drawn_apart_from_the_initial_weights(self) -> None:
        seed_of_the_same_words = 5 + (7 << 32)  # as NumPy takes a list of numbers for a seed
        weights_draw = np.random.default_rng(seed_of_the_same_words).permutation(50)
        assert not np.array_equal(epoch_order(5, 7, 50), weights_draw)


def test_metrics_are_added_up_in_float64() -> None:
    backend = CpuBackend()
    kind = (2**16,), np.dtype(np.float32)
    metrics = Metrics.empty(backend, {"losses": kind, "correct": kind})
    metrics.losses[...], metrics.correct[...] = 0.1, 1
    found = evaluation([metrics.on_host(backend, None)], Measures())
    assert found == (np.float64(np.float32(0.1)), 1)


class TestDiverged:
    """A network that has diverged causes no warnings of NumPy."""

    @pytest.fixture
    def diverged(self) -> Sequential:
        model = small.model()
        model.parameters[...] = 3e38
        return model

    def test_loss_is_not_finite(self, diverged: Sequential) -> None:
        assert not np.isfinite(diverged.evaluate(small.images(4), small.labels(4)).loss)

    def test_probabilities_are_not_finite(self, diverged: Sequential) -> None:
        assert not np.isfinite(diverged.predict(small.images(4))).any()


class Recorder(InMicrobatches):
    """Records each operation: its name, the addresses of its arrays, its other arguments."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads, images=3)
        self.operations: list[tuple[Any, ...]] = []
        self.seen: list[Any] = []  # kept alive, so that new memory must lie elsewhere

    def __getattribute__(self, name: str) -> Any:
        attribute = super().__getattribute__(name)
        if name.startswith("_") or not callable(attribute) or name == "session":
            return attribute

        def noted(*arguments: Any, **options: Any) -> Any:
            given = [*arguments, *options.items()]
            self.seen.append(given)
            self.operations.append((name, *map(place_of, given)))
            return attribute(*arguments, **options)

        return noted


def place_of(argument: Any) -> Any:
    if isinstance(argument, np.ndarray):
        return argument.ctypes.data, argument.shape, argument.strides
    return id(argument) if isinstance(argument, ConvReluPoolPlan) else argument


class TestRecording:
    """The operations of a step that a device can record, and replay for other steps."""

    @pytest.mark.parametrize("optimizer", small.optimizers(), ids=lambda each: type(each).__name__)
    @pytest.mark.parametrize(
        ("threads", "count", "microbatches"), [(1, 8, 3), (1, 3, 1), (2, 8, 4), (2, 3, 2)]
    )
    def test_steps_are_the_same_operations_on_the_same_memory(
        self,
        optimizer: Optimizer,
        threads: int,
        count: int,
        microbatches: int,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("gpucnn.models.replica.replica.LEAST_SHARD", 1)
        layers = [Conv2D(4, 3), ReLU(), MaxPool2D(2), Flatten(), Dense(8), Dropout(0.5), Dense(3)]
        model = Sequential(layers, (12, 12, 1))
        recorder = Recorder(threads)
        model.place(recorder)
        model.compile(deepcopy(optimizer))
        data = DeviceDataset(
            model.backend, model.dtype, small.images(8, model.input_shape), small.labels(8)
        )
        trained = Trainer(model.replica, model.optimizer, data, 8)
        trained.epoch(1, np.arange(8))

        trained.begin(np.arange(count))
        recordings = []
        for _ in range(3):
            trained._seek(0)
            recorder.operations.clear()
            trained._take_step(count)
            recordings.append(list(recorder.operations))
        assert recordings[1] == recordings[2]  # the first steps may allocate
        assert recordings[1][0][0] == "next_batch"
        assert [name for name, *_ in recordings[0]].count("gather_images") == microbatches


@pytest.mark.usefixtures("traceable")
class TestSteadyState:
    """Training steps allocate nothing after the first step of each batch size.

    The network is such that an array with an element for each pixel, each output of a layer or each
    parameter has more bytes than `BOUND`, even if the elements are booleans, and if it is of a
    microbatch alone. What a step does allocate at once is about 40 KB, whatever the size of the
    arrays: the buffers in which NumPy converts from dtype to dtype, and small objects.
    """

    MICROBATCH = 256
    BATCH = 2 * MICROBATCH
    BOUND = 100_000

    @pytest.fixture(params=[np.uint8, np.float32])
    def pixels(self, request: pytest.FixtureRequest) -> Any:
        return request.param

    def model(self, optimizer: Optimizer, *, threads: int = 1, fused: bool = True) -> Sequential:
        pooled = [ReLU(), MaxPool2D(2)] if fused else [MaxPool2D(2), ReLU()]
        layers = [Conv2D(8, 3), *pooled, Dropout(0.5), Flatten(), Dense(1024)]
        model = Sequential(layers, (32, 32, 1))
        model.place(InMicrobatches(threads, self.MICROBATCH))
        model.compile(optimizer)
        return model

    def peaks(self, model: Sequential, pixels: Any = np.uint8) -> list[int]:
        """The peak of bytes allocated in a step on a full batch, and on a smaller last one."""
        count, backend = self.BATCH + 40, model.backend
        x, y = small.images(count, model.input_shape).astype(pixels), small.labels(count, 1024)
        data = DeviceDataset(backend, model.dtype, x, y)
        trained = Trainer(model.replica, model.optimizer, data, self.BATCH)
        trained.begin(np.arange(count))
        peaks = []
        with backend.session():
            for batch in (0, 1):
                trained.step(batch)
                peaks.append(allocated(partial(trained.step, batch)))
        return peaks

    @pytest.mark.parametrize("optimizer", small.optimizers(), ids=lambda each: type(each).__name__)
    def test_allocates_nothing(self, optimizer: Optimizer, pixels: Any) -> None:
        assert max(self.peaks(self.model(deepcopy(optimizer)), pixels)) < self.BOUND

    def test_allocates_nothing_with_threads(self) -> None:
        assert max(self.peaks(self.model(Adam(), threads=2))) < self.BOUND

    def test_allocates_nothing_where_layers_are_not_fused(self) -> None:
        assert max(self.peaks(self.model(Adam(), fused=False))) < self.BOUND

    def test_every_array_is_above_the_bound(self) -> None:
        model = self.model(SGD())
        shapes = [model.input_shape, *(each.output_shape for each in model.layers)]
        sizes = [self.MICROBATCH * prod(shape) for shape in shapes]
        assert min(*sizes, model.parameters.size) > self.BOUND

    @pytest.mark.parametrize(
        "operation",
        [
            *("gather_images", "max_pool", "max_pool_gradient", "relu_gradient"),
            *("draw_mask", "softmax_cross_entropy", "adam"),
        ],
    )
    @pytest.mark.parametrize("threads", [1, 2])
    def test_hidden_temporaries_of_one_operation_would_show(
        self, operation: str, threads: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(CpuBackend, operation, getattr(Backend, operation))
        assert max(self.peaks(self.model(AdamW(), threads=threads, fused=False))) > self.BOUND

    def test_a_hidden_temporary_of_the_fused_operation_would_show(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        forward = CpuBackend.conv2d_relu_max_pool

        def with_a_temporary(backend: CpuBackend, x: Array, *others: Any, **options: Any) -> None:
            forward(backend, np.abs(x), *others, **options)

        monkeypatch.setattr(CpuBackend, "conv2d_relu_max_pool", with_a_temporary)
        assert max(self.peaks(self.model(AdamW()))) > self.BOUND


class Recording(CpuBackend):
    """A backend that records as a GPU does, and counts what it records and replays."""

    is_host = False

    def __init__(self) -> None:
        super().__init__(threads=1)
        self.recorded = self.replayed = 0

    def record(self, work: Callable[[], None]) -> Any:
        self.recorded += 1
        return SimpleNamespace(replay=partial(self._replay, work))

    def _replay(self, work: Callable[[], None]) -> None:
        self.replayed += 1
        work()


class TestRecordedSteps:
    def trained(
        self, model: Sequential, images: int, epochs: int, *, eagerly: bool = False
    ) -> list[int]:
        """Train on batches of 2; the numbers of images of the steps."""
        done: list[int] = []
        mine = trainer(model, images, 2)
        mine.run_eagerly = eagerly
        for epoch in range(1, epochs + 1):
            mine.epoch(epoch, epoch_order(0, epoch, images), done.append)
        return done

    def model(self, backend: Backend, optimizer: Optimizer) -> Sequential:
        model = Sequential([Flatten(), Dense(4), Dropout(0.5), Dense(small.CLASSES)], small.SHAPE)
        model.place(backend)
        model.compile(optimizer)
        return model

    @pytest.mark.parametrize("optimizer", small.optimizers(), ids=lambda each: type(each).__name__)
    def test_end_where_eager_ones_do(self, optimizer: Optimizer) -> None:
        results = []
        for backend in (Recording(), CpuBackend(1), None):
            model = self.model(backend or CpuBackend(1), deepcopy(optimizer))
            counts = self.trained(model, 43, 3, eagerly=backend is None)
            assert counts == ([2] * 21 + [1]) * 3
            assert model.optimizer.iterations == 66
            results.append(model.parameters.tobytes())
        assert results[0] == results[1] == results[2]

    def test_are_recorded_once_for_each_size_of_a_batch(self) -> None:
        backend = Recording()
        self.trained(self.model(backend, SGD()), 43, 3)
        assert backend.recorded == 3  # of 8 full batches, of one, of the last
        assert backend.replayed == (1 + 4 + 0) + (2 + 5 + 1) + (2 + 5 + 1)

    def test_are_not_recorded_where_the_model_runs_eagerly(self) -> None:
        backend = Recording()
        mine = trainer(self.model(backend, SGD()), 43, 2)
        mine.run_eagerly = True
        mine.epoch(1, np.arange(43))
        mine.epoch(2, np.arange(43))
        assert backend.recorded == 0

    def test_are_recorded_anew_where_a_setting_was_changed(self) -> None:
        results = []
        for backend in (Recording(), CpuBackend(1), None):
            model = self.model(backend or CpuBackend(1), SGD(momentum=0.5))
            mine = trainer(model, 43, 2)
            mine.run_eagerly = backend is None
            for epoch in (1, 2, 3):
                mine.epoch(epoch, np.arange(43))
                assert isinstance(model.optimizer, SGD)
                model.optimizer.momentum = 0.25 * epoch
            results.append(model.parameters.tobytes())
        assert results[0] == results[1] == results[2]

    def test_follow_a_learning_rate_that_was_changed(self) -> None:
        results = []
        for backend in (Recording(), CpuBackend(1), None):
            model = self.model(backend or CpuBackend(1), SGD(0.5))
            mine = trainer(model, 43, 2)
            mine.run_eagerly = backend is None
            for epoch in (1, 2, 3):
                model.optimizer.learning_rate = 0.25 * epoch
                mine.epoch(epoch, np.arange(43))
            results.append(model.parameters.tobytes())
        assert results[0] == results[1] == results[2]

"""Training and inference with worker processes give the same bytes as without."""

import gc
import importlib.util
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from copy import copy
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import small
from gpucnn import SGD, Adam, Flatten, Sequential
from gpucnn.backends.workers import pool as workers
from gpucnn.backends.workers.in_worker import Context
from gpucnn.backends.workers.pool import pool
from gpucnn.errors import GpucnnWarning, TrainingError
from gpucnn.layers import Dense, ReLU
from gpucnn.models.data import Labelled
from gpucnn.models.training import epoch_order, parallel, sharing
from gpucnn.models.training.parallel import ParallelTrainer
from gpucnn.optimizers import Optimizer
from microbatches import InMicrobatches

pytestmark = pytest.mark.usefixtures("workers")

IMAGES = 30
BATCH = 13


def model(threads: int, dtype: str = "float32", optimizer: Optimizer | None = None) -> Sequential:
    made = Sequential(small.layers(), small.SHAPE, dtype, "cpu", seed=4)
    made.place(InMicrobatches(threads, 3))
    made.compile(optimizer or Adam(0.01))
    return made


def trainer(made: Sequential) -> ParallelTrainer:
    data = Labelled(small.images(IMAGES), small.labels(IMAGES))
    mine = ParallelTrainer(made.replica.twin(), made.optimizer, data, BATCH, data)
    mine.load(made.replica, made.optimizer)
    return mine


def train(
    made: Sequential, *, joined: bool, during: Callable[[int], None] = lambda batch: None
) -> tuple[bytes, Any]:
    """The weights and metrics after three epochs, with workers from the first step or without."""
    mine = trainer(made)
    if joined:
        mine.join()
        assert mine._sharing.has_joined()
    else:
        mine._sharing._workers = 0
    measured = []
    for epoch in (1, 2, 3):
        record = mine.epoch(epoch, epoch_order(4, epoch, IMAGES), during)
        measured.append((record["loss"], record["accuracy"], mine.validate()))
    return result(made, mine), measured


def result(made: Sequential, mine: ParallelTrainer) -> bytes:
    """The bytes of the trained parameters and of the optimizer's state."""
    mine.store(made.replica, made.optimizer)
    mine.close()
    slots = made.optimizer.state().slots.values()
    return b"".join(each.tobytes() for each in (made.parameters, *slots))


def await_workers(count: int) -> None:
    """Wait until `count` workers are ready."""
    deadline = time.monotonic() + 60
    while pool().request(count) and not pool().is_ready(count):
        assert time.monotonic() < deadline
        time.sleep(0.01)


class TestTraining:
    @pytest.mark.parametrize("optimizer", small.optimizers(), ids=lambda each: type(each).__name__)
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("threads", [2, 3])
    def test_gives_the_same_bytes_as_without_workers(
        self, threads: int, dtype: str, optimizer: Optimizer
    ) -> None:
        alone, together = (
            train(model(threads, dtype, copy(optimizer)), joined=joined) for joined in (False, True)
        )
        assert together == alone

    @pytest.mark.parametrize("steps", range(8))
    def test_gives_the_same_bytes_whenever_the_workers_come(self, steps: int) -> None:
        expected = train(model(2), joined=False)
        made, looks = model(2), count(-steps)
        mine = trainer(made)
        await_workers(1)
        has_joined = mine._sharing.has_joined
        mine._sharing.has_joined = lambda: next(looks) >= 0 and has_joined()  # type: ignore[method-assign]
        measured = []
        for epoch in (1, 2, 3):
            record = mine.epoch(epoch, epoch_order(4, epoch, IMAGES))
            measured.append((record["loss"], record["accuracy"], mine.validate()))
        assert has_joined()
        assert result(made, mine) == expected[0]
        assert measured == expected[1]

    @pytest.mark.parametrize("at", [1, 2, 5])
    def test_goes_on_without_a_worker_that_is_killed(self, at: int) -> None:
        expected, steps = train(model(2), joined=False), [0]

        def kill(images: int) -> None:
            steps[0] += 1
            if steps[0] == at:
                os.kill(pool()._workers[0]._process.pid, signal.SIGKILL)

        with pytest.warns(GpucnnWarning, match="has ended without a word.*goes on alone"):
            assert train(model(2), joined=True, during=kill) == expected

    def test_of_layers_that_cannot_be_sent(self) -> None:
        class Mine(ReLU):
            handle: Any = None

            def build(self, input_shape: tuple[int, ...]) -> None:
                super().build(input_shape)
                self.handle = threading.Lock()

        made = Sequential([Mine(), Flatten(), Dense(3)], small.SHAPE)
        made.place(InMicrobatches(2, 3))
        await_workers(1)
        with pytest.warns(GpucnnWarning, match="cannot be sent to a worker process"):
            made.fit(small.images(IMAGES), small.labels(IMAGES), verbose=0)

    def test_of_layers_of_a_script(self) -> None:
        class Half(ReLU):
            def forward(self, x: Any, step: Any) -> Any:
                return super().forward(x, step)

        def made() -> Sequential:
            layers = [Half(), Flatten(), Dense(3)]
            result = Sequential(layers, small.SHAPE, seed=4)
            result.place(InMicrobatches(2, 3))
            result.compile(SGD(0.1))
            return result

        assert train(made(), joined=True) == train(made(), joined=False)

    def test_without_memory_to_share(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: Any) -> None:
            raise OSError(12, "Cannot allocate memory")

        monkeypatch.setattr(sharing, "SharedArrays", refuse)
        monkeypatch.setattr(workers, "POOL", workers.WorkerPool())
        with pytest.warns(GpucnnWarning, match="no memory can be shared.*by this process alone"):
            made = trainer(model(2))
        assert not made._sharing.has_joined()
        made.epoch(1, np.arange(IMAGES))
        trainer(model(2))  # without another warning

    def test_without_memory_for_the_images(self, monkeypatch: pytest.MonkeyPatch) -> None:
        expected = train(model(2), joined=False)
        monkeypatch.setattr(workers, "POOL", workers.WorkerPool())
        made = model(2)
        mine = trainer(made)

        def refuse(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "pwrite", refuse)
        with pytest.warns(GpucnnWarning, match="no memory can be shared.*No space left"):
            mine.join()
        assert not mine._sharing.has_joined()
        measured = []
        for epoch in (1, 2, 3):
            record = mine.epoch(epoch, epoch_order(4, epoch, IMAGES))
            measured.append((record["loss"], record["accuracy"], mine.validate()))
        assert (result(made, mine), measured) == expected
        assert pool()._workers == []

    @pytest.mark.parametrize(
        "images",
        [
            (small.images(IMAGES) * 255).astype(np.uint8),
            small.images(IMAGES).astype(np.float64),
            small.images(IMAGES)[::-1].astype(np.float16),
            np.repeat(small.images(IMAGES), 2, axis=0)[::2],
        ],
        ids=["bytes", "float64", "float16", "strided"],
    )
    @pytest.mark.parametrize("kind", [np.uint8, np.int32, np.int64])
    def test_takes_images_and_labels_of_all_kinds(self, images: Any, kind: Any) -> None:
        data = Labelled(images, small.labels(IMAGES).astype(kind))
        found = []
        for joined in (False, True):
            made = model(2)
            mine = ParallelTrainer(made.replica.twin(), made.optimizer, data, BATCH)
            mine.load(made.replica, made.optimizer)
            if joined:
                mine.join()
                assert mine._sharing.has_joined()
            else:
                mine._sharing._workers = 0
            mine.epoch(1, epoch_order(4, 1, IMAGES))
            found.append(result(made, mine))
        assert found[0] == found[1]

    def test_that_diverges_leaves_the_workers_free(self) -> None:
        made = model(2, optimizer=SGD(1e30))
        with pytest.raises(TrainingError):
            made.fit(small.images(IMAGES), small.labels(IMAGES), BATCH, 9, verbose=0)
        assert train(model(2), joined=True) == train(model(2), joined=False)

    def test_that_is_interrupted_ends_its_workers_and_another_has_new_ones(self) -> None:
        def interrupt(images: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train(model(2), joined=True, during=interrupt)
        assert train(model(2), joined=True) == train(model(2), joined=False)

    def test_takes_over_what_a_callback_sets(self) -> None:
        """At the end of an epoch a caller may change the weights and the learning rate."""

        def fit(*, alone: bool) -> bytes:
            made = model(2)

            def change(record: dict[str, Any]) -> None:
                made.set_weights([each / 2 for each in made.get_weights()])
                made.optimizer.learning_rate = 0.001

            with pytest.MonkeyPatch.context() as patch:
                if alone:
                    patch.setattr(sharing, "LEAST_SPAN", 10**18)
                made.fit(
                    small.images(IMAGES),
                    small.labels(IMAGES),
                    BATCH,
                    3,
                    verbose=0,
                    on_epoch_end=change,
                )
            return small.weight_bytes(made)

        assert fit(alone=False) == fit(alone=True)


@pytest.mark.parametrize("joined", [False, True])
def test_validation_is_an_evaluation_in_batches_of_the_size_that_is_asked_for(joined: bool) -> None:
    made, x, y = model(2), small.images(IMAGES), small.labels(IMAGES)
    data = Labelled(x[:4], y[:4]), BATCH, Labelled(x, y)
    mine = ParallelTrainer(made.replica.twin(), made.optimizer, *data)
    mine.load(made.replica, made.optimizer)
    if joined:
        mine.join()
    assert mine.validate() == made.evaluate(x, y, BATCH)
    mine.close()


@pytest.mark.parametrize("pixels", [np.uint8, np.float64, np.float32])
@pytest.mark.parametrize("labels", [np.uint8, np.int32, np.int64])
def test_what_is_given_is_shared_as_it_is_used(pixels: Any, labels: Any) -> None:
    made = model(2)
    data = Labelled(small.images(IMAGES).astype(pixels), small.labels(IMAGES).astype(labels))
    mine = ParallelTrainer(made.replica.twin(), made.optimizer, data, BATCH)
    kinds = {name: mine._sharing.arrays[name].dtype for name in ("images", "labels")}
    assert kinds == {
        "images": np.uint8 if pixels == np.uint8 else np.float32,
        "labels": np.int64,
    }
    assert_array_equal(mine._sharing.arrays["images"], data[0].astype(np.float32))
    assert_array_equal(mine._sharing.arrays["labels"], data[1])


class TestUsersModules:
    """Modules that have changed since a worker imported them, or that it cannot import."""

    def made(self, folder: Path, slope: float) -> Any:
        """Import a module with a layer whose slope is a global of the module."""
        file = folder / "layers_of_a_user.py"
        file.write_text(
            "from gpucnn.layers import ReLU\n"
            f"SLOPE = {slope}\n"
            "class Sloping(ReLU):\n"
            "    def forward(self, x, step):\n"
            "        return super().forward(x, step) * SLOPE\n"
        )
        spec = importlib.util.spec_from_file_location(file.stem, file)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[file.stem] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def trained(self, module: Any, *, joined: bool) -> tuple[bytes, Any]:
        made = Sequential([module.Sloping(), Flatten(), Dense(3)], small.SHAPE, seed=4)
        made.place(InMicrobatches(2, 3))
        made.compile(SGD(0.1))
        return train(made, joined=joined)

    def test_are_sent_as_they_are_now(self, tmp_path: Path) -> None:
        for slope in (0.5, 0.25):  # as after a reload
            module = self.made(tmp_path, slope)
            assert self.trained(module, joined=True) == self.trained(module, joined=False)
        module.SLOPE = 2.0
        assert self.trained(module, joined=True) == self.trained(module, joined=False)


class TestPool:
    def test_a_team_that_nobody_has_any_more_is_none(self) -> None:
        mine = trainer(model(2))
        mine.join()
        del mine
        gc.collect()
        assert train(model(2), joined=True) == train(model(2), joined=False)

    def test_another_thread_that_asks_leaves_a_leased_worker_alone(self) -> None:
        expected = train(model(2), joined=False)

        def ask(images: int) -> None:
            thread = threading.Thread(target=lambda: pool().request(1))
            thread.start()
            thread.join(60)

        def kill_and_ask(images: int) -> None:
            os.kill(pool()._workers[0]._process.pid, signal.SIGKILL)
            time.sleep(0.1)
            ask(images)

        assert train(model(2), joined=True, during=ask) == expected
        with pytest.warns(GpucnnWarning, match="goes on alone"):
            assert train(model(2), joined=True, during=once(kill_and_ask)) == expected

    def test_waits_for_nobody(self) -> None:
        """Not even for code that a signal handler has interrupted."""
        await_workers(1)
        with pool()._held():
            assert not pool().is_ready(1)
            assert pool().lease(1, 100) is None
            assert pool().request(1)


def once(call: Callable[[int], None]) -> Callable[[int], None]:
    calls = iter([call])
    return lambda images: next(calls, lambda _: None)(images)


class TestInference:
    @pytest.mark.parametrize("threads", [2, 3])
    def test_gives_the_same_bytes_as_without_workers(self, threads: int) -> None:
        made = model(threads)
        x, y = small.images(IMAGES), small.labels(IMAGES)

        def infer() -> tuple[bytes, Any]:
            return made.predict(x, BATCH).tobytes(), made.evaluate(x, y, BATCH)

        first = infer()  # before they are ready, perhaps
        await_workers(threads - 1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(parallel, "ALONE", None)  # which it would have to be
            assert infer() == first

    def test_goes_on_without_a_worker_that_is_killed(self) -> None:
        made, x = model(2), small.images(IMAGES)
        expected = made.predict(x, BATCH)
        await_workers(1)

        def fail(context: Context) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(parallel, "_infer_theirs", lambda task, context: fail(context))
            with pytest.warns(GpucnnWarning, match="goes on alone"):
                assert_array_equal(made.predict(x, BATCH), expected)

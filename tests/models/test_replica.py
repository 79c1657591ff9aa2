"""Batches split into shards, and shards into microbatches."""

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import small
from gpucnn import Adam
from gpucnn.backends import Array, Backend
from gpucnn.datasets.device_dataset import DeviceDataset
from gpucnn.layers import Batch
from gpucnn.models.network import Network
from gpucnn.models.replica import Replica, replica, split
from gpucnn.models.sequential import Sequential
from gpucnn.models.training import Trainer
from microbatches import InMicrobatches, Plain

IMAGES = 13

SPLITS = [(1, 5), (1, 1), (2, 100), (2, 3), (3, 2)]
"""Numbers of threads, and of images in a microbatch, for a batch of `IMAGES`."""

splits = pytest.mark.parametrize(("threads", "at_once"), SPLITS)


@pytest.fixture(autouse=True)
def every_shard_is_worth_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "LEAST_SHARD", 1)


def network(backend: Backend, **options: Any) -> Network:
    """A network in float64, with dropout, on `backend`."""
    made = Network(small.layers(), small.SHAPE, "float64", **options)
    made.place(backend)
    return made


def learned(made: Network, step: int | None) -> tuple[Array, Array, Array]:
    """The losses of a batch, which are correct, and the gradients; without dropout if no step."""
    losses, correct = np.empty((2, IMAGES))
    data = DeviceDataset(made.backend, made.dtype, small.images(IMAGES), small.labels(IMAGES))
    indices, number = np.arange(IMAGES)[::-1].copy(), None if step is None else np.array([step])
    assert data.labels is not None
    batch = Batch(data.labels, indices, np.zeros(2, np.int64), IMAGES, losses, correct)
    made.reserve(IMAGES, training=True)
    shards = made.replica.shards(IMAGES)
    gradients = made.replica.accumulate_gradients(shards, data, batch, number)
    return losses, correct, gradients.copy()


def train(threads: int, at_once: int = 3, dtype: str = "float64") -> Sequential:
    """A model trained for three epochs."""
    model = Sequential(small.layers(), small.SHAPE, dtype, seed=4)
    model.place(InMicrobatches(threads, at_once))
    model.compile(Adam(0.01))
    model.fit(small.images(30), small.labels(30), batch_size=IMAGES, epochs=3, verbose=0)
    return model


def sizes_of(slices: list[slice]) -> list[int]:
    return [each.stop - each.start for each in slices]


class TestSplit:
    @given(start=st.integers(0, 20), size=st.integers(1, 50), count=st.integers(1, 9))
    def test_takes_all_in_order_and_evenly(self, start: int, size: int, count: int) -> None:
        parts = list(split(slice(start, start + size), count))
        taken = [number for each in parts for number in range(each.start, each.stop)]
        assert len(parts) == count
        assert taken == list(range(start, start + size))
        assert max(sizes_of(parts)) - min(sizes_of(parts)) <= 1


class TestMicrobatches:
    @pytest.mark.parametrize(
        ("at_once", "sizes"), [(100, [10]), (10, [10]), (9, [5, 5]), (4, [3, 3, 4]), (1, [1] * 10)]
    )
    def test_have_no_more_images_than_are_worked_on_at_once(
        self, at_once: int, sizes: list[int]
    ) -> None:
        microbatches = network(InMicrobatches(1, at_once)).replica.microbatches(slice(3, 13))
        assert sizes_of(microbatches) == sizes
        assert (microbatches[0].start, microbatches[-1].stop) == (3, 13)

    def test_are_one_without_a_limit(self) -> None:
        made = network(Plain()).replica
        assert made.microbatches(slice(3, 1003)) == [slice(3, 1003)]

    def test_are_asked_for_by_the_bytes_of_an_image(self) -> None:
        asked: list[int] = []

        class Asked(Plain):
            def images_at_once(self, size: int) -> int:
                asked.append(size)
                return 7

        made = network(Asked()).replica
        assert sizes_of(made.microbatches(slice(0, 14))) == [7, 7]
        buffers = [each.inference_buffers() | each.training_buffers() for each in made.layers]
        real = made.layers[0].real
        assert asked == [sum(b.size(real) for named in buffers for b in named.values())]


class TestShards:
    @pytest.mark.parametrize(
        ("batch", "sizes"), [(1, [1]), (2, [1, 1]), (3, [1, 1, 1]), (13, [4, 4, 5])]
    )
    def test_are_as_many_as_there_are_threads(self, batch: int, sizes: list[int]) -> None:
        assert sizes_of(network(InMicrobatches(3, 100)).replica.shards(batch)) == sizes

    @pytest.mark.parametrize(("batch", "count"), [(1, 1), (19, 1), (20, 2), (30, 3), (1000, 3)])
    def test_are_worth_it(self, batch: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
        each = network(Plain()).replica.multiply_adds(1)
        monkeypatch.setattr(replica, "LEAST_SHARD", 10 * each)
        assert len(network(InMicrobatches(3, 100)).replica.shards(batch)) == count

    @pytest.mark.parametrize("threads", [1, 2, 3, 4])
    def test_smaller_ones_have_memory_too(
        self, threads: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        each = network(Plain()).replica.multiply_adds(1)
        monkeypatch.setattr(replica, "LEAST_SHARD", 10 * each)
        for batch in range(1, 60):
            made = network(InMicrobatches(threads, 100)).replica
            reserved: list[int] = []
            for layer in made.layers:
                monkeypatch.setattr(layer, "reserve", lambda n, training, r=reserved: r.append(n))
            made.reserve(batch)
            needed = [size for n in range(1, batch + 1) for size in sizes_of(made.shards(n))]
            assert max(needed) == max(reserved)


class TestGradients:
    @splits
    @pytest.mark.parametrize("step", [None, 7])
    def test_of_shards_add_up_to_the_batch(
        self, threads: int, at_once: int, step: int | None
    ) -> None:
        expected = learned(network(Plain()), step)
        for actual, right in zip(
            learned(network(InMicrobatches(threads, at_once)), step), expected, strict=True
        ):
            assert_allclose(actual, right, rtol=1e-11, atol=1e-14)

    @splits
    def test_repeat_to_the_bit(self, threads: int, at_once: int) -> None:
        made = network(InMicrobatches(threads, at_once))
        first, again = learned(made, 7), learned(made, 7)
        assert [each.tobytes() for each in first] == [each.tobytes() for each in again]

    @splits
    def test_of_another_step_drop_others(self, threads: int, at_once: int) -> None:
        made = network(InMicrobatches(threads, at_once))
        assert not np.isclose(learned(made, 7)[0], learned(made, 8)[0]).any()


class TestTraining:
    def test_gives_the_same_bytes_for_the_same_seed_and_threads(self) -> None:
        first, again = (small.weight_bytes(train(2, dtype="float32")) for _ in range(2))
        assert first == again

    @splits
    def test_differs_by_rounding_alone(self, threads: int, at_once: int) -> None:
        expected = train(1, at_once=100)
        assert_allclose(
            train(threads, at_once).parameters, expected.parameters, rtol=1e-9, atol=1e-12
        )

    def test_tells_its_progress(self) -> None:
        model = Sequential(small.layers(), small.SHAPE)
        model.place(InMicrobatches(2, 3))
        data = DeviceDataset(model.backend, model.dtype, small.images(30), small.labels(30))
        done: list[int] = []
        trained = Trainer(model.replica, model.optimizer, data, IMAGES)
        trained.epoch(1, np.arange(30), done.append)
        assert done == [13, 13, 4]


class TestInference:
    @splits
    def test_forward_is_that_of_the_whole_batch(self, threads: int, at_once: int) -> None:
        x = np.random.default_rng(0).standard_normal((IMAGES, *small.SHAPE))
        plain, made = network(Plain()), network(InMicrobatches(threads, at_once))
        for each in (plain, made):
            each.reserve(IMAGES)
        assert_allclose(made.forward(x), plain.forward(x), rtol=1e-12, atol=1e-14)


class TestTwin:
    def test_has_the_parameters_but_not_the_memory(self) -> None:
        made = network(InMicrobatches(2, 3)).replica
        twin = made.twin()
        assert_array_equal(twin.parameters, made.parameters)
        assert not np.shares_memory(twin.parameters, made.parameters)
        x = np.random.default_rng(0).standard_normal((3, *small.SHAPE))
        for each in (made, twin):
            each.reserve(3)
        logits = made.infer(x)
        assert not np.shares_memory(twin.infer(x), logits)
        assert twin.backend is not made.backend

    def test_leaves_the_layers_with_their_own(self) -> None:
        made = network(InMicrobatches(2, 3))
        made.replica.twin().parameters.fill(7)
        assert not (made.parameters == 7).any()
        assert np.shares_memory(made.layers[0].parameters["kernel"], made.parameters)

    def test_of_another_process_is_of_the_same_layers(self) -> None:
        made = network(InMicrobatches(2, 3)).replica
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(replica, "LEAST_SHARD", 10**9)  # as it may be there
            other: Replica = pickle.loads(pickle.dumps(made))
        assert [each.name for each in other.layers] == [each.name for each in made.layers]
        assert other.shards(IMAGES) == made.shards(IMAGES)
        assert not other.parameters.any()

"""Batches that are taken apart: into pieces, and into parts for several lanes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import small
from backends.strategies import SETTINGS
from gpucnn import Adam
from gpucnn.backends import Array, Backend
from gpucnn.batches import Batches
from gpucnn.lane import Lane, split
from gpucnn.network import Network
from gpucnn.sequential import Sequential
from gpucnn.training import Trainer, evaluate, predict
from pieces import InPieces, Plain

IMAGES = 13

SPLITS = [(1, 5), (1, 1), (2, 100), (2, 3), (3, 2)]
"""Numbers of lanes, and of images at once, that take a batch of `IMAGES` apart."""

splits = pytest.mark.parametrize(("threads", "at_once"), SPLITS)


@pytest.fixture(autouse=True)
def every_part_is_worth_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpucnn.network.LEAST_PART", 1)
    monkeypatch.setattr("gpucnn.network.LEAST_SPAN", 1)


def network(backend: Backend, **options: Any) -> Network:
    """A network in float64, with dropout, on a backend of choice."""
    made = Network(small.layers(), small.SHAPE, "float64", **options)
    made.place(backend)
    return made


def data_of(made: Network, count: int = IMAGES) -> Batches:
    return Batches(made.backend, made.dtype, small.images(count), small.labels(count))


def learned(made: Network, step: int | None) -> tuple[Array, Array, Array]:
    """The losses of a batch, what is correct, and the gradients, of a step or without dropout."""
    losses, correct = (made.backend.shared((IMAGES,), made.dtype) for _ in range(2))
    number = None if step is None else np.array([step])
    made.reserve(IMAGES, training=True)
    made.learn(data_of(made), np.arange(IMAGES)[::-1].copy(), losses, correct, number)
    return losses, correct, made.gradients.copy()


def train(threads: int, at_once: int = 3, dtype: str = "float64") -> Sequential:
    """A model after three epochs."""
    model = Sequential(small.layers(), small.SHAPE, dtype, seed=4)
    model.place(InPieces(threads, at_once))
    model.compile(Adam(0.01))
    model.fit(small.images(30), small.labels(30), batch_size=IMAGES, epochs=3, verbose=0)
    return model


class TestSplit:
    @given(start=st.integers(0, 20), count=st.integers(1, 50), pieces=st.integers(1, 9))
    @SETTINGS
    def test_takes_all_in_order_and_evenly(self, start: int, count: int, pieces: int) -> None:
        parts = list(split(slice(start, start + count), pieces))
        taken = [number for part in parts for number in range(part.start, part.stop)]
        sizes = [part.stop - part.start for part in parts]
        assert len(parts) == pieces
        assert taken == list(range(start, start + count))
        assert max(sizes) - min(sizes) <= 1


class TestPieces:
    @pytest.mark.parametrize(
        ("at_once", "sizes"), [(100, [10]), (10, [10]), (9, [5, 5]), (4, [3, 3, 4]), (1, [1] * 10)]
    )
    def test_have_no_more_images_than_are_worked_on_at_once(
        self, at_once: int, sizes: list[int]
    ) -> None:
        lane = network(InPieces(1, at_once)).lanes[0]
        pieces = list(lane.pieces(slice(3, 13)))
        assert [piece.stop - piece.start for piece in pieces] == sizes
        assert (pieces[0].start, pieces[-1].stop) == (3, 13)

    def test_are_one_without_a_limit(self) -> None:
        assert list(network(Plain()).lanes[0].pieces(slice(3, 1003))) == [slice(3, 1003)]

    def test_are_asked_for_by_the_bytes_of_an_image(self) -> None:
        asked: list[int] = []

        class Asked(Plain):
            def images_at_once(self, size: int) -> int:
                asked.append(size)
                return 7

        lane = network(Asked()).lanes[0]
        assert lane.images_at_once == 7
        buffers = [each.inference_buffers() | each.training_buffers() for each in lane.layers]
        size = lane.layers[0].real
        assert asked == [sum(b.size(size) for named in buffers for b in named.values())]


class TestLanes:
    @pytest.mark.parametrize("threads", [1, 2, 3])
    def test_there_is_one_for_each_thread(self, threads: int) -> None:
        assert len(network(InPieces(threads, 4)).lanes) == threads

    def test_have_the_parameters_of_the_network(self) -> None:
        made = network(InPieces(3, 4))
        for lane in made.lanes:
            for layer in lane.layers:
                for values in layer.parameters.values():
                    assert np.shares_memory(values, made.parameters)

    def test_have_gradients_of_their_own(self) -> None:
        made = network(InPieces(3, 4))
        for number, lane in enumerate(made.lanes):
            lane.gradients.fill(number)
        for number, lane in enumerate(made.lanes):
            parts = [part for layer in lane.layers for part in layer.gradients.values()]
            assert_array_equal(np.concatenate([each.ravel() for each in parts]), number)
            assert sum(each.size for each in parts) == made.gradients.size

    @pytest.mark.parametrize(
        ("batch", "sizes"), [(1, [1]), (2, [1, 1]), (3, [1, 1, 1]), (13, [4, 4, 5])]
    )
    def test_share_a_batch(self, batch: int, sizes: list[int]) -> None:
        made = network(InPieces(3, 100))
        shared: list[tuple[Lane, slice]] = []
        made.share(batch, lambda lane, part: shared.append((lane, part)))
        assert [part.stop - part.start for _, part in shared] == sizes
        assert [lane for lane, _ in shared] == list(made.lanes[: len(sizes)])

    @pytest.mark.parametrize(("batch", "lanes"), [(1, 1), (19, 1), (20, 2), (30, 3), (1000, 3)])
    def test_share_a_batch_that_is_worth_it(
        self, batch: int, lanes: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = network(InPieces(3, 100))
        multiply_adds = sum(layer.multiply_adds() for layer in made.layers)
        monkeypatch.setattr("gpucnn.network.LEAST_PART", 10 * multiply_adds)
        shared: list[Lane] = []
        made.share(batch, lambda lane, part: shared.append(lane))
        assert len(shared) == lanes


class TestLearn:
    @splits
    @pytest.mark.parametrize("step", [None, 7])
    def test_of_parts_adds_up_to_the_batch(
        self, threads: int, at_once: int, step: int | None
    ) -> None:
        expected = learned(network(Plain()), step)
        for actual, right in zip(
            learned(network(InPieces(threads, at_once)), step), expected, strict=True
        ):
            assert_allclose(actual, right, rtol=1e-11, atol=1e-14)

    @splits
    def test_repeats_to_the_bit(self, threads: int, at_once: int) -> None:
        made = network(InPieces(threads, at_once))
        first, again = learned(made, 7), learned(made, 7)
        assert [each.tobytes() for each in first] == [each.tobytes() for each in again]

    @splits
    def test_of_another_step_drops_others(self, threads: int, at_once: int) -> None:
        made = network(InPieces(threads, at_once))
        assert not np.isclose(learned(made, 7)[0], learned(made, 8)[0]).any()


class TestTraining:
    def test_gives_the_same_bytes_for_the_same_seed_and_threads(self) -> None:
        assert small.weight_bytes(train(2, dtype="float32")) == small.weight_bytes(
            train(2, dtype="float32")
        )

    @pytest.mark.parametrize("threads", [2, 3])
    def test_gives_the_same_bytes_where_the_parts_are_not_worked_on_at_once(
        self, threads: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        at_once = small.weight_bytes(train(threads))
        monkeypatch.setattr("gpucnn.network.LEAST_SPAN", 10**18)
        assert small.weight_bytes(train(threads)) == at_once

    @splits
    def test_differs_by_rounding_alone(self, threads: int, at_once: int) -> None:
        expected = train(1, at_once=100)
        assert_allclose(
            train(threads, at_once).parameters, expected.parameters, rtol=1e-9, atol=1e-12
        )

    def test_goes_on_after_an_epoch_as_if_it_had_been_alone(self) -> None:
        """The optimizer's vectors, too, are those of the process that goes on."""
        first, other = train(2), train(1)
        for model in (first, other):
            model.fit(small.images(30), small.labels(30), batch_size=IMAGES, epochs=1, verbose=0)
        assert_allclose(first.parameters, other.parameters, rtol=1e-9, atol=1e-12)


class TestInference:
    @splits
    def test_forward_is_that_of_the_whole_batch(self, threads: int, at_once: int) -> None:
        x = np.random.default_rng(0).standard_normal((IMAGES, *small.SHAPE))
        plain, made = network(Plain()), network(InPieces(threads, at_once))
        for each in (plain, made):
            each.reserve(IMAGES)
        assert_allclose(made.forward(x), plain.forward(x), rtol=1e-12, atol=1e-14)

    @splits
    def test_forward_is_the_same_in_a_session(self, threads: int, at_once: int) -> None:
        x = np.random.default_rng(0).standard_normal((IMAGES, *small.SHAPE))
        made = network(InPieces(threads, at_once))
        made.reserve(IMAGES)
        with made.session(IMAGES, IMAGES):
            logits = made.forward(x)
        inside = logits.copy()
        assert_array_equal(inside, made.forward(x))

    @splits
    def test_evaluation_is_that_of_whole_batches(self, threads: int, at_once: int) -> None:
        plain, made = network(Plain()), network(InPieces(threads, at_once))
        actual, expected = (evaluate(each, data_of(each, 30), IMAGES) for each in (made, plain))
        assert actual == pytest.approx(expected, rel=1e-12)

    @splits
    def test_prediction_is_that_of_whole_batches(self, threads: int, at_once: int) -> None:
        plain, made = network(Plain()), network(InPieces(threads, at_once))
        actual, expected = (predict(each, data_of(each, 30), IMAGES) for each in (made, plain))
        assert_allclose(actual, expected, rtol=1e-12)


@pytest.mark.parametrize("threads", [1, 2, 3, 4])
def test_what_is_reserved_does_for_smaller_batches(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small.model(threads=threads)
    each = sum(layer.multiply_adds() for layer in model.layers)
    monkeypatch.setattr("gpucnn.network.LEAST_PART", 10 * each)
    for batch in range(1, 60):
        reserved: list[int] = []
        monkeypatch.setattr(Lane, "reserve", lambda _, n, training, r=reserved: r.append(n))
        model.reserve(batch)
        needed = [part.stop - part.start for n in range(1, batch + 1) for part in parts(model, n)]
        assert max(needed) == max(reserved)


def parts(model: Network, batch: int) -> list[slice]:
    """How a batch is split."""
    seen: list[slice] = []
    model.share(batch, lambda _, part: seen.append(part))
    return seen


def test_progress_is_told_once() -> None:
    model = Sequential(small.layers(), small.SHAPE)
    model.place(InPieces(2, 3))
    model.compile(Adam())
    done: list[int] = []
    trained = Trainer(model, model.optimizer, data_of(model, 30), IMAGES)
    trained.epoch(1, np.arange(30), done.append)
    assert done == [13, 13, 4]

"""Training, evaluation and prediction with batches of an iterable, on either device."""

from collections.abc import Callable, Iterator
from itertools import count, islice, pairwise
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import small
from expect import refusal
from gpucnn import SGD, Adam, Dense, Flatten, OneCycle, Rescaling, Sequential
from gpucnn.errors import GpucnnWarning, InvalidTypeError
from gpucnn.losses import CategoricalCrossentropy
from gpucnn.metrics import ConfusionMatrix, F1Score
from gpucnn.models.data import chunk
from gpucnn.models.pixels import BYTES, FLOATS, Pixels
from gpucnn.models.training import Trainer, epoch_order
from gpucnn.models.training.parallel import ParallelTrainer
from gpucnn.regularizers import L2
from gpucnn.utils import to_categorical
from microbatches import InMicrobatches

IMAGES, BATCH, STEPS, EPOCHS = 50, 8, 7, 3  # the last batch is a smaller one
IN_CHUNK = 3  # batches
X, Y = small.images(IMAGES), small.labels(IMAGES)
WEIGHTS = np.random.default_rng(1).uniform(0, 2, IMAGES)

devices = pytest.mark.parametrize("device", ["cpu", "simulator"])


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk, "CHUNK", 1)
    monkeypatch.setattr(chunk, "LEAST_BATCHES", IN_CHUNK)


def batches(*arrays: Any, size: int = BATCH) -> list[Any]:
    """Batches of arrays: tuples of a part of each."""
    parts = [slice(first, first + size) for first in range(0, len(arrays[0]), size)]
    return [tuple(each[part] for each in arrays) for part in parts]


class Indexed:
    """What Keras calls a `PyDataset`, but for the base class."""

    def __init__(self, given: list[Any]) -> None:
        self.given, self.calls = given, list[str]()

    def __len__(self) -> int:
        return len(self.given)

    def __getitem__(self, index: int) -> Any:
        assert type(index) is int
        return self.given[index]

    def on_epoch_begin(self) -> None:
        self.calls.append("begin")

    def on_epoch_end(self) -> None:
        self.calls.append("end")


class Iterable:
    """What can be iterated again and again, and has no length that it knows of."""

    def __init__(self, given: list[Any]) -> None:
        self.given = given

    def __iter__(self) -> Iterator[Any]:
        return iter(self.given)

    def __len__(self) -> int:
        raise TypeError("it has an unknown length")


def endless(given: list[Any]) -> Iterator[Any]:
    while True:
        yield from given


KINDS: dict[str, tuple[Callable[[list[Any]], Any], dict[str, Any]]] = {
    "a list": (lambda given: given, {}),
    "a tuple": (tuple, {}),
    "indexed": (Indexed, {}),
    "iterable": (Iterable, {}),
    "a generator": (endless, {"steps_per_epoch": STEPS}),
}

kinds = pytest.mark.parametrize(("make", "options"), KINDS.values(), ids=KINDS)


def model(device: str = "cpu", **options: Any) -> Sequential:
    return small.model(Adam(0.01), device=device, seed=4, **options)


def fit(made: Sequential, x: Any, y: Any = None, **options: Any) -> tuple[Any, ...]:
    """The state of a model after training in order, and what was measured."""
    given = {"epochs": EPOCHS, "shuffle": False, "verbose": 0} | options
    history = made.fit(x, y, **given).history
    measured = {k: v for k, v in history.items() if k not in ("seconds", "images_per_second")}
    slots = {name: slot.tobytes() for name, slot in made.optimizer.state().slots.items()}
    steps = made.optimizer.iterations, made.epochs_trained
    return small.weight_bytes(made), slots, steps, made.pixels, measured


def on_arrays(made: Sequential, *arrays: Any, **options: Any) -> tuple[Any, ...]:
    x, y, *weights = arrays
    return fit(
        made, x, y, batch_size=BATCH, sample_weight=weights[0] if weights else None, **options
    )


def on_batches(made: Sequential, *arrays: Any, **options: Any) -> tuple[Any, ...]:
    return fit(made, batches(*arrays), **options)


class TestFit:
    @devices
    @kinds
    def test_gives_the_bytes_of_fit_on_arrays(
        self, make: Callable[[list[Any]], Any], options: Any, device: str
    ) -> None:
        expected = on_arrays(model(device), X, Y)
        assert fit(model(device), make(batches(X, Y)), **options) == expected

    @devices
    @kinds
    def test_validates_as_on_arrays(
        self, make: Callable[[list[Any]], Any], options: Any, device: str
    ) -> None:
        expected = on_arrays(model(device), X, Y, validation_data=(X[:20], Y[:20]))
        held_out = make(batches(X[:20], Y[:20]))
        steps = {"validation_steps": 3} if options else {}
        found = fit(model(device), batches(X, Y), validation_data=held_out, **steps)
        assert found == expected
        assert len(found[-1]["val_loss"]) == EPOCHS

    @devices
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("pixels", [np.float16, np.float32, np.float64])
    def test_takes_floats(self, pixels: Any, dtype: str, device: str) -> None:
        x = (X / 255).astype(pixels)
        expected = on_arrays(model(device, dtype=dtype), x, Y)
        assert fit(model(device, dtype=dtype), batches(x, Y)) == expected

    @devices
    def test_takes_weights_and_measures_outputs(self, device: str) -> None:
        results = []
        for train in (on_arrays, on_batches):
            made = model(device)
            made.compile(SGD(0.1), metrics=[F1Score(), ConfusionMatrix()])
            data = batches(X[:20], Y[:20], WEIGHTS[:20]) if train is not on_arrays else None
            held_out = data or (X[:20], Y[:20], WEIGHTS[:20])
            options = {"class_weight": {1: 3.0}, "validation_data": held_out}
            results.append(train(made, X, Y, WEIGHTS, **options))
        assert results[0] == results[1]
        assert results[0][-1].keys() >= {"f1_score", "val_confusion_matrix"}

    @devices
    def test_adds_penalties(self, device: str) -> None:
        results = []
        for train in (on_arrays, on_batches):
            layers = [Flatten(), Dense(small.CLASSES, kernel_regularizer=L2(0.1))]
            made = Sequential(layers, small.SHAPE, device=device, seed=4)
            data = batches(X[:20], Y[:20]) if train is on_batches else (X[:20], Y[:20])
            results.append(train(made, X, Y, validation_data=data))
            assert made.evaluate(batches(X, Y)) == made.evaluate(X, Y, BATCH)
        assert results[0] == results[1]

    @devices
    def test_takes_labels_of_which_some_are_not_certain(self, device: str) -> None:
        rows = to_categorical(Y)
        rows[:BATCH] = [0.25, 0.25, 0.5]  # in the first batch alone
        results = []
        for train in (on_arrays, on_batches):
            made = model(device)
            made.compile(SGD(0.1), CategoricalCrossentropy(from_logits=True))
            results.append(train(made, X, rows))
        assert results[0] == results[1]

    @devices
    def test_of_sizes_that_change_takes_a_step_on_each(self, device: str) -> None:
        ends = np.cumsum([0, 8, 8, 3, 12, 12, 1, 6])
        parts = [slice(*each) for each in pairwise(ends)]
        streamed, stepped = (model(device) for _ in range(2))
        fit(streamed, [(X[each], Y[each]) for each in parts], epochs=2)
        for part in parts * 2:
            stepped.train_on_batch(X[part], Y[part])
        assert small.weight_bytes(streamed) == small.weight_bytes(stepped)
        assert streamed.optimizer.iterations == 14

    def test_shuffles_batches_that_can_be_indexed(self) -> None:
        shuffled, ordered = model(), model()
        given = batches(X, Y)
        fit(shuffled, Indexed(given), shuffle=True)
        for epoch in range(1, EPOCHS + 1):
            order = epoch_order(4, epoch, STEPS)
            assert sorted(order) == list(range(STEPS))
            fit(ordered, [given[each] for each in order], epochs=1)
        assert small.weight_bytes(shuffled) == small.weight_bytes(ordered)

    def test_shuffles_no_others(self) -> None:
        expected = fit(model(), Iterable(batches(X, Y)))
        assert fit(model(), Iterable(batches(X, Y)), shuffle=True) == expected

    def test_tells_an_iterable_of_epochs(self) -> None:
        given = Indexed(batches(X, Y))
        fit(model(), given)
        assert given.calls == ["begin", "end"] * EPOCHS

    def test_builds_a_model_for_its_first_batch(self) -> None:
        layers = [Flatten(), Dense(small.CLASSES)]
        known, unknown = Sequential(layers, small.SHAPE, seed=4), Sequential(layers[:0], seed=4)
        for layer in (Flatten(), Dense(small.CLASSES)):
            unknown.add(layer)
        assert fit(unknown, batches(X[..., 0], Y)) == on_arrays(known, X, Y)
        assert unknown.input_shape == small.SHAPE

    def test_may_be_given_the_same_arrays_again(self) -> None:
        x, y = np.empty_like(X[:BATCH]), np.empty_like(Y[:BATCH])

        def refilled() -> Iterator[Any]:
            for images, labels in batches(X, Y):
                x[: len(images)], y[: len(images)] = images, labels
                yield x[: len(images)], y[: len(images)]

        assert fit(model(), refilled(), epochs=1) == on_arrays(model(), X, Y, epochs=1)

    def test_goes_on_in_the_next_call(self) -> None:
        expected = on_arrays(model(), X, Y)
        made, given = model(), endless(batches(X, Y))
        for _ in range(EPOCHS):
            found = fit(made, given, epochs=1, steps_per_epoch=STEPS)
        assert found[:4] == expected[:4]


class TestWorkers:
    @pytest.fixture(autouse=True)
    def _always(self, workers: None) -> None:
        """Workers are started however little there is to do."""

    @pytest.mark.parametrize("threads", [2, 3])
    @pytest.mark.parametrize("joins", [False, True])
    def test_give_the_same_bytes(
        self, joins: bool, threads: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        load = ParallelTrainer.load

        def joined(trainer: ParallelTrainer, *arguments: Any) -> None:
            load(trainer, *arguments)
            trainer.join()
            assert trainer._sharing.has_joined()

        def alone(trainer: ParallelTrainer, *arguments: Any) -> None:
            load(trainer, *arguments)
            trainer._sharing._workers = 0

        results = []
        for streams in (False, True):
            made = model()
            made.place(InMicrobatches(threads, 3))
            made.compile(SGD(0.1), metrics=[F1Score()])
            wait = joined if streams and joins else alone
            monkeypatch.setattr(ParallelTrainer, "load", wait)
            if streams:
                given = batches(X, Y, WEIGHTS)
                results.append(fit(made, given, validation_data=batches(X[:20], Y[:20])))
            else:
                results.append(on_arrays(made, X, Y, WEIGHTS, validation_data=(X[:20], Y[:20])))
        assert results[0] == results[1]

    def test_join_in_the_middle_of_an_epoch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made, seen = model(), list[bool]()
        made.place(InMicrobatches(2, 3))
        begin = ParallelTrainer.begin_part

        def joining(trainer: ParallelTrainer, *arguments: Any) -> None:
            begin(trainer, *arguments)
            if seen:
                trainer.join()
            seen.append(trainer._sharing.has_joined())

        monkeypatch.setattr(ParallelTrainer, "begin_part", joining)
        found = fit(made, batches(X, Y))
        assert seen[-1]
        alone = small.model(Adam(0.01), seed=4)
        alone.place(InMicrobatches(2, 3))
        monkeypatch.setattr("gpucnn.models.training.sharing.LEAST_SPAN", 10**18)
        assert found == on_arrays(alone, X, Y)


class TestSteps:
    """`steps_per_epoch` lets an iterable go on where it was, and begin anew at its end."""

    @pytest.mark.parametrize("make", [list, Indexed, Iterable, endless])
    @pytest.mark.parametrize("steps", [1, 3, 5, STEPS, 10])
    def test_go_on(self, make: Any, steps: int) -> None:
        given = [batch for batch in batches(X, Y) if len(batch[0]) == BATCH]
        taken = islice(endless(given), steps * EPOCHS)
        one_by_one = model()
        for x, y in taken:
            one_by_one.train_on_batch(x, y)
        made = model()
        fit(made, make(given), steps_per_epoch=steps)
        assert small.weight_bytes(made) == small.weight_bytes(one_by_one)
        assert made.epochs_trained == EPOCHS

    @pytest.mark.parametrize("steps", [1, 2, 3])
    def test_are_all_that_is_taken_of_a_generator(self, steps: int) -> None:
        given = iter(batches(X, Y))
        fit(model(), given, epochs=1, steps_per_epoch=steps)
        assert len(list(given)) == STEPS - steps

    @pytest.mark.parametrize(("steps", "epochs"), [(3, 3), (STEPS, 1), (8, 1)])
    def test_that_a_generator_has_not_end_the_training(self, steps: int, epochs: int) -> None:
        made = model()
        told = f"^x ended after {STEPS} batches, fewer than were asked for$"
        with pytest.warns(GpucnnWarning, match=told) as warned:
            history = made.fit(
                iter(batches(X, Y)), epochs=EPOCHS + 1, steps_per_epoch=steps, verbose=0
            )
        assert len(warned) == 1
        assert len(history.epochs) == made.epochs_trained == epochs
        assert made.optimizer.iterations == STEPS

    def test_of_a_schedule_are_counted(self) -> None:
        made = model()
        made.compile(SGD(OneCycle(0.1, 6)))
        with pytest.warns(GpucnnWarning, match="ends after 6 steps, and this goes on to step 9"):
            made.fit(batches(X, Y), epochs=3, steps_per_epoch=3, verbose=0)


class BrokenError(Exception):
    """An error of the user's own."""


class TestErrors:
    def failing(self, after: int) -> Iterator[Any]:
        yield from islice(endless(batches(X, Y)), after)
        raise BrokenError("the disk is gone")

    @devices
    def test_of_an_iterable_come_out_as_they_are(self, device: str) -> None:
        """The model is in the middle of an epoch: it has done the chunks that were full."""
        made, expected = model(device), model(device)
        with pytest.raises(BrokenError, match=r"^the disk is gone$"):
            fit(made, self.failing(STEPS + IN_CHUNK + 2), steps_per_epoch=STEPS)
        assert made.epochs_trained == 1
        fit(expected, self.failing(STEPS + IN_CHUNK), epochs=1, steps_per_epoch=STEPS)
        fit(expected, batches(X[: IN_CHUNK * BATCH], Y[: IN_CHUNK * BATCH]), epochs=1)
        assert small.weight_bytes(made) == small.weight_bytes(expected)
        fit(made, batches(X, Y))

    def test_of_the_first_batch_leave_the_model_as_it_was(self) -> None:
        made = model()
        before = small.weight_bytes(made)
        with pytest.raises(BrokenError):
            fit(made, self.failing(0), epochs=1)
        assert small.weight_bytes(made) == before

    def test_of_an_index_are_errors(self) -> None:
        class Short(Indexed):
            def __len__(self) -> int:
                return STEPS + 1

        with pytest.raises(IndexError):
            fit(model(), Short(batches(X, Y)))

    def test_of_a_batch_say_which_it_is(self) -> None:
        given = batches(X, Y)
        given[4] = (X[:BATCH], Y[:BATCH] + 3)
        with refusal(
            "batch 5 of x: the label of image 0 is 3, but the model has 3 classes: give labels "
            "from 0 to 2"
        ):
            fit(model(), given)
        with refusal(
            "batch 5 of validation_data: the label of image 0 is 3, but the model has 3 classes: "
            "give labels from 0 to 2"
        ):
            fit(model(), X, Y, validation_data=given)


class TestMemory:
    def test_is_that_of_a_chunk(self, monkeypatch: pytest.MonkeyPatch) -> None:
        drawn, ahead, sizes = count(), [], []
        done = 0

        def given() -> Iterator[Any]:
            for batch in islice(endless(batches(X, Y)), 40):
                ahead.append(next(drawn) - done)
                yield batch

        begin, run = ParallelTrainer.begin_part, ParallelTrainer.run

        def begun(trainer: ParallelTrainer, *arguments: Any) -> None:
            sizes.append(len(trainer.data))
            begin(trainer, *arguments)

        def ran(trainer: ParallelTrainer, *arguments: Any) -> None:
            nonlocal done
            run(trainer, *arguments)
            done += trainer.batches

        monkeypatch.setattr(ParallelTrainer, "begin_part", begun)
        monkeypatch.setattr(ParallelTrainer, "run", ran)
        fit(model(), given(), epochs=1)
        assert set(sizes) == {IN_CHUNK * BATCH}
        assert max(ahead) == IN_CHUNK  # the one after those of a chunk says that it is full

    def test_is_kept_and_steps_are_recorded_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made, blocks, recorded = model("simulator"), [], count()
        memory = made.backend.runtime._memory  # type: ignore[attr-defined]
        record = type(made.backend).record

        def noted(self: Any, work: Any) -> Any:
            next(recorded)
            return record(self, work)

        monkeypatch.setattr(type(made.backend), "record", noted)

        def given() -> Iterator[Any]:
            for batch in islice(endless(batches(X, Y)), 10 * STEPS):
                blocks.append(len(memory.blocks()))
                yield batch

        fit(made, given(), steps_per_epoch=STEPS, epochs=10)
        assert len(set(blocks[2 * STEPS :])) == 1
        assert next(recorded) == 2  # with either number of images

    def test_is_as_large_as_the_bytes_of_a_chunk(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(chunk, "CHUNK", 5 * BATCH * (36 + 8))
        seen = []
        begin = Trainer.begin

        def begun(trainer: Trainer, order: Any, *size: Any) -> None:
            seen.append(len(order))
            begin(trainer, order, *size)

        monkeypatch.setattr(Trainer, "begin", begun)
        fit(model(), Iterable(batches(X, Y)), epochs=1)
        assert seen == [5 * BATCH, 10]
        seen.clear()
        fit(model(), Iterable(batches(X / 255, Y)), epochs=1)  # of four times the bytes
        assert seen == [3 * BATCH, 3 * BATCH, 2]


class TestPixels:
    def test_are_recorded_of_all_batches(self) -> None:
        made, x = model(), X.clip(50, 200)
        x[-1, 0, 0], x[0, 0, 0] = 255, 3
        fit(made, batches(x, Y))
        assert made.pixels == Pixels(BYTES, 3, 255)
        fit(made, batches(x - x.astype(np.float32) + np.float32(0.5), Y))
        assert made.pixels == Pixels(FLOATS, 0.5, 0.5)

    def test_of_other_data_are_converted_as_the_first_batches_say(self) -> None:
        made = model()
        fit(made, X, Y)
        x = (X / 255).astype(np.float32)
        bright = x.copy()
        bright[30:] = bright[30:].clip(0.4, 0.6)  # of which nothing could be said by itself
        expected = made.predict(bright - 0.5, BATCH)
        np.testing.assert_allclose(made.predict(batches(bright)), expected, atol=1e-6)
        with pytest.raises(ValueError, match="how to convert them is not known"):
            made.predict(bright[30:])
        with pytest.raises(ValueError, match=r"^batch 1 of x: .*how to convert them is not known"):
            made.predict(batches(bright[30:]))
        assert made.evaluate(batches(x, Y)).loss == pytest.approx(made.evaluate(X, Y).loss)
        bytes_ = model()
        fit(bytes_, x, Y)
        assert_array_equal(bytes_.predict(batches(X)), bytes_.predict(X, BATCH))

    def test_as_they_are(self) -> None:
        made = Sequential([Rescaling(1 / 255), Flatten(), Dense(3)], small.SHAPE)
        fit(made, batches(X, Y))
        np.testing.assert_allclose(
            made.predict(batches(X / 255)), made.predict(X, BATCH), rtol=1e-4
        )

    def test_that_are_dark_are_told(self) -> None:
        with pytest.warns(GpucnnWarning, match="bytes of at most 1, which are nearly") as told:
            fit(model(), batches(X % 2, Y), epochs=1)
        assert [each.filename for each in told] == [__file__]


class TestEvaluate:
    @devices
    @pytest.mark.parametrize("make", [list, Indexed, Iterable, iter])
    def test_gives_the_bytes_of_arrays(self, make: Any, device: str) -> None:
        made = model(device)
        made.compile(metrics=[F1Score()])
        expected = made.evaluate(X, Y, BATCH, sample_weight=WEIGHTS)
        assert made.evaluate(make(batches(X, Y, WEIGHTS))) == expected
        assert made.evaluate(make(batches(X, Y, WEIGHTS)), return_dict=True) == expected._asdict()

    @devices
    @pytest.mark.parametrize("make", [list, Indexed, Iterable, iter])
    @pytest.mark.parametrize("arrays", [(X,), (X, Y), (X, Y, WEIGHTS)])
    def test_prediction_gives_the_bytes_of_arrays(
        self, make: Any, arrays: Any, device: str
    ) -> None:
        made = model(device)
        assert_array_equal(made.predict(make(batches(*arrays))), made.predict(X, BATCH))

    def test_prediction_takes_images_alone(self) -> None:
        made = model()
        given = (each for (each,) in batches(X))
        assert_array_equal(made.predict(given), made.predict(X, BATCH))

    def test_prediction_takes_lists_of_images_as_arrays(self) -> None:
        made = model()
        assert_array_equal(made.predict(list(X)), made.predict(X))

    @pytest.mark.parametrize("steps", [1, 2, 3])
    def test_takes_as_many_batches_as_are_asked_for(self, steps: int) -> None:
        made, given = model(), iter(batches(X, Y))
        found = made.evaluate(given, steps=steps)
        assert found == made.evaluate(X[: steps * BATCH], Y[: steps * BATCH], BATCH)
        rest = made.predict(given, steps=2)
        assert_array_equal(rest, made.predict(X[steps * BATCH :], BATCH)[: 2 * BATCH])

    def test_tells_of_too_few(self) -> None:
        made = model()
        with pytest.warns(GpucnnWarning, match="x ended after 7 batches, fewer than were asked"):
            found = made.evaluate(iter(batches(X, Y)), steps=8)
        assert found == made.evaluate(X, Y, BATCH)

    def test_lets_an_iterable_use_the_model(self) -> None:
        made = model()
        given = ((x, made.predict(x).argmax(axis=1)) for x, _ in batches(X, Y))
        assert made.evaluate(given).accuracy == 1
        fit(made, ((x, made.predict(x).argmax(axis=1)) for x, _ in batches(X, Y)), epochs=1)


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "value", "instead"),
        [
            ("y", Y, "leave it out, since they have the labels"),
            ("batch_size", 32, "leave it out, since they have a size of their own"),
            ("sample_weight", WEIGHTS, "let them be (images, labels, sample_weight)"),
            ("validation_split", 0.1, "give validation_data"),
        ],
    )
    def test_of_what_is_for_arrays(self, name: str, value: Any, instead: str) -> None:
        line = f"{name} is given, but x is an iterable of batches: {instead}"
        given = Indexed(batches(X, Y))
        with refusal(line):
            fit(model(), given, **{name: value})
        if name != "validation_split":
            with refusal(line):
                model().evaluate(given, **{name: value})
        if name == "batch_size":
            with refusal(line):
                model().predict(given, **{name: value})

    def test_of_what_is_for_iterables(self) -> None:
        line = "{} is 3, but counts the batches of an iterable, and there is none: leave it out"
        with refusal(line.format("steps_per_epoch")):
            fit(model(), X, Y, steps_per_epoch=3)
        for held_out in (None, (X, Y)):
            with refusal(line.format("validation_steps")):
                fit(model(), X, Y, validation_data=held_out, validation_steps=3)
        with refusal(line.format("steps")):
            model().evaluate(X, Y, steps=3)
        with refusal(line.format("steps")):
            model().predict(X, steps=3)

    @pytest.mark.parametrize("steps", [0, 1.5, "2"])
    def test_of_steps(self, steps: Any) -> None:
        line = f"is {steps!r}: it must be a whole number of at least 1"
        with refusal(f"steps_per_epoch {line}"):
            fit(model(), batches(X, Y), steps_per_epoch=steps)
        with refusal(f"validation_steps {line}"):
            fit(model(), X, Y, validation_data=batches(X, Y), validation_steps=steps)
        with refusal(f"steps {line}"):
            model().evaluate(batches(X, Y), steps=steps)

    def test_of_a_generator_for_several_epochs(self) -> None:
        line = (
            "{} is a list_iterator, whose batches come once, but there are 3 epochs: give {}, or "
            "what can be iterated anew"
        )
        with refusal(line.format("x", "steps_per_epoch")):
            fit(model(), iter(batches(X, Y)))
        with refusal(line.format("validation_data", "validation_steps")):
            fit(model(), X, Y, validation_data=iter(batches(X, Y)))

    @pytest.mark.parametrize(
        ("batch", "what"),
        [((X,), "tuple"), ((X, Y, Y, Y), "tuple"), ({"x": X, "y": Y}, "dict"), (X, "ndarray")],
    )
    def test_of_what_is_no_batch(self, batch: Any, what: str) -> None:
        with refusal(
            f"batch 1 of x is no pair but of {what}: give (images, labels), or these and "
            "sample_weight",
            InvalidTypeError,
        ):
            fit(model(), [batch])

    def test_of_no_batch(self) -> None:
        with refusal("x gives no batch: give at least one"):
            fit(model(), [])
        with refusal("validation_data gives no batch: give at least one"):
            fit(model(), X, Y, validation_data=Indexed([]))

    def test_of_an_epoch_without_batches(self) -> None:
        class Once(Iterable):
            def __iter__(self) -> Iterator[Any]:
                given, self.given = self.given, []
                return iter(given)

        with refusal("x gives no batch in epoch 2"):
            fit(model(), Once(batches(X, Y)))

    def test_of_labels_that_are_missing(self) -> None:
        with refusal(
            "there are no labels: give y, or let x be an iterable of batches that have them"
        ):
            fit(model(), X)

    def test_of_batches_that_have_nothing_in_common(self) -> None:
        given = batches(X, Y)
        with refusal(
            "batch 3 of x: its pixels are floats from 0 to 0, and those of the batches before are "
            f"bytes from 0 to {X[:16].max()}: give all batches as bytes, or all as "
            "floating-point numbers"
        ):
            fit(model(), [*given[:2], (X[:2] * 0.0, Y[:2])])
        with refusal(
            "batch 3 of x: it has sample_weight, and the first two have none: give it with each "
            "batch"
        ):
            fit(model(), [*given[:2], (X[:2], Y[:2], WEIGHTS[:2])])
        with refusal(
            "batch 3 of x: it has 25 images, for which there is no memory, since the first two "
            "have at most 8: begin with a full batch"
        ):
            fit(model(), [*given[:2], (X[:25], Y[:25])])
        made = model()
        made.compile(loss=CategoricalCrossentropy(from_logits=True))
        rows = to_categorical(Y)
        with refusal(
            "batch 3 of x: it has labels that are not certain, and the first two only such as "
            "are: begin with one like it"
        ):
            fit(made, [*batches(X, rows)[:2], (X[:2], rows[:2] * 0.5 + 0.5 * rows[1:3])])

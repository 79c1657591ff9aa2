"""Models used by several threads, pickled, copied, and used in forked processes."""

import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import copy, deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from numpy.testing import assert_array_equal

import small
from gpucnn import SGD, Adam, Dense, Flatten, OneCycle, ReLU, Sequential
from gpucnn.errors import ModelInUseError


def fit_in_silence(model: Sequential, x: Any, y: Any) -> None:
    model.fit(x, y, epochs=5, verbose=0)


class TestThreads:
    """A model used by several threads at once."""

    IMAGES = 40

    def run_all(self, *calls: Callable[[], None]) -> None:
        """Run each call in a thread of its own; none may fail."""
        errors: list[BaseException] = []

        def run(call: Callable[[], None]) -> None:
            try:
                call()
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=run, args=(call,)) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)
        assert errors == []

    def test_get_the_answers_to_their_own_questions(self) -> None:
        model, x = small.model(), small.images(self.IMAGES)
        right = [model.predict(x[i : i + 1]) for i in range(self.IMAGES)]

        def ask(first: int) -> None:
            for number in range(200):
                image = (first + number) % self.IMAGES
                assert_array_equal(model.predict(x[image : image + 1]), right[image])

        self.run_all(*(partial(ask, 7 * each) for each in range(4)))

    def test_see_the_weights_of_an_epochs_end_during_a_fit(self) -> None:
        model, x, y = small.model(Adam(0.01)), small.images(self.IMAGES), small.labels(self.IMAGES)
        seen: set[bytes] = set()
        ends: set[bytes] = {small.weight_bytes(model)}
        measured: set[float] = set()
        losses: set[float] = {model.evaluate(x, y).loss}
        done = threading.Event()

        def end(record: dict[str, Any]) -> None:
            ends.add(small.weight_bytes(model))
            losses.add(model.evaluate(x, y).loss)

        def fit() -> None:
            try:
                model.fit(x, y, batch_size=2, epochs=30, verbose=0, on_epoch_end=end)
            finally:
                done.set()

        def look() -> None:
            while not done.is_set():
                seen.add(small.weight_bytes(model))
                measured.add(model.evaluate(x, y).loss)

        self.run_all(fit, look, look)
        assert seen <= ends
        assert measured <= losses

    def test_do_not_disturb_a_fit(self) -> None:
        x, y = small.images(self.IMAGES), small.labels(self.IMAGES)
        alone = small.model(Adam(0.01))
        alone.fit(x, y, batch_size=7, epochs=20, verbose=0)
        model, done = small.model(Adam(0.01)), threading.Event()

        def fit() -> None:
            try:
                model.fit(x, y, batch_size=7, epochs=20, verbose=0)
            finally:
                done.set()

        def use() -> None:
            while not done.is_set():
                model.predict(x[:9])
                model.loss_and_gradients(x[:3], y[:3])

        self.run_all(fit, use)
        assert small.weight_bytes(model) == small.weight_bytes(alone)

    def test_train_models_of_their_own(self) -> None:
        x, y = small.images(self.IMAGES), small.labels(self.IMAGES)
        models = [small.model(Adam(0.01), seed=7) for _ in range(3)]
        self.run_all(*(partial(fit_in_silence, each, x, y) for each in models))
        assert len({small.weight_bytes(each) for each in models}) == 1

    @pytest.mark.parametrize(
        "change",
        [
            lambda model: model.fit(small.images(3), small.labels(3), verbose=0),
            lambda model: model.compile(Adam()),
            lambda model: model.set_weights(model.get_weights()),
            lambda model: model.to("cpu"),
        ],
        ids=["fit", "compile", "set_weights", "to"],
    )
    def test_cannot_change_a_model_that_another_trains(
        self, change: Callable[[Sequential], None]
    ) -> None:
        model, told = small.model(), []

        def from_elsewhere(record: dict[str, Any]) -> None:
            def try_it() -> None:
                with pytest.raises(ModelInUseError, match="trained by another thread") as error:
                    change(model)
                told.append(str(error.value))

            self.run_all(try_it)

        model.fit(small.images(3), small.labels(3), verbose=0, on_epoch_end=from_elsewhere)
        assert len(told) == 1
        assert "\n" not in told[0]
        change(model)

    @pytest.mark.parametrize("change", ["fit", "compile", "to"])
    def test_of_a_fit_cannot_begin_it_anew_in_its_callback(self, change: str) -> None:
        model = small.model()
        x, y = small.images(3), small.labels(3)

        def callback(record: dict[str, Any]) -> None:
            calls: dict[str, Callable[[], object]] = {
                "fit": lambda: model.fit(x, y, verbose=0),
                "compile": lambda: model.compile(Adam()),
                "to": lambda: model.to("cpu"),
            }
            calls[change]()

        with pytest.raises(ModelInUseError, match="the model is being trained by the call of fit"):
            model.fit(x, y, verbose=0, on_epoch_end=callback)
        model.fit(x, y, verbose=0)

    def test_that_are_refused_take_no_batch_from_an_iterable(self) -> None:
        model, taken = small.model(), []

        def batches() -> Iterator[tuple[Any, Any]]:
            taken.append(True)
            yield small.images(3), small.labels(3)

        def callback(record: dict[str, Any]) -> None:
            model.fit(batches(), verbose=0)

        with pytest.raises(ModelInUseError):
            model.fit(small.images(3), small.labels(3), verbose=0, on_epoch_end=callback)
        assert not taken
        model.fit(batches(), verbose=0)
        assert taken

    @pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="of POSIX")
    def test_are_refused_by_a_handler_that_interrupts_them(self) -> None:
        model, x, told = small.model(), small.images(2000), []

        def handle(*_: Any) -> None:
            try:
                model.predict(x[:1])
            except ModelInUseError as error:
                told.append(str(error))

        before = signal.signal(signal.SIGALRM, handle)
        right = model.predict(x)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        try:
            while not told:
                assert_array_equal(model.predict(x), right)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert "handler of signals" in told[0]

    def test_save_and_copy_what_belongs_together_beside_a_fit(self, tmp_path: Path) -> None:
        model, x, y = small.model(Adam(0.01)), small.images(4), small.labels(4)
        done, seen = threading.Event(), []

        def fit() -> None:
            try:
                model.fit(x, y, batch_size=4, epochs=200, verbose=0)
            finally:
                done.set()

        def save() -> None:
            while not done.is_set():
                model.save(tmp_path / "model.safetensors")
                saved = Sequential.load(tmp_path / "model.safetensors")
                seen.extend([saved, deepcopy(model)])

        self.run_all(fit, save)
        assert {each.optimizer.iterations - each.epochs_trained for each in seen} == {0}

    def test_of_one_model_all_set_its_weights(self) -> None:
        model = small.model()
        weights = model.get_weights()

        def work() -> None:
            for _ in range(200):
                model.set_weights(weights)
                model.compile(Adam())

        self.run_all(work, work)

    @pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="of POSIX")
    def test_a_handler_of_signals_uses_another_model(self) -> None:
        model, other, x = small.model(), small.model(), small.images(200)
        right, asked = model.predict(x), []

        def handle(*_: Any) -> None:
            with suppress(ModelInUseError):  # where the handler itself has been interrupted
                asked.append(other.predict(x[:1]))

        before = signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        try:
            for _ in range(1000):
                assert_array_equal(model.predict(x), right)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert asked


class TestCallbacks:
    """Changes made at the end of an epoch take effect."""

    def fit(self, change: Callable[[Sequential], None]) -> bytes:
        model = small.model(SGD(0.01, momentum=0.5))
        x, y = small.images(20), small.labels(20)
        model.fit(x, y, epochs=3, verbose=0, on_epoch_end=lambda _: change(model))
        return small.weight_bytes(model)

    @pytest.mark.parametrize(
        ("what", "name", "value"),
        [(lambda m: m.optimizer, "momentum", 0.9), (lambda m: m.layers[4], "rate", 0.75)],
        ids=["momentum", "rate of dropout"],
    )
    def test_of_settings(self, what: Callable[[Sequential], Any], name: str, value: float) -> None:
        changed = self.fit(lambda model: setattr(what(model), name, value))
        assert changed != self.fit(lambda model: None)

    def test_what_a_layer_keeps_is_the_models(self) -> None:
        class Counting(ReLU):
            def __init__(self) -> None:
                self.passes = 0

            def forward(self, x: Any, step: Any) -> Any:
                self.passes += step is not None
                return super().forward(x, step)

        layer = Counting()
        model = Sequential([layer, Flatten(), Dense(3)], small.SHAPE)
        model.fit(small.images(20), small.labels(20), batch_size=5, epochs=2, verbose=0)
        assert layer.passes == 8


class TestCopies:
    @pytest.fixture
    def trained(self) -> Sequential:
        model = small.model(Adam(OneCycle(0.01, 30)), seed=3, threads=2)
        model.fit(small.images(10), small.labels(10), batch_size=3, epochs=2, verbose=0)
        return model

    @pytest.mark.parametrize(
        "again", [deepcopy, copy, lambda each: pickle.loads(pickle.dumps(each))]
    )
    def test_go_on_as_the_original_does(
        self, trained: Sequential, again: Callable[[Sequential], Sequential]
    ) -> None:
        other = again(trained)
        assert other.epochs_trained == 2
        assert other.optimizer.iterations == trained.optimizer.iterations == 8
        for each in (trained, other):
            each.fit(small.images(10), small.labels(10), batch_size=3, epochs=2, verbose=0)
        assert small.weight_bytes(other) == small.weight_bytes(trained)
        assert other.settings() == trained.settings()

    @pytest.mark.parametrize("again", [deepcopy, copy])
    def test_share_nothing(
        self, trained: Sequential, again: Callable[[Sequential], Sequential]
    ) -> None:
        before, predicted = small.weight_bytes(trained), trained.predict(small.images(5))
        other = again(trained)
        other.set_weights([each + 1 for each in other.get_weights()])
        other.optimizer.learning_rate = 1.0
        assert small.weight_bytes(trained) == before
        assert_array_equal(trained.predict(small.images(5)), predicted)
        assert isinstance(trained.optimizer.learning_rate, OneCycle)

    def test_keep_what_a_subclass_adds(self) -> None:
        model = small.model()
        model.note = "mine"  # type: ignore[attr-defined]
        assert deepcopy(model).note == "mine"  # type: ignore[attr-defined]

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
    def test_of_a_fork_are_each_its_own(self, trained: Sequential) -> None:
        x, y = small.images(10), small.labels(10)
        expected = deepcopy(trained)
        expected.fit(x, y, verbose=0)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            trained.fit(x, y, verbose=0)
            os.write(writer, small.weight_bytes(trained))
            os._exit(0)
        os.close(writer)
        trained.fit(x, y, verbose=0)
        with os.fdopen(reader, "rb") as pipe:
            assert pipe.read() == small.weight_bytes(trained) == small.weight_bytes(expected)
        os.waitpid(child, 0)

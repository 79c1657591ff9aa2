from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import small
from expect import refusal
from gpucnn import utils
from gpucnn.errors import InvalidTypeError


class Batches(utils.PyDataset):
    """Four batches of 5 images."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.x, self.y = small.images(20), small.labels(20)
        self.calls: list[Any] = []

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        self.calls.append(index)
        part = slice(5 * index, 5 * index + 5)
        return self.x[part], self.y[part]

    def on_epoch_end(self) -> None:
        self.calls.append("end")


def test_a_model_is_trained_on_it_as_on_the_arrays() -> None:
    given, models = Batches(), [small.model(seed=1), small.model(seed=1)]
    models[0].fit(given, epochs=2, shuffle=False, verbose=0)
    models[1].fit(given.x, given.y, batch_size=5, epochs=2, shuffle=False, verbose=0)
    assert small.weight_bytes(models[0]) == small.weight_bytes(models[1])
    assert given.calls == [0, 1, 2, 3, "end", 0, 1, 2, 3, "end"]
    assert models[0].evaluate(given) == models[1].evaluate(given.x, given.y, batch_size=5)
    assert_array_equal(models[0].predict(given), models[1].predict(given.x, batch_size=5))


def test_batches_are_in_another_order_in_each_epoch() -> None:
    given = Batches()
    small.model().fit(given, epochs=2, verbose=0)
    first, second = given.calls[:4], given.calls[5:9]
    assert sorted(first) == sorted(second) == [0, 1, 2, 3]
    assert first != second


def test_keras_has_an_older_name_of_it() -> None:
    assert utils.Sequence is utils.PyDataset


def test_it_has_none_of_keras_s_arguments() -> None:
    Batches(workers=1, use_multiprocessing=False, max_queue_size=10)
    with refusal(
        "PyDataset has no argument workers=4: batches are asked for one after the other; leave it "
        "out",
        InvalidTypeError,
    ):
        Batches(workers=4)
    with refusal("PyDataset has no argument worker: it takes none", InvalidTypeError):
        Batches(worker=1)


def test_it_has_a_length_and_batches() -> None:
    class Empty(utils.PyDataset):
        pass

    with pytest.raises(TypeError, match="__getitem__"):
        Empty()  # type: ignore[abstract]


def test_a_batch_may_be_images_alone() -> None:
    class Images(Batches):
        def __getitem__(self, index: int) -> Any:
            return np.zeros((2, *small.SHAPE), np.uint8)

    assert small.model().predict(Images()).shape == (8, 3)

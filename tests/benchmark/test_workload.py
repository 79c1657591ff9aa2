import numpy as np
import pytest

from gpucnn.benchmark import workload
from gpucnn.benchmark.workload import (
    describe_model,
    full_batches,
    load_data,
    make_network,
    normalise,
)
from gpucnn.layers import AUGMENTATION, Dropout
from gpucnn.models import MNIST_SHAPE, MODELS
from gpucnn.models.graph import IMAGES


@pytest.mark.parametrize("model", MODELS)
def test_presets_come_without_what_is_drawn_and_with_their_weights(model: str) -> None:
    preset = MODELS[model](device="cpu", input_shape=MNIST_SHAPE)
    made = make_network(model, "float32", "cpu", 1)
    drawn: tuple[type, ...] = (Dropout, *AUGMENTATION)
    kinds = [type(each) for each in preset.layers if not isinstance(each, drawn)]
    assert [type(each) for each in made.layers] == kinds
    for expected, weights in zip(preset.get_weights(), made.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, expected)


@pytest.mark.parametrize(
    ("model", "described"),
    [
        ("notebook", "notebook"),
        ("lenet", "lenet without dropout"),
        ("tiny", "tiny without augmentation"),
        ("resnet", "resnet without augmentation"),
    ],
)
def test_what_is_left_out_is_told(model: str, described: str) -> None:
    assert describe_model(model) == described


def test_threads_and_dtype_are_as_asked() -> None:
    made = make_network("notebook", "float64", "cpu", 3)
    assert made.backend.threads == 3
    assert made.dtype == np.float64


def test_data_is_what_networks_take() -> None:
    (images, labels), (test_images, test_labels) = load_data()
    assert images.shape == (60000, 28, 28, 1)
    assert test_images.shape == (10000, 28, 28, 1)
    assert images.dtype == test_images.dtype == np.uint8
    assert labels.dtype == test_labels.dtype == np.int64


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pixels_are_normalised(dtype: str) -> None:
    real = normalise(np.array([[[[0], [51], [255]]]], np.uint8), np.dtype(dtype))
    assert real.dtype == dtype
    np.testing.assert_allclose(real, [[[[-0.5], [-0.3], [0.5]]]], rtol=1e-6)


def test_batches_are_full_and_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [len(each) for each in full_batches(10, 4)] == [4, 4]
    monkeypatch.setattr(workload, "MOST_BATCHES", 1)
    assert [len(each) for each in full_batches(10, 4)] == [4]


def test_what_follows_a_layer_that_is_left_out_takes_what_that_took() -> None:
    made = make_network("resnet", "float32", "cpu", 1)
    assert made.graph.inputs[0] == (IMAGES,)
    merged = [inputs for inputs in made.graph.inputs if len(inputs) == 2]
    assert merged == [(8, 3), (17, 12), (26, 21)]

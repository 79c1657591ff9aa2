import numpy as np
from numpy.testing import assert_array_equal

from gpucnn.models.pictures.passes import Explanation, Saliency
from gpucnn.serving.answers import Answer, as_bytes


def test_each_image_is_scaled_to_its_own_range() -> None:
    images = np.array([[[-1.0, 0.0, 1.0]], [[5, 5, 5]], [[0, 1000, 250]]])
    assert_array_equal(as_bytes(images), [[[0, 128, 255]], [[0, 0, 0]], [[0, 255, 64]]])


def test_the_low_end_may_be_given() -> None:
    assert_array_equal(as_bytes(np.array([[[5.0, 10.0]]]), low=0), [[[128, 255]]])
    assert_array_equal(as_bytes(np.zeros((1, 1, 2)), low=0), [[[0, 0]]])


def test_large_maps_are_thinned_out_and_many_cut() -> None:
    maps = np.random.default_rng(0).normal(size=(2, 130, 65, 70))
    explanation = Explanation({"wide": maps}, Saliency(np.ones((2, 130, 65, 3)), np.zeros(2, int)))
    answer = Answer(
        np.array([0.25, 0.75]), ("0", "1"), np.zeros((130, 65, 3), np.uint8), explanation, 1
    )
    told = answer._explained(explanation)
    (layer,) = told["layers"]
    assert (layer["rows"], layer["columns"], layer["channels"]) == (44, 22, 64)
    assert (told["saliency"]["rows"], told["saliency"]["columns"]) == (130, 65)
    assert told["pixels"]["channels"] == 3

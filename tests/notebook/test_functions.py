"""The notebook's functions, compared with its own implementation in plain loops."""

import threading

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from gpucnn import notebook

Floats = NDArray[np.float64]
IMAGES, HEIGHT, WIDTH, FILTERS, CLASSES = 3, 7, 6, 2, 4


def random(*shape: int) -> Floats:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


def loop_convolve(X: Floats, W: Floats, b: Floats) -> Floats:
    f = len(W)
    Z = np.zeros((len(X), X.shape[1] - f + 1, X.shape[2] - f + 1, W.shape[2]))
    for i, h, w, c in np.ndindex(Z.shape):
        Z[i, h, w, c] = notebook.conv_slice(X[i, h : h + f, w : w + f], W[:, :, c], b[c])
    return Z


def loop_max_pool(A: Floats) -> Floats:
    P = np.zeros((len(A), A.shape[1] // 2, A.shape[2] // 2, A.shape[3]))
    for i, h, w, c in np.ndindex(P.shape):
        P[i, h, w, c] = notebook.get_max_mask(A[i, 2 * h : 2 * h + 2, 2 * w : 2 * w + 2, c])
    return P


def loop_max_pooling_backprop(delta_P: Floats, A: Floats) -> Floats:
    delta_A = np.zeros(A.shape)
    for i, h, w, c in np.ndindex(delta_P.shape):
        window = (i, slice(2 * h, 2 * h + 2), slice(2 * w, 2 * w + 2), c)
        delta_A[window] = delta_P[i, h, w, c] * notebook.get_max_mask(A[window])
    return delta_A


def loop_conv_gradients(delta_Z: Floats, X: Floats, f: int) -> tuple[Floats, Floats]:
    delta_W, delta_b = np.zeros((f, f, delta_Z.shape[3])), np.zeros(delta_Z.shape[3])
    for i, h, w, c in np.ndindex(delta_Z.shape):
        delta_W[:, :, c] += delta_Z[i, h, w, c] * X[i, h : h + f, w : w + f]
        delta_b[c] += delta_Z[i, h, w, c]
    return delta_W, delta_b


def test_normalized_pixels_lie_between_minus_and_plus_a_half() -> None:
    normalized = notebook.normalize_images(np.array([[[0, 51, 255]]], np.uint8))
    assert_allclose(normalized, [[[-0.5, -0.3, 0.5]]], atol=1e-16)


def test_parameters_are_drawn_as_the_notebook_drew_them() -> None:
    random_state = np.random.RandomState(1)
    convW, convb, logitsW, logitsb = notebook.initialize_parameters()
    np.testing.assert_array_equal(convW, random_state.randn(3, 3, 8) / 3)
    np.testing.assert_array_equal(logitsW, random_state.randn(1352, 10) / 135)
    assert convb.shape == (8,)
    assert logitsb.shape == (10,)
    assert not convb.any()
    assert not logitsb.any()


def test_the_global_generator_is_left_alone() -> None:
    np.random.seed(7)  # noqa: NPY002
    expected = np.random.RandomState(7).rand()
    notebook.initialize_parameters()
    assert np.random.rand() == expected  # noqa: NPY002


def test_conv_slice_is_a_weighted_sum() -> None:
    assert notebook.conv_slice([[1, 2], [3, 4]], [[1, 0], [0, 10]], 0.5) == 41.5


def test_convolve_is_conv_slice_at_every_place() -> None:
    X, W, b = random(IMAGES, HEIGHT, WIDTH), random(3, 3, FILTERS), random(FILTERS)
    Z, (cached_W, cached_b) = notebook.convolve(X, W, b)
    assert_allclose(Z, loop_convolve(X, W, b), rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(cached_W, W)
    np.testing.assert_array_equal(cached_b, b)


def test_a_single_number_serves_as_bias_of_all_filters() -> None:
    X, W = random(IMAGES, HEIGHT, WIDTH), random(3, 3, FILTERS)
    Z, _ = notebook.convolve(X, W, 0.25)
    assert_allclose(Z, loop_convolve(X, W, np.full(FILTERS, 0.25)), rtol=1e-12, atol=1e-14)


def test_relu_is_the_positive_part() -> None:
    np.testing.assert_array_equal(notebook.relu([-1.0, 0.0, 2.0]), [0, 0, 2])


def test_max_pool2_is_the_maximum_of_every_window() -> None:
    A = random(IMAGES, HEIGHT, WIDTH, FILTERS)
    np.testing.assert_array_equal(notebook.max_pool2(A), loop_max_pool(A))


def test_perceptron_is_logit_of_one_image() -> None:
    P, W, b = random(IMAGES, 2, 2, FILTERS), random(8, CLASSES), random(CLASSES)
    logits, (_, _, shape) = notebook.logit(P, W, b)
    assert shape == P.shape
    assert_allclose(logits[1], P[1].ravel() @ W + b, rtol=1e-12, atol=1e-14)
    assert_allclose(notebook.perceptron(P[1].ravel(), W, b), logits[1], rtol=1e-12, atol=1e-14)


def test_softmax_of_rows_is_softmax_of_each() -> None:
    logits = random(IMAGES, CLASSES)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert_allclose(notebook.softmax(logits), expected, rtol=1e-12)
    assert_allclose(notebook.softmax_single(logits[2]), expected[2], rtol=1e-12)


def test_evaluate_gives_per_cent_and_mean_loss() -> None:
    out = np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.7, 0.2, 0.1]])
    accuracy, loss = notebook.evaluate(out, [0, 1, 2, 2])
    assert accuracy == 75.0
    assert_allclose(loss, -np.log([0.5, 0.8, 0.6, 0.1]).mean())


def test_softmax_backprop_is_the_gradient_of_the_mean_loss() -> None:
    logits, y = random(IMAGES, CLASSES), np.array([0, 3, 1])

    def loss(z: Floats) -> float:
        return notebook.evaluate(notebook.softmax(z), y)[1]

    delta = notebook.softmax_backprop(notebook.softmax(logits), y)
    for place in np.ndindex(logits.shape):
        step = np.zeros(logits.shape)
        step[place] = 1e-6
        difference = (loss(logits + step) - loss(logits - step)) / 2e-6
        assert_allclose(delta[place], difference, rtol=1e-6, atol=1e-9)


def test_softmax_backprop_leaves_its_argument_alone() -> None:
    out = notebook.softmax(random(IMAGES, CLASSES))
    before = out.copy()
    notebook.softmax_backprop(out, [0, 1, 2])
    np.testing.assert_array_equal(out, before)


def test_logits_backprop_steps_down_and_hands_on_the_gradient() -> None:
    P, W, b = random(IMAGES, 2, 2, FILTERS), random(8, CLASSES), random(CLASSES)
    delta = random(IMAGES, CLASSES)
    _, cache = notebook.logit(P, W, b)
    delta_P, new_W, new_b = notebook.logits_backprop(delta, cache, P, 0.1)
    assert_allclose(delta_P, (delta @ W.T).reshape(P.shape), rtol=1e-12, atol=1e-14)
    assert_allclose(new_W, W - 0.1 * P.reshape(IMAGES, -1).T @ delta, rtol=1e-12, atol=1e-14)
    assert_allclose(new_b, b - 0.1 * delta.sum(axis=0), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("size", [(6, 8), (7, 5)], ids=["even", "odd"])
def test_max_pooling_backprop_is_the_notebooks_rule(size: tuple[int, int]) -> None:
    A = random(IMAGES, *size, FILTERS)
    delta_P = random(IMAGES, size[0] // 2, size[1] // 2, FILTERS)
    expected = loop_max_pooling_backprop(delta_P, A)
    np.testing.assert_array_equal(notebook.max_pooling_backprop(delta_P, A), expected)


def test_relu_backprop_stops_where_the_input_was_not_positive() -> None:
    delta = notebook.relu_backprop([5.0, 6.0, 7.0], [-1.0, 0.0, 2.0])
    np.testing.assert_array_equal(delta, [0, 0, 7])


def test_conv_backprop_steps_down() -> None:
    X, W, b = random(IMAGES, HEIGHT, WIDTH), random(3, 3, FILTERS), random(FILTERS)
    delta_Z = random(IMAGES, HEIGHT - 2, WIDTH - 2, FILTERS)
    delta_W, delta_b = loop_conv_gradients(delta_Z, X, 3)
    new_W, new_b = notebook.conv_backprop(delta_Z, X, (W, b), 0.1)
    assert_allclose(new_W, W - 0.1 * delta_W, rtol=1e-12, atol=1e-14)
    assert_allclose(new_b, b - 0.1 * delta_b, rtol=1e-12, atol=1e-14)


def test_a_cell_of_the_notebook_runs_unchanged(capsys: pytest.CaptureFixture[str]) -> None:
    cell = """
from gpucnn import load_mnist
from gpucnn.notebook import *

(X_train, y_train), _ = load_mnist()
X = normalize_images(X_train[:100])
convW, convb, logitsW, logitsb = initialize_parameters()
out, cache, acc, loss = train_cnn(
    X, y_train[:100], convW, convb, logitsW, logitsb, epochs=1, learning_rate=0.1
)
"""
    names: dict[str, object] = {}
    exec(cell, names)
    assert capsys.readouterr().out.splitlines() == [
        "Epoch 0",
        "Accuracy:17.00, Avg Loss: 2.30219",
        "Epoch 1",
        "Accuracy:41.00, Avg Loss: 2.10387",
    ]
    assert names["acc"] == pytest.approx(41.0)


def test_the_device_can_be_chosen() -> None:
    notebook.use_device("cpu")
    with pytest.raises(ValueError, match="unknown device 'abacus'"):
        notebook.use_device("abacus")


def test_threads_do_not_disturb_each_other() -> None:
    x = np.random.default_rng(0).standard_normal((20, 400, 50))
    wrong: list[int] = []

    def work(first: int) -> None:
        for number in range(200):
            image = (first + number) % len(x)
            if not np.array_equal(notebook.softmax(x[image]), right[image]):
                wrong.append(image)

    right = [notebook.softmax(each) for each in x]
    threads = [threading.Thread(target=work, args=(5 * each,)) for each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []

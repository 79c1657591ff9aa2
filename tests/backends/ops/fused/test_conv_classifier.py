"""A classifier's step as one operation, against one operation after the other.

Pixels are 0 or 255, which are normalised to halves, and parameters of the convolution are whole
numbers: so its scores are exact, many are equal, and the same pixels are chosen everywhere.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from backends.agreement import assert_agrees, results
from backends.operations.values import Values
from gpucnn.backends import Backend, ConvClassifier, Window
from gpucnn.backends.backend import CudaBackend
from gpucnn.backends.cuda.simulator_runtime import SimulatorRuntime
from gpucnn.backends.ops.bounds import softmax_roundings
from gpucnn.backends.ops.fused.conv_classifier import conv_classifier
from gpucnn.verification.calls import Call, Results
from gpucnn.verification.calls import define as define_call

CASES = {
    "the notebook's": conv_classifier((28, 28), (3, 3), (2, 2), 8, 10, "float32"),
    "odd": conv_classifier((11, 12), (2, 3), (3, 2), 4, 3, "float32"),
    "one class": conv_classifier((4, 5), (1, 2), (1, 1), 8, 1, "float32"),
    "many filters": conv_classifier((6, 6), (2, 2), (2, 3), 32, 5, "float32"),
    "most classes": conv_classifier((6, 6), (3, 3), (2, 2), 4, 20, "float32"),
    "float64": conv_classifier((11, 12), (2, 3), (3, 2), 4, 3, "float64"),
    "float64, two filters": conv_classifier((6, 6), (3, 3), (2, 2), 2, 17, "float64"),
}
IMAGES = 9  # of the data set
EPOCH = 8  # images of an epoch


@pytest.fixture(scope="module")
def simulator() -> CudaBackend:
    return CudaBackend(SimulatorRuntime())


@dataclass
class Step:
    """A step on a batch of a classifier: arguments of the operation, on the host."""

    classifier: ConvClassifier
    arguments: dict[str, Any]


def a_step(classifier: ConvClassifier, batch_size: int, number: int, epoch: int = EPOCH) -> Step:
    values = Values(0, classifier.real)
    dense = (classifier.features + 1) * classifier.classes
    parameters = [
        values.choices([-2, -1, 0, 1, 2], classifier.convolution_parameters),
        values.reals(dense) / 8,
    ]
    pixels = values.generator.choice(
        np.array([0, 255], np.uint8), (IMAGES, *classifier.window.image, 1)
    )
    arguments = {
        "images": pixels,
        "labels": values.integers(classifier.classes, IMAGES),
        "position": np.array([number - 1, 40]),
        "order": values.integers(IMAGES, epoch),
        "epoch_factors": values.reals(epoch, 2),
        "factors": values.unset(2),
        "epoch_losses": values.reals(epoch),
        "epoch_correct": values.reals(epoch),
        "parameters": np.concatenate(parameters),
        "gradients": values.unset(len(parameters[0]) + dense),
    }
    count = min(batch_size, epoch - number * batch_size)
    return Step(classifier, arguments | {"batch_size": batch_size, "count": count})


def run(backend: Backend, step: Step) -> Results:
    """What the arrays hold after the step, on the host."""
    given: dict[str, Any] = {
        name: backend.asarray(value.copy()) if isinstance(value, np.ndarray) else value
        for name, value in step.arguments.items()
    }
    backend.conv_classifier_gradients(step.classifier, **given)
    arrays = {name for name, value in step.arguments.items() if isinstance(value, np.ndarray)}
    return {name: backend.to_host(given[name]) for name in arrays}


def define(step: Step) -> Results:
    """What they should hold, in float64."""

    def finer(value: Any) -> Any:
        is_real = isinstance(value, np.ndarray) and value.dtype.kind == "f"
        return value.astype(np.float64) if is_real else value

    fine = {name: finer(value) for name, value in step.arguments.items()}
    return run(Backend(), Step(replace(step.classifier, real=np.dtype(np.float64)), fine))


def bounds(step: Step) -> dict[str, Any]:
    """How far the metrics and the gradients may be off.

    The features are exact. A logit is a sum of `features` + 1 terms, and moves the loss by at most
    twice its error and a probability by its error; the softmax adds `softmax_roundings`. A gradient
    is a sum of products with these: it is off by the sum of the absolute products with their
    errors, and by its own roundings.
    """
    classifier, of = step.classifier, step.arguments
    eps = float(np.finfo(classifier.real).eps)
    count, number = of["count"], int(of["position"][0]) + 1
    chosen = of["order"][number * of["batch_size"] :][:count]
    x = of["images"][chosen].astype(np.float64) / 255 - 0.5
    kernel, bias, dense, dense_bias = classifier.split(of["parameters"].astype(np.float64))
    backend, window = Backend(), classifier.window
    scores = np.zeros((count, *window.output, classifier.filters))
    patches = np.zeros((count, window.output[0] * window.output[1], window.elements))
    pooled = np.zeros(classifier.pooled(count))
    argmax = np.zeros(pooled.shape, np.int32)
    backend.conv2d(x, kernel, bias, window, patches, scores)
    backend.max_pool(np.maximum(scores, 0), classifier.pool, pooled, argmax)
    features = pooled.reshape(count, -1)
    logits = features @ dense + dense_bias
    terms = np.abs(features) @ np.abs(dense) + np.abs(dense_bias)
    off_logit = (classifier.features + 2) * eps * terms.max()
    off_softmax = (softmax_roundings({"logits": logits}) + 1) * eps
    off_gradient = (off_logit + off_softmax) / count
    most = 1 / count  # of a logit's gradient

    images = np.ones((count, classifier.classes))
    dense_error = (off_gradient + (count + 1) * eps * most) * (features.T @ images)
    each = np.abs(dense).sum(axis=1).reshape(1, *pooled.shape[1:]) * np.ones_like(pooled)
    places = count * pooled[0, :, :, 0].size + classifier.classes + 1
    each *= (off_gradient + places * eps * most) * (pooled > 0)
    routed, kernel_error = np.zeros_like(scores), np.zeros_like(kernel)
    bias_error = np.zeros_like(bias)
    backend.max_pool_gradient(each, classifier.pool, argmax, routed)
    backend.conv2d_parameter_gradients(routed, np.abs(patches), kernel_error, bias_error)
    gradients = [kernel_error, bias_error, dense_error]
    return {
        "epoch_losses": 2 * off_logit + off_softmax,
        "gradients": np.concatenate(
            [
                *(each.ravel() for each in gradients),
                np.full(classifier.classes, count * off_gradient + count * eps),
            ]
        ),
    }


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize(("batch_size", "number"), [(5, 0), (5, 1), (1, 3)])
def test_one_operation_does_as_one_after_the_other(
    backend: Backend, case: ConvClassifier, batch_size: int, number: int
) -> None:
    step = a_step(case, batch_size, number)
    right, allowed = define(step), bounds(step)
    for name, written in run(backend, step).items():
        off = np.abs(written.astype(np.float64) - right[name])
        assert (off <= allowed.get(name, 0)).all(), name


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("seed", range(3))
def test_it_is_within_its_bounds(backend: Backend, case: ConvClassifier, seed: int) -> None:
    """Of pixels and parameters of which none is exact."""
    values, step = Values(seed, case.real), a_step(case, 5, seed % 2)
    images, parameters = step.arguments["images"], step.arguments["parameters"]
    changed = {
        "images": values.integers(256, *images.shape).astype(np.uint8),
        "parameters": values.reals(*parameters.shape) / 4,
    }
    arguments = {"classifier": case} | step.arguments | changed
    call = Call("conv_classifier_gradients", arguments)
    assert_agrees(call, results(backend, call), define_call(call))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_repeats_to_the_bit(backend: Backend, case: ConvClassifier) -> None:
    step = a_step(case, 5, 0)
    first, second = run(backend, step), run(backend, step)
    for name in first:
        assert first[name].tobytes() == second[name].tobytes(), name


def test_a_block_works_on_several_images(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    step = a_step(CASES["odd"], 8, 0)
    monkeypatch.setattr("gpucnn.backends.ops.fused.conv_classifier.MOST_BLOCKS", 3)
    right, allowed = define(step), bounds(step)
    written = run(backend, step)
    assert (np.abs(written["gradients"] - right["gradients"]) <= allowed["gradients"]).all()
    assert_array_equal(written["epoch_correct"], right["epoch_correct"])


@pytest.mark.parametrize("name", ["odd", "float64"])
def test_a_batch_of_more_images_than_blocks(backend: Backend, name: str) -> None:
    step = a_step(CASES[name], 150, 0, epoch=150)
    right, allowed = define(step), bounds(step)
    written = run(backend, step)
    for each in ("epoch_losses", "gradients"):
        assert (np.abs(written[each] - right[each]) <= allowed[each]).all(), each


def test_the_first_of_equal_logits_is_the_answer(backend: Backend) -> None:
    step = a_step(CASES["odd"], 8, 0)
    step.arguments["parameters"][step.classifier.convolution_parameters :] = 0
    labels = step.arguments["labels"][step.arguments["order"]]
    assert_array_equal(run(backend, step)["epoch_correct"], labels == 0)


def test_nan_shows_in_the_losses(backend: Backend) -> None:
    step = a_step(CASES["odd"], 5, 0)
    step.arguments["parameters"][0] = np.nan
    assert np.isnan(run(backend, step)["epoch_losses"][:5]).all()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_cuda_can(simulator: Backend, case: ConvClassifier) -> None:
    assert simulator.can_fuse_classifier(case, a_step(case, 1, 0).arguments["images"])


@pytest.mark.parametrize(
    "case",
    [
        conv_classifier((28, 28), (3, 3), (2, 2), 8, 21, "float32"),  # registers
        conv_classifier((28, 28), (3, 3), (2, 2), 8, 19, "float32"),  # shared memory
        conv_classifier((32, 28), (3, 3), (2, 2), 8, 10, "float32"),  # threads
        conv_classifier((28, 28), (3, 3), (2, 2), 8, 10, "float64"),
        conv_classifier((28, 28), (3, 3), (2, 2), 6, 10, "float32"),  # whole vectors
        conv_classifier((8, 8), (3, 3), (2, 2), 12, 10, "float32"),
        conv_classifier((7, 7), (3, 3), (2, 2), 8, 10, "float32"),  # pixels by fours
        conv_classifier((28, 28), (7, 7), (2, 2), 8, 10, "float32"),  # parameters of a block
        replace(
            conv_classifier((28, 28), (3, 3), (2, 2), 8, 10, "float32"),
            window=Window((28, 28), (3, 3), (1, 1), "valid", (1, 2)),
        ),
    ],
    ids=repr,
)
def test_cuda_cannot(simulator: Backend, case: ConvClassifier) -> None:
    assert not simulator.can_fuse_classifier(case, np.zeros((1, *case.window.image, 1), np.uint8))


def test_cuda_cannot_with_pixels_that_are_not_bytes(simulator: Backend) -> None:
    images = np.zeros((1, 28, 28, 1), np.float32)
    assert not simulator.can_fuse_classifier(CASES["the notebook's"], images)

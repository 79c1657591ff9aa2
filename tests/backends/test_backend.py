"""The definitions of the operations against loops over single numbers."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import loops
from backends.agreement import assert_agrees, results
from backends.operations import CALLS
from backends.operations.convolution import conv2d, conv2d_parameter_gradients
from backends.operations.values import Builder, Values
from backends.strategies import Sizes, seeds, sizes
from backends.test_loops import assert_close, derivative
from gpucnn.backends import Array, Backend, Window
from gpucnn.backends.ops.images.resampling import PIXEL
from gpucnn.verification.calls import Results

SMALL = sizes(largest=5)


@pytest.mark.parametrize("build", CALLS.values(), ids=CALLS)
@given(sizes=SMALL, seed=seeds)
def test_definition(build: Builder, sizes: Sizes, seed: int) -> None:
    call = build(sizes, Values(seed, np.float64))
    expected = REFERENCES[call.operation](**call.arguments)
    assert_agrees(call, results(Backend(), call), expected)


@given(sizes=SMALL, seed=seeds)
def test_parameter_gradients_of_the_convolution_before(sizes: Sizes, seed: int) -> None:
    forward = conv2d(sizes, Values(seed, np.float64))
    backward = conv2d_parameter_gradients(sizes, Values(seed, np.float64))
    backward.arguments["patches"] = results(Backend(), forward)["patches"]
    _, kernel_gradient, bias_gradient = loops.convolve_gradients(
        forward.arguments["x"],
        forward.arguments["kernel"],
        backward.arguments["output_gradient"],
        slide(sizes.window),
    )
    expected = {"kernel_gradient": kernel_gradient, "bias_gradient": bias_gradient}
    assert_agrees(backward, results(Backend(), backward), expected)


@pytest.mark.parametrize("shape", [(5, 3), (2, 3, 4, 2)])
def test_gradients_of_a_batch_that_is_normalized(shape: tuple[int, ...]) -> None:
    """By the steps of a layer, against the derivative of the loops for a batch as a whole."""
    values, backend = Values(0, np.float64), Backend()
    x, output_gradient = values.reals(*shape), values.reals(*shape)
    gamma, beta, count, epsilon = *values.reals(2, shape[-1]), x.size // shape[-1], 0.01
    means, variances, of_gamma, of_beta = np.empty((4, shape[-1]))
    out, gradient = np.empty((2, *shape))
    backend.channel_means(x, count, means)
    backend.channel_variances(x, means, count, variances)
    backend.normalize(x, means, variances, epsilon, gamma, beta, out)
    np.testing.assert_allclose(out, loops.batch_normalize(x, gamma, beta, epsilon), rtol=1e-10)
    normal = means, variances, epsilon
    backend.normalize_gradient_sums(output_gradient, x, *normal, of_gamma, of_beta)
    backend.normalize_gradient(
        output_gradient, x, *normal, gamma, of_gamma, of_beta, count, gradient
    )
    of_x = derivative(lambda x: loops.batch_normalize(x, gamma, beta, epsilon), x, output_gradient)
    assert_close(gradient, of_x)


# What each operation should write, by the loops. The arguments are the operation's.


def slide(window: Window) -> loops.Slide:
    return loops.Slide(window.size, window.strides, window.padding, window.dilation)


def each(function: Callable[..., float], *arrays: Array) -> Array:
    """What a function of single numbers makes of each element."""
    return np.vectorize(function, otypes=[float])(*arrays)  # type: ignore[no-any-return]


def each_state(function: Callable[..., Any], names: list[str], *arrays: Array) -> Results:
    """What a function of single numbers that returns several, of those names, makes of each."""
    results = np.vectorize(function, otypes=[float] * len(names))(*arrays)
    return dict(zip(names, results, strict=True))


def gather_images(images: Array, indices: Array, normalizes: bool, **_: Any) -> Results:
    batch = loops.gather(images, indices)
    is_normalized = normalizes and batch.dtype == np.uint8
    return {"out": each(loops.normalize, batch) if is_normalized else batch}


def gather_labels(labels: Array, indices: Array, **_: Any) -> Results:
    return {"out": loops.gather(labels, indices)}


def matmul(
    a: Array, b: Array, transpose_a: bool, transpose_b: bool, bias: Array | None, **_: Any
) -> Results:
    return {"out": loops.matmul(a.T if transpose_a else a, b.T if transpose_b else b, bias)}


def sum_rows(a: Array, **_: Any) -> Results:
    return {"out": loops.sum_rows(a)}


def multiply(a: Array, b: Array, **_: Any) -> Results:
    return {"out": each(lambda x, y: x * y, a, b)}


def scale_shift(x: Array, scale: Array, offset: Array | None, **_: Any) -> Results:
    return {"out": loops.scale_shift(x, scale, offset)}


def scale_channels(x: Array, factors: Array, **_: Any) -> Results:
    return {"out": loops.scale_channels(x, factors)}


def add(a: Array, b: Array, **_: Any) -> Results:
    return {"out": each(lambda x, y: x + y, a, b)}


def store_part(part: Array, axis: int, first: int, whole: Array) -> Results:
    return {"whole": loops.store_part(part, axis, first, whole)}


def take_part(whole: Array, axis: int, first: int, part: Array) -> Results:
    return {"part": loops.take_part(whole, axis, first, part.shape)}


def accumulate(a: Array, total: Array) -> Results:
    return {"total": each(lambda x, y: x + y, a, total)}


def axpby(x: Array, y: Array, alpha: float, beta: float) -> Results:
    return {"y": each(lambda a, b: alpha * a + beta * b, x, y)}


def clip(values: Array, limit: float) -> Results:
    return {"values": each(partial(loops.clip, limit=limit), values)}


def clip_norms(values: Array, sizes: tuple[int, ...], limit: float, **_: Any) -> Results:
    parts = np.split(values, np.cumsum(sizes)[:-1])
    return {"values": np.concatenate([loops.clip_norm(part, limit) for part in parts])}


def unit_norm(values: Array, epsilon: float) -> Results:
    length = loops.norm(values) + epsilon
    return {"values": each(lambda value: value / length, values)}


def im2col(x: Array, window: Window, patches: Array, **_: Any) -> Results:
    return {"patches": loops.im2col(x, slide(window)).reshape(patches.shape)}


def col2im(patches: Array, window: Window, out: Array) -> Results:
    elements = patches.reshape(len(out), *window.output, *window.size, out.shape[3])
    return {"out": loops.col2im(elements, out, slide(window))}


def convolution(
    x: Array, kernel: Array, bias: Array, window: Window, patches: Array, **_: Any
) -> Results:
    return im2col(x, window, patches) | {"out": loops.convolve(x, kernel, bias, slide(window))}


def parameter_gradients(
    output_gradient: Array, patches: Array, kernel_gradient: Array, **_: Any
) -> Results:
    gradient = output_gradient.reshape(-1, output_gradient.shape[3])
    elements = patches.reshape(len(gradient), -1)
    kernel = loops.matmul(elements.T, gradient).reshape(kernel_gradient.shape)
    return {"kernel_gradient": kernel, "bias_gradient": loops.sum_rows(gradient)}


def grouped_convolution(x: Array, kernel: Array, bias: Array, window: Window, **_: Any) -> Results:
    return {"out": loops.convolve_in_groups(x, kernel, bias, slide(window))}


def grouped_parameter_gradients(
    x: Array, output_gradient: Array, window: Window, kernel_gradient: Array, **_: Any
) -> Results:
    kernel = np.zeros(kernel_gradient.shape)
    gradients = loops.convolve_in_groups_gradients(x, kernel, output_gradient, slide(window))
    return {"kernel_gradient": gradients[1], "bias_gradient": gradients[2]}


def grouped_input_gradient(
    output_gradient: Array, kernel: Array, window: Window, input_gradient: Array
) -> Results:
    x = np.zeros(input_gradient.shape)
    gradients = loops.convolve_in_groups_gradients(x, kernel, output_gradient, slide(window))
    return {"input_gradient": gradients[0]}


def dense_relu(x: Array, kernel: Array, bias: Array, step: Array | None, **options: Any) -> Results:
    out = relu(loops.matmul(x, kernel, bias))["out"]
    return {"out": out} if step is None else {"out": dropout(out, step=step, **options)["out"]}


def dense_relu_gradient(output_gradient: Array, out: Array, rate: float, **_: Any) -> Results:
    passed = each(loops.relu_gradient, output_gradient, out)
    return {"input_gradient": passed / (1 - rate)}


def dense_softmax_cross_entropy(
    x: Array,
    kernel: Array,
    bias: Array,
    labels: Array,
    indices: Array,
    position: Array,
    epoch_losses: Array,
    epoch_correct: Array,
    batch_size: int,
    first: int,
    images: int,
    rate: float | None,
    **_: Any,
) -> Results:
    logits = loops.matmul(x, kernel, bias)
    loss = softmax_cross_entropy(logits, loops.gather(labels, indices), images)
    gradient = loops.matmul(loss["gradient"], kernel.T)
    if rate is not None:
        gradient = dense_relu_gradient(gradient, x, rate)["input_gradient"]
    epoch = {"epoch_losses": epoch_losses, "epoch_correct": epoch_correct}
    stored = store_metrics(position, loss["losses"], loss["correct"], batch_size, first, **epoch)
    return stored | {"logits_gradient": loss["gradient"], "input_gradient": gradient}


def dense_gradients(x: Array, output_gradient: Array, **_: Any) -> Results:
    return {
        "kernel_gradient": loops.matmul(x.T, output_gradient),
        "bias_gradient": loops.sum_rows(output_gradient),
    }


def input_gradient(
    output_gradient: Array, kernel: Array, window: Window, patches: Array, input_gradient: Array
) -> Results:
    gradient, weights = (a.reshape(-1, a.shape[3]) for a in (output_gradient, kernel))
    x = np.zeros(input_gradient.shape)
    return {
        "patches": loops.matmul(gradient, weights.T).reshape(patches.shape),
        "input_gradient": loops.convolve_gradients(x, kernel, output_gradient, slide(window))[0],
    }


def max_pool(x: Array, window: Window, **_: Any) -> Results:
    out, argmax = loops.max_pool(x, slide(window))
    return {"out": out, "argmax": argmax}


def max_pool_gradient(
    output_gradient: Array, window: Window, argmax: Array, input_gradient: Array
) -> Results:
    x = np.zeros(input_gradient.shape)
    gradient = loops.max_pool_gradient(output_gradient, argmax, x, slide(window))
    return {"input_gradient": gradient}


def average_pool(x: Array, window: Window, **_: Any) -> Results:
    return {"out": loops.average_pool(x, slide(window))}


def average_pool_gradient(output_gradient: Array, window: Window, input_gradient: Array) -> Results:
    x = np.zeros(input_gradient.shape)
    return {"input_gradient": loops.average_pool_gradient(output_gradient, x, slide(window))}


def channel_means(x: Array, count: int, **_: Any) -> Results:
    return {"means": loops.channel_sums(x) / count}


def channel_variances(x: Array, means: Array, count: int, **_: Any) -> Results:
    return {"variances": loops.channel_sums((x - means) ** 2) / count}


def normalize(
    x: Array, means: Array, variances: Array, epsilon: float, gamma: Array, beta: Array, **_: Any
) -> Results:
    normal = loops.Normal(means, variances, epsilon)
    return {"out": loops.normalize_channels(x, normal, gamma, beta)}


def normalize_gradient_sums(
    output_gradient: Array, x: Array, means: Array, variances: Array, epsilon: float, **_: Any
) -> Results:
    normal = loops.Normal(means, variances, epsilon)
    gamma_gradient, beta_gradient = loops.normalize_gradients(output_gradient, x, normal)
    return {"gamma_gradient": gamma_gradient, "beta_gradient": beta_gradient}


def normalize_gradient(
    output_gradient: Array,
    x: Array,
    means: Array,
    variances: Array,
    epsilon: float,
    gamma: Array,
    gamma_sum: Array,
    beta_sum: Array,
    count: int,
    **_: Any,
) -> Results:
    """The gradient for fixed statistics, less what the mean and the variance of it take away."""
    normal, gradient = loops.Normal(means, variances, epsilon), np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        j = place[-1]
        rest = output_gradient[place] - (beta_sum[j] + normal(x, place) * gamma_sum[j]) / count
        gradient[place] = gamma[j] * rest / math.sqrt(variances[j] + epsilon)
    return {"input_gradient": gradient}


def penalize(
    parameters: Array, factors: Array, gradients: Array, position: Array, penalties: Array
) -> Results:
    after = penalties.copy()
    after[position[0]] = sum(f * p * p for f, p in zip(factors, parameters, strict=True))
    moved = [g + 2 * f * p for g, f, p in zip(gradients, factors, parameters, strict=True)]
    return {"gradients": np.array(moved), "penalties": after}


def relu(x: Array, **_: Any) -> Results:
    return {"out": each(loops.relu, x)}


def relu_gradient(output_gradient: Array, out: Array, **_: Any) -> Results:
    return {"input_gradient": each(loops.relu_gradient, output_gradient, out)}


def clipped_relu(x: Array, max_value: float, **_: Any) -> Results:
    return {"out": each(partial(loops.clipped_relu, max_value=max_value), x)}


def clipped_relu_gradient(output_gradient: Array, x: Array, max_value: float, **_: Any) -> Results:
    gradient = partial(loops.clipped_relu_gradient, max_value=max_value)
    return {"input_gradient": each(gradient, output_gradient, x)}


def leaky_relu(x: Array, negative_slope: float, **_: Any) -> Results:
    return {"out": each(partial(loops.leaky_relu, negative_slope=negative_slope), x)}


def leaky_relu_gradient(
    output_gradient: Array, out: Array, negative_slope: float, **_: Any
) -> Results:
    gradient = partial(loops.leaky_relu_gradient, negative_slope=negative_slope)
    return {"input_gradient": each(gradient, output_gradient, out)}


def elu(x: Array, alpha: float, **_: Any) -> Results:
    return {"out": each(partial(loops.elu, alpha=alpha), x)}


def elu_gradient(output_gradient: Array, x: Array, alpha: float, **_: Any) -> Results:
    return {"input_gradient": each(partial(loops.elu_gradient, alpha=alpha), output_gradient, x)}


def forward(function: Callable[[float], float]) -> Callable[..., Results]:
    """The reference of an operation from `x` to `out`."""
    return lambda x, **_: {"out": each(function, x)}


def backward(function: Callable[[float, float], float], of: str) -> Callable[..., Results]:
    """The reference of a gradient that is a function of the output's and of argument `of`."""
    return lambda output_gradient, **arguments: {
        "input_gradient": each(function, output_gradient, arguments[of])
    }


def dropout(x: Array, **drawn: Any) -> Results:
    masked = draw_mask(**(drawn | {"mask": x}))
    return masked | multiply(x, masked["mask"])


def draw_mask(
    rate: float, seed: int, stream: int, step: Array, mask: Array, first: int, **_: Any
) -> Results:
    factors = [
        loops.dropout_factor(element, rate, seed, stream, int(step[0]))
        for element in range(first, first + mask.size)
    ]
    return {"mask": np.array(factors).reshape(mask.shape)}


def draw_integers(
    lows: tuple[int, int],
    highs: tuple[int, int],
    seed: int,
    stream: int,
    step: Array,
    out: Array,
    first: int,
) -> Results:
    drawn = np.zeros(out.shape, int)
    for image, k in np.ndindex(out.shape):
        word = loops.random_word(4 * (first + image) + k, seed, stream, int(step[0]))
        drawn[image, k] = loops.drawn_integer(word, lows[k], highs[k])
    return {"out": drawn}


def pad(x: Array, padding_top: int, padding_left: int, out: Array) -> Results:
    frame = out.shape[1], out.shape[2]
    return {"out": loops.pad(x, frame, padding_top, padding_left)}


def flip(x: Array, flips: Array, **_: Any) -> Results:
    return {"out": loops.flip(x, flips)}


def translate(x: Array, shifts: Array, fill_mode: str, fill_value: float, **_: Any) -> Results:
    return {"out": loops.translate(x, shifts, fill_mode, fill_value, PIXEL)}


def transform(x: Array, drawn: Array, maps: Array, out: Array, **how: Any) -> Results:
    mode = how["fill_mode"], how["fill_value"], how["interpolation"]
    size = out.shape[1], out.shape[2]
    return {"out": loops.transform(x, drawn, maps, *mode, PIXEL, size)}


def brighten(x: Array, drawn: Array, low: float, high: float, **_: Any) -> Results:
    return {"out": loops.brighten(x, drawn, low, high, PIXEL)}


def contrast(x: Array, drawn: Array, low: float, high: float, **_: Any) -> Results:
    return {"out": loops.contrast(x, drawn, low, high, PIXEL)}


def draw_partners(
    batch: Array, seed: int, stream: int, step: Array, out: Array, first: int
) -> Results:
    word = loops.random_word(0, seed, stream, int(step[0]))
    number = loops.drawn_integer(word, 1, max(len(batch) - 1, 1))
    places = [(first + i + number) % len(batch) for i in range(len(out))]
    return {"out": np.array([batch[place] for place in places])}


def draw_noise(
    table: Array, seed: int, stream: int, step: Array, out: Array, first: int
) -> Results:
    noise, size = np.zeros(out.shape), out[0].size
    for index in np.ndindex(out.shape):
        e = int(np.ravel_multi_index(index[1:], out.shape[1:]))
        number = (first + index[0]) * ((size + 3) // 4) * 4 + e
        word = loops.random_word(number, seed, stream, int(step[0]))
        noise[index] = table[loops.drawn_integer(word, 0, len(table) - 1), index[-1]]
    return {"out": noise}


def blend(x: Array, others: Array, drawn: Array, weights: Array, **_: Any) -> Results:
    shares = np.array([[weights[a] / PIXEL, 1 - weights[a] / PIXEL] for a, _ in drawn]).T
    mixed = [shares[0, i] * x[i] + shares[1, i] * others[i] for i in range(len(x))]
    return {"out": np.array(mixed), "shares": shares}


def paste(
    x: Array, others: Array, drawn: Array, places: Array, ratios: Array, is_alike: bool, **out: Any
) -> Results:
    pasted, shares = loops.paste(x, others, drawn, places, ratios, is_alike)
    return {"out": pasted} | ({} if out["shares"] is None else {"shares": shares})


def store_probabilities(
    position: Array, logits: Array, probabilities: Array, batch_size: int, first: int
) -> Results:
    stored = probabilities.copy()
    for i, row in enumerate(loops.softmax(logits)):
        stored[int(position[0]) * batch_size + first + i] = row
    return {"probabilities": stored}


def softmax_cross_entropy(logits: Array, labels: Array, images: int, **_: Any) -> Results:
    return {
        "losses": loops.cross_entropy(logits, labels),
        "correct": loops.correct(logits, labels),
        "gradient": loops.cross_entropy_gradient(logits, labels, images),
    }


def soft_cross_entropy(logits: Array, targets: Array, images: int, **_: Any) -> Results:
    return {
        "losses": loops.soft_cross_entropy(logits, targets),
        "correct": loops.correct(logits, np.array(loops.first_greatest(targets))),
        "gradient": loops.soft_cross_entropy_gradient(logits, targets, images),
    }


def sigmoid_cross_entropy(logits: Array, targets: Array, images: int, **_: Any) -> Results:
    return {
        "losses": loops.sigmoid_cross_entropy(logits, targets),
        "correct": loops.correct_share(logits, targets),
        "gradient": loops.sigmoid_cross_entropy_gradient(logits, targets, images),
    }


def squared_error(outputs: Array, targets: Array, images: int, **_: Any) -> Results:
    return {
        "losses": loops.squared_error(outputs, targets),
        "gradient": loops.squared_error_gradient(outputs, targets, images),
    }


def weigh_rows(weights: Array, losses: Array, gradient: Array | None) -> Results:
    weighed = {"losses": each(lambda w, loss: w * loss, weights, losses)}
    if gradient is not None:
        rows = [each(lambda g, w=w: w * g, row) for w, row in zip(weights, gradient, strict=True)]
        weighed["gradient"] = np.array(rows)
    return weighed


def sgd(
    parameters: Array,
    gradients: Array,
    velocity: Array | None,
    learning_rate: Array,
    **options: Any,
) -> Results:
    def move(parameter: float, gradient: float, velocity: float) -> tuple[float, float]:
        return loops.sgd(parameter, gradient, velocity, learning_rate[0], **options)

    before = np.zeros(parameters.shape) if velocity is None else velocity
    moved = each_state(move, ["parameters", "velocity"], parameters, gradients, before)
    if velocity is None:
        del moved["velocity"]
    return moved


def adam(
    parameters: Array,
    gradients: Array,
    mean: Array,
    square: Array,
    learning_rate: Array,
    bias_correction: Array,
    **options: Any,
) -> Results:
    def move(
        parameter: float, gradient: float, mean: float, square: float
    ) -> tuple[float, float, float]:
        factors = learning_rate[0], bias_correction[0]
        return loops.adam(parameter, gradient, mean, square, *factors, **options)

    names = ["parameters", "mean", "square"]
    return each_state(move, names, parameters, gradients, mean, square)


def rmsprop(
    parameters: Array,
    gradients: Array,
    square: Array,
    velocity: Array,
    mean: Array | None,
    learning_rate: Array,
    **options: Any,
) -> Results:
    def move(
        parameter: float,
        gradient: float,
        square: float,
        velocity: float,
        mean: float | None = None,
    ) -> tuple[Any, ...]:
        moved = loops.rmsprop(
            parameter, gradient, square, velocity, mean, learning_rate[0], **options
        )
        return moved if mean is not None else moved[:3]

    names, arrays = ["parameters", "square", "velocity"], [parameters, gradients, square, velocity]
    if mean is not None:
        names, arrays = [*names, "mean"], [*arrays, mean]
    return each_state(move, names, *arrays)


def adagrad(
    parameters: Array, gradients: Array, square: Array, learning_rate: Array, **options: Any
) -> Results:
    def move(parameter: float, gradient: float, square: float) -> tuple[float, float]:
        return loops.adagrad(parameter, gradient, square, learning_rate[0], **options)

    return each_state(move, ["parameters", "square"], parameters, gradients, square)


def lion(
    parameters: Array, gradients: Array, mean: Array, learning_rate: Array, **options: Any
) -> Results:
    def move(parameter: float, gradient: float, mean: float) -> tuple[float, float]:
        return loops.lion(parameter, gradient, mean, learning_rate[0], **options)

    return each_state(move, ["parameters", "mean"], parameters, gradients, mean)


def momentum(gradients: Array, velocity: Array, direction: Array, **options: Any) -> Results:
    return each_state(
        partial(loops.momentum, **options), ["velocity", "direction"], gradients, velocity
    )


def average_parameters(
    parameters: Array, average: Array, share: Array, overwrites: Array
) -> Results:
    def move(parameter: float, average: float) -> tuple[float, float]:
        return loops.average_parameters(parameter, average, share[0], bool(overwrites[0]))

    return each_state(move, ["parameters", "average"], parameters, average)


def next_batch(position: Array, order: Array, epoch_factors: Array, **outputs: Array) -> Results:
    number, size = int(position[0]) + 1, len(outputs["indices"])
    places = range(number * size, (number + 1) * size)
    indices = [order[place] if place < len(order) else 0 for place in places]
    return {
        "position": np.array([number, position[1] + 1]),
        "indices": np.array(indices),
        "factors": epoch_factors[number],
    }


def store_metrics(
    position: Array, losses: Array, correct: Array, batch_size: int, first: int, **epoch: Array
) -> Results:
    stored = {name: array.copy() for name, array in epoch.items()}
    for i in range(len(losses)):
        image = int(position[0]) * batch_size + first + i
        stored["epoch_losses"][image] = losses[i]
        stored["epoch_correct"][image] = correct[i]
    return stored


def store_outputs(
    position: Array, outputs: Array, all_outputs: Array, batch_size: int, first: int
) -> Results:
    stored = all_outputs.copy()
    for i, row in enumerate(outputs):
        stored[int(position[0]) * batch_size + first + i] = row
    return {"all_outputs": stored}


REFERENCES: dict[str, Callable[..., Results]] = {
    "next_batch": next_batch,
    "store_metrics": store_metrics,
    "store_outputs": store_outputs,
    "gather_images": gather_images,
    "gather_labels": gather_labels,
    "matmul": matmul,
    "sum_rows": sum_rows,
    "dense_relu": dense_relu,
    "dense_relu_gradient": dense_relu_gradient,
    "dense_gradients": dense_gradients,
    "dense_softmax_cross_entropy": dense_softmax_cross_entropy,
    "multiply": multiply,
    "add": add,
    "scale_shift": scale_shift,
    "scale_channels": scale_channels,
    "accumulate": accumulate,
    "store_part": store_part,
    "take_part": take_part,
    "axpby": axpby,
    "clip": clip,
    "clip_norms": clip_norms,
    "unit_norm": unit_norm,
    "im2col": im2col,
    "col2im": col2im,
    "conv2d": convolution,
    "conv2d_parameter_gradients": parameter_gradients,
    "conv2d_input_gradient": input_gradient,
    "grouped_conv2d": grouped_convolution,
    "grouped_conv2d_parameter_gradients": grouped_parameter_gradients,
    "grouped_input_gradient": grouped_input_gradient,
    "max_pool": max_pool,
    "max_pool_gradient": max_pool_gradient,
    "average_pool": average_pool,
    "average_pool_gradient": average_pool_gradient,
    "channel_means": channel_means,
    "channel_variances": channel_variances,
    "normalize": normalize,
    "normalize_gradient_sums": normalize_gradient_sums,
    "normalize_gradient": normalize_gradient,
    "penalize": penalize,
    "relu": relu,
    "relu_gradient": relu_gradient,
    "clipped_relu": clipped_relu,
    "clipped_relu_gradient": clipped_relu_gradient,
    "leaky_relu": leaky_relu,
    "leaky_relu_gradient": leaky_relu_gradient,
    "elu": elu,
    "elu_gradient": elu_gradient,
    "gelu": forward(loops.gelu),
    "gelu_gradient": backward(loops.gelu_gradient, "x"),
    "silu": forward(loops.silu),
    "silu_gradient": backward(loops.silu_gradient, "x"),
    "tanh": forward(math.tanh),
    "tanh_gradient": backward(loops.tanh_gradient, "out"),
    "sigmoid": forward(loops.sigmoid),
    "sigmoid_gradient": backward(loops.sigmoid_gradient, "out"),
    "dropout": dropout,
    "draw_mask": draw_mask,
    "draw_integers": draw_integers,
    "pad": pad,
    "flip": flip,
    "translate": translate,
    "transform": transform,
    "draw_partners": draw_partners,
    "draw_noise": draw_noise,
    "blend": blend,
    "paste": paste,
    "brighten": brighten,
    "contrast": contrast,
    "store_probabilities": store_probabilities,
    "softmax_cross_entropy": softmax_cross_entropy,
    "soft_cross_entropy": soft_cross_entropy,
    "sigmoid_cross_entropy": sigmoid_cross_entropy,
    "squared_error": squared_error,
    "weigh_rows": weigh_rows,
    "sgd": sgd,
    "adam": adam,
    "rmsprop": rmsprop,
    "adagrad": adagrad,
    "lion": lion,
    "momentum": momentum,
    "average_parameters": average_parameters,
}

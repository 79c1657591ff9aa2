"""A call of every operation of a backend, of any size, filled with random numbers."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from backends.strategies import Sizes
from gpucnn.backends import Array, Shape
from gpucnn.backends.ops.images.resampling import PIXEL
from gpucnn.backends.ops.training.norms import PIECE
from gpucnn.verification.calls import Call, define, unset


class Values:
    """Arrays of one floating-point dtype, filled with random numbers from one seed."""

    def __init__(self, seed: int, real: DTypeLike) -> None:
        self.generator = np.random.default_rng(seed)
        self.real = real

    def reals(self, *shape: int) -> Array:
        return self.generator.standard_normal(shape).astype(self.real)

    def choices(self, numbers: Sequence[float], *shape: int) -> Array:
        """Reals that are each one of `numbers`, so that many are equal."""
        return self.generator.choice(np.array(numbers, self.real), shape)

    def integers(self, limit: int, *shape: int) -> NDArray[np.int64]:
        """Numbers from 0 to `limit` - 1."""
        return self.generator.integers(limit, size=shape)

    def integer(self, bits: int) -> int:
        return int.from_bytes(self.generator.bytes(bits // 8), "little")

    def unset(self, *shape: int) -> Array:
        """Reals that are yet to be written."""
        return unset(shape, self.real)


Builder = Callable[[Sizes, Values], Call]


def gather_images(sizes: Sizes, values: Values, *, bytes_: bool, normalizes: bool = True) -> Call:
    shape = _input(sizes)
    images = values.integers(256, *shape).astype(np.uint8) if bytes_ else values.reals(*shape)
    return Call(
        "gather_images",
        {
            "images": images,
            "indices": values.integers(sizes.images, sizes.images + 1),
            "out": values.unset(sizes.images + 1, *shape[1:]),
            "normalizes": normalizes,
        },
    )


def gather_labels(sizes: Sizes, values: Values) -> Call:
    count = _pixels(sizes)
    return Call(
        "gather_labels",
        {
            "labels": values.integers(10, count),
            "indices": values.integers(count, count + 1),
            "out": unset((count + 1,), np.int64),
        },
    )


def next_batch(sizes: Sizes, values: Values) -> Call:
    size, number = sizes.filters, int(values.integers(3))
    images = size * (number + 1) + 1  # so that the batch after the next has one image alone
    return Call(
        "next_batch",
        {
            "position": np.array([number, 7]),
            "order": values.integers(1000, images),
            "epoch_factors": values.reals(number + 3, 2),  # for a test that does it twice
            "indices": unset((size,), np.int64),
            "factors": values.unset(2),
        },
    )


def store_metrics(sizes: Sizes, values: Values) -> Call:
    count, first, number = _pixels(sizes), sizes.filters, int(values.integers(3))
    size = first + count
    return Call(
        "store_metrics",
        {
            "position": np.array([number, 7]),
            "losses": values.reals(count),
            "correct": values.choices([0, 1], count),
            "epoch_losses": values.reals((number + 1) * size + 1),
            "epoch_correct": values.reals((number + 1) * size + 1),
            "batch_size": size,
            "first": first,
        },
    )


def store_outputs(sizes: Sizes, values: Values) -> Call:
    rows, columns = _pixels(sizes), sizes.filters
    first, number = sizes.channels, int(values.integers(3))
    size = first + rows
    return Call(
        "store_outputs",
        {
            "position": np.array([number, 7]),
            "outputs": values.reals(rows, columns),
            "all_outputs": values.reals((number + 1) * size + 1, columns),
            "batch_size": size,
            "first": first,
        },
    )


def matmul(
    sizes: Sizes,
    values: Values,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    bias: bool = False,
) -> Call:
    m, k, n = _pixels(sizes), sizes.window.elements, sizes.filters
    return Call(
        "matmul",
        {
            "a": values.reals(*((k, m) if transpose_a else (m, k))),
            "b": values.reals(*((n, k) if transpose_b else (k, n))),
            "out": values.unset(m, n),
            "transpose_a": transpose_a,
            "transpose_b": transpose_b,
            "bias": values.reals(n) if bias else None,
        },
    )


def sum_rows(sizes: Sizes, values: Values) -> Call:
    a = values.reals(_pixels(sizes), sizes.filters)
    return Call("sum_rows", {"a": a, "out": values.unset(sizes.filters)})


def dense_relu(
    sizes: Sizes, values: Values, *, rate: float = 0.0, drops: bool = False, first: int = 0
) -> Call:
    images, inputs, units = _pixels(sizes), sizes.window.elements, sizes.filters
    return Call(
        "dense_relu",
        {
            "x": values.reals(images, inputs),
            "kernel": values.reals(inputs, units),
            "bias": values.reals(units),
            "out": values.unset(images, units),
            "rate": rate,
            "seed": values.integer(64),
            "stream": values.integer(32),
            "step": np.array([values.integer(40)], np.int64) if drops else None,
            "first": first,
        },
    )


def dense_relu_gradient(sizes: Sizes, values: Values, rate: float = 0.4) -> Call:
    shape = _pixels(sizes), sizes.filters
    return Call(
        "dense_relu_gradient",
        {
            "output_gradient": values.reals(*shape),
            "out": values.choices([-0.0, 0, 1e-30, 1.5], *shape),
            "rate": rate,
            "input_gradient": values.unset(*shape),
        },
    )


def dense_softmax_cross_entropy(
    sizes: Sizes, values: Values, *, rate: float | None = None, input_gradient: bool = True
) -> Call:
    """Of whole numbers, so that the logits are exact and equal ones are equal everywhere.

    Layers are of few sizes, for each of which a kernel is compiled.
    """
    rows, inputs, classes = (
        _pixels(sizes),
        (5, 40, 130)[sizes.channels % 3],
        sizes.filters % 2 * 7 + 3,
    )
    return Call(
        "dense_softmax_cross_entropy",
        {
            "x": values.choices([-1, 0, 1, 2], rows, inputs),
            "kernel": values.choices([-1, 0, 1], inputs, classes),
            "bias": values.choices([-1, 0, 1], classes),
            "labels": values.integers(classes, rows + 2),
            "indices": values.integers(rows + 2, rows),
            "position": np.array([2, 7]),
            "epoch_losses": values.reals(3 * (rows + 3) + 1),
            "epoch_correct": values.reals(3 * (rows + 3) + 1),
            "batch_size": rows + 3,
            "first": 2,
            "logits_gradient": values.unset(rows, classes),
            "input_gradient": values.unset(rows, inputs) if input_gradient else None,
            "images": rows + 3,  # of a batch of which these are a part
            "rate": rate,
        },
    )


def dense_gradients(sizes: Sizes, values: Values) -> Call:
    images, inputs, units = _pixels(sizes), sizes.window.elements, sizes.filters
    return Call(
        "dense_gradients",
        {
            "x": values.reals(images, inputs),
            "output_gradient": values.reals(images, units),
            "kernel_gradient": values.unset(inputs, units),
            "bias_gradient": values.unset(units),
        },
    )


def multiply(sizes: Sizes, values: Values) -> Call:
    shape = _input(sizes)
    a, b = values.reals(*shape), values.reals(*shape)
    return Call("multiply", {"a": a, "b": b, "out": values.unset(*shape)})


def add(sizes: Sizes, values: Values) -> Call:
    return replace(multiply(sizes, values), operation="add")


def scale_shift(sizes: Sizes, values: Values, *, offset: bool = True) -> Call:
    x = values.reals(*_input(sizes))
    return Call(
        "scale_shift",
        {
            "x": x,
            "scale": values.reals(sizes.channels),
            "offset": values.reals(sizes.channels) if offset else None,
            "out": values.unset(*x.shape),
        },
    )


def scale_shift_of_vectors(sizes: Sizes, values: Values) -> Call:
    x = values.reals(_pixels(sizes), sizes.filters)
    scale, offset = values.reals(sizes.filters), values.reals(sizes.filters)
    arguments = {"x": x, "scale": scale, "offset": offset, "out": values.unset(*x.shape)}
    return Call("scale_shift", arguments)


def scale_channels(sizes: Sizes, values: Values) -> Call:
    x, factors = values.reals(*_input(sizes)), values.reals(sizes.images, sizes.channels)
    return Call("scale_channels", {"x": x, "factors": factors, "out": values.unset(*x.shape)})


def penalize(sizes: Sizes, values: Values, *, elements: int = 0) -> Call:
    count = elements or _pixels(sizes)
    return Call(
        "penalize",
        {
            "parameters": values.reals(count),
            "factors": abs(values.reals(count)) * values.choices([0, 1], count),
            "gradients": values.reals(count),
            "position": np.array([1, 7]),
            "penalties": values.reals(3),
        },
    )


def accumulate(sizes: Sizes, values: Values, *, images: bool = False) -> Call:
    shape = _input(sizes) if images else (_pixels(sizes),)
    return Call("accumulate", {"a": values.reals(*shape), "total": values.reals(*shape)})


def part_and_whole(sizes: Sizes, axis: int, before: int, after: int) -> tuple[Shape, Shape]:
    """The shape of images, and that with so many more elements along an axis."""
    part = _input(sizes)
    return part, (*part[:axis], before + part[axis] + after, *part[axis + 1 :])


def store_part(sizes: Sizes, values: Values, axis: int, before: int, after: int) -> Call:
    part, whole = part_and_whole(sizes, axis, before, after)
    arrays = {"part": values.reals(*part), "whole": values.reals(*whole)}
    return Call("store_part", arrays | {"axis": axis, "first": before})


def take_part(sizes: Sizes, values: Values, axis: int, before: int, after: int) -> Call:
    part, whole = part_and_whole(sizes, axis, before, after)
    arrays = {"whole": values.reals(*whole), "part": values.unset(*part)}
    return Call("take_part", arrays | {"axis": axis, "first": before})


def of_vectors(build: Builder, sizes: Sizes, values: Values) -> Call:
    """A call of images as one of the vectors of their last axis."""
    call = build(sizes, values)
    flat = {name: array.reshape(-1, array.shape[-1]) for name, array in call.arrays.items()}
    return replace(call, arguments=call.arguments | flat | {"axis": 1})


def of_fours(build: Builder, sizes: Sizes, values: Values) -> Call:
    """A call with four times as many channels, whose lines are of whole vectors."""
    return build(replace(sizes, channels=4 * sizes.channels), values)


PARTS: dict[str, Builder] = {
    f"{name} {where}": each
    for name, build in {"store_part": store_part, "take_part": take_part}.items()
    for where, each in {
        "of channels": partial(build, axis=3, before=2, after=1),
        "of all channels": partial(build, axis=3, before=0, after=0),
        "of channels in fours": partial(of_fours, partial(build, axis=3, before=4, after=8)),
        "of channels in fours at another place": partial(
            of_fours, partial(build, axis=3, before=2, after=2)
        ),
        "of channels in fours beside others": partial(
            of_fours, partial(build, axis=3, before=0, after=3)
        ),
        "of rows": partial(build, axis=1, before=0, after=2),
        "of columns": partial(build, axis=2, before=3, after=0),
        "of vectors": partial(of_vectors, partial(build, axis=3, before=1, after=5)),
    }.items()
}


def im2col(sizes: Sizes, values: Values) -> Call:
    return Call(
        "im2col",
        {
            "x": values.reals(*_input(sizes)),
            "window": sizes.window,
            "patches": values.unset(*_patches(sizes)),
        },
    )


def col2im(sizes: Sizes, values: Values) -> Call:
    return Call(
        "col2im",
        {
            "patches": values.reals(*_patches(sizes)),
            "window": sizes.window,
            "out": values.unset(*_input(sizes)),
        },
    )


def conv2d(sizes: Sizes, values: Values) -> Call:
    return Call(
        "conv2d",
        {
            "x": values.reals(*_input(sizes)),
            "kernel": values.reals(*_kernel(sizes)),
            "bias": values.reals(sizes.filters),
            "window": sizes.window,
            "patches": values.unset(*_patches(sizes)),
            "out": values.unset(*_output(sizes, sizes.filters)),
        },
    )


def conv2d_parameter_gradients(sizes: Sizes, values: Values) -> Call:
    return Call(
        "conv2d_parameter_gradients",
        {
            "output_gradient": values.reals(*_output(sizes, sizes.filters)),
            "patches": values.reals(*_patches(sizes)),
            "kernel_gradient": values.unset(*_kernel(sizes)),
            "bias_gradient": values.unset(sizes.filters),
        },
    )


def conv2d_input_gradient(sizes: Sizes, values: Values) -> Call:
    filters = sizes.filters
    return Call(
        "conv2d_input_gradient",
        {
            "output_gradient": values.reals(*_output(sizes, filters)),
            "kernel": values.reals(*_kernel(sizes)),
            "window": sizes.window,
            "patches": values.unset(*_patches(sizes)),
            "input_gradient": values.unset(*_input(sizes)),
        },
    )


def grouped_conv2d(sizes: Sizes, values: Values, group_channels: int = 1) -> Call:
    kernel = _grouped_kernel(sizes, group_channels)
    return Call(
        "grouped_conv2d",
        {
            "x": values.reals(*_grouped_input(sizes, group_channels)),
            "kernel": values.reals(*kernel),
            "bias": values.reals(kernel[-1]),
            "window": sizes.window,
            "out": values.unset(*_output(sizes, kernel[-1])),
        },
    )


def grouped_conv2d_parameter_gradients(
    sizes: Sizes, values: Values, group_channels: int = 1
) -> Call:
    kernel = _grouped_kernel(sizes, group_channels)
    return Call(
        "grouped_conv2d_parameter_gradients",
        {
            "x": values.reals(*_grouped_input(sizes, group_channels)),
            "output_gradient": values.reals(*_output(sizes, kernel[-1])),
            "window": sizes.window,
            "kernel_gradient": values.unset(*kernel),
            "bias_gradient": values.unset(kernel[-1]),
        },
    )


def grouped_input_gradient(sizes: Sizes, values: Values, group_channels: int = 1) -> Call:
    kernel = _grouped_kernel(sizes, group_channels)
    return Call(
        "grouped_input_gradient",
        {
            "output_gradient": values.reals(*_output(sizes, kernel[-1])),
            "kernel": values.reals(*kernel),
            "window": sizes.window,
            "input_gradient": values.unset(*_grouped_input(sizes, group_channels)),
        },
    )


def max_pool(sizes: Sizes, values: Values) -> Call:
    sizes = _without_dilation(sizes)
    output = _output(sizes, sizes.channels)
    return Call(
        "max_pool",
        {
            "x": values.choices([-3, -2, -1, -0.0, 0, 1], *_input(sizes)),
            "window": sizes.window,
            "out": values.unset(*output),
            "argmax": unset(output, np.int32),
        },
    )


def max_pool_gradient(sizes: Sizes, values: Values) -> Call:
    sizes = _without_dilation(sizes)
    argmax = define(max_pool(sizes, values))["argmax"]
    return Call(
        "max_pool_gradient",
        {
            "output_gradient": values.reals(*argmax.shape),
            "window": sizes.window,
            "argmax": argmax,
            "input_gradient": values.unset(*_input(sizes)),
        },
    )


def average_pool(sizes: Sizes, values: Values) -> Call:
    sizes = _without_dilation(sizes)
    return Call(
        "average_pool",
        {
            "x": values.reals(*_input(sizes)),
            "window": sizes.window,
            "out": values.unset(*_output(sizes, sizes.channels)),
        },
    )


def average_pool_gradient(sizes: Sizes, values: Values) -> Call:
    sizes = _without_dilation(sizes)
    return Call(
        "average_pool_gradient",
        {
            "output_gradient": values.reals(*_output(sizes, sizes.channels)),
            "window": sizes.window,
            "input_gradient": values.unset(*_input(sizes)),
        },
    )


def channel_means(sizes: Sizes, values: Values, *, vectors: bool = False) -> Call:
    x = values.reals(*_normalized(sizes, vectors))
    arguments = {"x": x, "count": 2 * _count(x), "means": values.unset(sizes.filters)}
    return Call("channel_means", arguments)


def channel_variances(sizes: Sizes, values: Values, *, vectors: bool = False) -> Call:
    x = values.reals(*_normalized(sizes, vectors))
    return Call(
        "channel_variances",
        {
            "x": x,
            "means": values.reals(sizes.filters),
            "count": 2 * _count(x),
            "variances": values.unset(sizes.filters),
        },
    )


def normalize(sizes: Sizes, values: Values, *, vectors: bool = False) -> Call:
    x = values.reals(*_normalized(sizes, vectors))
    return Call(
        "normalize",
        {
            "x": x,
            **_statistics(sizes, values),
            "gamma": values.reals(sizes.filters),
            "beta": values.reals(sizes.filters),
            "out": values.unset(*x.shape),
        },
    )


def normalize_gradient_sums(sizes: Sizes, values: Values, *, vectors: bool = False) -> Call:
    shape = _normalized(sizes, vectors)
    return Call(
        "normalize_gradient_sums",
        {
            "output_gradient": values.reals(*shape),
            "x": values.reals(*shape),
            **_statistics(sizes, values),
            "gamma_gradient": values.unset(sizes.filters),
            "beta_gradient": values.unset(sizes.filters),
        },
    )


def normalize_gradient(sizes: Sizes, values: Values, *, vectors: bool = False) -> Call:
    x = values.reals(*_normalized(sizes, vectors))
    return Call(
        "normalize_gradient",
        {
            "output_gradient": values.reals(*x.shape),
            "x": x,
            **_statistics(sizes, values),
            "gamma": values.reals(sizes.filters),
            "gamma_sum": values.reals(sizes.filters),
            "beta_sum": values.reals(sizes.filters),
            "count": 2 * _count(x),
            "input_gradient": values.unset(*x.shape),
        },
    )


def _normalized(sizes: Sizes, vectors: bool) -> tuple[int, ...]:
    """The shape of a batch that is normalised, of as many channels as there are filters."""
    return (_pixels(sizes), sizes.filters) if vectors else _output(sizes, sizes.filters)


def _count(x: Array) -> int:
    """The elements of a channel."""
    return int(x.size // x.shape[-1])


def _statistics(sizes: Sizes, values: Values) -> dict[str, Any]:
    """Means and variances, of which some are 0."""
    variances = abs(values.reals(sizes.filters)) * values.choices([0, 1], sizes.filters)
    return {"means": values.reals(sizes.filters), "variances": variances, "epsilon": 1e-3}


def relu(sizes: Sizes, values: Values) -> Call:
    x = values.choices([-1.5, -0.0, 0, 1e-30, 1.5], *_input(sizes))
    return Call("relu", {"x": x, "out": values.unset(*x.shape)})


def relu_gradient(sizes: Sizes, values: Values) -> Call:
    shape = _input(sizes)
    return Call(
        "relu_gradient",
        {
            "output_gradient": values.reals(*shape),
            "out": values.choices([-0.0, 0, 1e-30, 1.5], *shape),
            "input_gradient": values.unset(*shape),
        },
    )


def clipped_relu(sizes: Sizes, values: Values, max_value: float = 6.0) -> Call:
    choices = [-1.5, -0.0, 0, 1e-30, 0.25, max_value, max_value + 1]
    x = values.choices(choices, *_input(sizes))
    return Call("clipped_relu", {"x": x, "max_value": max_value, "out": values.unset(*x.shape)})


def clipped_relu_gradient(sizes: Sizes, values: Values, max_value: float = 6.0) -> Call:
    shape = _input(sizes)
    return Call(
        "clipped_relu_gradient",
        {
            "output_gradient": values.reals(*shape),
            "x": values.choices([-1.5, -0.0, 0, 1e-30, 0.25, 6, 7], *shape),
            "max_value": max_value,
            "input_gradient": values.unset(*shape),
        },
    )


def leaky_relu(sizes: Sizes, values: Values, negative_slope: float = 0.3) -> Call:
    x = values.choices([-1.5, -1e-3, -0.0, 0, 1e-30, 1.5], *_input(sizes))
    out = values.unset(*x.shape)
    return Call("leaky_relu", {"x": x, "negative_slope": negative_slope, "out": out})


def leaky_relu_gradient(sizes: Sizes, values: Values, negative_slope: float = 0.3) -> Call:
    shape = _input(sizes)
    return Call(
        "leaky_relu_gradient",
        {
            "output_gradient": values.reals(*shape),
            "out": values.choices([-1.5, -0.0, 0, 1e-30, 1.5], *shape),
            "negative_slope": negative_slope,
            "input_gradient": values.unset(*shape),
        },
    )


def activation(sizes: Sizes, values: Values, operation: str, **options: float) -> Call:
    """Of an operation from `x` to `out`."""
    x = _activated(sizes, values)
    return Call(operation, {"x": x, **options, "out": values.unset(*x.shape)})


def activation_gradient(
    sizes: Sizes, values: Values, operation: str, of: str = "x", **options: float
) -> Call:
    """Of its gradient, from the argument `of`: `x`, or `out`, within what it can be."""
    at = _activated(sizes, values)
    if of == "out":
        at = define(activation(sizes, values, operation.removesuffix("_gradient")))["out"]
    return Call(
        operation,
        {
            "output_gradient": values.reals(*at.shape),
            of: at.astype(values.real),
            **options,
            "input_gradient": values.unset(*at.shape),
        },
    )


def _activated(sizes: Sizes, values: Values) -> Array:
    """What an activation may be given: around 0, where it saturates, and beyond all exponentials.

    exp(-88) is a subnormal number in float32, and -88 times it a normal one.
    """
    edges = values.choices([-1e30, -88, -30, -0.0, 0, 1e-30, 30, 1e30], *_input(sizes))
    return np.where(values.choices([0, 0, 1], *edges.shape), edges, 3 * values.reals(*edges.shape))


def dropout(sizes: Sizes, values: Values, rate: float = 0.4, first: int = 0) -> Call:
    shape = _input(sizes)
    return Call(
        "dropout",
        {
            "x": values.reals(*shape),
            "rate": rate,
            "seed": values.integer(64),
            "stream": values.integer(32),
            "step": np.array([values.integer(40)], np.int64),
            "mask": values.unset(*shape),
            "out": values.unset(*shape),
            "first": first,
        },
    )


def draw_mask(sizes: Sizes, values: Values, rate: float = 0.4, first: int = 0) -> Call:
    return Call(
        "draw_mask",
        {
            "rate": rate,
            "seed": values.integer(64),
            "stream": values.integer(32),
            "step": np.array([values.integer(40)], np.int64),
            "mask": values.unset(_pixels(sizes), sizes.filters),
            "first": first,
        },
    )


def draw_integers(
    sizes: Sizes,
    values: Values,
    lows: tuple[int, int] = (-5, 3),
    highs: tuple[int, int] = (7, 3),
    first: int = 0,
) -> Call:
    return Call(
        "draw_integers",
        {
            "lows": lows,
            "highs": highs,
            "seed": values.integer(64),
            "stream": values.integer(32),
            "step": np.array([values.integer(40)], np.int64),
            "out": unset((_pixels(sizes), 2), np.int32),
            "first": first,
        },
    )


def pad(sizes: Sizes, values: Values, top: int, left: int, rows: int, columns: int) -> Call:
    """Into a frame of so many more rows and columns than the images, or fewer, but not none."""
    x = values.reals(*_input(sizes))
    height, width = sizes.window.image
    frame = max(height + rows, 1), max(width + columns, 1)
    return Call(
        "pad",
        {
            "x": x,
            "padding_top": top,
            "padding_left": left,
            "out": values.unset(sizes.images, *frame, sizes.channels),
        },
    )


def flip(sizes: Sizes, values: Values) -> Call:
    x, flips = values.reals(*_input(sizes)), values.integers(2, sizes.images, 2)
    out = values.unset(*x.shape)
    return Call("flip", {"x": x, "flips": flips.astype(np.int32), "out": out})


def translate(sizes: Sizes, values: Values, fill_mode: str, fill_value: float = -0.7) -> Call:
    """By up to the size of an image either way, by parts of a pixel or not."""
    x, (height, width) = values.reals(*_input(sizes)), sizes.window.image
    limits = np.array([height, width]) * PIXEL
    shifts = values.generator.integers(-limits, limits, (sizes.images, 2), endpoint=True)
    whole = values.integers(2, sizes.images, 2)
    return Call(
        "translate",
        {
            "x": x,
            "shifts": np.where(whole, shifts // PIXEL * PIXEL, shifts).astype(np.int32),
            "fill_mode": fill_mode,
            "fill_value": fill_value,
            "out": values.unset(*x.shape),
        },
    )


def transform(
    sizes: Sizes, values: Values, fill_mode: str, interpolation: str, less: tuple[int, int] = (0, 0)
) -> Call:
    """By maps that lead as far beyond the edges as they may, or not at all, to images of a size.

    They have `less` rows and columns. Places of pixels, and halfway between, are among them.
    """
    x, (height, width) = values.reals(*_input(sizes)), sizes.window.image
    choices = sizes.filters + 1
    maps = np.zeros((choices, 2, 3), np.int32)
    linear = values.generator.uniform(-PIXEL // 2, PIXEL // 2, (choices, 2, 2))
    maps[..., 1:] = np.where(values.integers(2, choices, 1, 1), linear, linear.round(-4))
    most = np.array([height, width]) * PIXEL
    maps[..., 0] = values.generator.integers(-most // 2, most, (choices, 2))
    maps[0] = [[PIXEL // 4, PIXEL // 2, 0], [0, 0, PIXEL // 2]]
    drawn = values.integers(choices, sizes.images, 2)
    drawn[0] = 0
    of_result = max(height - less[0], 1), max(width - less[1], 1)
    return Call(
        "transform",
        {
            "x": x,
            "drawn": drawn.astype(np.int32),
            "maps": maps.reshape(choices, 6),
            "fill_mode": fill_mode,
            "fill_value": -0.7,
            "interpolation": interpolation,
            "out": values.unset(len(x), *of_result, sizes.channels),
        },
    )


def tones(sizes: Sizes, values: Values, operation: str) -> Call:
    """By shares, or factors, from -2 to 2, of some pixels that reach the ends of the range."""
    x = values.reals(*_input(sizes))
    drawn = values.generator.integers(-2 * PIXEL, 2 * PIXEL, (sizes.images, 2))
    arguments = {"x": x, "drawn": drawn.astype(np.int32), "low": -1.25, "high": 1.5}
    return Call(operation, arguments | {"out": values.unset(*x.shape)})


def draw_partners(sizes: Sizes, values: Values, first: int, more: int) -> Call:
    """Of a part of a batch of so many more images."""
    count = sizes.images
    return Call(
        "draw_partners",
        {
            "batch": values.integers(1000, first + count + more),
            "seed": values.integer(64),
            "stream": values.integer(32),
            "step": np.array([values.integer(40)], np.int64),
            "out": unset((count,), np.int64),
            "first": first,
        },
    )


def draw_noise(sizes: Sizes, values: Values, choices: int = 7, first: int = 0) -> Call:
    return Call(
        "draw_noise",
        {
            "table": values.reals(choices, sizes.channels),
            "seed": values.integer(64),
            "stream": values.integer(32),
            "step": np.array([values.integer(40)], np.int64),
            "out": values.unset(*_input(sizes)),
            "first": first,
        },
    )


def blend(sizes: Sizes, values: Values) -> Call:
    x, others = values.reals(*_input(sizes)), values.reals(*_input(sizes))
    weights = np.array([0, PIXEL, *values.integers(PIXEL, 3)], np.int32)
    return Call(
        "blend",
        {
            "x": x,
            "others": others,
            "drawn": values.integers(5, sizes.images, 2).astype(np.int32),
            "weights": weights,
            "out": values.unset(*x.shape),
            "shares": values.unset(2, sizes.images),
        },
    )


def paste(sizes: Sizes, values: Values, is_alike: bool = False, has_shares: bool = True) -> Call:
    """Rectangles of all sizes, some of nothing, or of everything, also at the ends."""
    x, others = values.reals(*_input(sizes)), values.reals(*_input(sizes))
    ratios = np.array([0, PIXEL, PIXEL // 2, *values.integers(PIXEL, 2)], np.int32)
    places = values.integers(PIXEL, sizes.images, 2)
    at_ends = PIXEL * values.integers(2, sizes.images, 2)
    return Call(
        "paste",
        {
            "x": x,
            "others": others,
            "drawn": values.integers(5, sizes.images, 2).astype(np.int32),
            "places": np.where(values.integers(2, sizes.images, 2), places, at_ends).astype("i4"),
            "ratios": ratios,
            "out": values.unset(*x.shape),
            "shares": values.unset(2, sizes.images) if has_shares else None,
            "is_alike": is_alike,
        },
    )


def store_probabilities(sizes: Sizes, values: Values) -> Call:
    rows, classes = _pixels(sizes), sizes.filters
    first, number = sizes.channels, int(values.integers(3))
    size = first + rows
    return Call(
        "store_probabilities",
        {
            "position": np.array([number, 7]),
            "logits": 4 * values.reals(rows, classes),
            "probabilities": values.reals((number + 1) * size + 1, classes),
            "batch_size": size,
            "first": first,
        },
    )


def softmax_cross_entropy(
    sizes: Sizes, values: Values, *, ties: bool = False, gradient: bool = True
) -> Call:
    shape = rows, classes = _pixels(sizes), sizes.filters
    return Call(
        "softmax_cross_entropy",
        {
            "logits": values.choices([-1, 0, 1], *shape) if ties else 4 * values.reals(*shape),
            "labels": values.integers(classes, rows),
            "losses": values.unset(rows),
            "correct": values.unset(rows),
            "gradient": values.unset(*shape) if gradient else None,
            "images": rows + 3,  # of a batch of which these are a part
        },
    )


def soft_cross_entropy(
    sizes: Sizes, values: Values, *, ties: bool = False, gradient: bool = True
) -> Call:
    """With targets of any sum, the largest of which is in half of the rows that of the logits."""
    shape = rows, _ = _pixels(sizes), sizes.filters
    logits = values.choices([-1, 0, 1], *shape) if ties else 4 * values.reals(*shape)
    is_best = logits == logits.max(axis=1, keepdims=True)
    reals = values.reals(*shape) ** 2 + values.choices([0, 9], rows, 1) * is_best
    return Call(
        "soft_cross_entropy",
        {
            "logits": logits,
            "targets": values.choices([0, 0.25, 1], *shape) if ties else reals,
            "losses": values.unset(rows),
            "correct": values.unset(rows),
            "gradient": values.unset(*shape) if gradient else None,
            "images": rows + 3,  # of a batch of which these are a part
        },
    )


def sigmoid_cross_entropy(
    sizes: Sizes, values: Values, *, edges: bool = False, gradient: bool = True
) -> Call:
    shape = rows, _ = _pixels(sizes), sizes.filters
    ends = values.choices([-100, -88, -30, -0.0, 0, 1e-30, 30, 100], *shape)
    return Call(
        "sigmoid_cross_entropy",
        {
            "logits": ends if edges else 4 * values.reals(*shape),
            "targets": values.choices([0, 0, 0.1, 0.5, 0.9, 1, 1], *shape),
            "losses": values.unset(rows),
            "correct": values.unset(rows),
            "gradient": values.unset(*shape) if gradient else None,
            "images": rows + 3,
        },
    )


def squared_error(sizes: Sizes, values: Values, *, gradient: bool = True) -> Call:
    shape = rows, _ = _pixels(sizes), sizes.filters
    return Call(
        "squared_error",
        {
            "outputs": values.reals(*shape),
            "targets": values.reals(*shape),
            "losses": values.unset(rows),
            "gradient": values.unset(*shape) if gradient else None,
            "images": rows + 3,
        },
    )


def weigh_rows(sizes: Sizes, values: Values, *, gradient: bool = True) -> Call:
    shape = rows, _ = _pixels(sizes), sizes.filters
    return Call(
        "weigh_rows",
        {
            "weights": values.reals(rows),
            "losses": values.reals(rows),
            "gradient": values.reals(*shape) if gradient else None,
        },
    )


def axpby(sizes: Sizes, values: Values, alpha: float = 1.7, beta: float = -0.3) -> Call:
    shape = _input(sizes)
    x, y = values.reals(*shape), values.reals(*shape)
    return Call("axpby", {"x": x, "y": y, "alpha": alpha, "beta": beta})


def clip(sizes: Sizes, values: Values) -> Call:
    return Call("clip", {"values": values.reals(*_input(sizes)), "limit": 0.7})


def clip_norms(sizes: Sizes, values: Values, *, nan_if_infinite: bool = False) -> Call:
    """Of arrays shorter and longer than the limit, and some of several pieces."""
    lengths = _pixels(sizes), 1, sizes.filters, PIECE + 1
    scales = [values.choices([0.01, 1], 1) / length**0.5 for length in lengths]
    arrays = [values.reals(length) * scale for length, scale in zip(lengths, scales, strict=True)]
    return Call(
        "clip_norms",
        {
            "values": np.concatenate(arrays),
            "sizes": lengths,
            "limit": 0.5,
            "nan_if_infinite": nan_if_infinite,
        },
    )


def unit_norm(sizes: Sizes, values: Values, *, more: int = 0) -> Call:
    array = values.reals(_pixels(sizes) + more)
    return Call("unit_norm", {"values": array, "epsilon": 0.1})  # of a size that shows


def sgd(
    sizes: Sizes,
    values: Values,
    momentum: float = 0.9,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    keeps_velocity: bool = True,
) -> Call:
    count = _pixels(sizes)
    return Call(
        "sgd",
        {
            "parameters": values.reals(count),
            "gradients": values.reals(count),
            "velocity": values.reals(count) if keeps_velocity else None,
            "learning_rate": values.choices([0.1, 0.01], 1),
            "momentum": momentum,
            "nesterov": nesterov,
            "weight_decay": weight_decay,
        },
    )


def adam(sizes: Sizes, values: Values, weight_decay: float = 0.0) -> Call:
    count = _pixels(sizes)
    return Call(
        "adam",
        {
            "parameters": values.reals(count),
            "gradients": values.reals(count),
            "mean": values.reals(count),
            "square": values.reals(count) ** 2,
            "learning_rate": values.choices([0.1, 0.01], 1),
            "bias_correction": values.choices([0.3, 1.2], 1),
            "beta_1": 0.9,
            "beta_2": 0.999,
            "epsilon": 1e-3,  # of a size that shows
            "weight_decay": weight_decay,
        },
    )


def rmsprop(
    sizes: Sizes,
    values: Values,
    momentum: float = 0.9,
    centered: bool = False,
    weight_decay: float = 0.0,
) -> Call:
    count = _pixels(sizes)
    mean = values.reals(count)
    return Call(
        "rmsprop",
        {
            "parameters": values.reals(count),
            "gradients": values.reals(count),
            "square": mean**2 + values.reals(count) ** 2 + 0.5,
            "velocity": values.reals(count),
            "mean": mean if centered else None,
            "learning_rate": values.choices([0.1, 0.01], 1),
            "rho": 0.9,
            "momentum": momentum,
            "epsilon": 0.1,  # of a size that shows
            "weight_decay": weight_decay,
        },
    )


def rmsprop_without_variance(sizes: Sizes, values: Values) -> Call:
    """Of mean squares below the squares of the means, as rounding may leave them."""
    call = rmsprop(sizes, values, centered=True)
    return Call("rmsprop", call.arguments | {"square": call.arguments["mean"] ** 2 / 2})


def adagrad(sizes: Sizes, values: Values, weight_decay: float = 0.0) -> Call:
    count = _pixels(sizes)
    return Call(
        "adagrad",
        {
            "parameters": values.reals(count),
            "gradients": values.reals(count),
            "square": values.reals(count) ** 2,
            "learning_rate": values.choices([0.1, 0.01], 1),
            "epsilon": 0.1,  # of a size that shows
            "weight_decay": weight_decay,
        },
    )


def lion(sizes: Sizes, values: Values, weight_decay: float = 0.0) -> Call:
    count = _pixels(sizes)
    scale = values.choices([0, 1, 1, 1], count)  # a direction of 0 is one of its own
    return Call(
        "lion",
        {
            "parameters": values.reals(count),
            "gradients": values.reals(count) * scale,
            "mean": values.reals(count) * scale,
            "learning_rate": values.choices([0.1, 0.01], 1),
            "beta_1": 0.7,
            "beta_2": 0.9,
            "weight_decay": weight_decay,
        },
    )


def momentum(sizes: Sizes, values: Values, nesterov: bool = True) -> Call:
    count = _pixels(sizes)
    return Call(
        "momentum",
        {
            "gradients": values.reals(count),
            "velocity": values.reals(count),
            "direction": values.unset(count),
            "decay": 0.9,
            "nesterov": nesterov,
        },
    )


def average_parameters(sizes: Sizes, values: Values, overwrites: bool = False) -> Call:
    count = _pixels(sizes)
    return Call(
        "average_parameters",
        {
            "parameters": values.reals(count),
            "average": values.reals(count),
            "share": values.choices([0.01, 0.3, 1], 1),
            "overwrites": values.choices([overwrites], 1),
        },
    )


CALLS: dict[str, Builder] = {
    "next_batch": next_batch,
    "store_metrics": store_metrics,
    "store_outputs": store_outputs,
    "gather_images of bytes": partial(gather_images, bytes_=True),
    "gather_images of bytes as they are": partial(gather_images, bytes_=True, normalizes=False),
    "gather_images of reals": partial(gather_images, bytes_=False),
    "gather_images of reals as they are": partial(gather_images, bytes_=False, normalizes=False),
    "gather_labels": gather_labels,
    "matmul": matmul,
    "matmul, a transposed": partial(matmul, transpose_a=True),
    "matmul, b transposed": partial(matmul, transpose_b=True),
    "matmul, both transposed": partial(matmul, transpose_a=True, transpose_b=True),
    "matmul with bias": partial(matmul, bias=True),
    "matmul, both transposed, with bias": partial(
        matmul, transpose_a=True, transpose_b=True, bias=True
    ),
    "sum_rows": sum_rows,
    "dense_relu": dense_relu,
    "dense_relu with dropout": partial(dense_relu, rate=0.4, drops=True),
    "dense_relu with dropout of a part": partial(
        dense_relu, rate=0.4, drops=True, first=4 * 25 + 3
    ),
    "dense_relu with dropout beyond the low word": partial(
        dense_relu, rate=0.4, drops=True, first=2**34 - 2
    ),
    "dense_relu_gradient": dense_relu_gradient,
    "dense_gradients": dense_gradients,
    "dense_softmax_cross_entropy": dense_softmax_cross_entropy,
    "dense_softmax_cross_entropy of what is rectified": partial(
        dense_softmax_cross_entropy, rate=0.0
    ),
    "dense_softmax_cross_entropy of what is dropped": partial(
        dense_softmax_cross_entropy, rate=0.4
    ),
    "dense_softmax_cross_entropy without the input's gradient": partial(
        dense_softmax_cross_entropy, input_gradient=False
    ),
    "multiply": multiply,
    "add": add,
    "scale_shift": scale_shift,
    "scale_shift without an offset": partial(scale_shift, offset=False),
    "scale_shift of vectors": scale_shift_of_vectors,
    "scale_channels": scale_channels,
    "accumulate": accumulate,
    "accumulate images": partial(accumulate, images=True),
    "penalize": penalize,
    "penalize many": partial(penalize, elements=3000),
    "axpby": axpby,
    "clip": clip,
    "clip_norms": clip_norms,
    "clip_norms, strictly": partial(clip_norms, nan_if_infinite=True),
    "unit_norm": unit_norm,
    "unit_norm of several pieces": partial(unit_norm, more=PIECE),
    "im2col": im2col,
    "col2im": col2im,
    "conv2d": conv2d,
    "conv2d_parameter_gradients": conv2d_parameter_gradients,
    "conv2d_input_gradient": conv2d_input_gradient,
    "grouped_conv2d, depthwise": grouped_conv2d,
    "grouped_conv2d": partial(grouped_conv2d, group_channels=3),
    "grouped_conv2d_parameter_gradients, depthwise": grouped_conv2d_parameter_gradients,
    "grouped_conv2d_parameter_gradients": partial(
        grouped_conv2d_parameter_gradients, group_channels=3
    ),
    "grouped_input_gradient, depthwise": grouped_input_gradient,
    "grouped_input_gradient": partial(grouped_input_gradient, group_channels=3),
    "max_pool": max_pool,
    "max_pool_gradient": max_pool_gradient,
    "average_pool": average_pool,
    "average_pool_gradient": average_pool_gradient,
    "channel_means": channel_means,
    "channel_means of vectors": partial(channel_means, vectors=True),
    "channel_variances": channel_variances,
    "channel_variances of vectors": partial(channel_variances, vectors=True),
    "normalize": normalize,
    "normalize vectors": partial(normalize, vectors=True),
    "normalize_gradient_sums": normalize_gradient_sums,
    "normalize_gradient_sums of vectors": partial(normalize_gradient_sums, vectors=True),
    "normalize_gradient": normalize_gradient,
    "normalize_gradient of vectors": partial(normalize_gradient, vectors=True),
    "relu": relu,
    "relu_gradient": relu_gradient,
    "clipped_relu": clipped_relu,
    "clipped_relu, low": partial(clipped_relu, max_value=0.3),
    "clipped_relu_gradient": clipped_relu_gradient,
    "clipped_relu_gradient, low": partial(clipped_relu_gradient, max_value=0.3),
    "leaky_relu": leaky_relu,
    "leaky_relu, steep": partial(leaky_relu, negative_slope=1.75),
    "leaky_relu without a leak": partial(leaky_relu, negative_slope=0.0),
    "leaky_relu_gradient": leaky_relu_gradient,
    "leaky_relu_gradient, steep": partial(leaky_relu_gradient, negative_slope=1.75),
    "elu": partial(activation, operation="elu", alpha=1.0),
    "elu with alpha": partial(activation, operation="elu", alpha=1.75),
    "elu without a tail": partial(activation, operation="elu", alpha=0.0),
    "elu_gradient": partial(activation_gradient, operation="elu_gradient", alpha=1.0),
    "elu_gradient with alpha": partial(activation_gradient, operation="elu_gradient", alpha=1.75),
    "gelu": partial(activation, operation="gelu"),
    "gelu_gradient": partial(activation_gradient, operation="gelu_gradient"),
    "silu": partial(activation, operation="silu"),
    "silu_gradient": partial(activation_gradient, operation="silu_gradient"),
    "tanh": partial(activation, operation="tanh"),
    "tanh_gradient": partial(activation_gradient, operation="tanh_gradient", of="out"),
    "sigmoid": partial(activation, operation="sigmoid"),
    "sigmoid_gradient": partial(activation_gradient, operation="sigmoid_gradient", of="out"),
    "dropout": dropout,
    "dropout of nothing": partial(dropout, rate=0.0),
    "dropout of a part that begins within a block": partial(dropout, first=4 * 25 + 3),
    "dropout of a part beyond the low word": partial(dropout, first=2**34 - 2),
    "draw_mask": draw_mask,
    "draw_mask of a part that begins within a block": partial(draw_mask, first=4 * 25 + 3),
    "draw_mask of a part beyond the low word": partial(draw_mask, first=2**34 - 2),
    "draw_integers": draw_integers,
    "draw_integers of a part": partial(draw_integers, first=25),
    "draw_integers of a part beyond the low word": partial(draw_integers, first=2**32 - 2),
    "draw_integers from all": partial(
        draw_integers, lows=(-(2**31), 0), highs=(2**31 - 1, 2**31 - 1)
    ),
    "pad": partial(pad, top=2, left=1, rows=5, columns=1),
    "pad on one side": partial(pad, top=0, left=3, rows=1, columns=3),
    "pad to less": partial(pad, top=-1, left=-2, rows=-3, columns=-2),
    "pad to less and more": partial(pad, top=-1, left=2, rows=2, columns=-1),
    "pad beyond the image": partial(pad, top=-20, left=20, rows=1, columns=1),
    "flip": flip,
    **PARTS,
    "translate over a constant": partial(translate, fill_mode="constant"),
    "translate over the nearest": partial(translate, fill_mode="nearest"),
    "translate over a reflection": partial(translate, fill_mode="reflect"),
    "translate over the other side": partial(translate, fill_mode="wrap"),
    "transform over a constant": partial(transform, fill_mode="constant", interpolation="bilinear"),
    "transform over a reflection": partial(
        transform, fill_mode="reflect", interpolation="bilinear"
    ),
    "transform over the other side": partial(transform, fill_mode="wrap", interpolation="bilinear"),
    "transform to the nearest": partial(transform, fill_mode="nearest", interpolation="nearest"),
    "brighten": partial(tones, operation="brighten"),
    "contrast": partial(tones, operation="contrast"),
    "draw_partners": partial(draw_partners, first=0, more=0),
    "draw_partners of a part": partial(draw_partners, first=3, more=5),
    "draw_noise": draw_noise,
    "draw_noise of a part": partial(draw_noise, first=2**32 - 2),
    "draw_noise of one number": partial(draw_noise, choices=1),
    "blend": blend,
    "paste": paste,
    "paste alike": partial(paste, is_alike=True),
    "paste without shares": partial(paste, has_shares=False),
    "store_probabilities": store_probabilities,
    "softmax_cross_entropy": softmax_cross_entropy,
    "softmax_cross_entropy with ties": partial(softmax_cross_entropy, ties=True),
    "softmax_cross_entropy alone": partial(softmax_cross_entropy, gradient=False),
    "soft_cross_entropy": soft_cross_entropy,
    "soft_cross_entropy with ties": partial(soft_cross_entropy, ties=True),
    "soft_cross_entropy alone": partial(soft_cross_entropy, gradient=False),
    "sigmoid_cross_entropy": sigmoid_cross_entropy,
    "sigmoid_cross_entropy at the edges": partial(sigmoid_cross_entropy, edges=True),
    "sigmoid_cross_entropy alone": partial(sigmoid_cross_entropy, gradient=False),
    "squared_error": squared_error,
    "squared_error alone": partial(squared_error, gradient=False),
    "weigh_rows": weigh_rows,
    "weigh_rows of losses alone": partial(weigh_rows, gradient=False),
    "sgd": partial(sgd, momentum=0.0),
    "sgd with momentum": sgd,
    "sgd, Nesterov's": partial(sgd, nesterov=True),
    "sgd with decay": partial(sgd, weight_decay=0.05),
    "sgd without a velocity": partial(sgd, keeps_velocity=False),
    "sgd, Nesterov's, without a velocity": partial(sgd, nesterov=True, keeps_velocity=False),
    "sgd, Nesterov's, with decay": partial(sgd, nesterov=True, weight_decay=0.05),
    "adam": adam,
    "adamw": partial(adam, weight_decay=0.05),
    "rmsprop": partial(rmsprop, momentum=0.0),
    "rmsprop with momentum": rmsprop,
    "rmsprop with decay": partial(rmsprop, weight_decay=0.05),
    "rmsprop, centred": partial(rmsprop, centered=True),
    "rmsprop, centred, without a variance": rmsprop_without_variance,
    "adagrad": adagrad,
    "adagrad with decay": partial(adagrad, weight_decay=0.05),
    "lion": lion,
    "lion with decay": partial(lion, weight_decay=0.05),
    "momentum": partial(momentum, nesterov=False),
    "momentum, Nesterov's": momentum,
    "average_parameters": average_parameters,
    "average_parameters that overwrites": partial(average_parameters, overwrites=True),
}
"""The calls by what they do; an operation may have several, for its options."""


def _pixels(sizes: Sizes) -> int:
    return sizes.images * prod(sizes.window.image)


def _input(sizes: Sizes) -> tuple[int, ...]:
    return sizes.images, *sizes.window.image, sizes.channels


def _output(sizes: Sizes, channels: int) -> tuple[int, ...]:
    return sizes.images, *sizes.window.output, channels


def _patches(sizes: Sizes) -> tuple[int, ...]:
    positions = prod(sizes.window.output)
    return sizes.images, positions, sizes.window.elements * sizes.channels


def _kernel(sizes: Sizes) -> tuple[int, ...]:
    return *sizes.window.size, sizes.channels, sizes.filters


def _grouped_input(sizes: Sizes, group_channels: int) -> tuple[int, ...]:
    """Images of as many groups of channels as the sizes have channels."""
    return sizes.images, *sizes.window.image, sizes.channels * group_channels


def _grouped_kernel(sizes: Sizes, group_channels: int) -> tuple[int, ...]:
    """One to three filters a group."""
    filters = sizes.channels * (sizes.filters % 3 + 1)
    return *sizes.window.size, group_channels, filters


def _without_dilation(sizes: Sizes) -> Sizes:
    """The sizes with a window as pooling has it."""
    return replace(sizes, window=replace(sizes.window, dilation=(1, 1)))

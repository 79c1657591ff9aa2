"""Calls of what is on the device from step to step: images, batches, metrics and outputs."""

import numpy as np

from backends.operations.shapes import count_pixels, input_shape
from backends.operations.values import Values
from backends.strategies import Sizes
from gpucnn.verification.calls import Call, unset


def gather_images(sizes: Sizes, values: Values, *, bytes_: bool, normalizes: bool = True) -> Call:
    shape = input_shape(sizes)
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
    count = count_pixels(sizes)
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
    count, first, number = count_pixels(sizes), sizes.filters, int(values.integers(3))
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
    rows, columns = count_pixels(sizes), sizes.filters
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

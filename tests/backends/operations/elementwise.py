"""Calls for single elements, and of parts of arrays."""

from dataclasses import replace
from functools import partial

from backends.operations.shapes import count_pixels, input_shape
from backends.operations.values import Builder, Values
from backends.strategies import Sizes
from gpucnn.backends import Shape
from gpucnn.verification.calls import Call


def multiply(sizes: Sizes, values: Values) -> Call:
    shape = input_shape(sizes)
    a, b = values.reals(*shape), values.reals(*shape)
    return Call("multiply", {"a": a, "b": b, "out": values.unset(*shape)})


def add(sizes: Sizes, values: Values) -> Call:
    return replace(multiply(sizes, values), operation="add")


def scale_shift(sizes: Sizes, values: Values, *, offset: bool = True) -> Call:
    x = values.reals(*input_shape(sizes))
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
    x = values.reals(count_pixels(sizes), sizes.filters)
    scale, offset = values.reals(sizes.filters), values.reals(sizes.filters)
    arguments = {"x": x, "scale": scale, "offset": offset, "out": values.unset(*x.shape)}
    return Call("scale_shift", arguments)


def scale_channels(sizes: Sizes, values: Values) -> Call:
    x, factors = values.reals(*input_shape(sizes)), values.reals(sizes.images, sizes.channels)
    return Call("scale_channels", {"x": x, "factors": factors, "out": values.unset(*x.shape)})


def accumulate(sizes: Sizes, values: Values, *, images: bool = False) -> Call:
    shape = input_shape(sizes) if images else (count_pixels(sizes),)
    return Call("accumulate", {"a": values.reals(*shape), "total": values.reals(*shape)})


def part_and_whole(sizes: Sizes, axis: int, before: int, after: int) -> tuple[Shape, Shape]:
    """The shape of images, and that with so many more elements along an axis."""
    part = input_shape(sizes)
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

"""Pooled convolutions as bound calls, against the definition."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backends.fused import conv_relu_pool
from gpucnn.backends import Array, Backend, Calls, ConvReluPool, CpuBackend, Window
from gpucnn.backends.cpu import winograd
from gpucnn.backends.cpu.inference import patches, pooled
from gpucnn.backends.cpu.layout import images_innermost
from gpucnn.backends.window import Padding, Pair
from gpucnn.verification.transforms import AbsoluteTransforms

Sizes = tuple[Pair, Pair, Pair, Padding, Pair, int, int]

SIZES: list[Sizes] = [  # image, kernel, strides, padding, pool, channels, filters
    ((28, 28), (3, 3), (1, 1), "valid", (2, 2), 1, 8),
    ((28, 28), (3, 3), (1, 1), "valid", (2, 2), 1, 32),
    ((13, 13), (3, 3), (1, 1), "valid", (2, 2), 32, 64),
    ((14, 15), (3, 3), (1, 1), "same", (2, 2), 16, 24),
    ((6, 6), (3, 3), (1, 1), "same", (2, 2), 16, 16),
    ((13, 11), (5, 4), (2, 1), "same", (1, 3), 5, 21),
    ((9, 7), (1, 1), (1, 1), "valid", (2, 2), 3, 4),
    ((9, 7), (2, 2), (2, 2), "valid", (2, 3), 2, 20),
    ((5, 4), (5, 4), (1, 1), "valid", (1, 1), 17, 3),
]


def operation(sizes: Sizes, real: str) -> ConvReluPool:
    image, kernel, strides, padding, pool, channels, filters = sizes
    fused = conv_relu_pool(Window(image, kernel, strides, padding), pool, channels, filters)
    return replace(fused, real=np.dtype(real))


def values(fused: ConvReluPool, images: int) -> tuple[Array, Array, Array]:
    """Images, a kernel and a bias."""
    generator = np.random.default_rng(0)

    def draw(*shape: int) -> Any:
        return generator.normal(size=shape).astype(fused.real)

    x = draw(images, *fused.window.image, fused.channels)
    return x, draw(*fused.window.size, fused.channels, fused.filters), draw(fused.filters)


def defined(fused: ConvReluPool, x: Array, kernel: Array, bias: Array) -> Array:
    """What the definition computes in float64."""
    exact, calls = replace(fused, real=np.dtype(np.float64)), Calls()
    x, kernel, bias = (each.astype(np.float64) for each in (x, kernel, bias))
    out = Backend().bind_conv2d_relu_max_pool(exact, x, kernel, bias, calls)
    calls()
    return out


def bound(fused: ConvReluPool, x: Array, kernel: Array, bias: Array) -> Array:
    """How far off the outputs may be, (n, ph, pw, filters).

    That of a sum of k products is k eps times the sum of their absolute values, in any order. The
    bias is a further term, and its sum a further rounding. Winograd's transforms add up products of
    sums, whose absolute values `AbsoluteTransforms` adds up; rounded are the sums of four pixels
    (2), of nine weights (9), of the channels, and of nine products and the bias (9).
    """
    eps = float(np.finfo(fused.real).eps)
    x, kernel, bias = (np.abs(each).astype(float) for each in (x, kernel, bias))
    if winograd.suits(fused):
        sums: Array = AbsoluteTransforms(fused, x, kernel).scores.max(1)
        sums = sums.reshape(len(x), *fused.pool.output, fused.filters)
        return eps * (fused.channels + 21) * (sums + bias)
    return eps * (kernel[..., 0].size + 2) * defined(fused, x, kernel, bias)


@pytest.mark.parametrize("real", ["float32", "float64"])
@pytest.mark.parametrize("images", [1, 2, 3, 5, 12])
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("is_inside", [False, True])
def test_calls_compute_the_definition(
    sizes: Sizes, images: int, real: str, is_inside: bool
) -> None:
    fused = operation(sizes, real)
    x, kernel, bias = values(fused, images)
    held = images_innermost(np.empty(x.size, real), x.shape)
    if is_inside:  # as another convolution gives them
        held = np.empty((*x.shape[1:3], images, x.shape[3]), real).transpose(2, 0, 1, 3)
    calls = Calls()
    out = CpuBackend(1).bind_conv2d_relu_max_pool(fused, held, kernel, bias, calls)
    held[...] = x
    calls()
    assert np.all(np.abs(out - defined(fused, x, kernel, bias)) <= bound(fused, x, kernel, bias))

    kernel *= 0.5  # of which something is kept
    bias += 1
    held[...] = -x
    calls.renew()
    calls()
    assert np.all(np.abs(out - defined(fused, -x, kernel, bias)) <= bound(fused, x, kernel, bias))
    assert out.any()


@pytest.mark.parametrize("images", [1, 2, 12])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    "sizes",
    [
        ((6, 7), (1, 1), (2, 2), "valid", (2, 2), 1, 2),  # with pixels that nothing sees
        ((6, 6), (2, 3), (1, 1), "same", (2, 2), 3, 2),
        ((6, 6), (3, 3), (1, 1), "same", (2, 2), 16, 16),
    ],
)
def test_numbers_that_are_not_finite(sizes: Sizes, images: int, value: float) -> None:
    """A NaN makes NaN what sees it; an infinity changes nothing that does not see it."""
    fused = operation(sizes, "float64")
    plain, kernel, bias = values(fused, images)
    x, calls = plain.copy(), Calls()
    out = CpuBackend(1).bind_conv2d_relu_max_pool(fused, x, kernel, bias, calls)
    for pixel in np.ndindex(fused.window.image):
        x[...] = plain
        x[0][pixel] = np.nan
        sees = np.isnan(defined(fused, x, kernel, bias))
        x[0][pixel] = value
        with np.errstate(invalid="ignore"):
            calls()
        assert not np.isnan(out[~sees]).any()
        assert np.isnan(value) <= np.isnan(out[sees]).all()
        x[0][pixel] = plain[0][pixel]
        expected = defined(fused, x, kernel, bias)
        off = bound(fused, x, kernel, bias)
        assert np.all(np.abs(out - expected)[~sees] <= off[~sees])


@pytest.mark.parametrize("size", [1, 200_000])
def test_winograd_in_tiles_of_columns_and_of_images(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fused = operation(((13, 13), (3, 3), (1, 1), "valid", (2, 2), 16, 16), "float64")
    x, kernel, bias = values(fused, 11)

    def computed() -> Array:
        calls = Calls()
        out = CpuBackend(1).bind_conv2d_relu_max_pool(fused, x, kernel, bias, calls)
        calls()
        return out

    expected = computed()
    monkeypatch.setattr(winograd, "tile_size", lambda: size)
    np.testing.assert_allclose(computed(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("sizes", "images", "way"),
    [
        (SIZES[0], 1, "add_patches"),
        (SIZES[0], patches.MOST, "add_patches"),
        (SIZES[0], patches.MOST + 1, "add_tiles"),
        (SIZES[2], 1, "add_winograd"),
        (SIZES[5], 99, "add_tiles"),
    ],
)
def test_the_way_follows_from_the_sizes(
    sizes: Sizes, images: int, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    for name in ("add_patches", "add_tiles", "add_winograd"):
        plain = getattr(pooled, name)

        def add(*arguments: Any, name: str = name, plain: Any = plain) -> Array:
            taken.append(name)
            return plain(*arguments)  # type: ignore[no-any-return]

        monkeypatch.setattr(pooled, name, add)
    fused = operation(sizes, "float32")
    CpuBackend(1).bind_conv2d_relu_max_pool(fused, *values(fused, images), Calls())
    assert taken == [way]

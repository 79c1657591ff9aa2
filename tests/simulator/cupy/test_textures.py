"""Textures and surfaces of kernels, against their definition in NumPy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from gpucnn.backends.cuda.machine_code.nvrtc import compile_kernels
from gpucnn.errors import GpucnnError

SOURCE = """
extern "C" __global__ void line(cudaTextureObject_t texture, const float* x, float* out)
{
    out[threadIdx.x] = tex1D<float>(texture, x[threadIdx.x]);
}
extern "C" __global__ void plane(cudaTextureObject_t texture, const float* x, float2* out)
{
    out[threadIdx.x] = tex2D<float2>(texture, x[2 * threadIdx.x], x[2 * threadIdx.x + 1]);
}
extern "C" __global__ void space(cudaTextureObject_t texture, const float* x, float* out)
{
    const float* p = x + 3 * threadIdx.x;
    tex3D(&out[threadIdx.x], texture, p[0], p[1], p[2]);
}
extern "C" __global__ void layers(cudaTextureObject_t texture, const float* x, float* out)
{
    out[threadIdx.x] = tex2DLayered<float>(texture, x[0], x[1], threadIdx.x);
}
extern "C" __global__ void gather(cudaTextureObject_t texture, float4* out, cudaExtent size)
{
    out[threadIdx.x] = tex2Dgather<float4>(texture, 2.6f, 1.4f, threadIdx.x);
    if (size.depth == 0) out[2] = tex2Dgather<float4>(texture, 0.2f, 0.2f);
}
extern "C" __global__ void fetch(cudaTextureObject_t texture, int* out)
{
    const uchar4 texel = tex1Dfetch<uchar4>(texture, (int)threadIdx.x - 1);
    out[threadIdx.x] = texel.x + 256 * (texel.y + 256 * (texel.z + 256 * texel.w));
}
extern "C" __global__ void turn(cudaSurfaceObject_t from, cudaSurfaceObject_t to, int w, int h)
{
    const int x = blockIdx.x * blockDim.x + threadIdx.x, y = threadIdx.y;
    short2 texel;
    surf2Dread(&texel, from, x * 4, y, cudaBoundaryModeClamp);
    const int column = w - 1 - x, row = h - 1 - y;
    surf2Dwrite(make_short2(texel.y, texel.x), to, column * 4, row, cudaBoundaryModeZero);
}
extern "C" __global__ void beyond(cudaSurfaceObject_t surface, int x)
{
    surf2Dwrite<short2>(make_short2(1, 2), surface, x, 0);
}
"""
WRAP, CLAMP, MIRROR, BORDER = range(4)
Texels = npt.NDArray[np.float64]


def within(i: int, size: int, mode: int) -> int | None:
    if mode == BORDER:
        return i if 0 <= i < size else None
    if mode == CLAMP:
        return min(max(i, 0), size - 1)
    turn, rest = divmod(i, size)
    return rest if mode == WRAP or turn % 2 == 0 else size - 1 - rest


def sampled(texels: Texels, x: Any, modes: list[int], filters: bool, border: float = 0) -> Any:
    """The value at coordinates (x, y, ...) in texels of shape (..., height, width, channels)."""
    axes = len(x)
    lower = np.floor(x - 0.5) if filters else np.floor(x)
    weight = np.rint((x - 0.5 - lower) * 256) / 256 if filters else np.zeros(axes)
    total = np.zeros(texels.shape[-1])
    for corner in np.ndindex(*(2,) * axes):
        sizes = texels.shape[-2::-1]
        places = zip(lower + corner, sizes, modes, strict=False)
        index = [within(int(i), size, mode) for i, size, mode in places]
        part = np.prod(np.where(corner, weight, 1 - weight))
        total += part * (border if None in index else texels[tuple(index[::-1])])
    return total


def texture(cupy: Any, array: Any, flags: int = 0, channels: int = 1, **options: Any) -> Any:
    t = cupy.cuda.texture
    bits = 8 * array.dtype.itemsize
    kind = {"i": 0, "u": 1, "f": 2}[array.dtype.kind]
    desc = t.ChannelFormatDescriptor(*([bits] * channels + [0] * (4 - channels)), kind)
    sizes = array.shape if channels == 1 else array.shape[:-1]
    memory = t.CUDAarray(desc, *sizes[::-1], flags=flags)
    memory.copy_from(array)
    resource = t.ResourceDescriptor(cupy.cuda.runtime.cudaResourceTypeArray, cuArr=memory)
    return t.TextureObject(resource, t.TextureDescriptor(**options))


@pytest.mark.parametrize("filters", [0, 1])
@pytest.mark.parametrize("mode", [WRAP, CLAMP, MIRROR, BORDER])
def test_coordinates(cupy: Any, mode: int, filters: int) -> None:
    rng = np.random.default_rng(0)
    texels = rng.standard_normal((5, 7, 2)).astype(np.float32)
    x = rng.uniform(-1.5, 2.5, (64, 2)).astype(np.float32)
    out = cupy.zeros((64, 2), dtype=cupy.float32)
    made = texture(
        cupy, cupy.array(texels), channels=2, addressModes=(mode, mode), filterMode=filters,
        borderColors=(3, 3), normalizedCoords=1,
    )  # fmt: skip
    cupy.RawKernel(SOURCE, "plane")((1,), (64,), (made, cupy.array(x), out))
    places = (x * np.array([7, 5], np.float32)).astype(np.float64)
    expected = [sampled(texels.astype("f8"), p, [mode] * 2, bool(filters), 3) for p in places]
    # A sum of double, rounded once to float.
    np.testing.assert_allclose(out.get(), expected, rtol=2**-23, atol=1e-12)


def test_lines_spaces_and_layers(cupy: Any) -> None:
    rng = np.random.default_rng(1)
    line = rng.integers(0, 256, 9).astype(np.uint8)
    x = rng.uniform(-1, 10, 32).astype(np.float32)
    out = cupy.zeros(32, dtype=cupy.float32)
    made = texture(cupy, line, addressModes=(CLAMP,), filterMode=1, readMode=1)
    module = cupy.RawModule(code=SOURCE)
    module.get_function("line")((1,), (32,), (made, cupy.array(x), out))
    expected = [sampled(line[:, None] / 255, np.array([p], "f8"), [CLAMP], True)[0] for p in x]
    np.testing.assert_allclose(out.get(), expected, rtol=2**-23)

    space = rng.standard_normal((3, 4, 5)).astype(np.float16)
    p = rng.uniform(-1, 6, (32, 3)).astype(np.float32)
    made = texture(cupy, space, addressModes=(CLAMP, BORDER, CLAMP), filterMode=1)
    module.get_function("space")((1,), (32,), (made, cupy.array(p), out))
    modes = [CLAMP, BORDER, CLAMP]
    wide = space[..., None].astype(np.float64)
    expected = [sampled(wide, each.astype("f8"), modes, True)[0] for each in p]
    np.testing.assert_allclose(out.get(), expected, rtol=2**-23, atol=1e-12)

    made = texture(cupy, space, 1, addressModes=(CLAMP, CLAMP))
    where = cupy.array([2.5, 1.5], dtype=cupy.float32)
    module.get_function("layers")((1,), (4,), (made, where, out))
    np.testing.assert_array_equal(out.get()[:4], space[[0, 1, 2, 2], 1, 2])


def test_gathering(cupy: Any) -> None:
    texels = 1 + np.arange(24, dtype=np.float32).reshape(3, 4, 2)
    made, out = texture(cupy, texels, channels=2), cupy.zeros((3, 4), dtype=cupy.float32)
    extent = np.zeros(1, "V24")
    cupy.RawKernel(SOURCE, "gather")((1,), (2,), (made, out, extent))
    four = texels[[1, 1, 0, 0], [2, 3, 3, 2]]
    np.testing.assert_array_equal(out.get()[:2], four.T)
    assert out.get()[2].tolist() == [1] * 4  # at the corner, which is repeated


def test_linear_memory(cupy: Any) -> None:
    t, runtime = cupy.cuda.texture, cupy.cuda.runtime
    memory = cupy.arange(10, dtype=cupy.int32)
    desc = t.ChannelFormatDescriptor(8, 8, 8, 8, runtime.cudaChannelFormatKindUnsigned)
    resource = t.ResourceDescriptor(
        runtime.cudaResourceTypeLinear, arr=memory, chDesc=desc, sizeInBytes=36
    )
    made, out = t.TextureObject(resource, t.TextureDescriptor()), cupy.ones(12, dtype=cupy.int32)
    memory *= 1001
    cupy.RawKernel(SOURCE, "fetch")((1,), (12,), (made, out))
    assert out.get().tolist() == [0, *(1001 * np.arange(9)).tolist(), 0, 0]
    x = cupy.array([[0.5, 0.5], [1.5, 1.5]], dtype=cupy.float32)
    floats = cupy.arange(12, dtype=cupy.float32)
    desc = t.ChannelFormatDescriptor(32, 32, 0, 0, runtime.cudaChannelFormatKindFloat)
    resource = t.ResourceDescriptor(
        runtime.cudaResourceTypePitch2D, arr=floats, chDesc=desc, width=2, height=2, pitchInBytes=24
    )
    made, out = t.TextureObject(resource, t.TextureDescriptor()), cupy.zeros((2, 2), dtype="f4")
    cupy.RawKernel(SOURCE, "plane")((1,), (2,), (made, x, out))
    assert out.get().tolist() == [[0, 1], [8, 9]]


def test_surfaces(cupy: Any) -> None:
    t, runtime = cupy.cuda.texture, cupy.cuda.runtime
    desc = t.ChannelFormatDescriptor(16, 16, 0, 0, runtime.cudaChannelFormatKindSigned)
    surfaces, arrays = [], []
    for _ in range(2):
        arrays.append(t.CUDAarray(desc, 5, 3, 0, runtime.cudaArraySurfaceLoadStore))
        resource = t.ResourceDescriptor(runtime.cudaResourceTypeArray, cuArr=arrays[-1])
        surfaces.append(t.SurfaceObject(resource))
    x = np.random.default_rng(0).integers(-99, 99, (3, 5, 2)).astype(np.int16)
    arrays[0].copy_from(cupy.array(x))
    module = cupy.RawModule(code=SOURCE)
    module.get_function("turn")((2,), (4, 4), (*surfaces, 5, 3))
    out = cupy.zeros((3, 5, 2), dtype=cupy.int16)
    arrays[1].copy_to(out)
    np.testing.assert_array_equal(out.get(), x[::-1, ::-1, ::-1])
    for place, message in ((20, "outside of the surface"), (2, "no multiple of its bytes")):
        with pytest.raises(RuntimeError, match=f"surf2Dwrite at .*{message}"):
            module.get_function("beyond")((1,), (1,), (surfaces[0], place))


def test_bad_descriptions(cupy: Any) -> None:
    t, runtime = cupy.cuda.texture, cupy.cuda.runtime
    desc = t.ChannelFormatDescriptor(32, 0, 0, 0, runtime.cudaChannelFormatKindFloat)
    whole = t.ChannelFormatDescriptor(8, 0, 0, 0, runtime.cudaChannelFormatKindUnsigned)
    array = t.CUDAarray(desc, 4, 4)
    resource = t.ResourceDescriptor(0, cuArr=array)
    makers: list[Callable[[], Any]] = [
        lambda: t.ChannelFormatDescriptor(32, 16, 0, 0, 2),
        lambda: t.ChannelFormatDescriptor(8, 0, 0, 0, 2),
        lambda: t.CUDAarray(desc, 0),
        lambda: t.CUDAarray(desc, 4, 4, 6, runtime.cudaArrayCubemap),
        lambda: t.ResourceDescriptor(1, cuArr=array),
        lambda: t.ResourceDescriptor(2, arr=cupy.zeros(4, dtype="f4"), chDesc=desc, sizeInBytes=20),
        lambda: t.TextureDescriptor(addressModes=(4,)),
        lambda: t.TextureObject(resource, t.TextureDescriptor(readMode=1)),
        lambda: t.TextureObject(
            t.ResourceDescriptor(0, cuArr=t.CUDAarray(whole, 4)), t.TextureDescriptor(filterMode=1)
        ),
        lambda: t.SurfaceObject(resource),
        lambda: array.copy_from(cupy.zeros(3, dtype="f4")),
    ]
    for make in makers:
        with pytest.raises((GpucnnError, ValueError), match=": "):
            make()
    fetch = cupy.RawKernel(SOURCE, "fetch")
    made = t.TextureObject(resource, t.TextureDescriptor())
    with pytest.raises(RuntimeError, match=r"tex1Dfetch at .* reads another type than the texture"):
        fetch((1,), (1,), (made, cupy.zeros(1, dtype="i4")))
    with pytest.raises(RuntimeError, match="is given no texture or surface object"):
        fetch((1,), (1,), (0, cupy.zeros(1, dtype="i4")))


def test_nvrtc_accepts_the_kernels() -> None:
    assert "turn" in compile_kernels(SOURCE, (), "sm_90").resources

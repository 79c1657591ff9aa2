// Textures and surfaces: arrays of texels, which textures.py describes.
//
// Their memory is no argument of the launch, so that accesses to it are not checked for races. What is
// between texels is computed as double and rounded once; a device has the same weights, of 8 bits.
#pragma once

#include "description.hpp"
#include "numbers/half.hpp"
#include "numbers/mathematics.hpp"
#include "threads.hpp"

typedef unsigned long long cudaTextureObject_t;
typedef unsigned long long cudaSurfaceObject_t;
enum cudaSurfaceBoundaryMode { cudaBoundaryModeZero, cudaBoundaryModeClamp, cudaBoundaryModeTrap };

namespace gpucnn_simulator {

enum AddressMode { WRAP, CLAMP, MIRROR, BORDER };  // as CUDA numbers them

// What an object's number is the address of, as in textures.py.
struct Texels {
    unsigned long long mark;  // MARK
    char* data;
    unsigned long long row, slice;  // bytes from one to the next
    int size[3];                    // width, height, depth or layers: 1 where there are none
    int kind, bits, channels;       // NumPy's letter f, i or u; the bits of each channel
    int address_mode[3];
    int filters, reads_normalized, is_normalized;
    float border[4];
};
constexpr unsigned long long MARK = 0x7465786574757265;

struct Texel {
    double channel[4];
};
struct Coordinates {
    float axis[3];
};
struct Index {
    int axis[3];
};

// A copy, in the thread's own memory.
GPUCNN_UNCHECKED inline Texels texels_of(Place place, unsigned long long object)
{
    const auto* texels = (const Texels*)object;
    if (texels == nullptr || texels->mark != MARK)
        fail(place, "is given no texture or surface object: give the ptr of one");
    return *texels;
}

// The address of a texel, or of the byte at `x` for a surface.
inline char* address_of(const Texels& texels, long long x, int y, int z)
{
    return texels.data + z * texels.slice + y * texels.row + x;
}

template <typename T> GPUCNN_UNCHECKED inline T value_at(const char* address)
{
    T value;
    __builtin_memcpy(&value, address, sizeof(T));
    return value;
}

inline double channel_at(const Texels& texels, const char* address)
{
    switch (texels.kind << 8 | texels.bits) {
    case 'f' << 8 | 32: return value_at<float>(address);
    case 'f' << 8 | 16: return float_of_half(value_at<unsigned short>(address));
    case 'i' << 8 | 8: return value_at<signed char>(address);
    case 'i' << 8 | 16: return value_at<short>(address);
    case 'i' << 8 | 32: return value_at<int>(address);
    case 'u' << 8 | 8: return value_at<unsigned char>(address);
    case 'u' << 8 | 16: return value_at<unsigned short>(address);
    default: return value_at<unsigned>(address);
    }
}

// The index that takes the place of one outside, or -1 for the border.
inline int index_within(int i, int size, int mode)
{
    if (i >= 0 && i < size) return i;
    if (mode == BORDER) return -1;
    if (mode == CLAMP) return i < 0 ? 0 : size - 1;
    const int period = mode == WRAP ? size : 2 * size;
    const int rest = (i % period + period) % period;
    return rest < size ? rest : period - 1 - rest;
}

inline Texel texel_at(const Texels& texels, Index index)
{
    int within[3];
    Texel texel = {};
    for (int d = 0; d < 3; d++) {
        const int mode = texels.address_mode[d];
        const bool repeats = mode == WRAP || mode == MIRROR;
        within[d] = index_within(
            index.axis[d], texels.size[d], repeats && !texels.is_normalized ? CLAMP : mode);
        if (within[d] >= 0) continue;
        for (int c = 0; c < texels.channels; c++) texel.channel[c] = texels.border[c];
        return texel;
    }
    const int bytes = texels.bits / 8;
    const char* address = address_of(
        texels, (long long)within[0] * texels.channels * bytes, within[1], within[2]);
    const double most = (1u << (texels.bits - 1 + (texels.kind == 'u')) % 32) - 1;
    for (int c = 0; c < texels.channels; c++) {
        const double value = channel_at(texels, address + c * bytes);
        texel.channel[c] = texels.reads_normalized ? fmax(value / most, -1.0) : value;
    }
    return texel;
}

// The lower neighbour of a coordinate, and the weight of the upper one, in 256ths.
struct Neighbours {
    int lower;
    double weight;
};
inline Neighbours neighbours(float x, int size, const Texels& texels)
{
    constexpr float FAR = 1 << 29;
    x = texels.is_normalized ? x * (float)size : x;
    x = x != x ? 0 : fminf(fmaxf(x, -FAR), FAR);
    if (!texels.filters) return {(int)floorf(x), 0};
    const float lower = floorf(x - 0.5f);
    return {(int)lower, rint((x - 0.5f - lower) * 256) / 256};
}

// The texel at coordinates, of which there are as many as `dimensions`, in a layer.
inline Texel sample(const Texels& texels, int dimensions, Coordinates x, int layer = 0)
{
    Neighbours found[3] = {};
    for (int d = 0; d < dimensions; d++)
        found[d] = neighbours(x.axis[d], texels.size[d], texels);
    if (dimensions < 3) found[2].lower = index_within(layer, texels.size[2], CLAMP);
    Texel sum = {};
    for (int corner = 0; corner < 1 << dimensions; corner++) {
        Index index;
        double weight = 1;
        for (int d = 0; d < 3; d++) {
            const int upper = corner >> d & 1;
            index.axis[d] = found[d].lower + upper;
            weight *= upper ? found[d].weight : 1 - found[d].weight;
        }
        if (weight == 0) continue;
        const Texel texel = texel_at(texels, index);
        for (int c = 0; c < 4; c++) sum.channel[c] += weight * texel.channel[c];
    }
    return sum;
}

// A channel of the four texels between which a point lies, against the clock from the lower left.
inline Texel gathered(const Texels& texels, float x, float y, int channel)
{
    Texels filtered = texels;
    filtered.filters = 1;
    const int column = neighbours(x, texels.size[0], filtered).lower;
    const int row = neighbours(y, texels.size[1], filtered).lower;
    const int columns[] = {column, column + 1, column + 1, column};
    const int rows[] = {row + 1, row + 1, row, row};
    Texel texel;
    for (int i = 0; i < 4; i++)
        texel.channel[i] = texel_at(texels, {columns[i], rows[i], 0}).channel[channel & 3];
    return texel;
}

// A number or a vector of the channels.
template <typename T> inline T value_of(Place place, const Texels& texels, const Texel& texel)
{
    using D = Description<T>;
    const bool is_real = texels.reads_normalized || texels.kind == 'f';
    if (D::kind != (is_real ? 'f' : texels.kind) || D::size != (is_real ? 4 : texels.bits / 8))
        fail(place, "reads another type than the texture has: give the type of its channels");
    T value{};
    for (int c = 0; c < (int)(sizeof(T) / D::size) && c < 4; c++) {
        const float real = (float)texel.channel[c];
        const long long whole = (long long)texel.channel[c];
        const void* channel = is_real ? (const void*)&real : &whole;
        __builtin_memcpy((char*)&value + c * D::size, channel, D::size);
    }
    return value;
}

}  // namespace gpucnn_simulator

// A function that gives a value, and one that stores it.
#define GPUCNN_FETCH(name, parameters, names, ...)                                                 \
    template <typename T>                                                                          \
    inline T name(cudaTextureObject_t texture, GPUCNN_UNPACK parameters, GPUCNN_WHERE)             \
    {                                                                                              \
        const auto place = GPUCNN_PLACE(#name);                                                    \
        const auto texels = gpucnn_simulator::texels_of(place, texture);                           \
        return gpucnn_simulator::value_of<T>(place, texels, __VA_ARGS__);                          \
    }                                                                                              \
    template <typename T>                                                                          \
    inline void name(T* value, unsigned long long texture, GPUCNN_UNPACK parameters, GPUCNN_WHERE) \
    {                                                                                              \
        *value = name<T>(texture, GPUCNN_UNPACK names, file, line);                                \
    }
#define GPUCNN_UNPACK(...) __VA_ARGS__
#define GPUCNN_SAMPLE_1 gpucnn_simulator::sample(texels, 1, {x})
#define GPUCNN_SAMPLE_2 gpucnn_simulator::sample(texels, 2, {x, y})
#define GPUCNN_SAMPLE_3 gpucnn_simulator::sample(texels, 3, {x, y, z})
GPUCNN_FETCH(tex1D, (float x), (x), GPUCNN_SAMPLE_1)
GPUCNN_FETCH(tex2D, (float x, float y), (x, y), GPUCNN_SAMPLE_2)
GPUCNN_FETCH(tex3D, (float x, float y, float z), (x, y, z), GPUCNN_SAMPLE_3)
GPUCNN_FETCH(
    tex1DLayered, (float x, int layer), (x, layer), gpucnn_simulator::sample(texels, 1, {x}, layer))
GPUCNN_FETCH(
    tex2DLayered, (float x, float y, int layer), (x, y, layer),
    gpucnn_simulator::sample(texels, 2, {x, y}, layer))
// There is one level of detail.
GPUCNN_FETCH(tex1DLod, (float x, float level), (x, level), GPUCNN_SAMPLE_1)
GPUCNN_FETCH(tex2DLod, (float x, float y, float level), (x, y, level), GPUCNN_SAMPLE_2)
GPUCNN_FETCH(
    tex3DLod, (float x, float y, float z, float level), (x, y, z, level), GPUCNN_SAMPLE_3)
GPUCNN_FETCH(tex1DGrad, (float x, float dx, float dy), (x, dx, dy), GPUCNN_SAMPLE_1)
GPUCNN_FETCH(tex2DGrad, (float x, float y, float2 dx, float2 dy), (x, y, dx, dy), GPUCNN_SAMPLE_2)
// Of linear memory; 0 outside of it.
GPUCNN_FETCH(
    tex1Dfetch, (int x), (x),
    x >= 0 && x < texels.size[0] ? gpucnn_simulator::texel_at(texels, {x, 0, 0})
                                 : gpucnn_simulator::Texel())
GPUCNN_FETCH(
    tex2Dgather, (float x, float y, int channel = 0), (x, y, channel),
    gpucnn_simulator::gathered(texels, x, y, channel))
#undef GPUCNN_SAMPLE_1
#undef GPUCNN_SAMPLE_2
#undef GPUCNN_SAMPLE_3

// Surfaces ----------------------------------------------------------------------------------------

namespace gpucnn_simulator {

// The address of `width` bytes at `x`; null if they are outside and mode says that this is allowed.
inline char* on_surface(
    Place place, const Texels& texels, int width, int x, int y, int z, cudaSurfaceBoundaryMode mode)
{
    const int bytes = texels.size[0] * texels.channels * texels.bits / 8;
    if (x % width != 0)
        fail(place, "has an x that is no multiple of its bytes: x counts bytes, not elements");
    const bool is_inside = x >= 0 && x <= bytes - width && y >= 0 && y < texels.size[1] && z >= 0 &&
                           z < texels.size[2];
    if (is_inside) return address_of(texels, x, y, z);
    if (mode == cudaBoundaryModeTrap)
        fail(place, "is outside of the surface: keep within it, where x counts bytes");
    if (mode == cudaBoundaryModeZero) return nullptr;
    return address_of(
        texels, index_within(x, bytes, CLAMP) / width * width,
        index_within(y, texels.size[1], CLAMP), index_within(z, texels.size[2], CLAMP));
}
template <typename T> GPUCNN_UNCHECKED inline void store_at(char* address, const T& value)
{
    if (address != nullptr) __builtin_memcpy(address, &value, sizeof(T));
}
template <typename T> GPUCNN_UNCHECKED inline T load_at(const char* address)
{
    return address != nullptr ? value_at<T>(address) : T{};
}

}  // namespace gpucnn_simulator

#define GPUCNN_SURFACE(read, write, parameters, names, x, y, z)                                    \
    template <typename T>                                                                          \
    inline T read(                                                                                 \
        cudaSurfaceObject_t surface, GPUCNN_UNPACK parameters,                                     \
        cudaSurfaceBoundaryMode mode = cudaBoundaryModeTrap, GPUCNN_WHERE)                         \
    {                                                                                              \
        const auto place = GPUCNN_PLACE(#read);                                                    \
        const auto texels = gpucnn_simulator::texels_of(place, surface);                           \
        return gpucnn_simulator::load_at<T>(                                                       \
            gpucnn_simulator::on_surface(place, texels, sizeof(T), x, y, z, mode));                \
    }                                                                                              \
    template <typename T>                                                                          \
    inline void read(                                                                              \
        T* value, cudaSurfaceObject_t surface, GPUCNN_UNPACK parameters,                           \
        cudaSurfaceBoundaryMode mode = cudaBoundaryModeTrap, GPUCNN_WHERE)                         \
    {                                                                                              \
        *value = read<T>(surface, GPUCNN_UNPACK names, mode, file, line);                          \
    }                                                                                              \
    template <typename T>                                                                          \
    inline void write(                                                                             \
        T value, cudaSurfaceObject_t surface, GPUCNN_UNPACK parameters,                            \
        cudaSurfaceBoundaryMode mode = cudaBoundaryModeTrap, GPUCNN_WHERE)                         \
    {                                                                                              \
        const auto place = GPUCNN_PLACE(#write);                                                   \
        const auto texels = gpucnn_simulator::texels_of(place, surface);                           \
        gpucnn_simulator::store_at(                                                                \
            gpucnn_simulator::on_surface(place, texels, sizeof(T), x, y, z, mode), value);         \
    }
GPUCNN_SURFACE(surf1Dread, surf1Dwrite, (int x), (x), x, 0, 0)
GPUCNN_SURFACE(surf2Dread, surf2Dwrite, (int x, int y), (x, y), x, y, 0)
GPUCNN_SURFACE(surf3Dread, surf3Dwrite, (int x, int y, int z), (x, y, z), x, y, z)
GPUCNN_SURFACE(
    surf1DLayeredread, surf1DLayeredwrite, (int x, int layer), (x, layer), x, 0, layer)
GPUCNN_SURFACE(
    surf2DLayeredread, surf2DLayeredwrite, (int x, int y, int layer), (x, y, layer), x, y, layer)
#undef GPUCNN_FETCH
#undef GPUCNN_SURFACE
#undef GPUCNN_UNPACK

// What NVRTC declares too, and a kernel that comes to it ends its launch.
#define GPUCNN_MISSING(name)                                                                       \
    template <typename T, typename... Arguments>                                                   \
    inline T name(gpucnn_simulator::AnObject object, Arguments...)                                 \
    {                                                                                              \
        gpucnn_simulator::fail(                                                                    \
            object.place, "is read by " #name ": the simulator does not have it");                 \
    }

namespace gpucnn_simulator {

// The place is that of the call: no default can follow a pack of parameters.
struct AnObject {
    Place place;
    AnObject(unsigned long long, GPUCNN_WHERE) : place(GPUCNN_PLACE("a texture")) {}
};

}  // namespace gpucnn_simulator

GPUCNN_MISSING(texCubemap)
GPUCNN_MISSING(texCubemapLod)
GPUCNN_MISSING(texCubemapLayered)
GPUCNN_MISSING(tex2DLayeredLod)
#undef GPUCNN_MISSING

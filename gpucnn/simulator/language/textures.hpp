// What NVRTC declares without an include and the simulator does not have: textures and surfaces. A
// kernel that comes to one ends its launch. Types of the host's interface are only names here.
#pragma once

#include "threads.hpp"

typedef unsigned long long cudaTextureObject_t;
typedef unsigned long long cudaSurfaceObject_t;
typedef struct CUstream_st* cudaStream_t;
typedef struct CUevent_st* cudaEvent_t;
typedef struct cudaArray* cudaArray_t;
enum cudaSurfaceBoundaryMode { cudaBoundaryModeZero, cudaBoundaryModeClamp, cudaBoundaryModeTrap };

// The place is that of the call: where a template has a pack of parameters, a default for it cannot
// follow, so the first argument brings it.
struct GpucnnTexture {
    unsigned long long object;
    gpucnn_simulator::Place place;
    GpucnnTexture(unsigned long long object, GPUCNN_WHERE)
        : object(object), place(GPUCNN_PLACE("a texture or surface"))
    {
    }
    [[noreturn]] void fail() const
    {
        gpucnn_simulator::fail(place, "is used: the simulator does not have it");
    }
};

#define GPUCNN_FETCH(name)                                                                         \
    template <typename T, typename... Arguments> inline T name(GpucnnTexture texture, Arguments...) \
    {                                                                                              \
        texture.fail();                                                                            \
    }
#define GPUCNN_WRITE(name)                                                                         \
    template <typename T, typename... Arguments>                                                   \
    inline void name(T, GpucnnTexture surface, Arguments...)                                       \
    {                                                                                              \
        surface.fail();                                                                            \
    }
GPUCNN_FETCH(tex1Dfetch)
GPUCNN_FETCH(tex1D)
GPUCNN_FETCH(tex2D)
GPUCNN_FETCH(tex3D)
GPUCNN_FETCH(tex1DLod)
GPUCNN_FETCH(tex2DLod)
GPUCNN_FETCH(tex3DLod)
GPUCNN_FETCH(tex1DGrad)
GPUCNN_FETCH(tex2DGrad)
GPUCNN_FETCH(tex1DLayered)
GPUCNN_FETCH(tex2DLayered)
GPUCNN_FETCH(tex2DLayeredLod)
GPUCNN_FETCH(texCubemap)
GPUCNN_FETCH(texCubemapLod)
GPUCNN_FETCH(texCubemapLayered)
GPUCNN_FETCH(tex2Dgather)
GPUCNN_FETCH(surf1Dread)
GPUCNN_FETCH(surf2Dread)
GPUCNN_FETCH(surf3Dread)
GPUCNN_FETCH(surf2DLayeredread)
GPUCNN_WRITE(surf1Dwrite)
GPUCNN_WRITE(surf2Dwrite)
GPUCNN_WRITE(surf3Dwrite)
GPUCNN_WRITE(surf2DLayeredwrite)
GPUCNN_WRITE(surfCubemapwrite)
#undef GPUCNN_FETCH
#undef GPUCNN_WRITE

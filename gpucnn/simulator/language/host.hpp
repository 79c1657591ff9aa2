// The types of the host's interface that NVRTC declares without an include. Device code has them in
// structures and in declarations that it shares with the host.
#pragma once

typedef struct CUstream_st* cudaStream_t;
typedef struct CUevent_st* cudaEvent_t;
typedef struct cudaArray* cudaArray_t;

enum cudaError {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorUnknown = 999
};
typedef enum cudaError cudaError_t;

typedef struct {
    char reserved[64];
} cudaIpcMemHandle_t, cudaIpcEventHandle_t;

enum cudaMemcpyKind {
    cudaMemcpyHostToHost,
    cudaMemcpyHostToDevice,
    cudaMemcpyDeviceToHost,
    cudaMemcpyDeviceToDevice,
    cudaMemcpyDefault
};

enum cudaChannelFormatKind {
    cudaChannelFormatKindSigned,
    cudaChannelFormatKindUnsigned,
    cudaChannelFormatKindFloat,
    cudaChannelFormatKindNone
};
struct cudaChannelFormatDesc {
    int x, y, z, w;
    cudaChannelFormatKind f;
};

struct cudaExtent {
    decltype(sizeof(0)) width, height, depth;
};
struct cudaPos {
    decltype(sizeof(0)) x, y, z;
};
struct cudaPitchedPtr {
    void* ptr;
    decltype(sizeof(0)) pitch, xsize, ysize;
};

typedef struct cudaMipmappedArray* cudaMipmappedArray_t;
enum cudaTextureReadMode { cudaReadModeElementType, cudaReadModeNormalizedFloat };

// What programs ask of a device, without CUDA's layout of it, which no kernel is given.
struct cudaDeviceProp {
    char name[256];
    decltype(sizeof(0)) totalGlobalMem, totalConstMem, sharedMemPerBlock, sharedMemPerMultiprocessor;
    int major, minor, multiProcessorCount, warpSize, regsPerBlock;
    int maxThreadsPerBlock, maxThreadsPerMultiProcessor, maxThreadsDim[3], maxGridSize[3];
};

// CUDA's loads and stores with hints for the caches, which have none here, and the C library's memory.
#pragma once

#include <new>

#define GPUCNN_LOAD(name)                                                                          \
    template <typename T> inline T name(const T* address) { return *address; }
#define GPUCNN_STORE(name)                                                                         \
    template <typename T> inline void name(T* address, T value) { *address = value; }
GPUCNN_LOAD(__ldg)
GPUCNN_LOAD(__ldca)
GPUCNN_LOAD(__ldcg)
GPUCNN_LOAD(__ldcs)
GPUCNN_LOAD(__ldcv)
GPUCNN_LOAD(__ldlu)
GPUCNN_STORE(__stcg)
GPUCNN_STORE(__stcs)
GPUCNN_STORE(__stwb)
GPUCNN_STORE(__stwt)
#undef GPUCNN_LOAD
#undef GPUCNN_STORE

extern "C" {
int printf(const char*, ...) __asm__("gpucnn_printf");  // the scheduler's
void* malloc(decltype(sizeof(0))) noexcept;
void free(void*) noexcept;
void* memcpy(void*, const void*, decltype(sizeof(0))) noexcept;
void* memmove(void*, const void*, decltype(sizeof(0))) noexcept;
void* memset(void*, int, decltype(sizeof(0))) noexcept;
int memcmp(const void*, const void*, decltype(sizeof(0))) noexcept;
long clock() noexcept;
}
inline long long clock64() { return 1000LL * clock(); }
inline void __nanosleep(unsigned) {}
